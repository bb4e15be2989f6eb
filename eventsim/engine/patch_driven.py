r"""Kernel for layers reached in part that also have drive: pulses, bias, steps of currents.

Under a constant drive :math:`D` a potential is, with :math:`h = t - t_0`,

.. math:: x(t) = X e^{-h/\tau} + D \tau (1 - e^{-h/\tau}), \qquad
    x(t) s = X + D G, \quad s = e^{h/\tau}, \quad G = \tau (e^{h/\tau} - 1),

where :math:`X` is what the potential would have been at :math:`t_0`, had the drive been the same
since then. A change of the drive by :math:`\delta` at :math:`t` leaves :math:`x(t)` as it is: ``D
+= delta``, ``X -= delta G``. A delta is ``X += w s``. So a lane has two numbers that only arrivals
change (and for :math:`\tau = \infty` the same holds with s = 1, G = h).

Between two changes of its drive a potential is monotone, so whether it has crossed shows when it is
looked at before the second one: ``X + D G >= theta s``. The crossing is found then, and lies where
the course from :math:`t_0` crosses, which is the same course. Every lane is looked at when the
origin moves and at the end, so no crossing is missed, but spikes are not found in their order.

What is decided in an instant exactly (lanes released in it, lanes whose crossing it may be) is set
aside at minus infinity, and tested in plain potentials when all that arrives is known.
"""

from __future__ import annotations

from math import expm1, inf

import numpy as np

from eventsim.dynamics.lif import coefficients
from eventsim.engine.lanes import DELTA, PULSE, STEP_OP
from eventsim.engine.patch_alone import (
    ACC,
    BASE,
    DRIVE,
    HELD,
    X,
    alone,
    as_free,
    crossed,
    release,
    set_aside,
    test,
)
from eventsim.engine.patches import (
    BIAS,
    GAIN,
    HIGH,
    LINES,
    LOW,
    SPAN,
    SPARE,
    START,
    T_REF,
    THETA,
    accumulate,
    clear,
    due,
    new_wheel,
    on_lines,
    some,
    touch,
)
from eventsim.jit import inlined, inner, njit
from eventsim.vectors import BLOCK, add, at_least, first_lane, load, mul, splat, store

__all__ = ["run_driven"]

#: After so many arrivals the origin moves too, where no decay shrinks what rounding leaves.
REFRESH = 4096


@inlined
def _high(x, drive, theta, at, n, decay, gain, s, uniform):
    """Of a block the first ``n`` lanes that stand at threshold, all potentials scaled by ``s``."""
    limit = splat(theta[0] * s) if uniform else mul(load(theta, at), splat(s))
    now = add(mul(x, splat(decay)), mul(drive, splat(gain)))
    hits = at_least(now, limit)
    return hits if n >= BLOCK else hits & ((1 << n) - 1)


@inner
def _cross(lanes, wheel, state, aside, at, hits, t_0, now, sample, out, n_out):
    """Find the crossings before ``now`` of some lanes of a block."""
    while hits != 0:
        lane = at + first_lane(hits)
        hits &= hits - 1
        n_out = crossed(lanes, wheel, state, aside, lane, t_0, now, sample, out, n_out)
        if n_out < 0:
            break
    return n_out


@inner
def _look(lanes, wheel, state, aside, to, n, decay, gain, s, t_0, now, sample, out, n_out):
    """Find the crossings before ``now`` of lanes from ``to`` on."""
    x, drive, theta = state[X], state[DRIVE], lanes.values[THETA]
    for at in range(to, to + n, BLOCK):
        hits = _high(
            load(x, at), load(drive, at), theta, at, to + n - at, decay, gain, s, lanes.uniform
        )
        if hits != 0:
            n_out = _cross(lanes, wheel, state, aside, at, hits, t_0, now, sample, out, n_out)
            if n_out < 0:
                break
    return n_out


@inlined
def _change(
    lanes, wheel, state, aside, weights, to, at, n, sign, gain, s, t_0, now, sample, out, n_out
):
    """Find the crossings before ``now`` of a run of lanes, and change their drive."""
    x, drive, theta = state[X], state[DRIVE], lanes.values[THETA]
    for j in range(0, n, BLOCK):
        old_x, old_drive = load(x, to + j), load(drive, to + j)
        hits = _high(old_x, old_drive, theta, to + j, n - j, 1.0, gain, s, lanes.uniform)
        if hits != 0:
            n_out = _cross(lanes, wheel, state, aside, to + j, hits, t_0, now, sample, out, n_out)
            if n_out < 0:
                break
            old_x, old_drive = load(x, to + j), load(drive, to + j)
        change = mul(load(weights, at + j), splat(sign))
        store(x, to + j, some(n - j, add(old_x, mul(change, splat(-gain))), old_x))
        store(drive, to + j, some(n - j, add(old_drive, change), old_drive))
    return n_out


