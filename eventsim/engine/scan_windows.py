"""Kernel of the scanning engine: window after window, arrivals first, then the few that may spike.

A window is shorter than every delay of a neuron's spike, so all that arrives in it is known at its
begin. Its segments are added to their targets in the order (time, projection, source); a target
that is watched also gets them in a list. Then each watched neuron whose room is used up is
followed exactly (:mod:`eventsim.engine.scan_follow`).

The ends of windows and the renewals of the frame are places where sums are rounded. They depend
on the network and on the start alone, not on where a run stops: a window is always handled
whole, and what lies at or beyond the stop is not counted.
"""

from __future__ import annotations

from math import inf

import numpy as np

from eventsim.engine.calendar import ahead, begins, coming, empty_into, put, sort
from eventsim.engine.gather import room
from eventsim.engine.pieces import ENDLESS, PAUSED, REACHED
from eventsim.engine.scan_arrivals import add, fetch, share_of
from eventsim.engine.scan_bounds import (
    UNTOUCHED,
    begin_window,
    keep_state,
    look,
    renew,
    watch,
    watch_closely,
)
from eventsim.engine.scan_drive import hear_before, hear_rest
from eventsim.engine.scan_follow import next_spike
from eventsim.engine.scan_state import Buffers
from eventsim.jit import inlined, inner, maker, njit

__all__ = ["run_scan"]

#: Why the loop was left, beside the reasons of all engines (where ENDLESS is also a source that
#: spikes more often in a window than is provided for): a buffer has to grow.
FULL = 3

#: What is to be done next: to begin a window, to send its input spikes, to add what arrives, or to
#: follow who may spike.
NEXT, FEED, DELIVER, FOLLOW = range(4)

#: So many segments ahead their synapses are fetched.
AHEAD = 8

#: The fewest spikes in a window that may be too many.
_MANY_SPIKES = 1000


@inner
def _send(table, calendar, entries, unit, time, over):
    """Put a spike's segments under way, but those that would arrive when all is over."""
    for segment in range(table.row[unit], table.row[unit + 1]):
        arrives = time + table.delay[segment]
        if arrives < over:
            put(calendar, entries, arrives, segment, np.int32(1))


@inner
def _segments(table, sent, n_sent):
    """How many segments spikes put under way."""
    n = np.int64(0)
    for i in range(n_sent):
        n += table.row[sent[i].unit + 1] - table.row[sent[i].unit]
    return n


@inlined
def _emit(cells, scan, table, calendar, entries, log, sent, t_stop, over):
    """Count spikes, log them where that is asked for and send them on. False: no room for them."""
    clock = scan.clock[0]
    n = clock.n_sent
    clock.effort += 300 * n
    if n + clock.n_log >= log.size:
        return False
    if calendar.ring[0].held + _segments(table, sent, n) > entries.size:
        return False
    for i in range(n):
        unit, time = sent[i].unit, sent[i].time
        _send(table, calendar, entries, unit, time, over)
        if not time < t_stop:
            continue
        scan.fired[unit] += 1
        clock.work += 1
        if cells.logged[unit]:
            entry = log[clock.n_log]
            entry.time, entry.unit, entry.times = time, unit, 1
            clock.n_log += 1
    clock.n_sent = 0
    return True


@inner
def _release(scan, window, now):
    """Watch the neurons whose refractoriness ends in a window."""
    slot = window % scan.due.size
    unit = scan.due[slot]
    scan.due[slot] = -1
    while unit >= 0:
        w = np.int64(scan.place[unit])
        if w < 0:
            w = watch(scan, unit, now)
        scan.slack[unit] = -inf
        scan.fine[w] = -inf
        unit = scan.later[unit]


@inner
def _synapses(table, calendar, entries, k):
    """How many arrivals there are in all segments of window ``k``."""
    n, at = np.int64(0), calendar.heads[k % calendar.heads.size]
    while at >= 0:
        segment = entries[at].segment
        n += table.first[segment + 1] - table.first[segment]
        at = entries[at].next
    return n


