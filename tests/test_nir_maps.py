"""Linear nodes of a NIR graph: matrices, convolutions, pools, delays, and chains of them."""

from __future__ import annotations

import math

import nir
import numpy as np
import pytest
import torch
from torch.nn import functional

import eventsim as es
from eventsim.errors import UnsupportedNetwork
from eventsim.load import nir_maps
from tests.nir_graphs import DT, by_torch, chain, filled, graph_of, lif, matrix, pool

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
