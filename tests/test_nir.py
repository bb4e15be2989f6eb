"""NIR graphs read as networks and written from them."""

from __future__ import annotations

import math
import re

import h5py
import nir
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.integrate import solve_ivp
from torch.nn import functional

import eventsim as es
from eventsim.cli import main
from eventsim.errors import FileError, InvalidType, InvalidValue, UnsupportedNetwork
from eventsim.load import nir_maps
from eventsim.save.nir import to_nir

DT = 1e-3


def filled(shape, value, dtype=np.float64):
    return np.full(shape, value, dtype)


def lif(shape=2, tau=20e-3, r=None, leak=0.0, threshold=1.0, reset=None, dtype=np.float64):
    """A LIF node; by default an arrival adds its weight, with one step of DT."""
    values = [filled(shape, v, dtype) for v in (tau, tau / DT if r is None else r, leak, threshold)]
    return nir.LIF(*values, None if reset is None else filled(shape, reset, dtype))


def cuba(shape=2, syn=5e-3, mem=20e-3, r=1.0, w_in=1.0, threshold=1.0, dtype=np.float64):
    values = [filled(shape, v, dtype) for v in (syn, mem, r, 0.0, threshold)]
    return nir.CubaLIF(*values, w_in=filled(shape, w_in, dtype))


def chain(shape, *nodes, end=None):
    """Input -> nodes -> Output, without nir's own check of types."""
    named = {f"n{k}": node for k, node in enumerate(nodes)}
    names = ["input", *named, "output"]
    every = {"input": nir.Input(np.array(shape)), **named}
    every["output"] = nir.Output(np.array(end if end is not None else [1]))
    return nir.NIRGraph(every, list(zip(names, names[1:], strict=False)), type_check=False)


def graph_of(nodes, edges, **options):
    return nir.NIRGraph(nodes, edges, type_check=False, **options)


def matrix(net, source, target):
    """Weights [pre, post] that spikes of one population have at another, all paths together."""
    total = np.zeros((net[source].n, net[target].n))
    for link in net.projections:
        if (link.source, link.target) == (source, target):
            rows = link.rows(net[source].shape, net[target].shape)
            pre = np.repeat(np.arange(net[source].n), np.diff(rows.indptr))
            np.add.at(total, (pre, rows.post), rows.weight)
    return total


def by_torch(shape, forward):
    """The same by running unit vectors through torch, in float64."""
    n = math.prod(shape)
    units = torch.eye(n, dtype=torch.float64).reshape(n, *shape)
    return forward(units).reshape(n, -1).numpy()


# Neurons


def test_lif_jumps_by_r_w_area_over_tau():
    graph = chain([1], nir.Linear(np.array([[2.0]])), lif(1, tau=10e-3, r=3.0, leak=0.25))
    for options, area in (
        ({"dt": 1e-3}, 1e-3),
        ({"spike_area": 0.5}, 0.5),
        ({"dt": 1e-4, "spike_area": "dt"}, 1e-4),
    ):
        net = es.load_nir(graph, **options).network
        assert matrix(net, "input", "n1") == pytest.approx(3.0 * 2.0 * area / 10e-3, rel=1e-15)
        neurons = net["n1"]
        assert (neurons.tau_mem, neurons.v_leak, neurons.r) == (10e-3, 0.25, 3.0)
        assert (neurons.reset, neurons.t_ref, neurons.fires_at_equality) == ("value", 0.0, False)


def test_times_have_the_unit_that_was_given():
    graph = chain([1], nir.Linear(np.array([[2.0]])), lif(1, tau=10.0, r=3.0))
    in_ms = es.load_nir(graph, time_unit="ms", dt=2e-3).network
    assert in_ms["n1"].tau_mem == 10e-3
    assert matrix(in_ms, "input", "n1") == pytest.approx(3 * 2 * 2 / 10)
    steps = es.load_nir(graph, time_unit="step", dt=2e-3).network
    assert steps["n1"].tau_mem == 20e-3
    assert matrix(steps, "input", "n1") == pytest.approx(3 * 2 * 1 / 10)
    assert es.load_nir(graph, time_unit=0.5, dt=1).network["n1"].tau_mem == 5.0


def test_if_and_i_integrate_in_the_unit_of_the_file():
    node = nir.IF(filled(1, 4.0), filled(1, 1.5), filled(1, -0.5))
    net = es.load_nir(chain([1], node), dt=1e-3, time_unit="ms").network
    neurons = net["n0"]
    assert neurons.tau_mem == math.inf
    assert (neurons.v_threshold, neurons.v_reset) == (1.5, -0.5)
    assert neurons.r == 4.0 / 1e-3
    assert matrix(net, "input", "n0") == 4.0
    silent = es.load_nir(chain([1], nir.I(filled(1, 2.0))), spike_area=1.0).network["n0"]
    assert (silent.tau_mem, silent.v_threshold, silent.r) == (math.inf, math.inf, 2.0)


def test_cuba_arrivals_reach_a_receptor():
    node = cuba(1, syn=4e-3, mem=10e-3, r=5.0, w_in=2.0)
    net = es.load_nir(chain([1], nir.Linear(np.array([[3.0]])), node), dt=1e-3).network
    assert net.projections[0].receptor == 0
    assert matrix(net, "input", "n1") == pytest.approx(2.0 * 3.0 * 1e-3 / 4e-3)
    assert (net["n1"].r, net["n1"].tau_mem, net["n1"].tau_syn) == (5.0, 10e-3, [4e-3])


@pytest.mark.parametrize(
    "node",
    [
        nir.LI(filled(2, 1e-2), filled(2, 1.0), filled(2, 0.5)),
        nir.CubaLI(filled(2, 5e-3), filled(2, 1e-2), filled(2, 1.0), filled(2, 0.5)),
    ],
)
def test_readouts_do_not_spike(node):
    net = es.load_nir(chain([2], node), dt=1e-3).network
    assert net["n0"].v_threshold == math.inf
    assert net["n0"].v_leak == 0.5


def test_parameters_differ_between_neurons_and_one_number_counts_for_all():
    node = lif(3)
    node.tau = np.array([1e-2, 2e-2, 4e-2])
    node.r = filled((), 10.0)
    net = es.load_nir(chain([3], node), dt=1e-3).network
    assert net["n0"].tau_mem.tolist() == [1e-2, 2e-2, 4e-2]
    assert np.diag(matrix(net, "input", "n0")) == pytest.approx([1.0, 0.5, 0.25])
    channels = lif((2, 1, 1))
    channels.tau = np.array([1e-2, 2e-2]).reshape(2, 1, 1)
    wide = es.load_nir(chain([2, 3, 2], channels), dt=1e-3).network["n0"]
    assert wide.shape == (2, 3, 2)
    assert wide.tau_mem.tolist() == [1e-2] * 6 + [2e-2] * 6


def test_a_bias_is_a_constant_current():
    affine = nir.Affine(np.eye(2), np.array([0.3, 0.4]))
    plain = es.load_nir(chain([2], affine, lif()), dt=DT).network["n1"]
    assert plain.i_bias.tolist() == [0.3, 0.4]
    settled = es.load_nir(chain([2], affine, cuba(w_in=2.0)), dt=DT)
    assert settled.network["n1"].i_bias.tolist() == [0.6, 0.8]
    assert any("settled" in why for _, _, why in settled.assumptions)
    plain = es.load_nir(chain([2], affine, cuba()), dt=DT)
    assert any("spike_area=tau_syn" in why for _, _, why in plain.assumptions)
    twice = chain([2], affine, nir.Linear(np.array([[1.0, 10.0]])), nir.Scale(filled(1, 2.0)))
    twice.nodes["n3"] = lif(1)
    twice.edges[-1:] = [("n2", "n3"), ("n3", "output")]
    assert es.load_nir(twice, dt=DT).network["n3"].i_bias == pytest.approx(2 * (0.3 + 4.0))


