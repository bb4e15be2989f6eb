"""Norse's neurons once more, one neuron and one operation at a time, to compare twins with.

Written from the package's behaviour in plain Python: nothing is shared with eventsim's step rules.
The numbers are NumPy scalars of one type, so that every operation is rounded to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

KINDS = ("LIFBox", "LIF", "LSNN", "IAF")


def layer(
    kind: str,
    x: Any,
    p: dict[str, Any],
    dt: float = 1e-3,
    *,
    subtract: bool = False,
    recurrent: Any = None,
) -> tuple[Any, Any]:
    """Spikes and membranes [step, n] of a layer that gets the charge ``x`` [step, n].

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    x : array [step, n]
        Charge; its type is that of every operation.
    p : dict
        Parameters under Norse's names, numbers or arrays [n].
    dt : float
        Step.
    subtract : bool
        Whether a LIFBox neuron subtracts its threshold.
    recurrent : array [target, source], optional
        Weights of the layer's own spikes of the step before.
    """
    x = np.asarray(x)
    steps, n = x.shape
    real = x.dtype.type
    p = {name: np.broadcast_to(np.asarray(value, x.dtype), n) for name, value in p.items()}
    spikes, membranes = np.zeros_like(x), np.zeros_like(x)
    last = [real(0)] * n
    v = [p["v_reset" if kind == "IAF" else "v_leak"][j] for j in range(n)]
    i = [real(0)] * n
    b = [p["v_th"][j] for j in range(n)]
    for step in range(steps):
        before = list(last)
        for j in range(n):
            back = real(0)
            for k in range(n):
                if recurrent is not None:
                    back = back + real(recurrent[j][k]) * before[k]
            charge, theta = x[step, j], p["v_th"][j]
            if kind == "IAF":
                v[j] = v[j] + charge
            elif kind == "LIFBox":
                a = real(dt) * p["tau_mem_inv"][j]
                v[j] = v[j] + a * (charge + p["v_leak"][j] - v[j])
            elif kind == "LIF":
                a, c = real(dt) * p["tau_mem_inv"][j], real(-dt) * p["tau_syn_inv"][j]
                current = i[j] + charge + back
                v[j] = v[j] + a * ((p["v_leak"][j] - v[j]) + current)
                i[j] = current + c * current
            else:
                a, c = real(dt) * p["tau_mem_inv"][j], real(-dt) * p["tau_syn_inv"][j]
                e = real(dt) * p["tau_adapt_inv"][j]
                v[j] = v[j] + a * ((p["v_leak"][j] - v[j]) + i[j])
                i[j] = (i[j] + c * i[j]) + charge + back
                theta = b[j] + e * (p["v_th"][j] - b[j])
            fires = v[j] > theta
            if fires:
                v[j] = v[j] - p["v_th"][j] if subtract else p["v_reset"][j]
            b[j] = theta + p["beta"][j] if fires and kind == "LSNN" else theta
            last[j] = real(fires)
        spikes[step], membranes[step] = last, v
    return spikes, membranes


def integrator(x: Any, p: dict[str, Any], dt: float) -> Any:
    """Membranes [step, n] of leaky integrators with the charge ``x`` [step, n].

    They have a current where ``p`` has ``tau_syn_inv``.
    """
    x = np.asarray(x)
    real, n = x.dtype.type, x.shape[1]
    p = {name: np.broadcast_to(np.asarray(value, x.dtype), n) for name, value in p.items()}
    membranes = np.zeros_like(x)
    for j in range(n):
        v, i, a = p["v_leak"][j], real(0), real(dt) * p["tau_mem_inv"][j]
        for step in range(len(x)):
            if "tau_syn_inv" in p:
                current = i + x[step, j]
                i = current + real(-dt) * p["tau_syn_inv"][j] * current
            else:
                current = x[step, j]
            v = v + a * ((p["v_leak"][j] - v) + current)
            membranes[step, j] = v
    return membranes
