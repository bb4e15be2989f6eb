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
    at_least,
    first_lane,
    fma,
    load,
    mul,
    put,
    some_at_least,
    splat,
)

__all__ = ["VOLLEY", "run_volleys", "spikes_of"]

#: The lanes of a block that spike at an arrival, as bits.
VOLLEY = np.dtype([("arrival", np.int32), ("lanes", np.uint32)])


@inner
def _volleys(
    start, limits, resets, weights, at, arrivals, free, factors, begin, end, ends, waiting, growth,
    unit, out, n_out,
):  # fmt: skip
    """Volleys of one block in one sample; their number, or -1 when there is no room.

    ``waiting`` holds the refractory sets of lanes, ``ends`` the arrivals that they wait for and
    ``growth`` the factor with which they are put back. All are rings, as a lane is in one set at
    most.
    """
    x, limit = load(start, unit), load(limits, unit)
    head, tail = np.int64(0), np.int64(0)
    # Unsigned, so that no index is taken to count from the end.
    k, last, base = np.uint64(begin), np.uint64(end), np.uint64(at)
    stop = last
    while True:
        spiking = False
        while k < stop:
            row = base + np.uint64(BLOCK) * np.uint64(arrivals[k].row)
            x = fma(x, splat(arrivals[k].decay), load(weights, row))
            if some_at_least(x, limit) & arrivals[k].last:
                spiking = True
                break
            k += np.uint64(1)
        if spiking:
            if n_out == out.size:
                return np.int64(-1)
            high = at_least(x, limit)
            x = put(x, high, splat(-np.inf))
            entry = out[n_out]
            entry.arrival, entry.lanes = np.int32(k), np.uint32(high)
            n_out += 1
            ends[tail % BLOCK], waiting[tail % BLOCK] = free[k], high
            growth[tail % BLOCK] = factors[k] if factors.size > 0 else 1.0
            tail += 1
            stop = np.uint64(ends[head % BLOCK])
            k += np.uint64(1)
        elif k == last:
            return n_out
        else:
            back = mul(load(resets, unit), splat(growth[head % BLOCK]))
            x = put(x, waiting[head % BLOCK], back)
            head += 1
            stop = np.uint64(ends[head % BLOCK]) if head < tail else last


@njit
def run_volleys(
    start, limits, resets, weights, n_rows, arrivals, free, factors, bounds, out, at
):  # fmt: skip
    """Volleys of a layer for a batch of samples; their number, or -1 when there is no room.

    Potentials ``start``, thresholds and resets are above rest, weights [block, row, lane], flat.
    ``factors`` may be empty where all resets are 0. The volleys of each block and sample begin at
    ``at``.
    """
    n_out = np.int64(0)  # a bare 0 would compile what it is passed to once more
    ends, waiting = np.zeros(BLOCK, np.int64), np.zeros(BLOCK, np.int64)
    growth = np.zeros(BLOCK)
    for block in range(at.shape[0]):
        unit, first = block * BLOCK, block * n_rows * BLOCK
        for sample in range(bounds.size - 1):
            at[block, sample] = n_out
            n_out = _volleys(
                start, limits, resets, weights, first, arrivals, free, factors, bounds[sample],
                bounds[sample + 1], ends, waiting, growth, unit, out, n_out,
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
