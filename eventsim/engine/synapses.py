"""Synapses in the order in which a spike reaches them, in few bytes.

What one spike of a unit sends out is a row of *segments*: synapses of one projection that share a
delay. A spike at ``t`` puts whole segments under way, to arrive at the float64 sum ``t + delay``,
and never single synapses. A synapse takes 4 bytes for its target and 4 or 8 for its weight: 4
where every weight of the network is a float32 number; delays cost nothing but segments.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import read_only
from eventsim.jit import inner, njit
from eventsim.network import Network

__all__ = ["Synapses", "bytes_of", "synapses"]

#: A row with more different delays than this is sorted by comparing.
_FEW = 512
_HASH_BITS = 11
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class Synapses(NamedTuple):
    """All synapses of a network, but those of projections that were left out."""

    row: NDArray[np.int64]  # [unit + 1] segments of a source unit, by (delay, projection)
    delay: NDArray[np.float64]  # [segment] seconds
    link: NDArray[np.int32]  # [segment] projection, in network order
    first: NDArray[np.int64]  # [segment + 1] synapses
    post: NDArray[np.int32]  # [synapse] target in the numbering of all units, ascending
    weight: NDArray[Any]  # [synapse] float32 or float64


def bytes_of(table: Synapses) -> int:
    """Memory of the arrays."""
    return sum(array.nbytes for array in table)


class _Room(NamedTuple):
    """Room to count the different delays of a row."""

    table: NDArray[np.int32]  # where each of them is kept, by its bits
    values: NDArray[np.float64]
    begin: NDArray[np.int64]  # how many there are of each, then where they begin
    rank: NDArray[np.int32]  # their order
    spare: NDArray[np.int32]


class _Row(NamedTuple):
    """Room for the synapses of a row; links are as wide as targets."""

    post: NDArray[np.int32]
    weight: NDArray[Any]
    delay: NDArray[np.float64]


@njit
def _copy(pointer, post, weight, delay, link, first_unit, cursor, posts, weights, delays, links):
    """Put a projection's rows behind what their source units have already."""
    for row in range(pointer.size - 1):
        at = cursor[row]
        for k in range(pointer[row], pointer[row + 1]):
            posts[at] = first_unit + post[k]
            weights[at] = weight[k]
            delays[at] = delay[k] if delay.size > 1 else delay[0]
            links[at] = link
            at += 1
        cursor[row] = at


@inner
def _find(table, values, n, value):
    """Place of a value among ``n`` values that are kept in a hash table, or of the next one."""
    at = np.int64((np.float64(value).view(np.uint64) * _SPREAD) >> np.uint64(64 - _HASH_BITS))
    while table[at] >= 0 and values[table[at]] != value:
        at = (at + 1) % table.size
    if table[at] < 0:
        table[at] = n
    return np.int64(table[at])


@inner
def _order_of(values, n, order, other):
    """Stable order of ``n`` values: ever longer runs are merged in pairs."""
    for k in range(n):
        order[k] = k
    length = 1
    while length < n:
        for begin in range(0, n, 2 * length):
            i, middle = begin, min(begin + length, n)
            j, last = middle, min(begin + 2 * length, n)
            for k in range(begin, last):
                if j == last or (i < middle and values[order[i]] <= values[order[j]]):
                    other[k] = order[i]
                    i += 1
                else:
                    other[k] = order[j]
                    j += 1
        for k in range(n):
            order[k] = other[k]
        length *= 2


@inner
def _by_delay(delays, room, order, other):
    """Stable order of the delays of a row: by counting, where few of them differ."""
    n, distinct = delays.size, np.int64(0)
    for k in range(room.table.size):
        room.table[k] = -1
    for k in range(n):
        other[k] = _find(room.table, room.values, distinct, delays[k])
        if other[k] == distinct:
            if distinct == _FEW:
                _order_of(delays, n, order, other)
                return
            room.values[distinct] = delays[k]
            room.begin[distinct] = 0
            distinct += 1
        room.begin[other[k]] += 1
    _order_of(room.values, distinct, room.rank, room.spare)
    begin = 0
    for r in range(distinct):
        size = room.begin[room.rank[r]]
        room.begin[room.rank[r]] = begin
        begin += size
    for k in range(n):
        order[room.begin[other[k]]] = k
        room.begin[other[k]] += 1


