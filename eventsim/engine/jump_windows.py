"""Windows of a network whose potentials only jump and decay: what arrives, and who fired.

In a window no longer than the shortest delay that leads back, all that reaches a population is
known when it is visited (:mod:`eventsim.engine.visits`). A visit has three parts: the segments
that arrive are put in order, all blocks of neurons are handled (:mod:`.jump_slices`, perhaps by
several threads), and their spikes are put in order and sent. The loop can be left before the
second part, and be entered again after the third.
"""

from __future__ import annotations

from math import ceil, exp, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.calendar import (
    UNDER_WAY,
    ahead,
    begins,
    in_order,
    put,
    take,
    window_of,
)
from eventsim.engine.gather import room
from eventsim.engine.jump_follow import SENT
from eventsim.engine.jump_slices import N_DRIVEN, N_SENT, STUCK, Arrivals, visit_blocks
from eventsim.engine.jump_tables import LEAST_SLICES
from eventsim.engine.pieces import ENDLESS, PAUSED, REACHED
from eventsim.engine.state import LOG
from eventsim.jit import inner, maker, njit

__all__ = ["CLOCK", "Buffers", "close_visit", "collect", "new_buffers", "run_jumps"]

#: Why the loop was left, beside the reasons of all engines: a visit is worth several threads.
HEAVY = 3

#: A window is cut into so many slices at most.
_MOST_SLICES = 64

#: After so many nanoseconds, about, the loop is left for a moment.
_EFFORT = 30_000_000

#: What changes as a run goes on, beside the cells.
CLOCK = np.dtype(
    [
        ("window", np.int64),  # number of the window that is open, or was last
        ("visit", np.int64),  # place in the order of visits; -1: no window is open
        ("now", np.float64),  # begin of the window
        ("events", np.int64),  # synaptic arrivals
        ("work", np.int64),  # arrivals and spikes
        ("n_log", np.int64),
        ("n_waiting", np.int64),  # segments of this window
        ("fed", np.int64),  # input spikes that are done
        ("effort", np.int64),  # nanoseconds, about, since the user was last asked
    ]
)


class Buffers(NamedTuple):
    """What grows."""

    entries: NDArray[np.void]  # of the calendar
    waiting: NDArray[np.void]  # segments that arrive in this window
    sent: NDArray[np.void]  # spikes of a visit
    log: NDArray[np.void]


def new_buffers(entries: NDArray[np.void]) -> Buffers:
    """Small ones, and those of the calendar."""
    return Buffers(entries, np.zeros(64, UNDER_WAY), np.zeros(64, SENT), np.zeros(64, LOG))


@maker
def _send(clock, places, paths, cells, calendar, buffers, sent, n):
    """Count spikes, which come by time, log them and put their segments under way."""
    entries, log = buffers.entries, buffers.log
    wanted = np.int64(0)
    for i in range(n):
        wanted += paths.row[sent[i].unit + 1] - paths.row[sent[i].unit]
    entries, log = ahead(calendar, entries, wanted), room(log, clock.n_log, n)
    which = 0
    for i in range(n):
        spike = sent[i]
        while not places[which].offset <= spike.unit < places[which].stop:
            which = (which + 1) % places.size
        cells.spikes[spike.unit] += spike.times
        clock.work += spike.times
        if places[which].logged:
            entry = log[clock.n_log]
            entry.time, entry.unit, entry.times = spike.time, spike.unit, spike.times
            clock.n_log += 1
        for segment in range(paths.row[spike.unit], paths.row[spike.unit + 1]):
            put(calendar, entries, spike.time + paths.delay[segment], segment, spike.times)
    return Buffers(entries, buffers.waiting, buffers.sent, log)


