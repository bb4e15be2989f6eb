"""The limit of this machine for the same synaptic events: rows added, decayed and compared.

Each spike that the exact run has is one pass ``v = v d + w`` and ``v >= theta`` over each of its
weight rows: no queue, no sorting, no spikes, no refractoriness, and one decay factor known from the
start. A dense projection is done as fast as we know how: a block of 32 neurons, whose state stays
in registers, takes the rows of all samples, and then the next block, so that the weights of a block
come from a near cache. A row of a convolution, which holds the output channels of one pixel, is
added by a plain loop to states in memory, in the order of the spikes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from benchmarks.contender import Contender
from benchmarks.workloads import Workload
from eventsim.jit import njit
from eventsim.vectors import BLOCK, any_at_least, fma, load, on_cache_lines, splat

__all__ = ["roofline"]


class _Blocks(NamedTuple):
    """Rows of a dense projection in order of use."""

    rows: NDArray[np.int64]
    weights: NDArray[np.float64]  # [block, row, lane]


class _Pass(NamedTuple):
    """Rows of a convolution in order of use, and the states that they reach."""

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


@njit
def _in_registers(rows, weights, size, decay, theta):
    high = 0
    for at in range(0, weights.size, size):
        x = splat(0.0)
        for row in rows:
            x = fma(x, splat(decay), load(weights, at + BLOCK * row))
            high += any_at_least(x, splat(theta))
    return high


def _dense(link: es.Dense, senders: list[NDArray[np.int64]]) -> _Blocks:
    n_rows, n = link.weight.shape
    weights = on_cache_lines(-(-n // BLOCK), n_rows, BLOCK)
    for k, block in enumerate(weights):
        part = link.weight[:, k * BLOCK : (k + 1) * BLOCK]
        block[:, : part.shape[1]] = part
    return _Blocks(np.concatenate(senders), weights)


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
    blocks: list[tuple[_Blocks, int]] = []
    passes: list[_Pass] = []
    for link in work.net.projections:
        senders = [result.spikes[link.source].senders for result in results]
        if isinstance(link, es.Dense):
            blocks.append((_dense(link, senders), link.weight.shape[1]))
        elif isinstance(link, es.Conv2d):
            passes += [_conv(link, work.net[link.source].shape, each) for each in senders]

    def run() -> int:
        for b, _ in blocks:
            _in_registers(b.rows, b.weights.reshape(-1), b.weights[0].size, 0.999, 1e300)
        for p in passes:
            _axpy(*p, 0.999, 1e300)
        events = sum(b.rows.size * n for b, n in blocks)
        return events + sum(p.rows.size * p.weights.shape[1] for p in passes)

    return Contender("axpy roofline", samples, run)