def test_options_about_rules_reach_every_population():
    graph = chain([2], lif(), nir.Linear(np.eye(2)), lif())
    options = {"reset": "subtract", "multi_spike": True, "t_ref": 2e-3, "fires_at_equality": True}
    net = es.load_nir(graph, dt=DT, **options).network
    for name in ("n0", "n2"):
        assert {key: getattr(net[name], key) for key in options} == options


def test_euler_time_constants_become_exact_ones():
    """An exporter's tau = dt / (1 - decay); the membrane then decays by that factor in a step."""
    decay = 0.9
    graph = chain([1], lif(1, tau=DT / (1 - decay), r=1 / (1 - decay)))
    net = es.load_nir(graph, dt=DT, decay="euler").network
    assert math.exp(-DT / net["n0"].tau_mem) == pytest.approx(decay, rel=1e-14)
    assert matrix(net, "input", "n0") == 1.0
    with pytest.raises(UnsupportedNetwork, match=r"'n0' \(LIF\): tau: expected more than a step"):
        es.load_nir(chain([1], lif(1, tau=DT)), dt=DT, decay="euler")
    with pytest.raises(InvalidValue, match="dt"):
        es.load_nir(graph, spike_area=1.0, decay="euler")


def test_threshold_nodes_sum_within_an_instant_and_forget():
    graph = chain([3], nir.Linear(np.array([[0.6, 0.5, 1.0]])), nir.Threshold(filled(1, 1.0)))
    loaded = es.load_nir(graph)
    assert any("very same time" in why for _, _, why in loaded.assumptions)
    times, senders = [1e-3, 1e-3, 2e-3, 2.0000001e-3, 3e-3, 4e-3], [0, 1, 0, 1, 2, 0]
    for engine in ("queue", "auto"):
        run = es.simulate(loaded.network, {"input": (times, senders)}, 6e-3, engine=engine)
        assert run.spikes["n1"].times.tolist() == [1e-3]
    biased = chain([1], nir.Affine(np.eye(1), np.array([0.25])), nir.Threshold(filled(1, 1.0)))
    assert es.load_nir(biased).network["n1"].v_threshold == 0.75
    biased.nodes["n0"].bias[:] = 1.0
    with pytest.raises(UnsupportedNetwork, match="'n1'.*threshold: expected it above"):
        es.load_nir(biased)


def test_rounding_of_the_file_is_not_taken_for_a_gain():
    """In float32, r dt / tau of an exporter is 1 only nearly."""
    tau = np.float32(1e-4) / (1 - np.float32(0.9))
    node = lif(1, tau=tau, r=tau / np.float32(1e-4), dtype=np.float32)
    assert float(node.r[0]) * 1e-4 / float(node.tau[0]) != 1.0
    loaded = es.load_nir(chain([1], nir.Linear(np.ones((1, 1), np.float32)), node), dt=1e-4)
    assert matrix(loaded.network, "input", "n1") == 1.0
    assert loaded.network.projections[0].weight.dtype == np.float32
    assert any(name == "gain of n1" for name, _, _ in loaded.assumptions)


# What is not said


def test_the_step_is_inferred_where_cuba_nodes_agree_on_it():
    step = 1e-4
    node = cuba(2, syn=2e-3, mem=1e-2, r=1e-2 / step, w_in=2e-3 / step, dtype=np.float32)
    loaded = es.load_nir(chain([2], nir.Linear(np.eye(2)), node))
    assert ("step", "0.0001 s") in [row[:2] for row in loaded.assumptions]
    assert np.array_equal(matrix(loaded.network, "input", "n1"), np.eye(2))
    other = es.load_nir(chain([2], node), dt=1e-3)
    assert any("implies a step of 0.0001 s" in value for _, value, _ in other.assumptions)
    with pytest.raises(UnsupportedNetwork, match="spike_area"):
        es.load_nir(chain([2], cuba(2, r=1.0, w_in=1.0)))


def test_the_area_of_a_spike_is_not_guessed():
    match = r"node 'n0' \(LIF\): spike_area: expected dt=.*or spike_area=.*tau / r is 0.001"
    with pytest.raises(UnsupportedNetwork, match=match):
        es.load_nir(chain([2], lif()))
    with pytest.raises(UnsupportedNetwork, match="got neither$"):
        es.load_nir(chain([2], lif(r=1.0)))
    alone = graph_of({"a": lif(2)}, [])
    assert es.load_nir(alone).network.populations[0].n == 2


def test_cycles_get_one_step_or_a_refusal():
    nodes = {"in": nir.Input(np.array([2])), "a": lif(), "w": nir.Linear(np.ones((2, 2)))}
    nodes["out"] = nir.Output(np.array([2]))
    graph = graph_of(nodes, [("in", "a"), ("a", "w"), ("w", "a"), ("a", "out")])
    loaded = es.load_nir(graph, dt=DT)
    assert [link.delay for link in loaded.network.projections] == [0.0, DT]
    assert ("delay of a -> a", "0.001 s") in [row[:2] for row in loaded.assumptions]
    given = es.load_nir(graph, dt=DT, recurrent_delay=5e-4).network
    assert [link.delay for link in given.projections] == [0.0, 5e-4]
    with pytest.raises(UnsupportedNetwork, match="node 'a': recurrent_delay: expected rec"):
        es.load_nir(graph, spike_area=1e-3)
    nodes["d"] = nir.Delay(filled(2, 3e-3))
    late = graph_of(nodes, [("in", "a"), ("a", "w"), ("w", "d"), ("d", "a"), ("a", "out")])
    assert [p.delay for p in es.load_nir(late, spike_area=1e-3).network.projections] == [0, 3e-3]


def test_of_a_longer_cycle_only_the_way_back_is_delayed():
    nodes = {"in": nir.Input(np.array([2])), "a": lif(), "b": lif(), "c": lif()}
    edges = [("in", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("in", "c")]
    net = es.load_nir(graph_of(nodes, edges), dt=DT).network
    delays = {(link.source, link.target): link.delay for link in net.projections}
    assert delays == {
        ("in", "a"): 0, ("a", "b"): 0, ("b", "c"): DT, ("c", "a"): DT, ("in", "c"): 0,
    }  # fmt: skip


# Linear nodes


CONV = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}


def test_linear_is_transposed(rng):
    weight = rng.normal(size=(3, 2))
    net = es.load_nir(chain([2], nir.Linear(weight), lif(3)), dt=DT).network
    assert isinstance(net.projections[0], es.Dense)
    assert np.array_equal(matrix(net, "input", "n1"), weight.T)


def test_convolutions_keep_their_form(rng):
    weight, bias = rng.normal(size=(4, 1, 3, 2)), rng.normal(size=4)
    node = nir.Conv2d((6, 5), weight, CONV["stride"], CONV["padding"], CONV["dilation"], 2, bias)
    w = torch.tensor(weight)
    expected = by_torch((2, 6, 5), lambda x: functional.conv2d(x, w, None, **CONV, groups=2))
    shape = functional.conv2d(torch.zeros(1, 2, 6, 5).double(), w, None, **CONV, groups=2).shape[1:]
    net = es.load_nir(chain([2, 6, 5], node, lif(tuple(shape))), dt=DT).network
    assert isinstance(net.projections[0], es.Conv2d)
    assert matrix(net, "input", "n1") == pytest.approx(expected, abs=1e-15)
    assert net["n1"].i_bias == pytest.approx(np.repeat(bias, math.prod(shape[1:])))
    flat = chain([2, 6, 5], node, nir.Flatten(np.array(shape), 0, -1), lif(math.prod(shape)))
    behind = es.load_nir(flat, dt=DT).network
    assert isinstance(behind.projections[0], es.Conv2d)
    assert behind["n2"].shape == tuple(shape)


