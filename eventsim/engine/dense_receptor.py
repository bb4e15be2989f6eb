"""Kernel of the layered engine for all-to-all layers whose only input is one exponential receptor.

The usual case of :mod:`eventsim.engine.dense_modes`, faster: the lanes of a block go through
several arrivals in one pass, which keeps their state in registers, and one bound
(:mod:`eventsim.dynamics.steps`) serves all of them. A lane that it cannot exclude, or that is
released meanwhile, goes through the same arrivals once more, alone, step by step. Potentials are
kept relative to where the bias lets them rest, so that a bias costs nothing.
"""

from __future__ import annotations

import numpy as np

from eventsim.engine.dense_modes import BLOCK
from eventsim.engine.modal_lanes import follow, test_lane
from eventsim.engine.modal_steps import GROUP
from eventsim.jit import inner, maker, njit

__all__ = ["run_dense_receptor"]

#: Where the state of a block lies, in one array, so that the compiler sees that its parts are
#: apart: potential, current, threshold less rounding, both before the pass, and the bound.
X, CURRENT, LOW, OLD_X, OLD_CURRENT, BOUND = range(0, 6 * BLOCK, BLOCK)


@inner
def _group(a, i):
    """A group's entries, as a tuple: its length is known to the compiler."""
    return (a[i], a[i + 1], a[i + 2], a[i + 3], a[i + 4], a[i + 5], a[i + 6], a[i + 7])


@inner
def _advance(state, weights, steps, sag, risen, i):
    """Take all lanes through the group of steps from ``i`` on; how many need a closer look.

    ``sag`` is the largest G (1 - d_k) of a step, ``risen`` the sum of the largest weights.
    """
    row, decay = _group(steps.row, i), _group(steps.factors[0], i)
    mode_decay, response = _group(steps.factors[2], i), _group(steps.factors[3], i)
    high = 0
    for j in range(BLOCK):
        x, current = state[X + j], state[CURRENT + j]
        state[OLD_X + j], state[OLD_CURRENT + j] = x, current
        top, beyond = x, sag * (abs(current) + risen)
        for k in range(GROUP):
            x = x * decay[k] + current * response[k]
            current = current * mode_decay[k] + weights[row[k], j]
            top = x if x > top else top
        bound = top + beyond
        high += bound >= state[LOW + j]
        state[BOUND + j] = bound
        state[X + j], state[CURRENT + j] = x, current
    return high


@inner
def _alone(u, modes, j, rest, state, weights, steps, i, t0, t_stop, unit, sample, out, n_out):
    """Take one lane through a group of steps, with the exact search where it is needed."""
    x, current, low = state[OLD_X + j], state[OLD_CURRENT + j], state[LOW + j]
    before = t0
    for k in range(i, i + GROUP):
        now, left = steps.time[k], current * steps.factors[2, k]
        if now > before:
            searched = x == -np.inf and u.ref_until <= now
            if x > -np.inf:
                moved = x * steps.factors[0, k]
                searched = moved + max(current, left) * steps.factors[1, k] >= low
                if searched:
                    u.x = x + rest
                x = moved + current * steps.factors[3, k]
            if searched:
                modes[u.mode_at].value = current
                n_out = follow(u, modes, x + rest, before, now, unit, sample, out, n_out)
                if n_out < 0:
                    return n_out
                x = u.x - rest if u.ref_until <= now else -np.inf
            before = now
        current = left + weights[steps.row[k], j]
        # The instant is tested when all that arrives in it is there.
        if x + rest >= u.theta and now < t_stop and steps.time[k + 1] > now:
            u.x, modes[u.mode_at].value = x + rest, current
            n_out = test_lane(u, modes, now, unit, sample, out, n_out)
            if n_out < 0:
                return n_out
            x = u.x - rest if u.ref_until <= now else -np.inf
    state[X + j] = x
    return n_out


@maker
def _through(
    lanes, modes, rest, state, weights, steps, begin, end, t_start, unit, sample, out, n_out, limit
):
    """One block, one sample."""
    waiting, n_waiting = np.empty(BLOCK, np.int64), 0  # refractory lanes
    before, t_stop, release = t_start, steps.time[end - 1], np.inf
    for j in range(limit):
        u = lanes[j]
        if u.x >= u.theta and steps.time[begin] > t_start:
            n_out = test_lane(u, modes, t_start, unit + j, sample, out, n_out)
            if n_out < 0:
                return n_out
        state[X + j] = u.x - rest[j]
        if u.ref_until > t_start:
            state[X + j] = -np.inf
            waiting[n_waiting] = j
            n_waiting += 1
            release = min(release, u.ref_until)
    for i in range(begin, end, GROUP):
        until = steps.time[i + GROUP - 1]
        high = _advance(state, weights, steps, steps.sag[i // GROUP], steps.risen[i // GROUP], i)
        if high == 0 and release > until:
            before = until
            continue
        # Lanes that wait come first, then those that the bound does not exclude.
        kept, first = 0, n_waiting
        for k in range(first + (limit if high > 0 else 0)):
            j = waiting[k] if k < first else k - first
            waits = k < first
            if not waits and not state[BOUND + j] >= state[LOW + j]:
                continue
            if not waits or lanes[j].ref_until <= until:
                n_out = _alone(
                    lanes[j], modes, j, rest[j], state, weights, steps, i, before, t_stop,
                    unit + j, sample, out, n_out,
                )  # fmt: skip
                if n_out < 0:
                    return n_out
            if state[X + j] == -np.inf:
                waiting[kept] = j
                kept += 1
        n_waiting, release, before = kept, np.inf, until
        for k in range(n_waiting):
            release = min(release, lanes[waiting[k]].ref_until)
    return n_out


@njit
def run_dense_receptor(units, modes, theta, weights, steps, t_start, out):
    """As :func:`eventsim.engine.dense_modes.run_dense_modes`, without steps of currents."""
    n_out = np.int64(0)  # a bare 0 would compile what it is passed to once more
    lanes, own = np.empty(BLOCK, units.dtype), np.empty(BLOCK, modes.dtype)
    state, rest = np.empty(6 * BLOCK), np.zeros(BLOCK)
    for block in range(weights.shape[0]):
        first = block * BLOCK
        limit = min(BLOCK, units.size - first)
        for sample in range(steps.bounds.size - 1):
            begin, end = steps.bounds[sample], steps.bounds[sample + 1]
            for j in range(BLOCK):
                state[X + j] = state[CURRENT + j] = rest[j] = 0.0
                state[LOW + j] = theta[first + j] - steps.slack[sample]
            for j in range(limit):
                lanes[j], own[j] = units[first + j], modes[first + j]
                u = lanes[j]
                u.mode_at = j
                if u.bias != 0.0:
                    rest[j] = u.bias * u.tau
                state[LOW + j] -= rest[j]
            n_out = _through(
                lanes, own, rest, state, weights[block], steps, begin, end, t_start, first, sample,
                out, n_out, limit,
            )  # fmt: skip
            if n_out < 0:
                return n_out
    return n_out
