"""Spikes of a population in all samples of a batch: one run of arrays, sample after sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.jit import inner, njit
from eventsim.recording import SpikeTrain

__all__ = ["Batch", "in_order", "merge"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Sorted spikes of each sample; those of sample ``s`` begin at ``bounds[s]``."""

    times: NDArray[np.float64]
    senders: NDArray[np.int64]
    bounds: NDArray[np.int64]

    @classmethod
    def of(cls, trains: Sequence[SpikeTrain]) -> Batch:
        """Trains one after the other."""
        return cls(
            np.concatenate([train.times for train in trains]),
            np.concatenate([train.senders for train in trains]),
            np.cumsum([0, *map(len, trains)], dtype=np.int64),
        )

    def __len__(self) -> int:
        return self.bounds.size - 1

    def __getitem__(self, sample: int) -> SpikeTrain:
        part = slice(self.bounds[sample], self.bounds[sample + 1])
        # A copy, so that a result does not keep the spikes of the whole batch alive.
        return SpikeTrain.trusted(self.times[part].copy(), self.senders[part].copy())

    def counts(self, n: int) -> NDArray[np.int64]:
        """Spikes [sample, unit] of ``n`` units."""
        return _counts(self.senders, self.bounds, n)


@njit
def _counts(senders, bounds, n):
    counts = np.zeros((bounds.size - 1, n), np.int64)
    for sample in range(bounds.size - 1):
        for i in range(bounds[sample], bounds[sample + 1]):
            counts[sample, senders[i]] += 1
    return counts


@inner
def _not_after(a, b):
    if a.time != b.time:
        return a.time < b.time
    if a.row != b.row:
        return a.row < b.row
    return a.kind <= b.kind


@njit
def merge(a, a_bounds, b, b_bounds):
    """Merge two lists of operations, sorted in each sample; and their bounds."""
    out = np.empty(a.size + b.size, a.dtype)
    bounds = a_bounds + b_bounds
    for sample in range(bounds.size - 1):
        i, i_end = a_bounds[sample], a_bounds[sample + 1]
        j, j_end = b_bounds[sample], b_bounds[sample + 1]
        for k in range(bounds[sample], bounds[sample + 1]):
            entry = out[k]
            if j == j_end or (i < i_end and _not_after(a[i], b[j])):
                entry.time, entry.row, entry.kind = a[i].time, a[i].row, a[i].kind
                i += 1
            else:
                entry.time, entry.row, entry.kind = b[j].time, b[j].row, b[j].kind
                j += 1
    return out, bounds


@inner
def _sort(times, units, begin, end, spare_times, spare_units):
    """Sort by (time, unit) in place, merging runs of twice the length each time."""
    width = 1
    while width < end - begin:
        for low in range(begin, end - width, 2 * width):
            middle = low + width
            high = min(middle + width, end)
            if times[middle - 1] < times[middle]:
                continue
            for k in range(low, middle):
                spare_times[k - low], spare_units[k - low] = times[k], units[k]
            i, j = 0, middle
            for k in range(low, high):
                if i == width:
                    break
                later = j < high and (
                    times[j] < spare_times[i]
                    or (times[j] == spare_times[i] and units[j] < spare_units[i])
                )
                if later:
                    times[k], units[k] = times[j], units[j]
                    j += 1
                else:
                    times[k], units[k] = spare_times[i], spare_units[i]
                    i += 1
        width *= 2


@inner
def _distribute(times, units, begin, end, spare_times, spare_units, place):
    """Sort by (time, unit) in place: as many intervals of time as spikes, and each of them then.

    Where spikes are spread over time an interval holds one or two, so nothing is compared often.
    """
    n = end - begin
    least, most = times[begin], times[begin]
    for k in range(begin, end):
        least, most = min(least, times[k]), max(most, times[k])
        spare_times[k - begin], spare_units[k - begin] = times[k], units[k]
    scale = n / (most - least) if most > least else np.inf
    if scale == np.inf:
        _sort(times, units, begin, end, spare_times, spare_units)
        return
    place[: n + 1] = 0
    for k in range(n):
        place[min(np.int64((spare_times[k] - least) * scale), n - 1) + 1] += 1
    for k in range(n):
        place[k + 1] += place[k]
    for k in range(n):
        interval = min(np.int64((spare_times[k] - least) * scale), n - 1)
        at = begin + place[interval]
        place[interval] += 1
        times[at], units[at] = spare_times[k], spare_units[k]
    # Where an interval began its end is noted now.
    first = begin
    for interval in range(n):
        stop = begin + place[interval]
        if stop - first > 1:
            _sort(times, units, first, stop, spare_times, spare_units)
        first = stop


@njit
def in_order(found, n_buckets, pure):
    """Times and units of spikes by (bucket, time, unit), and where each bucket begins.

    Spikes are put into buckets in the order of discovery. ``pure``: that sorts them, because a
    bucket holds one time and units are found in order.
    """
    # Where bucket b is filled next stands at b + 1; in the end that is where b + 1 begins.
    at = np.zeros(n_buckets + 2, np.int64)
    for spike in found:
        at[spike.bucket + 2] += spike.times
    longest = np.int64(0)
    for bucket in range(n_buckets):
        longest = max(longest, at[bucket + 2])
        at[bucket + 2] += at[bucket + 1]
    times, units = np.empty(at[n_buckets + 1]), np.empty(at[n_buckets + 1], np.int64)
    for spike in found:
        for _ in range(spike.times):
            k = at[spike.bucket + 1]
            times[k], units[k] = spike.time, spike.unit
            at[spike.bucket + 1] = k + 1
    if pure:
        return times, units, at
    spare_times, spare_units = np.empty(longest), np.empty(longest, np.int64)
    place = np.empty(longest + 1, np.int64)
    for bucket in range(n_buckets):
        begin, end = at[bucket], at[bucket + 1]
        for k in range(begin + 1, end):
            if times[k] < times[k - 1] or (times[k] == times[k - 1] and units[k] < units[k - 1]):
                _distribute(times, units, begin, end, spare_times, spare_units, place)
                break
    return times, units, at
