"""The limit of this machine for the same synaptic events: rows added, decayed and compared.

Each spike that the exact run has is one pass ``v = v d + w`` and ``v >= theta`` over each of its
weight rows, by a plain loop: no queue, no spikes, no refractoriness. A dense row is as long as its
target; a row of a convolution holds the output channels of one pixel. A blocked engine can come
out faster, because it reuses weights from a nearer cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from benchmarks.contender import Contender
from benchmarks.workloads import Workload
from eventsim.jit import njit

__all__ = ["roofline"]


class _Pass(NamedTuple):
    """Rows of one projection in order of use, and the states that they reach."""

    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    weights: NDArray[np.float64]  # [row, lane]
    states: NDArray[np.float64]  # [place, lane]


@njit
def _axpy(rows, places, weights, states, decay, theta):
    high = 0
    for k in range(rows.size):
        row, place = rows[k], places[k]
        for j in range(weights.shape[1]):
            x = states[place, j] * decay + weights[row, j]
            states[place, j] = x
            high += x >= theta
    return high


def _dense(link: es.Dense, senders: NDArray[np.int64]) -> _Pass:
    weights = np.array(link.weight, dtype=np.float64)
    return _Pass(senders, np.zeros_like(senders), weights, np.zeros((1, weights.shape[1])))


def _conv(link: es.Conv2d, shape: tuple[int, ...], senders: NDArray[np.int64]) -> _Pass:
    """Rows of a convolution with stride 1, dilation 1 and one group."""
    channels, height, width = shape
    out, _, k_y, k_x = link.weight.shape
    _, out_y, out_x = link.output_shape(shape)
    channel, y, x = np.unravel_index(senders, shape)
    a, b = (g.reshape(-1) for g in np.mgrid[:k_y, :k_x])
    row = (a * k_x + b) * channels + channel[:, None]
    to_y = y[:, None] + link.padding[0] - a
    to_x = x[:, None] + link.padding[1] - b
    inside = (to_y >= 0) & (to_y < out_y) & (to_x >= 0) & (to_x < out_x)
    weights = np.ascontiguousarray(link.weight.transpose(2, 3, 1, 0), dtype=np.float64)
    place = to_y * out_x + to_x
    states = np.zeros((out_y * out_x, out))
    return _Pass(row[inside], place[inside], weights.reshape(-1, out), states)


def roofline(work: Workload, samples: int) -> Contender:
    """Contender that adds the weight rows of the first samples."""
    results = es.simulate(work.net, work.inputs(samples), work.t_stop)
    assert isinstance(results, es.Results)
    passes = []
    for link in work.net.projections:
        senders = [result.spikes[link.source].senders for result in results]
        for each in senders:
            if isinstance(link, es.Dense):
                passes.append(_dense(link, each))
            elif isinstance(link, es.Conv2d):
                passes.append(_conv(link, work.net[link.source].shape, each))

    def run() -> int:
        for p in passes:
            _axpy(*p, 0.999, 1e300)
        return sum(p.rows.size * p.weights.shape[1] for p in passes)

    return Contender("axpy roofline", samples, run)
