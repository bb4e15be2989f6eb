r"""sinabs 3.1: integrate-and-fire neurons with several spikes a step, time constants in steps.

With ``a = exp(-1 / tau)`` rounded to float32, the charge of a step and what comes back from the
layer's own spikes are added first, ``z = x + y``, and

.. math::
    \text{with } \tau_\mathrm{syn}&: i \leftarrow a_\mathrm{syn} (i + z), \qquad
        \text{else } i = z \\
    \text{LIF, IAF, ExpLeak}&: v \leftarrow a_\mathrm{mem} v + g i, \qquad
        g = 1 - a_\mathrm{mem} \text{ with } \texttt{norm\_input}, \text{ else } 1 \\
    \text{ALIF}&: i \leftarrow g i, \; v \leftarrow a_\mathrm{mem} v + i, \;
        \theta = b_0 + c\, b

A neuron gives ``trunc(v / theta)`` spikes at once, ``MaxSpike(m)`` at most ``m`` of them, and
``SingleSpike`` one where ``v >= theta``. Then ``theta`` (or ``subtract_value``) is subtracted for
each spike, or the potential is set to zero; the variable ``b`` of ALIF moves after that, and a
potential below ``min_v_mem`` is lifted to it last. In the first step nothing comes back, not even
the bias of the recurrent weights. The current of ALIF keeps the factor ``g`` from
step to step, so that with ``norm_input`` it decays by ``g a_syn`` and not by ``a_syn``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsim import checks
from eventsim.step_rule import StepRule

__all__ = ["UNLIMITED", "alif", "exp_leak", "iaf", "lif"]

#: Most spikes of a neuron in a step where the package has no limit.
UNLIMITED = 2**31


def iaf(
    *,
    tau_syn: Any = None,
    alpha_syn: Any = None,
    spike_threshold: Any = 1.0,
    max_spikes: int | None = None,
    reset: str = "subtract",
    subtract_value: Any = None,
    min_v_mem: Any = None,
) -> StepRule:
    """Rule of ``IAF``, ``IAFRecurrent`` and ``IAFSqueeze``.

    Parameters
    ----------
    tau_syn, alpha_syn : float or array, optional
        As in :func:`lif`.
    spike_threshold, max_spikes, reset, subtract_value, min_v_mem
        As in :func:`lif`.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        A number is out of range, or of the wrong type.

    Examples
    --------
    >>> print(iaf(spike_threshold=0.5).equation)
    v = leak v + gain x; v = v - s theta, in the step of the spike, after the test; \
