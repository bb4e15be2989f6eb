"""What reaches a layer with exponential receptors, as steps: each ends with one operation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.dynamics.steps import propagators, slack
from eventsim.engine.lanes import STEP_OP
from eventsim.jit import njit

__all__ = ["CURRENT", "DELTA", "GROUP", "NOTHING", "Steps", "lay_out"]

#: What a step ends with, where it is not an arrival at the receptor of that number: deltas, a step
#: of a current (the row is an index of those), nothing.
DELTA, CURRENT, NOTHING = -1, -2, -3

#: Steps that may be taken in one pass. Samples are padded to a multiple, with steps of no length.
GROUP = 8


class Steps(NamedTuple):
    """What reaches a layer, for all samples; `bounds` says where each sample begins."""

    time: NDArray[np.float64]
    row: NDArray[np.int64]
    kind: NDArray[np.int64]
    factors: NDArray[np.float64]  # [factor, step], of :mod:`eventsim.dynamics.steps`
    sag: NDArray[np.float64]  # of each group, of the first receptor: the largest G (1 - d_k)
    risen: NDArray[np.float64]  # and the sum of the largest weights
    bounds: NDArray[np.int64]
    slack: NDArray[np.float64]  # of each sample, taken from its thresholds


@njit
def lay_out(
    ops, pointer, receptor, largest, tau, taus, potential, drives, t_start, t_stop
):  # fmt: skip
    """The steps of all samples, each closed by at least one that ends at ``t_stop``.

    ``receptor`` and the ``largest`` weight are those of each row, of which one more is silent.
    """
    n_samples = pointer.size - 1
    bounds = np.zeros(n_samples + 1, np.int64)
    for s in range(n_samples):
        n = pointer[s + 1] - pointer[s]
        bounds[s + 1] = bounds[s] + (n // GROUP + 1) * GROUP
    total = bounds[n_samples]
    time, row = np.full(total, t_stop), np.full(total, receptor.size)
    kind, slacks = np.full(total, NOTHING), np.empty(n_samples)
    factors = np.empty((2 + 2 * taus.size, total))
    jumps = np.zeros((total, 1 + taus.size))
    for s in range(n_samples):
        a, b = bounds[s], bounds[s + 1]
        for k in range(pointer[s + 1] - pointer[s]):
            op = ops[pointer[s] + k]
            if op.time >= t_stop:
                break
            time[a + k], row[a + k] = op.time, op.row
            if op.kind == STEP_OP:
                kind[a + k] = CURRENT
            else:
                kind[a + k] = receptor[op.row]
                jumps[a + k, 1 + receptor[op.row]] = largest[op.row]
        factors[:, a:b] = propagators(time[a:b], tau, taus, t_start)
        slacks[s] = slack(factors[:, a:b], jumps[a:b], potential, drives[s])
    sag, risen = np.zeros(total // GROUP), np.zeros(total // GROUP)
    for i in range(total):
        sag[i // GROUP] = max(sag[i // GROUP], factors[1, i] * (1.0 - factors[2, i]))
        risen[i // GROUP] += jumps[i, 1]
    return Steps(time, row, kind, factors, sag, risen, bounds, slacks)
