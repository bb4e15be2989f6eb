"""Layers with exponential receptors in the layered engine: bounds, searches, all other engines."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eventsim as es
from eventsim.dynamics.exponentials import driven
from eventsim.dynamics.steps import propagators, slack
from eventsim.dynamics.within import crossing_within
from eventsim.engine import dense_modes, dense_receptor, modal_steps
from eventsim.engine.layered import why_not
from eventsim.engine.modal_layer import SMALL
from eventsim.jit import njit
from tests.agreement import assert_agrees, reference, run
from tests.strategies import RATIOS, Problem
from tests.test_crossing import DIGITS, LADDER, Cell

#: Around a vector, a block and several blocks; and around a group of arrivals.
SIZES = (1, 2, 31, 32, 33, 63, 64, 65, 130, 1000)
COUNTS = (0, 1, 7, 8, 9, 15, 16, 17, 60)
#: Two exact engines, which keep their states in different forms, differ by some roundings.
CLOSE = 1e-12


@njit
def within(x, drive, tau, inclusive, modes, span):
    end = driven(x, drive, span, tau, modes, 0, modes.size, False)
    h = crossing_within(x, drive, tau, 1.0, inclusive, modes, 0, modes.size, span, end)
    return h, end


def assert_same_spikes(net, one, two):
    """The same spikes of each neuron; neurons that spike almost together may change places."""
    assert one.complete and two.complete
    for p in net.populations:
        a, b = one.spikes[p.name], two.spikes[p.name]
        assert np.array_equal(one.counts[p.name], two.counts[p.name]), p.name
        x, y = np.lexsort((a.times, a.senders)), np.lexsort((b.times, b.senders))
        np.testing.assert_allclose(a.times[x], b.times[y], rtol=0.0, atol=CLOSE * 10.0)


def both(net, inputs, t_stop, **options):
    """The results of the layered engine and of the queue, which are the same."""
    layered, queue = (
        es.simulate(net, inputs, t_stop, engine=engine, **options)
        for engine in ("layered", "queue")
    )
    for one, two in zip(
        *((r if isinstance(inputs["in"], list) else [r]) for r in (layered, queue)), strict=True
    ):
        assert_same_spikes(net, one, two)
    return layered


@st.composite
def layers(draw, sizes=SIZES):
    """One layer and a readout; weights without pattern, times on a grid or not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))
    n = draw(st.sampled_from(sizes), label="neurons")
    n_receptors = draw(st.sampled_from([1, 1, 2, 3]), label="receptors")
    deltas = draw(st.booleans(), label="deltas")
    biased = draw(st.booleans(), label="bias")
    tau = draw(st.sampled_from([2.0, 2.0, 5.0, inf]), label="tau_mem")
    base = 2.0 if tau == inf else tau
    taus = [base * draw(st.sampled_from(RATIOS), label="ratio") for _ in range(n_receptors)]
    subtract = draw(st.booleans(), label="subtract")
    some = rng.random(n) < 0.5
    layer = es.Population(
        "layer",
        n,
        tau_mem=tau,
        v_leak=0.25,
        v_threshold=np.where(some, 1.0, rng.uniform(0.5, 1.5, n)),
        v_reset=rng.uniform(-0.5, 0.4, n),
        t_ref=draw(st.sampled_from([0.0, 0.25, 1.0]), label="t_ref"),
        r=rng.uniform(0.5, 1.5, n),
        i_bias=rng.uniform(-0.3, 0.8, n) if biased else 0.0,
        tau_syn=taus,
        reset="subtract" if subtract else "value",
        multi_spike=subtract,
        fires_at_equality=draw(st.booleans(), label="fires_at_equality"),
        v_init=rng.choice([0.0, 0.25, 1.75], n) if draw(st.booleans(), label="v_init") else None,
    )
    readout = es.Population("readout", 3, tau_mem=4.0, tau_syn=1.0, v_threshold=inf)
    links = []
    for k in range(n_receptors):
        share = min(taus[k], 4.0) if tau == inf else taus[k] / (taus[k] + tau)
        weight = rng.normal(0.1, 0.6, (6, n)) / share
        if draw(st.integers(0, 3), label="inhibition only") == 0:
            weight = -abs(weight)
        if draw(st.booleans(), label="float32"):
            weight = weight.astype(np.float32)
        links.append(es.Dense("in", "layer", weight, receptor=k))
    if deltas:
        links.insert(1, es.Dense("in", "layer", rng.normal(0.1, 0.4, (6, n))))
    links.append(es.Dense("layer", "readout", rng.normal(size=(n, 3)), receptor=0))
    count = draw(st.sampled_from(COUNTS), label="spikes")
    times = rng.uniform(0.0, 8.0, count)
    if draw(st.booleans(), label="grid"):
        times = np.round(times * 4) / 4
    rows = sorted({*zip(times.tolist(), rng.integers(6, size=count).tolist(), strict=True)})
    currents = {}
    if draw(st.integers(0, 3), label="currents") == 0:
        currents["layer"] = [(t, int(rng.integers(n)), 1.5) for t in (0.0, 1.25, 3.0, 9.0)]
    net = es.Network([es.Input("in", 6), layer, readout], links)
    train = es.SpikeTrain([t for t, _ in rows], [i for _, i in rows])
    return Problem(net, {"in": train}, currents, 8.0)


