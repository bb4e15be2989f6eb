"""sinabs' neurons once more, one neuron and one operation at a time, to compare twins with.

Written from the package's behaviour in plain Python: nothing is shared with eventsim's step rules.
All numbers are float32 scalars, as in the package.
"""

from __future__ import annotations

from typing import Any

import numpy as np

KINDS = ("IAF", "LIF", "ALIF")
F = np.float32


def layer(
    kind: str,
    x: Any,
    p: dict[str, Any],
    *,
    most: int | None = None,
    reset: str = "subtract",
    norm_input: bool = False,
    recurrent: Any = None,
    recurrent_bias: Any = None,
) -> tuple[Any, Any]:
    """Spikes and membranes [step, n] of a layer that gets the charge ``x`` [step, n].

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`, or ``"ExpLeak"``.
    x : array [step, n]
        Charge.
    p : dict
        Any of alpha_mem, alpha_syn, alpha_adapt, adapt_scale, spike_threshold, subtract_value,
        min_v_mem: numbers or arrays [n].
    most : int or None
        Most spikes in a step.
    reset : {"subtract", "value"}
        Subtraction, or zero.
    norm_input : bool
        Whether the input is multiplied by 1 - alpha_mem.
    recurrent, recurrent_bias : array, optional
        Weights [target, source] of the layer's spikes of the step before, and their bias.
    """
    steps, n = x.shape
    p = {name: np.broadcast_to(np.asarray(value, F), n) for name, value in p.items()}
    spikes, membranes = np.zeros((steps, n), F), np.zeros((steps, n), F)
    v, i, b, back = ([F(0)] * n for _ in range(4))
    for step in range(steps):
        for j in range(n):
            alpha = p["alpha_mem"][j] if "alpha_mem" in p else F(1)
            share = F(1) - alpha if norm_input else F(1)
            total = x[step, j] + back[j]
            if "alpha_syn" in p:
                i[j] = p["alpha_syn"][j] * (i[j] + total)
            else:
                i[j] = total
            current = share * i[j]
            if kind == "ALIF":
                i[j] = current
            v[j] = alpha * v[j] + current
            membranes[step, j] = v[j]
            if kind != "ExpLeak":
                theta = p["spike_threshold"][j]
                if kind == "ALIF":
                    theta = theta + p["adapt_scale"][j] * b[j]
                spikes[step, j] = fired = _count(v[j], theta, most)
                if reset == "value":
                    v[j] = F(0) if fired else v[j]
                else:
                    v[j] = v[j] - fired * (
                        p["subtract_value"][j] if "subtract_value" in p else theta
                    )
                if kind == "ALIF":
                    a = p["alpha_adapt"][j]
                    b[j] = a * b[j] + (F(1) - a) * fired
            if "min_v_mem" in p:
                low = p["min_v_mem"][j]
                v[j] = max(v[j] - low, F(0)) + low
            if kind != "ExpLeak":
                membranes[step, j] = v[j]
        if recurrent is not None:
            for j in range(n):
                back[j] = F(0) if recurrent_bias is None else recurrent_bias[j]
                for k in range(n):
                    back[j] = back[j] + recurrent[j][k] * spikes[step, k]
    return spikes, membranes


def _count(v: Any, theta: Any, most: int | None) -> Any:
    if most == 1:
        return F(v - theta >= 0)
    count = np.trunc(v / theta) if v > 0 else F(0)
    return count if most is None else min(count, F(most))
