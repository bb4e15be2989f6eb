"""Kernel of the layered engine for all-to-all layers.

Neurons are taken in blocks. A block goes through all instants of a sample, then through the next
sample, so that its weights, one contiguous run for each input, stay in a near cache. Every arrival
touches every lane, so one decay factor serves the layer.

Without drive a spike is ``v = v d + w`` and a comparison for each lane. With drive (pulses, bias,
steps) lanes relax towards their own resting potentials, ``v d + D g``; since that is monotone, a
crossing between two instants shows as ``v >= theta`` at the later one, and is then located by the
lane's own record.
"""

from __future__ import annotations

import numpy as np

from eventsim.dynamics.lif import coefficients
from eventsim.engine.lanes import DELTA, END, PULSE, follow, test_lane
from eventsim.engine.neurons import move_to
from eventsim.jit import inner, maker, njit

__all__ = ["BLOCK", "INSTANT", "instants", "run_dense"]

#: Lanes of a block.
BLOCK = 64

#: After so many begins and ends of pulses their sum is taken afresh, which bounds what rounding
#: can leave in it.
REFRESH = 4096

#: An instant of a layer: its time, first operation, and the step from the instant before.
INSTANT = np.dtype(
    [
        ("time", np.float64),
        ("first", np.int64),
        ("decay", np.float64),
        ("gain", np.float64),
    ]
)


@njit
def instants(ops, pointer, tau, t_start, t_stop, at_start):
    """Group the operations of each sample by time; one more entry closes each sample.

    ``at_start`` adds an instant at ``t_start`` where none is, to test the initial potentials.
    """
    n_samples = pointer.size - 1
    table = np.zeros(ops.size + 2 * n_samples, INSTANT)
    bounds = np.zeros(n_samples + 1, np.int64)
    n = 0
    for s in range(n_samples):
        last = t_start
        i = pointer[s]
        if at_start and not (i < pointer[s + 1] and ops[i].time == t_start):
            table[n].time, table[n].first = t_start, i
            table[n].decay = 1.0
            n += 1
        while i < pointer[s + 1] and ops[i].time < t_stop:
            table[n].time, table[n].first = ops[i].time, i
            decay, table[n].gain = coefficients(ops[i].time - last, tau)
            # A factor of zero would turn the minus infinity of refractory lanes into NaN.
            table[n].decay = max(decay, 1e-300)
            last = ops[i].time
            while i < pointer[s + 1] and ops[i].time == last:
                i += 1
            n += 1
        table[n].time, table[n].first = t_stop, i
        decay, table[n].gain = coefficients(t_stop - last, tau)
        table[n].decay = max(decay, 1e-300)
        n += 1
        bounds[s + 1] = n
    return table[:n], bounds


@inner
def _release(lanes, v, drive, before, now, unit, sample, out, n_out, next_v, theta, limit, release):
    """Treat apart the lanes that reached threshold or whose refractory period ended."""
    release[0] = np.inf
    for j in range(limit):
        free = v[j] > -np.inf
        if (free and next_v[j] >= theta[j]) or (not free and lanes[j].ref_until <= now):
            n_out = follow(lanes[j], v[j], drive[j], before, now, unit + j, sample, out, n_out)
            if n_out < 0:
                return n_out
            next_v[j] = lanes[j].x if lanes[j].ref_until <= now else -np.inf
        if next_v[j] == -np.inf:
            release[0] = min(release[0], lanes[j].ref_until)
    return n_out


@inner
def _test_block(lanes, v, drive, now, unit, sample, out, n_out, theta, limit, release):
    """Test each lane at threshold; ``release[0]`` is the first end of refractoriness."""
    for j in range(limit):
        if v[j] >= theta[j]:
            n_out = test_lane(lanes[j], v[j], drive[j], now, unit + j, sample, out, n_out)
            if n_out < 0:
                return n_out
            v[j] = lanes[j].x
            if lanes[j].ref_until > now:
                v[j] = -np.inf
                release[0] = min(release[0], lanes[j].ref_until)
    return n_out


