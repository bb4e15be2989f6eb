r"""Kernel for layers reached in part where nothing happens between arrivals: deltas, no drive.

With :math:`u = v s(t)`, :math:`s(t) = e^{(t - t_0) / \tau}`, decay needs no operation, and a spike
is one pass of ``u += w s`` and ``u >= theta s`` over its runs. Several spikes of one instant are
summed first, then added and tested once. (The sum is scaled after it is taken, so that weights
which add up to the threshold exactly still do.)
"""

from __future__ import annotations

from math import exp
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.lanes import FULL
from eventsim.engine.patches import (
    BITS,
    HIGH,
    LINES,
    LOW,
    RESET,
    SPAN,
    SPARE,
    START,
    T_REF,
    THETA,
    Wheel,
    accumulate,
    clear,
    due,
    new_wheel,
    on_lines,
    some,
    touch,
    wait,
)
from eventsim.jit import inlined, inner, njit
from eventsim.vectors import (
    BLOCK,
    PART,
    add,
    at_least,
    count_below,
    first_lane,
    load,
    mul,
    splat,
    store,
)

__all__ = ["run_deltas"]

#: Spikes of an instant, up to which each is compared with all. To count is one operation for PART
#: of them, while a sort that moves them mispredicts a branch for nearly each.
FEW = 128

#: A key that comes after all others.
LAST = np.iinfo(np.int64).max


class _State(NamedTuple):
    """What changes while a sample runs, and lists to work with."""

    u: NDArray[np.float64]
    sums: NDArray[np.float64]  # of the deltas of an instant
    fresh: NDArray[np.int64]  # lanes released in this instant
    potential: NDArray[np.float64]  # of these
    words: NDArray[np.int64]  # lanes at threshold, as bits
    keys: NDArray[np.int64]  # unit << 32 | lane
    found: NDArray[np.int64]  # keys in their order
    queue: NDArray[np.int64]  # refractory lanes in the order of release, where that is known
    ends: NDArray[np.float64]  # of their periods
    wheel: Wheel  # refractory lanes otherwise


@inlined
def _add(u, bar, weights, to, at, n, s, uniform, words, n_words, used_up):
    """Add a run of weights times ``s``; note the blocks with lanes at threshold.

    Weights that are ``used_up`` are set to zero.
    """
    for j in range(0, n, BLOCK):
        before, run = load(u, to + j), load(weights, at + j)
        after = add(before, mul(run, splat(s)))
        high = splat(bar[0] * s) if uniform else mul(load(bar, to + j), splat(s))
        hits = at_least(after, high)
        if n - j < BLOCK:
            hits &= (1 << (n - j)) - 1
        store(u, to + j, some(n - j, after, before))
        if used_up:
            store(weights, at + j, some(n - j, splat(0.0), run))
        # Without a branch, which would be mispredicted for each block that is noted.
        words[np.uintp(n_words)] = (to + j) << BLOCK | hits
        n_words += hits != 0
    return n_words


@inner
def _listed(words, n_words, unit_of, keys):
    """List the lanes at threshold by ``unit << 32 | lane``; their number."""
    n_found = 0
    for k in range(n_words):
        first, hits = words[k] >> BLOCK, words[k] & BITS
        while hits != 0:
            lane = first + first_lane(hits)
            keys[np.uintp(n_found)] = np.int64(unit_of[np.uintp(lane)]) << 32 | lane
            hits &= hits - 1
            n_found += 1
    return n_found


@inner
def _sort(keys, n, found):
    """Put keys in their order: by comparing each with all, or where there are many by Shell."""
    if n == 1:
        found[0] = keys[0]
        return
    if n <= FEW:
        keys[n : n + PART] = LAST
        for k in range(n):
            rank = np.int64(0)
            for at in range(0, n, PART):
                rank += count_below(keys, at, keys[k])
            found[np.uintp(rank)] = keys[k]
        return
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    for k in range(n):
        found[k] = keys[k]
    while gap > 0:
        for i in range(gap, n):
            key = found[i]
            j = i
            while j >= gap and found[np.uintp(j - gap)] > key:
                found[np.uintp(j)] = found[np.uintp(j - gap)]
                j -= gap
            found[np.uintp(j)] = key
        gap //= 3


