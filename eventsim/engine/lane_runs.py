"""What a spike reaches, as runs: lanes that lie together, with weights that lie together.

Lanes of a convolution are ordered [group, y, x, channel of the group] and its kernel is stored
[input channel, tap y, tap x, channel of the group] with the taps of a row in descending order. A
spike at x reaches the targets (x + padding - b dilation) / stride with tap b: they ascend while b
descends, so with stride 1 a kernel row is one run over k_x pixels times all channels. With a larger
stride the taps of one phase, which a spike uses together, are stored together; a dilation that the
stride does not undo leaves runs of one pixel. Only the places of runs are tabulated, once for each
source pixel; the kernel is never unrolled. In other projections each synapse is a run.
"""

from __future__ import annotations

from math import gcd
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.projections import Rows
from eventsim.vectors import BLOCK, on_cache_lines

__all__ = ["Reach", "conv_layout", "conv_reach", "rows_reach"]

#: A run: its cells (of as many lanes as a group has channels), where its weights begin, and the
#: line of cells in which it lies.
RUN = np.dtype([(name, np.int32) for name in ("cell", "cells", "weight", "line")])

#: A source unit: its runs, and what is added to each of their fields.
SOURCE = np.dtype([(name, np.int32) for name in ("first", "stop", "cell", "weight", "line")])


class Reach(NamedTuple):
    """The runs of all source units."""

    runs: NDArray[Any]
    sources: NDArray[Any]
    weights: NDArray[np.float64]  # and BLOCK zeros, as kernels load blocks
    size: int  # lanes of a cell
    n_lines: int


def _on_lines(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights where a cache line begins, and BLOCK zeros."""
    out = on_cache_lines(weights.size + BLOCK)
    out[: weights.size] = weights.reshape(-1)
    return out


def rows_reach(rows: Rows) -> Reach:
    """Runs of single lanes. Synapses between the same two units, which lie together, are summed."""
    row = np.repeat(np.arange(rows.indptr.size - 1), np.diff(rows.indptr))
    other = (np.diff(row) != 0) | (np.diff(rows.post) != 0)
    begins = np.flatnonzero(np.concatenate(([True], other))[: row.size])
    runs = np.zeros(begins.size, RUN)
    runs["cell"] = runs["line"] = rows.post[begins]
    runs["cells"] = 1
    runs["weight"] = np.arange(begins.size)
    sources = np.zeros(rows.indptr.size - 1, SOURCE)
    bounds = np.searchsorted(row[begins], np.arange(sources.size + 1))
    sources["first"], sources["stop"] = bounds[:-1], bounds[1:]
    weights = np.add.reduceat(rows.weight, begins) if begins.size else np.zeros(0)
    return Reach(runs, sources, _on_lines(weights), 1, int(rows.post.max(initial=-1)) + 1)


def _axis(n_in: int, n_out: int, k: int, stride: int, padding: int, dilation: int) -> Any:
    """Along one axis: order in which taps are stored, and (source, target, place of the tap)."""
    phases = stride // gcd(stride, dilation)
    taps = [b for phase in range(phases) for b in range(k - 1, -1, -1) if b % phases == phase]
    place = {tap: i for i, tap in enumerate(taps)}
    hits = [
        (u, (u + padding - b * dilation) // stride, place[b])
        for u in range(n_in)
        for b in range(k - 1, -1, -1)
        if (u + padding - b * dilation) % stride == 0
        and 0 <= (u + padding - b * dilation) // stride < n_out
    ]
    return taps, np.array(hits, dtype=np.int64).reshape(-1, 3).T


def conv_layout(link: Any) -> NDArray[np.int64]:
    """Unit of each lane: [group, y, x, channel of the group]."""
    pixels = int(link["out_y"] * link["out_x"])
    units = np.arange(int(link["out_c"]) * pixels).reshape(link["groups"], -1, pixels)
    return units.transpose(0, 2, 1).reshape(-1).copy()


def conv_reach(link: Any, weight: NDArray[np.float64]) -> Reach:
    """Runs of a convolution: its compiled geometry, and its kernel [out, in / groups, y, x]."""
    groups, out_y, out_x = int(link["groups"]), int(link["out_y"]), int(link["out_x"])
    in_y, in_x = int(link["in_y"]), int(link["in_x"])
    (taps_y, hits_y), (taps_x, (u, target, place)) = (
        _axis(*(int(link[f"{name}_{axis}"]) for name in ("in", "out", "k", "s", "p", "d")))
        for axis in "yx"
    )
    # Neighbours in space and in the kernel, seen from one source, belong to one run.
    joins = (np.diff(u) == 0) & (np.diff(target) == 1) & (np.diff(place) == 1)
    begins = np.flatnonzero(np.concatenate(([True], ~joins))[: u.size])
    cells = np.diff(np.append(begins, u.size))
    column_at = np.searchsorted(u[begins], np.arange(in_x + 1))
    parts, firsts = [np.zeros(0, RUN)], np.zeros((in_y, in_x + 1), np.int64)
    size = 0
    for y in range(in_y):
        _, target_y, place_y = hits_y[:, hits_y[0] == y]
        part = np.zeros((begins.size, target_y.size), RUN)
        part["cell"] = target_y * out_x + target[begins, None]
        part["cells"] = cells[:, None]
        part["weight"] = place_y * len(taps_x) + place[begins, None]
        part["line"] = target_y
        parts.append(part.reshape(-1))
        firsts[y] = size + column_at * target_y.size
        size += part.size
    runs = np.concatenate(parts)
    per_out = weight.shape[0] // groups
    runs["weight"] *= per_out
    kernel = weight.reshape(groups, per_out, *weight.shape[1:])[:, :, :, taps_y][..., taps_x]
    kernel = np.ascontiguousarray(kernel.transpose(0, 2, 3, 4, 1), dtype=np.float64)
    channel = np.repeat(np.arange(int(link["in_c"])), in_y * in_x)
    group = channel // weight.shape[1]
    sources = np.zeros(channel.size, SOURCE)
    sources["first"] = np.tile(firsts[:, :-1].reshape(-1), int(link["in_c"]))
    sources["stop"] = np.tile(firsts[:, 1:].reshape(-1), int(link["in_c"]))
    sources["cell"] = group * out_y * out_x
    sources["weight"] = channel * (kernel[0, 0].size)
    sources["line"] = group * out_y
    return Reach(runs, sources, _on_lines(kernel), per_out, groups * out_y)