@pytest.mark.filterwarnings("ignore:Using padding")
@pytest.mark.parametrize("kernel", [(3, 3), (2, 4), (1, 2)])
@pytest.mark.parametrize("dilation", [1, 3])
def test_same_padding_is_that_of_torch(rng, kernel, dilation):
    weight = rng.normal(size=(2, 2, *kernel))
    node = nir.Conv2d((7, 8), weight, 1, "same", dilation, 1, np.zeros(2))
    expected = by_torch(
        (2, 7, 8),
        lambda x: functional.conv2d(x, torch.tensor(weight), padding="same", dilation=dilation),
    )
    net = es.load_nir(chain([2, 7, 8], node, lif((2, 7, 8))), dt=DT).network
    assert isinstance(net.projections[0], es.Conv2d)
    assert matrix(net, "input", "n1") == pytest.approx(expected, abs=1e-15)


def test_conv1d_is_a_convolution_of_height_one(rng):
    weight, bias = rng.normal(size=(3, 2, 3)), rng.normal(size=3)
    node = nir.Conv1d(9, weight, 2, 1, 1, 1, bias)
    second = nir.Conv1d(None, weight[:2, :1].repeat(3, 1), 1, "valid", 1, 1, np.zeros(2))
    graph = chain([2, 9], node, lif((3, 5)), second, lif((2, 3)))
    net = es.load_nir(graph, dt=DT).network
    assert net["n1"].shape == (3, 1, 5)
    for source, target, w, options, shape in (
        ("input", "n1", weight, {"stride": 2, "padding": 1}, (2, 9)),
        ("n1", "n3", second.weight, {}, (3, 5)),
    ):
        kernel = torch.tensor(w)
        expected = by_torch(shape, lambda x, k=kernel, o=options: functional.conv1d(x, k, **o))
        assert matrix(net, source, target) == pytest.approx(expected, abs=1e-15)
    assert net["n1"].i_bias == pytest.approx(np.repeat(bias, 5))


def test_pools_alone_and_padded():
    pairs = [np.array(p) for p in ((3, 2), (2, 2), (1, 1))]
    for kind, gain in ((nir.SumPool2d, 6), (nir.AvgPool2d, 1)):
        net = es.load_nir(chain([2, 6, 6], kind(*pairs), lif((2, 3, 4))), dt=DT).network
        expected = by_torch((2, 6, 6), lambda x: functional.avg_pool2d(x, (3, 2), (2, 2), (1, 1)))
        assert type(net.projections[0]).__name__ == kind.__name__
        assert matrix(net, "input", "n1") == pytest.approx(expected * gain)


def pool(kernel=2, stride=None, kind=nir.AvgPool2d):
    return kind(*(np.array([v, v]) for v in (kernel, stride or kernel, 0)))


@pytest.mark.parametrize(
    ("nodes", "forward", "shape", "kind"),
    [
        ("pool conv", lambda x, w: functional.conv2d(functional.avg_pool2d(x, 2), w["conv"]),
         (2, 9, 8), "Conv2d"),
        ("pool pool", lambda x, w: functional.avg_pool2d(functional.avg_pool2d(x, 2), 2),
         (2, 9, 8), "SumPool2d"),
        ("overlap conv", lambda x, w: functional.conv2d(functional.avg_pool2d(x, 3, 1), w["conv"]),
         (2, 6, 5), "Sparse"),
        ("conv conv", lambda x, w: functional.conv2d(functional.conv2d(x, w["conv"]), w["back"]),
         (2, 6, 6), "Sparse"),
        ("pool flat linear", lambda x, w: functional.avg_pool2d(x, 2).flatten(1) @ w["lin"].T,
         (2, 4, 4), "Dense"),
        ("conv flat linear", lambda x, w: functional.conv2d(x, w["conv"]).flatten(1)[:, :8]
         @ w["lin"].T, (2, 4, 3), "Dense"),
        ("scale conv", lambda x, w: functional.conv2d(x * w["channel"], w["conv"]),
         (2, 4, 4), "Conv2d"),
        ("flat linear linear", lambda x, w: x.flatten(1) @ w["lin"].T @ w["lin2"].T,
         (2, 2, 2), "Dense"),
    ],
)  # fmt: skip
def test_chains_are_one_projection(rng, nodes, forward, shape, kind):
    """Whatever is in series has the weights that torch finds for unit vectors."""
    w = {
        "conv": rng.normal(size=(3, 2, 3, 2)),
        "back": rng.normal(size=(2, 3, 2, 2)),
        "lin": rng.normal(size=(5, 8)),
        "lin2": rng.normal(size=(4, 5)),
        "channel": np.broadcast_to(rng.normal(size=(2, 1, 1)), shape).copy(),
    }
    if nodes == "conv flat linear":
        w["conv"] = w["conv"][:2, :, :, :]
        w["conv"] = rng.normal(size=(2, 2, 3, 2))
    tensors = {key: torch.tensor(value) for key, value in w.items()}
    expected = by_torch(shape, lambda x: forward(x, tensors))
    parts = {
        "conv": nir.Conv2d(None, w["conv"], 1, 0, 1, 1, np.zeros(len(w["conv"]))),
        "back": nir.Conv2d(None, w["back"], 1, 0, 1, 1, np.zeros(2)),
        "pool": pool(), "overlap": pool(3, 1), "linear": nir.Linear(w["lin"]),
        "flat": nir.Flatten(None, 0, -1), "scale": nir.Scale(w["channel"]),
    }  # fmt: skip
    listed = [parts[name] for name in nodes.split()]
    if nodes == "conv conv":
        listed[1] = parts["back"]
    if nodes == "flat linear linear":
        listed[2] = nir.Linear(w["lin2"])
    if nodes == "conv flat linear":
        size = math.prod(functional.conv2d(torch.zeros(1, *shape).double(), tensors["conv"]).shape)
        assert size == 8
    target = f"n{len(listed)}"
    loaded = es.load_nir(chain(shape, *listed, lif(expected.shape[1])), dt=DT)
    (link,) = loaded.network.projections
    assert type(link).__name__ == kind
    assert matrix(loaded.network, "input", target) == pytest.approx(expected, abs=1e-14)
    if nodes.split()[0] != "flat":
        assert any(name == f"input -> {target}" for name, _, _ in loaded.assumptions)


def test_neurons_with_other_gains_behind_a_convolution(rng):
    weight = rng.normal(size=(2, 1, 2, 2))
    node = lif((2, 3, 3))
    node.r = rng.uniform(1, 2, size=(2, 3, 3)) * 20
    graph = chain([1, 4, 4], nir.Conv2d(None, weight, 1, 0, 1, 1, np.zeros(2)), node)
    net = es.load_nir(graph, dt=DT).network
    expected = by_torch((1, 4, 4), lambda x: functional.conv2d(x, torch.tensor(weight)))
    assert matrix(net, "input", "n1") == pytest.approx(expected * node.r.reshape(-1) / 20)
    node.r[:] = np.array([10.0, 40.0])[:, None, None]
    assert isinstance(es.load_nir(graph, dt=DT).network.projections[0], es.Conv2d)


def test_parallel_paths_add_up(rng):
    a, b = rng.normal(size=(2, 2)), rng.normal(size=(2, 2))
    nodes = {"in": nir.Input(np.array([2])), "a": nir.Linear(a), "b": nir.Linear(b), "out": lif()}
    edges = [("in", "a"), ("in", "b"), ("a", "out"), ("b", "out"), ("in", "out")]
    net = es.load_nir(graph_of(nodes, edges), dt=DT).network
    assert len(net.projections) == 3
    assert matrix(net, "in", "out") == pytest.approx(a.T + b.T + np.eye(2))
    nodes["c"] = nir.Linear(a)
    edges = [("in", "a"), ("in", "b"), ("a", "c"), ("b", "c"), ("c", "out")]
    summed = es.load_nir(graph_of(nodes, edges), dt=DT).network
    assert matrix(summed, "in", "out") == pytest.approx((a.T + b.T) @ a.T)


def test_batched_matrices_do_not_mix(rng):
    weight = rng.normal(size=(3, 2, 4))
    net = es.load_nir(chain([3, 4], nir.Linear(weight), lif((3, 2))), dt=DT).network
    expected = by_torch((3, 4), lambda x: torch.einsum("noi,bni->bno", torch.tensor(weight), x))
    assert matrix(net, "input", "n1") == pytest.approx(expected)


