"""Arrivals at the neurons of the scanning engine: sums in the frame, slack, and lists."""

from __future__ import annotations

from math import exp

import numpy as np

from eventsim.engine.scan_bounds import UNTOUCHED, keep_state, response_within, watch
from eventsim.jit import inlined, inner
from eventsim.vectors import prefetch

__all__ = ["add", "fetch", "note", "share_of"]

#: Synapses of a cache line, whose targets take four bytes each; and how many are fetched early.
_LINE, _FETCHED = 16, 512


@inner
def share_of(cells, scan, share, time, link, end):
    """What a segment of a projection that arrives at ``time`` adds; what it takes of the slack."""
    g, row = cells.group_of[link], cells.row_of[link]
    past = time - scan.clock[0].frame
    share.time, share.row = time, row
    share.first, share.own = exp(past * cells.rate[g, 0]), 0.0
    if row > 0:
        share.first *= -cells.scale[g, row]
        share.own = cells.scale[g, row] * exp(past * cells.rate[g, row])
    share.raises = response_within(cells, g, row, end - time)
    return response_within(cells, g, row, scan.clock[0].until - time)


@inner
def note(scan, unit, weight, shares, s, arrived, n):
    """Add an arrival to the list of a watched neuron, or of one that is watched from now on."""
    w = np.int64(scan.place[unit])
    if w < 0:
        w = watch(scan, unit, shares[s].time)
    arrived[n].weight, arrived[n].share, arrived[n].next = weight, s, -1
    if scan.heads[w] == UNTOUCHED:
        keep_state(scan, w)
    if scan.heads[w] < 0:
        scan.heads[w] = n
    else:
        arrived[scan.tails[w]].next = n
    scan.tails[w] = n
    scan.fine[w] -= max(weight * shares[s].raises, 0.0)


@inner
def fetch(table, segment):
    """Ask for the synapses of a segment, which will be needed soon: the first few hundred."""
    first, stop = table.first[segment], table.first[segment + 1]
    for k in range(first, min(stop, first + _FETCHED), _LINE):
        prefetch(table.post, k)
        prefetch(table.weight, k)


@inlined
def add(scan, shares, s, takes, table, a, b, arrived, n):
    """Add a segment to its targets; returns the number of arrivals in lists."""
    share = shares[s]
    first, own = share.first, share.own
    post, weights = table.post, table.weight
    slack, membrane, current = scan.slack, scan.x[0], scan.x[share.row]
    for k in range(np.uint64(a), np.uint64(b)):
        unit, weight = np.uint64(post[k]), np.float64(weights[k])
        left = slack[unit] - max(weight * takes, 0.0)
        slack[unit] = left
        if left <= 0.0:
            note(scan, np.int64(unit), weight, shares, s, arrived, n)
            n += 1
        membrane[unit] += weight * first
        current[unit] += weight * own
    return n