@inner
def _next_window(clock, places, calendar, feed):
    """The number of the next window in which anything happens; -1 for none."""
    ring, first = calendar.ring[0], clock.window + 1
    soonest = np.int64(-1)
    if ring.held > 0:
        soonest = first
        while calendar.heads[soonest % calendar.heads.size] < 0:
            soonest += 1
    time = np.inf
    if clock.fed < feed.size:
        time = feed[clock.fed].time
    for place in places:
        if place.expected > 0.0:
            return first
        time = min(time, place.wake)
    if time < np.inf:
        other = max(first, window_of(ring, time))
        if soonest < 0 or other < soonest:
            soonest = other
    return soonest


@maker
def _feed(clock, places, paths, cells, calendar, buffers, feed, end):
    """Send the input spikes of a window."""
    n = np.int64(0)
    while clock.fed + n < feed.size and feed[clock.fed + n].time < end:
        n += 1
    if n == 0:
        return buffers
    sent = room(buffers.sent, np.int64(0), n)
    for i in range(n):
        spike = sent[i]
        spike.time, spike.unit, spike.times = feed[clock.fed + i].time, feed[clock.fed + i].unit, 1
    clock.fed += n
    buffers = Buffers(buffers.entries, buffers.waiting, sent, buffers.log)
    return _send(clock, places, paths, cells, calendar, buffers, sent, n)


@inner
def _slices(place, paths, found, span):
    """In how many slices a visit is handled, and how many arrivals it has.

    More slices mean more passes over all neurons, fewer mean more neurons to follow: those nearer
    to threshold than what excites them within a slice.
    """
    n = np.float64(place.stop - place.offset)
    arrivals, push = place.expected * span, place.push * span
    for i in range(found.size):
        segment, times = found[i].segment, found[i].times
        arrivals += times * (paths.first[segment + 1] - paths.first[segment])
        push += times * paths.push[segment]
    wanted = sqrt((arrivals / n) * (push / n) / place.height)
    wanted = max(min(wanted, np.float64(_MOST_SLICES)), LEAST_SLICES * span * place.rate)
    return max(np.int64(ceil(wanted)), np.int64(1)), np.int64(arrivals)


@maker
def _arrivals(clock, place, which, paths, waiting, begin, end, span):
    """What reaches a population in a window, in order; the number of arrivals, about."""
    n = 0
    for i in range(clock.n_waiting):
        entry = waiting[i]
        n += paths.target[paths.link[entry.segment]] == which and entry.time < end
    found, other = np.empty(n, waiting.dtype), np.empty(n, waiting.dtype)
    n = 0
    for i in range(clock.n_waiting):
        entry = waiting[i]
        if paths.target[paths.link[entry.segment]] == which and entry.time < end:
            found[n] = entry
            n += 1
    found = in_order(found, other, paths.link)
    slices, load = _slices(place, paths, found, span)
    pace = slices / span
    time, segment = np.empty(n), np.empty(n, np.int64)
    times, factor = np.empty(n, np.int32), np.empty(n)
    at = np.zeros(slices + 1, np.int64)
    for i in range(n):
        entry = found[i]
        time[i], segment[i], times[i] = entry.time, entry.segment, entry.times
        since = entry.time - begin
        k = min(np.int64(since * pace), slices - 1)
        factor[i] = exp((since - k / pace) * place.rate)
        at[k + 1] += 1
        arrived = entry.times * (paths.first[entry.segment + 1] - paths.first[entry.segment])
        clock.events += arrived
        clock.work += arrived
    for k in range(slices):
        at[k + 1] += at[k]
    return Arrivals(begin, end, slices, pace, time, segment, times, factor, at), load


@maker
def _more_waiting(clock, paths, calendar, buffers):
    """What is under way to this window, behind what is known of it."""
    found = take(calendar, buffers.entries, clock.window, paths.link)
    waiting = room(buffers.waiting, clock.n_waiting, found.size)
    for i in range(found.size):
        waiting[clock.n_waiting + i] = found[i]
    clock.n_waiting += found.size
    return Buffers(buffers.entries, waiting, buffers.sent, buffers.log)