def arrivals(net, source, target):
    """Synapses (pre, post, weight, delay) of all paths, sorted."""
    found = []
    for link in net.projections:
        rows = link.rows(net[source].shape, net[target].shape)
        pre = np.repeat(np.arange(net[source].n), np.diff(rows.indptr))
        delay = np.broadcast_to(rows.delay, pre.shape)
        found += zip(pre, rows.post, rows.weight, delay, strict=True)
    return sorted((int(a), int(b), float(w), float(d)) for a, b, w, d in found)


def test_delays_stay_with_the_units_they_delay(rng):
    weight = rng.normal(size=(2, 3))
    early, late = nir.Delay(np.array([1.0, 2.0, 3.0])), nir.Delay(np.array([10.0, 20.0]))
    graph = chain([3], early, nir.Linear(weight), late, lif(2, tau=20.0, r=20.0))
    net = es.load_nir(graph, time_unit="ms", dt=DT).network
    expected = [
        (i, j, weight[j, i], ((i + 1) + 10 * (j + 1)) * 1e-3) for i in range(3) for j in range(2)
    ]
    assert np.array(arrivals(net, "input", "n3")) == pytest.approx(np.array(expected))
    uniform = chain([3], nir.Delay(filled(3, 2.0)), nir.Linear(weight), lif(2, 20.0, 20.0))
    assert es.load_nir(uniform, time_unit="ms", dt=DT).network.projections[0].delay == 2e-3


def test_delays_between_matrices_keep_paths_apart(rng):
    """Units between two matrices delay differently: one synapse for each delay of a pair."""
    a, b = rng.normal(size=(3, 2)), rng.normal(size=(2, 3))
    delays = np.array([1e-3, 2e-3, 1e-3])
    graph = chain([2], nir.Linear(a), nir.Delay(delays), nir.Linear(b), lif())
    net = es.load_nir(graph, dt=DT).network
    expected = []
    for i in range(2):
        for j in range(2):
            expected.append((i, j, a[0, i] * b[j, 0] + a[2, i] * b[j, 2], 1e-3))
            expected.append((i, j, a[1, i] * b[j, 1], 2e-3))
    assert np.array(arrivals(net, "input", "n3")) == pytest.approx(np.array(sorted(expected)))


def test_a_chain_that_would_fill_the_memory_is_refused(monkeypatch, rng):
    monkeypatch.setattr(nir_maps, "MOST_PRODUCTS", 100)
    conv = nir.Conv2d(None, rng.normal(size=(2, 2, 3, 3)), 1, 1, 1, 1, np.zeros(2))
    match = "nodes n0 -> n1: expected a chain that takes at most 100 products"
    with pytest.raises(UnsupportedNetwork, match=match):
        es.load_nir(chain([2, 6, 6], conv, conv, lif((2, 6, 6))), dt=DT)
    monkeypatch.setattr(nir_maps, "MOST_SYNAPSES", 100)
    with pytest.raises(UnsupportedNetwork, match="at most 100 synapses"):
        es.load_nir(chain([2, 6, 6], conv, conv, lif((2, 6, 6))), dt=DT)


# Graphs


def test_inner_graphs_are_written_out_flat():
    inner = nir.NIRGraph(
        {"input": nir.Input(np.array([2])), "lif": lif(), "w": nir.Linear(np.ones((2, 2))),
         "output": nir.Output(np.array([2]))},
        [("input", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "output")],
    )  # fmt: skip
    outer = chain([2], nir.Linear(np.eye(2)), inner, nir.Linear(np.eye(2)), lif())
    loaded = es.load_nir(outer, dt=DT)
    assert [p.name for p in loaded.network] == ["input", "n1.lif", "n3"]
    links = [(p.source, p.target) for p in loaded.network.projections]
    assert sorted(links) == [("input", "n1.lif"), ("n1.lif", "n1.lif"), ("n1.lif", "n3")]
    assert loaded.ports == {"output": ("n3",)}
    bare = graph_of({"lif": lif(), "w": nir.Linear(np.ones((2, 2)))}, [("lif", "w"), ("w", "lif")])
    assert es.load_nir(chain([2], bare, lif()), dt=DT).network["n0.lif"].n == 2


def test_names_with_slashes_are_written_with_dots():
    nodes = {"in/x": nir.Input(np.array([2])), "a/b": lif()}
    net = es.load_nir(graph_of(nodes, [("in/x", "a/b")]), dt=DT).network
    assert [p.name for p in net] == ["in.x", "a.b"]


def test_potentials_go_to_outputs_only():
    li = nir.LI(*(filled(2, v) for v in (1e-2, 10.0, 0.0)))
    loaded = es.load_nir(chain([2], lif(), li, nir.Flatten(np.array([2]), 0, -1)), dt=DT)
    assert loaded.ports == {"output": ("n1",)}
    match = r"node 'n0' \(LI\): edges: expected it to lead to Output nodes only.*'n1' \(Linear\)"
    with pytest.raises(UnsupportedNetwork, match=match):
        es.load_nir(chain([2], li, nir.Linear(np.eye(2)), lif()), dt=DT)


def test_weighted_spikes_at_an_output_are_summed_over_time():
    weight = np.array([[2.0, 1.0]])
    loaded = es.load_nir(chain([2], lif(), nir.Linear(weight), end=[1]), dt=DT)
    assert loaded.ports == {"output": ("output",)}
    out = loaded.network["output"]
    assert (out.tau_mem, out.v_threshold) == (math.inf, math.inf)
    assert matrix(loaded.network, "n0", "output") == pytest.approx(weight.T * DT)


def test_a_single_node_is_a_graph(tmp_path):
    nir.write(tmp_path / "one.nir", lif(3))
    net, disc = es.load(tmp_path / "one.nir")
    assert (net["lif"].n, disc) == (3, None)


def test_a_graph_in_memory_is_the_same_as_its_file(tmp_path, rng):
    graph = nir.NIRGraph.from_list(
        nir.Input(np.array([1, 6, 6])),
        nir.Conv2d((6, 6), rng.normal(size=(2, 1, 3, 3)), 1, 1, 1, 1, np.ones(2)),
        lif((2, 6, 6)),
        pool(kind=nir.SumPool2d),
        nir.Flatten(np.array([2, 3, 3]), 0, -1),
        nir.Affine(rng.normal(size=(4, 18)), np.ones(4)),
        cuba(4),
    )
    nir.write(tmp_path / "net.nir", graph)
    read = es.load_nir(tmp_path / "net.nir", dt=DT)
    memory = es.load_nir(graph, dt=DT)
    assert read.network.fingerprint() != ""
    assert {p.name for p in read.network} == {p.name for p in memory.network}
    for link in memory.network.projections:
        pair = link.source, link.target
        assert np.array_equal(matrix(read.network, *pair), matrix(memory.network, *pair))
    assert es.load(tmp_path / "net.nir", dt=DT)[0].fingerprint() == read.network.fingerprint()


# Against the equations of NIR


def integrate(equation, start, threshold, boxes, t_stop, jumps=()):
    """Spike times of one neuron: solve_ivp between the edges of boxes and jumps of the state."""
    edges = sorted({0.0, t_stop, *(t for box in boxes for t in box), *(t for t, _ in jumps)})
    state, spikes = np.array(start, dtype=float), []

    def crossing(_, y):
        return y[0] - threshold

    crossing.terminal, crossing.direction = True, 1.0
    for a, b in zip(edges, edges[1:], strict=False):
        for t, jump in jumps:
            if t == a:
                state = state + jump
                if state[0] > threshold:
                    spikes.append(a)
                    state[0] = 0.0
        drive = float(any(x <= a < y for x, y in boxes))
        while True:
            run = solve_ivp(
                lambda t, y, d=drive: equation(y, d), (a, b), state, events=crossing,
                rtol=1e-11, atol=1e-13, max_step=(b - a) / 4,
            )  # fmt: skip
            state = run.y[:, -1]
            if run.status != 1:
                break
            a = float(run.t_events[0][0])
            spikes.append(a)
            state[0] = 0.0
    return spikes


