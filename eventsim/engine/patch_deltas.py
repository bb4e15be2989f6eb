r"""Kernel for layers reached in part where nothing happens between arrivals: deltas, no drive.

With :math:`u = v s(t)`, :math:`s(t) = e^{(t - t_0) / \tau}`, decay needs no operation, and a spike
is one pass of ``u += w s`` and ``u >= theta s`` over its runs. Several spikes of one instant are
summed first, then added and tested once. (The sum is scaled after it is taken, so that weights
which add up to the threshold exactly still do.)
"""

from __future__ import annotations

from math import exp

import numpy as np

from eventsim.engine.lanes import FULL
from eventsim.engine.patches import (
    HIGH,
    HIT,
    LINES,
    LOW,
    RESET,
    SPAN,
    SPARE,
    START,
    T_REF,
    THETA,
    accumulate,
    clear,
    due,
    new_wheel,
    touch,
    wait,
)
from eventsim.jit import inlined, inner, njit

__all__ = ["run_deltas"]


@inlined
def _add(u, bar, weights, to, at, n, s, uniform):
    """Add weights times ``s`` and count what reaches threshold."""
    lanes, run = u[to : to + n], weights[at : at + n]
    hits = 0
    if uniform:
        high = bar[0] * s
        for j in range(n):
            x = lanes[j] + run[j] * s
            lanes[j] = x
            hits += HIT + j if x >= high else 0
    else:
        bars = bar[to : to + n]
        for j in range(n):
            x = lanes[j] + run[j] * s
            lanes[j] = x
            hits += HIT + j if x >= bars[j] * s else 0
    return hits


@inner
def _locate(found, n_found, u, bar, to, hits, s, uniform):
    """List the lanes at threshold, of a run that has some."""
    count = hits >> 32
    if count == 1:
        found[n_found] = to + (hits & (HIT - 1))
        return n_found + 1
    stop = n_found + count
    lane = to
    high = bar[0] * s
    while n_found < stop:
        for _ in range(SPARE):
            # Without a branch, which would be mispredicted for each lane found.
            found[np.uintp(n_found)] = lane
            if not uniform:
                high = bar[np.uintp(lane)] * s
            n_found += u[np.uintp(lane)] >= high
            lane += 1
    return stop  # what was found beyond lies after the run


@inner
def _by_unit(found, n_found, unit_of):
    """Replace lanes by ``unit << 32 | lane`` and sort (Shell, which for a few is insertion)."""
    for k in range(n_found):
        lane = found[k]
        found[k] = (np.int64(unit_of[np.uintp(lane)]) << 32) | lane
    gap = 1
    while gap < n_found // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n_found):
            key = found[i]
            j = i
            while j >= gap and found[np.uintp(j - gap)] > key:
                found[np.uintp(j)] = found[np.uintp(j - gap)]
                j -= gap
            found[np.uintp(j)] = key
        gap //= 3


@inlined
def _release(wheel, fresh, held, u, now, t_0, tau):
    """Release what is due; the number of lanes released exactly now, which are listed."""
    n_fresh = 0
    while True:
        lane = due(wheel, now)
        if lane < 0:
            break
        time = wheel.until[lane]
        if time == now:
            fresh[n_fresh] = lane
            n_fresh += 1
        else:
            u[lane] = held[lane] * exp((time - t_0) / tau) if held[lane] != 0.0 else 0.0
    return n_fresh


