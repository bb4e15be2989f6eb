"""Convolutions and sparse rows in the layered engine: runs, ties, refractory edges, awkward sizes.

Against the queue engine, and where networks are small against the naive simulator.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eventsim as es
from eventsim.engine.compiled import compile_network
from eventsim.engine.lane_runs import conv_layout, conv_reach, rows_reach
from tests.agreement import assert_agrees, reference
from tests.strategies import Problem

#: Channels of a convolution: one, and around the width of vectors and searches.
CHANNELS = (1, 3, 8, 31, 32, 33)


@st.composite
def geometries(draw, channels=CHANNELS, largest=6):
    """A convolution's (shape of the source, options, shape of the kernel)."""
    groups = draw(st.sampled_from([1, 1, 2, 3]), label="groups")
    per_out = draw(st.sampled_from(channels), label="channels")
    per_in = draw(st.integers(1, 2), label="input channels")
    image = draw(st.tuples(st.integers(1, largest), st.integers(1, largest)), label="image")
    kernel, options = [], {"stride": [], "padding": [], "dilation": []}
    for n in image:
        padding = draw(st.integers(0, 2), label="padding")
        dilation = draw(st.integers(1, 3), label="dilation")
        most = (n + 2 * padding - 1) // dilation + 1
        kernel.append(draw(st.integers(1, min(4, most)), label="kernel"))
        options["padding"].append(padding)
        options["dilation"].append(dilation)
        options["stride"].append(draw(st.integers(1, 4), label="stride"))
    shape = (groups * per_out, per_in, *kernel)
    options = {name: tuple(pair) for name, pair in options.items()} | {"groups": groups}
    return (groups * per_in, *image), options, shape


def weights(rng, shape, grid, single):
    """Gaussian or in eighths, so that sums meet thresholds; float32 or float64."""
    w = rng.normal(0.15, 1.0, shape) * 1.6 / np.sqrt(np.prod(shape[1:]))
    if grid:
        w = np.round(rng.uniform(-0.6, 1.2, shape) * 8) / 8
    return w.astype(np.float32) if single else w


def spikes(rng, n, count, t_stop, grid):
    """Input spikes, on a grid of quarters or anywhere, some of them at one instant."""
    times = rng.uniform(0.0, t_stop, count)
    times = np.round(times * 4) / 4 if grid else times[rng.integers(0, count, count)]
    rows = sorted(set(zip(times.tolist(), rng.integers(n, size=count).tolist(), strict=True)))
    return es.SpikeTrain([t for t, _ in rows], [i for _, i in rows])


def network(rng, geometry, *, grid, single, spread=0.0, steps=False, **cell):
    """One convolution, its input and steps of currents."""
    source, options, shape = geometry
    link = es.Conv2d("in", "out", weights(rng, shape, grid, single), spread=spread, **options)
    out = es.Population("out", link.output_shape(source), **({"tau_mem": 1.0} | cell))
    net = es.Network([es.Input("in", source), out], [link])
    n = int(np.prod(source))
    inputs = {"in": spikes(rng, n, int(rng.integers(1, 6 * n + 40)), 8.0, grid)}
    currents = {}
    if steps:
        at = {
            (float(t), int(i))
            for t, i in zip(rng.integers(0, 8, 6), rng.integers(out.n, size=6), strict=True)
        }
        currents = {"out": [(t, i, float(rng.choice([-1.0, 0.0, 1.5]))) for t, i in sorted(at)]}
    return Problem(net, inputs, currents, 8.0)


def both(problem):
    return (
        es.simulate(
            problem.net, problem.inputs, problem.t_stop, currents=problem.currents, engine=engine
        )
        for engine in ("queue", "layered")
    )


def assert_same(problem, tolerance=0.0):
    """The same spikes from both engines; times to so many seconds."""
    slow, fast = both(problem)
    assert slow.n_events == fast.n_events
    for p in problem.net:
        a, b = slow.spikes[p.name], fast.spikes[p.name]
        assert np.array_equal(slow.counts[p.name], fast.counts[p.name])
        keys = list(zip(b.times.tolist(), b.senders.tolist(), strict=True))
        assert keys == sorted(keys)
        if tolerance == 0.0:
            assert np.array_equal(a.times, b.times) and np.array_equal(a.senders, b.senders)
        else:
            by_neuron = [np.lexsort((train.times, train.senders)) for train in (a, b)]
            error = a.times[by_neuron[0]] - b.times[by_neuron[1]]
            assert np.abs(error).max(initial=0.0) <= tolerance
    return fast


seeds = st.integers(0, 2**32 - 1)


