"""The windowed engine: order of visits, and windows of any length."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given

import eventsim as es
from eventsim.engine import windowed
from eventsim.engine.poisson import Drives
from eventsim.engine.windowed import WindowedRun, visiting_order, why_not
from tests.strategies import problems

MS = 1e-3


def graph(names, *edges, **parameters):
    """Two cells a population, of which "in" is an Input; edges are (source, target, delay).

    An edge with a list of two delays has one for each cell, and one that crosses over.
    """
    populations = [
        es.Input("in", 2) if name == "in" else es.Population(name, 2, tau_mem=5 * MS, **parameters)
        for name in names.split()
    ]
    links = []
    for source, target, delay in edges:
        if isinstance(delay, list):
            links.append(es.Sparse(source, target, [0, 1, 0], [0, 1, 1], 0.7, [*delay, delay[1]]))
        else:
            links.append(es.Dense(source, target, [[0.8, 0.6], [0.3, 0.9]], delay=delay))
    return es.Network(populations, links)


def assert_same(one, two):
    """Spikes, counts and arrivals, to the last bit."""
    assert one.n_events == two.n_events
    for name, train in one.spikes.items():
        assert two.spikes[name].times.tobytes() == train.times.tobytes(), name
        assert two.spikes[name].senders.tobytes() == train.senders.tobytes(), name
    for name, counts in one.counts.items():
        assert np.array_equal(two.counts[name], counts), name


def both(net, inputs, t_stop, **options):
    """The results of the queue and of windows, which are the same."""
    slow, fast = (
        es.simulate(net, inputs, t_stop, engine=engine, **options)
        for engine in ("queue", "windowed")
    )
    assert (slow.engine, fast.engine) == ("queue", "windowed")
    assert_same(slow, fast)
    return slow, fast


# The order of visits, and how long a window may be.

GRAPHS = {
    "chain with delays": (
        graph("in a b c", ("in", "a", 1 * MS), ("a", "b", 2 * MS), ("b", "c", 5 * MS)),
        "in a b c",
        inf,
    ),
    "declared the other way round": (
        graph("c b a in", ("b", "c", 5 * MS), ("a", "b", 2 * MS), ("in", "a", 0.0)),
        "in a b c",
        inf,
    ),
    "a population on itself": (
        graph("in a", ("in", "a", 0.0), ("a", "a", 3 * MS), ("a", "a", 2 * MS)),
        "in a",
        2 * MS,
    ),
    "two that drive each other": (
        graph("in a b", ("in", "a", 9 * MS), ("a", "b", 1 * MS), ("b", "a", 4 * MS)),
        "in a b",
        4 * MS,
    ),
    "chain without delays in a loop": (
        graph("b c in a", ("in", "a", 0.0), ("a", "b", 0.0), ("b", "c", 0.0), ("c", "a", 5 * MS)),
        "in a b c",
        5 * MS,
    ),
    "several projections of one pair": (
        graph("b a in", ("in", "a", 0.0), ("in", "b", 1 * MS), ("a", "b", 3 * MS), ("a", "b", 0.0),
              ("b", "a", 6 * MS), ("b", "a", 2 * MS)),
        "in a b",
        2 * MS,
    ),
    "some synapses without delay": (
        graph("b a in", ("in", "a", [0.0, 2 * MS]), ("a", "b", [0.0, 7 * MS]),
              ("b", "a", [4 * MS, 3 * MS])),
        "in a b",
        3 * MS,
    ),
    "behind a loop": (
        graph("in d a b", ("in", "a", 0.0), ("a", "b", 1 * MS), ("b", "a", 2 * MS),
              ("b", "d", 0.5 * MS), ("a", "d", 0.0)),
        "in a b d",
        2 * MS,
    ),
    "nothing but an input": (graph("in"), "in", inf),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_visits_and_windows_of_a_graph(name, rng):
    net, order, longest = GRAPHS[name]
    assert visiting_order(net) == (order.split(), longest)
    train = es.SpikeTrain.sorted(rng.uniform(0, 50 * MS, 80), rng.integers(2, size=80))
    slow, _ = both(net, {"in": train}, 60 * MS)
    assert all(counts.sum() > 10 for counts in slow.counts.values())
    # With what decays, and a drive.
    cells = [
        p if isinstance(p, es.Input) else es.Population(
            p.name, 2, tau_mem=5 * MS, i_bias=0.9, t_ref=1 * MS, tau_syn=[2 * MS],
            adapt_beta=0.1, tau_adapt=20 * MS)
        for p in net
    ]  # fmt: skip
    heard = [
        type(x)(**{**vars(x), "receptor": 0}) if k % 2 else x for k, x in enumerate(net.projections)
    ]
    slow, _ = both(es.Network(cells, heard), {"in": train}, 60 * MS)
    assert all(counts.sum() > 10 for counts in slow.counts.values())


@given(problems())
def test_nothing_reaches_back_within_a_window(problem):
    net = problem.net
    order, longest = visiting_order(net)
    assert sorted(order) == sorted(p.name for p in net) and longest > 0.0
    for link in net.projections:
        forward = order.index(link.source) < order.index(link.target)
        assert forward or link.min_delay >= longest


def test_times_along_a_chain_are_sums_of_delays():
    delays = [1 * MS, 0.0, 0.1, 3e-7]
    net = es.Network(
        [es.Input("p0", 1), *(es.Population(f"p{k}", 1, tau_mem=1.0) for k in range(1, 5))],
        [es.Dense(f"p{k}", f"p{k + 1}", [[1.0]], delay=d) for k, d in enumerate(delays)],
    )
    times = np.array([0.0, 0.125, 0.3])
    _, result = both(net, {"p0": (times, [0, 0, 0])}, 1.0)
    for k, delay in enumerate(delays):
        times = times + delay
        assert np.array_equal(result.spikes[f"p{k + 1}"].times, times)


def test_a_spike_at_the_very_end_of_a_window_counts_in_the_next():
    # A ring with a delay of exactly a window: each window begins with what the last one ended on.
    net = es.Network(
        [es.Input("in", 1), es.Population("ring", 4, tau_mem=1.0)],
        [
            es.Sparse("in", "ring", [0], [0], 1.0),
            es.Sparse("ring", "ring", [0, 1, 2, 3], [1, 2, 3, 0], 1.0, delay=0.25),
        ],
    )
    _, result = both(net, {"in": ([0.5], [0])}, 4.0)
    assert np.array_equal(result.spikes["ring"].times, 0.5 + 0.25 * np.arange(14))
    assert np.array_equal(result.spikes["ring"].senders, np.arange(14) % 4)


# Networks of some size.


def balanced(seed=0, *, longest=20 * MS):
    """300 recurrent cells with delays of their own: receptors, pulses and deltas together."""
    rng = np.random.default_rng(seed)
    sizes = {"e": 240, "i": 60}

    def links(source, target, weight, receptor=None, spread=0.0):
        n_pre, n_post = sizes.get(source, 50), sizes[target]
        k = n_post * 20
        weights = weight * rng.uniform(0.5, 1.5, k)
        delays = rng.uniform(0.2 * MS, longest, k)
        if source == "in":
            delays *= rng.random(k) < 0.5
        return es.Sparse(
            source, target, rng.integers(n_pre, size=k), rng.integers(n_post, size=k), weights,
            delay=delays, receptor=receptor, spread=spread,
        )  # fmt: skip

    cells = {"t_ref": 1 * MS, "tau_syn": [3 * MS, 8 * MS]}
    return es.Network(
        [
            es.Input("in", 50),
            es.Population("e", 240, tau_mem=rng.uniform(8 * MS, 20 * MS, 240), i_bias=1.1,
                          v_init=rng.random(240), adapt_beta=0.02, tau_adapt=50 * MS, **cells),
            es.Population("i", 60, tau_mem=10 * MS, i_bias=rng.uniform(0.5, 1.1, 60),
                          reset="subtract", ahp_jump=0.1, tau_ahp=10 * MS, **cells),
        ],
        [
            links("in", "e", 0.3, receptor=0),
            links("in", "i", 0.05),
            links("e", "e", 0.4, receptor=0),
            links("e", "i", 0.05, spread=2 * MS),
            links("i", "e", -0.5, receptor=1),
            links("i", "e", -0.02),
            links("i", "i", -0.2, receptor=1),
        ],
    )  # fmt: skip


def noise(seed, t_stop, n=1500):
    rng = np.random.default_rng(seed)
    return {"in": es.SpikeTrain.sorted(rng.uniform(0, t_stop, n), rng.integers(50, size=n))}


@pytest.mark.parametrize("longest", [1 * MS, 20 * MS, 300 * MS])
def test_a_recurrent_network_spike_for_spike(longest):
    """Delays of up to 1,500 windows; synapses are delivered as they come due."""
    net, t_stop = balanced(longest=longest), 0.4
    slow, _ = both(net, noise(1, t_stop), t_stop)
    assert slow.counts["e"].sum() > 1500 and slow.counts["i"].sum() > 500
    assert slow.n_events > 100_000


def test_many_arrivals_in_a_window(rng):
    """Without recurrence a window is as long as the caches like: buffers grow, windows shrink."""
    net = es.Network(
        [es.Input("in", 100), es.Population("a", 400, tau_mem=10 * MS, tau_syn=2 * MS),
         es.Population("b", 20, tau_mem=10 * MS)],
        [es.Dense("in", "a", rng.normal(0.1, 0.4, (100, 400)), delay=1 * MS, receptor=0),
         es.Dense("a", "b", rng.normal(0.1, 0.4, (400, 20)), delay=rng.uniform(0, 0.1, (400, 20)))],
    )  # fmt: skip
    # While little happens windows grow, until one of them has much to do.
    times = np.concatenate([np.arange(20) * 10 * MS, rng.uniform(0.2, 0.5, 3000)])
    train = es.SpikeTrain.sorted(times, rng.integers(100, size=times.size))
    slow, _ = both(net, {"in": train}, 1.0)
    assert slow.n_events > 1_200_000 and slow.counts["b"].sum() > 50


@pytest.mark.parametrize("span", [0.9 * 0.2 * MS, 0.07 * MS, 0.01 * MS])
def test_the_length_of_windows_leaves_every_bit(span):
    net, t_stop = balanced(), 0.1
    whole = es.simulate(net, noise(2, t_stop), t_stop, engine="windowed")
    run = WindowedRun(
        net, noise(2, t_stop), {}, 0.0, t_stop, keep=net.order, drives=Drives(net, 0, 0, 0.0)
    )
    run._longest = span
    run._state.window["span"] = span
    assert run.run(10**9)
    assert run.n_events == whole.n_events
    for name, train in run.spikes().items():
        assert train.times.tobytes() == whole.spikes[name].times.tobytes()
        assert train.senders.tobytes() == whole.spikes[name].senders.tobytes()


def test_batches_and_threads_leave_every_bit():
    net = balanced()
    inputs = {"in": [noise(k, 0.05, 300)["in"] for k in range(5)]}
    one, two = (
        es.simulate(net, inputs, 0.05, engine="windowed", threads=threads) for threads in (1, 2)
    )
    for k, (a, b) in enumerate(zip(one, two, strict=True)):
        assert_same(a, b)
        assert_same(a, es.simulate(net, {"in": inputs["in"][k]}, 0.05, engine="queue"))


def test_records():
    """Counts alone, some populations alone, potentials."""
    net, t_stop = balanced(), 0.15
    record_v = {"e": [3, 0, 77], "i": [5]}
    steps = {"e": [(0.01, 3, 2.0), (0.05, 3, 0.0)], "i": [(0.02, 5, -1.0)]}
    options = {"record_v": record_v, "currents": steps}
    slow, fast = both(net, noise(3, t_stop), t_stop, **options)
    at = np.linspace(0, t_stop, 2000)
    for name in record_v:
        for i in range(len(record_v[name])):
            assert slow.v[name].knots(i).tobytes() == fast.v[name].knots(i).tobytes()
        assert slow.v[name].at(at).tobytes() == fast.v[name].at(at).tobytes()
        assert slow.v[name].threshold_at(at).tobytes() == fast.v[name].threshold_at(at).tobytes()
    counts = es.simulate(
        net, noise(3, t_stop), t_stop, engine="windowed", record="counts", **options
    )
    assert not counts.spikes and counts.n_events == fast.n_events
    some = es.simulate(net, noise(3, t_stop), t_stop, engine="windowed", record=["i"], **options)
    assert list(some.spikes) == ["i"]
    for result in (counts, some):
        assert all(np.array_equal(result.counts[p.name], fast.counts[p.name]) for p in net)
        assert result.v["e"].at(at).tobytes() == fast.v["e"].at(at).tobytes()
    assert some.spikes["i"].times.tobytes() == fast.spikes["i"].times.tobytes()


@pytest.mark.parametrize("rule", es.MaxPool2d.RULES)
def test_max_pooling_inside_a_loop(rule, rng):
    cells = {"tau_mem": 10 * MS, "t_ref": 1 * MS}
    net = es.Network(
        [
            es.Population("deep", 30, i_bias=rng.uniform(0.0, 1.1, 30), **cells),
            es.Relay("pool", (2, 4, 4)),
            es.Population("image", (2, 8, 8), tau_syn=4 * MS, **cells),
            es.Input("in", (1, 8, 8)),
        ],
        [
            es.Conv2d("in", "image", rng.normal(0.2, 0.2, (2, 1, 3, 3)), padding=1),
            es.MaxPool2d("image", "pool", 2, rule=rule, delay=0.0),
            es.Dense("pool", "deep", rng.normal(0.1, 0.2, (32, 30)), delay=0.5 * MS),
            es.Dense("deep", "image", rng.normal(0.0, 0.3, (30, 128)), delay=2 * MS, receptor=0),
        ],
    )
    order, longest = visiting_order(net)
    assert order.index("image") < order.index("pool") and longest in (0.5 * MS, 2 * MS)
    train = es.SpikeTrain.sorted(rng.uniform(0, 0.2, 2000), rng.integers(64, size=2000))
    slow, _ = both(net, {"in": train}, 0.25)
    assert all(slow.counts[p.name].sum() > 200 for p in net)


def test_very_short_delays_are_left_to_the_queue():
    net = graph("in a", ("in", "a", 0.0), ("a", "a", 1e-9))
    assert 4 * 0.5 / 1e-9 < windowed.MAX_LOOKS < 4 * 1.0 / 1e-9
    assert why_not(net) is None and why_not(net, 0.5) is None
    assert why_not(net, 1.0) == "the delay of 1e-09 s is short for 4 units over 1 s"
    inputs = {"in": ([0.0, 0.25], [0, 1])}
    assert es.simulate(net, inputs, 0.5).engine == "windowed"
    assert es.simulate(net, inputs, 1.0).engine == "queue"
    both(net, inputs, 1.0)  # what is asked for is used
