r"""Neurons that only jump and decay, in one window: in order of time only where it matters.

A window is cut into slices. Within a slice, from its begin :math:`t_0` on, a neuron's potential is
kept as :math:`u = v e^{(t - t_0) / \tau}`: an arrival of weight :math:`w` at :math:`t` adds
:math:`w e^{(t - t_0) / \tau}`, whatever the potential is, and the factor is the same for all
synapses of a segment. While :math:`u` stays below the threshold :math:`\theta` so does :math:`v`.

So a slice takes three steps. First what a neuron's own drive brings within the slice, which only
excites, is added as one sum. Then the segments are added one after the other, in order of time; a
potential that comes to the threshold, drive of the whole slice included, marks its neuron. All
others have not fired, and their :math:`u` is right. At last the marked neurons, some in a hundred,
are followed from the begin of the slice, arrival by arrival, as in any other engine.

A neuron that is refractory has :math:`u = -\infty`, which nothing raises. In the slice in which
its refractory period ends it is marked.

Neurons are independent here: blocks of them may be handled in any order, by several threads.
"""

from __future__ import annotations

from math import exp
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.gather import room
from eventsim.engine.intervals import STEP, exponential, mix
from eventsim.engine.jump_follow import EVENT, SENT, follow
from eventsim.engine.poisson import later
from eventsim.jit import inner, maker, njit

__all__ = ["Arrivals", "Work", "new_work", "visit_blocks"]

#: Drive arrivals whose factors are computed together.
_AT_ONCE = 1024

#: Places in `Work.tally`: spikes, drive arrivals, whether a neuron is stuck.
N_SENT, N_DRIVEN, STUCK = range(3)


class Arrivals(NamedTuple):
    """What reaches a population in a window: segments by (time, projection, source unit)."""

    begin: float
    end: float
    slices: int
    pace: float  # slices a second
    time: NDArray[np.float64]
    segment: NDArray[np.int64]
    times: NDArray[np.int32]
    factor: NDArray[np.float64]  # exp of the time since the begin of the slice, over tau
    at: NDArray[np.int64]  # [slice + 1] where a slice begins


class Work(NamedTuple):
    """What one thread works with; grows."""

    drive: NDArray[np.float64]  # times of drive arrivals, neuron by neuron
    drive_at: NDArray[np.int64]  # [neuron + 1]
    cursor: NDArray[np.int64]  # of each neuron, into `drive`
    sums: NDArray[np.float64]  # [slice, neuron] of factors of drive arrivals
    factor: NDArray[np.float64]  # of some drive arrivals, and their slices
    slice_of: NDArray[np.int32]
    marked: NDArray[np.uint8]
    near: NDArray[np.int64]  # neurons that are marked, ascending
    heads: NDArray[np.int64]  # of each of them: its arrivals in a slice
    tails: NDArray[np.int64]
    events: NDArray[np.void]
    hits: NDArray[np.int64]  # synapses of a segment onto them
    sent: NDArray[np.void]  # spikes
    tally: NDArray[np.int64]


def new_work(n: int) -> Work:
    """Room for blocks of up to ``n`` neurons."""
    return Work(
        drive=np.zeros(64),
        drive_at=np.zeros(n + 1, np.int64),
        cursor=np.zeros(n, np.int64),
        sums=np.zeros((1, n)),
        factor=np.zeros(64),
        slice_of=np.zeros(64, np.int32),
        marked=np.zeros(n, np.uint8),
        near=np.zeros(n, np.int64),
        heads=np.zeros(n, np.int64),
        tails=np.zeros(n, np.int64),
        events=np.zeros(64, EVENT),
        hits=np.zeros(64, np.int64),
        sent=np.zeros(64, SENT),
        tally=np.zeros(3, np.int64),
    )


@inner
def _draw(streams, unit, delay, end, drive, n):
    """A neuron's drive arrivals before ``end``; -1, and nothing done, where room is missing."""
    time, drawn, mean = streams.time[unit], streams.drawn[unit], 1.0 / streams.rate[unit]
    state = streams.key[unit] + np.uint64(drawn + 1) * STEP
    arrival = time + delay
    while arrival < end:
        if n == drive.size:
            return np.int64(-1)
        drive[n] = arrival
        n += 1
        drawn += 1
        time = later(time, exponential(mix(state)) * mean)
        state += STEP
        arrival = time + delay
    streams.time[unit], streams.drawn[unit] = time, drawn
    return n


@inner
def _factors(drive, begin, pace, last, reach, factor, slice_of):
    """``exp(x - reach / 2)`` of arrivals ``x`` time constants after the begin of their slices.

    ``reach``, that of a whole slice, is at most 1/16: the series ends below the rounding error.
    """
    for k in range(drive.size):
        y = (drive[k] - begin) * pace
        i = min(np.int32(y), last)
        x = (y - np.float64(i) - 0.5) * reach
        slice_of[k] = i
        tail = 1 / 24 + x * (1 / 120 + x * (1 / 720 + x * (1 / 5040)))
        factor[k] = 1.0 + x * (1.0 + x * (1 / 2 + x * (1 / 6 + x * tail)))


