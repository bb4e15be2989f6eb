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

from eventsim.dynamics.exponentials import MARGIN
from eventsim.jit import inner

__all__ = ["BLOCK", "look", "renew", "response_within", "watch", "watch_closely"]

#: Neurons looked at together: their bounds stay in the first cache.
BLOCK = 128


@inner
def response_within(cells, group, row, duration):
    """By how much a unit of weight can raise a potential within so many seconds."""
    if row == 0:
        return 1.0
    return cells.gain[group] * min(duration, cells.peak[group, row]) * (1.0 + MARGIN)


@inner
def _add_row(x, begun, fade, bend, top_begin, top_end):
    """Add one exponential to the bounds at both ends."""
    for i in range(x.size):
        y = x[i] * begun
        over = abs(y) * bend
        top_begin[i] += y + over
        top_end[i] += y * fade + over


@inner
def _take_slack(high, top_begin, top_end, slack):
    """What is left below the threshold; how many neurons have nothing left."""
    none = 0
    for i in range(slack.size):
        a, b = high[i] - top_begin[i], high[i] - top_end[i]
        least = a if a < b else b
        slack[i] = least
        none += least <= 0.0
    return none


@inner
def watch(scan, unit, now):
    """Begin to watch a neuron, in its present state; its place among the watched."""
    w = scan.clock[0].n_watched
    scan.clock[0].n_watched += 1
    scan.who[w] = unit
    scan.place[unit] = w
    scan.slack[unit] = -inf
    scan.fine[w] = -inf
    scan.since[w] = now
    scan.heads[w] = -1
    for r in range(scan.x.shape[0]):
        scan.near[w, r] = scan.x[r, unit]
    return w


@inner
def look(cells, scan, now, until):
    """Take the slack of all neurons in ``[now, until]``; those that have none are watched."""
    clock = scan.clock[0]
    for w in range(clock.n_watched):
        scan.place[scan.who[w]] = -1
    clock.n_watched = 0
    clock.until = until
    for g in range(cells.first.size):
        for a in range(cells.first[g], cells.stop[g], BLOCK):
            b = min(a + BLOCK, cells.stop[g])
            begin, end = scan.top[0, : b - a], scan.top[1, : b - a]
            begin[:] = 0.0
            end[:] = 0.0
            for r in range(cells.rows[g]):
                rate, turn = cells.rate[g, r], (until - now) * cells.rate[g, r]
                _add_row(
                    scan.x[r, a:b], exp(-(now - clock.frame) * rate), exp(-turn),
                    0.125 * turn * turn + MARGIN, begin, end,
                )  # fmt: skip
            none = _take_slack(scan.high[a:b], begin, end, scan.slack[a:b])
            unit = a
            while none > 0:
                if scan.slack[unit] <= 0.0:
                    watch(scan, unit, now)
                    none -= 1
                unit += 1


@inner
def watch_closely(cells, scan, now):
    """Take the room that each watched neuron has in the window that begins ``now``."""
    clock = scan.clock[0]
    for g in range(cells.first.size):
        for r in range(cells.rows[g]):
            scan.begun[g, r] = exp(-(now - clock.frame) * cells.rate[g, r])
    for w in range(clock.n_watched):
        unit = scan.who[w]
        g, begin, end = cells.group[unit], 0.0, 0.0
        for r in range(cells.rows[g]):
            x = scan.x[r, unit]
            scan.near[w, r] = x
            y = x * scan.begun[g, r]
            over = abs(y) * scan.bend[g, r]
            begin += y + over
            end += y * scan.fade[g, r] + over
        scan.fine[w] = scan.high[unit] - max(begin, end)
        scan.since[w] = now
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
