"""One neuron, alone: from what reaches it to its spikes.

Between two arrivals a neuron depends on nothing but itself. Once all that reaches it up to some
time is known it can be followed there alone, by the same functions and in the same order as in
any other loop.
"""

from __future__ import annotations

import numpy as np

from eventsim.engine.compiled import BOUND
from eventsim.engine.modal import (
    keep_modes,
    look_again,
    move_to,
    next_event,
    receive,
    settle,
)
from eventsim.engine.neurons import drive_of
from eventsim.jit import inner

__all__ = ["ARRIVAL", "OVER", "STEP_KIND", "STUCK", "next_instant", "write_knot"]

#: Something that reaches a neuron: a share of a spike (kind 0), the end of its pulse (1), or a
#: step of its current (2, `weight` being the value). `next` leads to what comes after it, -1 ends.
ARRIVAL = np.dtype(
    [
        ("time", np.float64),
        ("weight", np.float64),
        ("order", np.int64),  # place within an instant
        ("link", np.int32),
        ("next", np.int32),
        ("kind", np.int32),
        ("times", np.int32),
    ]
)
STEP_KIND = 2

#: In place of a number of spikes: there was no instant, or the neuron fires faster than float64
#: time can resolve.
OVER, STUCK = -1, -2


@inner
def write_knot(knots, k, u, modes, now):
    """The state after an instant, from which the potential until the next one follows."""
    knots[k, 0] = now
    knots[k, 1] = u.x
    knots[k, 2] = drive_of(u)
    knots[k, 3] = u.ref_until
    keep_modes(u, modes, knots[k, 4:])


@inner
def next_instant(u, modes, links, arrivals, i, t_stop):
    """Handle the next instant of a neuron, if there is one before ``t_stop``.

    ``arrivals`` are a list from ``i`` on, in order. Returns what is left of it, and the number of
    spikes: OVER when there was no instant, STUCK when the neuron never ends.
    """
    now = arrivals[i].time if i >= 0 else np.inf
    while u.own == BOUND and u.next_time <= now and u.next_time < t_stop:
        u.next_time = look_again(u, modes)
    now = min(now, u.next_time)
    if not now < t_stop:
        return i, np.int64(OVER)
    due = u.next_time == now
    u.acc = 0.0
    u.alone = True
    move_to(u, modes, now)
    while i >= 0 and arrivals[i].time == now:
        a = arrivals[i]
        if a.kind == STEP_KIND:
            u.alone = False
            u.current = u.bias + u.gain * a.weight
        else:
            link = links[a.link]
            kind, many = np.int64(a.kind), np.int64(a.times)
            receive(u, modes, a.weight, link.spread, link.receptor, kind, many)
        i = np.int64(a.next)
    times = settle(u, modes, now, due)
    u.next_time = next_event(u, modes, now)
    if times != 0 and (times < 0 or u.next_time <= now):
        return i, np.int64(STUCK)
    return i, times
