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

from math import exp, inf

import numpy as np

from eventsim.engine.calendar import ahead, begins, put, take
from eventsim.engine.gather import room
from eventsim.engine.scan_bounds import look, renew, response_within, watch, watch_closely
from eventsim.engine.scan_follow import next_spike
from eventsim.jit import inner, maker, njit

__all__ = ["ENDLESS", "PAUSED", "REACHED", "run_scan"]

#: Why the kernel returned: all windows are done, its share of work is used up, or a neuron fires
#: more often in a window than the whole run may.
REACHED, PAUSED, ENDLESS = range(3)

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
def _emit_all(cells, scan, table, calendar, entries, log, sent, n_sent, t_stop, over):
    """Count spikes, log them where that is asked for and send them on."""
    clock = scan.clock[0]
    for i in range(n_sent):
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


@inner
def _segments(table, sent, n_sent):
    """How many segments spikes put under way."""
    n = np.int64(0)
    for i in range(n_sent):
        n += table.row[sent[i].unit + 1] - table.row[sent[i].unit]
    return n


@maker
def _emit(cells, scan, table, calendar, entries, log, sent, n_sent, t_stop, over):
    """The same, in buffers with room for it."""
    entries = ahead(calendar, entries, _segments(table, sent, n_sent))
    log = room(log, scan.clock[0].n_log, n_sent)
    _emit_all(cells, scan, table, calendar, entries, log, sent, n_sent, t_stop, over)
    return entries, log


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
def _share(cells, scan, share, time, link, end):
    """What a segment of a projection that arrives at ``time`` adds; what it takes of the slack."""
    g, row = cells.group_of[link], cells.row_of[link]
    past = time - scan.clock[0].frame
    share.time, share.row = time, row
    share.first = exp(past * cells.rate[g, 0])
    if row > 0:
        share.first *= -cells.scale[g, row]
        share.own = cells.scale[g, row] * exp(past * cells.rate[g, row])
    share.raises = response_within(cells, g, row, end - time)
    return response_within(cells, g, row, scan.clock[0].until - time)


@inner
def _note(scan, unit, weight, shares, s, arrived, n):
    """Add an arrival to the list of a watched neuron, or of one that is watched from now on."""
    w = np.int64(scan.place[unit])
    if w < 0:
        w = watch(scan, unit, shares[s].time)
    arrived[n].weight, arrived[n].share, arrived[n].next = weight, s, -1
    if scan.heads[w] < 0:
        scan.heads[w] = n
    else:
        arrived[scan.tails[w]].next = n
    scan.tails[w] = n
    scan.fine[w] -= max(weight * shares[s].raises, 0.0)


@inner
def _add(scan, shares, s, takes, table, a, b, arrived, n):
    """Add a segment to its targets; returns the number of arrivals in lists."""
    share = shares[s]
    post, weights = table.post[a:b], table.weight[a:b]
    slack, membrane, first = scan.slack, scan.x[0], share.first
    current, own = scan.x[share.row], share.own
    for k in range(post.size):
        unit, weight = post[k], np.float64(weights[k])
        left = slack[unit] - max(weight * takes, 0.0)
        slack[unit] = left
        if left <= 0.0:
            _note(scan, unit, weight, shares, s, arrived, n)
            n += 1
        membrane[unit] += weight * first
        if share.row > 0:
            current[unit] += weight * own
    return n


@inner
def _deliver(cells, scan, table, found, shares, arrived, end, t_stop):
    """Add all segments of a window to their targets."""
    n, clock = np.int64(0), scan.clock[0]
    for s in range(found.size):
        segment, time = found[s].segment, found[s].time
        a, b = table.first[segment], table.first[segment + 1]
        takes = _share(cells, scan, shares[s], time, table.link[segment], end)
        n = _add(scan, shares, s, takes, table, a, b, arrived, n)
        if time < t_stop:
            clock.events += b - a
            clock.work += b - a
    clock.effort += 20 + n + found.size + clock.n_watched


