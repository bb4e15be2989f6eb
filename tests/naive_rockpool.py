"""Rockpool's LIFTorch once more, one neuron and one operation at a time, to compare twins with.

Written from the package's behaviour in plain Python: nothing is shared with eventsim's step rules.
All numbers are float32 scalars, as in the package.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

F = np.float32


def lif(
    x: Any,
    p: dict[str, Any],
    *,
    most: int = 2**16,
    recurrent: Any = None,
) -> tuple[Any, Any]:
    """Spikes and membranes [step, n] of a layer that gets the charge ``x`` [step, n].

    ``p`` has alpha, beta, bias and threshold, numbers or arrays [n]; ``recurrent`` is [target,
    source].
    """
    steps, n = x.shape
    p = {name: np.broadcast_to(np.asarray(value, F), n) for name, value in p.items()}
    spikes, membranes = np.zeros((steps, n), F), np.zeros((steps, n), F)
    v, i, last = ([F(0)] * n for _ in range(3))
    for step in range(steps):
        before = list(last)
        for j in range(n):
            i[j] = i[j] + x[step, j]
            back = F(0)
            for k in range(n):
                if recurrent is not None:
                    back = back + recurrent[j][k] * before[k]
            i[j] = (i[j] + back) * p["beta"][j]
            v[j] = v[j] * p["alpha"][j] + i[j]
            v[j] = v[j] + p["bias"][j]
            theta, last[j] = p["threshold"][j], F(0)
            if v[j] >= theta:
                last[j] = F(min(math.floor(v[j] / theta), most))
            v[j] = v[j] - last[j] * theta
        spikes[step], membranes[step] = last, v
    return spikes, membranes


def exp_syn(x: Any, beta: Any) -> Any:
    """Currents [step, n] that ExpSynTorch gives for the charge ``x`` [step, n]."""
    current, given = np.zeros(x.shape[1], F), np.zeros_like(x)
    for step, charge in enumerate(x):
        current = (current + charge) * np.asarray(beta, F)
        given[step] = current
    return given