@given(layers())
def test_same_spikes_as_the_queue(problem):
    assert why_not(problem.net) is None
    assert_same_spikes(problem.net, run(problem, "layered"), run(problem, "queue"))


@given(layers(sizes=(1, 2, 5)))
def test_same_spikes_as_the_naive_simulator(problem):
    assert_agrees(problem, reference(problem), run(problem, "layered"))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [31, 32, 33, 1000])
@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.0 + 1e-9, 1e-2])
def test_a_deep_network_in_batches(n, ratio, dtype):
    rng = np.random.default_rng(n)
    names = ["in", "a", "b", "c"]
    sizes = [50, n, n, 10]
    cells = [
        es.Population(name, k, tau_mem=4.0, t_ref=1.0, tau_syn=4.0 * ratio)
        for name, k in zip(names[1:], sizes[1:], strict=True)
    ]
    links = [
        es.Dense(
            names[k],
            names[k + 1],
            rng.normal(0.1, 6.0 * (1 + 0.3 / ratio), sizes[k : k + 2]).astype(dtype)
            / np.sqrt(sizes[k]),
            receptor=0,
        )
        for k in range(3)
    ]
    net = es.Network([es.Input("in", 50), *cells], links)
    trains = []
    for _ in range(3):
        count = rng.poisson(300)
        trains.append(
            es.SpikeTrain.sorted(rng.uniform(0.0, 6.0, count), rng.integers(50, size=count))
        )
    one = both(net, {"in": trains}, 6.0, threads=1)
    assert sum(r.counts["c"].sum() for r in one) > 0
    for other in (
        es.simulate(net, {"in": trains}, 6.0, engine="layered", threads=2),
        [es.simulate(net, {"in": train}, 6.0, engine="layered") for train in trains],
    ):
        for a, b in zip(one, other, strict=True):
            for name in names:
                assert a.spikes[name].times.tobytes() == b.spikes[name].times.tobytes()
                assert a.spikes[name].senders.tobytes() == b.spikes[name].senders.tobytes()


@pytest.mark.parametrize("receptors", [1, 2])
@pytest.mark.parametrize("extra", range(10))
def test_arrivals_where_refractoriness_ends(extra, receptors):
    """A delta at the very end of refractoriness counts, one before it is lost; groups shift."""
    cell = es.Population("out", 70, tau_mem=4.0, t_ref=1.0, tau_syn=[2.0, 1.0][:receptors])
    weak = np.full((1, 70), 1e-3)
    net = es.Network(
        [es.Input("in", 1), es.Input("kick", 1), cell],
        [
            es.Dense("in", "out", weak, receptor=receptors - 1),
            es.Dense("kick", "out", np.full((1, 70), 1.0)),
        ],
    )
    times = np.sort(np.linspace(0.1, 0.9, extra))
    for kicks, expected in (
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        ([1.0, 1.5, 2.0], [1.0, 2.0]),
        ([1.0, np.nextafter(2.0, 0.0), 2.5], [1.0, 2.5]),
    ):
        inputs = {"in": (times, np.zeros(extra, int)), "kick": (kicks, [0] * 3)}
        result = es.simulate(net, inputs, 4.0, engine="layered")
        for j in (0, 31, 63, 64, 69):
            assert result.spikes["out"].of(j).tolist() == expected