@inner
def _wait(lanes, waiting, n_waiting, lane):
    """Queue a refractory lane by the end of its period; mostly it goes to the end."""
    k = n_waiting
    while k > 0 and lanes[waiting[k - 1]].ref_until > lanes[lane].ref_until:
        waiting[k] = waiting[k - 1]
        k -= 1
    waiting[k] = lane


@maker
def _deltas(lanes, theta, weights, table, begin, end, ops, v, acc, unit, sample, out, n_out, limit):
    """One block, one sample, arrivals only: nothing happens between instants."""
    waiting = np.empty(BLOCK + 1, np.int64)  # refractory lanes by the end of their period
    n_waiting = 0
    release = np.inf
    for k in range(begin, end):
        now, decay = table[k].time, table[k].decay
        a, b = table[k].first, table[k + 1].first
        high = 0
        if b == a + 1:
            row = np.int64(ops[a].row)
            for j in range(BLOCK):
                x = v[j] * decay + weights[row, j]
                v[j] = x
                high += x >= theta[j]
        elif b > a:
            # Summed in order; the last row is added in the same pass as the sum to the potential.
            row, last = np.int64(ops[a].row), np.int64(ops[b - 1].row)
            for j in range(BLOCK):
                acc[j] = weights[row, j]
            for i in range(a + 1, b - 1):
                row = np.int64(ops[i].row)
                for j in range(BLOCK):
                    acc[j] += weights[row, j]
            for j in range(BLOCK):
                jump = acc[j] + weights[last, j]
                acc[j] = jump
                x = v[j] * decay + jump
                v[j] = x
                high += x >= theta[j]
        else:
            for j in range(BLOCK):
                acc[j] = 0.0
                high += v[j] >= theta[j]
        if release <= now:
            released = 0
            while released < n_waiting and lanes[waiting[released]].ref_until <= now:
                j = waiting[released]
                released += 1
                jump = weights[ops[a].row, j] if b == a + 1 else acc[j]
                u = lanes[j]
                move_to(u, now)
                v[j] = u.x + jump
                high += v[j] >= theta[j]
            n_waiting -= released
            for i in range(n_waiting):
                waiting[i] = waiting[i + released]
            release = lanes[waiting[0]].ref_until if n_waiting > 0 else np.inf
        if high > 0:
            for j in range(limit):
                if v[j] >= theta[j]:
                    u = lanes[j]
                    n_out = test_lane(u, v[j], 0.0, now, unit + j, sample, out, n_out)
                    if n_out < 0:
                        return n_out
                    v[j] = u.x
                    if u.ref_until > now:
                        v[j] = -np.inf
                        _wait(lanes, waiting, n_waiting, j)
                        n_waiting += 1
                        release = lanes[waiting[0]].ref_until
    return n_out


@inner
def _refresh(pulse, weights, ops, first, last, spread, now):
    """The sum of active pulses, taken afresh."""
    widest = 0.0
    for width in spread:
        widest = max(widest, width)
    for j in range(BLOCK):
        pulse[j] = 0.0
    for i in range(last - 1, first - 1, -1):
        op = ops[i]
        if op.time + widest <= now:
            return
        if op.kind == PULSE and op.time + spread[op.row] > now:
            row = np.int64(op.row)
            for j in range(BLOCK):
                pulse[j] += weights[row, j]