@inner
def _synapses(table, found):
    """How many arrivals there are in all segments of a window."""
    n = np.int64(0)
    for s in range(found.size):
        n += table.first[found[s].segment + 1] - table.first[found[s].segment]
    return n


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


@inner
def _follow(cells, scan, ring, shares, arrived, end, w, sent):
    """Follow watched neurons from the ``w``-th on, until there is no room for another spike.

    Returns the place at which to go on, and the number of spikes.
    """
    n_sent = np.int64(0)
    while w < scan.clock[0].n_watched:
        if not scan.fine[w] > 0.0:
            while next_spike(cells, scan, w, shares, arrived, end):
                sent[n_sent].time, sent[n_sent].unit = scan.since[w], scan.who[w]
                n_sent += 1
                if n_sent == sent.size:
                    return w, n_sent
            _put_back(cells, scan, ring, w)
        w += 1
    return w, n_sent


@inner
def _take_feed(scan, feed, sent, end):
    """Input spikes before ``end``, as far as there is room for them."""
    clock, n = scan.clock[0], np.int64(0)
    while n < sent.size and clock.fed < feed.size and feed[clock.fed].time < end:
        sent[n].time, sent[n].unit = feed[clock.fed].time, feed[clock.fed].unit
        clock.fed += 1
        n += 1
    return n


@inner
def _look_after(cells, scan, ring, renewal):
    """Look at all neurons and renew the frame, where it is time to."""
    clock = scan.clock[0]
    now = begins(ring, clock.window)
    if clock.window >= clock.look:
        watched, n = clock.n_watched, scan.slack.size
        if 8 * watched * clock.every > n:
            clock.every = max(clock.every // 2, 1)
        elif 24 * watched * clock.every < n:
            clock.every = min(2 * clock.every, renewal)
        clock.look = clock.window + clock.every
        look(cells, scan, now, begins(ring, clock.look))
        clock.effort += scan.slack.size // 4
    if clock.window >= clock.renew:
        renew(cells, scan, now)
        clock.renew += renewal
    watch_closely(cells, scan, now)
    _release(scan, clock.window, now)


@njit
def run_scan(
    cells, scan, table, calendar, buffers, feed, last_window, renewal, t_stop, over, effort,
    max_events,
):  # fmt: skip
    """Handle windows before ``last_window``, or until so much effort is spent; why it ended.

    What would arrive at ``over`` or later is left out. ``renewal``: windows between two frames.
    Buffers, which may have grown, are returned too.
    """
    clock, ring = scan.clock[0], calendar.ring[0]
    entries, log, sent, shares, arrived = buffers
    while True:
        window = clock.window
        if window >= last_window:
            return REACHED, (entries, log, sent, shares, arrived)
        if clock.effort >= effort or clock.work >= max_events:
            return PAUSED, (entries, log, sent, shares, arrived)
        end = begins(ring, window + 1)
        _look_after(cells, scan, ring, renewal)
        while clock.fed < feed.size and feed[clock.fed].time < end:
            n = _take_feed(scan, feed, sent, end)
            entries, log = _emit(cells, scan, table, calendar, entries, log, sent, n, t_stop, over)
        found = take(calendar, entries, window, table.link)
        shares = room(shares, np.int64(0), found.size)
        arrived = room(arrived, np.int64(0), _synapses(table, found))
        _deliver(cells, scan, table, found, shares, arrived, end, t_stop)
        limit, w, spikes = max(max_events - clock.work, _MANY_SPIKES), np.int64(0), np.int64(0)
        while w < clock.n_watched:
            w, n = _follow(cells, scan, ring, shares, arrived, end, w, sent)
            if n > 0:
                entries, log = _emit(
                    cells, scan, table, calendar, entries, log, sent, n, t_stop, over
                )
            spikes += n
            if spikes > limit:
                return ENDLESS, (entries, log, sent, shares, arrived)
        clock.window = window + 1
