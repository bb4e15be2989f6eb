"""Kernel of the layered engine for all-to-all layers.

Neurons are taken in blocks that fit into registers. A block goes through all arrivals of a sample,
then through the next sample, so that its weights, one contiguous run for each input, stay in a near
cache. Potentials stay in registers as long as nothing but arrivals happens; they are laid down
where a neuron stands at threshold or a refractory period ends, and that instant is finished lane
by lane.

Without drive an arrival is ``v = v d + w`` and a comparison. With drive (pulses, bias, steps) lanes
relax towards their own resting potentials, ``v = v d + D g``; since that is monotone, a crossing
between two instants shows as ``v >= theta`` at the later one, and is then located by the lane's own
record. Refractory lanes stand at minus infinity. Sets of lanes are bits of an integer.
"""

from __future__ import annotations

import numpy as np

from eventsim.engine.arrivals import FRESH, KIND, STOP
from eventsim.engine.lanes import DELTA, END, PULSE, STEP_OP, follow, test_lane
from eventsim.engine.neurons import move_to
from eventsim.jit import inner, njit
from eventsim.vectors import (
    BLOCK,
    add,
    any_at_least,
    at_least,
    first_lane,
    fma,
    load,
    mul,
    put,
    splat,
    store,
)

__all__ = ["run_dense"]

#: Steps from a guessed arrival to the right one before it is searched by halving.
WALK = 32


@inner
def _first_end(lanes, held):
    """The first end of refractoriness."""
    release = np.inf
    while held != 0:
        release = min(release, lanes[first_lane(held)].ref_until)
        held &= held - 1
    return release


@inner
def _test(lanes, v, drive, high, held, release, now, unit, bucket, out, n_out):
    """Test the lanes ``high``. Returns the number of spikes, the refractory lanes, first end."""
    while high != 0:
        lane = first_lane(high)
        high &= high - 1
        u = lanes[lane]
        n_out = test_lane(u, v[lane], drive[lane], now, unit + lane, bucket, out, n_out)
        if n_out < 0:
            break
        v[lane] = u.x
        if u.ref_until > now:
            v[lane] = -np.inf
            held |= np.int64(1) << lane
            release = min(release, u.ref_until)
    return n_out, held, release


@inner
def _wait(lane, ends, waiting, head, tail):
    """Queue a refractory lane by the arrival that ends its period; mostly it goes to the end."""
    k = tail
    while k > head and ends[waiting[(k - 1) % BLOCK]] > ends[lane]:
        waiting[k % BLOCK] = waiting[(k - 1) % BLOCK]
        k -= 1
    waiting[k % BLOCK] = lane


@inner
def _first_from(ops, guess, low, high, time):
    """The first of the arrivals ``low`` to ``high`` that is not before ``time``.

    From a guess it is mostly a few steps away.
    """
    k = min(max(guess, low), high)
    for _ in range(WALK):
        if k > low and ops[k - 1].time >= time:
            k -= 1
        elif k < high and ops[k].time < time:
            k += 1
        else:
            return k
    while low < high:
        k = (low + high) // 2
        if ops[k].time < time:
            low = k + 1
        else:
            high = k
    return low


@inner
def _jump(weights, at, ops, first, stop):
    """What the arrivals ``ops[first:stop]`` bring to one lane."""
    jump = 0.0
    for i in range(first, stop):
        jump += weights[at + BLOCK * np.int64(ops[i].row)]
    return jump


