r"""Noise that a network may be trained with: what the coarse step leaves out, or a jitter of the
threshold. It acts in training alone; a trained network is the same coarse network as any other.

The coarse potential is a mean over the times of the arrivals within a step and, after a spike,
over the end of the refractory period. The variances about it are known
(:mod:`eventsim.discrete.theory`). With x the charge of the step, :math:`x_2 = \sum_j w_j^2` over
its spikes, s the spike of the step before, and b', c' the coefficients at half the time constant,

.. math::

    v \leftarrow (1 - s)(a v + b x) + s \, c \, x + \sigma \, \xi, \qquad
    \sigma^2 = (1 - s)(b' - b^2) \, x_2
             + s \left[ c' x_2 + (x^2 - x_2) \, \tau^2 (1 - 2 b + b') - c^2 x^2 \right],

and the spike is :math:`[\, v > v_0 (1 + \sigma_0 \zeta) \,]`, where :math:`\xi` and :math:`\zeta`
are independent standard normal draws for each neuron, sample and step. The potential keeps its
noise from step to step, for it is where the exact neuron's would be; the threshold does not. The
gradient takes :math:`\sigma` as given. A bias is an even charge: it counts in x and not in x_2.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from eventsim.discrete import theory
from eventsim.errors import InvalidValue

__all__ = ["Noise", "arrival_variance"]


class Noise:
    """Draws of the noise of one training run.

    Parameters
    ----------
    arrivals : bool
        Whether potentials get the variance of the arrival times within a step.
    threshold : float
        Standard deviation of the threshold, as a share of it; >= 0.
    generator : torch.Generator
        Source of all draws.

    Raises
    ------
    InvalidValue
        ``threshold`` is negative or not finite.

    Examples
    --------
    >>> noise = Noise(False, 0.1, torch.Generator().manual_seed(1))
    >>> thresholds = noise.thresholds(torch.zeros(10_000), 2.0)
    >>> round(float(thresholds.mean()), 2), round(float(thresholds.std()), 2)
    (2.0, 0.2)
    """

    def __init__(self, arrivals: bool, threshold: float, generator: torch.Generator) -> None:
        if not 0 <= threshold < math.inf:
            raise InvalidValue(f"Noise: threshold: expected a number >= 0, got {threshold}")
        self.arrivals = arrivals
        self.threshold = threshold
        self._generator = generator

    def potentials(self, x: Tensor, x2: Tensor, s: Tensor, tau: float) -> Tensor:
        """Draws with the variance of :func:`arrival_variance`; no gradient passes them."""
        with torch.no_grad():
            return arrival_variance(x, x2, s, tau).sqrt() * self._normal(x)

    def thresholds(self, like: Tensor, v_threshold: float) -> Tensor | float:
        """The thresholds of this step, of the shape of ``like``."""
        if not self.threshold:
            return v_threshold
        return v_threshold * (1 + self.threshold * self._normal(like))

    def _normal(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self._generator, dtype=like.dtype)


def arrival_variance(x: Tensor, x2: Tensor, s: Tensor, tau: float) -> Tensor:
    r"""Variance :math:`\sigma^2` of the potential at the end of a step.

    Parameters
    ----------
    x, x2 : Tensor
        Charge of the step, and sum of the squares of the weights that arrive in it.
    s : Tensor
        1 where the neuron spiked in the step before, else 0.
    tau : float
        Membrane time constant in steps, > 0 and finite.

    Examples
    --------
    >>> x, x2 = torch.tensor([1.3, 1.3]), torch.tensor([0.338, 0.338])
    >>> arrival_variance(x, x2, torch.tensor([0.0, 1.0]), 4.0)
    tensor([0.0014, 0.1604])
    """
    step, pulses, even = _factors(tau)
    return torch.where(s > 0, pulses * x2 + even * x * x, step * x2)


class _Factors(NamedTuple):
    step: float
    spike_squares: float
    spike_charge: float


@cache
def _factors(tau: float) -> _Factors:
    """Factors of x2 after a step, and of x2 and x squared after a spike."""
    return _Factors(
        float(theory.variance_after_step(1.0, tau)),
        float(theory.variance_after_spike(0.0, 1.0, tau)),
        float(theory.variance_after_spike(1.0, 0.0, tau)),
    )
