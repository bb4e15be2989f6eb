"""The engines against the naive simulator and against themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import eventsim as es
from eventsim.engine.layered import why_not
from tests import naive
from tests.agreement import CLOSE, assert_agrees, assert_same_bits, reference, run
from tests.engines import engines
from tests.strategies import Problem, problems


@given(problems())
def test_engines_agree_with_naive(problem):
    expected = reference(problem)
    for engine in engines(problem.net):
        assert_agrees(problem, expected, run(problem, engine))


@given(problems(feed_forward=True, delays=False))
def test_engines_agree_without_delays(problem):
    expected = reference(problem)
    for engine in engines(problem.net):
        assert_agrees(problem, expected, run(problem, engine))


@given(problems(delta_only=True))
def test_delta_only_spikes_are_copies_of_arrivals(problem):
    expected = reference(problem)
    assert all(error == 0.0 for errors in expected.errors.values() for error in errors)
    for engine in engines(problem.net):
        result = run(problem, engine)
        for name, spikes in expected.spikes.items():
            train = result.spikes[name]
            assert list(zip(train.times, train.senders, strict=True)) == spikes


@given(problems(feed_forward=True, delays=False))
def test_auto_takes_layered_where_it_can(problem):
    reason = why_not(problem.net)
    result = run(problem, "auto")
    assert result.engine == ("layered" if reason is None else "windowed")
    if reason is not None:
        with pytest.raises(es.errors.UnsupportedNetwork, match="layered"):
            run(problem, "layered")


@pytest.mark.parametrize("engine", ["queue", "layered"])
@pytest.mark.parametrize("seed", range(4))
def test_grid(engine, seed):
    """Deltas on a grid, immediate reset: the discrete recurrence, spike for spike."""
    rng = np.random.default_rng(seed)
    steps, dt, sizes = 200, 2.0**-10, (20, 15, 10)
    decays = rng.uniform(0.5, 0.95, 2)
    weights = [rng.normal(0.1, 0.4, shape) for shape in zip(sizes[:-1], sizes[1:], strict=True)]
    s = rng.random((steps, sizes[0])) < 0.2

    layer = s
    expected = []
    for w, decay in zip(weights, decays, strict=True):
        v, out = np.zeros(w.shape[1]), []
        for x in layer:
            v = decay * v + x @ w
            fired = v >= 1.0
            v[fired] = 0.0
            out.append(fired)
        layer = np.array(out)
        expected.append(layer)

    populations = [es.Input("layer0", sizes[0])]
    for k, (n, decay) in enumerate(zip(sizes[1:], decays, strict=True), start=1):
        populations.append(es.Population(f"layer{k}", n, tau_mem=-dt / np.log(decay)))
    net = es.Network(
        populations, [es.Dense(f"layer{k}", f"layer{k + 1}", w) for k, w in enumerate(weights)]
    )
    step, sender = np.nonzero(s)
    result = es.simulate(
        net, {"layer0": es.SpikeTrain(step * dt, sender)}, steps * dt, engine=engine
    )
    for k, fired in enumerate(expected, start=1):
        step, sender = np.nonzero(fired)
        assert len(step) > 50
        assert np.array_equal(result.spikes[f"layer{k}"].times, step * dt)
        assert np.array_equal(result.spikes[f"layer{k}"].senders, sender)


@pytest.mark.parametrize("spread", [0.0, 1e-3])
@pytest.mark.parametrize("pool", ["sum", "max"])
def test_engines_agree_on_a_larger_network(spread, pool):
    """Sizes at which buffers grow and work is cut in pieces; too large for the naive one."""
    rng = np.random.default_rng(5)
    cells = {"tau_mem": 4e-3, "t_ref": 1e-3}
    populations = [
        es.Input("in", (1, 20, 20)),
        es.Population("conv", (8, 16, 16), **cells),
        es.Population("deep", 120, i_bias=rng.uniform(0.0, 0.9, 120), **cells),
        es.Population("out", 10, reset="subtract", multi_spike=True, **cells),
    ]
    links = [
        es.Conv2d("in", "conv", rng.normal(0.15, 0.2, (8, 1, 5, 5)), spread=spread),
        es.Dense("deep", "out", rng.normal(0.05, 0.2, (120, 10)), spread=spread),
    ]
    if pool == "max":
        populations.append(es.Relay("pool", (8, 8, 8)))
        links.append(es.MaxPool2d("conv", "pool", 2))
    else:
        populations.append(es.Population("pool", (8, 8, 8), **cells))
        links.append(es.SumPool2d("conv", "pool", 2, spread=spread))
    w = rng.normal(0.01, 0.06, (512, 120)).astype(np.float32)
    links.append(es.Dense("pool", "deep", w, spread=spread))
    net = es.Network(populations, links)
    train = es.SpikeTrain.sorted(rng.uniform(0, 16e-3, 3000), rng.integers(400, size=3000))
    slow, fast = (
        es.simulate(net, {"in": train}, 20e-3, engine=engine) for engine in ("queue", "layered")
    )
    assert slow.n_events == fast.n_events > 100_000
    for p in net:
        assert len(slow.spikes[p.name]) > 100
        assert np.array_equal(slow.spikes[p.name].senders, fast.spikes[p.name].senders)
        error = np.abs(slow.spikes[p.name].times - fast.spikes[p.name].times)
        assert error.max() <= (0.0 if p.name == "in" else 1e-14)


# One run, many ways.


@given(problems(), st.lists(st.integers(1, 31), max_size=5, unique=True), st.data())
def test_a_session_in_pieces_is_the_same_run(problem, quarters, data):
    reference(problem)  # a runaway ends here
    record_v = {name: [0] for name in problem.neurons}
    whole = run(problem, record_v=record_v)
    session = problem.net.session(currents=problem.currents, record_v=record_v)
    cuts = [*sorted(q / 4 for q in quarters), problem.t_stop]
    saved_at = data.draw(st.integers(0, len(cuts) - 1), label="snapshot after")
    late = data.draw(st.booleans(), label="inject piece by piece")

    def play(first: int, start: float) -> es.Result:
        nonlocal saved
        for k, cut in enumerate(cuts[first:], start=first):
            for name, train in problem.inputs.items():
                if late or start == 0.0:
                    part = train.between(start, cut if late else np.inf)
                    session.inject(name, part.times, part.senders)
            assert session.run_until(cut) and session.t == cut
            start = cut
            if saved is None and k == saved_at:
                saved = session.snapshot()
        return session.result()

    saved = None
    first = play(0, 0.0)
    assert_same_bits(whole, first)
    assert whole.n_events == first.n_events
    for name in problem.neurons:
        assert whole.v[name].knots(0).tobytes() == first.v[name].knots(0).tobytes()
    session.restore(saved)
    assert session.t == cuts[saved_at]
    assert_same_bits(whole, play(saved_at + 1, cuts[saved_at]))
    session.restore(saved)
    assert_same_bits(whole, play(saved_at + 1, cuts[saved_at]))
    session.reset()
    assert session.t == 0.0 and not any(c.any() for c in session.counts.values())
    assert_same_bits(whole, play(0, 0.0))


def test_injection_at_the_cut_belongs_to_the_instant():
    net = es.Network(
        [es.Input("in", 2), es.Population("out", 1, tau_mem=1.0)],
        [es.Dense("in", "out", [[0.5], [0.5]])],
    )
    session = net.session()
    session.inject("in", [1.0], [0])
    session.run_until(1.0)
    assert session.counts["in"].sum() == 0
    session.inject("in", [1.0], [1])
    session.run_until(2.0)
    assert session.result().spikes["out"].times.tolist() == [1.0]


def batch_of(problem: Problem, n: int = 5) -> tuple[dict, list]:
    """Samples that differ: sample k lacks every (k + 1)-th input spike."""
    inputs = {
        name: [
            es.SpikeTrain(np.delete(train.times, cut), np.delete(train.senders, cut))
            for cut in (slice(k, None, k + 1) for k in range(n))
        ]
        for name, train in problem.inputs.items()
    }
    return inputs, [problem.currents if k % 2 else {} for k in range(n)]


@given(problems(feed_forward=True, delays=False))
def test_threads_and_batches_leave_every_bit(problem):
    inputs, currents = batch_of(problem)
    for engine in engines(problem.net):
        options = {"currents": currents, "engine": engine}
        one = es.simulate(problem.net, inputs, problem.t_stop, threads=1, **options)
        two = es.simulate(problem.net, inputs, problem.t_stop, threads=2, **options)
        assert len(one) == len(two) == 5
        for k, (a, b) in enumerate(zip(one, two, strict=True)):
            assert_same_bits(a, b)
            alone = es.simulate(
                problem.net,
                {name: trains[k] for name, trains in inputs.items()},
                problem.t_stop,
                currents=currents[k],
                engine=engine,
            )
            assert_same_bits(a, alone)
            assert a.n_events == b.n_events == alone.n_events


@given(problems(feed_forward=True, delays=False))
def test_counts_are_those_of_the_spikes(problem):
    for engine in engines(problem.net):
        spikes = run(problem, engine)
        counts = run(problem, engine, record="counts")
        assert not counts.spikes and counts.n_events == spikes.n_events
        for p in problem.net:
            assert np.array_equal(counts.counts[p.name], spikes.counts[p.name])
            assert np.array_equal(spikes.counts[p.name], spikes.spikes[p.name].counts(p.n))
        some = run(problem, engine, record=[p.name for p in problem.net][-1:])
        assert_same_bits(some, spikes)


@given(problems())
def test_recorded_potentials(problem):
    assume(problem.neurons)
    expected = reference(problem)
    record_v = {name: range(problem.net[name].n) for name in problem.neurons}
    result = run(problem, record_v=record_v)
    assert_agrees(problem, expected, result)
    for name in problem.neurons:
        trace = result.v[name]
        for i in range(problem.net[name].n):
            knots = expected.knots(name, i)
            # Between the instants, where an error of a time changes little; and at the start.
            t = np.array([k.t for k in knots])
            ends = np.append(t[1:], problem.t_stop)
            middle = np.unique(np.concatenate([[0.0], (t + ends)[ends - t > 1e-6] / 2]))
            v = trace.at(middle)[:, i]
            wanted = np.array(expected.v_and_error_at(name, i, middle.tolist()))
            scale = np.abs([k.v for k in knots]).max() + 1.0
            assert np.all(np.abs(v - wanted[:, 0]) <= CLOSE * wanted[:, 1] + 1e-13 * scale)


@pytest.mark.parametrize("first", [0.0, 0.25])
@pytest.mark.parametrize("engine", ["queue", "layered"])
def test_every_neuron_is_tested_at_the_start(engine, first):
    """Also those that no arrival of that instant reaches."""
    net = es.Network(
        [es.Input("in", 2), es.Population("out", 2, tau_mem=5.0, v_init=[0.0, 1.5])],
        [es.Sparse("in", "out", [0, 1], [0, 1], 0.25)],
    )
    result = es.simulate(net, {"in": ([first, 0.75], [0, 1])}, 3.0, engine=engine)
    assert result.spikes["out"].times.tolist() == [0.0]
    assert result.spikes["out"].senders.tolist() == [1]


# Edges.


def test_a_start_after_zero():
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 2, tau_mem=2.0, v_init=[0.0, 1.5], i_bias=0.8)],
        [es.Dense("in", "out", [[0.5, 0.5]])],
    )
    train = {"in": ([5.0, 7.0, 8.0], [0, 0, 0])}
    expected = naive.simulate(net, train, 10.0, t_start=5.0)
    result = es.simulate(net, train, 10.0, t_start=5.0)
    for name, spikes in expected.spikes.items():
        got = result.spikes[name]
        assert got.senders.tolist() == [i for _, i in spikes]
        assert got.times == pytest.approx([t for t, _ in spikes], rel=1e-14)
    assert result.spikes["out"].times[0] == 5.0


@pytest.mark.parametrize("engine", ["queue", "layered"])
def test_a_strict_neuron_released_at_threshold_stays_silent(engine):
    # 1.0 leaves a residue of exactly 0.5, the threshold; it is still there at 0.5 and 0.75.
    net = es.Network(
        [
            es.Input("in", 1),
            es.Population(
                "o", 1, tau_mem=np.inf, v_threshold=0.5, t_ref=0.5, reset="subtract",
                multi_spike=True, fires_at_equality=False,
            ),
        ],
        [es.Sparse("in", "o", [0], [0], 1.0)],
    )  # fmt: skip
    inputs = {"in": ([0.0, 1.5], [0, 0])}
    result = es.simulate(net, inputs, 2.0, engine=engine)
    assert result.spikes["o"].times.tolist() == [0.0, 1.5, 1.5]


@pytest.mark.parametrize("engine", ["queue", "layered"])
def test_many_synapses_of_one_pair_are_summed(engine):
    net = es.Network(
        [es.Input("in", 1), es.Population("o", 1, tau_mem=np.inf)],
        [es.Sparse("in", "o", [0] * 64, [0] * 64, 1 / 64)],
    )
    result = es.simulate(net, {"in": ([0.25, 0.5], [0, 0])}, 1.0, engine=engine)
    assert result.spikes["o"].times.tolist() == [0.25, 0.5]
    assert result.n_events == 128
