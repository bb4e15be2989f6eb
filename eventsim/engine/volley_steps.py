"""Steps of currents in layers whose potentials are kept above rest.

A step moves the rest, and with it threshold and reset as seen from there; a potential stays where
it is, so what is kept of it jumps the other way. As nothing is looked at before the next arrival,
the jump is made there, decayed up to then. So a block of neurons meets its own steps only, and
what is common to all blocks is the list of arrivals.
"""

from __future__ import annotations

import math

import numpy as np

from eventsim.jit import njit
from eventsim.vectors import BLOCK

__all__ = ["LANE_STEP", "lane_steps"]

#: A step of one lane of a block: the first arrival that is not before it, or the sample's end, by
#: how much the lane jumps there, and threshold and reset from then on.
LANE_STEP = np.dtype(
    [
        ("arrival", np.int32),
        ("lane", np.int32),
        ("time", np.float64),
        ("jump", np.float64),
        ("limit", np.float64),
        ("reset", np.float64),
    ]
)


@njit
def lane_steps(steps, step_at, times, bounds, units, n_blocks):
    """Steps by (sample, block, time), where each block of each sample begins, and whether they fit.

    Arrivals come at ``times``, those of each sample begin at ``bounds``; neurons have one time
    constant. A step that leads to a rest at threshold, or to none, does not fit.
    """
    n_samples = bounds.size - 1
    begins = np.zeros(n_samples * n_blocks + 1, np.int64)
    table = np.empty(steps.size, LANE_STEP)
    if steps.size == 0:
        return table, begins, True
    for sample in range(n_samples):
        first = sample * n_blocks + 1
        for j in range(step_at[sample], step_at[sample + 1]):
            begins[np.uint64(first + steps[j].unit // BLOCK)] += 1
    for k in range(n_samples * n_blocks):
        begins[k + 1] += begins[k]
    filled, tau = begins.copy(), units[0].tau
    own, rest = np.empty((units.size, 4)), np.empty((2, units.size))
    for unit in range(units.size):
        u = units[unit]
        own[unit, 0], own[unit, 1], own[unit, 2], own[unit, 3] = u.bias, u.gain, u.reset, u.theta
        rest[0, unit] = u.bias * tau if u.bias != 0.0 else 0.0
    for sample in range(n_samples):
        for unit in range(units.size):
            rest[1, unit] = rest[0, unit]
        k, end = bounds[sample], bounds[sample + 1]
        for j in range(step_at[sample], step_at[sample + 1]):
            at, time = np.uint64(steps[j].unit), steps[j].time
            while k < end and times[np.uint64(k)] < time:
                k += 1
            after = (own[at, 0] + own[at, 1] * steps[j].value) * tau
            if not -np.inf < after < own[at, 3]:
                return table, begins, False
            key = np.uint64(sample * n_blocks) + at // np.uint64(BLOCK)
            entry = table[np.uint64(filled[key])]
            filled[key] += 1
            entry.arrival, entry.lane, entry.time = k, at % np.uint64(BLOCK), time
            decay = math.exp((time - times[np.uint64(k)]) / tau) if k < end else 0.0
            entry.jump = (rest[1, at] - after) * decay
            rest[1, at] = after
            entry.reset = own[at, 2] - after
            limit = own[at, 3] - after
            # A strict neuron fires from the next number on.
            entry.limit = limit if units[at].inclusive else np.nextafter(limit, np.inf)
    return table, begins, True