@pytest.mark.parametrize("extra", range(10))
@pytest.mark.parametrize("bias", [0.0, 0.2])
def test_release_at_an_arrival_of_a_receptor(extra, bias):
    """Its current is held back until the very end of refractoriness, wherever groups begin."""
    cell = es.Population("out", 40, tau_mem=4.0, t_ref=0.5, tau_syn=2.0, i_bias=bias, v_init=1.0)
    net = es.Network(
        [es.Input("in", 1), cell], [es.Dense("in", "out", np.full((1, 40), 3.5), receptor=0)]
    )
    times = np.concatenate([np.linspace(0.0, 0.4, extra), [0.5, 0.75, 1.0, 1.5]])
    result = both(net, {"in": (times, np.zeros(times.size, int))}, 6.0)
    assert result.counts["out"].min() >= 4


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("gap", LADDER)
@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.0 + 1e-9, 3.0])
def test_grazing(ratio, gap, sign):
    """A summit next to the threshold is found or not, however many arrivals cut the time."""
    with mpmath.workdps(DIGITS):
        cell = Cell(modes=((ratio, 1.0, 0.0, 1.0),), theta=0.0)
        summit = float(cell.exact(cell.summits()[0]))
    neuron = es.Population(
        "out", 33, tau_mem=1.0, tau_syn=ratio, v_threshold=summit * (1 + sign * gap)
    )
    net = es.Network(
        [es.Input("in", 2), neuron],
        [es.Dense("in", "out", np.stack([np.ones(33), np.zeros(33)]), receptor=0)],
    )
    for cuts in (0, 1, 100):
        times = np.random.default_rng(cuts).uniform(0.0, 3.0, cuts)
        train = es.SpikeTrain.sorted([0.0, *times], [0] + [1] * cuts)
        result = es.simulate(net, {"in": train}, 4.0, engine="layered")
        assert result.counts["out"].tolist() == [int(sign < 0)] * 33


@pytest.mark.parametrize("inclusive", [True, False])
def test_a_crossing_at_the_time_of_an_arrival(inclusive):
    """Deltas put it exactly on the threshold, the current decides for a strict neuron."""
    cell = es.Population("out", 1, tau_mem=4.0, tau_syn=2.0, fires_at_equality=inclusive)
    net = es.Network(
        [es.Input("in", 2), cell],
        [
            es.Dense("in", "out", [[1.0], [0.0]]),
            es.Dense("in", "out", [[0.0], [8.0]], receptor=0),
        ],
    )
    for senders, times in (([0], [1.0]), ([0, 1], [1.0, 1.0]), ([1, 0], [0.0, 0.5])):
        both(net, {"in": (times, senders)}, 3.0)
    alone = es.simulate(net, {"in": ([1.0], [0])}, 3.0, engine="layered")
    assert alone.counts["out"][0] == int(inclusive)
    lifted = es.simulate(net, {"in": ([1.0, 1.0], [0, 1])}, 3.0, engine="layered")
    assert lifted.spikes["out"].times[0] == 1.0


def test_a_neuron_that_never_ends_is_left_to_the_queue():
    cell = es.Population("out", 3, tau_mem=4.0, tau_syn=2.0)
    net = es.Network([es.Input("in", 1), cell], [es.Dense("in", "out", [[1e30] * 3], receptor=0)])
    with pytest.warns(es.errors.IncompleteRunWarning):
        result = es.simulate(net, {"in": ([1.0], [0])}, 3.0, engine="layered", max_events=10_000)
    assert not result.complete


def test_what_it_cannot_run():
    def reason(link=None, **parameters):
        cell = es.Population("out", 2, **{"tau_mem": 4.0, "tau_syn": 2.0, **parameters})
        link = link or es.Dense("in", "out", np.ones((1, 2)), receptor=0)
        return why_not(es.Network([es.Input("in", 1), cell], [link]))

    assert reason() is None and reason(tau_syn=[1.0, 3.0]) is None
    assert reason(link=es.Sparse("in", "out", [0], [1], 1.0, receptor=0)) is None
    assert "more than one tau_syn of receptor 1" in reason(tau_syn=[1.0, np.array([1.0, 2.0])])
    assert "adapts" in reason(adapt_beta=0.1, tau_adapt=1.0)
    assert "pulses" in reason(link=es.Dense("in", "out", np.ones((1, 2)), spread=0.5))
    many = es.Population("out", SMALL + 1, tau_mem=4.0, tau_syn=2.0)
    sparse = es.Sparse("in", "out", [0], [1], 1.0, receptor=0)
    assert "all-to-all" in why_not(es.Network([es.Input("in", 1), many], [sparse]))