@inner
def _deltas(
    lanes, theta, weights, at, ops, frees, begin, end, v, ends, waiting, t_start, unit, out, n_out
):
    """One block, one sample, arrivals only: nothing happens between instants.

    ``frees`` says, where it is the same for all lanes, which arrival is the first after the
    refractory period of a spike at each arrival.
    """
    x, limit = load(v, 0), load(theta, unit)
    head, tail, release = np.int64(0), np.int64(0), end
    i, now, high, gap = begin, t_start, np.int64(0), np.int64(0)
    if ops[begin].time > t_start:
        high = at_least(x, limit)
    while True:
        if high != 0:
            store(v, 0, x)
        while high != 0:
            lane = first_lane(high)
            high &= high - 1
            u = lanes[lane]
            n_out = test_lane(u, v[lane], 0.0, now, unit + lane, max(begin, i - 1), out, n_out)
            if n_out < 0:
                return n_out
            if u.ref_until > now:
                x = put(x, np.int64(1) << lane, splat(-np.inf))
                if frees.size > 0 and i > begin:
                    ends[lane] = frees[i - 1]
                else:
                    ends[lane] = _first_from(ops, i + gap, i, end, u.ref_until)
                    gap = ends[lane] - i
                _wait(lane, ends, waiting, head, tail)
                tail += 1
                release = ends[waiting[head % BLOCK]]
            else:
                x = put(x, np.int64(1) << lane, splat(u.x))
        if i == end:
            return n_out
        k, stop = np.uint64(i), np.uint64(min(end, release + 1))
        while k < stop:
            row = np.uint64(at) + np.uint64(BLOCK) * np.uint64(ops[k].row)
            x = fma(x, splat(ops[k].decay), load(weights, row))
            k += np.uint64(1)
            if any_at_least(x, limit):
                break
        i = np.int64(k)
        now, first = ops[i - 1].time, i - 1
        while i < end and ops[i].time == now:
            x = add(x, load(weights, at + BLOCK * np.int64(ops[i].row)))
            i += 1
        while release < i:
            lane = waiting[head % BLOCK]
            head += 1
            u = lanes[lane]
            if u.x != 0.0:
                move_to(u, now)
            jump = _jump(weights, at + lane, ops, first, i)
            x = put(x, np.int64(1) << lane, splat(u.x + jump))
            release = ends[waiting[head % BLOCK]] if head < tail else end
        high = at_least(x, limit)


@inner
def _followed(lanes, v, moved, drive, high, held, ending, before, now, unit, bucket, out, n_out):
    """Follow from ``before`` to ``now`` the lanes ``high``, and those whose period ends.

    ``moved`` holds the potentials at ``now`` of all others, and some period is ``ending``. Returns
    the number of spikes and the refractory lanes.
    """
    rest = high | held if ending else high
    while rest != 0:
        lane = first_lane(rest)
        bit = np.int64(1) << lane
        rest ^= bit
        u = lanes[lane]
        if held & bit and u.ref_until > now:
            continue
        n_out = follow(u, v[lane], drive[lane], before, now, unit + lane, bucket, out, n_out)
        if n_out < 0:
            break
        if u.ref_until <= now:
            held &= ~bit
            moved[lane] = u.x
        else:
            held |= bit
            moved[lane] = -np.inf
    return n_out, held


@inner
def _renew(ops, begin, stop, spread, widest, weights, at, current, drive):
    """Take the sum of current and pulses under way afresh, after ``ops[begin:stop]``."""
    now = ops[stop - 1].time
    total = load(current, 0)
    for i in range(stop - 1, begin - 1, -1):
        if ops[i].time + widest <= now:
            break
        if ops[i].kind & KIND == PULSE and ops[i].time + spread[ops[i].row] > now:
            total = add(total, load(weights, at + BLOCK * np.int64(ops[i].row)))
    store(drive, 0, total)


@inner
def _take(
    lanes, ops, begin, i, spread, widest, steps, weights, at, v, current, drive, unit
):  # fmt: skip
    """Take what arrives in the rest of the instant of ``ops[i]``; returns the one after it."""
    now, afresh = ops[i].time, False
    jump, rate = splat(0.0), load(drive, 0)
    while ops[i].time == now:
        kind, row = ops[i].kind & KIND, np.int64(ops[i].row)
        afresh |= ops[i].kind >= FRESH
        if kind == STEP_OP:
            lane = steps[row].unit - unit
            if 0 <= lane < BLOCK:
                current[lane] = lanes[lane].bias + lanes[lane].gain * steps[row].value
                afresh = True
        elif kind == DELTA:
            jump = add(jump, load(weights, at + BLOCK * row))
        elif kind == PULSE:
            rate = add(rate, load(weights, at + BLOCK * row))
        elif kind == END:
            rate = fma(splat(-1.0), load(weights, at + BLOCK * row), rate)
        else:
            rate = load(current, 0)
        i += 1
    store(v, 0, add(load(v, 0), jump))
    store(drive, 0, rate)
    if afresh:
        _renew(ops, begin, i, spread, widest, weights, at, current, drive)
    return i


