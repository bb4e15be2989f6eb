r"""Step rules of snnTorch's neurons, read off version 1.0.0.

With the charge ``x`` of a step, the recurrent charge ``y`` and the reset ``r = [m > theta]`` of
the membrane that the step before left:

========== ==================================== =======================================
class      step                                 ``"zero"`` in the next step
========== ==================================== =======================================
Leaky      ``m = beta m + x - r theta``         ``m = beta (1 - r) m + x``: x is kept
RLeaky     ``m = (beta m + x) + y - r theta``   ``m = 0``: x and y are dropped
Synaptic   ``i = alpha i + x``                  ``m = 0``, and ``i`` goes on
           ``m = beta m + i - r theta``
RSynaptic  ``i = (alpha i + x) + y``            ``m = 0``, and ``i`` goes on
========== ==================================== =======================================

All fire where ``m > theta``; ``alpha`` and ``beta`` are clamped to [0, 1]. With ``reset_delay`` a
spike is reset in the next step. Without it the membrane is reset in the step of the spike, unless
``r`` did so before the test: ``s - r`` thresholds are subtracted after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.step_rule import StepRule

__all__ = ["leaky", "rleaky", "rsynaptic", "synaptic"]

#: ``reset_mechanism`` -> the reset of a StepRule.
RESETS = {"subtract": "subtract", "zero": "value", "none": "none"}


def leaky(
    beta: Any, threshold: Any = 1.0, *, reset_mechanism: str = "subtract", reset_delay: bool = True
) -> StepRule:
    """The rule of ``snntorch.Leaky``.

    Parameters
    ----------
    beta : float or array [n]
        Decay factor of the membrane per step, clamped to [0, 1].
    threshold : float or array [n]
        Threshold, >= 0.
    reset_mechanism : {"subtract", "zero", "none"}
        What a spike does to the membrane.
    reset_delay : bool
        Whether it does so in the next step.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> rule = leaky(1.25, threshold=0.5)
    >>> rule.leak, rule.v_threshold, rule.reset, rule.reset_time
    (1.0, 0.5, 'subtract', 'next')
    >>> leaky(0.9, reset_delay=False).reset_time
    'both'
    """
    given = _reset("snntorch.Leaky", threshold, reset_mechanism, reset_delay)
    return StepRule("snntorch.Leaky", leak=_clamped("snntorch.Leaky", "beta", beta), **given)


def rleaky(
    beta: Any, threshold: Any = 1.0, *, reset_mechanism: str = "subtract", reset_delay: bool = True
) -> StepRule:
    """The rule of ``snntorch.RLeaky``, whose late reset to zero drops the charge of its step.

    Parameters
    ----------
    beta, threshold, reset_mechanism, reset_delay
        As for :func:`leaky`.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> rleaky(0.9, reset_mechanism="zero").reset_drops_input
    True
    """
    given = _reset("snntorch.RLeaky", threshold, reset_mechanism, reset_delay)
    return StepRule(
        "snntorch.RLeaky",
        leak=_clamped("snntorch.RLeaky", "beta", beta),
        reset_drops_input=True,
        **given,
    )


def synaptic(
    alpha: Any,
    beta: Any,
    threshold: Any = 1.0,
    *,
    reset_mechanism: str = "subtract",
    reset_delay: bool = True,
) -> StepRule:
    """The rule of ``snntorch.Synaptic``: the current of a step moves the membrane of that step.

    Parameters
    ----------
    alpha : float or array [n]
        Decay factor of the current per step, clamped to [0, 1].
    beta, threshold, reset_mechanism, reset_delay
        As for :func:`leaky`.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> rule = synaptic(0.8, 0.9)
    >>> rule.synapse_decay, rule.decay, rule.order
    (0.8, 0.9, 'decay, input, membrane')
    """
    return _synaptic("snntorch.Synaptic", alpha, beta, threshold, reset_mechanism, reset_delay)


def rsynaptic(
    alpha: Any,
    beta: Any,
    threshold: Any = 1.0,
    *,
    reset_mechanism: str = "subtract",
    reset_delay: bool = True,
) -> StepRule:
    """The rule of ``snntorch.RSynaptic``, which in 1.0.0 resets in the next step in any case.

    Without ``reset_delay`` the package changes a variable of its function and returns the
    membrane as it was, so the rule is the one with ``reset_delay``.

    Parameters
    ----------
    alpha, beta, threshold, reset_mechanism, reset_delay
        As for :func:`synaptic`.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> rsynaptic(0.8, 0.9, reset_delay=False) == rsynaptic(0.8, 0.9)
    True
    """
    _flag("snntorch.RSynaptic", reset_delay)
    return _synaptic("snntorch.RSynaptic", alpha, beta, threshold, reset_mechanism, True)


def _synaptic(
    label: str, alpha: Any, beta: Any, threshold: Any, reset_mechanism: str, reset_delay: bool
) -> StepRule:
    return StepRule(
        label,
        leak=_clamped(label, "beta", beta),
        synapse="factor",
        synapse_leak=_clamped(label, "alpha", alpha),
        order="decay, input, membrane",
        reset_drops_input=True,
        **_reset(label, threshold, reset_mechanism, reset_delay),
    )


def _clamped(label: str, field: str, value: Any) -> Any:
    array = checks.real_array(label, field, value)
    if np.isnan(array).any():
        raise checks.fail(label, field, "numbers", value)
    return np.clip(array.astype(np.float64), 0.0, 1.0)


def _flag(label: str, reset_delay: Any) -> bool:
    if not isinstance(reset_delay, bool | np.bool_):
        raise InvalidType(f"{label}: reset_delay: expected True or False, got {reset_delay!r}")
    return bool(reset_delay)


def _reset(label: str, threshold: Any, mechanism: str, delay: bool) -> dict[str, Any]:
    """The threshold and the reset of a rule."""
    if mechanism not in RESETS:
        raise checks.fail(label, "reset_mechanism", f"one of {list(RESETS)}", repr(mechanism))
    # The first membrane is 0: above a negative threshold it would be reset without a spike.
    if not (checks.real_array(label, "threshold", threshold) >= 0).all():
        raise checks.fail(label, "threshold", "numbers >= 0", threshold)
    time = "next" if _flag(label, delay) else "both"
    return {"v_threshold": threshold, "reset": RESETS[mechanism], "reset_time": time}
