r"""The coarse model of a leaky integrate-and-fire neuron: its coefficients and what they mean.

One step is one refractory period, and time is counted in steps. ``tau = tau_mem / t_ref``. The
arrivals of a step are independent and uniform over it; their weights sum to ``x``. Potentials
are relative to the resting potential, and the membrane decays as ``exp(-t / tau)``.

An arrival at time ``t`` of the step is worth ``exp(-(1 - t) / tau)`` at its end. A neuron that
spiked in the step before, uniformly over that step, is refractory until a uniform time ``u`` of
this one; arrivals before ``u`` are lost. The means over ``t`` and ``u`` are

.. math::

    a = e^{-1/\tau}, \qquad
    b = \int_0^1 e^{-(1-t)/\tau} dt = \tau (1 - a), \qquad
    c = \int_0^1 t \, e^{-(1-t)/\tau} dt = \tau (1 - b),

and the rule is :math:`v \leftarrow (1-s)(a v + b x) + s c x`, then :math:`s \leftarrow [v > v_0]`.

Source of the model: A. Yanguas-Gil, "Coarse scale representation of spiking neural networks:
backpropagation through spikes and application to neuromorphic hardware", arXiv:2007.06176. The
variances below are ours; they follow from the same distribution of arrivals.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks

__all__ = [
    "Coefficients",
    "coefficients",
    "mean_after_spike",
    "mean_after_step",
    "variance_after_spike",
    "variance_after_step",
]

Float = NDArray[np.float64]

# Below this 1/tau, c comes from its series: tau (1 - b) subtracts two nearly equal numbers.
# Twenty terms leave less than 1e-20 there.
_SERIES_BELOW = 1.0
_SERIES_TERMS = 20


class Coefficients(NamedTuple):
    """Mean decay factors of one step: of the potential, an arrival, an arrival after a spike."""

    a: Float
    b: Float
    c: Float


def coefficients(tau: ArrayLike) -> Coefficients:
    r"""Coefficients a, b, c of the coarse model, accurate to rounding for every ``tau``.

    .. math:: a = e^{-1/\tau}, \quad b = \tau (1 - a), \quad c = \tau (1 - b)

    Parameters
    ----------
    tau : float or array
        Membrane time constant in steps, > 0; ``inf`` means no leak (a = b = 1, c = 1/2).

    Returns
    -------
    Coefficients
        Three float64 arrays of the shape of ``tau``; dimensionless, each between 0 and 1.

    Raises
    ------
    InvalidValue
        ``tau`` is not > 0.

    Examples
    --------
    >>> a, b, c = coefficients(4.0)
    >>> print(f"{a:.6f} {b:.6f} {c:.6f}")
    0.778801 0.884797 0.460813
    >>> [float(k) for k in coefficients(float("inf"))]
    [1.0, 1.0, 0.5]

    Notes
    -----
    Source: arXiv:2007.06176. With ``z = 1 / tau``, ``c = (z - 1 + exp(-z)) / z**2``, which is
    the series ``1/2! - z/3! + z**2/4! - ...``, used for small ``z``.
    """
    tau = _positive("tau", tau)
    z = 1.0 / tau
    a = np.exp(-z)
    small = z < _SERIES_BELOW
    safe_z = np.where(small, 1.0, z)  # keeps the closed forms finite where they are not used
    b = np.where(z == 0.0, 1.0, -np.expm1(-z) / np.where(z == 0.0, 1.0, z))
    series = np.zeros_like(z)
    z_small = np.where(small, z, 0.0)
    for k in range(_SERIES_TERMS + 1, 1, -1):
        series = 1.0 / math.factorial(k) - z_small * series
    closed = (safe_z + np.expm1(-safe_z)) / safe_z**2
    return Coefficients(a, b, np.where(small, series, closed))


def mean_after_step(v: ArrayLike, x: ArrayLike, tau: ArrayLike) -> Float:
    r"""Mean potential at the end of a step without refractoriness: :math:`a v + b x`.

    Parameters
    ----------
    v : float or array
        Potential at the start of the step, relative to rest.
    x : float or array
        Sum of the weights that arrive in the step, same unit.
    tau : float or array
        Membrane time constant in steps, > 0.

    Returns
    -------
    array
        Mean potential over the arrival times, threshold left out.

    Examples
    --------
    >>> round(float(mean_after_step(0.7, 1.3, 4.0)), 5)
    1.6954

    Notes
    -----
    Source: arXiv:2007.06176.
    """
    a, b, _ = coefficients(tau)
    return np.asarray(a * _finite("v", v) + b * _finite("x", x))


def mean_after_spike(x: ArrayLike, tau: ArrayLike) -> Float:
    r"""Mean potential at the end of the step after a spike: :math:`c x`.

    Parameters
    ----------
    x : float or array
        Sum of the weights that arrive in the step, the lost ones included.
    tau : float or array
        Membrane time constant in steps, > 0.

    Returns
    -------
    array
        Mean potential over the arrival times and the end of the refractory period.

    Examples
    --------
    >>> round(float(mean_after_spike(1.3, 4.0)), 4)
    0.5991

    Notes
    -----
    Source: arXiv:2007.06176.
    """
    return np.asarray(coefficients(tau).c * _finite("x", x))


def variance_after_step(x2: ArrayLike, tau: ArrayLike) -> Float:
    r"""Variance of the potential at the end of a step, which the coarse model leaves out.

    For arrivals of weights :math:`w_j` at independent uniform times, with
    :math:`b_2 = \frac{\tau}{2} (1 - e^{-2/\tau})`,

    .. math:: \mathrm{Var} = (b_2 - b^2) \sum_j w_j^2.

    Parameters
    ----------
    x2 : float or array
        Sum of the squares of the weights that arrive in the step.
    tau : float or array
        Membrane time constant in steps, > 0.

    Returns
    -------
    array
        Variance, in the square of the unit of the weights.

    Examples
    --------
    Five arrivals of 0.26:

    >>> round(float(variance_after_step(5 * 0.26**2, 4.0)) ** 0.5, 4)
    0.0371

    Notes
    -----
    The difference cancels for long time constants: the relative error is about
    ``1e-15 tau**2``.
    """
    tau = _positive("tau", tau)
    b = coefficients(tau).b
    return np.asarray((coefficients(tau / 2).b - b**2) * _finite("x2", x2))


def variance_after_spike(x: ArrayLike, x2: ArrayLike, tau: ArrayLike) -> Float:
    r"""Variance of the potential at the end of the step after a spike.

    For arrivals of weights :math:`w_j` at independent uniform times and a refractory period
    that ends at a uniform time, with :math:`x = \sum_j w_j`, :math:`x_2 = \sum_j w_j^2`, and
    :math:`b_2, c_2` the coefficients at :math:`\tau / 2`,

    .. math:: \mathrm{Var} = c_2 x_2 + (x^2 - x_2) \tau^2 (1 - 2 b + b_2) - c^2 x^2.

    Parameters
    ----------
    x, x2 : float or array
        Sum of the weights that arrive in the step, and sum of their squares. ``x2 = 0`` is a
        charge that is spread evenly (a pulse as wide as the step).
    tau : float or array
        Membrane time constant in steps, > 0 and finite.

    Returns
    -------
    array
        Variance, in the square of the unit of the weights.

    Examples
    --------
    The spread is more than half of the mean, even for an evenly spread charge:

    >>> sd = float(variance_after_spike(1.3, 0.0, 4.0)) ** 0.5
    >>> round(sd / float(mean_after_spike(1.3, 4.0)), 2)
    0.55

    Notes
    -----
    The bracket cancels for long time constants: the relative error is about ``1e-16 tau**2``.
    """
    tau = _positive("tau", tau)
    if not np.isfinite(tau).all():
        raise checks.fail("variance_after_spike", "tau", "a finite number", float("inf"))
    x, x2 = _finite("x", x), _finite("x2", x2)
    b, c = coefficients(tau)[1:]
    half = coefficients(tau / 2)
    pair = tau**2 * (1.0 - 2.0 * b + half.b)
    return np.asarray(half.c * x2 + (x**2 - x2) * pair - (c * x) ** 2)


def _positive(field: str, value: ArrayLike) -> Float:
    array = np.asarray(checks.real_array("coarse theory", field, value), dtype=np.float64)
    if not (array > 0).all():
        raise checks.fail("coarse theory", field, "a number > 0", value)
    return array


def _finite(field: str, value: Any) -> Float:
    array = np.asarray(checks.real_array("coarse theory", field, value), dtype=np.float64)
    checks.finite("coarse theory", field, array)
    return array