@inner
def _sample(
    reach, lanes, touched, ops, begin, end, t_start, t_stop, state, times, senders, n_out
):  # fmt: skip
    tau, bar, uniform = lanes.tau, lanes.values[THETA], lanes.uniform
    t_ref, reset = lanes.values[T_REF], lanes.values[RESET]
    u, sums, words, keys, found = state.u, state.sums, state.words, state.keys, state.found
    fresh, potential = state.fresh, state.potential
    queue, ends, wheel = state.queue, state.ends, state.wheel
    size = np.int64(reach.size)
    head, tail = np.int64(0), np.int64(0)
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
        n_fresh = 0
        while True:
            if uniform:
                if head == tail or ends[head] > now:
                    break
                lane, time, own = queue[head], ends[head], np.int64(0)
                head = head + 1 if head + 1 < queue.size else np.int64(0)
            else:
                lane = due(wheel, now)
                if lane < 0:
                    break
                time, own = wheel.until[lane], lane
            if time == now:
                fresh[n_fresh], potential[n_fresh] = lane, reset[own]
                n_fresh += 1
            else:
                u[lane] = reset[own] * exp((time - t_0) / tau) if reset[own] != 0.0 else 0.0
        n_words = np.int64(0)
        if stop == begin + 1 and n_fresh == 0:
            source = reach.sources[ops[begin].row]
            for k in range(source.first, source.stop):
                run = reach.runs[k]
                to = np.int64(source.cell + run.cell) * size
                at, n = np.int64(source.weight + run.weight), np.int64(run.cells) * size
                n_words = _add(u, bar, reach.weights, to, at, n, s, uniform, words, n_words, False)
        else:
            n_touched = 0
            for i in range(begin, stop):
                source = reach.sources[ops[i].row]
                for k in range(source.first, source.stop):
                    run = reach.runs[k]
                    to = np.int64(source.cell + run.cell) * size
                    at, n = np.int64(source.weight + run.weight), np.int64(run.cells) * size
                    line = np.int64(source.line + run.line)
                    n_touched = touch(touched, n_touched, line, to, to + n)
                    accumulate(sums, reach.weights, to, at, n)
            for k in range(n_fresh):
                potential[k] += sums[fresh[k]]
            for k in range(n_touched):
                line = touched[LINES, k]
                to, n = touched[LOW, line], touched[HIGH, line] - touched[LOW, line]
                touched[HIGH, line] = 0
                n_words = _add(u, bar, sums, to, to, n, s, uniform, words, n_words, True)
        n_found = _listed(words, n_words, lanes.unit_of, keys)
        for k in range(n_fresh):
            # Their potential is known without a scale, and so is whether it is the threshold.
            lane = fresh[k]
            if potential[k] >= bar[lane]:
                keys[n_found] = np.int64(lanes.unit_of[lane]) << 32 | lane
                n_found += 1
            else:
                u[lane] = potential[k] * s
        if n_found > 0:
            _sort(keys, n_found, found)
        if n_out + n_found > times.size:
            return FULL
        for k in range(n_found):
            lane = found[k] & BITS
            own = np.int64(0) if uniform else lane
            times[n_out], senders[n_out] = now, found[k] >> 32
            n_out += 1
            if t_ref[own] == 0.0:
                u[lane] = reset[own] * s
                continue
            u[lane] = -np.inf
            if uniform:
                queue[tail], ends[tail] = lane, now + t_ref[own]
                tail = tail + 1 if tail + 1 < queue.size else np.int64(0)
            else:
                wait(wheel, now + t_ref[own], lane)
        begin = stop
    return n_out


@njit
def run_deltas(reach, lanes, ops, pointer, t_start, t_stop, times, senders, bounds):
    """Spikes of a layer for a batch of samples, each sorted by (time, unit); their number or FULL.

    They are put into ``times`` and ``senders``, where samples begin into ``bounds``. Reset is to a
    value, and all thresholds are above what they are tested against at ``t_start``. A strict layer
    has thresholds slightly raised.
    """
    n = lanes.unit_of.size
    u, sums = on_lines(n + SPARE), on_lines(n + SPARE)
    u[n:], sums[:] = -np.inf, 0.0
    wheel = new_wheel(lanes.values[T_REF, :n], t_start)
    state = _State(
        u, sums, np.empty(n, np.int64), np.empty(n), np.empty(n + 1, np.int64),
        np.empty(n + PART, np.int64), np.empty(n, np.int64), np.empty(n + 1, np.int64),
        np.empty(n + 1), wheel,
    )  # fmt: skip
    touched = np.zeros((3, reach.n_lines), np.int64)
    n_out = np.int64(0)  # a bare 0 would compile what it is passed to once more
    for sample in range(pointer.size - 1):
        for lane in range(n):
            u[lane] = lanes.values[START, lane]
        clear(wheel)
        n_out = _sample(
            reach, lanes, touched, ops, pointer[sample], pointer[sample + 1], t_start, t_stop,
            state, times, senders, n_out,
        )  # fmt: skip
        if n_out < 0:
            return n_out
        bounds[sample + 1] = n_out
    return n_out
