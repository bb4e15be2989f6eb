"""Receptors, biases and adaptation against closed forms, and what must leave every bit."""

from __future__ import annotations

import warnings
from dataclasses import replace
from math import inf

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import lambertw

import eventsim as es
from eventsim.errors import IncompleteRunWarning
from tests.engines import engines
from tests.strategies import Problem, problems

CLOSE = 1e-13
DIGITS = 50


def runs(net, inputs, t_stop, **options):
    """The results of all engines that run a network."""
    return [es.simulate(net, inputs, t_stop, engine=name, **options) for name in engines(net)]


def struck(weights, receptor=0, **parameters):
    """Neurons that one spike at time 0 reaches, each with a weight of its own."""
    return es.Network(
        [es.Input("in", 1), es.Population("out", len(weights), **parameters)],
        [es.Dense("in", "out", [list(weights)], receptor=receptor)],
    )


def assert_first_spikes(net, expected, t_stop):
    """Neuron k of "out" first spikes at ``expected[k]``; inf: not at all."""
    for result in runs(net, {"in": ([0.0], [0])}, t_stop):
        first = [next(iter(result.spikes["out"].of(k)), inf) for k in range(len(expected))]
        np.testing.assert_allclose(first, expected, rtol=CLOSE, atol=0)


def caught(h, tau, tau_syn):
    """Potential after ``h`` that a current of 1 leaves when it decays with ``tau_syn``."""
    b = 1 / mpmath.mpf(tau_syn)
    if tau == inf:
        return (1 - mpmath.exp(-b * h)) / b if b else h
    a = 1 / mpmath.mpf(tau)
    if a == b:
        return a * h * mpmath.exp(-a * h)
    return a * (mpmath.exp(-b * h) - mpmath.exp(-a * h)) / (a - b)


# Constant currents.

#: Parameters that change nothing: a receptor that hears nothing, adaptation without a jump.
SILENT = ({}, {"tau_syn": [3e-3]}, {"ahp_jump": 1e-300, "tau_ahp": 1.0})


def periods(drive, tau, low, theta):
    """Seconds from ``low`` to the threshold under a drive in volts."""
    with mpmath.workdps(DIGITS):
        rest = mpmath.mpf(drive)
        return float(mpmath.mpf(tau) * mpmath.log((rest - low) / (rest - theta)))


@pytest.mark.parametrize("silent", SILENT)
@pytest.mark.parametrize("t_ref", [0.0, 2e-3, 0.75])
@pytest.mark.parametrize("tau", [1e-3, 0.01, 2.0])
def test_regular_firing(tau, t_ref, silent):
    currents = np.array([1.01, 1.125, 1.5, 2.0, 10.0, 1e3])
    net = es.Network(
        [es.Population("out", 6, tau_mem=tau, i_bias=currents, t_ref=t_ref, r=0.5, v_threshold=0.5,
                       v_reset=-0.25, v_init=0.125, **silent)],
    )  # fmt: skip
    first = np.array([periods(i / 2, tau, 0.125, 0.5) for i in currents])
    period = np.array([periods(i / 2, tau, -0.25, 0.5) for i in currents])
    t_stop = 20 * tau + 3 * t_ref
    for result in runs(net, {}, t_stop):
        for k in range(6):
            times = result.spikes["out"].of(k)
            expected = first[k] + np.arange(len(times) + 1) * (t_ref + period[k])
            assert expected[-2] < t_stop < expected[-1]
            # Each sum of times is rounded, so that thousands of spikes drift.
            np.testing.assert_allclose(times[:100], expected[:-1][:100], rtol=CLOSE)
            np.testing.assert_allclose(times, expected[:-1], rtol=1e-11)


