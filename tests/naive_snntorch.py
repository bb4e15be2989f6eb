"""snnTorch's neurons once more, one neuron and one operation at a time, to compare twins with.

Written from the package's behaviour in plain Python: nothing is shared with eventsim's step rules.
The numbers are NumPy scalars of one type, so that every operation is rounded to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def layer(
    kind: str,
    x: Any,
    *,
    beta: Any,
    alpha: Any = 0.0,
    threshold: Any = 1.0,
    mechanism: str = "subtract",
    delay: bool = True,
    recurrent: Any = None,
    bias: Any = 0.0,
) -> tuple[Any, Any]:
    """Spikes and membranes [step, n] of a layer that gets the charge ``x`` [step, n].

    ``recurrent`` [target, source] weighs its own spikes of the step before, ``bias`` is added.
    """
    x = np.asarray(x)
    steps, n = x.shape
    real = x.dtype.type
    one, zero = real(1), real(0)
    betas, alphas, thetas, biases = (
        np.broadcast_to(np.asarray(value, x.dtype), n) for value in (beta, alpha, threshold, bias)
    )
    spikes, membranes = np.zeros_like(x), np.zeros_like(x)
    mem, syn, spk = [zero] * n, [zero] * n, [zero] * n
    for step in range(steps):
        before = list(spk)
        for j in range(n):
            b, a = min(max(betas[j], zero), one), min(max(alphas[j], zero), one)
            theta = thetas[j]
            above = mem[j] > theta
            back = None
            if recurrent is not None:
                back = zero
                for k in range(n):
                    back = back + real(recurrent[j][k]) * before[k]
                back = back + biases[j]
            if kind in ("Leaky", "RLeaky"):
                old = zero if kind == "Leaky" and mechanism == "zero" and above else mem[j]
                m = b * old + x[step, j]
                if back is not None:
                    m = m + back
            else:
                syn[j] = a * syn[j] + x[step, j]
                if back is not None:
                    syn[j] = syn[j] + back
                m = b * mem[j] + syn[j]
            if above and mechanism == "subtract":
                m = m - theta
            if above and mechanism == "zero" and kind != "Leaky":
                m = zero
            fires = m > theta
            if not delay and kind != "RSynaptic" and fires and not above:
                if mechanism == "subtract":
                    m = m - theta
                elif mechanism == "zero":
                    m = zero
            if not delay and kind != "RSynaptic" and above and not fires:
                if mechanism == "subtract":
                    m = m + theta
                elif mechanism == "zero":
                    m = m + m
            mem[j], spk[j] = m, one if fires else zero
        spikes[step], membranes[step] = spk, mem
    return spikes, membranes
