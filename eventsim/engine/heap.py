"""Binary heaps on flat arrays.

The queue engine and the windowed one use both. The *indexed* heap holds at most one entry for each
neuron, its next own event, and can move or remove it (decrease-key). The *pending* heap holds
deliveries that are under way: one entry for each row of synapses, never one for each synapse.

Keys are ordered completely, so what comes out never depends on how entries came in: by (time,
neuron) in the indexed heap, by (time, projection, source, kind, origin, synapse) in the other.
"""

from __future__ import annotations

import numpy as np

from eventsim.jit import inner

__all__ = ["PENDING", "copy", "fill", "index_move", "pending_pop", "pending_push"]

#: A delivery, made `times` times: the row of `source` in `link` from synapse `first` on, which
#: was emitted at `origin`. Kind: 0 arrival, 1 end of a pulse.
PENDING = np.dtype(
    [
        ("time", np.float64),
        ("origin", np.float64),
        ("link", np.int64),
        ("source", np.int64),
        ("first", np.int64),
        ("kind", np.int64),
        ("times", np.int64),
    ]
)


@inner
def _before(units, i, j):
    a, b = units[i].next_time, units[j].next_time
    return a < b or (a == b and i < j)


@inner
def _up(index, units, k):
    unit = index[k]
    while k > 0:
        parent = (k - 1) >> 1
        if not _before(units, unit, index[parent]):
            break
        index[k] = index[parent]
        units[index[k]].where = k
        k = parent
    index[k] = unit
    units[unit].where = k


@inner
def _down(index, size, units, k):
    unit = index[k]
    while True:
        child = 2 * k + 1
        if child >= size:
            break
        if child + 1 < size and _before(units, index[child + 1], index[child]):
            child += 1
        if not _before(units, index[child], unit):
            break
        index[k] = index[child]
        units[index[k]].where = k
        k = child
    index[k] = unit
    units[unit].where = k


@inner
def index_move(index, size, units, unit, time):
    """Give ``unit`` the next event at ``time``, infinity for none; returns the heap's size."""
    k = units[unit].where
    if k < 0 and time == np.inf:
        return size
    units[unit].next_time = time
    if k < 0:
        index[size] = unit
        _up(index, units, size)
        return size + 1
    if time == np.inf:
        size -= 1
        last = index[size]
        units[unit].where = -1
        if last == unit:
            return size
        index[k] = last
        units[last].where = k
        unit = last
    _up(index, units, k)
    _down(index, size, units, units[unit].where)
    return size


@inner
def _earlier(a, b):
    if a.time != b.time:
        return a.time < b.time
    if a.link != b.link:
        return a.link < b.link
    if a.source != b.source:
        return a.source < b.source
    if a.kind != b.kind:
        return a.kind > b.kind
    if a.origin != b.origin:
        return a.origin < b.origin
    return a.first < b.first


@inner
def fill(entry, time, origin, link, source, first, kind, times):
    """Set all fields of a delivery."""
    entry.time = time
    entry.origin = origin
    entry.link = link
    entry.source = source
    entry.first = first
    entry.kind = kind
    entry.times = times


@inner
def copy(target, origin):
    """Copy all fields of a delivery."""
    fill(
        target,
        origin.time,
        origin.origin,
        origin.link,
        origin.source,
        origin.first,
        origin.kind,
        origin.times,
    )


@inner
def pending_push(heap, k, time, origin, link, source, first, kind, times):
    """Add a delivery to a heap of ``k``, which has room for it and a spare entry at its end."""
    spare = heap[heap.size - 1]
    fill(spare, time, origin, link, source, first, kind, times)
    while k > 0:
        parent = (k - 1) >> 1
        if not _earlier(spare, heap[parent]):
            break
        copy(heap[k], heap[parent])
        k = parent
    copy(heap[k], spare)


@inner
def pending_pop(heap, size, out):
    """Remove the first of ``size`` deliveries and copy it to ``out``."""
    copy(out, heap[0])
    n = size - 1
    if n == 0:
        return
    last = heap[n]
    k = 0
    while True:
        child = 2 * k + 1
        if child >= n:
            break
        if child + 1 < n and _earlier(heap[child + 1], heap[child]):
            child += 1
        if not _earlier(heap[child], last):
            break
        copy(heap[k], heap[child])
        k = child
    copy(heap[k], last)
