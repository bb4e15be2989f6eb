r"""The crossing of a threshold within a short span, where it is mostly known how the span ends.

As in :mod:`eventsim.dynamics.crossing`, :math:`f` is the distance from a threshold that stands
still, and :math:`g = f' + \lambda f = C + \sum_j A_j e^{-\mu_j h}`. Over a span that is short
beside the time constants :math:`g` seldom changes its sign, which
:math:`1 - \mu_j h \le e^{-\mu_j h} \le 1` shows without an exponential. Then
:math:`e^{\lambda h} f` is monotone over the whole span, and the sign of :math:`f` at its end
decides whether there is a crossing, of which there is no more than one. What this leaves open is
searched for completely.
"""

from __future__ import annotations

from math import exp, expm1, inf

from eventsim.dynamics.crossing import first_crossing
from eventsim.dynamics.exponentials import MARGIN, response
from eventsim.jit import inner

__all__ = ["crossing_within"]

#: A Newton step is the last one when what it leaves is less than this part of the result.
_LEFT = 2.0**-55

#: Newton steps and bisections on one bracket.
_MAX_STEPS = 2000


@inner
def _rise(x, drive, tau, modes, first, n, h):
    """By how much the potential has risen after ``h``, and its two derivatives there."""
    decay, risen, slope, bend = 1.0, drive * h, drive, 0.0
    if tau < inf:
        shrinks = expm1(-h / tau)
        decay, risen = 1.0 + shrinks, (x - drive * tau) * shrinks
    for j in range(first, first + n):
        mode = modes[j]
        amplitude = mode.gain * mode.value
        mode_decay = exp(-h / mode.tau)
        risen += amplitude * response(h, mode.gap, decay, mode_decay)
        slope += amplitude * mode_decay
        bend -= amplitude * mode_decay / mode.tau
    if tau < inf:
        slope -= (x + risen) / tau
        bend -= slope / tau
    return risen, slope, bend


@inner
def _locate(x, drive, tau, way, modes, first, n, span, h):
    """Where the potential has risen by ``way``, in ``(0, span]``: Newton's method from ``h`` on.

    It bisects where Newton's step leaves the bracket. A step :math:`s` leaves an error of
    :math:`s^2 f'' / (2 f')`.
    """
    low, high = 0.0, span
    for _ in range(_MAX_STEPS):
        risen, slope, bend = _rise(x, drive, tau, modes, first, n, h)
        if risen == way:
            return h
        if risen < way:
            low = h
        else:
            high = h
        step = (way - risen) / slope if slope > 0.0 else inf
        new = h + step
        if low < new < high:
            if step * step * abs(bend) <= _LEFT * slope * new:
                return new
        else:
            new = low + (high - low) / 2.0
            if not low < new < high:
                return high
        h = new
    return h


@inner
def crossing_within(x, drive, tau, theta, inclusive, modes, first, n, span, end):
    """Seconds until the potential crosses its threshold from below; infinity if beyond ``span``.

    ``end`` is the potential at the end of the span. No mode moves the threshold.
    """
    if x < theta:
        least = most = drive if tau == inf else (drive * tau - theta) / tau
        size = abs(drive) if tau == inf else abs(drive) + abs(theta / tau)
        for j in range(first, first + n):
            mode = modes[j]
            now = mode.value * mode.gain
            later = now * max(0.0, 1.0 - span / mode.tau)
            least += min(now, later)
            most += max(now, later)
            size += abs(now)
        if most < -MARGIN * size:
            return inf
        if least > MARGIN * size:
            if end < theta:
                return inf
            guess = span * ((theta - x) / (end - x))
            return _locate(x, drive, tau, theta - x, modes, first, n, span, guess)
    h = first_crossing(x, drive, tau, theta, inclusive, modes, first, n)
    return h if h <= span else inf
