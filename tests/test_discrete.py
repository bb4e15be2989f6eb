"""The discrete twin against a plain loop, and against its own promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import eventsim as es
from eventsim.discretization import RULES
from eventsim.errors import InvalidType, InvalidValue
from tests.discrete_cells import DT, factors, neurons, weights


def plain_loop(net, disc, x):
    """Spikes and potentials of one sample, neuron by neuron: the twin as one would tell it."""
    steps = len(x)
    spikes = {p.name: np.zeros((steps, p.n), dtype=int) for p in net.populations}
    potentials = {p.name: np.zeros((steps, p.n)) for p in net.populations}
    rows = [p.rows(net[p.source].shape, net[p.target].shape) for p in net.projections]
    for step in range(steps):
        for name in net.order:
            population = net[name]
            if isinstance(population, es.Input):
                spikes[name][step] = x[step]
                continue
            charge = [0.0] * population.n
            for projection, row in zip(net.projections, rows, strict=True):
                sent = step - round(float(np.max(projection.delay)) / disc.dt)
                if projection.target != name or sent < 0:
                    continue
                for i in np.flatnonzero(spikes[projection.source][sent]):
                    for k in range(row.indptr[i], row.indptr[i + 1]):
                        charge[row.post[k]] += float(row.weight[k])
            for j in range(population.n):
                if isinstance(population, es.Relay):
                    spikes[name][step, j] = charge[j] > 0
                    continue
                tau = population.array("tau_mem")[j]
                drive = population.array("r")[j] * population.array("i_bias")[j] * disc.dt
                total = charge[j] + (drive if math.isinf(tau) else drive / tau)
                alpha, beta, gamma = factors(disc.rule_of(name), tau / disc.dt)
                if step and spikes[name][step - 1, j]:
                    v = gamma * total
                else:
                    v = alpha * (potentials[name][step - 1, j] if step else 0.0) + beta * total
                potentials[name][step, j] = v
                spikes[name][step, j] = v > population.array("v_threshold")[j]
    return spikes, potentials


@st.composite
def networks(draw):
    """Small networks with every kind of projection, delays, and a recurrent one."""
    rule = draw(st.sampled_from(sorted(RULES)))
    tau = draw(st.sampled_from([0.5, 1.0, 2.5, 4.0, 30.0, math.inf])) * DT
    stride, padding, dilation = draw(st.tuples(*[st.integers(1, 3)] * 3))
    groups = draw(st.sampled_from([1, 2]))
    conv = es.Conv2d(
        "in", "map", draw(weights((4, 2 // groups, 2, 3))), stride=(stride, 4 - stride),
        padding=padding, dilation=(dilation, 4 - dilation), groups=groups,
    )  # fmt: skip
    shape = conv.output_shape((2, 5, 6))
    pooled = es.MaxPool2d("map", "pool", (1, min(2, shape[2])), stride=1, window=DT)
    pool_shape = pooled.output_shape(shape)
    n_pool = math.prod(pool_shape)
    mean = es.AvgPool2d("map", "mean", 1, weight=1.5)
    total = es.SumPool2d("map", "mean", 1, delay=DT, weight=0.25)
    n_synapses = draw(st.integers(0, 12))
    pre, post = (
        draw(hnp.arrays(np.int64, n_synapses, elements=st.integers(0, n - 1))) for n in (n_pool, 3)
    )
    bias = draw(st.sampled_from([0.0, 0.75]))
    net = es.Network(
        [
            es.Input("in", (2, 5, 6)),
            neurons("out", 3, rule, tau_mem=tau, r=2.0, i_bias=[bias, 0.0, -bias]),
            neurons("map", shape, rule, tau_mem=tau, v_threshold=0.75),
            es.Relay("pool", pool_shape),
            neurons("mean", shape, "lif", v_leak=-0.5, v_reset=-0.5, v_threshold=0.5),
        ],
        [
            conv,
            pooled,
            mean,
            total,
            es.Sparse("pool", "out", pre, post, draw(weights(n_synapses))),
            es.Dense("mean", "out", draw(weights((math.prod(shape), 3))), delay=2 * DT),
            es.Dense("out", "out", draw(weights((3, 3))), delay=DT),
        ],
    )
    return net, es.Discretization(rule, dt=DT, steps=5, variants={"mean": "lif"})


@settings(max_examples=30)
@given(networks(), st.integers(0, 2**32), st.integers(1, 6))
def test_plain_loop_agrees_to_the_bit(drawn, seed, steps):
    net, disc = drawn
    x = np.random.default_rng(seed).integers(0, 2, (2, steps, 60))
    spikes = disc.run(net, x, layers=True)
    potentials = disc.run(net, x, layers=True, record="potential")
    assert set(potentials) == {"map", "mean", "out"}
    for sample in range(2):
        loop_spikes, loop_potentials = plain_loop(net, disc, x[sample])
        for name in spikes:
            np.testing.assert_array_equal(spikes[name][sample], loop_spikes[name])
        for name in ("map", "out"):
            np.testing.assert_array_equal(potentials[name][sample], loop_potentials[name])


def two_layers(seed=3, n=40, **projection):
    generator = np.random.default_rng(seed)
    return es.Network(
        [es.Input("in", n), neurons("hidden", 70, "coarse", i_bias=0.4), neurons("out", 4, "lif")],
        [
            es.Dense("in", "hidden", generator.normal(0.02, 0.2, (n, 70)).astype(np.float32)),
            es.Dense("hidden", "out", generator.normal(0.05, 0.2, (70, 4)), **projection),
        ],
    ), es.Discretization(dt=DT, steps=6, variants={"out": "lif"})


def test_threads_and_batches_change_no_bit(rng):
    net, disc = two_layers()
    x = rng.integers(0, 2, (37, 6, 40))
    whole = disc.run(net, x, layers=True, record="potential", threads=1)
    for threads in (2, 5, None):
        other = disc.run(net, x, layers=True, record="potential", threads=threads)
        for name in whole:
            np.testing.assert_array_equal(other[name], whole[name])
    alone = disc.run(net, x[11:12], layers=True, record="potential")
    np.testing.assert_array_equal(alone["out"][0], whole["out"][11])


def test_a_shorter_run_is_the_beginning_of_a_longer_one(rng):
    net, disc = two_layers()
    x = rng.integers(0, 2, (5, 9, 40))
    np.testing.assert_array_equal(disc.run(net, x[:, :4]), disc.run(net, x)[:, :4])


def test_delay_of_whole_steps_shifts_arrivals(rng):
    x = rng.integers(0, 2, (5, 6, 40))
    net, disc = two_layers()
    late, _ = two_layers(delay=2 * DT)
    drive = disc.run(net, x, layers=True, record="drive")["out"]
    delayed = disc.run(late, x, layers=True, record="drive")["out"]
    np.testing.assert_array_equal(delayed[:, 2:], drive[:, :-2])
    assert not delayed[:, :2].any()


def test_layers_and_records(rng):
    net, disc = two_layers()
    x = rng.integers(0, 2, (2, 6, 40))
    spikes = disc.run(net, x, layers=True)
    assert list(spikes) == ["in", "hidden", "out"]
    np.testing.assert_array_equal(spikes["in"], x)
    np.testing.assert_array_equal(spikes["out"], disc.run(net, x))
    assert spikes["hidden"].dtype == np.uint8 and 0 < spikes["hidden"].mean() < 1
    weights_in = net.projections[0].weight.astype(np.float64)
    bias = net["hidden"].array("i_bias") * DT / (4 * DT)
    drive = disc.run(net, x, layers=True, record="drive")["hidden"]
    np.testing.assert_allclose(drive, x @ weights_in + bias, rtol=0, atol=1e-12)
    single = disc.run(net, x, dtype=np.float32, record="potential")
    assert single.dtype == np.float32


def test_equality_is_no_spike():
    net = es.Network(
        [es.Input("in", 1), neurons("out", 1, "if", tau_mem=math.inf)],
        [es.Dense("in", "out", [[0.5]])],
    )
    x = np.ones((1, 7, 1), dtype=bool)
    out = es.Discretization("if", dt=DT, steps=7).run(net, x)
    assert out[0, :, 0].tolist() == [0, 0, 1, 0, 0, 1, 0]


def test_bias_without_leak_and_initial_potential():
    net = es.Network(
        [es.Input("in", 1), neurons("out", 2, "if", tau_mem=math.inf, i_bias=[400.0, 0.0],
                                    v_init=[0.0, 3.0], r=1.0)],
        [es.Dense("in", "out", [[0.0, 0.0]])],
    )  # fmt: skip
    out = es.Discretization("if", dt=DT, steps=4).run(net, np.zeros((1, 4, 1)))
    assert out[0].T.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]


def test_or_of_a_pool_passes_one_spike_per_step():
    net = es.Network(
        [
            es.Input("in", (1, 2, 2)),
            es.Relay("pool", (1, 1, 1)),
            neurons("out", 1, "mcculloch_pitts"),
        ],
        [
            es.MaxPool2d("in", "pool", 2, window=DT),
            es.Dense("pool", "out", [[1.25]]),
        ],
    )
    x = np.array([[[0, 0, 0, 0], [1, 1, 0, 1], [0, 0, 1, 0]]])
    disc = es.Discretization("mcculloch_pitts", dt=DT, steps=3)
    assert disc.run(net, x, record="drive")[0, :, 0].tolist() == [0.0, 1.25, 1.25]


def test_constant_image_through_an_input_or_straight():
    disc = es.Discretization(
        "constant_potential", dt=DT, steps=4, encoder="constant", encoder_scale=1.1
    )
    eye = neurons("eye", 3, "constant_potential")
    image = np.array([[0.0, 0.4, 1.0]])
    straight = es.Network([eye])
    joined = es.Network(
        [es.Input("in", 3), eye], [es.Sparse("in", "eye", [0, 1, 2], [0, 1, 2], 1.0)]
    )
    v = disc.run(straight, image, record="potential")
    np.testing.assert_array_equal(disc.run(joined, image, record="potential"), v)
    assert disc.run(straight, image)[0, :, 2].tolist() == [1, 1, 1, 1]
    np.testing.assert_array_equal(v[0, 1:, 2], np.full(3, 1.1))
    np.testing.assert_array_equal(disc.run(joined, image, layers=True)["in"][0, 2], 1.1 * image[0])


def test_two_inputs_come_as_a_dict():
    net = es.Network(
        [es.Input("a", 1), es.Input("b", 1), neurons("out", 1, "mcculloch_pitts")],
        [es.Dense("a", "out", [[0.5]]), es.Dense("b", "out", [[0.25]])],
    )
    disc = es.Discretization("mcculloch_pitts", dt=DT, steps=2)
    x = {"a": np.ones((1, 2, 1)), "b": np.array([[[1], [0]]])}
    assert disc.run(net, x, record="drive")[0, :, 0].tolist() == [0.75, 0.5]
    with pytest.raises(InvalidType, match="dict of arrays"):
        disc.run(net, x["a"])
    with pytest.raises(InvalidValue, match=r"the inputs \['a', 'b'\]"):
        disc.run(net, {"a": x["a"]})
    with pytest.raises(InvalidValue, match="same samples and steps"):
        disc.run(net, {"a": x["a"], "b": np.ones((1, 3, 1))})
