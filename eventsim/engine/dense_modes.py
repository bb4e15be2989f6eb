"""Kernel of the layered engine for all-to-all layers with exponential receptors.

As in :mod:`eventsim.engine.dense`, a block of neurons goes through all that happens in a sample.
Every operation is a step of its own: all lanes are propagated to its time with factors that the
layer shares (:mod:`eventsim.dynamics.steps`), then it adds its row of weights. Operations of one
instant are steps of no length, so they are summed before the instant is tested.

Lanes that a certified bound cannot exclude, and those whose refractory period ends, are followed
alone through the step, by the exact search. That is about once a spike and once a release.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.modal_lanes import follow, test_lane
from eventsim.engine.modal_steps import CURRENT, DELTA
from eventsim.jit import inner, njit

__all__ = ["BLOCK", "run_dense_modes"]

#: Lanes of a block.
BLOCK = 64


class Block(NamedTuple):
    """State of a block of lanes: potentials, currents of receptors, constant drives."""

    lanes: NDArray[Any]
    modes: NDArray[Any]  # of each lane, in the order of receptors
    x: NDArray[np.float64]  # minus infinity: refractory
    next_x: NDArray[np.float64]
    bound: NDArray[np.float64]
    current: NDArray[np.float64]  # [receptor, lane], V/s
    next_current: NDArray[np.float64]
    drive: NDArray[np.float64]  # V/s
    acc: NDArray[np.float64]
    release: NDArray[np.float64]  # of one number: the first end of a refractory period


@inner
def _fill(block, j, x, current):
    """Write the state of a lane to its record."""
    u = block.lanes[j]
    if x > -np.inf:
        u.x = x
    u.current = block.drive[j]
    for k in range(u.n_modes):
        block.modes[u.mode_at + k].value = current[k, j]


@inner
def _apart(block, low, before, now, unit, sample, out, n_out, limit):
    """Follow alone the lanes that may reach threshold in a step, or whose release lies in it."""
    block.release[0] = np.inf
    for j in range(limit):
        u = block.lanes[j]
        free = block.x[j] > -np.inf
        if (free and block.bound[j] >= low[j]) or (not free and u.ref_until <= now):
            _fill(block, j, block.x[j], block.current)
            n_out = follow(
                u, block.modes, block.next_x[j], before, now, unit + j, sample, out, n_out
            )
            if n_out < 0:
                return n_out
            block.next_x[j] = u.x if u.ref_until <= now else -np.inf
        if block.next_x[j] == -np.inf:
            block.release[0] = min(block.release[0], u.ref_until)
    return n_out


@inner
def _test(block, theta, now, unit, sample, out, n_out, limit):
    """Test each lane at threshold."""
    for j in range(limit):
        if block.x[j] >= theta[j]:
            u = block.lanes[j]
            _fill(block, j, block.x[j], block.current)
            n_out = test_lane(u, block.modes, now, unit + j, sample, out, n_out)
            if n_out < 0:
                return n_out
            block.x[j] = u.x
            if u.ref_until > now:
                block.x[j] = -np.inf
                block.release[0] = min(block.release[0], u.ref_until)
    return n_out


@inner
def _advance(block, factors, i, low):
    """Propagate all lanes by one step; how many may have reached threshold."""
    decay, grown = factors[0, i], factors[1, i]
    x, next_x, bound, drive = block.x, block.next_x, block.bound, block.drive
    for j in range(BLOCK):
        moved = x[j] * decay + drive[j] * grown
        next_x[j] = moved
        bound[j] = moved
    for k in range(block.current.shape[0]):
        mode_decay, response = factors[2 + 2 * k, i], factors[3 + 2 * k, i]
        current, left = block.current[k], block.next_current[k]
        for j in range(BLOCK):
            now = current[j]
            later = now * mode_decay
            left[j] = later
            next_x[j] += now * response
            bound[j] += max(now, later) * grown
    high = 0
    for j in range(BLOCK):
        high += bound[j] >= low[j]
    return high


@inner
def _swap(block):
    for j in range(BLOCK):
        block.x[j] = block.next_x[j]
    for k in range(block.current.shape[0]):
        for j in range(BLOCK):
            block.current[k, j] = block.next_current[k, j]


@inner
def _through(
    block, theta, low, weights, steps, begin, end, changes, at_start, t_start, unit, sample, out,
    n_out, limit,
):  # fmt: skip
    """One block, one sample."""
    before, jumps = t_start, False
    if at_start and not (end - begin > 1 and steps.time[begin] == t_start):
        n_out = _test(block, theta, t_start, unit, sample, out, n_out, limit)
        if n_out < 0:
            return n_out
    for i in range(begin, end):
        now = steps.time[i]
        if now > before:
            high = _advance(block, steps.factors, i, low)
            jumps = False
            if high > 0 or block.release[0] <= now:
                n_out = _apart(block, low, before, now, unit, sample, out, n_out, limit)
                if n_out < 0:
                    return n_out
                jumps = True
            _swap(block)
        kind, row = steps.kind[i], steps.row[i]
        if kind >= 0:
            for j in range(BLOCK):
                block.current[kind, j] += weights[row, j]
        elif kind == DELTA:
            jumps = True
            for j in range(BLOCK):
                block.acc[j] += weights[row, j]
        elif kind == CURRENT:
            change = changes[row]
            lane = change.unit - unit
            if 0 <= lane < limit:
                u = block.lanes[lane]
                block.drive[lane] = u.bias + u.gain * change.value
        else:
            return n_out  # t_stop
        before = now
        if (jumps or at_start) and steps.time[i + 1] > now:
            high = 0
            for j in range(BLOCK):
                block.x[j] += block.acc[j]
                block.acc[j] = 0.0
                high += block.x[j] >= theta[j]
            if high > 0:
                n_out = _test(block, theta, now, unit, sample, out, n_out, limit)
                if n_out < 0:
                    return n_out
    return n_out


@njit
def run_dense_modes(units, modes, theta, weights, steps, changes, change_at, t_start, out):
    """Spikes of a layer for a batch of samples; their number, FULL or STUCK.

    ``weights`` is [block, row, lane]: deltas in volts, arrivals at receptors in volts per second.
    """
    n_out = np.int64(0)  # a bare 0 would compile what it is passed to once more
    n_receptors = (steps.factors.shape[0] - 2) // 2
    block = Block(
        np.empty(BLOCK, units.dtype),
        np.empty(BLOCK * n_receptors, modes.dtype),
        np.empty(BLOCK),
        np.empty(BLOCK),
        np.empty(BLOCK),
        np.empty((n_receptors, BLOCK)),
        np.empty((n_receptors, BLOCK)),
        np.zeros(BLOCK),
        np.zeros(BLOCK),
        np.empty(1),
    )
    low = np.empty(BLOCK)
    at_start = False
    for j in range(units.size):
        at_start = at_start or units[j].x >= units[j].theta
    for b in range(weights.shape[0]):
        first = b * BLOCK
        limit = min(BLOCK, units.size - first)
        high = theta[first : first + BLOCK]
        for sample in range(steps.bounds.size - 1):
            for j in range(BLOCK):
                block.x[j] = block.drive[j] = block.acc[j] = 0.0
                low[j] = high[j] - steps.slack[sample]
            block.current[:] = 0.0
            block.release[0] = np.inf
            for j in range(limit):
                block.lanes[j] = units[first + j]
                u = block.lanes[j]
                u.mode_at = j * n_receptors
                for k in range(n_receptors):
                    block.modes[j * n_receptors + k] = modes[(first + j) * n_receptors + k]
                block.x[j] = u.x
                block.drive[j] = u.bias
            n_out = _through(
                block, high, low, weights[b], steps, steps.bounds[sample],
                steps.bounds[sample + 1], changes[change_at[sample] :], at_start, t_start, first,
                sample, out, n_out, limit,
            )  # fmt: skip
            if n_out < 0:
                return n_out
    return n_out