@inner
def _sample(
    reach, lanes, wheel, touched, ops, begin, end, t_start, t_stop, sample, u, held, acc, fresh,
    found, out, n_out,
):  # fmt: skip
    tau, bar, uniform = lanes.tau, lanes.values[THETA], lanes.uniform
    t_ref, reset = lanes.values[T_REF], lanes.values[RESET]
    t_0 = t_start
    while begin < end and ops[begin].time < t_stop:
        now = ops[begin].time
        stop = begin + 1
        while stop < end and ops[stop].time == now:
            stop += 1
        if now - t_0 > SPAN * tau:
            # A factor of zero would turn the minus infinity of refractory lanes into NaN.
            rest = max(exp((t_0 - now) / tau), 1e-300)
            for k in range(u.size):
                u[k] *= rest
            t_0 = now
        s = exp((now - t_0) / tau)
        n_fresh = _release(wheel, fresh, held, u, now, t_0, tau)
        n_found = 0
        if stop == begin + 1 and n_fresh == 0:
            source = reach.sources[ops[begin].row]
            for k in range(source.first, source.stop):
                run = reach.runs[k]
                to = np.int64(source.cell + run.cell) * reach.size
                at = np.int64(source.weight + run.weight)
                n = np.int64(run.cells) * reach.size
                hits = _add(u, bar, reach.weights, to, at, n, s, uniform)
                if hits > 0:
                    n_found = _locate(found, n_found, u, bar, to, hits, s, uniform)
        else:
            n_touched = 0
            for i in range(begin, stop):
                source = reach.sources[ops[i].row]
                for k in range(source.first, source.stop):
                    run = reach.runs[k]
                    to = np.int64(source.cell + run.cell) * reach.size
                    at = np.int64(source.weight + run.weight)
                    n = np.int64(run.cells) * reach.size
                    line = np.int64(source.line + run.line)
                    n_touched = touch(touched, n_touched, line, to, to + n)
                    accumulate(acc, reach.weights, to, at, n)
            for k in range(n_fresh):
                held[fresh[k]] += acc[fresh[k]]
            for k in range(n_touched):
                line = touched[LINES, k]
                to, n = touched[LOW, line], touched[HIGH, line] - touched[LOW, line]
                touched[HIGH, line] = 0
                hits = _add(u, bar, acc, to, to, n, s, uniform)
                acc[to : to + n] = 0.0
                if hits > 0:
                    n_found = _locate(found, n_found, u, bar, to, hits, s, uniform)
            for k in range(n_fresh):
                # Their potential is known without a scale, and so is whether it is the threshold.
                lane = fresh[k]
                if held[lane] >= bar[lane]:
                    found[n_found] = lane
                    n_found += 1
                else:
                    u[lane] = held[lane] * s
        if n_found > 0:
            _by_unit(found, n_found, lanes.unit_of)
        if n_out + n_found > out.size:
            return FULL
        for k in range(n_found):
            lane = np.uintp(found[k] & (HIT - 1))
            entry = out[n_out]
            entry.time, entry.unit, entry.bucket, entry.times = now, found[k] >> 32, sample, 1
            n_out += 1
            if t_ref[lane] > 0.0:
                u[lane] = -np.inf
                held[lane] = reset[lane]
                wait(wheel, now + t_ref[lane], lane)
            else:
                u[lane] = reset[lane] * s
        begin = stop
    return n_out


@njit
def run_deltas(reach, lanes, ops, pointer, t_start, t_stop, out, bounds):
    """Spikes of a layer for a batch of samples, each sorted by (time, unit); their number or FULL.

    Reset is to a value, and all thresholds are above what they are tested against at ``t_start``.
    A strict layer has thresholds slightly raised. ``bounds`` receives where samples begin in
    ``out``.
    """
    n = lanes.unit_of.size
    u, held, acc = np.full(n + SPARE, -np.inf), np.empty(n), np.zeros(n)
    fresh, found = np.empty(n, np.int64), np.empty(n + SPARE, np.int64)
    wheel = new_wheel(lanes.values[T_REF, :n], t_start)
    touched = np.zeros((3, reach.n_lines), np.int64)
    n_out = np.int64(0)  # a bare 0 would compile what it is passed to once more
    for sample in range(pointer.size - 1):
        u[:n] = lanes.values[START, :n]
        clear(wheel)
        n_out = _sample(
            reach, lanes, wheel, touched, ops, pointer[sample], pointer[sample + 1], t_start,
            t_stop, sample, u, held, acc, fresh, found, out, n_out,
        )  # fmt: skip
        if n_out < 0:
            return n_out
        bounds[sample + 1] = n_out
    return n_out
