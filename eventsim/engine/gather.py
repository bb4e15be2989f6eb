"""From rows of synapses under way to lists of what reaches each neuron in a window."""

from __future__ import annotations

import numpy as np

from eventsim.engine.alone import STEP_KIND
from eventsim.engine.compiled import CONV, DENSE
from eventsim.engine.heap import copy, pending_pop, pending_push
from eventsim.engine.reach import conv_targets
from eventsim.jit import inner, maker

__all__ = ["first_arrival", "gather", "room", "sort_list", "steps_in", "take"]


@maker
def room(rows, used, wanted):
    """The same rows in a buffer that has room for more."""
    if rows.size > used + wanted:
        return rows
    new = np.empty(2 * (used + wanted) + 64, rows.dtype)
    for i in range(used):
        new[i] = rows[i]
    return new


@inner
def first_arrival(net, row):
    """When the first of the synapses that are left in a row arrives, or its pulse ends there."""
    link = net.links[row.link]
    delay = link.delay
    if np.isnan(delay):
        delay = net.tables.delay[link.delay_at + row.first]
    time = row.origin + delay
    return time + link.spread if row.kind == 1 else time


@maker
def take(net, w, rows, which, t_end, sorted_rows):
    """Sort the rows that reach a population before ``t_end``; those that end there leave."""
    n, kept = np.int64(0), np.int64(0)
    sorted_rows = room(sorted_rows, np.int64(0), 2 * w.n_rows + 2)
    heap = sorted_rows[w.n_rows :]
    for i in range(w.n_rows):
        row = rows[i]
        if row.time < t_end and net.links[row.link].target == which:
            pending_push(
                heap, n, row.time, row.origin, row.link, row.source, row.first, row.kind, row.times
            )
            n += 1
        else:
            copy(rows[kept], row)
            kept += 1
    w.n_rows = kept
    for i in range(n):
        pending_pop(heap, n - i, sorted_rows[i])
    return sorted_rows, n


@inner
def _fan(net, row):
    """Synapses of a row, or more."""
    link = net.links[row.link]
    if link.kind == DENSE:
        return link.n_post
    if link.kind == CONV:
        return link.k_y * link.k_x * (link.out_c // link.groups)
    return net.tables.indptr[link.row_at + row.source + 1] - row.first


@inner
def _deposit(state, buffer, n, n_touched, unit, time, weight, order, link, kind, times):
    """Append an arrival to the list of a neuron; returns the number of neurons that have one."""
    heads, tails = state.heads, state.tails
    a = buffer[n]
    a.time = time
    a.weight = weight
    a.order = order
    a.link = link
    a.kind = kind
    a.times = times
    a.next = -1
    if heads[unit] < 0:
        heads[unit] = tails[unit] = n
        state.mixed[unit] = False
        state.touched[n_touched] = unit
        return n_touched + 1
    b = buffer[tails[unit]]
    b.next = n
    tails[unit] = n
    if b.time > time or (b.time == time and b.order > order):
        state.mixed[unit] = True
    return n_touched


@inner
def sort_list(buffer, head):
    """Merge sort of a list by (time, order), stable, from runs of one upwards; its new head."""
    run = 1
    while True:
        left, head, tail, merges = head, -1, -1, 0
        while left >= 0:
            merges += 1
            right, n_left = left, 0
            while n_left < run and right >= 0:
                right = buffer[right].next
                n_left += 1
            n_right = run
            while n_left > 0 or (n_right > 0 and right >= 0):
                a, b = buffer[left], buffer[right]
                if n_left > 0 and (
                    n_right == 0
                    or right < 0
                    or a.time < b.time
                    or (a.time == b.time and a.order <= b.order)
                ):
                    chosen, left = left, a.next
                    n_left -= 1
                else:
                    chosen, right = right, b.next
                    n_right -= 1
                if tail < 0:
                    head = chosen
                else:
                    buffer[tail].next = chosen
                tail = chosen
            left = right
        buffer[tail].next = -1
        if merges <= 1:
            return head
        run *= 2


@inner
def _unfold(net, state, row, t_end, buffer, n, n_touched):
    """Put the synapses of a row that arrive before ``t_end`` into the lists of their targets.

    Returns the number of entries of ``buffer``, that of lists, and whether any synapses are left.
    """
    link, tables, reach = net.links[row.link], net.tables, state.reach
    order = 2 * (row.link * 2**32 + row.source) + (1 - row.kind)
    if link.kind == CONV:
        per_out = link.out_c // link.groups
        for i in range(conv_targets(link, row.source, reach[0], reach[1])):
            pixel, group = reach[0, i] // link.groups, reach[0, i] % link.groups
            unit = link.first_unit + group * per_out * link.out_y * link.out_x + pixel
            for k in range(per_out):
                weight = tables.weight[link.weight_at + reach[1, i] + k]
                n_touched = _deposit(
                    state, buffer, n, n_touched, unit, row.time, weight, order, row.link, row.kind,
                    row.times,
                )  # fmt: skip
                unit += link.out_y * link.out_x
                n += 1
        return n, n_touched, False
    if link.kind == DENSE:
        at = link.weight_at + row.source * link.n_post
        for k in range(link.n_post):
            n_touched = _deposit(
                state, buffer, n, n_touched, link.first_unit + k, row.time,
                tables.weight[at + k], order, row.link, row.kind, row.times,
            )  # fmt: skip
            n += 1
        return n, n_touched, False
    stop = tables.indptr[link.row_at + row.source + 1]
    own, time = np.isnan(link.delay), row.time
    for k in range(row.first, stop):
        if own:
            time = row.origin + tables.delay[link.delay_at + k]
            if row.kind == 1:
                time += link.spread
            if not time < t_end:
                row.first = k
                row.time = time
                return n, n_touched, True
        unit = link.first_unit + tables.post[link.post_at + k]
        n_touched = _deposit(
            state, buffer, n, n_touched, unit, time, tables.weight[link.weight_at + k], order,
            row.link, row.kind, row.times,
        )  # fmt: skip
        n += 1
    return n, n_touched, False


@maker
def gather(net, state, rows, chosen, n_chosen, buffer, t_end):
    """Lists of what reaches each neuron before ``t_end``; rows that are not used up stay."""
    w = state.window[0]
    wanted = np.int64(0)
    for i in range(n_chosen):
        wanted += _fan(net, chosen[i])
    buffer = room(buffer, np.int64(0), wanted)
    n, n_touched = np.int64(0), np.int64(0)
    for i in range(n_chosen):
        row = chosen[i]
        begin = n
        n, n_touched, left = _unfold(net, state, row, t_end, buffer, n, n_touched)
        w.work += (n - begin) * row.times
        if row.kind == 0:
            w.events += (n - begin) * row.times
        if left:
            copy(rows[w.n_rows], row)  # there is room: it was taken from there
            w.n_rows += 1
    return buffer, n_touched, n


@maker
def steps_in(state, steps, population, t_end, buffer, n_touched, n):
    """Steps of currents as arrivals, before all others of their instant."""
    w = state.window[0]
    last = w.stepped
    while last < steps.size and steps[last].time < t_end:
        last += 1
    buffer = room(buffer, n, last - w.stepped)
    for i in range(w.stepped, last):
        unit = steps[i].unit
        if population.offset <= unit < population.stop:
            n_touched = _deposit(
                state, buffer, n, n_touched, unit, steps[i].time, steps[i].value, np.int64(-1),
                np.int64(0), np.int64(STEP_KIND), np.int64(1),
            )  # fmt: skip
            n += 1
    return buffer, n_touched, n
