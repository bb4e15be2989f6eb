"""A last layer without neurons: the sum over the steps of what it gets."""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsim.step_rule import StepRule

__all__ = ["summed_spikes"]


def summed_spikes(bias: Any = 0.0) -> StepRule:
    """Rule of neurons without leak and threshold, whose potential is the sum of their input.

    Parameters
    ----------
    bias : float or array
        What is added in every step besides.

    Returns
    -------
    StepRule

    Examples
    --------
    >>> summed_spikes().decay, summed_spikes().v_threshold
    (1.0, inf)
    """
    return StepRule("readout", leak=1.0, v_threshold=np.inf, reset="none", bias=bias)
