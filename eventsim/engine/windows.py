"""Kernels of the windowed engine: windows in which no neuron can reach back to another.

Populations are visited in an order in which only some projections lead back, to a population
visited before or to their own. In a window no longer than the smallest delay of those, all that
reaches a population is known when it is visited, and its neurons can be followed there one by one
(:mod:`eventsim.engine.alone`), in any order. What a spike sends out is kept as a row of synapses,
never as synapses: where each synapse has a delay of its own the row is sorted by delay, and a
window takes the part of it that arrives there.

A window is a whole: the kernel returns between windows. How long they are changes no bit of any
result, so they are kept to as many arrivals as fit in the caches.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.alone import STUCK, next_instant
from eventsim.engine.compiled import BOUND, NEURONS, RELAY, ROWS, TEST
from eventsim.engine.gather import first_arrival, gather, room, sort_list, steps_in, take
from eventsim.engine.heap import fill, index_move
from eventsim.engine.modal import look_again, next_event, threshold_of
from eventsim.engine.pieces import ENDLESS, PAUSED, REACHED
from eventsim.engine.relay import visit_relay
from eventsim.jit import inner, maker, njit

__all__ = ["WINDOW", "Windows", "run_windows", "start_windows"]

#: A window with more arrivals and spikes is followed by a shorter one, one with fewer by a longer.
_MANY, _FEW = 1 << 17, 1 << 14

#: What changes as a run goes on, beside units and buffers.
WINDOW = np.dtype(
    [
        ("now", np.float64),  # begin of the next window
        ("span", np.float64),  # how long it may be
        ("events", np.int64),  # synaptic arrivals
        ("work", np.int64),  # arrivals, ends of pulses, spikes
        ("n_rows", np.int64),  # rows under way
        ("n_log", np.int64),
        ("n_heap", np.int64),
        ("n_due", np.int64),
        ("fed", np.int64),  # input spikes and steps of currents that are done
        ("stepped", np.int64),
        ("instants", np.int64),  # of Relays
    ]
)


class Windows(NamedTuple):
    """What changes during a run, beside the units and the buffers that grow."""

    window: NDArray[np.void]  # one record
    heap: NDArray[np.int64]  # units by the time of their own next event
    due: NDArray[np.int64]  # those that have one in this window
    heads: NDArray[np.int32]  # first and last of what reaches each unit in this window
    tails: NDArray[np.int32]
    mixed: NDArray[np.bool_]  # its list is not in order
    touched: NDArray[np.int64]  # units of a population that anything happens to
    reach: NDArray[np.int64]
    heard: NDArray[np.int64]


@maker
def _send(net, w, rows, unit, time, times):
    """Put a spike's rows under way."""
    u = net.units[unit]
    population = net.populations[u.population]
    source = unit - population.offset
    rows = room(rows, w.n_rows, 2 * (population.out_stop - population.out_first))
    for k in range(population.out_first, population.out_stop):
        link = net.links[net.tables.out[k]]
        first = np.int64(0)
        if link.kind == ROWS:
            first = net.tables.indptr[link.row_at + source]
            if first == net.tables.indptr[link.row_at + source + 1]:
                continue
        for kind in range(2 if link.spread > 0.0 else 1):
            row = rows[w.n_rows]
            fill(row, 0.0, time, net.tables.out[k], source, first, np.int64(kind), times)
            row.time = first_arrival(net, row)
            w.n_rows += 1
    return rows


@maker
def _pass_on(net, state, population, rows, n, sent):
    """Max pooling of a window's arrivals, instant by instant: what passes, and how many."""
    w, n_sent, begin = state.window[0], np.int64(0), 0
    order = np.empty(n, np.int64)
    for i in range(n):
        order[i] = i
    while begin < n:
        end, now = begin, rows[begin].time
        while end < n and rows[end].time == now:
            end += 1
        w.instants += 1
        n_touched, arrived = visit_relay(
            net.links, net.tables, net.units, state.heard, population, rows,
            order[begin:], end - begin, w.instants, now, state.touched,
        )  # fmt: skip
        w.work += arrived
        w.events += arrived
        sent = room(sent, n_sent, n_touched)
        for k in range(n_touched):
            unit = state.touched[k]
            net.units[unit].ref_until = now + population.window
            sent[n_sent].time = now
            sent[n_sent].unit = unit
            sent[n_sent].times = 1
            n_sent += 1
        begin = end
    return sent, n_sent


@maker
def _report(net, w, rows, log, logged, sent, n_sent):
    """Log spikes of a window, of populations that are logged, and put their rows under way."""
    if logged:
        log = room(log, w.n_log, n_sent)
    for i in range(n_sent):
        spike = sent[i]
        u = net.units[spike.unit]
        u.count += spike.times
        w.work += spike.times
        if net.populations[u.population].logged:
            entry = log[w.n_log]
            entry.time = spike.time
            entry.unit = spike.unit
            entry.times = spike.times
            w.n_log += 1
        rows = _send(net, w, rows, spike.unit, spike.time, spike.times)
    return rows, log


@njit
def start_windows(net, state, t_start):
    """The first own event of each neuron; at t_start where it begins at threshold."""
    w = state.window[0]
    for unit in range(net.units.size):
        u = net.units[unit]
        if net.populations[u.population].kind == NEURONS:
            u.own = TEST
            first = t_start
            if u.x < threshold_of(u, net.modes):
                first = next_event(u, net.modes, t_start)
            w.n_heap = index_move(state.heap, w.n_heap, net.units, unit, first)