@given(geometries(), seeds)
def test_runs_are_the_synapses(geometry, seed):
    """The runs of each source, written out, are the rows of the projection."""
    rng = np.random.default_rng(seed)
    net = network(rng, geometry, grid=False, single=False).net
    link, geometry = net.projections[0], compile_network(net).links[0]
    rows = link.rows(net["in"].shape, net["out"].shape)
    reach, unit_of = conv_reach(geometry, link.weight), conv_layout(geometry)
    assert sorted(unit_of) == list(range(net["out"].n))
    line = net["out"].shape[2] * reach.size
    for row, source in enumerate(reach.sources):
        found = {}
        for run in reach.runs[source["first"] : source["stop"]]:
            lane, n = (source["cell"] + run["cell"]) * reach.size, run["cells"] * reach.size
            at = source["weight"] + run["weight"]
            assert (source["line"] + run["line"]) == lane // line == (lane + n - 1) // line
            for unit, weight in zip(
                unit_of[lane : lane + n], reach.weights[at : at + n], strict=True
            ):
                assert unit not in found
                found[int(unit)] = weight
        part = slice(rows.indptr[row], rows.indptr[row + 1])
        assert found == dict(zip(rows.post[part].tolist(), rows.weight[part], strict=True))


def test_a_kernel_row_is_one_run():
    """With stride 1 and with stride 2, for a source in the middle."""
    for stride in (1, 2):
        link = es.Conv2d("in", "out", np.ones((8, 2, 5, 5)), stride=stride, padding=2)
        shape = link.output_shape((2, 12, 12))
        net = es.Network(
            [es.Input("in", (2, 12, 12)), es.Population("out", shape, tau_mem=1.0)], [link]
        )
        reach = conv_reach(compile_network(net).links[0], link.weight)
        source = reach.sources[6 * 12 + 6]
        runs = reach.runs[source["first"] : source["stop"]]
        assert len(runs) == (5 if stride == 1 else 3)
        assert (runs["cells"] == (5 if stride == 1 else 3)).all()


def test_synapses_between_the_same_units_are_summed():
    link = es.Sparse("in", "out", [0, 0, 0, 1], [2, 2, 1, 0], [0.5, 0.25, 1.0, 2.0])
    reach = rows_reach(link.rows((2,), (3,)))
    assert reach.runs["cell"].tolist() == [1, 2, 0]
    assert reach.weights[:3].tolist() == [1.0, 0.75, 2.0]
    # One test an instant: the first of the two would be enough alone.
    link = es.Sparse("in", "out", [0, 0], [0, 0], [1.5, -1.0])
    net = es.Network([es.Input("in", 1), es.Population("out", 1, tau_mem=1.0)], [link])
    assert not len(es.simulate(net, {"in": ([1.0], [0])}, 2.0, engine="layered").spikes["out"])


@given(geometries(), seeds, st.booleans(), st.booleans(), st.sampled_from([0.0, 0.25, 1.0]))
def test_deltas_against_the_queue(geometry, seed, grid, single, t_ref):
    rng = np.random.default_rng(seed)
    cell = {"tau_mem": float(rng.choice([0.1, 0.7, 5.0, np.inf])), "t_ref": t_ref}
    cell |= {"v_reset": float(rng.choice([0.0, -0.25])), "fires_at_equality": rng.random() < 0.7}
    assert_same(network(rng, geometry, grid=grid, single=single, **cell))


@given(geometries((1, 8, 31, 33), 4), seeds, st.booleans())
def test_parameters_of_each_neuron(geometry, seed, driven):
    rng = np.random.default_rng(seed)
    source, options, shape = geometry
    link = es.Conv2d("in", "out", np.ones(shape), **options)
    n = int(np.prod(link.output_shape(source)))
    cell = {
        "v_threshold": rng.uniform(0.5, 1.5, n),
        "v_reset": rng.uniform(-0.5, 0.3, n),
        "t_ref": rng.uniform(0.0, 2.0, n),
        "v_init": rng.uniform(-0.5, 0.4, n),
    }
    if driven:
        cell["i_bias"] = rng.uniform(-0.5, 1.8, n)
    problem = network(rng, geometry, grid=False, single=False, tau_mem=2.0, **cell)
    assert_same(problem, 1e-12 if driven else 0.0)


@given(geometries((1, 8, 31, 33), 4), seeds, st.booleans(), st.sampled_from([0.0, 0.4, 2.0]))
def test_drive_against_the_queue(geometry, seed, single, spread):
    """Pulses or deltas, with bias and steps of currents."""
    rng = np.random.default_rng(seed)
    cell = {
        "tau_mem": float(rng.choice([0.3, 2.0, 1e5, np.inf])),
        "t_ref": float(rng.choice([0.0, 0.3, 1.0])),
        "v_init": float(rng.choice([0.0, 1.5])),
    }
    # A unit current alone then takes one second to the threshold, or rests above it.
    cell["r"] = 1.0 if np.isinf(cell["tau_mem"]) else max(1.0, cell["tau_mem"])
    cell["i_bias"] = float(rng.choice([0.0, 0.6]))
    if rng.random() < 0.3:
        cell |= {"reset": "subtract", "multi_spike": True}
    problem = network(
        rng, geometry, grid=False, single=single, spread=spread, steps=rng.random() < 0.5, **cell
    )
    assert_same(problem, 1e-11)