@inner
def _driven(
    lanes, theta, weights, at, ops, begin, spread, widest, steps, v, moved, current, drive,
    t_start, unit, out, n_out,
):  # fmt: skip
    """One block, one sample, with pulses, bias or steps of currents."""
    held, release = np.int64(0), np.inf
    limit = load(theta, unit)
    high = at_least(load(v, 0), limit)
    if high != 0 and ops[begin].time > t_start:
        n_out, held, release = _test(
            lanes, v, drive, high, held, release, t_start, unit, begin, out, n_out
        )
    i = begin
    while n_out >= 0:
        # As long as nothing but arrivals happens; of ops[i] nothing is taken before that is known.
        x, rate = load(v, 0), load(drive, 0)
        while True:
            op = ops[i]
            y = fma(x, splat(op.decay), mul(rate, splat(op.gain)))
            if any_at_least(y, limit) or op.time >= release:
                break
            if op.kind == DELTA:
                y = add(y, load(weights, at + BLOCK * np.int64(op.row)))
                if any_at_least(y, limit):
                    break
            elif op.kind < STEP_OP:
                sign = 1.0 if op.kind == PULSE else -1.0
                rate = fma(splat(sign), load(weights, at + BLOCK * np.int64(op.row)), rate)
            elif op.kind > STEP_OP or 0 <= steps[op.row].unit - unit < BLOCK:
                break
            x = y
            i += 1
        store(v, 0, x)
        store(drive, 0, rate)
        now, before = ops[i].time, ops[i - 1].time if i > begin else t_start
        y = fma(x, splat(ops[i].decay), mul(rate, splat(ops[i].gain)))
        store(moved, 0, y)
        high = at_least(y, limit)
        if high != 0 or release <= now:
            n_out, held = _followed(
                lanes, v, moved, drive, high, held, release <= now, before, now, unit, i, out, n_out
            )
            release = _first_end(lanes, held)
        if n_out < 0 or ops[i].kind == STOP:
            break
        store(v, 0, load(moved, 0))
        i = _take(lanes, ops, begin, i, spread, widest, steps, weights, at, v, current, drive, unit)
        high = at_least(load(v, 0), limit)
        n_out, held, release = _test(
            lanes, v, drive, high, held, release, now, unit, i - 1, out, n_out
        )
    return n_out


@njit
def run_dense(
    units, theta, weights, spread, ops, frees, bounds, steps, step_at, driven, t_start, out
):
    """Spikes of a layer for a batch of samples; their number, FULL or STUCK.

    ``weights`` is [block, row, lane], flat: deltas in volts, pulses in volts per second. The
    bucket of a spike is the arrival that brought it, or before which it happened.
    """
    n_out = np.int64(0)  # a bare 0 would compile what it is passed to once more
    v, moved, current, drive = (
        np.zeros(BLOCK), np.zeros(BLOCK), np.zeros(BLOCK), np.zeros(BLOCK)
    )  # fmt: skip
    ends, waiting = np.zeros(BLOCK, np.int64), np.zeros(BLOCK, np.int64)
    widest = 0.0
    for width in spread:
        widest = max(widest, width)
    size = BLOCK * spread.size
    for block in range(theta.size // BLOCK):
        first = block * BLOCK
        lanes = units[first : first + BLOCK].copy()
        v[:] = 0.0
        current[:] = 0.0
        for sample in range(bounds.size - 1):
            for j in range(lanes.size):
                lanes[j].x, lanes[j].ref_until = units[first + j].x, units[first + j].ref_until
                v[j], current[j] = lanes[j].x, lanes[j].bias
            for lane in range(drive.size):
                drive[lane] = current[lane]
            begin, end = bounds[sample], bounds[sample + 1] - 1
            if driven:
                n_out = _driven(
                    lanes, theta, weights, block * size, ops, begin, spread, widest,
                    steps[step_at[sample] :], v, moved, current, drive, t_start, first, out, n_out,
                )  # fmt: skip
            else:
                n_out = _deltas(
                    lanes, theta, weights, block * size, ops, frees, begin, end, v, ends, waiting,
                    t_start, first, out, n_out,
                )  # fmt: skip
            if n_out < 0:
                return n_out
    return n_out
