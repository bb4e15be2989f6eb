"""Pooling without neurons, folded into the weights of the layer behind it, against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from eventsim.errors import UnsupportedNetwork
from eventsim.load.folding import TilingPool, fold_conv2d, fold_linear
from tests.described import POOL, linear, make


def drive(net, x):
    """Charge that spikes ``x`` of the input bring to each neuron of the next population."""
    rows = net.projections[0].rows(net["in"].shape, net["out"].shape)
    spikes = np.repeat(x.reshape(-1), np.diff(rows.indptr))
    total = np.bincount(rows.post, spikes * rows.weight, minlength=net["out"].n)
    return total.reshape(net["out"].shape)


@st.composite
def pooled_convolutions(draw):
    pools = draw(
        st.lists(st.tuples(st.sampled_from("as"), st.integers(1, 3)), min_size=1, max_size=2)
    )
    kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    groups = draw(st.sampled_from([1, 2]))
    total = int(np.prod([k for _, k in pools]))
    size = total * draw(st.integers(kernel, kernel + 2))
    rest = draw(st.integers(0, total - 1))
    padding = draw(st.integers(0, kernel - 1)) if rest == 0 else 0
    return pools, kernel, stride, padding, groups, size + rest, draw(st.integers(0, 2**32 - 1))


@given(pooled_convolutions())
def test_folded_convolution_equals_torch(case):
    pools, kernel, stride, padding, groups, size, seed = case
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(4, 2 // groups, kernel, kernel))
    x = rng.integers(0, 2, size=(2, size, size)).astype(np.float64)
    layers = [
        {"name": f"p{k}", "kind": {"a": "avgpool2d", "s": "sumpool2d"}[kind], "kernel_size": w}
        for k, (kind, w) in enumerate(pools)
    ]
    layers.append({
        "name": "out", "kind": "conv2d", "weight": "w", "stride": stride, "padding": padding,
        "groups": groups,
    })  # fmt: skip
    net, _ = make(layers, {"w": weight}, x.shape)
    y = torch.from_numpy(x)[None]
    for kind, window in pools:
        y = nn.functional.avg_pool2d(y, window) * (window**2 if kind == "s" else 1)
    expected = nn.functional.conv2d(
        y, torch.from_numpy(weight), stride=stride, padding=padding, groups=groups
    )[0].numpy()
    assert net["out"].shape == expected.shape
    np.testing.assert_allclose(drive(net, x), expected, rtol=1e-12, atol=1e-11)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_folded_linear_layer_equals_torch(ky, kx, rest, seed):
    rng = np.random.default_rng(seed)
    shape = (2, 2 * ky + rest % ky, 3 * kx + rest % kx)
    weight = rng.normal(size=(3, 12))
    x = rng.integers(0, 2, size=shape).astype(np.float64)
    layers = [
        {"name": "pool", "kind": "avgpool2d", "kernel_size": [ky, kx]},
        {"name": "flat", "kind": "flatten"},
        linear(),
    ]
    net, _ = make(layers, {"w": weight}, shape)
    pooled = nn.functional.avg_pool2d(torch.from_numpy(x)[None], (ky, kx)).reshape(1, -1)
    expected = nn.functional.linear(pooled, torch.from_numpy(weight))[0].numpy()
    np.testing.assert_allclose(drive(net, x), expected, rtol=1e-12, atol=1e-11)


def test_folding_keeps_float32_only_where_that_is_exact():
    weight = np.ones((1, 1, 1, 1), np.float32) / np.float32(3)
    for window, dtype in ((2, np.float32), (3, np.float64)):
        pool = TilingPool((window, window), 1 / window**2)
        folded, _, _ = fold_conv2d("conv", weight, (1, 1), (0, 0), (1, 1), pool, (6, 6))
        assert folded.dtype == dtype
        flat = fold_linear(np.full((1, 4), weight[0, 0, 0, 0]), pool, (1, 2 * window, 2 * window))
        assert flat.dtype == dtype


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        ([POOL | {"stride": 1}, linear()], (1, 4, 4), "'pool' .*: windows: expected stride equal"),
        ([POOL | {"padding": 1}, linear()], (1, 4, 4), "windows: expected .* no padding"),
        ([POOL], (1, 4, 4), "'pool' .*: neurons: expected some in the last layer"),
        ([POOL, {"name": "m", "kind": "maxpool2d", "kernel_size": 2}], (1, 8, 8),
         "layer 'm' .*: input: expected spikes, got the output of layer 'pool'"),
        ([POOL, {"name": "c", "kind": "conv2d", "weight": "k", "dilation": 2}], (1, 8, 8),
         "layer 'c' .*: dilation: expected 1"),
        ([POOL, {"name": "c", "kind": "conv2d", "weight": "k", "padding": 1}], (1, 9, 8),
         "layer 'c' .*: padding: expected 0 .* leave a rest of 1 of 9"),
    ],
)  # fmt: skip
def test_pooling_that_cannot_be_folded(layers, shape, message):
    tensors = {"w": np.ones((1, 4)), "k": np.ones((1, 1, 2, 2))}
    with pytest.raises(UnsupportedNetwork, match=message):
        make(layers, tensors, shape)
