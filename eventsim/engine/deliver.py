"""Deliveries: from a spike to rows of synapses, and from a row to its targets."""

from __future__ import annotations

import numpy as np

from eventsim.engine.compiled import CONV, DENSE, ROWS
from eventsim.engine.heap import fill, pending_push
from eventsim.engine.neurons import move_to, receive
from eventsim.engine.state import EVENTS, INSTANT, N_ARRIVALS, N_LOG, N_PENDING, WORK
from eventsim.jit import inner

__all__ = ["count", "deliver", "emit", "sort_arrivals", "touch"]


@inner
def count(control, entry, synapses):
    """Count work; the end of a pulse is work, but no new arrival."""
    control[WORK] += synapses * entry.times
    if entry.kind == 0:
        control[EVENTS] += synapses * entry.times


@inner
def touch(units, unit, now, instant, touched, n_touched):
    """Bring a neuron to ``now``; the first time in an instant puts it on the list to test."""
    u = units[unit]
    if u.mark == instant:
        return n_touched
    u.mark = instant
    u.acc = 0.0
    move_to(u, now)
    touched[n_touched] = unit
    return n_touched + 1


@inner
def _deliver_conv(units, link, weights, entry, now, instant, touched, n_touched):
    """Walk the targets of one pixel's spike, computed from the kernel; returns their number too."""
    channel = entry.source // (link.in_y * link.in_x)
    v = (entry.source // link.in_x) % link.in_y
    h = entry.source % link.in_x
    per_in, per_out = link.in_c // link.groups, link.out_c // link.groups
    group, inner = channel // per_in, channel % per_in
    reached = 0
    for a in range(link.k_y):
        y = v + link.p_y - a * link.d_y
        if y < 0 or y % link.s_y or y // link.s_y >= link.out_y:
            continue
        for b in range(link.k_x):
            x = h + link.p_x - b * link.d_x
            if x < 0 or x % link.s_x or x // link.s_x >= link.out_x:
                continue
            place = (y // link.s_y) * link.out_x + x // link.s_x
            tap = link.weight_at + ((a * link.k_x + b) * per_in + inner) * link.out_c
            for o in range(group * per_out, (group + 1) * per_out):
                unit = link.first_unit + o * link.out_y * link.out_x + place
                n_touched = touch(units, unit, now, instant, touched, n_touched)
                receive(units[unit], weights[tap + o], link.spread, entry.kind, entry.times)
                reached += 1
    return n_touched, reached


@inner
def deliver(units, link, tables, pending, control, entry, now, touched, n_touched):
    """Apply one row, or the part of it that arrives now; schedule its rest and its end."""
    instant = control[INSTANT]
    if link.kind == CONV:
        n_touched, reached = _deliver_conv(
            units, link, tables.weight, entry, now, instant, touched, n_touched
        )
        count(control, entry, reached)
    else:
        k, stop = 0, link.n_post
        weight_at, own_delays = link.weight_at, False
        delay = 0.0
        if link.kind == DENSE:
            weight_at += entry.source * link.n_post
        else:
            k = entry.first
            stop = tables.indptr[link.row_at + entry.source + 1]
            own_delays = np.isnan(link.delay)
            if own_delays:
                delay = tables.delay[link.delay_at + k]
        begin = k
        while k < stop and not (own_delays and tables.delay[link.delay_at + k] != delay):
            unit = link.first_unit + k
            if link.kind == ROWS:
                unit = link.first_unit + tables.post[link.post_at + k]
            n_touched = touch(units, unit, now, instant, touched, n_touched)
            receive(units[unit], tables.weight[weight_at + k], link.spread, entry.kind, entry.times)
            k += 1
        count(control, entry, k - begin)
        if k < stop and entry.kind == 0:
            pending_push(
                pending,
                control[N_PENDING],
                entry.origin + tables.delay[link.delay_at + k],
                entry.origin,
                entry.link,
                entry.source,
                k,
                np.int64(0),
                entry.times,
            )
            control[N_PENDING] += 1
    if link.spread > 0.0 and entry.kind == 0:
        pending_push(
            pending,
            control[N_PENDING],
            now + link.spread,
            entry.origin,
            entry.link,
            entry.source,
            entry.first,
            np.int64(1),
            entry.times,
        )
        control[N_PENDING] += 1
    return n_touched


@inner
def emit(units, populations, links, tables, pending, arrivals, log, control, unit, now, times):
    """Record a spike and send it along every projection of its population."""
    u = units[unit]
    u.count += times
    control[WORK] += times
    if log.size:
        entry = log[control[N_LOG]]
        entry.time = now
        entry.unit = unit
        entry.times = times
        control[N_LOG] += 1
    population = populations[u.population]
    kind = np.int64(0)  # an arrival; a bare 0 would compile what it is passed to once more
    source = unit - population.offset
    for k in range(population.out_first, population.out_stop):
        link = links[tables.out[k]]
        first = np.int64(0)
        delay = link.delay
        if link.kind == ROWS:
            row = link.row_at + source
            first = tables.indptr[row]
            if first == tables.indptr[row + 1]:
                continue
            if np.isnan(delay):
                delay = tables.delay[link.delay_at + first]
        if delay == 0.0:
            fill(arrivals[control[N_ARRIVALS]], now, now, tables.out[k], source, first, kind, times)
            control[N_ARRIVALS] += 1
            populations[link.target].arrived += 1
        else:
            pending_push(
                pending,
                control[N_PENDING],
                now + delay,
                now,
                tables.out[k],
                source,
                first,
                kind,
                times,
            )
            control[N_PENDING] += 1


@inner
def sort_arrivals(links, arrivals, n_arrivals, order, population):
    """Indices of this population's deliveries by (projection, source, ends first)."""
    n = 0
    for i in range(n_arrivals):
        entry = arrivals[i]
        if links[entry.link].target != population:
            continue
        k = n
        while k > 0:
            other = arrivals[order[k - 1]]
            if other.link < entry.link:
                break
            if other.link == entry.link:
                if other.source < entry.source:
                    break
                if other.source == entry.source and other.kind >= entry.kind:
                    break
            order[k] = order[k - 1]
            k -= 1
        order[k] = i
        n += 1
    return n
