"""Projections against torch, and their fan-outs."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

import eventsim as es


def dense_matrix(link, source, target) -> np.ndarray:
    """All fan-outs as a matrix [pre, post]."""
    n_pre, n_post = int(np.prod(source)), int(np.prod(target))
    matrix = np.zeros((n_pre, n_post))
    synapses = 0
    for i in range(n_pre):
        post, weight, delay = link.fan_out(i, source, target)
        assert np.all(np.diff(post) > 0)
        assert np.array_equal(delay, np.full(post.shape, link.delay))
        matrix[i, post] = weight
        synapses += len(post)
    assert synapses == link.n_synapses(source, target)
    return matrix


sizes = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(
    st.integers(0, 2**31),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(1, 2),
    sizes,
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_conv2d_is_that_of_torch(
    seed, groups, per_in, per_out, size, kernel, stride, padding, dilation
):
    fits = zip(size, kernel, padding, dilation, strict=True)
    if any(n + 2 * p <= d * (k - 1) for n, k, p, d in fits):
        return
    rng = np.random.default_rng(seed)
    source = (groups * per_in, *size)
    weight = rng.normal(size=(groups * per_out, per_in, *kernel))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    link = es.Conv2d("a", "b", weight, **options, delay=0.5)
    images = torch.eye(int(np.prod(source)), dtype=torch.float64).reshape(-1, *source)
    expected = torch.nn.functional.conv2d(images, torch.from_numpy(weight), **options)
    target = link.output_shape(source)
    assert target == tuple(expected.shape[1:])
    assert np.array_equal(dense_matrix(link, source, target), expected.flatten(start_dim=1).numpy())


@given(
    st.integers(1, 2),
    sizes,
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)) | st.none(),
    st.booleans(),
)
def test_pools_are_those_of_torch(channels, size, kernel, stride, padded):
    padding = tuple(k // 2 if padded else 0 for k in kernel)
    if any(n + 2 * p < k for n, k, p in zip(size, kernel, padding, strict=True)):
        return
    source = (channels, *size)
    images = torch.eye(int(np.prod(source)), dtype=torch.float64).reshape(-1, *source)
    average = torch.nn.functional.avg_pool2d(images, kernel, stride, padding)
    target = tuple(average.shape[1:])
    wanted = average.flatten(start_dim=1).numpy()
    options = {"stride": stride, "padding": padding, "delay": 0.25}
    avg = es.AvgPool2d("a", "b", kernel, weight=2.0, **options)
    assert avg.output_shape(source) == target
    assert np.allclose(dense_matrix(avg, source, target), 2.0 * wanted, rtol=1e-15, atol=0)
    total = es.SumPool2d("a", "b", kernel, **options)
    assert np.array_equal(dense_matrix(total, source, target), (wanted > 0).astype(float))
    largest = es.MaxPool2d("a", "b", kernel, **options)
    assert np.array_equal(dense_matrix(largest, source, target), (wanted > 0).astype(float))


def test_fan_out_of_dense_and_sparse():
    dense = es.Dense("a", "b", [[1.0, 2.0], [3.0, 4.0]], delay=[[0.0, 0.1], [0.2, 0.3]])
    post, weight, delay = dense.fan_out(1, (2,), (2,))
    assert (post.tolist(), weight.tolist(), delay.tolist()) == ([0, 1], [3.0, 4.0], [0.2, 0.3])
    sparse = es.Sparse("a", "b", [1, 0, 1, 1], [2, 0, 0, 2], [1.0, 2.0, 3.0, 4.0])
    post, weight, delay = sparse.fan_out(1, (3,), (3,))
    assert (post.tolist(), weight.tolist()) == ([0, 2, 2], [3.0, 1.0, 4.0])
    assert delay.tolist() == [0.0] * 3
    assert sparse.fan_out(2, (3,), (3,))[0].size == 0
    assert sparse.n_synapses((3,), (3,)) == sparse.n_parameters == 4
