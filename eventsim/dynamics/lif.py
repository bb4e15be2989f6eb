r"""Leaky integrate-and-fire neuron whose drive is constant between events.

With :math:`x = v - v_\mathrm{leak}` and the drive :math:`D` in volts per second,

.. math::
    \dot x = -x / \tau + D, \qquad
    x(t + h) = x(t) e^{-h/\tau} + D \tau (1 - e^{-h/\tau}),

and :math:`\dot x = D` where :math:`\tau = \infty`. :math:`D` gathers currents,
:math:`r (i_\mathrm{bias} + i_\mathrm{ext}) / \tau` (without :math:`1/\tau` for
:math:`\tau = \infty`), and active pulses, each ``weight / spread``.

Between events :math:`x` moves monotonically towards :math:`D \tau`. So from below it reaches a
threshold :math:`\theta` if and only if :math:`D \tau > \theta`, exactly once, after

.. math:: h = -\tau \log(1 - q), \qquad q = (\theta - x) / (D \tau - x).

That makes the search for crossings complete: one comparison decides, one logarithm locates.
"""

from __future__ import annotations

from math import exp, expm1, inf, log, log1p

import numpy as np
from numpy.typing import NDArray

from eventsim.jit import njit

__all__ = [
    "advance",
    "coefficients",
    "decay_factor",
    "drive_scale",
    "rises_above",
    "time_to",
]


def drive_scale(tau: NDArray[np.float64], r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Drive in volts per second that a unit current gives, of each neuron."""
    return np.where(np.isinf(tau), r, r / tau)


@njit
def coefficients(h, tau):
    """``(d, g)`` with x(t + h) = x(t) d + D g."""
    if tau == inf:
        return 1.0, h
    return exp(-h / tau), -tau * expm1(-h / tau)


@njit
def decay_factor(h, tau):
    """What is left of a potential after ``h`` seconds without drive."""
    return 1.0 if tau == inf else exp(-h / tau)


@njit
def advance(x, drive, h, tau):
    """Potential after ``h`` seconds of constant drive."""
    if h == 0.0:
        return x
    if tau == inf:
        return x + drive * h
    if drive == 0.0:
        return x * exp(-h / tau)
    return x * exp(-h / tau) + drive * (-tau * expm1(-h / tau))


@njit
def rises_above(drive, tau, theta):
    """Whether the potential, left alone, ends above ``theta``."""
    if tau == inf:
        return drive > 0.0 and theta < inf
    return drive * tau > theta


@njit
def time_to(x, drive, tau, theta):
    """Seconds until ``x < theta`` reaches ``theta``, given that it rises above it.

    Of two equal forms the one without cancellation is used: ``log1p`` while less than half of
    the way to the resting point is needed, a quotient of distances to that point beyond.
    """
    if tau == inf:
        return (theta - x) / drive
    rest = drive * tau
    q = (theta - x) / (rest - x)
    if q < 0.5:
        return -tau * log1p(-q)
    return tau * log((rest - x) / (rest - theta))