@inner
def _sum_up(drive_at, a, b, factor, slice_of, sums):
    """Add the factors of neurons ``a`` to ``b`` to the sums of their slices."""
    k = np.uint64(0)
    for neuron in range(a, b):
        for _ in range(drive_at[neuron + 1] - drive_at[neuron]):
            sums[np.uint64(slice_of[k]), np.uint64(neuron)] += factor[k]
            k += np.uint64(1)


@maker
def _drive(place, streams, arrivals, offset, n, drive, drive_at, sums, factor, slice_of):
    """Draw what a block's sources send, and sum it up slice by slice."""
    done, n_drive = 0, np.int64(0)
    drive_at[0] = 0
    reach = place.rate / arrivals.pace
    for neuron in range(n):
        more = _draw(streams, offset + neuron, place.delay, arrivals.end, drive, n_drive)
        while more < 0:
            new = np.empty(2 * drive.size)
            for i in range(n_drive):
                new[i] = drive[i]
            drive = new
            more = _draw(streams, offset + neuron, place.delay, arrivals.end, drive, n_drive)
        n_drive = more
        drive_at[neuron + 1] = n_drive
        if n_drive - drive_at[done] > _AT_ONCE or neuron == n - 1:
            wanted = n_drive - drive_at[done]
            if wanted > factor.size:
                factor, slice_of = np.empty(2 * wanted), np.empty(2 * wanted, np.int32)
            _factors(
                drive[drive_at[done] : n_drive], arrivals.begin, arrivals.pace,
                np.int32(arrivals.slices - 1), reach, factor, slice_of,
            )  # fmt: skip
            _sum_up(drive_at, done, neuron + 1, factor, slice_of, sums)
            done = neuron + 1
    return drive, factor, slice_of


@inner
def _open(u, before, low, ref_until, decay, soon, marked):
    """Bring potentials to the begin of a slice, mark whoever is at threshold or free soon."""
    n = np.int64(0)
    for k in range(u.size):
        x = u[k] * decay
        before[k] = x
        u[k] = x
        near = (x >= low[k]) | ((x == -np.inf) & (ref_until[k] <= soon))
        marked[k] = near
        n += near
    return n


@inner
def _open_driven(u, before, low, ref_until, decay, soon, marked, sums, weight, scale):
    """The same, with the drive of the whole slice added."""
    n = np.int64(0)
    for k in range(u.size):
        x = u[k] * decay
        before[k] = x
        raised = x + (weight[k] * scale) * sums[k]
        sums[k] = 0.0
        u[k] = raised
        near = (raised >= low[k]) | ((x == -np.inf) & (ref_until[k] <= soon))
        marked[k] = near
        n += near
    return n


@inner
def _raise(u, low, marked, post, a, b, offset, amount):
    """Add one amount to the targets ``post[a:b]``; marks those that come near threshold."""
    n = np.int64(0)
    for k in range(a, b):
        neuron = np.uint64(post[k] - offset)
        x = u[neuron] + amount
        u[neuron] = x
        if x >= low[neuron]:
            u[neuron] = -np.inf
            marked[neuron] = 1
            n += 1
    return n


@inner
def _lower(u, post, a, b, offset, amount):
    """The same where the amount is below zero."""
    for k in range(a, b):
        u[np.uint64(post[k] - offset)] += amount


@inner
def _add(u, low, marked, post, weight, a, b, offset, factor):
    """The same with a weight for each synapse."""
    n = np.int64(0)
    for k in range(a, b):
        neuron = np.uint64(post[k] - offset)
        x = u[neuron] + np.float64(weight[k]) * factor
        u[neuron] = x
        if x >= low[neuron]:
            u[neuron] = -np.inf
            marked[neuron] = 1
            n += 1
    return n


@inner
def _part(paths, segment, block):
    """Synapses of a segment onto one block."""
    a, b = paths.first[segment], paths.first[segment + 1]
    if block > 0:
        a = paths.cut[segment, block - 1]
    if block < paths.cut.shape[1]:
        b = paths.cut[segment, block]
    return a, b


@inner
def _deliver(paths, arrivals, first, stop, block, offset, u, low, marked):
    """Add what arrives in a slice, in order; the number of neurons that are marked by it."""
    post, weight, n = paths.post, paths.weight, np.int64(0)
    for i in range(first, stop):
        segment = arrivals.segment[i]
        a, b = _part(paths, segment, block)
        factor = arrivals.factor[i] * arrivals.times[i]
        same = paths.flat[paths.link[segment]]
        if same > 0.0:
            n += _raise(u, low, marked, post, a, b, offset, same * factor)
        elif same < 0.0:
            _lower(u, post, a, b, offset, same * factor)
        elif same != 0.0:  # no number: each has its own
            n += _add(u, low, marked, post, weight, a, b, offset, factor)
    return n