@inlined
def _set_drive(state, lane, value, gain):
    state[X, lane] -= (value - state[DRIVE, lane]) * gain
    state[DRIVE, lane] = value


@inner
def _look_at_all(lanes, wheel, state, aside, t_0, now, sample, out, n_out):
    """Find every spike before ``now``."""
    while True:
        lane = due(wheel, np.nextafter(now, -np.inf))
        if lane < 0:
            break
        as_free(lanes, lane)
        u = lanes.record[0]
        u.x, u.ref_until = state[HELD, lane], wheel.until[lane]
        n_out = alone(lanes, wheel, state, aside, lane, -np.inf, t_0, now, sample, out, n_out)
        if n_out < 0:
            return n_out
    decay, gain = coefficients(now - t_0, lanes.tau)
    # A factor of zero would turn the minus infinity of refractory lanes into NaN.
    decay = max(decay, 1e-300)
    return _look(
        lanes, wheel, state, aside, 0, lanes.unit_of.size, decay, gain, 1.0, t_0, now, sample,
        out, n_out,
    )  # fmt: skip


@inner
def _settle(lanes, wheel, touched, n_touched, state, s, gain, now, sample, out, n_out):
    """Add the deltas of an instant and test what they reach."""
    x, drive, sums, theta = state[X], state[DRIVE], state[ACC], lanes.values[THETA]
    for k in range(n_touched):
        line = touched[LINES, k]
        to, stop = touched[LOW, line], touched[HIGH, line]
        touched[HIGH, line] = 0
        for at in range(to, stop, BLOCK):
            old = load(x, at)
            new = add(old, mul(load(sums, at), splat(s)))
            store(x, at, some(stop - at, new, old))
            hits = _high(new, load(drive, at), theta, at, stop - at, 1.0, gain, s, lanes.uniform)
            while hits != 0:
                # In plain potentials, which sums of weights reach exactly.
                lane = at + first_lane(hits)
                hits &= hits - 1
                before = (x[lane] - sums[lane] * s + drive[lane] * gain) / s
                n_out = test(
                    lanes, wheel, state, lane, before + sums[lane], s, gain, now, sample,
                    out, n_out,
                )  # fmt: skip
                if n_out < 0:
                    return n_out
        sums[to:stop] = 0.0
    return n_out


@inlined
def _count_pulses(size, cell, cells, change, state, active, gain):
    """Count the pulses under way in some cells."""
    silent = 0
    for c in range(cell, cell + cells):
        active[np.uintp(c)] += change
        silent += active[np.uintp(c)] == 0
    if silent == 0:
        return
    for c in range(cell, cell + cells):
        if active[c] == 0:
            # No rounding is left over: the drive is the constant one.
            for lane in range(c * size, (c + 1) * size):
                _set_drive(state, lane, state[BASE, lane], gain)


