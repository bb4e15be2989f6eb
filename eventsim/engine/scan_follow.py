r"""One neuron of the scanning engine, followed through a window from instant to instant.

**Completeness.** Between two instants :math:`f = v - \theta` is a sum of exponentials and a
constant. It has no zero in :math:`[p, q)` where

- both ends are below zero, and so is the higher end plus
  :math:`\frac{(q - p)^2}{8} \sum_r |X_r| \rho_r^2`, for a function leaves its chord by at most
  :math:`\frac{(q - p)^2}{8} \max |f''|`; or
- both ends are below zero and :math:`g = f' + \rho_0 f`, in which the membrane's own exponential
  cancels, keeps its sign: then :math:`e^{\rho_0 t} f` is monotone.

It has exactly one where :math:`f(p) < 0 \le f(q)` and :math:`g` stays above zero, and Newton's
steps from the left find it (`eventsim.dynamics.crossing`). The sign of :math:`g` is told by the
ends of its terms, each of which is monotone. Whatever these bounds leave open goes to the
complete search.
"""

from __future__ import annotations

from math import exp, inf

import numpy as np

from eventsim.dynamics.crossing import first_crossing
from eventsim.dynamics.exponentials import MARGIN
from eventsim.jit import inner

__all__ = ["next_spike", "restart"]

#: Steps in one bracket; bisection alone would need about 1,100.
_MAX_STEPS = 2000


@inner
def _search(rate, rows, x, theta, past, modes):
    """The complete search, from the rows' values ``past`` seconds after the frame."""
    n, total = 0, 0.0
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
    return first_crossing(total, 0.0, 1.0 / rate[0], theta, True, modes, 0, n)


@inner
def _newton(rate, rows, x, theta, past, t, high):
    """The one zero in ``(0, high]`` of a function that rises to it; bisection where steps leave."""
    low, h = 0.0, 0.0
    for _ in range(_MAX_STEPS):
        f, slope = -theta, 0.0
        for r in range(rows):
            z = x[r] * exp(-(past + h) * rate[r])
            f += z
            slope -= z * rate[r]
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
def _rises_after(rate, rows, x, theta, t, q, frame, clock, modes):
    """Seconds after ``t`` at which a potential reaches its threshold before ``q``; or infinity."""
    past, then = t - frame, q - frame
    f0, f1, bend, size = -theta, -theta, 0.0, abs(theta)
    low = high = -theta * rate[0]
    for r in range(rows):
        y, z = x[r] * exp(-past * rate[r]), x[r] * exp(-then * rate[r])
        gap, turn = rate[0] - rate[r], (q - t) * rate[r]
        f0 += y
        f1 += z
        bend += abs(y) * turn * turn
        size += abs(y)
        low += min(y * gap, z * gap)
        high += max(y * gap, z * gap)
    if f0 >= 0.0:
        return 0.0
    if f1 < 0.0 and (max(f0, f1) + 0.125 * bend + MARGIN * size < 0.0 or low > 0.0 or high < 0.0):
        return inf
    clock.searches += 1
    if f1 >= 0.0 and low > 0.0:
        return _newton(rate, rows, x, theta, past, t, q - t)
    return _search(rate, rows, x, theta, past, modes)


@inner
def restart(rate, rows, x, v, past):
    """Set row 0 so that the potential is ``v``, ``past`` seconds after the frame."""
    for r in range(1, rows):
        v -= x[r] * exp(-past * rate[r])
    x[0] = v * exp(past * rate[0])


@inner
def next_spike(cells, scan, w, shares, arrived, end):
    """Follow a neuron to its next spike before ``end``, or up to there; whether it spiked.

    Then ``scan.since[w]`` is the time of the spike. A potential that stands at the threshold
    fires: at an instant, or where rounding carried it there.
    """
    clock, unit = scan.clock[0], scan.who[w]
    group, theta, x = cells.group[unit], cells.theta[unit], scan.near[w]
    rate, rows, frame = cells.rate[group], cells.rows[group], clock.frame
    t, i = scan.since[w], np.int64(scan.heads[w])
    while True:
        q = end
        if i >= 0:
            q = min(q, shares[arrived[i].share].time)
        held = scan.high[unit] == inf
        if held:
            q = min(q, scan.release[unit])
        else:
            h = _rises_after(rate, rows, x, theta, t, q, frame, clock, scan.modes)
            if t + h < q:
                t += h
                scan.since[w], scan.heads[w] = t, i
                scan.resume[unit] = cells.reset[unit]
                scan.release[unit] = t + cells.t_ref[unit]
                if cells.t_ref[unit] > 0.0:
                    scan.high[unit] = inf
                else:
                    restart(rate, rows, x, cells.reset[unit], t - frame)
                return True
        if q >= end:
            scan.since[w] = end
            return False
        if held and scan.release[unit] == q:
            restart(rate, rows, x, scan.resume[unit], q - frame)
            scan.high[unit] = theta - MARGIN * abs(theta)
        while i >= 0 and shares[arrived[i].share].time == q:
            share, weight = shares[arrived[i].share], arrived[i].weight
            x[0] += weight * share.first
            if share.row > 0:
                x[share.row] += weight * share.own
            i = np.int64(arrived[i].next)
        t = q