@inner
def _next_time(net, state, rows, feed, steps):
    """When anything happens next; no bound stands for an event."""
    w, now = state.window[0], np.inf
    for i in range(w.n_rows):
        now = min(now, rows[i].time)
    if w.fed < feed.size:
        now = min(now, feed[w.fed].time)
    if w.stepped < steps.size:
        now = min(now, steps[w.stepped].time)
    while w.n_heap > 0:
        unit = state.heap[0]
        u = net.units[unit]
        if u.own != BOUND or u.next_time > now:
            return min(now, u.next_time)
        later = look_again(u, net.modes)
        w.n_heap = index_move(state.heap, w.n_heap, net.units, unit, later)
    return now


@inner
def _find_due(net, state, t_end):
    """Take those from the heap whose own event, or its bound, is before ``t_end``."""
    w = state.window[0]
    w.n_due = 0
    while w.n_heap > 0 and net.units[state.heap[0]].next_time < t_end:
        unit = state.heap[0]
        time = net.units[unit].next_time
        w.n_heap = index_move(state.heap, w.n_heap, net.units, unit, np.inf)
        net.units[unit].next_time = time
        state.due[w.n_due] = unit
        w.n_due += 1


@maker
def _feed(net, w, rows, log, logged, sent, feed, t_end):
    """Input spikes of a window."""
    n = np.int64(0)
    while w.fed + n < feed.size and feed[w.fed + n].time < t_end:
        n += 1
    if n == 0:
        return rows, log, sent
    sent = room(sent, np.int64(0), n)
    for i in range(n):
        sent[i].time = feed[w.fed + i].time
        sent[i].unit = feed[w.fed + i].unit
        sent[i].times = 1
    w.fed += n
    rows, log = _report(net, w, rows, log, logged, sent, n)
    return rows, log, sent


@maker
def _follow_all(net, state, population, buffer, n_touched, t_end, sent, limit):
    """Follow each neuron of a population that anything happens to before ``t_end``."""
    # Arrays are named outside of the loop: a look into a tuple counts a reference.
    units, modes, links, w = net.units, net.modes, net.links, state.window[0]
    heads, mixed, touched = state.heads, state.mixed, state.touched
    due, heap = state.due, state.heap
    n_sent, n_heap = np.int64(0), w.n_heap
    for k in range(w.n_due):
        unit = due[k]
        if population.offset <= unit < population.stop and heads[unit] < 0:
            touched[n_touched] = unit
            n_touched += 1
    for k in range(n_touched):
        unit = touched[k]
        if heads[unit] >= 0 and mixed[unit]:
            heads[unit] = sort_list(buffer, np.int64(heads[unit]))
        u, i, times = units[unit], np.int64(heads[unit]), np.int64(0)
        key = u.next_time
        while times >= 0:
            i, times = next_instant(u, modes, links, buffer, i, t_end)
            if times > 0:
                sent = room(sent, n_sent, np.int64(1))
                sent[n_sent].time = u.t_last
                sent[n_sent].unit = unit
                sent[n_sent].times = times
                n_sent += 1
                if n_sent > limit:
                    return sent, np.int64(STUCK)
        if times == STUCK:
            return sent, np.int64(STUCK)
        if u.where < 0 or u.next_time != key:
            n_heap = index_move(heap, n_heap, units, unit, u.next_time)
        heads[unit] = -1
    w.n_heap = n_heap
    return sent, n_sent


@njit
def run_windows(net, state, buffers, feed, steps, t_stop, longest, max_work, max_events, logged):
    """Handle windows up to ``t_stop``, or until so much work in all; says why it ended.

    Buffers, which may have grown, are returned too.
    """
    w = state.window[0]
    rows, log, sent, buffer, chosen = buffers
    while True:
        begin = _next_time(net, state, rows, feed, steps)
        if not begin < t_stop:
            return REACHED, (rows, log, sent, buffer, chosen)
        w.now = begin
        if w.work >= max_work:
            return PAUSED, (rows, log, sent, buffer, chosen)
        t_end = min(begin + w.span, t_stop)
        if not t_end > begin:
            return ENDLESS, (rows, log, sent, buffer, chosen)
        _find_due(net, state, t_end)
        rows, log, sent = _feed(net, w, rows, log, logged, sent, feed, t_end)
        limit, arrived = max(max_events - w.work, np.int64(1000)), np.int64(0)
        for which in net.tables.order:
            population = net.populations[which]
            chosen, n_chosen = take(net, w, rows, which, t_end, chosen)
            n_sent = np.int64(0)
            if population.kind == RELAY:
                sent, n_sent = _pass_on(net, state, population, chosen, n_chosen, sent)
            elif population.kind == NEURONS:
                buffer, n_touched, n = gather(net, state, rows, chosen, n_chosen, buffer, t_end)
                buffer, n_touched, n = steps_in(
                    state, steps, population, t_end, buffer, n_touched, n
                )
                arrived += n
                sent, n_sent = _follow_all(
                    net, state, population, buffer, n_touched, t_end, sent, limit
                )
            if n_sent == STUCK:
                return ENDLESS, (rows, log, sent, buffer, chosen)
            if n_sent > 0:
                arrived += n_sent  # they take room too
                rows, log = _report(net, w, rows, log, logged, sent, n_sent)
        while w.stepped < steps.size and steps[w.stepped].time < t_end:
            w.stepped += 1
        if arrived > _MANY:
            w.span *= 0.5
        elif arrived < _FEW:
            w.span = min(2.0 * w.span, longest)
