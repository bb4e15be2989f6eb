r"""Bounds that prove neurons quiet: of all at once, and of the few that are watched.

A potential that moves freely through :math:`[a, b]` stays below

.. math::
    \max(v(a), v(b)) + \frac{(b - a)^2}{8} \sum_r |X_r| \rho_r^2,

and what is left between this and the threshold is the neuron's *slack*. An arrival of weight
:math:`w` at a receptor takes at most :math:`w r / \tau` times the smaller of the time that is left
and the highest response; a delta takes :math:`w`. Inhibition takes nothing and gives nothing back.
So as long as slack is left a neuron need not be looked at, and an arrival costs one subtraction
and one comparison. A neuron without slack is *watched*: the same bound is taken of it for each
window, and where that is not enough the neuron is followed exactly.

Each bound has a relative margin of 1e-11, thousands of roundings. No bit of any result depends
on when neurons are looked at.
"""

from __future__ import annotations

from math import exp, inf

import numpy as np

from eventsim.dynamics.exponentials import MARGIN
from eventsim.jit import inner
from eventsim.vectors import BLOCK as LANES
from eventsim.vectors import absolute, add, at_least, first_lane, fma, lesser, load, splat, store

__all__ = [
    "UNTOUCHED",
    "begin_window",
    "keep_state",
    "look",
    "renew",
    "response_within",
    "watch",
    "watch_closely",
]


#: Instead of its first arrival: nothing was added yet to a watched neuron in this window.
UNTOUCHED = -2


@inner
def response_within(cells, group, row, duration):
    """By how much a unit of weight can raise a potential within so many seconds."""
    if row == 0:
        return 1.0
    return cells.gain[group] * min(duration, cells.peak[group, row]) * (1.0 + MARGIN)


@inner
def watch(scan, unit, now):
    """Begin to watch a neuron; its place among the watched."""
    w = scan.clock[0].n_watched
    scan.clock[0].n_watched += 1
    scan.who[w] = unit
    scan.place[unit] = w
    scan.slack[unit] = -inf
    scan.fine[w] = -inf
    scan.since[w] = now
    scan.heads[w] = UNTOUCHED
    return w


@inner
def _room(cells, scan, g, unit, to_end):
    """Take the slack of a block of neurons; the lanes that have none, as bits.

    ``scan.begun`` is what is left of exponentials now, ``to_end`` what is at the end of the time.
    """
    begin = end = load(scan.high, unit)
    bent = splat(0.0)
    for r in range(cells.rows[g]):
        x = load(scan.x[r], unit)
        begin = fma(x, splat(-scan.begun[g, r]), begin)
        end = fma(x, splat(-to_end[0, r]), end)
        bent = fma(absolute(x), splat(-to_end[1, r]), bent)
    slack = add(lesser(begin, end), bent)
    store(scan.slack, unit, slack)
    return at_least(splat(0.0), slack)


@inner
def look(cells, scan, now, until):
    """Take the slack of all neurons in ``[now, until]``; those that have none are watched.

    The last block of a group reaches into the next one, whose turn comes after.
    """
    clock, to_end = scan.clock[0], scan.to_end
    for w in range(clock.n_watched):
        scan.place[scan.who[w]] = -1
    clock.n_watched = 0
    clock.until = until
    for g in range(cells.first.size):
        for r in range(cells.rows[g]):
            turn = (until - now) * cells.rate[g, r]
            to_end[0, r] = scan.begun[g, r] * exp(-turn)
            to_end[1, r] = scan.begun[g, r] * (0.125 * turn * turn + MARGIN)
        for first in range(cells.first[g], cells.stop[g], LANES):
            lanes = _room(cells, scan, g, first, to_end)
            while lanes != 0:
                unit = first + first_lane(lanes)
                lanes &= lanes - 1
                if unit < cells.stop[g]:
                    watch(scan, np.int64(unit), now)


@inner
def begin_window(cells, scan, now):
    """Take what is left of all exponentials at the begin of a window."""
    scan.clock[0].now = now
    past = now - scan.clock[0].frame
    for g in range(cells.first.size):
        for r in range(cells.rows[g]):
            scan.begun[g, r] = exp(-past * cells.rate[g, r])


@inner
def watch_closely(cells, scan):
    """Take the room that each watched neuron has in the window that begins."""
    for w in range(scan.clock[0].n_watched):
        unit = scan.who[w]
        g = cells.group[unit]
        begin = end = scan.high[unit]
        for r in range(cells.rows[g]):
            y = scan.x[r, unit] * scan.begun[g, r]
            over = abs(y) * scan.bend[g, r]
            begin -= y + over
            end -= y * scan.fade[g, r] + over
        scan.fine[w] = min(begin, end)


@inner
def keep_state(scan, w):
    """Put aside the state of a watched neuron to which nothing was added yet in this window."""
    for r in range(scan.x.shape[0]):
        scan.near[w, r] = scan.x[r, scan.who[w]]
    scan.heads[w] = -1


@inner
def renew(cells, scan, now):
    """Move the frame to ``now``."""
    h = now - scan.clock[0].frame
    scan.clock[0].frame = now
    for g in range(cells.first.size):
        for r in range(cells.rows[g]):
            factor = exp(-h * cells.rate[g, r])
            x = scan.x[r, cells.first[g] : cells.stop[g]]
            for i in range(x.size):
                x[i] *= factor
