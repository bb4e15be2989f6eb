"""Arrivals at the neurons of the scanning engine: sums in the frame, slack, and lists."""

from __future__ import annotations

from math import exp

import numpy as np

from eventsim.engine.scan_bounds import response_within, watch
from eventsim.jit import inner

__all__ = ["add", "note", "share_of"]


@inner
def share_of(cells, scan, share, time, link, end):
    """What a segment of a projection that arrives at ``time`` adds; what it takes of the slack."""
    g, row = cells.group_of[link], cells.row_of[link]
    past = time - scan.clock[0].frame
    share.time, share.row = time, row
    share.first = exp(past * cells.rate[g, 0])
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
    if scan.heads[w] < 0:
        scan.heads[w] = n
    else:
        arrived[scan.tails[w]].next = n
    scan.tails[w] = n
    scan.fine[w] -= max(weight * shares[s].raises, 0.0)


@inner
def add(scan, shares, s, takes, table, a, b, arrived, n):
    """Add a segment to its targets; returns the number of arrivals in lists."""
    share = shares[s]
    post, weights = table.post[a:b], table.weight[a:b]
    slack, membrane, first = scan.slack, scan.x[0], share.first
    current, own = scan.x[share.row], share.own
    for k in range(post.size):
        unit, weight = post[k], np.float64(weights[k])
        left = slack[unit] - max(weight * takes, 0.0)
        slack[unit] = left
        if left <= 0.0:
            note(scan, unit, weight, shares, s, arrived, n)
            n += 1
        membrane[unit] += weight * first
        if share.row > 0:
            current[unit] += weight * own
    return n