@given(geometries((1, 2, 3), 3), seeds, st.booleans(), st.sampled_from([0.0, 0.5]), st.booleans())
def test_small_ones_against_naive(geometry, seed, grid, spread, driven):
    rng = np.random.default_rng(seed)
    cell = {
        "tau_mem": float(rng.choice([2.0, np.inf])),
        "t_ref": float(rng.choice([0.0, 0.25, 0.5])),
        "v_reset": float(rng.choice([0.0, -0.25])),
        "fires_at_equality": bool(rng.random() < 0.5),
    }
    if driven:
        cell["i_bias"] = float(rng.choice([-0.25, 0.5]))
    if rng.random() < 0.3:
        cell |= {"reset": "subtract", "multi_spike": True}
    problem = network(rng, geometry, grid=grid, single=False, spread=spread, steps=driven, **cell)
    problem.inputs["in"] = problem.inputs["in"].between(0.0, 4.0)
    expected = reference(problem)
    assert_agrees(problem, expected, list(both(problem))[1])


# Edges, written out.


def one_pixel(weight, **cell):
    """A 1x1 image: one synapse for each input channel."""
    weight = np.reshape(weight, (1, -1, 1, 1))
    return es.Network(
        [es.Input("in", (weight.shape[1], 1, 1)), es.Population("out", (1, 1, 1), **cell)],
        [es.Conv2d("in", "out", weight)],
    )


@pytest.mark.parametrize("tau", [1.0, np.inf])
def test_sums_of_an_instant_meet_the_threshold_exactly(tau):
    """0.375 + 0.625 is 1, whatever the scale of the potential is by then."""
    for second in (0.625, 0.5):
        net = one_pixel([0.375, second], tau_mem=tau)
        times = 0.3 * np.arange(1, 30)  # further than the span of one scale
        train = es.SpikeTrain(np.repeat(times, 2), np.tile([0, 1], times.size))
        if second < 0.625:
            train = es.SpikeTrain(times[:1].repeat(2), [0, 1])
        result = es.simulate(net, {"in": train}, 10.0, engine="layered")
        assert result.spikes["out"].times.tolist() == (times.tolist() if second > 0.5 else [])


@pytest.mark.parametrize("bias", [0.0, 1e-9])
def test_an_arrival_at_the_end_of_refractoriness_counts(bias):
    """-0.25 + 1.25 is the threshold, exactly at the end; an instant before it is lost."""
    cell = {"tau_mem": 3.0, "t_ref": 0.7, "v_reset": -0.25, "i_bias": bias}
    net = one_pixel([1.25], **cell)
    first = 1.3
    at_end, before = first + 0.7, np.nextafter(first + 0.7, 0.0)
    for second, expected in ((at_end, [first, at_end]), (before, [first])):
        train = ([first, second], [0, 0])
        result = es.simulate(net, {"in": train}, 2.5, engine="layered")
        assert result.spikes["out"].times.tolist() == expected


def test_strict_neurons_bear_the_threshold():
    net = one_pixel([0.5, 0.5, 1e-9], tau_mem=0.9, fires_at_equality=False)
    train = es.SpikeTrain([0.4, 0.4, 3.7, 3.7, 3.7], [0, 1, 0, 1, 2])
    result = es.simulate(net, {"in": train}, 5.0, engine="layered")
    assert result.spikes["out"].times.tolist() == [3.7]


def test_a_long_silence():
    """Far beyond what an exponential can hold, with lanes waiting and lanes above rest."""
    for bias in (0.0, 0.2):
        net = one_pixel([0.7, 2.0], tau_mem=1e-3, t_ref=5.0, i_bias=bias)
        train = es.SpikeTrain([1.0, 2.0, 100.0, 100.0001, 500.0], [0, 1, 0, 0, 1])
        result = es.simulate(net, {"in": train}, 1000.0, engine="layered")
        assert result.spikes["out"].times.tolist() == [2.0, 100.0001, 500.0]


def test_many_spikes_at_one_instant():
    """All inputs at once, again and again: the sums of an instant cover every line."""
    rng = np.random.default_rng(2)
    source = (3, 9, 7)
    link = es.Conv2d("in", "out", rng.normal(0.05, 0.3, (33, 3, 3, 3)), padding=1)
    out = es.Population("out", link.output_shape(source), tau_mem=2.0, t_ref=0.5)
    net = es.Network([es.Input("in", source), out], [link])
    n = int(np.prod(source))
    train = es.SpikeTrain(np.repeat(np.arange(16) / 4, n), np.tile(np.arange(n), 16))
    result = assert_same(Problem(net, {"in": train}, {}, 4.0))
    assert len(result.spikes["out"]) > 1000
