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

#: A step of one lane of a block: the first arrival that is not before it, by how much the lane
#: jumps there, and threshold and reset from then on.
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
    """Steps by (sample, block, time), and where each block of each sample begins.

    Arrivals come at ``times``, those of each sample begin at ``bounds``. Steps that no arrival
    follows are left out.
    """
    n_samples = bounds.size - 1
    begins = np.zeros(n_samples * n_blocks + 1, np.int64)
    arrival = np.empty(steps.size, np.int32)
    for sample in range(n_samples):
        k, end = bounds[sample], bounds[sample + 1]
        for j in range(step_at[sample], step_at[sample + 1]):
            while k < end and times[k] < steps[j].time:
                k += 1
            arrival[j] = k
            if k < end:
                begins[sample * n_blocks + steps[j].unit // BLOCK + 1] += 1
    for k in range(n_samples * n_blocks):
        begins[k + 1] += begins[k]
    table = np.empty(begins[-1], LANE_STEP)
    filled, rest = begins.copy(), np.empty(units.size)
    for sample in range(n_samples):
        for unit in range(units.size):
            rest[unit] = units[unit].bias * units[unit].tau if units[unit].bias != 0.0 else 0.0
        for j in range(step_at[sample], step_at[sample + 1]):
            if arrival[j] == bounds[sample + 1]:
                break
            unit, u = steps[j].unit, units[steps[j].unit]
            key = sample * n_blocks + unit // BLOCK
            entry = table[filled[key]]
            filled[key] += 1
            before, after = rest[unit], (u.bias + u.gain * steps[j].value) * u.tau
            rest[unit] = after
            entry.arrival, entry.lane, entry.time = arrival[j], unit % BLOCK, steps[j].time
            decay = math.exp((steps[j].time - times[arrival[j]]) / u.tau)
            entry.jump = (before - after) * decay
            entry.reset = u.reset - after
            limit = u.theta - after
            # A strict neuron fires from the next number on.
            entry.limit = limit if u.inclusive else np.nextafter(limit, np.inf)
    return table, begins