@inner
def _hits(post, a, b, offset, marked, hits):
    """Which of the synapses ``a`` to ``b`` lead to neurons that are marked; how many."""
    n = np.int64(0)
    for k in range(a, b):
        if marked[np.uint64(post[k] - offset)]:
            hits[n] = k
            n += 1
    return n


@maker
def _list_events(paths, arrivals, first, stop, block, offset, marked, heads, tails, events, hits):
    """Lists of what reaches the neurons that are marked, in order."""
    post, weight, n = paths.post, paths.weight, np.int64(0)
    for i in range(first, stop):
        segment = arrivals.segment[i]
        a, b = _part(paths, segment, block)
        if hits.size < b - a:
            hits = np.empty(2 * (b - a), np.int64)
        found = _hits(post, a, b, offset, marked, hits)
        events = room(events, n, found)
        same = paths.flat[paths.link[segment]]
        for h in range(found):
            neuron = np.uint64(post[hits[h]] - offset)
            event = events[n]
            event.arrival = i
            event.next = -1
            event.weight = same
            if same != same:
                event.weight = np.float64(weight[hits[h]])
            if heads[neuron] < 0:
                heads[neuron] = n
            else:
                events[tails[neuron]].next = n
            tails[neuron] = n
            n += 1
    return events, hits


@maker
def _visit_block(place, paths, cells, streams, arrivals, block, a, b, start, work, sent):
    """All slices of one block of neurons, ``a`` to ``b``. The buffers that grew are returned."""
    n, slices = b - a, arrivals.slices
    drive, sums, factor, slice_of = work.drive, work.sums, work.factor, work.slice_of
    events, hits, marked, near = work.events, work.hits, work.marked[:n], work.near
    tally = work.tally
    driven = place.drive >= 0
    width = 1.0 / arrivals.pace
    if driven:
        if sums.shape[0] < slices:
            sums = np.zeros((slices, work.near.size))
        drive, factor, slice_of = _drive(
            place, streams, arrivals, a, n, drive, work.drive_at, sums, factor, slice_of
        )
        tally[N_DRIVEN] += work.drive_at[n]
        for neuron in range(n):
            work.cursor[neuron] = work.drive_at[neuron]
    u, low, before = cells.u[a:b], cells.low[a:b], cells.before[a:b]
    ref_until, weights = cells.ref_until[a:b], streams.weight[a:b]
    base = place.base
    for i in range(slices):
        begin = arrivals.begin + i * width
        end = arrivals.end if i == slices - 1 else min(begin + width, arrivals.end)
        soon = end + 1e-6 * width
        # Between two windows the difference of their float64 begins counts, within one the width.
        passed = width if i > 0 else begin - base
        decay = max(exp(-passed * place.rate), 1e-300)  # -inf has to stay what it is
        if driven:
            scale = exp(0.5 * width * place.rate)
            n_near = _open_driven(
                u, before, low, ref_until, decay, soon, marked, sums[i], weights, scale
            )
        else:
            n_near = _open(u, before, low, ref_until, decay, soon, marked)
        first, stop = arrivals.at[i], arrivals.at[i + 1]
        n_near += _deliver(paths, arrivals, first, stop, block, a, u, low, marked)
        if n_near == 0:
            continue
        found = 0
        for k in range(n):
            near[found] = k
            found += marked[k]
        for k in range(found):
            work.heads[near[k]] = -1
        events, hits = _list_events(
            paths, arrivals, first, stop, block, a, marked, work.heads, work.tails, events, hits
        )
        for k in range(found):
            sent = follow(
                place, paths, cells, streams, arrivals, drive, work.drive_at, work.cursor,
                events, work.heads[near[k]], a, near[k], i, begin, end,
                start if i == 0 else np.inf, sent, tally,
            )  # fmt: skip
            if tally[STUCK]:
                return drive, sums, factor, slice_of, events, hits, sent
    return drive, sums, factor, slice_of, events, hits, sent


@njit
def visit_blocks(places, which, paths, cells, streams, arrivals, bounds, first, stop, start, work):
    """Blocks ``first`` to ``stop`` of a population in a window; spikes are left in ``work``.

    ``start`` is the time at which each neuron is tested without an arrival, if that is now.
    """
    work.tally[:] = 0
    place, bounds = places[which], bounds[which]
    for block in range(first, stop):
        if bounds[block + 1] > bounds[block]:
            drive, sums, factor, slice_of, events, hits, sent = _visit_block(
                place, paths, cells, streams, arrivals, block,
                bounds[block], bounds[block + 1], start, work, work.sent,
            )  # fmt: skip
            work = Work(
                drive, work.drive_at, work.cursor, sums, factor, slice_of, work.marked, work.near,
                work.heads, work.tails, events, hits, sent, work.tally,
            )  # fmt: skip
    return work
