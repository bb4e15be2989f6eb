"""SpikingJelly's neurons once more, one neuron and one operation at a time.

Written from the package's behaviour in plain Python: nothing is shared with eventsim's step rules.
The numbers are NumPy scalars of one type, so that every operation is rounded to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

KINDS = ("IFNode", "LIFNode", "ParametricLIFNode")


def layer(
    kind: str,
    x: Any,
    *,
    v_threshold: float,
    v_reset: float | None,
    tau: float = 2.0,
    q: Any = 0.5,
    decay_input: bool = True,
) -> tuple[Any, Any]:
    """Spikes and membranes [step, n] of a layer that gets the charge ``x`` [step, n].

    ``tau`` is the time constant of a LIFNode in steps, ``q`` the inverse that a ParametricLIFNode
    has learnt; ``v_reset=None`` subtracts the threshold.
    """
    x = np.asarray(x)
    steps, n = x.shape
    real = x.dtype.type
    rest, theta = real(0 if v_reset is None else v_reset), real(v_threshold)
    spikes, membranes = np.zeros_like(x), np.zeros_like(x)
    v = [rest] * n
    for step in range(steps):
        for j in range(n):
            charge, away = x[step, j], v[j] - rest
            if kind == "IFNode":
                h = v[j] + charge
            elif decay_input:
                driven = charge - away
                h = v[j] + (driven / real(tau) if kind == "LIFNode" else driven * real(q))
            else:
                leaked = away / real(tau) if kind == "LIFNode" else away * real(q)
                h = v[j] - leaked + charge
            fires = h >= theta
            spikes[step, j] = fires
            v[j] = h if not fires else h - theta if v_reset is None else rest
        membranes[step] = v
    return spikes, membranes