BOXES = (60, 220, 270, 310, 320, 350, 370, 400, 410, 430, 440, 450, 460, 470, 480, 490, 500)


def test_the_example_of_the_nir_paper():
    """A LIF node and box currents of 0.1 ms: the paper's times, and those of the equation."""
    node = nir.LIF(*(filled(1, v) for v in (2.5e-3, 1.0, 0.0, 0.1)))
    loaded = es.load_nir(chain([1], node), dt=1e-4)
    boxes = [(k * 1e-4, (k + 1) * 1e-4) for k in BOXES]
    steps = [(t, 0, v) for a, b in boxes for t, v in ((a, 1.0), (b, 0.0))]
    run = es.simulate(loaded.network, {}, 0.06, currents={"n0": steps})
    expected = integrate(lambda y, i: [(-y[0] + i) / 2.5e-3], [0.0], 0.1, boxes, 0.06)
    assert run.spikes["n0"].times == pytest.approx(expected, abs=1e-10)
    assert run.spikes["n0"].times[0] == pytest.approx(46.084386e-3, abs=5e-10)
    # The same boxes as spikes that arrive as pulses of one step.
    pulses = loaded.network.with_spread(1e-4)
    spikes = es.SpikeTrain([a for a, _ in boxes], [0] * len(boxes))
    again = es.simulate(pulses, {"input": spikes}, 0.06).spikes["n0"].times
    assert again == pytest.approx(expected, abs=1e-10)


def test_delta_spikes_into_lif_follow_the_equation():
    """tau v' = v_leak - v + r w A delta(t), with a bias and a leak that drive it too."""
    node = lif(1, tau=8e-3, r=2.0, leak=0.2)
    affine = nir.Affine(np.array([[1.5]]), np.array([0.45]))
    net = es.load_nir(chain([1], affine, node), spike_area=1e-3).network
    times = [1e-3, 2e-3, 6e-3, 1.3e-2, 1.4e-2, 1.5e-2]
    run = es.simulate(net, {"input": (times, [0] * 6)}, 0.04, engine="queue")
    jump = 2.0 * 1.5 * 1e-3 / 8e-3
    expected = integrate(
        lambda y, _: [(0.2 - y[0] + 2.0 * 0.45) / 8e-3],
        [0.2], 1.0, [], 0.04, [(t, np.array([jump])) for t in times],
    )  # fmt: skip
    assert len(expected) > 1
    assert run.spikes["n1"].times == pytest.approx(expected, abs=1e-9)


def test_spikes_into_cuba_follow_the_equations():
    node = cuba(1, syn=4e-3, mem=1e-2, r=3.0, w_in=2.0)
    net = es.load_nir(chain([1], nir.Linear(np.array([[1.2]])), node), dt=2e-3).network
    times = [1e-3, 2e-3, 3e-3, 1.1e-2, 2.5e-2, 2.6e-2, 2.7e-2]
    run = es.simulate(net, {"input": (times, [0] * 7)}, 0.05, engine="queue")
    jump = np.array([0.0, 2.0 * 1.2 * 2e-3 / 4e-3])
    expected = integrate(
        lambda y, _: [(-y[0] + 3.0 * y[1]) / 1e-2, -y[1] / 4e-3],
        [0.0, 0.0], 1.0, [], 0.05, [(t, jump) for t in times],
    )  # fmt: skip
    assert len(expected) > 1
    assert run.spikes["n1"].times == pytest.approx(expected, abs=1e-9)


def test_the_grid_of_an_exporter_is_reproduced(rng):
    """snnTorch's Leaky as it is exported: m = beta m + W x, reset to zero in the same step."""
    beta, steps, dt = np.float32(0.8), 60, 1e-4
    weight = rng.normal(0.25, 0.5, size=(6, 5)).astype(np.float32)
    tau = np.float32(dt) / (1 - beta)
    node = lif(6, tau=tau, r=tau / np.float32(dt), dtype=np.float32)
    net = es.load_nir(chain([5], nir.Linear(weight), node), dt=dt, decay="euler").network
    x = rng.random((steps, 5)) < 0.4
    # The decay in a step is what the file's float32 numbers say.
    factor, v, expected = 1 - dt / float(tau), np.zeros(6), []
    for k in range(steps):
        v = factor * v + weight.astype(float) @ x[k]
        expected += [(k, int(j)) for j in np.flatnonzero(v > 1.0)]
        v[v > 1.0] = 0.0
    at, senders = np.nonzero(x)
    spikes = es.simulate(net, {"input": (at * dt, senders)}, steps * dt).spikes["n1"]
    assert [(round(t / dt), int(j)) for t, j in zip(spikes.times, spikes.senders, strict=True)] == (
        expected
    )


# A whole graph against a time grid


def on_a_grid(graph, x, dt):
    """Spikes (step, neuron) of each neuron node: every node once a step, in the order given.

    Written after NIR's equations with exact decay between steps; an edge that leads backwards in
    the order of ``graph.nodes`` brings the spikes of the step before.
    """
    order = list(graph.nodes)
    state = {name: None for name in order}
    last = {name: None for name in order}
    past = {name: [] for name in order}
    found = {name: [] for name in order}
    for step, inputs in enumerate(x):
        now = {}
        for name, node in graph.nodes.items():
            parts = []
            for a, b in graph.edges:
                if b == name:
                    value = now[a] if order.index(a) < order.index(name) else last[a]
                    if value is not None:
                        parts.append(value)
            total = sum(parts) if parts else None
            kind = type(node).__name__
            if kind == "Input":
                now[name] = torch.tensor(inputs, dtype=torch.float64)
            elif kind in ("Linear", "Affine"):
                weight = torch.tensor(node.weight)
                now[name] = weight @ (
                    torch.zeros(weight.shape[1]).double() if total is None else total
                )
            elif kind == "Conv2d":
                now[name] = functional.conv2d(
                    total[None], torch.tensor(node.weight), None, tuple(node.stride),
                    node.padding if isinstance(node.padding, str) else tuple(node.padding),
                )[0]  # fmt: skip
            elif kind in ("AvgPool2d", "SumPool2d"):
                size = tuple(int(k) for k in node.kernel_size)
                mean = functional.avg_pool2d(total[None], size, tuple(map(int, node.stride)))[0]
                now[name] = mean * (math.prod(size) if kind == "SumPool2d" else 1)
            elif kind == "Flatten":
                now[name] = total.reshape(-1)
            elif kind == "Scale":
                now[name] = total * torch.tensor(node.scale)
            elif kind == "Delay":
                past[name].append(total)
                late = np.rint(node.delay / dt).astype(int)
                now[name] = torch.stack(
                    [past[name][step - d][i] if step >= d else torch.tensor(0.0).double()
                     for i, d in enumerate(late)]
                )  # fmt: skip
            elif kind in ("LIF", "IF"):
                v = state[name] if state[name] is not None else torch.zeros(node.r.shape).double()
                gain = torch.tensor(node.r * dt)
                if kind == "LIF":
                    v = v * torch.exp(torch.tensor(-dt / node.tau))
                    gain = gain / torch.tensor(node.tau)
                v = v + gain * (total if total is not None else 0.0)
                fired = v > torch.tensor(node.v_threshold)
                state[name] = torch.where(fired, torch.tensor(node.v_reset), v)
                now[name] = fired.double()
                found[name] += [(step, int(i)) for i in fired.reshape(-1).nonzero()]
        last = now
    return found


