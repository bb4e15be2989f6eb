r"""One neuron of the scanning engine, followed through a window from instant to instant.

**Completeness.** Between two instants :math:`f = v - \theta` is a sum of exponentials and a
constant. It has no zero in :math:`[p, q)` where

- both ends are below zero, and so is the higher end plus
  :math:`\frac{(q - p)^2}{8} \sum_r |X_r| \rho_r^2`, for a function leaves its chord by at most
  :math:`\frac{(q - p)^2}{8} \max |f''|`; or
- both ends are below zero and :math:`g = f' + \rho_0 f`, in which the membrane's own exponential
  cancels, keeps its sign: then :math:`e^{\rho_0 t} f` is monotone.

It has exactly one where :math:`f(p) < 0 \le f(q)` and :math:`g` stays above zero, and Newton's
steps find it, from a parabola's guess, held in a bracket. The sign of :math:`g` is told by the
ends of its terms, each of which is monotone. Whatever these bounds leave open goes to the
complete search.
"""

from __future__ import annotations

from math import exp, inf, sqrt

import numpy as np

from eventsim.dynamics.crossing import first_crossing
from eventsim.dynamics.exponentials import MARGIN
from eventsim.jit import inlined, inner

__all__ = ["lost", "next_spike"]

#: Steps in one bracket; bisection alone would need about 1,100.
_MAX_STEPS = 2000

#: Up to here eight terms of the series of an exponential are right to rounding.
_SMALL = 1 / 32


@inner
def _search(rate, rows, x, theta, past, modes):
    """The complete search, from the rows' values ``past`` seconds after the frame."""
    n, total = np.int64(0), 0.0
    for r in range(rows):
        y = x[r] * exp(-past * rate[r])
        total += y
        if rate[r] != rate[0]:
            mode = modes[n]
            mode.tau = 1.0 / rate[r]
            mode.gap = rate[0] - rate[r]
            mode.gain = 1.0
            mode.value = y * mode.gap
            n += 1
    return first_crossing(total, 0.0, 1.0 / rate[0], theta, True, modes, np.int64(0), n)


@inner
def lost(a):
    """``1 - exp(-a)`` for ``a >= 0``: a series where ``a`` is small, to which it is halved."""
    halved = 0
    while a > _SMALL:
        a *= 0.5
        halved += 1
    b = a * a
    odd = 1.0 + b * (1 / 6 + b * (1 / 120 + b * (1 / 5040)))
    even = a * (1 / 2 + b * (1 / 24 + b * (1 / 720 + b * (1 / 40320))))
    m = a * (odd - even)
    for _ in range(halved):
        m *= 2.0 - m
    return m


@inner
def _newton(rate, rows, x, left, f0, t, h, high):
    """The one zero in ``(0, high]`` of a function that rises to it; bisection where steps leave.

    ``f0`` is what it begins with, and ``h`` a first guess.
    """
    low = 0.0
    for _ in range(_MAX_STEPS):
        f, slope = f0, 0.0
        for r in range(rows):
            y = x[r] * left[r]
            z = y * lost(h * rate[r])
            f -= z
            slope -= (y - z) * rate[r]
        if f < 0.0:
            low = h
        else:
            high = h
        new = h - f / slope if slope > 0.0 else inf
        if t + new == t + h:
            return new
        if not low < new < high:
            new = low + (high - low) / 2.0
            if new <= low or new >= high:
                return high
        h = new
    return h


@inner
def _rises_after(rate, rows, x, left, theta, t, q, frame, clock, modes):
    """Seconds after ``t`` at which a potential reaches its threshold before ``q``; or infinity.

    ``left[r]`` is what is left at ``t`` of an exponential that was 1 in the frame.
    """
    f0, fall, slope, bend, size = -theta, 0.0, 0.0, 0.0, abs(theta)
    low = high = -theta * rate[0]
    for r in range(rows):
        y, turn, gap = x[r] * left[r], (q - t) * rate[r], rate[0] - rate[r]
        z = y * lost(turn)
        f0 += y
        fall += z
        slope -= y * rate[r]
        bend += abs(y) * turn * turn
        size += abs(y)
        low += min(y * gap, (y - z) * gap)
        high += max(y * gap, (y - z) * gap)
    if f0 >= 0.0:
        return 0.0
    f1 = f0 - fall
    if f1 < 0.0 and (max(f0, f1) + 0.125 * bend + MARGIN * size < 0.0 or low > 0.0 or high < 0.0):
        return inf
    clock.searches += 1
    if f1 < 0.0 or not low > 0.0:
        return _search(rate, rows, x, theta, t - frame, modes)
    # A parabola with the same value at both ends, and the same slope at the first.
    h = q - t
    curved = -(fall / h + slope) / h
    guess = -2.0 * f0 / (slope + sqrt(max(slope * slope - 4.0 * curved * f0, 0.0)))
    return _newton(rate, rows, x, left, f0, t, min(guess, h), h)


@inner
def _left_at(rate, rows, past, left):
    """What is left of the exponentials ``past`` seconds after the frame."""
    for r in range(rows):
        left[r] = exp(-past * rate[r])


@inner
def _restart(rows, x, left, v):
    """Set row 0 so that the potential is ``v``."""
    for r in range(1, rows):
        v -= x[r] * left[r]
    x[0] = v / left[0]


@inlined
def next_spike(cells, scan, w, shares, arrived, end):
    """Follow a neuron to its next spike before ``end``, or up to there; whether it spiked.

    Then ``scan.since[w]`` is the time of the spike. A potential that stands at the threshold
    fires: at an instant, or where rounding carried it there.
    """
    clock, unit = scan.clock[0], scan.who[w]
    group, theta, x = cells.group[unit], cells.theta[unit], scan.near[w]
    rate, rows, frame, left = cells.rate[group], cells.rows[group], clock.frame, scan.left
    t, i = scan.since[w], np.int64(scan.heads[w])
    if t == clock.now:
        for r in range(rows):
            left[r] = scan.begun[group, r]
    else:
        _left_at(rate, rows, t - frame, left)
    while True:
        q = end
        if i >= 0:
            q = min(q, shares[arrived[i].share].time)
        held = scan.high[unit] == inf
        if held:
            q = min(q, scan.release[unit])
        elif q > t:
            h = _rises_after(rate, rows, x, left, theta, t, q, frame, clock, scan.modes)
            if t + h < q:
                t += h
                scan.since[w], scan.heads[w] = t, i
                scan.resume[unit] = cells.reset[unit]
                scan.release[unit] = t + cells.t_ref[unit]
                if cells.t_ref[unit] > 0.0:
                    scan.high[unit] = inf
                else:
                    _left_at(rate, rows, t - frame, left)
                    _restart(rows, x, left, cells.reset[unit])
                return True
        if q >= end:
            scan.since[w] = end
            return False
        t = q
        _left_at(rate, rows, t - frame, left)
        if held and scan.release[unit] == q:
            _restart(rows, x, left, scan.resume[unit])
            scan.high[unit] = theta - MARGIN * abs(theta)
        while i >= 0 and shares[arrived[i].share].time == q:
            share, weight = shares[arrived[i].share], arrived[i].weight
            x[0] += weight * share.first
            x[share.row] += weight * share.own
            i = np.int64(arrived[i].next)
