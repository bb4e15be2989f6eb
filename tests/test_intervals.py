"""Exponential numbers are exponential, in the body, at the edges of the layers and in the tail."""

from __future__ import annotations

import numpy as np
import pytest

from eventsim.engine import intervals
from eventsim.engine.intervals import STEP, exponential, mix
from eventsim.engine.poisson import following, later
from eventsim.jit import njit


@njit
def _numbers(n):
    out = np.empty(n)
    for i in range(n):
        out[i] = exponential(mix(np.uint64(i) * STEP))
    return out


@njit
def _of(bits):
    return exponential(bits)


@njit
def _train(key, rate, n):
    out = np.empty(n)
    time = 0.0
    for k in range(n):
        time = following(key, k, rate, time)
        out[k] = time
    return out


@njit
def _later(time, interval):
    return later(time, interval)


def test_quantiles_and_moments():
    x = np.sort(_numbers(4_000_000))
    # A thousand parts of the same chance, the last hundred of them cut ten times finer.
    tail = np.concatenate([np.arange(0.0, 0.9, 1e-3), np.arange(0.9, 1.0, 1e-4)])
    edges = np.append(-np.log1p(-tail), np.inf)
    counts = np.diff(np.searchsorted(x, edges))
    expected = x.size * -np.diff(np.exp(-edges))
    squares = np.sum((counts - expected) ** 2 / expected)
    assert abs(squares - counts.size) < 5 * np.sqrt(2 * counts.size)
    for k, factorial in ((1, 1), (2, 2), (3, 6)):
        spread = np.std(x**k) / np.sqrt(x.size)
        assert abs(np.mean(x**k) - factorial) < 5 * spread
    assert x[0] >= 0.0 and 14.0 < x[-1] < 25.0


def test_layers_cover_the_curve_with_equal_areas():
    x = np.append(intervals._WIDTH * 2.0**53, 0.0)
    heights = np.exp(-x)
    heights[0] = 0.0
    assert np.all(np.diff(x) < 0)
    areas = x[1:-1] * np.diff(heights[1:])
    assert areas == pytest.approx(np.full(255, areas[0]), rel=1e-9)
    assert x[0] * heights[1] == pytest.approx(areas[0], rel=1e-9)


def test_edges_of_a_layer():
    """The last place that is under the curve, and the first that is perhaps not."""
    for layer in (0, 1, 100, 254):
        inside = int(intervals._INSIDE[layer])
        under = _of(np.uint64(((inside - 1) << 11) | layer))
        assert under == (inside - 1) * intervals._WIDTH[layer]
        assert _of(np.uint64((inside << 11) | layer)) >= 0.0
    beyond = [_of(np.uint64((2**53 - 1 - k) << 11)) for k in range(1000)]
    assert min(beyond) > intervals._TAIL


def test_times_rise():
    assert np.all(np.diff(_train(np.uint64(1), 1e300, 1000)) > 0)
    assert np.all(np.diff(_train(np.uint64(7), 3.0, 100_000)) > 0)
    for time in (0.0, 1e-12, 1.0, 1.5, 2.0 - 2**-52, 1e9):
        assert _later(time, 0.0) > time
        assert _later(time, 0.25) == time + 0.25
