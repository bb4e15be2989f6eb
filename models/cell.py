"""The coarse LIF cell as a PyTorch module, with a surrogate gradient.

One step lasts one refractory period. With ``tau`` the membrane time constant in steps, ``x`` the
charge that arrives in the step and ``s`` the spike of the step before::

    a = exp(-1/tau);  b = tau (1 - a);  c = tau (1 - b)
    v <- (1 - s) (a v + b x) + s c x
    s <- 1 if v > v_threshold else 0

``b`` is the mean decay of an arrival that is uniform over the step. ``c`` is the same when the
neuron is refractory for a uniformly distributed first part of the step.

Source: A. Yanguas-Gil, "Coarse scale representation of spiking neural networks:
backpropagation through spikes and application to neuromorphic hardware", arXiv:2007.06176.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from eventsim.errors import InvalidValue
from models.noise import Noise

__all__ = ["VARIANTS", "CoarseLIF", "State", "coefficients", "fire"]

State = tuple[Tensor, Tensor]
"""Potential ``v`` and spike ``s`` of the last step, both of the shape of the input."""

VARIANTS = ("coarse", "coarse_drop", "constant_potential", "lif", "if", "mcculloch_pitts")


def coefficients(tau: float) -> tuple[float, float, float]:
    """The factors ``(a, b, c)`` of the coarse model.

    Parameters
    ----------
    tau : float
        Membrane time constant in steps, > 0; ``inf`` gives the limit without leak.

    Raises
    ------
    InvalidValue
        ``tau`` is not a number above zero.

    Examples
    --------
    >>> [round(factor, 6) for factor in coefficients(4.0)]
    [0.778801, 0.884797, 0.460813]
    >>> coefficients(float("inf"))
    (1.0, 1.0, 0.5)
    """
    if not tau > 0:
        raise InvalidValue(f"CoarseLIF: tau: expected a number > 0 (steps), got {tau}")
    if math.isinf(tau):
        return 1.0, 1.0, 0.5
    a = math.exp(-1.0 / tau)
    b = tau * (1.0 - a)
    return a, b, tau * (1.0 - b)


class _Fire(torch.autograd.Function):
    """Heaviside step forwards, slope of a steep sigmoid backwards."""

    @staticmethod
    def forward(ctx: Any, excess: Tensor, beta: float) -> Tensor:
        ctx.save_for_backward(excess)
        ctx.beta = beta
        return (excess > 0).to(excess.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (excess,) = ctx.saved_tensors
        soft = torch.sigmoid(ctx.beta * excess)
        return grads[0] * (ctx.beta * soft * (1 - soft)), None


def fire(excess: Tensor, beta: float = 5.0) -> Tensor:
    """Spikes (1 where ``excess > 0``) with the gradient of ``sigmoid(beta * excess)``.

    At ``excess == 0`` there is no spike.

    Examples
    --------
    >>> fire(torch.tensor([-0.1, 0.0, 0.1]))
    tensor([0., 0., 1.])
    """
    spikes: Tensor = _Fire.apply(excess, beta)
    return spikes


class CoarseLIF(nn.Module):
    """One step of a layer of coarse LIF neurons, or of one of its variants.

    Parameters
    ----------
    tau : float
        Membrane time constant in steps, > 0.
    v_threshold : float
        Threshold over the resting potential; a neuron fires above it, not at it.
    variant : str
        ========================  =========================================================
        ``"coarse"``              ``v <- (1-s)(a v + b x) + s c x``
        ``"coarse_drop"``         ``v <- (1-s)(a v + b x)``: a step after a spike is deaf
        ``"constant_potential"``  ``v <- (1-s)(a v + (b/c) x) + s x``: analog input whose
                                  charge per step is ``x / c``, so that ``x`` above threshold
                                  fires in every step
        ``"lif"``                 ``v <- (1-s) a v + b x``
        ``"if"``                  ``v <- (1-s) v + x``
        ``"mcculloch_pitts"``     ``v <- x``: no memory
        ========================  =========================================================
    beta : float
        Steepness of the surrogate gradient, > 0.

    Raises
    ------
    InvalidValue
        A parameter is out of its range; the message names it.

    Examples
    --------
    >>> cell = CoarseLIF(tau=4.0)
    >>> spikes, state = cell(torch.tensor([1.3, 0.5]))
    >>> spikes
    tensor([1., 0.])
    >>> spikes, state = cell(torch.tensor([1.3, 1.0]), state)
    >>> state[0]
    tensor([0.5991, 1.2293])
    """

    def __init__(
        self,
        tau: float,
        v_threshold: float = 1.0,
        variant: str = "coarse",
        beta: float = 5.0,
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise InvalidValue(
                f"CoarseLIF: variant: expected one of {', '.join(VARIANTS)}, got {variant!r}"
            )
        for field, value in (("v_threshold", v_threshold), ("beta", beta)):
            if not value > 0 or math.isinf(value):
                raise InvalidValue(f"CoarseLIF: {field}: expected a number > 0, got {value}")
        self.tau = float(tau)
        self.v_threshold = float(v_threshold)
        self.variant = variant
        self.beta = float(beta)
        self.a, self.b, self.c = coefficients(tau)

    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        noise: Noise | None = None,
        squares: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Step once.

        Parameters
        ----------
        x : Tensor
            Charge of this step (weighted spikes plus bias), float32 or float64, any shape.
        state : (Tensor, Tensor) or None
            ``(v, s)`` of the step before; None starts at rest.
        noise : Noise or None
            For training: added to the potential, or to the threshold; see :mod:`models.noise`.
        squares : Tensor or None
            Sum of the squared weights that arrive in this step, of the shape of ``x``, for the
            noise of arrivals. None: the charge is even, as that of an analog image.

        Returns
        -------
        spikes, state
            Spikes 0/1 of the dtype and shape of ``x``, and the new ``(v, s)``.
        """
        v, before = (torch.zeros_like(x), torch.zeros_like(x)) if state is None else state
        v = self._potential(x, v, before)
        v_threshold: Tensor | float = self.v_threshold
        if noise is not None:
            if noise.arrivals:
                v = v + self._spread(x, before, noise, squares)
            v_threshold = noise.thresholds(v, self.v_threshold)
        s = fire(v - v_threshold, self.beta)
        return s, (v, s)

    def _spread(self, x: Tensor, s: Tensor, noise: Noise, squares: Tensor | None) -> Tensor:
        charge = x / self.c if self.variant == "constant_potential" else x
        return noise.potentials(charge, torch.zeros_like(x) if squares is None else squares, s,
                                self.tau)  # fmt: skip

    def _potential(self, x: Tensor, v: Tensor, s: Tensor) -> Tensor:
        a, b, c = self.a, self.b, self.c
        if self.variant == "coarse":
            return (1 - s) * (a * v + b * x) + s * c * x
        if self.variant == "coarse_drop":
            return (1 - s) * (a * v + b * x)
        if self.variant == "constant_potential":
            return (1 - s) * (a * v + (b / c) * x) + s * x
        if self.variant == "lif":
            return (1 - s) * a * v + b * x
        if self.variant == "if":
            return (1 - s) * v + x
        return x

    def extra_repr(self) -> str:
        """Parameters, for ``print(module)``."""
        return f"tau={self.tau}, v_threshold={self.v_threshold}, variant={self.variant!r}"
