r"""A membrane driven by decaying exponentials: receptors, spike-triggered currents, thresholds.

A *mode* is a variable :math:`y_j` of a neuron that decays with a time constant of its own,
:math:`\tau_j \dot y_j = -y_j`: the current of a receptor, the spike-triggered current, the
adaptation of the threshold. With :math:`x = v - v_\mathrm{leak}`, the constant drive :math:`D`
and ``gain`` :math:`g_j` (V/s for a unit of :math:`y_j`),

.. math::
    \dot x = -\lambda x + D + \sum_j g_j y_j, \qquad
    x(h) = x(0) e^{-\lambda h} + D \frac{1 - e^{-\lambda h}}{\lambda}
           + \sum_j g_j y_j(0)\, \varphi_j(h), \qquad
    \varphi_j(h) = \frac{e^{-\mu_j h} - e^{-\lambda h}}{\lambda - \mu_j},

where :math:`\lambda = 1/\tau` (0 without leak), :math:`\mu_j = 1/\tau_j`, and
:math:`\varphi_j(h) = h e^{-\lambda h}` where the two rates are equal. The threshold is
:math:`\theta + \sum_j l_j y_j` with ``lift`` :math:`l_j`. An own spike adds ``jump`` to a mode.

The difference of two nearly equal exponentials is taken as ``expm1`` of the difference of their
rates, which is exact to a few roundings for any rates.
"""

from __future__ import annotations

from math import exp, expm1, inf

import numpy as np
from numpy.typing import NDArray

from eventsim.dynamics.potentials import NEAR
from eventsim.jit import inner

__all__ = [
    "MODE",
    "decay_modes",
    "driven",
    "highest_response",
    "response",
]

Floats = NDArray[np.float64]

#: A mode of one neuron: parameters, then state.
MODE = np.dtype(
    [
        ("tau", np.float64),
        ("gap", np.float64),  # rate of the membrane minus that of the mode, 1/s
        ("gain", np.float64),  # drive of a unit of the mode, V/s
        ("lift", np.float64),  # threshold of a unit of the mode, V
        ("jump", np.float64),  # what an own spike adds
        ("peak", np.float64),  # the largest value of the response, with a margin upwards, s
        ("value", np.float64),  # state, at t_last of the unit
    ]
)

#: What is added, relative, to bounds, so that no rounding of theirs can matter.
MARGIN = 1e-11


@inner
def response(h, gap, decay, mode_decay):
    """The potential after ``h`` that a mode of unit drive leaves; both decays are given."""
    reach = abs(gap) * h
    if reach > NEAR:
        return (mode_decay - decay) / gap
    if reach == 0.0:
        return h * decay
    return max(decay, mode_decay) * -expm1(-reach) / abs(gap)


@inner
def driven(x, drive, h, tau, modes, first, n, moves):
    """Potential after ``h`` seconds; the modes are moved with it, or stay as they are."""
    decay, grown = 1.0, h
    if tau < inf:
        decay = exp(-h / tau)
        if drive != 0.0:
            grown = -tau * expm1(-h / tau)
    moved = x * decay
    if drive != 0.0:
        moved += drive * grown
    for j in range(first, first + n):
        mode = modes[j]
        if mode.value == 0.0:
            continue
        mode_decay = exp(-h / mode.tau)
        if mode.gain != 0.0:
            moved += mode.gain * mode.value * response(h, mode.gap, decay, mode_decay)
        if moves:
            mode.value *= mode_decay
    return moved


@inner
def decay_modes(h, modes, first, n):
    """Let ``h`` seconds pass for the modes alone."""
    for j in range(first, first + n):
        mode = modes[j]
        if mode.value != 0.0:
            mode.value *= exp(-h / mode.tau)


def highest_response(tau: Floats, tau_mode: Floats) -> Floats:
    r"""Largest value of the response :math:`\varphi`, rounded upwards.

    It is reached at :math:`\ln(\lambda / \mu) / (\lambda - \mu)` and is
    :math:`T q^{1 / (1 - q)}`, where :math:`T` is the longer of the two time constants and
    :math:`q` the shorter one divided by it; without leak it is approached at infinity and is
    :math:`\tau_j`.

    Examples
    --------
    >>> highest_response(np.array([1.0, 1.0, np.inf]), np.array([1.0, 0.5, 0.25])).round(4)
    array([0.3679, 0.25  , 0.25  ])
    """
    short, long = np.minimum(tau, tau_mode), np.maximum(tau, tau_mode)
    with np.errstate(invalid="ignore", divide="ignore"):
        less = (long - short) / long
        power = np.where(less < 1e-8, -1.0, np.log1p(-less) / less)
        top = np.where(np.isinf(tau), tau_mode, long * np.exp(power))
    return top * (1.0 + 1e-6)
