"""What happens to one neuron whose drive is constant between events.

Advance, receive a pulse, test, reset, predict. A neuron's state is advanced only when something
reaches it. All functions take the record of the unit (:data:`eventsim.engine.compiled.UNIT`); the
mathematics is that of :mod:`eventsim.dynamics.lif`. :mod:`eventsim.engine.modal` adds what decays.
"""

from __future__ import annotations

import numpy as np

from eventsim.dynamics.lif import advance, rises_above, time_to
from eventsim.engine.compiled import CROSSING, TEST
from eventsim.jit import inner

__all__ = ["MAX_REPEATS", "drive_of", "fires", "move_to", "next_event", "pulse", "reset"]

#: More spikes of one neuron in one instant than this are taken for endless.
MAX_REPEATS = 1_000_000


@inner
def drive_of(u):
    """Drive of a unit in volts per second."""
    return u.current + (u.pulse + u.pulse_low)


@inner
def move_to(u, now):
    """Bring a neuron's potential to ``now``."""
    start = max(u.t_last, min(u.ref_until, now))
    if start < now:
        drive = drive_of(u)
        moved = advance(u.x, drive, now - start, u.tau)
        if u.x < u.theta and moved >= u.theta and not rises_above(drive, u.tau, u.theta):
            # Rounding must not carry a potential over a threshold that it only approaches.
            moved = np.nextafter(u.theta, -np.inf)
        u.x = moved
    u.t_last = now


@inner
def _add_pulse(u, amount):
    """Two-sum: what rounding takes from the sum of pulses is kept beside it."""
    total = u.pulse + amount
    back = total - u.pulse
    u.pulse_low += (u.pulse - (total - back)) + (amount - back)
    u.pulse = total


@inner
def pulse(u, slope, ends, times):
    """Pulses of so many volts per second begin, or end."""
    if not ends:
        for _ in range(times):
            _add_pulse(u, slope)
        u.active += times
        return
    u.active -= times
    if u.active == 0:
        u.pulse = 0.0
        u.pulse_low = 0.0
        return
    for _ in range(times):
        _add_pulse(u, -slope)


@inner
def next_event(u, now):
    """Time of the neuron's own next event: a crossing, or a test at the end of refractoriness."""
    start = now
    u.own = CROSSING
    if u.ref_until > now:
        start = u.ref_until
        if u.x >= u.theta:
            u.own = TEST
            return start
    elif u.x >= u.theta:
        return np.inf
    drive = drive_of(u)
    if not rises_above(drive, u.tau, u.theta):
        return np.inf
    return start + time_to(u.x, drive, u.tau, u.theta)


@inner
def fires(u, x):
    """The one test of an instant, for the potential ``x``.

    A strict neuron that stands exactly at threshold fires when its drive carries it above.
    """
    if x > u.theta:
        return True
    if x < u.theta:
        return False
    return u.inclusive or rises_above(drive_of(u), u.tau, u.theta)


@inner
def reset(u, now):
    """Reset after a spike; returns the number of spikes of this instant, 0 when endless."""
    times = 1
    if not u.subtract:
        u.x = u.reset
    else:
        step = u.theta - u.reset
        u.x -= step
        while u.multi and fires(u, u.x):
            if u.x - step == u.x or times == MAX_REPEATS:
                return 0
            u.x -= step
            times += 1
    if u.t_ref > 0.0:
        u.ref_until = now + u.t_ref
    return times