@pytest.mark.filterwarnings("ignore:Using padding")
@pytest.mark.parametrize("seed", range(4))
def test_a_whole_graph_spikes_as_on_a_grid(seed):
    """Inputs and delays on a grid of a power of 2, so that sums of times are exact."""
    rng = np.random.default_rng(seed)
    dt, steps = 2.0**-10, 40

    def weights(*shape, mean=0.0, spread=1.0):
        return rng.normal(mean, spread / math.sqrt(math.prod(shape[1:])), size=shape)

    def neurons(shape, kind=nir.LIF):
        tau = rng.uniform(4 * dt, 30 * dt, size=shape)
        reset = rng.uniform(-0.3, 0.2, size=shape)
        if kind is nir.IF:
            return nir.IF(filled(shape, 1 / dt), filled(shape, 0.6), reset)
        return nir.LIF(tau, tau / dt, filled(shape, 0.0), filled(shape, 0.5), reset)

    nodes = {
        "input": nir.Input(np.array([1, 7, 6])),
        "conv": nir.Conv2d((7, 6), weights(2, 1, 3, 2, mean=0.2), 1, "same", 1, 1, np.zeros(2)),
        "a": neurons((2, 7, 6)),
        "avg": pool(),
        "conv2": nir.Conv2d(
            None, weights(3, 2, 2, 2, mean=0.3, spread=2.0), (1, 2), (1, 0), 1, 1, np.zeros(3)
        ),
        "b": neurons((3, 4, 1), nir.IF),
        "flat": nir.Flatten(np.array([3, 4, 1]), 0, -1),
        "late": nir.Delay(rng.integers(0, 4, 12) * dt),
        "fc": nir.Linear(weights(5, 12, mean=0.2)),
        "scale": nir.Scale(rng.uniform(0.5, 1.5, 5)),
        "flat0": nir.Flatten(np.array([1, 7, 6]), 0, -1),
        "skip": nir.Linear(weights(5, 42)),
        "c": neurons(5),
        "w": nir.Linear(weights(5, 5)),
        "sum": pool(3, kind=nir.SumPool2d),
        "flat3": nir.Flatten(np.array([2, 2, 2]), 0, -1),
        "side": nir.Linear(weights(4, 8)),
        "mix": nir.Linear(weights(4, 5)),
        "d": neurons(4),
    }
    edges = [
        ("input", "conv"), ("conv", "a"), ("a", "avg"), ("avg", "conv2"), ("conv2", "b"),
        ("b", "flat"), ("flat", "late"), ("late", "fc"), ("fc", "scale"), ("scale", "c"),
        ("input", "flat0"), ("flat0", "skip"), ("skip", "c"), ("w", "c"), ("c", "w"),
        ("a", "sum"), ("sum", "flat3"), ("flat3", "side"), ("side", "d"), ("c", "mix"),
        ("mix", "d"),
    ]  # fmt: skip
    # The loop c -> w -> c is read backwards one step late, at w; w stands before c for that.
    order = [*list(nodes)[:12], "w", "c", *list(nodes)[14:]]
    graph = graph_of({name: nodes[name] for name in order}, edges)
    x = rng.random((steps, 1, 7, 6)) < 0.15
    expected = on_a_grid(graph, x, dt)
    net = es.load_nir(graph, dt=dt).network
    at, senders = np.nonzero(x.reshape(steps, -1))
    found = es.simulate(net, {"input": (at * dt, senders)}, steps * dt, engine="queue").spikes
    for name in "abcd":
        got = zip(np.rint(found[name].times / dt).astype(int), found[name].senders, strict=True)
        assert [(int(k), int(i)) for k, i in got] == expected[name], name
        assert len(expected[name]) > 5


# Refusals


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n: n["n0"].weight.__setitem__((0, 1), np.nan), ["'n0'", "weight[0, 1]", "nan"]),
        (lambda n: n["n1"].tau.__setitem__(1, 0.0), ["'n1'", "tau", "> 0", "0.0"]),
        (lambda n: n["n1"].tau.__setitem__(1, np.inf), ["'n1'", "tau[1]", "finite"]),
        (lambda n: n["n1"].v_threshold.__setitem__(0, np.nan), ["'n1'", "v_threshold[0]"]),
        (lambda n: n["n1"].v_reset.__setitem__(0, 2.0), ["'n1'", "v_reset[0]", "2.0"]),
        (lambda n: setattr(n["n1"], "r", np.ones(3)), ["'n1'", "(2,)", "(3,)"]),
        (lambda n: setattr(n["n0"], "weight", np.ones((2, 5))), ["'n0'", "weight", "2 inputs"]),
        (lambda n: setattr(n["n0"], "weight", np.ones(2)), ["'n0'", "weight", "[out, in]"]),
        (lambda n: setattr(n["n1"], "tau", None), ["'n1'", "tau", "got nothing"]),
        (lambda n: n.update(n0=nir.Scale(np.ones(3))), ["'n0'", "scale", "(3,)"]),
        (lambda n: n.update(n0=nir.Delay(-np.ones(2))), ["'n0'", "delay", "-1.0"]),
        (lambda n: n.update(n0=pool()), ["'n0'", "kernel_size", "channel"]),
        (lambda n: n.update(n0=nir.Conv2d(None, np.ones((1, 1, 2, 2)), 1, 0, 1, 1, np.zeros(1))),
         ["'n0'", "weight", "channel first"]),
    ],
)  # fmt: skip
def test_what_is_wrong_names_node_and_field(change, words):
    graph = chain([2], nir.Linear(np.eye(2)), lif(reset=0.0))
    change(graph.nodes)
    with pytest.raises(FileError) as error:
        es.load_nir(graph, dt=DT)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dt": -1.0}, "dt: expected"),
        ({"time_unit": "hour"}, "time_unit: expected one of"),
        ({"time_unit": "step"}, "dt: expected the step in seconds"),
        ({"spike_area": "dt"}, "dt: expected the step in seconds"),
        ({"spike_area": "one"}, "spike_area: expected 'dt' or a number"),
        ({"spike_area": 0.0}, "spike_area: expected"),
        ({"dt": 1.0, "reset": "zero"}, "reset: expected one of"),
        ({"dt": 1.0, "decay": "fast"}, "decay: expected one of"),
        ({"dt": 1.0, "t_ref": -1.0}, "t_ref: expected seconds >= 0"),
        ({"dt": 1.0, "recurrent_delay": 0.0}, "recurrent_delay: expected"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(InvalidValue, match=words):
        es.load_nir(chain([2], lif()), **options)


def test_types_are_checked():
    with pytest.raises(InvalidType, match="multi_spike"):
        es.load_nir(chain([2], lif()), dt=DT, multi_spike="yes")
    with pytest.raises(InvalidType, match="nir.NIRGraph"):
        es.load_nir(3)
    with pytest.raises(TypeError, match="spike_aera"):
        es.load_nir(chain([2], lif()), spike_aera=1.0)


def test_a_cycle_without_neurons_is_refused():
    nodes = {"in": nir.Input(np.array([2])), "a": nir.Scale(np.ones(2)), "b": nir.Scale(np.ones(2))}
    nodes["lif"] = lif()
    edges = [("in", "a"), ("a", "b"), ("b", "a"), ("b", "lif")]
    with pytest.raises(UnsupportedNetwork, match="cycle of linear nodes only"):
        es.load_nir(graph_of(nodes, edges), dt=DT)


def test_a_linear_node_without_input_is_refused():
    nodes = {"w": nir.Linear(np.eye(2)), "lif": lif()}
    with pytest.raises(FileError, match=r"'w' \(Linear\): edges: expected a node that leads"):
        es.load_nir(graph_of(nodes, [("w", "lif")]), dt=DT)


# Damaged files


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.nir"
    nir.write(path, chain([2], nir.Linear(np.eye(2)), lif()))
    return path


def damaged(path, change):
    with h5py.File(path, "r+") as opened:
        change(opened)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.__delitem__("node"), "/node: expected a group"),
        (lambda f: f["node"].__delitem__("nodes"), "nodes: expected them, got none"),
        (lambda f: f["node"].__delitem__("type"), "/node/type: expected a dataset"),
        (lambda f: f["node/nodes/n1"].__delitem__("tau"), "'n1'.*tau"),
        (lambda f: f["node/nodes"].__delitem__("n1"), r"edges\[1\]: expected one of.*got 'n1'"),
        (lambda f: f["node/nodes/n1/type"].__setitem__((), "Spiker"), "'n1': type: .*'Spiker'"),
        (lambda f: f["node/nodes/n0/weight"].__setitem__((0, 0), np.nan), r"'n0'.*weight\[0, 0\]"),
    ],
)
def test_damaged_files_are_named(file, change, words):
    damaged(file, change)
    with pytest.raises(FileError, match=words) as error:
        es.load(file, dt=DT)
    assert str(file) in str(error.value)


