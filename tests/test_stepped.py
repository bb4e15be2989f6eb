"""The clock-driven run: against a slow one, closed forms, and the exact simulator."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import eventsim as es
from eventsim.discrete import grid_run
from eventsim.discrete import stepped as module
from eventsim.discrete.grid import Grid
from eventsim.discrete.stepped import METHODS, stepped
from eventsim.errors import IncompleteRunWarning, InvalidType, InvalidValue, UnsupportedNetwork
from eventsim.fidelity.metrics import match_spikes
from eventsim.workers import NOT_BEGUN
from tests.naive_stepped import Cycle, Runaway, naive_stepped
from tests.strategies import problems

#: Some lengths of a step divide the times of the problems, some do not.
STEPS = (0.125, 0.25, 0.5, 1.0, 0.1, 1 / 3, 0.0703)

#: A potential that comes so near to a threshold may be rounded to either side of it.
DECIDED = 1e-10


@given(problems(), st.sampled_from(STEPS), st.sampled_from(METHODS))
def test_stepped_agrees_with_naive(problem, dt, method):
    arguments = (problem.net, problem.inputs, problem.t_stop, dt, method)
    try:
        expected = naive_stepped(*arguments, problem.currents, max_events=20_000)
    except Runaway:
        assume(False)
    except Cycle:
        with pytest.raises(UnsupportedNetwork, match="rounded to zero"):
            stepped(*arguments, currents=problem.currents)
        return
    assume(expected.margin > DECIDED)
    result = stepped(*arguments, currents=problem.currents)
    assert result.complete
    assert result.n_events == expected.n_events
    for p in problem.net:
        train = result.spikes[p.name]
        steps = np.rint(train.times / dt).astype(int)
        assert np.array_equal(train.times, np.minimum(steps * dt, problem.t_stop))
        assert (
            list(zip(steps.tolist(), train.senders.tolist(), strict=True))
            == (expected.spikes[p.name])
        )
        assert np.array_equal(result.counts[p.name], train.counts(p.n))


def quarters(problem):
    """Whether all times of a problem are multiples of a quarter."""
    times = [t.times for t in problem.inputs.values()]
    times += [np.asarray(getattr(p, "t_ref", 0.0)) for p in problem.net.populations]
    times += [np.asarray(link.delay) for link in problem.net.projections]
    return all((4 * t == np.rint(4 * t)).all() for t in times)


@given(problems(delta_only=True))
def test_on_a_grid_of_arrivals_it_is_exact(problem):
    """Where all happens at grid times the clock misses nothing."""
    assume(quarters(problem))
    net = problem.net
    for p in net:
        # A residue above threshold is tested at every grid time, and exactly only at arrivals.
        if isinstance(p, es.Population) and p.reset == "subtract":
            net = net.replace(p.name, multi_spike=True)
    try:
        margin = naive_stepped(net, problem.inputs, 8.0, 0.25, "exponential", None, 20_000).margin
    except Runaway:
        assume(False)
    assume(margin > DECIDED)
    exact = es.simulate(net, problem.inputs, problem.t_stop)
    result = stepped(net, problem.inputs, problem.t_stop, 0.25)
    for name, train in exact.spikes.items():
        mine = result.spikes[name].between(0.0, problem.t_stop)
        assert np.array_equal(mine.times, train.times)
        assert np.array_equal(mine.senders, train.senders)


# One neuron, in closed form.


def driven(bias, threshold=1.0, tau=10e-3, **parameters):
    return es.Network(
        [es.Population("cell", 1, tau_mem=tau, v_threshold=threshold, i_bias=bias, **parameters)]
    )


def steps_of(result, dt, name="cell"):
    return np.rint(result.spikes[name].times / dt).astype(int).tolist()


@pytest.mark.parametrize("tau", [10e-3, math.inf])
@pytest.mark.parametrize("t_ref", [0.0, 0.2e-3, 3.4e-3])
def test_euler_is_its_recursion(tau, t_ref):
    dt, v, free, expected = 1e-3, 0.25, 0, []
    hold = max(1, round(t_ref / dt)) if t_ref else 0
    bias = 1.7 if tau < math.inf else 170.0
    for k in range(1, 101):
        if k > free:
            v += dt * ((bias - v) / tau if tau < math.inf else bias)
            if v >= 1.0:
                expected.append(k)
                v, free = 0.0, k + hold
    net = driven(bias, tau=tau, t_ref=t_ref, v_init=0.25)
    assert steps_of(stepped(net, {}, 0.1, dt, "euler"), dt) == expected
    assert len(expected) > 5


@pytest.mark.parametrize("dt", [1e-3, 3e-4, 1e-5])
@pytest.mark.parametrize("threshold", [0.3, 0.61, 0.97])
def test_exact_integration_spikes_at_the_next_grid_time(dt, threshold):
    """A constant current: the potential at grid times is exact, so only the test is late."""
    first = -10e-3 * math.log(1 - threshold / 1.2)
    late = math.ceil(first / dt)
    hold = max(1, round(2.5e-3 / dt))
    found = steps_of(stepped(driven(1.2, threshold, t_ref=2.5e-3), {}, 0.2, dt), dt)
    assert found == list(range(late, int(0.2 / dt + 0.5) + 1, late + hold))


@pytest.mark.parametrize("dt", [0.5e-3, 0.1e-3])
@pytest.mark.parametrize("link", [{"spread": 3e-3}, {"receptor": 0}, {"receptor": 1}])
def test_exact_integration_of_pulses_receptors_and_currents(dt, link):
    """What begins at a grid time is integrated without error: only the spike is late."""
    net = es.Network(
        [
            es.Input("in", 1),
            es.Population("cell", 40, tau_mem=8e-3, v_threshold=np.linspace(0.05, 0.9, 40),
                          tau_syn=[2e-3, 8e-3], t_ref=1.0, adapt_beta=0.5, tau_adapt=1.0),
        ],
        [es.Dense("in", "cell", [[4.0] * 40], delay=1e-3, **link)],
    )  # fmt: skip
    arguments = (net, {"in": es.SpikeTrain([1e-3, 5.5e-3], [0, 0])}, 40e-3)
    currents = {"cell": [(3e-3, i, 0.4) for i in range(40)]}
    exact = es.simulate(*arguments, currents=currents).spikes["cell"]
    found = stepped(*arguments, dt, currents=currents).spikes["cell"]
    assert len(exact) >= 20
    assert np.array_equal(np.sort(found.senders), np.sort(exact.senders))
    for time, neuron in zip(exact.times, exact.senders, strict=True):
        assert found.of(neuron) == pytest.approx(math.ceil(time / dt) * dt)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spread", [1e-3, 1.3e-3, 0.01e-3])
def test_a_pulse_keeps_its_charge(spread, method):
    """Without leak, whatever number of steps its width is rounded to."""
    thresholds = [0.999999, 1.000001]
    net = es.Network(
        [es.Input("in", 1), es.Population("cell", 2, tau_mem=math.inf, v_threshold=thresholds)],
        [es.Dense("in", "cell", [[1.0, 1.0]], spread=spread)],
    )
    found = stepped(net, {"in": es.SpikeTrain([0.6e-3], [0])}, 10e-3, 0.25e-3, method)
    assert found.counts["cell"].tolist() == [1, 0]
    wide = max(1, round(spread / 0.25e-3))
    assert found.spikes["cell"].times[0] == pytest.approx((3 + wide) * 0.25e-3)


@pytest.mark.parametrize(
    ("t_stop", "dt", "last"), [(0.3, 0.1, 3), (0.35, 0.1, 3), (0.39999, 0.1, 3), (0.3, 0.3, 1)]
)
def test_the_last_grid_time_is_not_after_the_end(t_stop, dt, last):
    net = es.Network([es.Input("in", 1), es.Relay("out", 1)])
    cell = driven(1e9, tau=1.0)
    result = stepped(cell, {}, t_stop, dt)
    assert steps_of(result, dt) == list(range(1, last + 1))
    assert result.spikes["cell"].times[-1] <= t_stop
    train = es.SpikeTrain([0.0, last * dt - 0.01, last * dt + 0.01], [0, 0, 0])
    fed = stepped(net, {"in": train}, t_stop, dt)
    assert steps_of(fed, dt, "in") == [0, last]
    assert fed.counts["in"].tolist() == [2]


# Against the exact simulator.


def two_layers(rng, spread=0.0):
    cells = {"tau_mem": 10e-3, "t_ref": 2e-3}
    return es.Network(
        [es.Input("in", 20), es.Population("a", 10, **cells), es.Population("b", 5, **cells)],
        [
            es.Dense("in", "a", rng.normal(0.15, 0.1, (20, 10)), spread=spread),
            es.Dense("a", "b", rng.normal(0.15, 0.2, (10, 5)), delay=1.7e-3, spread=spread),
            es.Dense("b", "a", rng.normal(0.0, 0.1, (5, 10)), delay=1.1e-3, spread=spread),
        ],
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spread", [0.0, 1e-3])
def test_spikes_converge_with_order_one(spread, method, rng):
    """The median error is so many steps at any step, and in the end all spikes are found."""
    net = two_layers(rng, spread)
    train = es.SpikeTrain.sorted(rng.uniform(0, 0.2, 600), rng.integers(20, size=600))
    exact = es.simulate(net, {"in": train}, 0.2)
    for name in ("a", "b"):
        errors, shares = [], []
        for dt in (1e-3 / 16, 1e-3 / 256, 1e-3 / 2048):
            found = stepped(net, {"in": train}, 0.2, dt, method)
            matches = match_spikes(exact.spikes[name], found.spikes[name], window=50 * dt)
            errors.append(matches.time_error() / dt)
            shares.append(matches.f1)
        assert len(exact.spikes[name]) > 100
        assert all(0.1 < error < 6.0 for error in errors), errors
        assert shares[-1] > 0.99


def test_threads_and_batches_change_no_bit(rng):
    net = two_layers(rng, 0.7e-3)
    trains = [
        es.SpikeTrain.sorted(rng.uniform(0, 0.05, 150), rng.integers(20, size=150))
        for _ in range(7)
    ]
    currents = [{"a": [(0.01 * k, 3, 0.5)]} for k in range(7)]
    one = stepped(net, {"in": trains}, 0.05, 1e-4, currents=currents, threads=1)
    three = stepped(net, {"in": trains}, 0.05, 1e-4, currents=currents, threads=3)
    for k in range(7):
        alone = stepped(net, {"in": trains[k]}, 0.05, 1e-4, currents=currents[k])
        for result in (three[k], alone):
            assert result.n_events == one[k].n_events > 1000
            for name, spikes in one[k].spikes.items():
                assert result.spikes[name].times.tobytes() == spikes.times.tobytes()
                assert result.spikes[name].senders.tobytes() == spikes.senders.tobytes()


# Sums, buffers, limits.


def test_pulses_leave_no_residue_in_their_sum(rng):
    """Large ones that cancel, without a pause, beside small ones that make the spikes."""
    net = es.Network(
        [es.Input("in", 3), es.Population("cell", 2, tau_mem=10e-3, t_ref=1e-3)],
        [es.Dense("in", "cell", [[1e6] * 2, [-1e6] * 2, [0.3, 0.2]], spread=2.7e-3)],
    )
    steps = np.arange(6000)
    small = np.flatnonzero(rng.random(6000) < 0.5)
    train = es.SpikeTrain.sorted(
        np.concatenate([steps, steps, small]) * 1e-3,
        np.concatenate([0 * steps, 0 * steps + 1, 0 * small + 2]),
    )
    expected = naive_stepped(net, {"in": train}, 6.0, 1e-3, "exponential")
    assert expected.margin > 1e-7
    found = stepped(net, {"in": train}, 6.0, 1e-3).spikes["cell"]
    steps = np.rint(found.times / 1e-3).astype(int)
    assert list(zip(steps.tolist(), found.senders.tolist(), strict=True)) == expected.spikes["cell"]
    assert len(found) > 500


def test_counts_are_those_of_the_spikes_while_the_log_is_shortened():
    """Delays and pulses of several widths read from a log that is written over again and again."""
    cell = {"tau_mem": 10e-3, "t_ref": 1e-3}
    net = es.Network(
        [es.Population("a", 3, i_bias=[3.0, 4.0, 5.0], **cell), es.Population("b", 2, **cell)],
        [
            es.Dense("a", "b", [[0.4, 0.3]] * 3, delay=[[1e-3, 20e-3]] * 3),
            es.Dense("a", "b", [[0.2, -0.1]] * 3, spread=15e-3),
            es.Dense("b", "a", [[-0.1] * 3] * 2, delay=5e-3),
        ],
    )
    kept = stepped(net, {}, 4.0, 1e-3)
    assert all(len(kept.spikes[name]) > 1000 for name in ("a", "b"))
    for record in ("counts", ["a"], ["b"]):
        result = stepped(net, {}, 4.0, 1e-3, record=record)
        assert set(result.spikes) == (set() if record == "counts" else set(record))
        for name in ("a", "b"):
            assert np.array_equal(result.counts[name], kept.counts[name])
        for name, train in result.spikes.items():
            assert np.array_equal(train.times, kept.spikes[name].times)


def test_a_runaway_stops_and_says_who():
    net = es.Network(
        [es.Input("in", 1), es.Population("fast", 20, tau_mem=10e-3)],
        [es.Dense("in", "fast", [[2.0] * 20]), es.Dense("fast", "fast", np.ones((20, 20)), 1e-3)],
    )
    train = {"in": es.SpikeTrain([0.0], [0])}
    with pytest.warns(IncompleteRunWarning, match="max_events = 5,000 used up; population 'fast'"):
        result = stepped(net, train, 1.0, 1e-3, max_events=5000)
    assert not result.complete
    assert result.t_reached == result.spikes["fast"].times[-1] < 0.02
    assert len(result.spikes["fast"]) == result.counts["fast"].sum() > 0


def test_a_threshold_that_falls_under_every_reset_is_an_end():
    net = driven(
        2.0, reset="subtract", multi_spike=True, adapt_beta=-2.0, tau_adapt=1.0,
    )  # fmt: skip
    with pytest.warns(IncompleteRunWarning, match="'cell' fires over 1,000,000 times at one tick"):
        result = stepped(net, {}, 1.0, 1e-3)
    assert result.t_reached == result.spikes["cell"].times[0]


def test_an_interrupt_leaves_what_is_done(monkeypatch):
    grid = Grid(driven(2.0), 1e-3, euler=False)
    monkeypatch.setattr(grid_run, "WORK_PER_CALL", 100)
    run = grid_run.GridRun(grid, {}, {}, 1000, {"cell"})
    assert not run.run(10**9, lambda: run.now > 0.4)
    assert "interrupted" in run.stop_reason
    assert 0.4 < run.spikes(1.0)["cell"].times[-1] <= run.now < 0.6
    monkeypatch.setattr(module, "run_jobs", lambda jobs, *rest: [NOT_BEGUN] * len(jobs))
    with pytest.warns(IncompleteRunWarning, match="not begun"):
        result = stepped(driven(2.0), {}, 1.0, 1e-3)
    assert (result.t_reached, result.counts["cell"].tolist()) == (0.0, [0])


def test_progress_counts_samples_or_thousandths(monkeypatch):
    said = []
    net = es.Network([es.Input("in", 1), es.Relay("out", 1)])
    train = es.SpikeTrain([], [])
    arguments = {"progress": lambda *done: said.append(done), "threads": 1}
    stepped(net, {"in": [train] * 3}, 1.0, 0.1, **arguments)
    assert said == [(1, 3), (2, 3), (3, 3)]
    said.clear()
    monkeypatch.setattr("eventsim.workers.TICK", 0.01)
    stepped(driven(2.0), {}, 1.0, 4e-7, **arguments)
    assert said[-1] == (1, 1)
    assert all(total == 1000 for _, total in said[:-1])
    thousandths = [done for done, _ in said[:-1]]
    assert thousandths == sorted(thousandths)
    assert 0 < thousandths[-1] <= 1000


def test_results_say_how_they_came_about():
    result = stepped(driven(2.0), {}, 0.1, 1e-3, "euler")
    assert result.engine == "stepped"
    assert {"method": "euler", "dt": 1e-3}.items() <= result.provenance.items()


# Refusals.


def loop(delay):
    cells = [es.Population(name, 1, tau_mem=1.0) for name in ("a", "b")]
    links = [es.Dense("a", "b", [[1.0]]), es.Dense("b", "a", [[1.0]], delay=delay)]
    return es.Network(cells, links)


def test_a_cycle_needs_a_delay_of_a_step():
    with pytest.raises(UnsupportedNetwork, match="stepped: dt: .*a -> b -> a.* got 0.01 s"):
        stepped(loop(4e-3), {}, 1.0, 1e-2)
    assert stepped(loop(6e-3), {}, 1.0, 1e-2).complete


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"net": None}, InvalidType, "stepped: net"),
        ({"dt": 0.0}, InvalidValue, "stepped: dt"),
        ({"dt": math.nan}, InvalidValue, "stepped: dt"),
        ({"dt": 1.5}, InvalidValue, "stepped: dt: expected a step between"),
        ({"dt": 1e-17}, InvalidValue, "stepped: dt: expected a step between"),
        ({"dt": "1 ms"}, InvalidType, "stepped: dt"),
        ({"t_stop": 0.0}, InvalidValue, "t_stop"),
        ({"method": "rk4"}, InvalidValue, "stepped: method: expected one of"),
        ({"threads": 0}, InvalidValue, "stepped: threads"),
        ({"max_events": 0}, InvalidValue, "stepped: max_events"),
        ({"progress": 3}, InvalidType, "stepped: progress"),
        ({"record": "v"}, InvalidValue, "record"),
        ({"inputs": {"x": ([], [])}}, InvalidValue, "inputs"),
        ({"currents": {"x": []}}, InvalidValue, "currents"),
    ],
)
def test_refusals(change, error, message):
    arguments = {"net": driven(2.0), "inputs": {}, "t_stop": 1.0, "dt": 1e-2} | change
    with pytest.raises(error, match=message):
        stepped(**arguments)