@njit
def collect(clock, buffers, n, work):
    """Put the spikes of some blocks behind the first ``n`` spikes of a visit; how many in all."""
    more = work.tally[N_SENT]
    sent = room(buffers.sent, n, more)
    for i in range(more):
        sent[n + i] = work.sent[i]
    clock[0].events += work.tally[N_DRIVEN]
    clock[0].work += work.tally[N_DRIVEN]
    return Buffers(buffers.entries, buffers.waiting, sent, buffers.log), n + more


@njit
def close_visit(clock, order, places, paths, cells, calendar, buffers, arrivals, n):
    """Send the spikes of a visit. Those of one time come by unit already."""
    c = clock[0]
    place = places[order[c.visit]]
    place.base = arrivals.begin + (arrivals.slices - 1) / arrivals.pace
    if place.wake < arrivals.end:
        place.wake = np.inf
    if place.subtract:
        for unit in range(place.offset, place.stop):
            if cells.u[unit] == -np.inf and cells.held[unit] >= cells.theta[unit]:
                place.wake = min(place.wake, cells.ref_until[unit])
    c.visit += 1
    if n == 0:
        return buffers
    times = np.empty(n)
    for i in range(n):
        times[i] = buffers.sent[i].time
    sent = buffers.sent[:n][np.argsort(times, kind="mergesort")]
    return _send(c, places, paths, cells, calendar, buffers, sent, n)


@njit
def run_jumps(
    clock, order, places, paths, cells, streams, bounds, calendar, buffers, work, feed,
    t_start, t_end, last, max_work, heavy,
):  # fmt: skip
    """Windows that end up to ``t_end``, and the one that holds it where it is the ``last``.

    Left before a visit of more than ``heavy`` arrivals, after so much work, and in time. Returns
    why, the arrivals of the visit that is not done, and what grew.
    """
    c, ring = clock[0], calendar.ring[0]
    none = np.empty(0)
    arrivals = Arrivals(
        0.0, 0.0, 1, 1.0, none, np.empty(0, np.int64), np.empty(0, np.int32), none,
        np.zeros(2, np.int64),
    )  # fmt: skip
    while True:
        if c.visit < 0:
            k = _next_window(c, places, calendar, feed)
            if k < 0 or not begins(ring, k) < t_end or not (last or begins(ring, k + 1) <= t_end):
                return REACHED, arrivals, buffers, work
            c.now = max(begins(ring, k), t_start)
            if c.work >= max_work or c.effort >= _EFFORT:
                return PAUSED, arrivals, buffers, work
            c.window, c.visit, c.n_waiting = k, 0, 0
            end = min(begins(ring, k + 1), t_end)
            buffers = _feed(c, places, paths, cells, calendar, buffers, feed, end)
        begin = begins(ring, c.window)
        end = min(begins(ring, c.window + 1), t_end)
        while c.visit < order.size:
            place = places[order[c.visit]]
            buffers = _more_waiting(c, paths, calendar, buffers)
            if not place.neurons:
                c.visit += 1
                continue
            arrivals, load = _arrivals(
                c, place, order[c.visit], paths, buffers.waiting, begin, end,
                begins(ring, c.window + 1) - begin,
            )  # fmt: skip
            if arrivals.time.size == 0 and place.expected == 0.0 and not place.wake < end:
                c.visit += 1
                continue
            c.effort += 5 * load + (place.stop - place.offset) * arrivals.slices + 6000
            if load > heavy:
                return HEAVY, arrivals, buffers, work
            start = t_start if c.window == 0 else np.inf
            work = visit_blocks(
                places, order[c.visit], paths, cells, streams, arrivals, bounds,
                0, bounds.shape[1] - 1, start, work,
            )  # fmt: skip
            if work.tally[STUCK]:
                return ENDLESS, arrivals, buffers, work
            buffers, n = collect(clock, buffers, np.int64(0), work)
            buffers = close_visit(
                clock, order, places, paths, cells, calendar, buffers, arrivals, n
            )
        c.visit = -1
