"""Signals: what a row of a layer's or of neurons' input is made of, whatever the step.

A row is the input of one sample in one step. Its elements are taken apart into maps from units
of a source to units of the row, each with a lag in steps. Rows of different steps and samples
that have the same maps are the same signal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ANY", "Group", "Map", "Places", "Rows"]

Array = NDArray[Any]

#: Step or sample of what is the same in all steps or samples.
ANY = -1


@dataclass(frozen=True, eq=False)
class Map:
    """Synapses ``pre[k] -> post[k]`` of strength ``weight[k]``, sorted by (post, pre)."""

    pre: Array
    post: Array
    weight: Array
    size: int
    sources: int

    @property
    def key(self) -> bytes:
        """The same for equal maps."""
        parts = (self.pre, self.post, self.weight, np.array([self.size, self.sources]))
        return b"".join(part.tobytes() for part in parts)

    @property
    def one_to_one(self) -> bool:
        """Whether each unit gets that of its own number, and nothing else."""
        units = np.arange(self.size)
        same = self.size == self.sources == self.pre.size
        return same and bool((self.pre == units).all() and (self.post == units).all())

    @property
    def plain(self) -> bool:
        """Whether each unit gets just that of its own number."""
        return self.one_to_one and bool((self.weight == 1.0).all())


@dataclass(frozen=True)
class Group:
    """What of a row comes from one source, so many steps ago."""

    source: int
    lag: int
    map: Map


class Places:
    """For each label: source, unit, step and sample."""

    def __init__(self, size: int) -> None:
        self.source = np.full(size, -1, dtype=np.int32)
        self.unit = np.full(size, -1, dtype=np.int32)
        self.step = np.full(size, ANY, dtype=np.int32)
        self.sample = np.full(size, ANY, dtype=np.int32)

    def put(self, base: int, source: Array, step: Array, sample: Array, units: int) -> None:
        """Rows of ``units`` labels each, from label ``base`` on."""
        end = base + source.size * units
        self.source[base:end] = np.repeat(source, units)
        self.step[base:end] = np.repeat(step, units)
        self.sample[base:end] = np.repeat(sample, units)
        self.unit[base:end] = np.tile(np.arange(units, dtype=np.int32), source.size)


class Rows:
    """The rows of an input.

    Parameters
    ----------
    terms : list of (labels, coefficient)
        Arrays of labels, and a number or an array of the same shape.
    rows, units : int
        Number of rows, and of elements of each.
    places : Places
        Where the labels are.
    """

    def __init__(
        self, terms: list[tuple[Array, Any]], rows: int, units: int, places: Places
    ) -> None:
        shape = (len(terms), rows, units)
        self.labels = np.zeros(shape, dtype=np.int64)
        self.weight = np.zeros(shape)
        for k, (labels, coefficient) in enumerate(terms):
            self.labels[k] = labels.reshape(rows, units)
            c = np.asarray(coefficient)
            self.weight[k] = c.reshape(rows, units) if c.ndim else c
        self.there = self.labels > 0
        self.source = places.source[self.labels]
        self.unit = places.unit[self.labels]
        self.steps = places.step[self.labels]
        self.samples = places.sample[self.labels]
        self.units = units

    def step(self) -> Array:
        """The last step that each row knows of."""
        steps = np.where(self.there, self.steps, ANY)
        return steps.max(axis=(0, 2), initial=ANY)

    def sample(self) -> tuple[Array, Array]:
        """The sample of each row, and whether there is more than one."""
        known = self.there & (self.samples != ANY)
        highest = np.where(known, self.samples, ANY).max(axis=(0, 2), initial=ANY)
        lowest = np.where(known, self.samples, np.iinfo(np.int32).max)
        lowest = lowest.min(axis=(0, 2), initial=np.iinfo(np.int32).max)
        return highest, (highest != ANY) & (lowest != highest)

    def lags(self, step: Array) -> Array:
        """Steps between each element and its row."""
        fixed = ~self.there | (self.steps == ANY)
        return np.where(fixed, 0, step[None, :, None] - self.steps)

    def distinct(self, lags: Array) -> Iterator[Array]:
        """Numbers of the rows that are one signal, a signal at a time."""
        absent = ~self.there
        parts = (
            np.where(absent, -1, self.source),
            np.where(absent, -1, self.unit),
            lags,
            np.where(absent, 0.0, self.weight),
        )
        left = np.arange(self.labels.shape[1])
        while left.size:
            same = np.ones(left.size, dtype=bool)
            for part in parts:
                here = part[:, left]
                same &= (here == here[:, :1]).all(axis=(0, 2))
            yield left[same]
            left = left[~same]

    def groups(self, row: int, lags: Array, sizes: list[int]) -> tuple[Group, ...]:
        """The maps of one row; ``sizes`` has the number of units of each source."""
        there = self.there[:, row]
        post = np.broadcast_to(np.arange(self.units), there.shape)[there]
        source, pre = self.source[:, row][there], self.unit[:, row][there]
        lag, weight = lags[:, row][there], self.weight[:, row][there]
        order = np.lexsort((pre, post, lag, source))
        source, lag, pre = source[order], lag[order], pre[order]
        post, weight = post[order], weight[order]
        groups = []
        for a, b in _runs(source, lag):
            part = slice(a, b)
            starts = _begins(post[part], pre[part])
            strength = np.add.reduceat(weight[part], starts)
            kept = strength != 0.0
            if kept.any():
                found = Map(
                    pre[part][starts][kept].astype(np.int64),
                    post[part][starts][kept].astype(np.int64),
                    strength[kept],
                    self.units,
                    sizes[int(source[a])],
                )
                groups.append(Group(int(source[a]), int(lag[a]), found))
        return tuple(groups)


def _begins(*keys: Array) -> Array:
    """Where runs of equal keys begin."""
    new = np.zeros(keys[0].size, dtype=bool)
    new[:1] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)


def _runs(*keys: Array) -> Iterator[tuple[int, int]]:
    """Begin and end of the runs of equal keys."""
    begins = _begins(*keys).tolist()
    if begins:
        yield from zip(begins, [*begins[1:], keys[0].size], strict=True)
