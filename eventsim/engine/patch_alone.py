"""One lane of a driven layer, treated apart: followed, set aside, released, tested.

The state is that of :mod:`eventsim.engine.patch_driven`; what happens to the lane is left to its
record (:mod:`eventsim.engine.lanes`), except in the most frequent case.
"""

from __future__ import annotations

from math import expm1, inf

import numpy as np

from eventsim.dynamics.lif import rises_above, time_to
from eventsim.engine.lanes import FULL, follow, test_lane
from eventsim.engine.patches import RESET, T_REF, THETA, due, wait
from eventsim.jit import inlined, inner

__all__ = [
    "ACC",
    "BASE",
    "DRIVE",
    "HELD",
    "X",
    "alone",
    "crossed",
    "as_free",
    "release",
    "set_aside",
    "test",
]

#: Rows of the state of a lane: X and D (see above), the drive without pulses, the potential where X
#: is minus infinity, and the deltas of the instant.
X, DRIVE, BASE, HELD, ACC = range(5)


@inlined
def as_free(lanes, lane):
    """The record, as that of a free lane."""
    u = lanes.record[0]
    values = lanes.values
    u.theta, u.reset, u.t_ref = values[THETA, lane], values[RESET, lane], values[T_REF, lane]
    u.ref_until = -np.inf


@inlined
def set_aside(state, aside, lane, potential):
    state[X, lane] = -np.inf
    state[HELD, lane] = potential
    aside[aside[-1]] = lane
    aside[-1] += 1


@inner
def alone(lanes, wheel, state, aside, lane, start, t_0, now, sample, out, n_out):
    """Follow a loaded lane from ``t_0``; it then waits, or is set aside."""
    u = lanes.record[0]
    n_out = follow(u, start, state[DRIVE, lane], t_0, now, lanes.unit_of[lane], sample, out, n_out)
    if n_out < 0:
        return n_out
    if u.ref_until > now:
        state[X, lane] = -np.inf
        state[HELD, lane] = u.x
        wait(wheel, u.ref_until, lane)
    else:
        set_aside(state, aside, lane, u.x)
    return n_out


@inner
def crossed(lanes, wheel, state, aside, lane, t_0, now, sample, out, n_out):
    """A lane that stands at threshold at ``now``, before what arrives there."""
    theta, tau = lanes.values[THETA, lane], lanes.tau
    if lanes.plain and state[X, lane] < theta and rises_above(state[DRIVE, lane], tau, theta):
        event = t_0 + time_to(state[X, lane], state[DRIVE, lane], tau, theta)
        if event < now and event + lanes.values[T_REF, lane] > now:
            if n_out == out.size:
                return FULL
            entry = out[n_out]
            entry.time, entry.unit = event, lanes.unit_of[lane]
            entry.bucket, entry.times = sample, 1
            state[X, lane] = -np.inf
            state[HELD, lane] = lanes.values[RESET, lane]
            wait(wheel, event + lanes.values[T_REF, lane], lane)
            return n_out + 1
    as_free(lanes, lane)
    return alone(lanes, wheel, state, aside, lane, state[X, lane], t_0, now, sample, out, n_out)


@inner
def release(lanes, wheel, state, aside, t_0, now, sample, out, n_out):
    """Release the lanes that are due."""
    while True:
        lane = due(wheel, now)
        if lane < 0:
            return n_out
        time = wheel.until[lane]
        if time == now:
            set_aside(state, aside, lane, state[HELD, lane])
        elif state[HELD, lane] < lanes.values[THETA, lane]:
            if lanes.tau == inf:
                state[X, lane] = state[HELD, lane] - state[DRIVE, lane] * (time - t_0)
            else:
                rise = expm1((time - t_0) / lanes.tau)
                state[X, lane] = state[HELD, lane] + rise * (
                    state[HELD, lane] - state[DRIVE, lane] * lanes.tau
                )
        else:
            as_free(lanes, lane)
            u = lanes.record[0]
            u.x, u.ref_until = state[HELD, lane], time
            n_out = alone(lanes, wheel, state, aside, lane, -np.inf, t_0, now, sample, out, n_out)
            if n_out < 0:
                return n_out


@inner
def test(lanes, wheel, state, lane, potential, s, gain, now, sample, out, n_out):
    """The one test of an instant, for one lane."""
    as_free(lanes, lane)
    u = lanes.record[0]
    n_out = test_lane(
        u, potential, state[DRIVE, lane], now, lanes.unit_of[lane], sample, out, n_out
    )
    if n_out < 0:
        return n_out
    if u.ref_until > now:
        state[X, lane] = -np.inf
        state[HELD, lane] = u.x
        wait(wheel, u.ref_until, lane)
    else:
        state[X, lane] = u.x * s - state[DRIVE, lane] * gain
    return n_out
