"""Kernel of the clock-driven run: from one grid time to the next, and what happens there.

All neurons move first, each by its own factors, which are what forward Euler and exact integration
differ in. Then populations are visited one after the other: what is due arrives, neurons are
tested, spikes are logged. A delay is no list of what is under way: each set of synapses with one
delay reads the log of its source so many ticks behind its end, and once more behind the width of a
pulse to take it back.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.compiled import (
    CONV,
    DENSE,
    EVERY_SPIKE,
    FIRST_SPIKE,
    INPUT,
    LEADER,
    RELAY,
    Records,
)
from eventsim.engine.neurons import MAX_REPEATS
from eventsim.engine.reach import conv_targets
from eventsim.jit import inner, njit

__all__ = [
    "BLAMED", "CELL", "ENDLESS", "EVENTS", "FADE", "GROUP", "GROW", "JUMP", "LIFT", "PART",
    "PAUSED", "PUSH", "REACHED", "SPIKE", "SPIKES", "STEP", "STEPPED", "TICK", "VALUE", "WORK",
    "Ticking", "run_ticks",
]  # fmt: skip

#: Why the kernel returned: the last tick is done, its share of work is used up, the log is full,
#: or a neuron spikes without end in one instant.
REACHED, PAUSED, GROW, ENDLESS = range(4)

#: Places in `Ticking.control`: the next tick, synaptic arrivals, spikes of neurons and relays, all
#: work, steps of currents done, a population that is stuck.
TICK, EVENTS, SPIKES, WORK, STEPPED, BLAMED = range(6)

#: Rows of `Ticking.modes`: state; factor of a tick; what a unit of it adds to the potential in a
#: tick, and to the threshold; what an own spike adds.
VALUE, FADE, PUSH, LIFT, JUMP = range(5)

#: After so many begins and ends of pulses their sum is taken afresh, which bounds what rounding
#: can leave in it.
REFRESH = 4096

#: What a spike of a unit, or of several of one instant, leaves in the log.
SPIKE = np.dtype([("tick", np.int64), ("unit", np.int64), ("times", np.int64)])

#: Steps of external currents, by tick.
STEP = np.dtype([("tick", np.int64), ("cell", np.int64), ("value", np.float64)])

#: What does not change of a neuron; potentials are above `v_leak`.
CELL = np.dtype(
    [
        ("theta", np.float64),
        ("reset", np.float64),
        ("bias", np.float64),  # drive of i_bias, V/s
        ("gain", np.float64),  # drive of a unit current, V/s
        ("hold", np.int64),  # refractory period in ticks
    ]
)

#: A population.
GROUP = np.dtype(
    [
        ("kind", np.int64),
        ("n", np.int64),
        ("first", np.int64),  # its first neuron, or window of a relay
        ("counted", np.int64),  # its first unit among those of all populations
        ("part_first", np.int64),  # what reaches it
        ("part_stop", np.int64),
        ("log_at", np.int64),  # its part of the log: begin, entries, room
        ("n_log", np.int64),
        ("room", np.int64),
        ("mode_at", np.int64),  # its modes, each for all neurons
        ("n_modes", np.int64),
        ("rule", np.int64),  # of a relay, with the ticks that a window stays closed
        ("window", np.int64),
        ("heard_at", np.int64),
        ("active", np.int64),  # pulses that are under way, and how many changes their sum has seen
        ("changes", np.int64),
        ("subtract", np.bool_),
        ("multi", np.bool_),
        ("inclusive", np.bool_),
    ]
)

#: The synapses of a projection that have one delay.
PART = np.dtype(
    [
        ("kind", np.int64),
        ("link", np.int64),
        ("source", np.int64),
        ("receptor", np.int64),  # -1: delta or pulse
        ("delay", np.int64),  # ticks
        ("width", np.int64),  # of a pulse, in ticks; 0: delta
        ("slope", np.float64),  # V/s of a pulse of weight 1
        ("weight_at", np.int64),
        ("post_at", np.int64),
        ("row_at", np.int64),  # rows: those of source i at row_at + i row_step
        ("row_step", np.int64),
        ("begun", np.int64),  # entries of the source's log that have arrived
        ("ended", np.int64),  # entries whose pulses are over
    ]
)


class Ticking(NamedTuple):
    """A network on a grid, and its state."""

    groups: Records
    order: NDArray[np.int64]  # in which they are visited
    parts: Records
    links: Records
    weight: NDArray[np.float64]
    indptr: NDArray[np.int64]
    post: NDArray[np.int32]
    cells: Records
    decay: NDArray[np.float64]  # x(t + dt) = x decay + D grow, for each neuron
    grow: NDArray[np.float64]
    x: NDArray[np.float64]  # potential
    drive: NDArray[np.float64]  # of bias and currents, V/s
    pulse: NDArray[np.float64]  # of pulses, V/s
    acc: NDArray[np.float64]  # deltas of this instant
    push: NDArray[np.float64]  # what the modes add in a tick
    level: NDArray[np.float64]  # threshold
    held: NDArray[np.int64]  # tick at which the refractory period ends
    modes: NDArray[np.float64]
    closed: NDArray[np.int64]  # of windows: tick until which they are
    best: NDArray[np.int64]  # most spikes of one source
    mark: NDArray[np.int64]  # last tick in which a spike passed
    heard: NDArray[np.int64]  # spikes of each source of a relay
    counts: NDArray[np.int64]
    reach: NDArray[np.int64]  # targets of a spike into a convolution, while they are walked
    control: NDArray[np.int64]


@inner
def _add(t, part, source, target, first, factor):
    """Add the weights of one source to ``target``; the number of its synapses."""
    if part.kind == DENSE:
        n = t.links[part.link].n_post
        # Without a sign there is no test for indices that count from the end.
        to, at = np.uint64(first), np.uint64(part.weight_at + source * n)
        for j in range(np.uint64(n)):
            target[to + j] += factor * t.weight[at + j]
        return n
    if part.kind == CONV:
        link = t.links[part.link]
        per_out, area = link.out_c // link.groups, link.out_y * link.out_x
        n = conv_targets(link, source, t.reach[0], t.reach[1])
        for i in range(n):
            pixel, group = t.reach[0, i] // link.groups, t.reach[0, i] % link.groups
            at, cell = part.weight_at + t.reach[1, i], first + group * per_out * area + pixel
            for k in range(per_out):
                target[cell + k * area] += factor * t.weight[at + k]
        return n * per_out
    row = part.row_at + source * part.row_step
    begin, end = t.indptr[row], t.indptr[row + 1]
    for k in range(begin, end):
        target[first + t.post[part.post_at + k]] += factor * t.weight[part.weight_at + k]
    return end - begin


@inner
def _move(t, tick):
    """Bring all potentials and modes to this tick."""
    for g in range(t.groups.size):
        group = t.groups[g]
        if group.n_modes == 0:
            continue
        for j in range(group.first, group.first + group.n):
            t.push[j] = 0.0
            t.level[j] = t.cells[j].theta
        for m in range(group.n_modes):
            at = group.mode_at + m * group.n
            for i in range(group.n):
                value = t.modes[VALUE, at + i]
                t.push[group.first + i] += value * t.modes[PUSH, at + i]
                value *= t.modes[FADE, at + i]
                t.modes[VALUE, at + i] = value
                t.level[group.first + i] += value * t.modes[LIFT, at + i]
    x, held, decay, grow, drive, pulse, push = (
        t.x,
        t.held,
        t.decay,
        t.grow,
        t.drive,
        t.pulse,
        t.push,
    )
    for j in range(x.size):
        moved = x[j] * decay[j] + (drive[j] + pulse[j]) * grow[j] + push[j]
        x[j] = moved if held[j] < tick else x[j]


@inner
def _log(t, log, group, unit, tick, times):
    """Note spikes of one unit in one instant."""
    entry = log[group.log_at + group.n_log]
    entry.tick, entry.unit, entry.times = tick, unit, times
    group.n_log += 1
    t.counts[group.counted + unit] += times
    t.control[SPIKES] += times


@inner
def _pulses(t, log, group, tick):
    """End the pulses that are over, and keep rounding out of the sum of the others."""
    for p in range(group.part_first, group.part_stop):
        part = t.parts[p]
        if part.width == 0:
            continue
        at, late = t.groups[part.source].log_at, part.delay + part.width
        while part.ended < part.begun and log[at + part.ended].tick + late <= tick:
            entry = log[at + part.ended]
            factor = -part.slope * entry.times
            t.control[WORK] += _add(t, part, entry.unit, t.pulse, group.first, factor)
            part.ended += 1
            group.active -= 1
            group.changes += 1
    if group.changes > 0 and (group.active == 0 or group.changes >= REFRESH):
        group.changes = 0
        for j in range(group.first, group.first + group.n):
            t.pulse[j] = 0.0
        for p in range(group.part_first, group.part_stop):
            part = t.parts[p]
            if part.width == 0:
                continue
            at = t.groups[part.source].log_at
            for i in range(part.ended, part.begun):
                factor = part.slope * log[at + i].times
                _add(t, part, log[at + i].unit, t.pulse, group.first, factor)


@inner
def _arrive(t, log, group, tick):
    """Deliver what is due at a population; whether there are deltas in it."""
    deltas = False
    for p in range(group.part_first, group.part_stop):
        part = t.parts[p]
        source = t.groups[part.source]
        while part.begun < source.n_log:
            entry = log[source.log_at + part.begun]
            if entry.tick + part.delay > tick:
                break
            times = np.float64(entry.times)
            if part.receptor >= 0:
                at = group.mode_at + part.receptor * group.n
                n = _add(t, part, entry.unit, t.modes[VALUE], at, times)
            elif part.width > 0:
                n = _add(t, part, entry.unit, t.pulse, group.first, part.slope * times)
                group.active += 1
                group.changes += 1
            else:
                n = _add(t, part, entry.unit, t.acc, group.first, times)
                deltas = True
            part.begun += 1
            t.control[EVENTS] += n * entry.times
            t.control[WORK] += n
    return deltas


@inner
def _spikes(t, group, i):
    """Spikes of neuron ``i`` in this instant; more than MAX_REPEATS when there is no end."""
    j = group.first + i
    cell, times = t.cells[j], np.int64(0)
    while t.x[j] > t.level[j] or (group.inclusive and t.x[j] == t.level[j]):
        times += 1
        t.x[j] = t.x[j] - (cell.theta - cell.reset) if group.subtract else cell.reset
        for m in range(group.n_modes):
            at = group.mode_at + m * group.n + i
            t.modes[VALUE, at] += t.modes[JUMP, at]
            t.level[j] += t.modes[JUMP, at] * t.modes[LIFT, at]
        if not group.multi or times > MAX_REPEATS:
            return times
    return times


@inner
def _visit_neurons(t, log, group, tick):
    """One instant of a population; whether it came to an end."""
    _pulses(t, log, group, tick)
    x, level, held, acc = t.x, t.level, t.held, t.acc
    first, n = np.uint64(group.first), np.uint64(group.n)
    if _arrive(t, log, group, tick):
        for i in range(n):
            x[first + i] += acc[first + i] if held[first + i] <= tick else 0.0
            acc[first + i] = 0.0
    high = np.int64(0)
    for i in range(n):
        j = first + i
        high += np.int64(x[j] >= level[j]) & np.int64(held[j] <= tick)
    if high == 0:
        return True
    for i in range(group.n):
        j = group.first + i
        if x[j] >= level[j] and held[j] <= tick:
            times = _spikes(t, group, i)
            if times > 0:
                held[j] = tick + t.cells[j].hold
                _log(t, log, group, i, tick, times)
            if times > MAX_REPEATS:
                return False
    return True


@inner
def _visit_relay(t, log, group, tick):
    """Max pooling of what is due: at most one spike of each window."""
    for p in range(group.part_first, group.part_stop):
        part = t.parts[p]
        source = t.groups[part.source]
        begin = end = part.begun
        while end < source.n_log and log[source.log_at + end].tick + part.delay <= tick:
            entry = log[source.log_at + end]
            heard = t.heard[group.heard_at + entry.unit] + entry.times
            t.heard[group.heard_at + entry.unit] = heard
            row = part.row_at + entry.unit * part.row_step
            for k in range(t.indptr[row], t.indptr[row + 1]):
                window = group.first + t.post[part.post_at + k]
                t.best[window] = max(t.best[window], heard)
            end += 1
        if begin == end:
            continue
        part.begun = end
        for i in range(begin, end):
            entry = log[source.log_at + i]
            row = part.row_at + entry.unit * part.row_step
            n = t.indptr[row + 1] - t.indptr[row]
            t.control[EVENTS] += n * entry.times
            t.control[WORK] += n
            for k in range(t.indptr[row], t.indptr[row + 1]):
                window = group.first + t.post[part.post_at + k]
                leads = t.heard[group.heard_at + entry.unit] >= t.best[window]
                if (
                    group.rule == EVERY_SPIKE
                    or (group.rule == FIRST_SPIKE and tick >= t.closed[window])
                    or (group.rule == LEADER and leads)
                ):
                    t.mark[window] = tick
        for i in range(group.n):
            if t.mark[group.first + i] == tick:
                t.closed[group.first + i] = tick + group.window
                _log(t, log, group, i, tick, np.int64(1))


@njit
def run_ticks(t, log, steps, last, work, max_events):
    """Go on to the tick ``last``, or until so much work is done; why it returned."""
    control = t.control
    while control[TICK] <= last:
        tick = control[TICK]
        if control[WORK] >= work or control[EVENTS] + control[SPIKES] >= max_events:
            return PAUSED
        for g in range(t.groups.size):
            group = t.groups[g]
            if group.kind != INPUT and group.n_log + group.n > group.room:
                return GROW
        _move(t, tick)
        while control[STEPPED] < steps.size and steps[control[STEPPED]].tick <= tick:
            step = steps[control[STEPPED]]
            cell = t.cells[step.cell]
            t.drive[step.cell] = cell.bias + cell.gain * step.value
            control[STEPPED] += 1
        for g in t.order:
            group = t.groups[g]
            if group.kind == RELAY:
                _visit_relay(t, log, group, tick)
            elif not _visit_neurons(t, log, group, tick):
                control[BLAMED] = g
                control[TICK] += 1
                return ENDLESS
        control[WORK] += t.x.size
        control[TICK] += 1
    return REACHED