@inner
def _fetch_first(table, calendar, entries, k):
    """Fetch the synapses of some segments of window ``k``, of all where they are few."""
    at = calendar.heads[k % calendar.heads.size]
    for _ in range(AHEAD):
        if at < 0:
            break
        fetch(table, entries[at].segment)
        at = entries[at].next


@inlined
def _deliver(cells, scan, drive, table, calendar, buffers, end, t_stop):
    """Add all that arrives in a window to its targets. False: there is no room for the lists."""
    clock, entries = scan.clock[0], buffers.entries
    k, found, shares, arrived = clock.window, buffers.found, buffers.shares, buffers.arrived
    if calendar.heads[k % calendar.heads.size] < 0 and clock.crowd == 0:
        return True
    n_found = coming(calendar, entries, k)
    if n_found >= min(found.size, buffers.other.size) or n_found + clock.crowd >= shares.size:
        return False
    if _synapses(table, calendar, entries, k) + clock.crowd >= arrived.size:
        return False
    n = np.int64(0)
    clock.n_shares = empty_into(calendar, entries, k, found)
    sort(found, buffers.other, buffers.ends, n_found, table.link)
    for s in range(n_found):
        segment, time = found[s].segment, found[s].time
        if s + AHEAD < n_found:
            fetch(table, found[s + AHEAD].segment)
        a, b, link = table.first[segment], table.first[segment + 1], table.link[segment]
        if drive.link[cells.group_of[link]] >= 0:
            n = hear_before(
                cells, scan, drive, shares, arrived, link, time, table.post[a:b], end, t_stop, n
            )
        takes = share_of(cells, scan, shares[s], time, link, end)
        n = add(scan, shares, s, takes, table, a, b, arrived, n)
        clock.effort += 50 + 4 * (b - a)
        if time < t_stop:
            clock.events += b - a
            clock.work += b - a
    for g in range(drive.link.size):
        if drive.link[g] >= 0:
            n = hear_rest(cells, scan, drive, shares, arrived, g, end, t_stop, n)
    return True


@inner
def _put_back(cells, scan, ring, w):
    """After a neuron was followed: its state, and when it is released."""
    unit = scan.who[w]
    scan.x[0, unit] = scan.near[w, 0]
    if scan.high[unit] == inf:
        scan.slack[unit] = inf
        release = scan.release[unit]
        window = max(np.int64((release - ring.start) / ring.width), scan.clock[0].window + 1)
        while begins(ring, window) > release:
            window -= 1
        while begins(ring, window + 1) <= release:
            window += 1
        slot = window % scan.due.size
        scan.later[unit] = scan.due[slot]
        scan.due[slot] = unit


@inlined
def _follow(cells, scan, ring, shares, arrived, sent, end):
    """Follow watched neurons, until all are done or there is no room for another spike."""
    clock = scan.clock[0]
    while clock.handled < clock.n_watched:
        w = clock.handled
        if not scan.fine[w] > 0.0:
            if scan.since[w] < clock.now:
                scan.since[w] = clock.now
            if scan.heads[w] == UNTOUCHED:
                keep_state(scan, w)
            while next_spike(cells, scan, w, shares, arrived, end):
                sent[clock.n_sent].time, sent[clock.n_sent].unit = scan.since[w], scan.who[w]
                clock.n_sent += 1
                clock.spikes += 1
                if clock.n_sent == sent.size:
                    return
            _put_back(cells, scan, ring, w)
        scan.heads[w] = UNTOUCHED
        clock.handled += 1


@inner
def _take_feed(scan, feed, sent, end):
    """Input spikes before ``end``, as far as there is room for them."""
    clock, n = scan.clock[0], np.int64(0)
    while n < sent.size and clock.fed < feed.size and feed[clock.fed].time < end:
        sent[n].time, sent[n].unit = feed[clock.fed].time, feed[clock.fed].unit
        clock.fed += 1
        n += 1
    clock.n_sent = n


