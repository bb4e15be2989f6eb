"""A ring of windows: what is under way, by the window of time in which it arrives.

Window ``k`` is ``[start + k width, start + (k + 1) width)``, its ends float64 numbers. A segment
of synapses under way is put into the window that holds its arrival time; when its turn comes a
window gives all it has, sorted by (time, projection, source unit): the order in which the
arrivals of an instant are summed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.jit import inner, maker

__all__ = [
    "Calendar",
    "RING",
    "UNDER_WAY",
    "ahead",
    "begins",
    "coming",
    "empty_into",
    "in_order",
    "new_calendar",
    "put",
    "sort",
    "take",
    "window_of",
]

#: A segment under way. ``next`` leads to another of its window, -1 ends.
UNDER_WAY = np.dtype(
    [
        ("time", np.float64),
        ("segment", np.int64),
        ("times", np.int32),  # spikes of that time
        ("next", np.int32),
    ]
)
RING = np.dtype(
    [
        ("start", np.float64),
        ("width", np.float64),
        ("used", np.int64),  # entries ever used
        ("free", np.int64),  # first of those that are free again, -1 none
        ("held", np.int64),  # entries under way
    ]
)


#: So many entries are sorted by insertion, more by merging.
_FEW = 12


class Calendar(NamedTuple):
    """First and last entry of each window of the ring, and what is common to all."""

    heads: NDArray[np.int32]
    tails: NDArray[np.int32]
    ring: NDArray[np.void]  # one record


def new_calendar(start: float, width: float, longest: float) -> tuple[Calendar, NDArray[np.void]]:
    """An empty calendar for delays up to ``longest`` seconds, and its entries."""
    slots = int(np.ceil(longest / width)) + 3
    ring = np.zeros(1, dtype=RING)
    ring["start"], ring["width"], ring["free"] = start, width, -1
    none = np.full(slots, -1, dtype=np.int32)
    return Calendar(none, none.copy(), ring), np.zeros(64, dtype=UNDER_WAY)


@inner
def begins(ring, k):
    """Begin of window ``k``, which is the end of the one before."""
    return ring.start + k * ring.width


@inner
def window_of(ring, time):
    """The window that holds a time, whatever the division rounds to."""
    k = np.int64((time - ring.start) / ring.width)
    while begins(ring, k) > time:
        k -= 1
    while begins(ring, k + 1) <= time:
        k += 1
    return k


@maker
def ahead(calendar, entries, wanted):
    """The same entries with room for so many more."""
    ring = calendar.ring[0]
    if ring.held + wanted <= entries.size:
        return entries
    new = np.empty(2 * (ring.held + wanted) + 64, entries.dtype)
    for i in range(entries.size):
        new[i] = entries[i]
    return new


@inner
def put(calendar, entries, time, segment, times):
    """Put a segment under way; there must be room, see :func:`ahead`."""
    ring = calendar.ring[0]
    at = ring.free
    if at >= 0:
        ring.free = entries[at].next
    else:
        at = ring.used
        ring.used += 1
    ring.held += 1
    entry = entries[at]
    entry.time, entry.segment, entry.times, entry.next = time, segment, times, -1
    slot = window_of(ring, time) % calendar.heads.size
    last = calendar.tails[slot]
    if last < 0:
        calendar.heads[slot] = at
    else:
        entries[last].next = at
    calendar.tails[slot] = at


@inner
def _after(a, b, link):
    """Whether ``a`` comes after ``b``. Segments ascend with their source units."""
    if a.time != b.time:
        return a.time > b.time
    if link[a.segment] != link[b.segment]:
        return link[a.segment] > link[b.segment]
    return a.segment > b.segment


@inner
def coming(calendar, entries, k):
    """How many entries window ``k`` has."""
    n, at = np.int64(0), calendar.heads[k % calendar.heads.size]
    while at >= 0:
        n += 1
        at = entries[at].next
    return n


@inner
def empty_into(calendar, entries, k, found):
    """Empty window ``k`` into ``found``, in the order in which entries were put; their number."""
    ring, slot, n = calendar.ring[0], k % calendar.heads.size, np.int64(0)
    at = calendar.heads[slot]
    while at >= 0:
        found[n] = entries[at]
        entries[at].next = ring.free
        ring.free = at
        at = found[n].next
        n += 1
    ring.held -= n
    calendar.heads[slot] = calendar.tails[slot] = -1
    return n


@maker
def take(calendar, entries, k, link):
    """Empty window ``k``: its entries, sorted; ``link`` is the projection of each segment."""
    n = coming(calendar, entries, k)
    found, other = np.empty(n, entries.dtype), np.empty(n, entries.dtype)
    empty_into(calendar, entries, k, found)
    return in_order(found, other, link)


@inner
def _insert(found, spare, n, link):
    """Sort a few entries by insertion; ``spare`` has room for one."""
    for i in range(1, n):
        if _after(found[i - 1], found[i], link):
            spare[0] = found[i]
            k = i
            while k > 0 and _after(found[k - 1], spare[0], link):
                found[k] = found[k - 1]
                k -= 1
            found[k] = spare[0]


@inner
def _merge(a, stop, last, found, other, link):
    """Merge the runs ``[a, stop)`` and ``[stop, last)`` of ``found`` into ``other``."""
    b = stop
    for i in range(a, last):
        if b == last or (a < stop and not _after(found[a], found[b], link)):
            other[i] = found[a]
            a += 1
        else:
            other[i] = found[b]
            b += 1


@inner
def sort(found, other, ends, n, link):
    """Sort ``n`` entries by (time, projection, source unit).

    They come mostly in ascending runs, as spikes are put in order: runs are merged in pairs.
    ``other`` and ``ends`` have room for as many, and for one.
    """
    if n <= _FEW:
        _insert(found, other, n, link)
        return
    runs, passes, ends[0] = 0, 0, 0
    for i in range(1, n + 1):
        if i == n or _after(found[i - 1], found[i], link):
            runs += 1
            ends[runs] = i
    source, target = found, other
    while runs > 1:
        merged = 0
        for r in range(0, runs, 2):
            last = ends[min(r + 2, runs)]
            _merge(ends[r], ends[r + 1], last, source, target, link)
            merged += 1
            ends[merged] = last
        runs, passes = merged, passes + 1
        source, target = target, source
    if passes % 2 == 1:
        for i in range(n):
            found[i] = other[i]


@maker
def in_order(found, other, link):
    """Entries by (time, projection, source unit); ``other`` is as long, and is overwritten."""
    sort(found, other, np.empty(found.size + 1, np.int64), found.size, link)
    return found
