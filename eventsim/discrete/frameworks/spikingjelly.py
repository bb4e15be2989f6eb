r"""SpikingJelly 2.0: IF, LIF and PLIF nodes, whose resting potential is their reset potential.

With ``r = v_reset``, or 0 where that is None:

.. math::
    \text{IFNode}&: v \leftarrow v + x \\
    \text{LIFNode}&: v \leftarrow v + ((r - v) + x) / \tau
        \quad\text{or}\quad (v + (r - v) / \tau) + x \\
    \text{ParametricLIFNode}&: v \leftarrow v + q ((r - v) + x)
        \quad\text{or}\quad (v + q (r - v)) + x

The first of two is for ``decay_input=True``. PLIF multiplies by ``q = sigmoid(w)`` where LIF
divides by ``tau``, which rounds differently. All spike where ``v >= v_threshold`` and reset in
the same step: to ``v_reset``, or by subtracting ``v_threshold`` where that is None. Potentials
start at ``r``. This is the arithmetic of the package on a CPU; its kernels for GPUs may round
otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsim import checks
from eventsim.step_rule import StepRule

__all__ = ["if_node", "lif_node", "parametric_lif_node"]


def _common(v_threshold: Any, v_reset: Any, fires_at_equality: bool) -> dict[str, Any]:
    rest = 0.0 if v_reset is None else v_reset
    return {
        "v_threshold": v_threshold,
        "v_reset": rest,
        "v_init": rest,
        "reset": "subtract" if v_reset is None else "value",
        "fires_at_equality": fires_at_equality,
    }


def if_node(
    *, v_threshold: float = 1.0, v_reset: float | None = 0.0, fires_at_equality: bool = True
) -> StepRule:
    """Rule of ``IFNode``.

    Parameters
    ----------
    v_threshold : float
        Threshold.
    v_reset : float or None
        Potential after a spike; None: the threshold is subtracted.
    fires_at_equality : bool
        Whether a potential at the threshold spikes, as with all surrogate functions of the
        package.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        A number is not finite, or of the wrong type.

    Examples
    --------
    >>> if_node(v_reset=None).reset
    'subtract'
    """
    common = _common(v_threshold, v_reset, fires_at_equality)
    return StepRule("spikingjelly.IFNode", leak=1.0, **common)


def lif_node(
    *,
    tau: float = 2.0,
    decay_input: bool = True,
    v_threshold: float = 1.0,
    v_reset: float | None = 0.0,
    fires_at_equality: bool = True,
) -> StepRule:
    """Rule of ``LIFNode``.

    Parameters
    ----------
    tau : float
        Membrane time constant in steps, > 1.
    decay_input : bool
        Whether the input is divided by ``tau``.
    v_threshold, v_reset, fires_at_equality
        As in :func:`if_node`; a ``v_reset`` is the resting potential, too.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        A number is out of range, or of the wrong type.

    Examples
    --------
    >>> rule = lif_node(tau=4.0, v_reset=-0.5)
    >>> rule.membrane, rule.v_leak, rule.decay, rule.delta_gain
    ('quotient', -0.5, 0.75, 0.25)
    """
    where = "spikingjelly.LIFNode"
    if checks.scalar(where, "tau", tau) <= 1.0:
        raise checks.fail(where, "tau", "a number of steps > 1", tau)
    common = _common(v_threshold, v_reset, fires_at_equality)
    membrane = "quotient" if decay_input else "quotient_leak"
    return StepRule(where, membrane=membrane, leak=tau, v_leak=common["v_reset"], **common)


def parametric_lif_node(
    *,
    q: Any = None,
    w: Any = None,
    decay_input: bool = True,
    v_threshold: float = 1.0,
    v_reset: float | None = 0.0,
    fires_at_equality: bool = True,
) -> StepRule:
    """Rule of ``ParametricLIFNode``.

    Parameters
    ----------
    q : float
        Inverse of the membrane time constant in steps, in (0, 1): the sigmoid of ``w`` as the
        framework has rounded it.
    w : float
        The trained parameter, where ``q`` is not known. A float32 number gives a float32
        sigmoid, whose last bit may differ from torch's.
    decay_input : bool
        Whether the input is multiplied by ``q``.
    v_threshold, v_reset, fires_at_equality
        As in :func:`lif_node`.

    Returns
    -------
    StepRule

    Raises
    ------
    InvalidValue, InvalidType
        Both or none of ``q`` and ``w`` are given, or a number is out of range.

    Examples
    --------
    >>> rule = parametric_lif_node(w=0.0, decay_input=False)
    >>> rule.membrane, rule.leak, rule.delta_gain
    ('euler_leak', 0.5, 1.0)
    """
    where = "spikingjelly.ParametricLIFNode"
    if (q is None) == (w is None):
        raise checks.fail(where, "q", "either q or w", {"q": q, "w": w})
    if q is None:
        checks.scalar(where, "w", w)
        wide = np.asarray(w) if isinstance(w, np.ndarray | np.generic) else np.float64(w)
        one = wide.dtype.type(1.0)
        q = float(one / (one + np.exp(-wide)))
    if not 0.0 < checks.scalar(where, "q", q) < 1.0:
        raise checks.fail(where, "q", "a number in (0, 1)", q)
    common = _common(v_threshold, v_reset, fires_at_equality)
    membrane = "euler" if decay_input else "euler_leak"
    return StepRule(where, membrane=membrane, leak=q, v_leak=common["v_reset"], **common)