@inlined
def _look_after(cells, scan, ring, renewal):
    """Look at all neurons and renew the frame, where it is time to."""
    clock = scan.clock[0]
    now = begins(ring, clock.window)
    if clock.window >= clock.renew:
        renew(cells, scan, now)
        clock.renew += renewal
    begin_window(cells, scan, now)
    if clock.window >= clock.look:
        watched, n = clock.n_watched, cells.group.size
        if 8 * watched * clock.every > n:
            clock.every = max(clock.every // 2, 1)
        elif 24 * watched * clock.every < n:
            clock.every = min(2 * clock.every, renewal)
        clock.look = clock.window + clock.every
        look(cells, scan, now, begins(ring, clock.look))
        clock.effort += n
    watch_closely(cells, scan)
    _release(scan, clock.window, now)


@inner
def _windows(
    cells, scan, drive, table, calendar, buffers, feed, last_window, renewal, t_stop, over,
    effort, max_events,
):  # fmt: skip
    """As :func:`run_scan`, as long as there is room in the buffers: the stage is kept."""
    clock, ring = scan.clock[0], calendar.ring[0]
    entries, log, sent = buffers.entries, buffers.log, buffers.sent
    while True:
        if clock.n_sent > 0 and not _emit(
            cells, scan, table, calendar, entries, log, sent, t_stop, over
        ):
            return FULL
        if clock.stage == NEXT:
            if clock.window >= last_window:
                return REACHED
            if clock.effort >= effort or clock.work >= max_events:
                return PAUSED
            _fetch_first(table, calendar, entries, clock.window)
            _look_after(cells, scan, ring, renewal)
            clock.stage = FEED
        end = begins(ring, clock.window + 1)
        if clock.stage == FEED:
            _take_feed(scan, feed, sent, end)
            if clock.n_sent > 0:
                continue
            clock.stage = DELIVER
        if clock.stage == DELIVER:
            if not _deliver(cells, scan, drive, table, calendar, buffers, end, t_stop):
                return FULL
            if clock.crowded:
                return ENDLESS
            clock.effort += 500 + 10 * clock.n_watched
            clock.limit = max(max_events - clock.work, _MANY_SPIKES)
            clock.stage, clock.handled, clock.spikes = FOLLOW, 0, 0
        if clock.handled < clock.n_watched:
            _follow(cells, scan, ring, buffers.shares, buffers.arrived, sent, end)
            if clock.spikes > clock.limit:
                return ENDLESS
            continue
        clock.window += 1
        clock.stage = NEXT


@maker
def _grown(scan, table, calendar, buffers):
    """The same buffers with room for the spikes that wait and for the segments of this window."""
    clock, none, entries = scan.clock[0], np.int64(0), buffers.entries
    n = coming(calendar, entries, clock.window)
    arriving = _synapses(table, calendar, entries, clock.window)
    return Buffers(
        ahead(calendar, entries, _segments(table, buffers.sent, clock.n_sent)),
        room(buffers.log, clock.n_log, clock.n_sent),
        buffers.sent,
        room(buffers.shares, none, n + clock.crowd),
        room(buffers.arrived, none, arriving + clock.crowd),
        room(buffers.found, none, n),
        room(buffers.other, none, n),
        room(buffers.ends, none, n + 1),
    )


@njit
def run_scan(
    cells, scan, drive, table, calendar, buffers, feed, last_window, renewal, t_stop, over,
    effort, max_events,
):  # fmt: skip
    """Handle windows before ``last_window``, or until so much effort is spent; why it ended.

    What would arrive at ``over`` or later is left out. ``renewal``: windows between two frames.
    Buffers, which may have grown, are returned too.
    """
    while True:
        reason = _windows(
            cells, scan, drive, table, calendar, buffers, feed, last_window, renewal, t_stop,
            over, effort, max_events,
        )  # fmt: skip
        if reason != FULL:
            return reason, buffers
        buffers = _grown(scan, table, calendar, buffers)
