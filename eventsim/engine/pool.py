"""Kernel of the layered engine for max pooling of sorted spike trains."""

from __future__ import annotations

import numpy as np

from eventsim.engine.compiled import EVERY_SPIKE, FIRST_SPIKE
from eventsim.jit import inner, njit

__all__ = ["pool_spikes"]


@inner
def _sort(units, first, stop):
    """Insertion sort: sources come in order, so that windows nearly do."""
    for i in range(first + 1, stop):
        unit = units[np.uintp(i)]
        k = i
        while k > first and units[np.uintp(k - 1)] > unit:
            units[np.uintp(k)] = units[np.uintp(k - 1)]
            k -= 1
        units[np.uintp(k)] = unit


@inner
def _pool(
    times, senders, begin, stop, indptr, post, rule, window, closed, heard, best, mark, out_time,
    out_unit, found,
):  # fmt: skip
    """One sample; ``mark`` holds the last instant (its first spike) at which a window passed."""
    while begin < stop:
        end = begin
        now = times[begin]
        while end < stop and times[end] == now:
            end += 1
        if rule != FIRST_SPIKE:
            for i in range(begin, end):
                sender = np.uintp(senders[i])
                heard[sender] += 1
                for k in range(indptr[sender], indptr[sender + np.uintp(1)]):
                    unit = np.uintp(post[k])
                    best[unit] = max(best[unit], heard[sender])
        first = found
        for i in range(begin, end):
            sender = np.uintp(senders[i])
            for k in range(indptr[sender], indptr[sender + np.uintp(1)]):
                unit = np.uintp(post[k])
                if rule == FIRST_SPIKE:
                    passes = now >= closed[unit]
                else:
                    passes = rule == EVERY_SPIKE or heard[sender] >= best[unit]
                if passes and mark[unit] != begin:
                    mark[unit] = begin
                    out_time[found], out_unit[found] = now, unit
                    found += 1
        for i in range(first, found):
            closed[np.uintp(out_unit[i])] = now + window
        _sort(out_unit, first, found)
        begin = end
    return found


@njit
def pool_spikes(times, senders, pointer, indptr, post, n, rule, window):
    """Times and windows of the spikes that pass (:class:`eventsim.MaxPool2d`), and where samples
    begin among them; ``pointer`` says so of what comes in.
    """
    closed, best = np.empty(n), np.empty(n, np.int64)
    heard, mark = np.empty(indptr.size - 1, np.int64), np.full(n, -1, np.int64)
    size = 0
    for i in range(times.size):
        size += indptr[senders[i] + 1] - indptr[senders[i]]
    out_time, out_unit = np.empty(size), np.empty(size, np.int64)
    bounds = np.zeros(pointer.size, np.int64)
    found = np.int64(0)
    for sample in range(pointer.size - 1):
        closed[:], heard[:], best[:] = -np.inf, 0, 0
        found = _pool(
            times, senders, pointer[sample], pointer[sample + 1], indptr, post, rule, window,
            closed, heard, best, mark, out_time, out_unit, found,
        )  # fmt: skip
        bounds[sample + 1] = found
    return out_time[:found].copy(), out_unit[:found].copy(), bounds
