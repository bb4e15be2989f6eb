"""Rules of a step that are named in a Discretization, and the populations they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.populations import Population

__all__ = ["NamedRule"]


@dataclass(frozen=True)
class NamedRule:
    """One of :data:`eventsim.discretization.RULES` with its parameters.

    Attributes
    ----------
    name : str
        The rule.
    tau : float
        Membrane time constant in steps.
    v_threshold : float
        Threshold.
    """

    name: str
    tau: float
    v_threshold: float

    @property
    def t_ref_steps(self) -> int:
        """Refractory period in steps."""
        return 1 if self.name == "coarse" else 0

    def population(
        self, name: str, shape: tuple[int, ...], dt: float, bias: NDArray[np.float64]
    ) -> Population:
        """The neurons; ``bias`` is the charge that each gets in every step."""
        tau_mem = self.tau * dt
        current = bias / dt * (tau_mem if np.isfinite(tau_mem) else 1.0)
        return Population(
            name,
            shape,
            tau_mem=tau_mem,
            v_threshold=self.v_threshold,
            t_ref=dt * self.t_ref_steps,
            i_bias=current if current.any() else 0.0,
        )
