"""Kernel of the layered engine for all-to-all layers of deltas whose neurons differ in little.

The drive, if any, is constant and leads to a rest below threshold, so that spikes happen at
arrivals only, and all refractory periods are equally long. Potentials are those above rest, and
just decay. A block of neurons (:mod:`eventsim.vectors`) then needs no record of each lane: those
that spike at one arrival, a volley, are a set of lanes. They stand at minus infinity up to the
arrival that is the first after their period, which is looked up for the whole volley, and are put
back just before it. As potentials stay in registers all the time, the loop over arrivals is left
only for that.

Volleys are turned into spikes afterwards, each arrival's in the order of neurons.
"""

from __future__ import annotations

import numpy as np

from eventsim.jit import inner, njit
from eventsim.vectors import (
    BLOCK,
    add,
    at_least,
    first_lane,
    fma,
    load,
    mul,
    put,
    some_at_least,
    splat,
    store,
)

__all__ = ["VOLLEY", "run_volleys", "spikes_of"]

#: The lanes of a block that spike at an arrival, as bits.
VOLLEY = np.dtype([("arrival", np.int32), ("lanes", np.uint32)])


@inner
def _put_back_after(time, lane, k, came, ends, waiting, head, times, t_ref):
    """The set with which a lane was just put back, if its period ended after ``time``; or -1.

    Sets of lanes that are put back for the arrival ``k`` stand just before the ``head``.
    """
    h = head - 1
    while h >= 0 and ends[h % BLOCK] == k:
        if waiting[h % BLOCK] >> lane & 1:
            return h if times[came[h % BLOCK]] + t_ref > time else np.int64(-1)
        h -= 1
    return np.int64(-1)


@inner
def _volleys(
    start, limits, resets, weights, at, arrivals, free, factors, times, t_ref, steps, step,
    last_step, begin, end, came, ends, waiting, growth, own, unit, out, n_out,
):  # fmt: skip
    """Volleys of one block in one sample; their number, or -1 when there is no room.

    ``waiting`` holds the refractory sets of lanes, ``came`` the arrivals at which they spiked,
    ``ends`` those that they wait for and ``growth`` the factor with which they are put back. All
    are rings, as a lane is in one set at most. ``own`` are the resets of lanes: steps change them.
    """
    x, limit = load(start, unit), load(limits, unit)
    store(own, 0, load(resets, unit))
    head, tail = np.int64(0), np.int64(0)
    # Unsigned, so that no index is taken to count from the end.
    k, last, base = np.uint64(begin), np.uint64(end), np.uint64(at)
    changes = np.uint64(steps[step].arrival) if step < last_step else last
    stop = changes
    while True:
        spiking = False
        while k < stop:
            row = base + np.uint64(BLOCK) * np.uint64(arrivals[k].row)
            x = fma(x, splat(arrivals[k].decay), load(weights, row))
            if some_at_least(x, limit) & arrivals[k].last:
                spiking = True
                break
            k += np.uint64(1)
        if not spiking and (head == tail or np.uint64(ends[head % BLOCK]) > k):
            if k == last:
                return n_out
            # The next steps come before this arrival, or with it.
            jumps = splat(0.0)
            while changes == k:
                entry = steps[np.uint64(step)]
                lane = np.int64(entry.lane)
                here = np.int64(1) << lane
                limit, own[lane] = put(limit, here, splat(entry.limit)), entry.reset
                h = _put_back_after(
                    entry.time, lane, np.int64(k), came, ends, waiting, head, times, t_ref
                )
                if h < 0:
                    jumps = add(jumps, put(splat(0.0), here, splat(entry.jump)))
                else:
                    # It was held at its reset when the rest moved.
                    x = put(x, here, splat(entry.reset * growth[h % BLOCK]))
                step += 1
                changes = np.uint64(steps[np.uint64(step)].arrival) if step < last_step else last
            row = base + np.uint64(BLOCK) * np.uint64(arrivals[k].row)
            x = fma(x, splat(arrivals[k].decay), load(weights, row))
            x = add(x, jumps)
            spiking = (some_at_least(x, limit) & arrivals[k].last) != 0
            if not spiking:
                k += np.uint64(1)
        elif not spiking:
            if k == last:
                return n_out
            back = mul(load(own, 0), splat(growth[head % BLOCK]))
            x = put(x, waiting[head % BLOCK], back)
            head += 1
        if spiking:
            if n_out == out.size:
                return np.int64(-1)
            high = at_least(x, limit)
            x = put(x, high, splat(-np.inf))
            entry = out[n_out]
            entry.arrival, entry.lanes = np.int32(k), np.uint32(high)
            n_out += 1
            came[tail % BLOCK] = np.int64(k)
            ends[tail % BLOCK], waiting[tail % BLOCK] = free[k], high
            growth[tail % BLOCK] = factors[k] if factors.size > 0 else 1.0
            tail += 1
            k += np.uint64(1)
        stop = changes
        if head < tail:
            stop = min(stop, np.uint64(ends[head % BLOCK]))