@inner
def _sample(
    reach, lanes, lane_of, wheel, touched, ops, begin, end, steps, at_start, t_start, t_stop,
    sample, state, active, aside, out, n_out,
):  # fmt: skip
    tau, theta, size = lanes.tau, lanes.values[THETA], reach.size
    acc = state[ACC]
    t_0, changes = t_start, 0
    while True:
        now = ops[begin].time if begin < end else t_stop
        if at_start:
            now = t_start
        if not now < t_stop:
            break
        aside[-1] = 0
        stop = begin
        while stop < end and ops[stop].time == now:
            stop += 1
        changes += stop - begin
        if now - t_0 > SPAN * tau or changes > REFRESH:
            n_out = _look_at_all(lanes, wheel, state, aside, t_0, now, sample, out, n_out)
            if n_out < 0:
                return n_out
            decay, gain = coefficients(now - t_0, tau)
            # A factor of zero would turn the minus infinity of refractory lanes into NaN.
            decay = max(decay, 1e-300)
            for k in range(state.shape[1]):
                state[X, k] = state[X, k] * decay + state[DRIVE, k] * gain
            t_0, changes = now, 0
        s, gain = 1.0, now - t_0
        if tau < inf:
            rise = expm1((now - t_0) / tau)
            s, gain = 1.0 + rise, rise * tau
        n_out = release(lanes, wheel, state, aside, t_0, now, sample, out, n_out)
        if n_out < 0:
            return n_out
        if at_start:
            at_start = False
            for lane in range(lanes.unit_of.size):
                if state[X, lane] >= lanes.values[THETA, lane]:
                    set_aside(state, aside, lane, state[X, lane])
        n_touched = 0
        for i in range(begin, stop):
            kind, row = ops[i].kind, np.int64(ops[i].row)
            if kind == STEP_OP:
                lane = lane_of[steps[row].unit]
                if state[X, lane] + state[DRIVE, lane] * gain >= theta[lane] * s:
                    n_out = crossed(lanes, wheel, state, aside, lane, t_0, now, sample, out, n_out)
                    if n_out < 0:
                        return n_out
                value = lanes.values[BIAS, lane] + lanes.values[GAIN, lane] * steps[row].value
                before, state[BASE, lane] = state[BASE, lane], value
                if active[lane // size] > 0:
                    value += state[DRIVE, lane] - before
                _set_drive(state, lane, value, gain)
                continue
            source = reach.sources[row]
            for k in range(source.first, source.stop):
                run = reach.runs[k]
                cell, cells = np.int64(source.cell + run.cell), np.int64(run.cells)
                to, n, at = cell * size, cells * size, np.int64(source.weight + run.weight)
                if kind == DELTA:
                    line = np.int64(source.line + run.line)
                    n_touched = touch(touched, n_touched, line, to, to + n)
                    accumulate(acc, reach.weights, to, at, n)
                    continue
                sign, more = (1.0, 1) if kind == PULSE else (-1.0, -1)
                n_out = _change(
                    lanes, wheel, state, aside, reach.weights, to, at, n, sign, gain, s, t_0, now,
                    sample, out, n_out,
                )  # fmt: skip
                if n_out < 0:
                    return n_out
                _count_pulses(size, cell, cells, more, state, active, gain)
        for k in range(n_touched):
            # The whole part of the line that will be tested.
            line = touched[LINES, k]
            to, n = touched[LOW, line], touched[HIGH, line] - touched[LOW, line]
            n_out = _look(
                lanes, wheel, state, aside, to, n, 1.0, gain, s, t_0, now, sample, out, n_out
            )
            if n_out < 0:
                return n_out
        for k in range(aside[-1]):
            state[HELD, aside[k]] += state[ACC, aside[k]]
        n_out = _settle(lanes, wheel, touched, n_touched, state, s, gain, now, sample, out, n_out)
        if n_out < 0:
            return n_out
        for k in range(aside[-1]):
            lane = aside[k]
            n_out = test(
                lanes, wheel, state, lane, state[HELD, lane], s, gain, now, sample, out, n_out
            )
            if n_out < 0:
                return n_out
        begin = stop
    aside[-1] = 0
    return _look_at_all(lanes, wheel, state, aside, t_0, t_stop, sample, out, n_out)


@njit
def run_driven(
    reach, lanes, lane_of, ops, pointer, steps, step_at, at_start, t_start, t_stop, out, bounds
):
    """Spikes of a layer for a batch of samples, unsorted; their number, FULL or STUCK.

    Weights are deltas in volts and pulses in volts per second. ``at_start``: some potential begins
    at threshold. ``bounds`` receives where samples begin in ``out``.
    """
    n = lanes.unit_of.size
    width = (n + SPARE + 7) // 8 * 8  # whole cache lines
    state = on_lines(5 * width).reshape((5, width))
    state[:] = 0.0
    active = np.zeros(n // reach.size, np.int32)
    # The last entry of `aside` is how many there are.
    aside = np.zeros(n + 1, np.int64)
    wheel = new_wheel(lanes.values[T_REF, :n], t_start)
    touched = np.zeros((3, reach.n_lines), np.int64)
    n_out = np.int64(0)  # a bare 0 would compile what it is passed to once more
    for sample in range(pointer.size - 1):
        for lane in range(n):
            state[X, lane] = lanes.values[START, lane]
            state[DRIVE, lane] = state[BASE, lane] = lanes.values[BIAS, lane]
        active[:] = 0
        clear(wheel)
        n_out = _sample(
            reach, lanes, lane_of, wheel, touched, ops, pointer[sample], pointer[sample + 1],
            steps[step_at[sample] :], at_start, t_start, t_stop, sample, state, active, aside,
            out, n_out,
        )  # fmt: skip
        if n_out < 0:
            return n_out
        bounds[sample + 1] = n_out
    return n_out