@inner
def _rearrange(values, order, spare):
    """Put values in order; the places are those of a row."""
    for k in range(values.size):
        spare[k] = values[order[k]]
    for k in range(values.size):
        values[k] = spare[k]


@njit
def _sort(at, posts, weights, delays, links, counts, room, order, spare):
    """Sort each row by delay, keeping the order of projections and targets; count segments.

    ``order`` and ``spare`` are as long as the longest row.
    """
    for row in range(at.size - 1):
        a, b = at[row], at[row + 1]
        rising = True
        for k in range(a + 1, b):
            rising &= delays[k - 1] <= delays[k]
        if not rising:
            _by_delay(delays[a:b], room, order, spare.post)
            _rearrange(posts[a:b], order, spare.post)
            _rearrange(weights[a:b], order, spare.weight)
            _rearrange(delays[a:b], order, spare.delay)
            _rearrange(links[a:b], order, spare.post)
        for k in range(a, b):
            if k == a or delays[k] != delays[k - 1] or links[k] != links[k - 1]:
                counts[row] += 1


@njit
def _cut(at, begin, delays, links, n, delay, link, first):
    """Fill the table of segments from place ``n`` on, for synapses that begin at ``begin``."""
    for row in range(at.size - 1):
        a, b = at[row], at[row + 1]
        for k in range(a, b):
            if k == a or delays[k] != delays[k - 1] or links[k] != links[k - 1]:
                delay[n], link[n], first[n] = delays[k], links[k], begin + k
                n += 1


@lru_cache(maxsize=4)
def synapses(net: Network, skip: tuple[int, ...] = ()) -> Synapses:
    """The synapses of a network, kept for the last few networks, which are immutable.

    ``skip`` are projections, by their place in the network, that are left out.
    """
    offsets = np.cumsum([0, *(p.n for p in net.populations)])
    names = [p.name for p in net.populations]
    links = [(k, link) for k, link in enumerate(net.projections) if k not in skip]
    size = sum(net.synapses(link) for _, link in links)
    single = all(link.fits_float32 for _, link in links)
    post = np.zeros(size, dtype=np.int32)
    weight = np.zeros(size, dtype=np.float32 if single else np.float64)
    counts = np.zeros(int(offsets[-1]), dtype=np.int64)
    parts: list[tuple[NDArray[Any], ...]] = []
    room = _Room(
        np.zeros(1 << _HASH_BITS, np.int32),
        np.zeros(_FEW),
        np.zeros(_FEW, np.int64),
        np.zeros(_FEW, np.int32),
        np.zeros(_FEW, np.int32),
    )
    begin = 0
    for p, first_unit in zip(net.populations, offsets, strict=False):
        mine = [(k, link) for k, link in links if link.source == p.name]
        rows = [link.rows(p.shape, net[link.target].shape) for _, link in mine]
        at = np.zeros(p.n + 1, dtype=np.int64)
        for row in rows:
            at += row.indptr
        here = slice(begin, begin + int(at[-1]))
        delays, which = np.zeros(int(at[-1])), np.zeros(int(at[-1]), dtype=np.int32)
        cursor = at[:-1].copy()
        for k, link in mine:
            row = rows.pop(0)  # let go of one after the other
            first = int(offsets[names.index(link.target)])
            fixed = [read_only(array) for array in row]  # of one type, that it compiles once
            _copy(*fixed, k, first, cursor, post[here], weight[here], delays, which)
        own = counts[int(first_unit) : int(first_unit) + p.n]
        longest = np.diff(at).max(initial=0)
        order = np.zeros(longest, np.int32)
        spare = _Row(order.copy(), np.zeros(longest, weight.dtype), np.zeros(longest))
        _sort(at, post[here], weight[here], delays, which, own, room, order, spare)
        n = int(own.sum())
        part = (np.zeros(n), np.zeros(n, np.int32), np.zeros(n, np.int64))
        _cut(at, begin, delays, which, 0, *part)
        parts.append(part)
        begin = here.stop
    delay, link_of, first_of = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Synapses(
        np.concatenate(([0], np.cumsum(counts))),
        delay,
        link_of,
        np.append(first_of, size),
        post,
        weight,
    )
