r"""Rockpool 3.1: LIF neurons behind an exponential synapse, with several spikes a step.

With ``beta = exp(-dt / tau_syn)`` and ``alpha = exp(-dt / tau_mem)``, or as they were trained,

.. math::
    \text{LIFTorch}&: i \leftarrow \beta ((i + x) + y), \qquad
        v \leftarrow (\alpha v + i) + \mathrm{bias} \\
    \text{ExpSynTorch}&: i \leftarrow \beta (i + x)

where ``y`` is what the recurrent weights make of the spikes of the step before. A neuron gives
``floor(v / threshold)`` spikes at once, at most ``max_spikes_per_dt``, and loses as many
thresholds. The bias is added to the potential and not to the current.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsim import checks
from eventsim.step_rule import StepRule

__all__ = ["exp_syn", "lif"]


def lif(
    *,
    tau_mem: Any = None,
    tau_syn: Any = None,
    alpha: Any = None,
    beta: Any = None,
    dash_mem: Any = None,
    dash_syn: Any = None,
    bias: Any = 0.0,
    threshold: Any = 1.0,
    max_spikes_per_dt: int = 2**16,
    dt: float = 1e-3,
) -> StepRule:
    """Rule of ``LIFTorch`` with one synapse a neuron and without noise.

    Parameters
    ----------
    tau_mem, tau_syn : float or array
        Time constants in seconds, for ``leak_mode="taus"``.
    alpha, beta : float or array
        What is left of potential and current after a step, for ``leak_mode="decays"``. The
        exponential of a time constant may differ from torch's in its last bit.
    dash_mem, dash_syn : float or array
        Shifts, for ``leak_mode="bitshifts"``: ``1 - 2 ** -dash`` is left.
    bias : float or array
        What the potential gets in every step.
    threshold : float or array
        Threshold, > 0.
    max_spikes_per_dt : int
        Most spikes of a neuron in a step.
    dt : float
        Step in seconds.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        Not one of the pairs is given, or a number is out of range.

    Examples
    --------
    >>> rule = lif(dash_mem=2, dash_syn=1, bias=0.125)
    >>> rule.leak, rule.synapse_leak, rule.v_bias, rule.order
    (0.75, 0.5, 0.125, 'input, decay, membrane')
    """
    where = "rockpool.LIFTorch"
    dt = checks.positive(where, "dt", dt)
    mem = _decay(where, dt, {"tau_mem": tau_mem, "alpha": alpha, "dash_mem": dash_mem})
    syn = _decay(where, dt, {"tau_syn": tau_syn, "beta": beta, "dash_syn": dash_syn})
    return StepRule(
        where,
        leak=mem,
        synapse="factor",
        synapse_leak=syn,
        order="input, decay, membrane",
        v_threshold=checks.float32(where, "threshold", threshold),
        fires_at_equality=True,
        max_spikes=checks.whole(where, "max_spikes_per_dt", max_spikes_per_dt, 1),
        reset="subtract",
        v_bias=checks.float32(where, "bias", bias),
    )


def exp_syn(*, tau: Any = None, beta: Any = None, dt: float = 1e-3) -> StepRule:
    """Rule of ``ExpSynTorch``, whose current is the potential of neurons that do not spike.

    The current is ``beta i + beta x``, which is rounded otherwise than ``beta (i + x)``.

    Parameters
    ----------
    tau : float or array
        Time constant in seconds.
    beta : float or array
        What is left after a step, where that is known instead.
    dt : float
        Step in seconds.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        Both or none of ``tau`` and ``beta`` are given, or a number is out of range.

    Examples
    --------
    >>> rule = exp_syn(beta=0.75)
    >>> rule.leak, rule.gain, rule.v_threshold
    (0.75, 0.75, inf)
    """
    where = "rockpool.ExpSynTorch"
    dt = checks.positive(where, "dt", dt)
    left = _decay(where, dt, {"tau": tau, "beta": beta})
    return StepRule(where, leak=left, gain=left, v_threshold=np.inf, reset="none")


def _decay(where: str, dt: float, given: dict[str, Any]) -> Any:
    """What is left after a step, from one of: time constant, factor, shift."""
    known = {name: value for name, value in given.items() if value is not None}
    if len(known) != 1:
        expected = f"one of {', '.join(given)}"
        raise checks.fail(where, next(iter(given)), expected, sorted(known) or "none")
    (name, value), one = next(iter(known.items())), np.float32(1.0)
    number = checks.float32(where, name, value)
    if name.startswith("tau"):
        if not np.all(number > 0.0):
            raise checks.fail(where, name, "seconds > 0", value)
        return np.exp(np.float32(-dt) / number)
    if name.startswith("dash"):
        return one - one / np.float32(2.0) ** number
    return number
