r"""Norse 1.1: forward Euler steps of leaky neurons, with and without a synaptic current.

With ``a = dt tau_mem_inv``, ``c = dt tau_syn_inv`` and ``e = dt tau_adapt_inv``, all rounded in
the arithmetic of the parameters before they are used:

.. math::
    \text{LIFBox}&: v \leftarrow v + a ((x + v_\mathrm{leak}) - v) \\
    \text{LIF}&: i \leftarrow (i + x) + y,\;
        v \leftarrow v + a ((v_\mathrm{leak} - v) + i),\; i \leftarrow i - c i \\
    \text{LSNN}&: v \leftarrow v + a ((v_\mathrm{leak} - v) + i),\;
        i \leftarrow ((i - c i) + x) + y,\; b \leftarrow b + e (v_\mathrm{th} - b)

The leaky integrators LI and LIBox are LIF without spikes, and ``v <- v + a ((v_leak - v) + x)``.

All others spike where the potential is above the threshold (``b`` for LSNN, which then grows by
``beta``), and reset in the same step. The current of an LSNN neuron moves its potential one step
late. A unit of weight is worth ``dt`` of current, not a charge: a larger ``dt`` is a stronger
drive.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsim import checks
from eventsim.step_rule import StepRule

__all__ = ["iaf", "li", "li_box", "lif", "lif_box", "lsnn"]


def _number(value: Any) -> Any:
    """Plain numbers and whole ones become float32, as in Norse; others keep their arithmetic."""
    floating = isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "f"
    return value if floating else np.asarray(value, dtype=np.float32)[()]


def _per_step(dt: float, inverse: Any) -> Any:
    """``dt / tau``, rounded in the arithmetic of ``1 / tau``."""
    inverse = _number(inverse)
    return inverse.dtype.type(dt) * inverse


def _euler(
    where: str,
    dt: float,
    tau_mem_inv: Any,
    v_leak: Any,
    *,
    tau_syn_inv: Any = None,
    tau_adapt_inv: Any = None,
    **others: Any,
) -> StepRule:
    """Rule of the class ``where``; current and threshold move where their rates are given."""
    dt = checks.positive(where, "dt", dt)
    if tau_syn_inv is not None:
        current = {"order": "input, membrane, decay", "synapse_leak": _per_step(dt, tau_syn_inv)}
        others = {"synapse": "euler", **current, **others}
    if tau_adapt_inv is not None:
        others["adapt_leak"] = _per_step(dt, tau_adapt_inv)
    rest = _number(v_leak)
    leak = _per_step(dt, tau_mem_inv)
    return StepRule(where, membrane="euler", leak=leak, v_leak=rest, v_init=rest, **others)


def lif_box(
    *,
    tau_mem_inv: Any = 1e2,
    v_leak: Any = 0.0,
    v_th: Any = 1.0,
    v_reset: Any = 0.0,
    dt: float = 1e-3,
    reset: str = "value",
) -> StepRule:
    """Rule of ``LIFBoxCell``: a leaky neuron without synaptic current.

    Parameters
    ----------
    tau_mem_inv : float or array
        Inverse of the membrane time constant in 1/s. Numbers are rounded to float32, as Norse
        does; NumPy scalars and arrays keep their type.
    v_leak, v_th, v_reset : float or array
        Rest, threshold, and potential after a reset to a value.
    dt : float
        Step in seconds. Default 1e-3.
    reset : {"value", "subtract"}
        Which of Norse's ``reset_value`` and ``reset_subtract`` is used. The latter subtracts
        ``v_th``, whatever ``v_reset`` is.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue
        ``dt`` is not above 0, ``reset`` is unknown, or a number is not finite.

    Examples
    --------
    >>> rule = lif_box(tau_mem_inv=125.0, dt=2.0**-10)
    >>> rule.leak, rule.fires_at_equality
    (0.1220703125, False)
    """
    where = "norse.LIFBoxCell"
    dt = checks.positive(where, "dt", dt)
    if reset not in ("value", "subtract"):
        raise checks.fail(where, "reset", "'value' or 'subtract'", repr(reset))
    return StepRule(
        where,
        membrane="euler_sum_first",
        leak=_per_step(dt, tau_mem_inv),
        v_leak=_number(v_leak),
        v_threshold=_number(v_th),
        v_reset=_number(v_reset) if reset == "value" else 0.0,
        v_init=_number(v_leak),
        reset=reset,
    )


def lif(
    *,
    tau_syn_inv: Any = 2e2,
    tau_mem_inv: Any = 1e2,
    v_leak: Any = 0.0,
    v_th: Any = 1.0,
    v_reset: Any = 0.0,
    dt: float = 1e-3,
) -> StepRule:
    """Rule of ``LIFCell``, ``LIFRecurrentCell``, ``LIF`` and ``LIFRecurrent``.

    The input adds to a current that is used before it decays.

    Parameters
    ----------
    tau_syn_inv, tau_mem_inv : float or array
        Inverses of the time constants in 1/s; numbers as in :func:`lif_box`.
    v_leak, v_th, v_reset : float or array
        Rest, threshold, and potential after a spike.
    dt : float
        Step in seconds. Default 1e-3.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue
        ``dt`` is not above 0, or a number is not finite.

    Examples
    --------
    >>> rule = lif(tau_syn_inv=256.0, tau_mem_inv=128.0, dt=2.0**-10)
    >>> rule.leak, rule.synapse_leak, rule.order
    (0.125, 0.25, 'input, membrane, decay')
    """
    return _euler(
        "norse.LIFCell",
        dt,
        tau_mem_inv,
        v_leak,
        tau_syn_inv=tau_syn_inv,
        v_threshold=_number(v_th),
        v_reset=_number(v_reset),
    )


def lsnn(
    *,
    tau_syn_inv: Any = 2e2,
    tau_mem_inv: Any = 1e2,
    tau_adapt_inv: Any = 1.0 / 800,
    v_leak: Any = 0.0,
    v_th: Any = 1.0,
    v_reset: Any = 0.0,
    beta: Any = 1.8,
    dt: float = 1e-3,
) -> StepRule:
    """Rule of ``LSNNCell``, ``LSNNRecurrentCell``, ``LSNN`` and ``LSNNRecurrent``.

    The membrane uses the current of the step before; the threshold decays to ``v_th`` before the
    test, and grows by ``beta`` with each spike.

    Parameters
    ----------
    tau_syn_inv, tau_mem_inv, tau_adapt_inv : float or array
        Inverses of the time constants in 1/s; numbers as in :func:`lif_box`.
    v_leak, v_th, v_reset : float or array
        Rest, threshold at rest, and potential after a spike.
    beta : float or array
        Growth of the threshold with a spike.
    dt : float
        Step in seconds. Default 1e-3.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue
        ``dt`` is not above 0, or a number is not finite.

    Examples
    --------
    >>> rule = lsnn(tau_adapt_inv=16.0, beta=0.5, dt=2.0**-10)
    >>> rule.adaptation, rule.adapt_leak, rule.adapt_jump
    ('threshold', 0.015625, 0.5)
    """
    return _euler(
        "norse.LSNNCell",
        dt,
        tau_mem_inv,
        v_leak,
        tau_syn_inv=tau_syn_inv,
        tau_adapt_inv=tau_adapt_inv,
        order="membrane, decay, input",
        v_threshold=_number(v_th),
        v_reset=_number(v_reset),
        adaptation="threshold",
        adapt_jump=_number(beta),
    )


def li(
    *, tau_syn_inv: Any = 2e2, tau_mem_inv: Any = 1e2, v_leak: Any = 0.0, dt: float = 1e-3
) -> StepRule:
    """Rule of ``LICell``, ``LI`` and ``LILinearCell``: a readout, which does not spike.

    Parameters
    ----------
    tau_syn_inv, tau_mem_inv : float or array
        Inverses of the time constants in 1/s; numbers as in :func:`lif_box`.
    v_leak : float or array
        Rest.
    dt : float
        Step in seconds. Default 1e-3.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue
        ``dt`` is not above 0, or a number is not finite.

    Examples
    --------
    >>> rule = li(tau_syn_inv=256.0, tau_mem_inv=128.0, dt=2.0**-10)
    >>> rule.leak, rule.synapse_leak, rule.v_threshold
    (0.125, 0.25, inf)
    """
    return _euler(
        "norse.LICell",
        dt,
        tau_mem_inv,
        v_leak,
        tau_syn_inv=tau_syn_inv,
        v_threshold=np.inf,
        reset="none",
    )


def li_box(*, tau_mem_inv: Any = 1e2, v_leak: Any = 0.0, dt: float = 1e-3) -> StepRule:
    """Rule of ``LIBoxCell``: a readout without synaptic current, which does not spike.

    Parameters
    ----------
    tau_mem_inv : float or array
        Inverse of the membrane time constant in 1/s; numbers as in :func:`lif_box`.
    v_leak : float or array
        Rest.
    dt : float
        Step in seconds. Default 1e-3.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue
        ``dt`` is not above 0, or a number is not finite.

    Examples
    --------
    >>> li_box(tau_mem_inv=128.0, dt=2.0**-10).equation
    'v = v + leak ((v_leak - v) + x); v > theta'
    """
    return _euler("norse.LIBoxCell", dt, tau_mem_inv, v_leak, v_threshold=np.inf, reset="none")


def iaf(*, v_th: Any = 1.0, v_reset: Any = 0.0) -> StepRule:
    """Rule of ``IAFCell`` and ``IAF``: a neuron without leak, which starts at ``v_reset``.

    Parameters
    ----------
    v_th, v_reset : float or array
        Threshold, and potential after a spike and at first; numbers as in :func:`lif_box`.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue
        A number is not finite.

    Examples
    --------
    >>> iaf(v_th=0.5).equation
    'v = leak v + gain x; v = v_reset, in the step of the spike, after the test; v > theta'
    """
    return StepRule(
        "norse.IAFCell",
        leak=1.0,
        v_threshold=_number(v_th),
        v_reset=_number(v_reset),
        v_init=_number(v_reset),
    )