@njit
def run_volleys(
    start, limits, resets, weights, n_rows, arrivals, free, factors, times, t_ref, steps, step_at,
    bounds, out, at,
):  # fmt: skip
    """Volleys of a layer for a batch of samples; their number, or -1 when there is no room.

    Potentials ``start``, thresholds and resets are above rest, weights [block, row, lane], flat.
    ``factors`` may be empty where all resets are 0. Arrivals come at ``times``. The ``steps`` of
    each sample and block (:mod:`eventsim.engine.volley_steps`) begin at ``step_at``, the volleys
    of each block and sample at ``at``.
    """
    n_out = np.int64(0)  # a bare 0 would compile what it is passed to once more
    came, ends, waiting = (
        np.zeros(BLOCK, np.int64), np.zeros(BLOCK, np.int64), np.zeros(BLOCK, np.int64)
    )  # fmt: skip
    growth, own = np.zeros(BLOCK), np.zeros(BLOCK)
    n_blocks = at.shape[0]
    for block in range(n_blocks):
        unit, first = block * BLOCK, block * n_rows * BLOCK
        for sample in range(bounds.size - 1):
            at[block, sample] = n_out
            key = sample * n_blocks + block
            n_out = _volleys(
                start, limits, resets, weights, first, arrivals, free, factors, times, t_ref,
                steps, step_at[key], step_at[key + 1], bounds[sample], bounds[sample + 1],
                came, ends, waiting, growth, own, unit, out, n_out,
            )  # fmt: skip
            if n_out < 0:
                return n_out
        at[block, bounds.size - 1] = n_out
    return n_out


@inner
def _size(volleys):
    """The number of spikes."""
    size = np.int64(0)
    for volley in volleys:
        lanes = np.int64(volley.lanes)
        while lanes != 0:
            size += 1
            lanes &= lanes - 1
    return size


@inner
def _count(volleys, begin, end, first, filled):
    """Add the numbers of spikes at the arrivals ``first``, ``first + 1``, ... to ``filled``."""
    for j in range(begin, end):
        volley = volleys[np.uint64(j)]
        arrival, lanes = np.uint64(volley.arrival - first), np.int64(volley.lanes)
        while lanes != 0:
            filled[arrival] += 1
            lanes &= lanes - 1


@inner
def _place(volleys, begin, end, first, filled, unit, times, when, units):
    """Put spikes where those of their arrival so far end."""
    for j in range(begin, end):
        volley = volleys[np.uint64(j)]
        arrival, lanes = np.uint64(volley.arrival - first), np.int64(volley.lanes)
        k, time = np.uint64(filled[arrival]), times[np.uint64(volley.arrival)]
        while lanes != 0:
            when[k], units[k] = time, unit + first_lane(lanes)
            lanes &= lanes - 1
            k += np.uint64(1)
        filled[arrival] = k


@njit
def spikes_of(volleys, at, times, bounds, limit):
    """Times and units of spikes by (arrival, unit), and where each sample begins.

    The volleys of each block and sample begin at ``at``, the arrivals of each sample, which come at
    ``times``, at ``bounds``. Nothing is written when there are more spikes than ``limit``, as
    the last bound tells.
    """
    n_samples, longest = bounds.size - 1, np.int64(0)
    for sample in range(n_samples):
        longest = max(longest, bounds[sample + 1] - bounds[sample])
    begins = np.zeros(bounds.size, np.int64)
    size = _size(volleys)
    if size > limit:
        begins[n_samples] = size
        return np.empty(0), np.empty(0, np.int64), begins
    when, units = np.empty(size), np.empty(size, np.int64)
    filled = np.zeros(longest, np.int64)
    n = np.int64(0)
    # Sample by sample, so that all that is gone through more than once stays in a near cache.
    for sample in range(n_samples):
        first, end = bounds[sample], bounds[sample + 1]
        filled[: end - first] = 0
        for block in range(at.shape[0]):
            _count(volleys, at[block, sample], at[block, sample + 1], first, filled)
        for k in range(end - first):
            count = filled[k]
            filled[k] = n
            n += count
        for block in range(at.shape[0]):
            _place(
                volleys, at[block, sample], at[block, sample + 1], first, filled, block * BLOCK,
                times, when, units,
            )  # fmt: skip
        begins[sample + 1] = n
    return when, units, begins