@pytest.mark.parametrize("silent", SILENT)
@pytest.mark.parametrize("tau", [20e-3, inf])
def test_rates_grow_with_the_current_as_they_should(tau, silent):
    t_ref, t_stop = 2e-3, 1.0
    currents = np.linspace(-0.5, 40.0, 300)
    net = es.Network(
        [es.Population("out", 300, tau_mem=tau, i_bias=currents, t_ref=t_ref, **silent)]
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        period = 1 / currents if tau == inf else -tau * np.log1p(-1 / currents)
    fires = currents > (0.0 if tau == inf else 1.0)
    number = np.where(fires, (t_stop - period) / (period + t_ref) + 1, 0.0)
    assert np.abs(number - np.round(number))[fires].min() > 1e-9
    for result in runs(net, {}, t_stop, record="counts"):
        assert np.array_equal(result.counts["out"], np.floor(number).clip(0))


# One arrival at a receptor.

WEIGHTS = (3.0, 3.5, 5.0, 10.0, 1e3, 1e6)


@pytest.mark.parametrize("tau", [5e-3, 1.0, 64.0])
def test_equal_time_constants_make_an_alpha_function(tau):
    # v = w u exp(-u), u = h / tau, has its summit w / e at u = 1.
    net = struck([1.0, 2.7, *WEIGHTS], tau_mem=tau, tau_syn=tau, t_ref=100 * tau)
    expected = [-tau * lambertw(-1 / w).real for w in WEIGHTS]
    assert_first_spikes(net, [inf, inf, *expected], 50 * tau)
    u = np.array([1e-9, 1e-3, 0.5, 1.0, 7.0, 40.0])
    for result in runs(net, {"in": ([0.0], [0])}, 50 * tau, record_v={"out": [1]}):
        got = result.v["out"].at(u * tau)[:, 0]
        np.testing.assert_allclose(got, 2.7 * u * np.exp(-u), rtol=CLOSE)


@pytest.mark.parametrize("tau", [5e-3, 1.0, 64.0])
def test_half_and_twice_the_time_constant_make_a_quadratic(tau):
    # v = 2 w (z - z z) with z = exp(-h / 2 tau), or w (z - z z) with z = exp(-h / tau).
    for ratio, height in ((2.0, 2.0), (0.5, 1.0)):
        weights = np.array(WEIGHTS) * 2
        net = struck(weights, tau_mem=tau, tau_syn=ratio * tau, t_ref=100 * tau)
        with mpmath.workdps(DIGITS):
            z = [(1 + mpmath.sqrt(1 - 4 / (mpmath.mpf(w) * height))) / 2 for w in weights]
            expected = [float(-height * tau * mpmath.log(value)) for value in z]
        assert_first_spikes(net, expected, 50 * tau)


@pytest.mark.parametrize("tau_syn", [1e-3, 0.5, 30.0])
def test_without_leak_a_current_integrates(tau_syn):
    # v = w tau_syn (1 - exp(-h / tau_syn)), r times; with a drive the root is a Lambert function.
    weights = np.array([0.99, 1.01, 1.5, 2.0, 100.0, 1e6]) / (2 * tau_syn)
    parameters = {"tau_mem": inf, "tau_syn": tau_syn, "r": 2.0, "t_ref": 1e3}
    with mpmath.workdps(DIGITS):
        rises = [mpmath.mpf(w) * 2 * tau_syn for w in weights]
        expected = [float(-tau_syn * mpmath.log(1 - 1 / v)) if v > 1 else inf for v in rises]
        assert_first_spikes(struck(weights, **parameters), expected, 100 * tau_syn)
        # D h + v (1 - exp(-h / tau_syn)) = 1, which without the current comes at tau_syn.
        bias, driven = 1 / (2 * tau_syn), []
        pace = 2 * mpmath.mpf(bias) * tau_syn  # V in a time constant
        for v in rises:
            u = (1 - v) / pace + mpmath.lambertw(v / pace * mpmath.exp((v - 1) / pace))
            driven.append(float(u * tau_syn))
    assert_first_spikes(struck(weights, i_bias=bias, **parameters), driven, 100 * tau_syn)


def test_receptors_add_up_to_a_readout():
    """Potentials of neurons that never spike: every arrival leaves its exponentials."""
    rng, tau, tau_syn, n = np.random.default_rng(3), 0.02, (0.005, 0.02, 0.5), 40
    times, senders = np.sort(rng.uniform(0.0, 0.1, n)), np.arange(n)
    weights = rng.normal(0, 1, (4, n))
    net = es.Network(
        [
            es.Input("in", n),
            es.Population("out", 2, tau_mem=[tau, inf], v_threshold=inf, v_leak=-0.5, i_bias=0.3,
                          tau_syn=tau_syn),
        ],
        [es.Dense("in", "out", np.column_stack([w, w]), receptor=None if k == 3 else k)
         for k, w in enumerate(weights)],
    )  # fmt: skip
    at = rng.uniform(0.0, 0.2, 12)
    expected = np.zeros((at.size, 2))
    with mpmath.workdps(DIGITS):
        for i, t in enumerate(map(mpmath.mpf, at)):
            come = [(t - mpmath.mpf(s), *w) for s, *w in zip(times, *weights, strict=True) if s < t]
            for k, tau_mem in enumerate((tau, inf)):
                # A bias is a current that does not decay.
                terms = [mpmath.mpf(-0.5), mpmath.mpf(0.3) * caught(t, tau_mem, inf)]
                for h, *currents, delta in come:
                    terms.append(delta * mpmath.exp(-h / mpmath.mpf(tau_mem)))
                    for weight, tau_k in zip(currents, tau_syn, strict=True):
                        terms.append(weight * caught(h, tau_mem, tau_k))
                expected[i, k] = float(mpmath.fsum(terms))
    train = es.SpikeTrain(times, senders)
    for result in runs(net, {"in": train}, 0.25, record_v={"out": [0, 1]}):
        assert len(result.spikes["out"]) == 0
        error = result.v["out"].at(at) - expected
        assert np.abs(error).max() < 1e-13 * np.abs(expected).max()


# Adaptation.


@pytest.mark.parametrize("beta", [0.25, 1.0, 1e3])
@pytest.mark.parametrize("tau_adapt", [1e-3, 0.3, 50.0])
def test_a_threshold_falls_onto_a_constant_potential(tau_adapt, beta):
    # A second delta leaves 1 + share beta, and the threshold 1 + beta exp(-h / tau) falls to it.
    shares, start = np.array([1e-3, 0.1, 0.5, 0.9]), 2.0**-10
    net = es.Network(
        [es.Input("in", 2), es.Population("out", 4, tau_mem=inf, adapt_beta=beta, t_ref=start,
                                          tau_adapt=tau_adapt, v_reset=-1.0)],
        [es.Dense("in", "out", [[1.0] * 4, 2.0 + shares * beta])],
    )  # fmt: skip
    with mpmath.workdps(DIGITS):
        above = [mpmath.mpf(2.0 + s * beta) - 2 for s in shares]
        expected = [float(tau_adapt * mpmath.log(beta / v)) for v in above]
    for result in runs(net, {"in": ([0.0, start], [0, 1])}, 20 * tau_adapt + 1.0):
        for k in range(4):
            spikes = result.spikes["out"].of(k)
            assert spikes[0] == 0.0
            # At its arrival where the threshold has fallen that far by then.
            assert spikes[1] == pytest.approx(max(expected[k], start), rel=CLOSE)


ADAPTATION = {
    "a current": {"ahp_jump": 0.75, "tau_ahp": 0.1},
    "a current as slow as the membrane": {"ahp_jump": 0.75, "tau_ahp": 0.02},
    "a fast current": {"ahp_jump": 40.0, "tau_ahp": 1e-3},
    "a current that helps": {"ahp_jump": -0.125, "tau_ahp": 0.01},
    "a threshold": {"adapt_beta": 0.25, "tau_adapt": 0.05},
    "a threshold that drops": {"adapt_beta": -0.0625, "tau_adapt": 5e-3},
    "both": {"ahp_jump": 0.5, "tau_ahp": 0.2, "adapt_beta": 0.125, "tau_adapt": 0.02},
}


def adapting(n_spikes, *, tau, rest, t_ref, reset, **jumps):
    """Spike times by recursion: each interval is the first root of its closed form."""
    tau_ahp, tau_adapt = (jumps.get(name, 1.0) for name in ("tau_ahp", "tau_adapt"))
    ahp_jump, adapt_beta = (jumps.get(name, 0.0) for name in ("ahp_jump", "adapt_beta"))
    t = x = w = lift = mpmath.mpf(0)
    spikes = []

    def left(h, tau):
        return mpmath.exp(-h / mpmath.mpf(tau))

    def distance(h):
        potential = rest + (x - rest) * left(h, tau) - w * caught(h, tau, tau_ahp)
        return potential - 1 - lift * left(h, tau_adapt)

    while len(spikes) < n_spikes:
        low, step = 0, mpmath.mpf(tau) / 20
        while distance(low + step) < 0:
            low += step
        h = mpmath.findroot(distance, (low, low + step), solver="anderson")
        w, lift = w * left(h, tau_ahp) + ahp_jump, lift * left(h, tau_adapt) + adapt_beta
        # There the potential is the threshold, of which subtraction takes the constant part.
        x = mpmath.mpf(0) if reset == "value" else lift - adapt_beta
        t += h
        spikes.append(float(t))
        t += t_ref
        w, lift = w * left(t_ref, tau_ahp), lift * left(t_ref, tau_adapt)
    return spikes


@pytest.mark.parametrize("reset", ["value", "subtract"])
@pytest.mark.parametrize("t_ref", [0.0, 2e-3])
@pytest.mark.parametrize("name", ADAPTATION)
def test_adaptation_is_a_recursion(name, t_ref, reset):
    parameters = {"tau": 0.02, "rest": 2.5, "t_ref": t_ref, "reset": reset, **ADAPTATION[name]}
    with mpmath.workdps(30):
        expected = adapting(12, **parameters)
    membrane = {"tau_mem": parameters.pop("tau"), "i_bias": parameters.pop("rest")}
    net = es.Network([es.Population("out", 1, **membrane, **parameters)])
    for result in runs(net, {}, expected[-1] * (1 + 1e-9)):
        np.testing.assert_allclose(result.spikes["out"].times, expected, rtol=CLOSE)


# What must leave every bit, or every spike.


def result_of(problem, engine):
    """A run that ends; runaways are thrown away."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteRunWarning)
        result = es.simulate(
            problem.net, problem.inputs, problem.t_stop, currents=problem.currents,
            record_v={name: [0] for name in problem.neurons}, max_events=20_000, engine=engine,
        )  # fmt: skip
    assume(result.complete)
    return result


def in_units(problem, seconds, volts):
    """The same in other units: currents, and what a receptor hears, stay as they are."""

    def population(p):
        if not isinstance(p, es.Population):
            return p
        times = ("tau_mem", "t_ref", "tau_adapt", "tau_ahp")
        potentials = ("v_threshold", "v_reset", "v_leak", "v_init", "adapt_beta", "r")
        scale = dict.fromkeys(times, seconds) | dict.fromkeys(potentials, volts)
        if np.all(p.array("tau_mem") == inf):  # there r is V/s for a unit of current
            scale["r"] = volts / seconds
        changed = {k: getattr(p, k) * by for k, by in scale.items() if getattr(p, k) is not None}
        if p.tau_syn is not None:
            changed["tau_syn"] = list(p.tau_syn * seconds)
        return replace(p, n=p.shape, **changed)

    def projection(link):
        changed = {"delay": link.delay * seconds}
        if isinstance(link, es.MaxPool2d):
            if link.window is not None:
                changed["window"] = link.window * seconds
        else:
            changed["spread"] = link.spread * seconds
            if link.receptor is None:
                changed["weight"] = link.weight * volts
        return replace(link, **changed)

    return Problem(
        es.Network(
            map(population, problem.net.populations), map(projection, problem.net.projections)
        ),
        {k: es.SpikeTrain(v.times * seconds, v.senders) for k, v in problem.inputs.items()},
        {k: [(t * seconds, i, x) for t, i, x in v] for k, v in problem.currents.items()},
        problem.t_stop * seconds,
    )


@pytest.mark.parametrize(("seconds", "volts"), [(2.0**-10, 1.0), (1.0, 2.0**20), (8.0, 0.5)])
@given(problems())
def test_units_do_not_matter(seconds, volts, problem):
    """Multiplication by a power of two is exact, and no constant of the engines has a unit."""
    other = in_units(problem, seconds, volts)
    for engine in engines(problem.net):
        one, two = result_of(problem, engine), result_of(other, engine)
        assert one.n_events == two.n_events
        for name, train in one.spikes.items():
            assert two.spikes[name].times.tobytes() == (train.times * seconds).tobytes()
            assert two.spikes[name].senders.tobytes() == train.senders.tobytes()
        for name, trace in one.v.items():
            at = trace.knots(0)
            assert np.array_equal(two.v[name].knots(0), at * seconds)
            assert np.array_equal(two.v[name].at(at * seconds), trace.at(at) * volts)


def permuted(problem, name, order):
    """Neuron k of a population becomes what neuron ``order[k]`` was."""
    rank = np.argsort(order)

    def population(p):
        if p.name != name:
            return p
        given = {field: getattr(p, field) for field in p.PARAMETERS}
        changed = {k: v[order] for k, v in given.items() if isinstance(v, np.ndarray)}
        if p.tau_syn is not None and p.tau_syn.ndim == 2:
            changed["tau_syn"] = list(p.tau_syn[:, order])
        return replace(p, n=p.shape, **changed)

    def projection(link):
        if link.target != name:
            return link
        if isinstance(link, es.Sparse):
            return replace(link, post=rank[link.post])
        delay = link.delay[:, order] if np.ndim(link.delay) else link.delay
        return replace(link, weight=link.weight[:, order], delay=delay)

    net = es.Network(
        map(population, problem.net.populations), map(projection, problem.net.projections)
    )
    currents = {
        k: [(t, int(rank[i]), x) for t, i, x in v] if k == name else v
        for k, v in problem.currents.items()
    }
    return replace(problem, net=net, currents=currents)


@given(problems(), st.randoms(use_true_random=False))
def test_neurons_have_no_place(problem, random):
    """Of a population that sends nothing: sums run over sources, in their order."""
    links = problem.net.projections
    free = [
        name
        for name in problem.neurons
        if problem.net[name].n > 1
        and all(link.source != name for link in links)
        and all(isinstance(x, es.Dense | es.Sparse) for x in links if x.target == name)
    ]
    assume(free)
    name = free[0]
    order = random.sample(range(problem.net[name].n), problem.net[name].n)
    other = permuted(problem, name, np.array(order))
    for engine in engines(problem.net):
        one, two = result_of(problem, engine), result_of(other, engine)
        for k, was in enumerate(order):
            assert two.spikes[name].of(k).tobytes() == one.spikes[name].of(was).tobytes()
        for p in problem.net:
            if p.name != name:
                assert two.spikes[p.name].times.tobytes() == one.spikes[p.name].times.tobytes()


@given(problems())
def test_a_saved_network_is_the_same(tmp_path_factory, problem):
    path = es.save(tmp_path_factory.mktemp("net") / "net.h5", problem.net)
    loaded, _ = es.load(path)
    assert loaded.fingerprint() == problem.net.fingerprint()
    for p, q in zip(problem.net.populations, loaded.populations, strict=True):
        if isinstance(p, es.Population):
            assert np.array_equal(q.receptor_times, p.receptor_times)
            assert all(np.array_equal(q.array(f), p.array(f)) for f in p.PARAMETERS)
    receptors = [getattr(link, "receptor", None) for link in problem.net.projections]
    assert [getattr(link, "receptor", None) for link in loaded.projections] == receptors
