"""The general engine: a priority queue of events, for any network.

Time goes from instant to instant. The next instant is the earliest among the neurons' own next
events (an indexed heap), deliveries under way (a heap of rows, not of synapses), input spikes and
steps of currents. In an instant, populations are visited in topological order of the zero-delay
projections. Each sums what arrives, in network order and by ascending source, then tests every
neuron that was touched, once. Neurons that are not touched cost nothing: their state is advanced
when it is needed.

A neuron's own next event is exact (:mod:`eventsim.dynamics`), or a proven bound, which is looked
at again when it comes first in the heap; looking changes nothing of the neuron's state.

The kernel returns to Python between instants, after a number of synaptic events, so that progress,
budgets and Ctrl-C are handled there. All its state lies in arrays, so a run in pieces is the same
computation as a run in one.
"""

from __future__ import annotations

import numpy as np

from eventsim.engine.compiled import BOUND, NEURONS, RELAY, TEST
from eventsim.engine.deliver import deliver, emit, sort_arrivals, touch
from eventsim.engine.heap import index_move, pending_pop
from eventsim.engine.modal import keep_modes, look_again, next_event, settle, threshold_of
from eventsim.engine.neurons import drive_of
from eventsim.engine.relay import visit_relay
from eventsim.engine.state import (
    BLAMED,
    EVENTS,
    FED,
    INSTANT,
    N_ARRIVALS,
    N_INDEX,
    N_LOG,
    N_PENDING,
    N_SAME,
    N_TRACE,
    STEPPED,
    WORK,
    room,
)
from eventsim.jit import inner, njit

__all__ = ["GROW", "PAUSED", "REACHED", "STUCK", "run", "start"]

#: Why the kernel returned: all instants before t_stop are done, its share of work is used up, a
#: buffer needs to grow, or a neuron fires faster than float64 time can resolve.
REACHED, PAUSED, GROW, STUCK = range(4)

#: More instants in a row at one time than this are taken for endless.
MAX_INSTANTS = 100_000

_room = inner(room)


@inner
def _record(state, u, unit, now):
    control = state.control
    entry = state.trace[control[N_TRACE]]
    entry.time = now
    entry.unit = unit
    entry.x = u.x
    entry.drive = drive_of(u)
    entry.ref_until = u.ref_until
    keep_modes(u, state.modes, state.trace_modes[control[N_TRACE]])
    control[N_TRACE] += 1


@inner
def _visit_neurons(net, state, population, now, n_due, steps, n_order):
    """Bring what is due, what is reached and what is stepped to ``now``; their number."""
    units, modes, control = state.units, state.modes, state.control
    instant, n_touched = control[INSTANT], np.int64(0)
    for i in range(n_due):
        unit = state.due[i]
        if population.offset <= unit < population.stop:
            n_touched = touch(units, modes, unit, now, instant, state.touched, n_touched)
            units[unit].crossed = instant
    for i in range(n_order):
        entry = state.arrivals[state.order[i]]
        n_touched = deliver(
            units,
            modes,
            net.links[entry.link],
            net.tables,
            state.pending,
            control,
            entry,
            now,
            state.reach,
            state.touched,
            n_touched,
        )
    for i in range(control[STEPPED], steps.size):
        if steps[i].time != now:
            break
        unit = steps[i].unit
        if population.offset <= unit < population.stop:
            n_touched = touch(units, modes, unit, now, instant, state.touched, n_touched)
            u = units[unit]
            u.alone = False
            u.current = u.bias + u.gain * steps[i].value
    return n_touched


@inner
def _sort(values, n):
    """Sort the first ``n``; the usual case, sorted already, costs one look (shell sort)."""
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    for i in range(1, n):
        if values[i] < values[i - 1]:
            break
    else:
        return
    while gap > 0:
        for i in range(gap, n):
            value, k = values[i], i
            while k >= gap and values[k - gap] > value:
                values[k] = values[k - gap]
                k -= gap
            values[k] = value
        gap //= 3


@inner
def _visit(net, state, which, now, n_due, steps):
    """One population in one instant: gather, test each touched neuron once, predict anew."""
    units, control, population = state.units, state.control, state.populations[which]
    n_order = sort_arrivals(net.links, state.arrivals, control[N_ARRIVALS], state.order, which)
    relay = population.kind == RELAY
    if relay:
        n_touched, arrived = visit_relay(
            net.links,
            net.tables,
            units,
            state.heard,
            population,
            state.arrivals,
            state.order,
            n_order,
            control[INSTANT],
            now,
            state.touched,
        )
        control[WORK] += arrived
        control[EVENTS] += arrived
    else:
        n_touched = _visit_neurons(net, state, population, now, n_due, steps, n_order)
    _sort(state.touched, n_touched)
    for k in range(n_touched):
        unit = state.touched[k]
        u = units[unit]
        times = np.int64(1)
        if relay:
            u.ref_until = now + population.window
        else:
            times = settle(u, state.modes, now, u.crossed == control[INSTANT])
        if times < 0:
            control[BLAMED] = unit
            return
        if times > 0:
            emit(
                units,
                state.populations,
                net.links,
                net.tables,
                state.pending,
                state.arrivals,
                state.log,
                control,
                unit,
                now,
                times,
            )
        if relay:
            continue
        following = next_event(u, state.modes, now)
        if times > 0 and following <= now:
            control[BLAMED] = unit
        control[N_INDEX] = index_move(state.heap, control[N_INDEX], units, unit, following)
        if u.traced:
            _record(state, u, unit, now)