# The parts: propagators, their bound, and the search within a step.


@given(
    st.lists(st.tuples(st.sampled_from(RATIOS), st.floats(-3, 3)), min_size=1, max_size=3),
    st.floats(-2, 1),
    st.sampled_from([0.0, 0.5, -1.0]),
    st.sampled_from([1.0, inf]),
    st.sampled_from([1e-9, 1e-4, 0.1, 1.0, 20.0]),
)
def test_the_bound_is_above_the_potential(modes, x, drive, tau, h):
    taus = np.array([ratio for ratio, _ in modes])
    (decay, grown), factors = np.split(propagators(np.array([h]), tau, taus, 0.0)[:, 0], [2])
    cell = Cell(
        tau=tau, x=x, drive=drive, theta=0.0, modes=tuple((t, 1.0, 0.0, c) for t, c in modes)
    )
    end, frozen = x * decay + drive * grown, drive
    for (_, c), d, p in zip(modes, factors[::2], factors[1::2], strict=True):
        end += c * p
        frozen += max(c, c * d)
    room = slack(
        propagators(np.array([h]), tau, taus, 0.0),
        np.zeros((1, 1 + taus.size)),
        abs(x),
        abs(drive) + sum(abs(c) for _, c in modes),
    )
    bound = max(x, x * decay + frozen * grown) + room
    with mpmath.workdps(DIGITS):
        assert abs(cell.exact(h) - end) <= room
        for part in np.linspace(0.0, 1.0, 21):
            assert cell.exact(h * part) <= bound
    beyond = sum(abs(c) * grown * (1.0 - d) for (_, c), d in zip(modes, factors[::2], strict=True))
    assert x * decay + frozen * grown <= end + beyond + room


def test_slack_grows_with_what_arrives():
    factors = propagators(np.array([1.0, 2.0, 3.0]), 1.0, np.array([1.0]), 0.0)
    quiet = slack(factors, np.zeros((3, 2)), 1.0, 0.0)
    assert 0.0 < quiet < 1e-13
    assert slack(factors, np.full((3, 2), 1e6), 1.0, 0.0) > 1e5 * quiet
    with np.errstate(over="ignore"):
        assert np.isfinite(slack(factors, np.full((3, 2), 1e308), 1.0, 1e308))


@pytest.mark.parametrize("tau", [1.0, inf])
@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("drive", [0.0, 0.9, -0.5, 1.5])
def test_a_crossing_within_a_span_is_the_first_crossing(tau, ratio, drive):
    crossed = 0
    for amplitude in (-3.0, 0.25, 2.0, 40.0):
        for x in (-1.0, 0.0, 0.99):
            cell = Cell(tau=tau, x=x, drive=drive, modes=((ratio, 1.0, 0.0, amplitude),))
            first = cell.crossing()
            for span in (1e-6, 1e-3, 0.1, 1.0, 30.0, 0.999 * first, 1.001 * first):
                if not span < inf:
                    continue
                modes = cell.records()
                h, end = within(x, drive, tau, True, modes, span)
                if first > span:
                    assert h == inf
                else:
                    assert h == pytest.approx(first, rel=1e-11)
                    crossed += 1
                with mpmath.workdps(DIGITS):
                    assert float(cell.exact(span) + 1.0) == pytest.approx(end, rel=1e-12, abs=1e-12)
    assert crossed > 0


def test_from_the_threshold_a_search_within_a_span_is_complete():
    cell = replace(Cell(), x=1.0, modes=((2.0, 1.0, 0.0, 0.5),), drive=0.0)
    h, _ = within(1.0, 0.0, 1.0, False, cell.records(), 5.0)
    assert h == inf


def test_groups_fit_blocks():
    """Blocks of lanes are whole vectors; a group fits its tuple."""
    assert dense_modes.BLOCK % 16 == 0
    assert len(dense_receptor._group.py_func(list(range(20)), 3)) == modal_steps.GROUP
