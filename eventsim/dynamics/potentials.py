"""Potentials between events on arrays, for traces: what kernels do one neuron at a time.

No compiler is needed here, so that a result can be read and drawn without one.
"""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEAR", "potential", "potential_with"]

Floats = NDArray[np.float64]

#: Where the exponentials differ by less than this in their exponents, expm1 takes over.
NEAR = 0.5


def potential(x: Floats, drive: Floats, h: Floats, tau: float) -> Floats:
    """Potentials above ``v_leak`` after ``h`` seconds, on arrays; the formula of
    :func:`eventsim.dynamics.lif.advance`.

    Examples
    --------
    >>> potential(np.array([1.0]), np.array([0.0]), np.array([0.01]), 0.01).round(6)
    array([0.367879])
    """
    if tau == inf:
        return x + drive * h
    return x * np.exp(-h / tau) + drive * (-tau * np.expm1(-h / tau))


def potential_with(
    x: Floats, drive: Floats, h: Floats, tau: float, modes: Floats, values: Floats
) -> Floats:
    """Potentials above ``v_leak`` after ``h`` seconds, on arrays; the formula of
    :func:`eventsim.dynamics.exponentials.driven`.

    ``modes`` are rows (tau, gain, lift), ``values`` [time, mode] the modes at the beginning.
    """
    moved = potential(x, drive, h, tau)
    decay = np.exp(-h / tau) if tau < inf else np.ones_like(h)
    for (tau_mode, gain, _), value in zip(modes, values.T, strict=True):
        gap = (tau_mode - tau) / (tau * tau_mode) if tau < inf else -1.0 / tau_mode
        mode_decay = np.exp(-h / tau_mode)
        reach = abs(gap) * h
        with np.errstate(invalid="ignore", divide="ignore"):
            apart = (mode_decay - decay) / gap
            near = np.maximum(decay, mode_decay) * np.where(
                reach == 0.0, h, -np.expm1(-reach) / abs(gap)
            )
        moved = moved + gain * value * np.where(reach > NEAR, apart, near)
    return moved