@njit
def start(net, state, t_start):
    """Schedule the first own event of each neuron; at t_start where it begins at threshold."""
    for unit in range(state.units.size):
        u = state.units[unit]
        if net.populations[u.population].kind != NEURONS:
            continue
        first = t_start
        if u.x < threshold_of(u, state.modes):
            first = next_event(u, state.modes, t_start)
        else:
            u.own = TEST
        state.control[N_INDEX] = index_move(
            state.heap, state.control[N_INDEX], state.units, unit, first
        )
        if u.traced:
            _record(state, u, unit, t_start)


@inner
def _next_time(state, feed, steps, t_stop):
    control = state.control
    now = np.inf
    if control[N_PENDING] > 0:
        now = state.pending[0].time
    if control[FED] < feed.size:
        now = min(now, feed[control[FED]].time)
    if control[STEPPED] < steps.size:
        now = min(now, steps[control[STEPPED]].time)
    while control[N_INDEX] > 0:
        unit = state.heap[0]
        u = state.units[unit]
        if u.own != BOUND or u.next_time > min(now, t_stop):
            return min(now, u.next_time)
        control[N_INDEX] = index_move(
            state.heap, control[N_INDEX], state.units, unit, look_again(u, state.modes)
        )
    return now


@inner
def _has_room(state, fan):
    n, control = state.units.size, state.control
    more, arriving = _room(n, fan, control[N_PENDING])
    return (
        state.pending.size > control[N_PENDING] + more
        and state.arrivals.size > arriving
        and state.order.size > arriving
        and (state.log.size == 0 or state.log.size > control[N_LOG] + n)
        and (state.trace.size == 0 or state.trace.size > control[N_TRACE] + n)
    )


@inner
def _gather(net, state, now, feed, steps):
    """Collect what happens now: deliveries under way, input spikes, own events, steps."""
    control, units, populations = state.control, state.units, state.populations
    for k in range(populations.size):
        populations[k].arrived = 0
    control[N_ARRIVALS] = 0
    while control[N_PENDING] > 0 and state.pending[0].time == now:
        entry = state.arrivals[control[N_ARRIVALS]]
        pending_pop(state.pending, control[N_PENDING], entry)
        control[N_PENDING] -= 1
        control[N_ARRIVALS] += 1
        populations[net.links[entry.link].target].arrived += 1
    while control[FED] < feed.size and feed[control[FED]].time == now:
        unit = feed[control[FED]].unit
        control[FED] += 1
        emit(
            units,
            populations,
            net.links,
            net.tables,
            state.pending,
            state.arrivals,
            state.log,
            control,
            unit,
            now,
            np.int64(1),
        )
    n_due = 0
    while control[N_INDEX] > 0 and units[state.heap[0]].next_time == now:
        unit = state.heap[0]
        control[N_INDEX] = index_move(state.heap, control[N_INDEX], units, unit, np.inf)
        populations[units[unit].population].arrived += 1
        state.due[n_due] = unit
        n_due += 1
    for i in range(control[STEPPED], steps.size):
        if steps[i].time != now:
            break
        populations[units[steps[i].unit].population].arrived += 1
    return n_due


@njit
def run(net, state, feed, steps, t_stop, max_work):
    """Handle every instant before ``t_stop``, or until so much work in all; says why it ended."""
    control = state.control
    fan = np.int64(0)
    for population in net.populations:
        fan = max(fan, population.out_stop - population.out_first)
    while True:
        now = _next_time(state, feed, steps, t_stop)
        if not now < t_stop:
            return REACHED
        if control[WORK] >= max_work:
            return PAUSED
        if not _has_room(state, fan):
            return GROW
        # Delays that vanish beside the time can keep a run at one time for ever.
        control[N_SAME] = control[N_SAME] + 1 if now == state.clock[0] else 0
        if control[N_SAME] > MAX_INSTANTS:
            control[BLAMED] = state.touched[0]
            return STUCK
        control[INSTANT] += 1
        state.clock[0] = now
        n_due = _gather(net, state, now, feed, steps)
        for which in net.tables.order:
            if state.populations[which].arrived > 0:
                _visit(net, state, which, now, n_due, steps)
        while control[STEPPED] < steps.size and steps[control[STEPPED]].time == now:
            control[STEPPED] += 1
        if control[BLAMED] >= 0:
            return STUCK
