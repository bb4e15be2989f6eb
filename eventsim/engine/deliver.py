"""Deliveries: from a spike to rows of synapses, and from a row to its targets."""

from __future__ import annotations

import numpy as np

from eventsim.engine.compiled import CONV, DENSE, ROWS
from eventsim.engine.heap import fill, pending_push
from eventsim.engine.modal import move_to, receive
from eventsim.engine.reach import conv_targets
from eventsim.engine.state import EVENTS, INSTANT, N_ARRIVALS, N_LOG, N_PENDING, WORK
from eventsim.jit import inner

__all__ = ["deliver", "emit", "sort_arrivals", "touch"]


@inner
def _count(control, entry, synapses):
    """Count work; the end of a pulse is work, but no new arrival."""
    control[WORK] += synapses * entry.times
    if entry.kind == 0:
        control[EVENTS] += synapses * entry.times


@inner
def touch(units, modes, unit, now, instant, touched, n_touched):
    """Bring a neuron to ``now``; the first time in an instant puts it on the list to test."""
    u = units[unit]
    if u.mark == instant:
        return n_touched
    u.mark = instant
    u.acc = 0.0
    u.alone = True
    move_to(u, modes, now)
    touched[n_touched] = unit
    return n_touched + 1


@inner
def _deliver_conv(units, modes, link, weights, entry, now, instant, reach, touched, n_touched):
    """Reach the targets of one pixel's spike; returns their number too."""
    per_out = link.out_c // link.groups
    n = conv_targets(link, entry.source, reach[0], reach[1])
    for i in range(n):
        pixel, group = reach[0, i] // link.groups, reach[0, i] % link.groups
        unit = link.first_unit + group * per_out * link.out_y * link.out_x + pixel
        for k in range(per_out):
            n_touched = touch(units, modes, unit, now, instant, touched, n_touched)
            receive(
                units[unit],
                modes,
                weights[link.weight_at + reach[1, i] + k],
                link.spread,
                link.receptor,
                entry.kind,
                entry.times,
            )
            unit += link.out_y * link.out_x
    return n_touched, n * per_out


@inner
def deliver(units, modes, link, tables, pending, control, entry, now, reach, touched, n_touched):
    """Apply one row, or the part of it that arrives now; schedule its rest and its end."""
    instant = control[INSTANT]
    if link.kind == CONV:
        n_touched, reached = _deliver_conv(
            units, modes, link, tables.weight, entry, now, instant, reach, touched, n_touched
        )
        _count(control, entry, reached)
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
            n_touched = touch(units, modes, unit, now, instant, touched, n_touched)
            receive(
                units[unit],
                modes,
                tables.weight[weight_at + k],
                link.spread,
                link.receptor,
                entry.kind,
                entry.times,
            )
            k += 1
        _count(control, entry, k - begin)
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
    population = populations[u.population]
    if population.logged:
        entry = log[control[N_LOG]]
        entry.time = now
        entry.unit = unit
        entry.times = times
        control[N_LOG] += 1
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
