"""Lanes: neurons of the layered engine, advanced together and treated apart when they spike.

Vector loops hold the potential of each lane above ``v_leak``, minus infinity while it is
refractory. A lane that reaches threshold or whose refractory period ends is handed to its record
(:data:`eventsim.engine.compiled.UNIT`), with the same functions as in the queue engine.
"""

from __future__ import annotations

import numpy as np

from eventsim.engine.neurons import fires, move_to, next_event, reset
from eventsim.jit import inner

__all__ = ["DELTA", "END", "OP", "PULSE", "SPIKE", "STEP_OP", "follow", "test_lane"]

#: What happens to a layer: a row of weights arrives as deltas or as pulses, pulses end, or (row is
#: an index of steps) a current changes. Among equal times and rows, ends come first.
END, DELTA, PULSE, STEP_OP = range(4)
OP = np.dtype([("time", np.float64), ("row", np.int32), ("kind", np.int32)])

#: A spike of a layer, in the order of discovery. Buckets are samples, or pieces of them that
#: follow each other in time.
SPIKE = np.dtype(
    [
        ("time", np.float64),
        ("unit", np.int32),
        ("bucket", np.int32),
        ("times", np.int32),
    ]
)

#: In place of a number of spikes: there is no room for more, or a lane fires faster than float64
#: time can resolve.
FULL, STUCK = -1, -2


@inner
def _put(out, n_out, time, unit, bucket, times):
    entry = out[n_out]
    entry.time = time
    entry.unit = unit
    entry.bucket = bucket
    entry.times = times


@inner
def follow(u, x, drive, t0, t1, unit, bucket, out, n_out):
    """Follow one lane alone from ``t0`` to ``t1``: releases, crossings and spikes before ``t1``.

    ``x`` is its potential at ``t0``, minus infinity when it is refractory. Afterwards ``u.x`` and
    ``u.ref_until`` are those at ``t1``, before what arrives there. Returns the number of spikes
    found so far, FULL or STUCK.
    """
    if x > -np.inf:
        u.x = x
    u.current = drive
    u.t_last = t0
    event = next_event(u, t0)
    while event < t1:
        if u.x >= u.theta and not fires(u, u.x):
            # Released exactly at threshold, which a strict neuron bears until something arrives.
            break
        if n_out == out.size:
            return FULL
        u.x = max(u.x, u.theta)
        times = reset(u, event)
        _put(out, n_out, event, unit, bucket, times)
        n_out += 1
        if times > 0 and u.ref_until > t1:
            u.t_last = t1
            return n_out
        u.t_last, now = event, event
        event = next_event(u, now)
        if times == 0 or event <= now:
            return STUCK
    move_to(u, t1)
    if event == t1 and u.x < u.theta:
        u.x = u.theta
    return n_out


@inner
def test_lane(u, x, drive, now, unit, bucket, out, n_out):
    """The one test of an instant, for a lane that is not refractory. As :func:`follow`."""
    u.x = x
    u.current = drive
    u.t_last = now
    if not fires(u, x):
        return n_out
    if n_out == out.size:
        return FULL
    times = reset(u, now)
    _put(out, n_out, now, unit, bucket, times)
    if times == 0 or (u.ref_until <= now and next_event(u, now) <= now):
        return STUCK
    return n_out + 1