def test_a_truncated_file_is_an_error(file):
    file.write_bytes(file.read_bytes()[:-900])
    with pytest.raises(FileError, match="damaged or truncated"):
        es.load(file, dt=DT)


def test_edges_once_only():
    graph = chain([2], lif())
    graph.edges.append(("input", "n0"))
    with pytest.raises(FileError, match=r"edges\[2\]: expected each edge once"):
        es.load_nir(graph, dt=DT)


def test_data_outside_the_file_is_not_read(file, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["weight"] = np.eye(2)

    def link(opened):
        del opened["node/nodes/n0/weight"]
        opened["node/nodes/n0/weight"] = h5py.ExternalLink("other.h5", "weight")

    damaged(file, link)
    with pytest.raises(FileError, match="n0/weight: expected a dataset, got a link"):
        es.load(file, dt=DT)


def test_a_file_that_holds_itself_ends(file):
    def loop(opened):
        del opened["node/nodes/n1"]
        opened["node/nodes/n1"] = opened["node"]

    damaged(file, loop)
    with pytest.raises(FileError, match="nested graphs"):
        es.load(file, dt=DT)


def test_metadata_of_others_is_left_alone(file):
    def add(opened):
        group = opened["node"].create_group("metadata")
        group["pickle"] = np.void(b"\x80\x04c__builtin__\nprint\n")
        group["link"] = h5py.SoftLink("/nowhere")

    damaged(file, add)
    assert es.load(file, dt=DT)[0]["n1"].n == 2


def test_options_of_nir_are_for_nir_files(tmp_path):
    path = es.save(tmp_path / "net.h5", es.Network([es.Input("in", 1)]))
    with pytest.raises(FileError, match="dt: expected only for a NIR file"):
        es.load(path, dt=DT)


def test_no_description_goes_with_nir(file):
    with pytest.raises(FileError, match="architecture: expected none for a NIR file"):
        es.load(file, {"dt": 1})


# Written


def run(net, seed=0, t_stop=0.1, engine="queue", rate=60):
    """Spikes of every population for Poisson input; delays and thresholds included."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for name in net.inputs:
        count = rng.poisson(rate * t_stop * net[name].n)
        inputs[name] = es.SpikeTrain.sorted(
            np.sort(rng.uniform(0, t_stop, count)), rng.integers(net[name].n, size=count)
        )
    return es.simulate(net, inputs, t_stop, engine=engine).spikes


def same_spikes(a, b, exact):
    assert a.keys() == b.keys()
    assert sum(map(len, a.values())) > 0
    for name in a:
        assert np.array_equal(a[name].senders, b[name].senders), name
        if exact:
            assert np.array_equal(a[name].times, b[name].times), name
        else:
            assert a[name].times == pytest.approx(b[name].times, rel=1e-11), name


def round_trip(tmp_path, net, **options):
    path = es.save_nir(tmp_path / "net.nir", net, **options)
    nir.read(path)  # other programs read it, types checked
    loaded, disc = es.load(path)
    assert disc is None
    assert [p.name for p in loaded] == [p.name for p in net]
    return loaded


def dense_net(rng, **parameters):
    populations = [
        es.Input("in", (1, 3, 4)),
        es.Population("hidden", 6, tau_mem=rng.uniform(5e-3, 2e-2, 6), **parameters),
        es.Population("other", 5, tau_mem=math.inf, **{**parameters, "v_leak": 0.0}),
        es.Population("out", 3, tau_mem=1e-2, v_threshold=0.8, v_reset=-0.1, **parameters),
    ]
    weights = {
        pair: rng.normal(0.3, 0.4, size=pair) for pair in ((12, 6), (12, 5), (6, 3), (5, 3), (3, 3))
    }
    return es.Network(
        populations,
        [
            es.Dense("in", "hidden", weights[12, 6].astype(np.float32)),
            es.Dense("in", "other", weights[12, 5], delay=2e-3),
            es.Dense("hidden", "out", weights[6, 3], delay=1e-3),
            es.Dense("out", "out", -np.abs(weights[3, 3]), delay=rng.choice([1e-3, 2e-3], (3, 3))),
            es.Sparse("other", "out", [0, 1, 1, 4], [0, 2, 2, 1], [0.4, 0.3, 0.1, 0.7]),
            es.Sparse("hidden", "hidden", range(6), range(6), rng.normal(size=6), delay=3e-3),
        ],
    )


def test_delta_networks_come_back_bit_for_bit(tmp_path, rng):
    net = dense_net(rng)
    loaded = round_trip(tmp_path, net)
    same_spikes(run(net), run(loaded), exact=True)
    assert loaded["hidden"].fires_at_equality is True
    for link in net.projections:
        pair = link.source, link.target
        assert np.array_equal(matrix(net, *pair), matrix(loaded, *pair))


def test_currents_and_gains_come_back(tmp_path, rng):
    net = dense_net(rng, r=1.7, i_bias=0.2, v_leak=0.1, fires_at_equality=False)
    loaded = round_trip(tmp_path, net)
    assert loaded["out"].r == 1.7
    assert loaded["hidden"].i_bias == pytest.approx(0.2)
    assert loaded["other"].fires_at_equality is False
    same_spikes(run(net), run(loaded), exact=False)


def image_net(rng, bias):
    return es.Network(
        [
            es.Input("in", (1, 6, 6)),
            es.Population("conv", (2, 6, 6), tau_mem=1e-2, i_bias=bias),
            es.Population("pool", (2, 3, 3), tau_mem=1e-2, v_threshold=0.5),
            es.Population("avg", (2, 3, 3), tau_mem=1e-2, v_threshold=0.2),
            es.Population("out", 4, tau_mem=1e-2),
        ],
        [
            es.Conv2d("in", "conv", rng.normal(0.2, 0.4, size=(2, 1, 3, 2)), padding=(1, 1),
                      dilation=(1, 2), delay=1e-3),
            es.SumPool2d("conv", "pool", 2, weight=0.7),
            es.AvgPool2d("conv", "avg", 2),
            es.Dense("pool", "out", rng.normal(0.2, 0.3, size=(18, 4))),
            es.Dense("avg", "out", rng.normal(0.2, 0.3, size=(18, 4))),
        ],
    )  # fmt: skip


def test_images_come_back(tmp_path, rng):
    net = image_net(rng, np.repeat([0.3, 0.6], 36))
    loaded = es.load(es.save_nir(tmp_path / "net.nir", net))[0]
    assert [type(link).__name__ for link in loaded.projections] == [
        "Conv2d", "SumPool2d", "AvgPool2d", "Dense", "Dense",
    ]  # fmt: skip
    assert [p.shape for p in loaded] == [p.shape for p in net]
    same_spikes(run(net), run(loaded), exact=False)
    with pytest.raises(UnsupportedNetwork, match="'conv': i_bias: expected one value for each"):
        es.save_nir(tmp_path / "bias.nir", image_net(rng, rng.random(72)))


def test_square_kernels_pass_the_check_of_types(tmp_path, rng):
    net = es.Network(
        [es.Input("in", (1, 6, 6)), es.Population("conv", (2, 4, 4), tau_mem=1e-2)],
        [es.Conv2d("in", "conv", rng.normal(0.4, 0.4, size=(2, 1, 3, 3)))],
    )
    same_spikes(run(net), run(round_trip(tmp_path, net)), exact=True)


def test_receptors_come_back(tmp_path, rng):
    net = es.Network(
        [
            es.Input("in", 5),
            es.Population("a", 4, tau_mem=1e-2, tau_syn=3e-3, r=1.5, i_bias=0.2, v_threshold=0.5),
            es.Population("read", 2, tau_mem=2e-2, tau_syn=[[2e-3, 4e-3]], v_threshold=math.inf),
        ],
        [
            es.Dense("in", "a", rng.normal(1.0, 1.0, size=(5, 4)), receptor=0),
            es.Dense("a", "a", -rng.random((4, 4)), receptor=0, delay=1e-3),
            es.Dense("a", "read", rng.normal(size=(4, 2)), receptor=0),
        ],
    )
    loaded = round_trip(tmp_path, net)
    for link in net.projections:
        pair = link.source, link.target
        assert np.array_equal(matrix(net, *pair), matrix(loaded, *pair))
    assert loaded["read"].receptor_times.tolist() == [[2e-3, 4e-3]]
    same_spikes(run(net), run(loaded), exact=False)


def pair(link=None, **parameters):
    """An Input and one population."""
    values = {"tau_mem": 1e-2, **parameters}
    link = link or es.Dense("in", "out", np.full((2, 2), 0.6))
    return es.Network([es.Input("in", 2), es.Population("out", 2, **values)], [link])


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (pair(t_ref=1e-3), r"'out': t_ref: expected 0"),
        (pair(reset="subtract"), r"'out': reset: expected 'value'"),
        (pair(reset="subtract", multi_spike=True), r"'out': reset: expected 'value'"),
        (pair(v_init=0.5), r"'out': v_init: expected v_leak"),
        (pair(adapt_beta=0.1, tau_adapt=0.1), r"'out': adapt_beta, ahp_jump"),
        (pair(es.Dense("in", "out", np.full((2, 2), 0.6), spread=1e-3)), r"spread: expected 0"),
    ],
)
def test_what_nir_cannot_hold_is_refused_or_noted(tmp_path, net, words):
    with pytest.raises(UnsupportedNetwork, match=words) as error:
        es.save_nir(tmp_path / "net.nir", net)
    assert "lossy=True" in str(error.value)
    assert not (tmp_path / "net.nir").exists()
    loaded = round_trip(tmp_path, net, lossy=True)
    assert loaded.fingerprint() == net.fingerprint()
    noted = nir.read(tmp_path / "net.nir").metadata["eventsim_lost"]
    assert re.search(words, noted)


def max_pooled():
    return es.Network(
        [es.Input("in", (1, 2, 2)), es.Relay("pool", (1, 1, 1))],
        [es.MaxPool2d("in", "pool", 2, rule="every_spike")],
    )


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (pair(tau_syn=[1e-3, 2e-3]), r"'out': tau_syn: expected at most one receptor"),
        (pair(tau_syn=1e-3), r"receptor: expected 0"),
        (pair(tau_mem=[1e-2, math.inf]), r"'out': tau_mem: expected all finite or all inf"),
        (pair(es.Dense("in", "out", np.ones((2, 2)), receptor=0), tau_mem=math.inf, tau_syn=1e-3),
         r"tau_mem: expected a finite one"),
        (max_pooled(), r"Relay 'pool': expected no max pooling"),
        (es.Network([es.Population("out", 1, tau_mem=1.0, i_bias=2.0)]), r"'out': i_bias"),
    ],
)  # fmt: skip
def test_what_no_note_can_save_is_refused(tmp_path, net, words):
    with pytest.raises(UnsupportedNetwork, match=words):
        es.save_nir(tmp_path / "net.nir", net, lossy=True)


def test_options_of_a_call_win_over_notes(tmp_path):
    path = es.save_nir(tmp_path / "net.nir", pair(t_ref=1e-3), lossy=True)
    loaded = es.load_nir(path, t_ref=2e-3, fires_at_equality=False, reset="subtract").network
    assert loaded["out"].t_ref == 2e-3
    assert loaded["out"].fires_at_equality is False
    assert loaded["out"].reset == "subtract"
    halved = es.load_nir(path, spike_area=0.5).network
    assert np.array_equal(matrix(halved, "in", "out"), np.full((2, 2), 0.3))


def test_a_noted_rule_of_another_reset_is_dropped(tmp_path):
    noted = pair(reset="subtract", multi_spike=True)
    path = es.save_nir(tmp_path / "net.nir", noted, lossy=True)
    neurons = es.load_nir(path, reset="value").network["out"]
    assert (neurons.reset, neurons.multi_spike) == ("value", False)
    with pytest.raises(FileError, match="multi_spike"):
        es.load_nir(path, reset="value", multi_spike=True)


def test_biases_without_a_matrix_get_one_of_zeros(tmp_path):
    net = es.Network(
        [es.Input("in", 2), es.Population("a", 2, tau_mem=1e-2, i_bias=[0.5, 1.5])],
        [es.Sparse("in", "a", [0, 1], [0, 1], [0.5, 0.4])],
    )
    loaded = round_trip(tmp_path, net)
    assert len(loaded.projections) == 1
    assert loaded["a"].i_bias == pytest.approx([0.5, 1.5])
    same_spikes(run(net), run(loaded), exact=False)


def test_an_existing_file_stays(tmp_path):
    path = es.save_nir(tmp_path / "net.nir", pair())
    with pytest.raises(FileError, match="overwrite"):
        es.save_nir(path, pair())
    es.save_nir(path, pair(), overwrite=True)
    with pytest.raises(InvalidType, match="expected a Network"):
        es.save_nir(tmp_path / "b.nir", 3)


def test_a_graph_in_memory_can_be_written_by_nir(tmp_path):
    nir.write(tmp_path / "net.nir", to_nir(pair()))
    assert es.load(tmp_path / "net.nir")[0].fingerprint() == pair().fingerprint()


# Command line


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_info_prints_the_table(file):
    shown = invoke("info", file, "--dt", "1ms", "--reset", "subtract")
    assert shown.exit_code == 0, shown.output
    for word in ("n1", "Dense", "area of a spike", "0.001 s (one step)", "subtracted", "output"):
        assert word in shown.stdout


def test_info_refuses_in_one_line(file):
    shown = invoke("info", file)
    assert shown.exit_code == 2
    assert shown.stdout == ""
    assert shown.stderr.startswith("error: ")
    assert len(shown.stderr.strip().splitlines()) == 1
    for word in (str(file), "'n1'", "spike_area", "dt"):
        assert word in shown.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [("--dt", "1"), ("--spike-area", "big"), ("--time-unit", "h"), ("--reset", "zero")],
)
def test_bad_options_are_named(file, option, value):
    shown = invoke("info", file, option, value)
    assert shown.exit_code == 2
    assert option in shown.stderr


def test_simulate_takes_nir(file, tmp_path):
    (tmp_path / "spikes.csv").write_text("times,senders\n0.001,0\n0.002,0\n0.003,1\n")
    out = tmp_path / "run.h5"
    arguments = ["simulate", file, tmp_path / "spikes.csv", "--t-stop", "10 ms", "-o", out]
    done = invoke(*arguments, "--dt", "1 ms", "--fires-at-equality")
    assert done.exit_code == 0, done.output
    assert es.load_result(out).spikes["n1"].times.tolist() == [1e-3, 2e-3, 3e-3]
    strict = invoke(*arguments, "--spike-area", "0.001", "--overwrite")
    assert strict.exit_code == 0, strict.output
    assert es.load_result(out).spikes["n1"].times.tolist() == [2e-3]


def test_validate_says_what_nir_lacks(file, tmp_path):
    np.savez(tmp_path / "images.npz", images=np.zeros((2, 2), np.uint8), labels=[0, 1])
    done = invoke("validate", file, "--data", tmp_path / "images.npz", "--dt", "1ms")
    assert done.exit_code == 2
    assert "discretization" in done.stderr and "NIR" in done.stderr
