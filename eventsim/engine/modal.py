"""What happens to any neuron: with exponential receptors, adaptation, or neither.

A neuron without modes is left to :mod:`eventsim.engine.neurons`. All functions take the record of
the unit and the modes of all units (:mod:`eventsim.dynamics.exponentials`), or None for a network
that has none: what such a network does not need is then not even compiled.

The time of a unit's own next event is exact, or a proven bound (`BOUND`) before which nothing
happens. A bound costs a few multiplications where a crossing costs a search, and what arrives in
the meantime mostly makes the search needless. Looking again changes nothing but that time.
"""

from __future__ import annotations

import numpy as np

from eventsim.dynamics.crossing import first_crossing, quiet_for
from eventsim.dynamics.exponentials import decay_modes, driven
from eventsim.engine import neurons
from eventsim.engine.compiled import BOUND, CROSSING, TEST
from eventsim.engine.neurons import MAX_REPEATS, drive_of, pulse
from eventsim.jit import inner

__all__ = [
    "keep_modes",
    "look_again",
    "move_to",
    "next_event",
    "receive",
    "settle",
    "threshold_of",
]

#: A bound that reaches further than this part of the time it is looked at from is worth waiting
#: for; a shorter one shows that a crossing is near, and is worth a search.
_WORTH = 0.25

_move_constant, _next_constant = neurons.move_to, neurons.next_event
_fires_constant, _reset_constant = neurons.fires, neurons.reset


@inner
def threshold_of(u, modes):
    """Threshold above v_leak, at t_last."""
    theta = u.theta
    if modes is not None:
        for j in range(u.mode_at, u.mode_at + u.n_modes):
            theta += modes[j].lift * modes[j].value
    return theta


@inner
def move_to(u, modes, now):
    """Bring a neuron to ``now``."""
    if modes is None:
        _move_constant(u, now)
    elif u.n_modes == 0:
        _move_constant(u, now)
    else:
        _move_modes(u, modes, now)


@inner
def _move_modes(u, modes, now):
    h = now - u.t_last
    if h > 0.0:
        # The end of refractoriness is an event of the neuron's own, so that a part in which the
        # potential is held and one in which it moves never come together.
        if u.ref_until >= now:
            decay_modes(h, modes, u.mode_at, u.n_modes)
        else:
            below = u.x < threshold_of(u, modes)
            u.x = driven(u.x, drive_of(u), h, u.tau, modes, u.mode_at, u.n_modes, True)
            theta = threshold_of(u, modes)
            if below and u.x >= theta:
                # No crossing was found before now: rounding must not carry a potential over a
                # threshold that it only approaches.
                u.x = np.nextafter(theta, -np.inf)
    u.t_last = now


@inner
def receive(u, modes, weight, spread, receptor, kind, times):
    """A delta, an arrival at a receptor, the begin of a pulse, or (kind 1) its end; repeated."""
    u.alone = False
    if receptor >= 0:
        if modes is not None:
            for _ in range(times):
                modes[u.mode_at + receptor].value += weight
    elif spread == 0.0:
        for _ in range(times):
            u.acc += weight
    else:
        pulse(u, weight / spread, kind == 1, times)


@inner
def _fires(u, modes):
    """The one test of an instant; at equality a strict neuron fires when it goes on to rise."""
    if modes is None:
        return _fires_constant(u, u.x)
    else:
        return _fires_modes(u, modes)


@inner
def _fires_modes(u, modes):
    if u.n_modes == 0:
        return _fires_constant(u, u.x)
    theta = threshold_of(u, modes)
    if u.x != theta or u.theta == np.inf:
        return u.x > theta
    if u.inclusive:
        return True
    slope = drive_of(u)
    if u.tau < np.inf:
        slope -= u.x / u.tau
    for j in range(u.mode_at, u.mode_at + u.n_modes):
        mode = modes[j]
        slope += mode.value * (mode.gain + mode.lift / mode.tau)
    return slope > 0.0


@inner
def _leave_behind(u, modes):
    """What a spike adds to the modes."""
    for j in range(u.mode_at, u.mode_at + u.n_modes):
        modes[j].value += modes[j].jump


@inner
def _reset(u, modes, now):
    """Reset after a spike; the number of spikes of this instant, 0 when endless."""
    if modes is None:
        return np.int64(_reset_constant(u, now))
    else:
        return _reset_modes(u, modes, now)


@inner
def _reset_modes(u, modes, now):
    if u.n_modes == 0:
        return np.int64(_reset_constant(u, now))
    times = np.int64(1)
    _leave_behind(u, modes)
    if not u.subtract:
        u.x = u.reset
    else:
        step = u.theta - u.reset
        u.x -= step
        while u.multi and _fires_modes(u, modes):
            if u.x - step == u.x or times == MAX_REPEATS:
                return np.int64(0)
            u.x -= step
            times += 1
            _leave_behind(u, modes)
    if u.t_ref > 0.0:
        u.ref_until = now + u.t_ref
    return times


@inner
def settle(u, modes, now, due):
    """Add what arrived and test once; the number of spikes, -1 when they are endless.

    ``due``: this instant is the neuron's own next event. A crossing with which nothing arrives is
    certain.
    """
    if u.ref_until > now:
        return np.int64(0)
    crosses = due and u.own == CROSSING
    if crosses:
        u.x = threshold_of(u, modes)
    u.x += u.acc
    if not (crosses and u.alone) and not _fires(u, modes):
        return np.int64(0)
    times = _reset(u, modes, now)
    return times if times > 0 else np.int64(-1)


@inner
def next_event(u, modes, now):
    """Time of the neuron's own next event, or a bound of it; `u.own` says which."""
    if modes is None:
        return _next_constant(u, now)
    else:
        return _next_modes(u, modes, now)


@inner
def _next_modes(u, modes, now):
    if u.n_modes == 0:
        return _next_constant(u, now)
    if u.theta == np.inf:
        return np.inf
    if u.ref_until > now:
        u.own = TEST
        return u.ref_until
    if u.x >= threshold_of(u, modes):
        return _search(u, modes)
    quiet = quiet_for(u.x, drive_of(u), u.tau, u.theta, modes, u.mode_at, u.n_modes, 0.0)
    bound = now + quiet
    if not bound > now:
        return _search(u, modes)
    if u.own == BOUND and now < u.next_time <= bound < np.inf:
        return u.next_time  # still proven, and in its place in a queue already
    u.own = BOUND
    return bound


@inner
def _search(u, modes):
    """The exact crossing, from the state at t_last."""
    u.own = CROSSING
    return u.t_last + first_crossing(
        u.x, drive_of(u), u.tau, u.theta, u.inclusive, modes, u.mode_at, u.n_modes
    )


@inner
def keep_modes(u, modes, row):
    """Copy the values of a unit's modes to a row, for a trace."""
    if modes is not None:
        for j in range(u.n_modes):
            row[j] = modes[u.mode_at + j].value


@inner
def look_again(u, modes):
    """Where only a bound was known and is reached: a later one, or the crossing."""
    if modes is None:
        return u.next_time  # which is exact
    else:
        return _look_modes(u, modes)


@inner
def _look_modes(u, modes):
    h = u.next_time - u.t_last
    quiet = quiet_for(u.x, drive_of(u), u.tau, u.theta, modes, u.mode_at, u.n_modes, h)
    bound = u.next_time + quiet
    if quiet > _WORTH * h and bound > u.next_time:
        return bound
    return _search(u, modes)
