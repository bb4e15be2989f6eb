"""Arrivals at the neurons of the scanning engine: sums in the frame, slack, and lists."""

from __future__ import annotations

import numpy as np

from eventsim.engine.scan_bounds import UNTOUCHED, keep_state, response_within, watch
from eventsim.jit import inlined, inner
from eventsim.vectors import prefetch

__all__ = ["add", "fetch", "growth", "note", "share_of"]

#: Synapses of a cache line, whose targets take four bytes each; and how many are fetched early.
_LINE, _FETCHED = 16, 512

#: ``1 / ln(2)``; what rounds a sum to a whole number, and leaves that in its last bits; ``ln(2)``
#: in 33 bits, so that a product with a whole number is exact, and the rest of it.
_DOUBLINGS, _SHIFT = 1.4426950408889634, 1.5 * 2.0**52
_LN2, _LN2_REST = 0.6931471804855391, 7.440617110012397e-11


@inlined
def growth(x):
    r"""``exp(x)`` where it is neither too small nor too large, in loops that become vectors.

    :math:`e^x = 2^n e^r` with :math:`|r| \le \ln(2) / 2` and a series of thirteen terms.
    """
    shifted = x * _DOUBLINGS + _SHIFT
    n = shifted - _SHIFT
    r = (x - n * _LN2) - n * _LN2_REST
    r2 = r * r
    r4 = r2 * r2
    low = (1 / 2 + r * (1 / 6)) + r2 * (1 / 24 + r * (1 / 120))
    middle = (1 / 720 + r * (1 / 5040)) + r2 * (1 / 40320 + r * (1 / 362880))
    high = (1 / 3628800 + r * (1 / 39916800)) + r2 * (1 / 479001600 + r * (1 / 6227020800))
    bits = (np.float64(shifted).view(np.int64) + np.int64(1023)) << np.int64(52)
    return (1.0 + (r + r2 * (low + r4 * (middle + r4 * high)))) * np.int64(bits).view(np.float64)


@inner
def share_of(cells, scan, share, time, link, end):
    """What a segment of a projection that arrives at ``time`` adds; what it takes of the slack."""
    g, row = cells.group_of[link], cells.row_of[link]
    past = time - scan.clock[0].frame
    share.time, share.row = time, row
    share.first, share.own = growth(past * cells.rate[g, 0]), 0.0
    if row > 0:
        share.first *= -cells.scale[g, row]
        share.own = cells.scale[g, row] * growth(past * cells.rate[g, row])
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
