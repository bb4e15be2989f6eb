"""Lanes with exponential receptors: a neuron of the layered engine, treated apart from the others.

As :mod:`eventsim.engine.lanes`, for neurons whose drive decays between arrivals. The currents of
receptors are kept in volts per second, so that the gain of every mode is 1.
"""

from __future__ import annotations

import numpy as np

from eventsim.dynamics.exponentials import decay_modes, driven
from eventsim.dynamics.within import crossing_within
from eventsim.engine.compiled import CROSSING
from eventsim.engine.lanes import FULL, STUCK
from eventsim.engine.modal import settle
from eventsim.jit import inner

__all__ = ["follow", "test_lane"]


@inner
def _put(out, n_out, time, unit, bucket, times):
    entry = out[n_out]
    entry.time = time
    entry.unit = unit
    entry.bucket = bucket
    entry.times = times


@inner
def follow(u, modes, x1, t0, t1, unit, bucket, out, n_out):
    """Follow one lane alone from ``t0`` to ``t1``: releases, crossings and spikes before ``t1``.

    The record and its modes are in their state at ``t0``; ``x1`` is the potential at ``t1`` if
    nothing happens before, minus infinity for a refractory lane. Afterwards ``u.x`` and
    ``u.ref_until`` are those at ``t1``, before what arrives there; a potential that reaches its
    threshold at ``t1`` stands exactly on it. The modes are left to the caller, who has them for
    all lanes.
    Returns the number of spikes found so far, FULL or STUCK.
    """
    now, end, spiked = t0, x1, False
    first, n = u.mode_at, u.n_modes
    while True:
        if u.ref_until > now:
            if u.ref_until >= t1:
                return n_out
            decay_modes(u.ref_until - now, modes, first, n)
            now, end, spiked = u.ref_until, -np.inf, False
        span = t1 - now
        if end == -np.inf:
            end = driven(u.x, u.current, span, u.tau, modes, first, n, False)
        way = crossing_within(
            u.x, u.current, u.tau, u.theta, u.inclusive, modes, first, n, span, end
        )
        event = now + way
        if spiked and event <= now:
            return STUCK
        if not event < t1:
            break
        if n_out == out.size:
            return FULL
        decay_modes(way, modes, first, n)
        u.x, u.acc, u.own, u.alone = u.theta, 0.0, CROSSING, True
        times = settle(u, modes, event, True)
        if times < 0:
            return STUCK
        _put(out, n_out, event, unit, bucket, times)
        n_out += 1
        now, end, spiked = event, -np.inf, True
    if event == t1:
        end = u.theta
    elif u.x < u.theta and end >= u.theta:
        # No crossing was found before t1: rounding must not carry it over the threshold.
        end = np.nextafter(u.theta, -np.inf)
    u.x = end
    return n_out


@inner
def test_lane(u, modes, now, unit, bucket, out, n_out):
    """The one test of an instant, for a lane that is not refractory. As :func:`follow`."""
    u.acc, u.alone = 0.0, False
    times = settle(u, modes, now, False)
    if times == 0:
        return n_out
    if times < 0:
        return STUCK
    if n_out == out.size:
        return FULL
    _put(out, n_out, now, unit, bucket, times)
    return n_out + 1