floor(v / theta) spikes
    """
    where = "sinabs.IAF"
    return StepRule(
        where,
        leak=1.0,
        **_synapse(where, tau_syn, alpha_syn),
        **_spikes(where, spike_threshold, max_spikes, reset, subtract_value, min_v_mem),
    )


def lif(
    *,
    tau_mem: Any = None,
    alpha_mem: Any = None,
    tau_syn: Any = None,
    alpha_syn: Any = None,
    spike_threshold: Any = 1.0,
    max_spikes: int | None = None,
    reset: str = "subtract",
    subtract_value: Any = None,
    min_v_mem: Any = None,
    norm_input: bool = True,
) -> StepRule:
    """Rule of ``LIF``, ``LIFRecurrent`` and ``LIFSqueeze``.

    Parameters
    ----------
    tau_mem, tau_syn : float or array
        Time constants in steps, > 0; without ``tau_syn`` there is no current.
    alpha_mem, alpha_syn : float or array
        What is left after a step, where that is known (``train_alphas``) instead of the time
        constants. The exponential of a time constant may differ from torch's in its last bit.
    spike_threshold : float or array
        Threshold, > 0.
    max_spikes : int or None
        Most spikes of a neuron in a step: None for ``MultiSpike``, 1 for ``SingleSpike``.
    reset : {"subtract", "value"}
        ``MembraneSubtract``, or ``MembraneReset`` (to zero).
    subtract_value : float, optional
        What a spike subtracts. Default: the threshold.
    min_v_mem : float or array, optional
        Floor of the potential.
    norm_input : bool
        Whether the input is multiplied by ``1 - alpha_mem``.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        Both or none of a time constant and its factor are given, or a number is out of range.

    Examples
    --------
    >>> rule = lif(alpha_mem=0.75, alpha_syn=0.5, max_spikes=1)
    >>> rule.leak, rule.gain, rule.synapse_leak, rule.order
    (0.75, 0.25, 0.5, 'input, decay, membrane')
    """
    where = "sinabs.LIF"
    alpha = _alpha(where, "mem", tau_mem, alpha_mem)
    return StepRule(
        where,
        leak=alpha,
        gain=_one_less(alpha) if norm_input else 1.0,
        **_synapse(where, tau_syn, alpha_syn),
        **_spikes(where, spike_threshold, max_spikes, reset, subtract_value, min_v_mem),
    )


def alif(
    *,
    tau_mem: Any = None,
    alpha_mem: Any = None,
    tau_adapt: Any = None,
    alpha_adapt: Any = None,
    tau_syn: Any = None,
    alpha_syn: Any = None,
    adapt_scale: Any = 1.8,
    spike_threshold: Any = 1.0,
    max_spikes: int | None = 1,
    reset: str = "subtract",
    subtract_value: Any = None,
    min_v_mem: Any = None,
    norm_input: bool = True,
) -> StepRule:
    """Rule of ``ALIF``, ``ALIFRecurrent`` and ``ALIFSqueeze``.

    Parameters
    ----------
    tau_mem, alpha_mem, tau_syn, alpha_syn
        As in :func:`lif`.
    tau_adapt, alpha_adapt : float or array
        The same of the adaptation.
    adapt_scale : float or array
        What a unit of the adaptation adds to the threshold.
    spike_threshold : float or array
        Threshold at rest, > 0.
    max_spikes : int or None
        As in :func:`lif`; single spikes are the default.
    reset, subtract_value, min_v_mem, norm_input
        As in :func:`lif`; what is subtracted is the threshold of the step.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        Both or none of a time constant and its factor are given, or a number is out of range.

    Examples
    --------
    >>> rule = alif(alpha_mem=0.75, alpha_adapt=0.5, alpha_syn=0.5)
    >>> rule.adapt_leak, rule.adapt_jump, rule.synapse_decay
    (0.5, 1.7999999523162842, 0.125)
    """
    where = "sinabs.ALIF"
    alpha = _alpha(where, "mem", tau_mem, alpha_mem)
    gain = _one_less(alpha) if norm_input else 1.0
    synapse = _synapse(where, tau_syn, alpha_syn)
    if synapse:
        synapse["synapse_gain"] = gain
    return StepRule(
        where,
        leak=alpha,
        gain=1.0 if synapse else gain,
        **synapse,
        **_spikes(where, spike_threshold, max_spikes, reset, subtract_value, min_v_mem),
        adaptation="variable",
        adapt_leak=_alpha(where, "adapt", tau_adapt, alpha_adapt),
        adapt_jump=checks.float32(where, "adapt_scale", adapt_scale),
    )


def exp_leak(
    *,
    tau_mem: Any = None,
    alpha_mem: Any = None,
    min_v_mem: Any = None,
    norm_input: bool = False,
) -> StepRule:
    """Rule of ``ExpLeak`` and ``ExpLeakSqueeze``, which do not spike.

    Parameters
    ----------
    tau_mem, alpha_mem, min_v_mem, norm_input
        As in :func:`lif`.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        Both or none of the time constant and its factor are given, or one is out of range.

    Examples
    --------
    >>> exp_leak(alpha_mem=0.75).v_threshold
    inf
    """
    where = "sinabs.ExpLeak"
    alpha = _alpha(where, "mem", tau_mem, alpha_mem)
    return StepRule(
        where,
        leak=alpha,
        gain=_one_less(alpha) if norm_input else 1.0,
        feedback="summed",
        v_threshold=np.inf,
        v_min=-np.inf if min_v_mem is None else checks.float32(where, "min_v_mem", min_v_mem),
        reset="none",
    )


def _one_less(alpha: Any) -> Any:
    return np.float32(1.0) - alpha


def _alpha(where: str, name: str, tau: Any, alpha: Any) -> Any:
    """What is left after a step."""
    if (tau is None) == (alpha is None):
        got = {f"tau_{name}": tau, f"alpha_{name}": alpha}
        raise checks.fail(where, f"tau_{name}", f"either tau_{name} or alpha_{name}", got)
    if tau is None:
        return checks.float32(where, f"alpha_{name}", alpha)
    steps = checks.float32(where, f"tau_{name}", tau)
    if not np.all(steps > 0.0):
        raise checks.fail(where, f"tau_{name}", "numbers of steps > 0", tau)
    return np.exp(np.float32(-1.0) / steps)


def _synapse(where: str, tau: Any, alpha: Any) -> dict[str, Any]:
    if tau is None and alpha is None:
        return {}
    return {
        "synapse": "factor",
        "synapse_leak": _alpha(where, "syn", tau, alpha),
        "order": "input, decay, membrane",
    }


def _spikes(
    where: str, threshold: Any, most: int | None, reset: str, amount: Any, floor: Any
) -> dict[str, Any]:
    if reset not in ("subtract", "value"):
        raise checks.fail(where, "reset", "'subtract' or 'value'", repr(reset))
    if amount is not None and reset == "value":
        raise checks.fail(where, "subtract_value", "none with reset='value'", amount)
    threshold = checks.float32(where, "spike_threshold", threshold)
    subtract: Any = 0.0
    if amount is not None:
        subtract = checks.float32(where, "subtract_value", amount)
        if np.any(subtract <= 0.0):
            raise checks.fail(where, "subtract_value", "numbers > 0", amount)
    return {
        "feedback": "summed",
        "feedback_bias_late": True,
        "v_threshold": threshold,
        "fires_at_equality": True,
        "max_spikes": UNLIMITED if most is None else most,
        "reset": reset,
        "v_subtract": 0.0 if np.array_equal(subtract, threshold) else subtract,
        "v_min": -np.inf if floor is None else checks.float32(where, "min_v_mem", floor),
    }