@maker
def _driven(
    lanes,
    theta,
    weights,
    table,
    begin,
    end,
    ops,
    spread,
    steps,
    v,
    acc,
    current,
    t_start,
    unit,
    sample,
    out,
    n_out,
    limit,
):
    """One block, one sample, with pulses, bias or steps of currents."""
    next_v, pulse, drive = np.empty(BLOCK), np.zeros(BLOCK), np.zeros(BLOCK)
    release = np.empty(1)
    release[0] = np.inf
    active, changes = 0, 0
    before = t_start
    for k in range(begin, end + 1):
        now, decay, gain = table[k].time, table[k].decay, table[k].gain
        high = 0
        for j in range(BLOCK):
            drive[j] = current[j] + pulse[j]
            x = v[j] * decay + drive[j] * gain
            next_v[j] = x
            high += x >= theta[j]
        if high > 0 or release[0] <= now:
            n_out = _release(
                lanes,
                v,
                drive,
                before,
                now,
                unit,
                sample,
                out,
                n_out,
                next_v,
                theta,
                limit,
                release,
            )
            if n_out < 0:
                return n_out
        if k == end:
            return n_out
        v, next_v = next_v, v
        jumps = 0
        for i in range(table[k].first, table[k + 1].first):
            kind = ops[i].kind
            if kind == PULSE:
                row = np.int64(ops[i].row)
                active += 1
                changes += 1
                for j in range(BLOCK):
                    pulse[j] += weights[row, j]
            elif kind == END:
                row = np.int64(ops[i].row)
                active -= 1
                changes += 1
                for j in range(BLOCK):
                    pulse[j] -= weights[row, j]
                if active == 0:
                    for j in range(BLOCK):
                        pulse[j] = 0.0
            elif kind == DELTA:
                row = np.int64(ops[i].row)
                if jumps == 0:
                    for j in range(BLOCK):
                        acc[j] = 0.0
                jumps += 1
                for j in range(BLOCK):
                    acc[j] += weights[row, j]
            else:
                step = steps[ops[i].row]
                lane = step.unit - unit
                if 0 <= lane < limit:
                    u = lanes[lane]
                    current[lane] = u.bias + u.gain * step.value
        if active == 0:
            changes = 0
        elif changes >= REFRESH:
            changes = 0
            _refresh(pulse, weights, ops, table[begin].first, table[k + 1].first, spread, now)
        if jumps > 0:
            high = 0
            for j in range(BLOCK):
                v[j] += acc[j]
                high += v[j] >= theta[j]
        if high > 0:
            for j in range(BLOCK):
                drive[j] = current[j] + pulse[j]
            n_out = _test_block(
                lanes, v, drive, now, unit, sample, out, n_out, theta, limit, release
            )
            if n_out < 0:
                return n_out
        before = now
    return n_out


@njit
def run_dense(
    units, theta, weights, spread, table, bounds, ops, steps, step_at, driven, t_start, out
):
    """Spikes of a layer for a batch of samples; their number, FULL or STUCK.

    ``weights`` is [block, row, lane]: deltas in volts, pulses in volts per second.
    """
    n_out = np.int64(0)  # a bare 0 would compile what it is passed to once more
    v, acc, current = np.empty(BLOCK), np.zeros(BLOCK), np.empty(BLOCK)
    lanes = np.empty(BLOCK, units.dtype)
    for block in range(weights.shape[0]):
        first = block * BLOCK
        limit = min(BLOCK, units.size - first)
        for sample in range(bounds.size - 1):
            for j in range(BLOCK):
                v[j] = current[j] = 0.0
            for j in range(limit):
                lanes[j] = units[first + j]
                v[j] = lanes[j].x
                current[j] = lanes[j].bias
            high = theta[first : first + BLOCK]
            begin, end = bounds[sample], bounds[sample + 1] - 1
            if driven:
                n_out = _driven(
                    lanes,
                    high,
                    weights[block],
                    table,
                    begin,
                    end,
                    ops,
                    spread,
                    steps[step_at[sample] :],
                    v,
                    acc,
                    current,
                    t_start,
                    first,
                    sample,
                    out,
                    n_out,
                    limit,
                )
            else:
                n_out = _deltas(
                    lanes,
                    high,
                    weights[block],
                    table,
                    begin,
                    end,
                    ops,
                    v,
                    acc,
                    first,
                    sample,
                    out,
                    n_out,
                    limit,
                )
            if n_out < 0:
                return n_out
    return n_out
