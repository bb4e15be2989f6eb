"""One neuron that jumps and decays, followed through a slice arrival by arrival.

All arrivals of an instant are summed in network order and then tested once. The potential is the
potential itself here, brought from instant to instant by one exponential, as in the other engines.
"""

from __future__ import annotations

from math import exp

import numpy as np

from eventsim.engine.gather import room
from eventsim.engine.neurons import MAX_REPEATS
from eventsim.jit import inner, maker

__all__ = ["EVENT", "SENT", "follow"]

#: One synapse of an arrival; `next` leads to the one after it, -1 ends.
EVENT = np.dtype([("weight", np.float64), ("arrival", np.int64), ("next", np.int64)])

#: A spike, or several of one time.
SENT = np.dtype([("time", np.float64), ("unit", np.int64), ("times", np.int64)])


@inner
def _fires(place, x, theta):
    return x > theta or (place.inclusive and x == theta)


@inner
def _after_spike(place, x, theta, reset):
    """Potential after a spike, and the number of spikes of this instant, 0 when endless."""
    if not place.subtract:
        return reset, np.int64(1)
    times, step = np.int64(1), theta - reset
    x -= step
    while place.multi and _fires(place, x, theta):
        if x - step == x or times == MAX_REPEATS:
            return x, np.int64(0)
        x -= step
        times += 1
    return x, times


@inner
def _next_drive(arrivals, drive, cursor, stop, i):
    """Time of the next drive arrival in slice ``i``, and where it stands; infinity for none."""
    last = arrivals.slices - 1
    while cursor < stop:
        at = min(np.int64((drive[cursor] - arrivals.begin) * arrivals.pace), last)
        if at == i:
            return drive[cursor], cursor
        if at > i:
            break
        cursor += 1
    return np.inf, cursor


@maker
def follow(
    place, paths, cells, streams, arrivals, drive, drive_at, cursors,
    events, event, offset, neuron, i, begin, end, start, sent, tally,
):  # fmt: skip
    """Follow a neuron through slice ``i`` from ``begin`` to ``end``.

    ``event`` is the first of its arrivals there, ``start`` the time at which it is tested without
    one, else infinity.
    """
    unit = offset + neuron
    theta, tau_rate = cells.theta[unit], place.rate
    x, t_last, free = cells.before[unit], begin, cells.ref_until[unit]
    test, moved = start, False  # whether it was free at the last instant
    if x == -np.inf:
        x, t_last = cells.held[unit], free
        if x >= theta:
            test = free
    driven, t_drive, cursor = place.drive >= 0, np.inf, np.int64(0)
    if driven:
        cursor = cursors[neuron]
        t_drive, cursor = _next_drive(arrivals, drive, cursor, drive_at[neuron + 1], i)
    while True:
        t_event = arrivals.time[events[event].arrival] if event >= 0 else np.inf
        now = min(t_event, t_drive)
        if test <= now and test < end:
            now = test
        if now == np.inf:
            break
        acc, drives = 0.0, t_drive == now
        while event >= 0 and arrivals.time[events[event].arrival] == now:
            k = events[event].arrival
            if drives and paths.link[arrivals.segment[k]] > place.drive:
                acc += streams.weight[unit]
                drives = False
            for _ in range(arrivals.times[k]):
                acc += events[event].weight
            event = events[event].next
        if drives:
            acc += streams.weight[unit]
        if t_drive == now:
            t_drive, cursor = _next_drive(arrivals, drive, cursor + 1, drive_at[neuron + 1], i)
        if now < free:
            continue
        test, moved = np.inf, True
        if now > t_last:
            x *= exp((t_last - now) * tau_rate)
        x += acc
        t_last = now
        if not _fires(place, x, theta):
            continue
        x, times = _after_spike(place, x, theta, cells.reset[unit])
        if times == 0:
            tally[2] = 1
            return sent
        sent = room(sent, tally[0], 1)
        spike = sent[tally[0]]
        spike.time, spike.unit, spike.times = now, unit, times
        tally[0] += 1
        if cells.t_ref[unit] > 0.0:
            free = t_last = now + cells.t_ref[unit]
            moved = False
            if x >= theta:
                test = free
    if driven:
        cursors[neuron] = cursor
    cells.ref_until[unit] = free
    if not moved and (free > end or (free == end and test == free)):
        cells.held[unit] = x
        cells.u[unit] = -np.inf
    else:
        cells.u[unit] = x * exp((t_last - begin) * tau_rate)
    return sent
