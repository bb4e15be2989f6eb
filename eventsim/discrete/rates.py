r"""Firing rates under a constant charge per step: the coarse neuron's staircase and the curve
of the continuous neuron.

Time is counted in steps of one refractory period, ``tau = tau_mem / t_ref``, and ``x`` is the
charge of each step, in the unit of the threshold ``v0`` above rest. The coarse neuron locks to
whole steps: its rate is 1, 1/2, 1/3, ... between the charges of :func:`drive_for_period`.
"""

from __future__ import annotations

import math

from eventsim import checks
from eventsim.discrete.theory import coefficients

__all__ = ["continuous_rate", "drive_for_period", "steady_period", "steady_rate"]


def drive_for_period(period: int, tau: float, v0: float = 1.0) -> float:
    r"""Charge per step above which the coarse neuron fires every ``period`` steps or faster.

    After a spike the potentials under a constant charge ``x`` are

    .. math:: v_k = x \, (\tau - (\tau - c) a^{k-1}), \qquad k = 1, 2, \ldots

    so the neuron fires at the first ``k`` with :math:`v_k > v_0`: the rate is a staircase
    1, 1/2, 1/3, ... whose edges are :math:`x_k = v_0 / (\tau - (\tau - c) a^{k-1})`.

    Parameters
    ----------
    period : int
        Steps from spike to spike, >= 1.
    tau : float
        Membrane time constant in steps, > 0; may be ``inf``.
    v0 : float
        Threshold above rest, > 0.

    Returns
    -------
    float
        Charge per step, in the unit of ``v0``.

    Examples
    --------
    A neuron with tau = 4 fires in every step only above 2.17 thresholds a step:

    >>> round(drive_for_period(1, 4.0), 3)
    2.17
    >>> round(drive_for_period(2, 4.0), 3)
    0.804

    Notes
    -----
    The recurrence is that of arXiv:2007.06176; the staircase is its closed form.
    """
    period = checks.whole("drive_for_period", "period", period, 1)
    _, tau, v0 = _checked(0.0, tau, v0)
    return v0 / _potential_per_charge(period, tau)


def steady_period(x: float, tau: float, v0: float = 1.0) -> float:
    """Steps from spike to spike of the coarse neuron under the charge ``x`` in every step.

    Parameters
    ----------
    x : float
        Charge per step, in the unit of ``v0``.
    tau : float
        Membrane time constant in steps, > 0; may be ``inf``.
    v0 : float
        Threshold above rest, > 0.

    Returns
    -------
    float
        A whole number of steps, or ``inf`` for a neuron that stays silent.

    Examples
    --------
    >>> steady_period(1.0, 4.0), steady_period(3.0, 4.0), steady_period(0.2, 4.0)
    (2.0, 1.0, inf)

    Notes
    -----
    See :func:`drive_for_period`.
    """
    x, tau, v0 = _checked(x, tau, v0)
    if x <= 0.0 or tau <= v0 / x:
        return math.inf
    if math.isinf(tau):
        guess = v0 / x + 0.5
    else:
        c = float(coefficients(tau).c)
        guess = 1.0 - tau * math.log((tau - v0 / x) / (tau - c)) if v0 / x > c else 1.0
    # The logarithm finds the neighbourhood; the threshold test itself decides.
    period = max(1, math.floor(guess) - 1)
    while not x * _potential_per_charge(period, tau) > v0:
        if math.isfinite(tau) and math.exp(-(period - 1) / tau) == 0.0:
            return math.inf
        period += 1
    return float(period)


def steady_rate(x: float, tau: float, v0: float = 1.0) -> float:
    """Spikes per step of the coarse neuron under the charge ``x`` in every step.

    Parameters and errors are those of :func:`steady_period`, whose inverse this is.

    Examples
    --------
    >>> [steady_rate(x, 4.0) for x in (0.2, 0.5, 1.0, 2.0, 3.0)]
    [0.0, 0.25, 0.5, 0.5, 1.0]
    """
    return 1.0 / steady_period(x, tau, v0)


def continuous_rate(x: float, tau: float, v0: float = 1.0) -> float:
    r"""Spikes per step of the continuous neuron under the same charge, evenly spread.

    .. math:: f = \left(1 + \tau \ln \frac{\tau x}{\tau x - v_0}\right)^{-1}

    Parameters
    ----------
    x : float
        Charge per step, in the unit of ``v0``; the drive pulls towards ``tau x``.
    tau : float
        Membrane time constant in steps, > 0; may be ``inf``.
    v0 : float
        Threshold above rest, > 0.

    Returns
    -------
    float
        Rate with a refractory period of one step; always below 1.

    Examples
    --------
    >>> [round(continuous_rate(x, 4.0), 3) for x in (0.2, 0.5, 1.0, 2.0, 3.0)]
    [0.0, 0.265, 0.465, 0.652, 0.742]

    Notes
    -----
    The textbook rate of a leaky integrate-and-fire neuron, e.g. Gerstner, Kistler, Naud and
    Paninski, "Neuronal Dynamics", section 1.3.
    """
    x, tau, v0 = _checked(x, tau, v0)
    if x <= 0.0:
        return 0.0
    if math.isinf(tau):
        return 1.0 / (1.0 + v0 / x)
    if tau * x <= v0:
        return 0.0
    return 1.0 / (1.0 - tau * math.log1p(-v0 / (tau * x)))


def _potential_per_charge(k: int, tau: float) -> float:
    """Potential ``k`` steps after a spike for a charge of 1 per step."""
    a, b, c = (float(value) for value in coefficients(tau))
    if math.isinf(tau):
        return c + (k - 1)
    # b (1 - a^(k-1)) / (1 - a) + c a^(k-1), with 1 - a = b / tau written without cancellation
    return -tau * math.expm1(-(k - 1) / tau) + c * math.exp(-(k - 1) / tau)


def _checked(x: float, tau: float, v0: float) -> tuple[float, float, float]:
    charge = checks.scalar("steady rate", "x", x)
    # coefficients() refuses a tau that is not > 0, and lets inf pass
    if coefficients(tau).a.ndim:
        raise checks.fail("steady rate", "tau", "one number", "an array")
    return charge, float(tau), checks.positive("steady rate", "v0", v0)
