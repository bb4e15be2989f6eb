"""Kernel of the layered engine for max pooling of one sorted spike train."""

from __future__ import annotations

import numpy as np

from eventsim.engine.compiled import EVERY_SPIKE, FIRST_SPIKE
from eventsim.jit import njit

__all__ = ["pool_spikes"]


@njit
def pool_spikes(times, senders, indptr, post, n, rule, window):
    """Times and windows of the spikes that pass (:class:`eventsim.MaxPool2d`)."""
    closed = np.full(n, -np.inf)
    heard = np.zeros(indptr.size - 1, np.int64)
    best, mark = np.zeros(n, np.int64), np.full(n, -1, np.int64)
    size = 0
    for i in range(times.size):
        size += indptr[senders[i] + 1] - indptr[senders[i]]
    out_time, out_unit = np.empty(size), np.empty(size, np.int64)
    found = begin = 0
    while begin < times.size:
        end = begin
        now = times[begin]
        while end < times.size and times[end] == now:
            heard[senders[end]] += 1
            for k in range(indptr[senders[end]], indptr[senders[end] + 1]):
                best[post[k]] = max(best[post[k]], heard[senders[end]])
            end += 1
        first = found
        for i in range(begin, end):
            for k in range(indptr[senders[i]], indptr[senders[i] + 1]):
                unit = post[k]
                if rule == FIRST_SPIKE:
                    passes = now >= closed[unit]
                else:
                    passes = rule == EVERY_SPIKE or heard[senders[i]] >= best[unit]
                if passes and mark[unit] != begin:
                    mark[unit] = begin
                    out_time[found], out_unit[found] = now, unit
                    found += 1
        for i in range(first, found):
            closed[out_unit[i]] = now + window
        out_unit[first:found].sort()
        begin = end
    return out_time[:found].copy(), out_unit[:found].copy()
