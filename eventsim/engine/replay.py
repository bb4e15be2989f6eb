"""Potentials of single neurons after a run, from the spikes that reached them.

Once the spikes of all its sources are known a neuron can be run alone. That gives its exact
potential without the queue engine, whatever engine found the spikes. The same functions advance it
(:mod:`eventsim.engine.neurons`), in the order in which an engine would.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.compiled import compile_network
from eventsim.engine.neurons import drive_of, fires, move_to, next_event, receive, reset
from eventsim.jit import njit
from eventsim.network import Network
from eventsim.populations import Population
from eventsim.projections import Projection, Rows
from eventsim.recording import SpikeTrain
from eventsim.trace import Trace

__all__ = ["replay"]

_EVENT = np.dtype(
    [
        ("time", np.float64),
        ("order", np.int64),
        ("kind", np.int64),
        ("weight", np.float64),
        ("spread", np.float64),
    ]
)

#: A step of a current among the events of a neuron; others are 0 arrival, 1 end of a pulse.
_STEP = 2


@njit
def _put(knots, n, u, now):
    knots[n, 0] = now
    knots[n, 1] = u.x
    knots[n, 2] = drive_of(u)
    knots[n, 3] = u.ref_until


@njit
def _follow(u, events, t_start, t_stop, knots):
    """Knots of one neuron; their number, or -1 when ``knots`` is too short."""
    n, i, now = np.int64(0), 0, t_start
    _put(knots, n, u, t_start)
    n += 1
    own = t_start if u.x >= u.theta else next_event(u, now)
    while True:
        crossing = own
        now = crossing
        if i < events.size:
            now = min(now, events[i].time)
        if not now < t_stop:
            return n
        if n == len(knots):
            return -1
        move_to(u, now)
        u.acc = 0.0
        while i < events.size and events[i].time == now:
            event = events[i]
            if event.kind == _STEP:
                u.current = u.bias + u.gain * event.weight
            else:
                receive(u, event.weight, event.spread, event.kind, 1)
            i += 1
        if u.ref_until <= now:
            if crossing == now and u.x < u.theta:
                u.x = u.theta
            u.x += u.acc
            if fires(u, u.x):
                reset(u, now)
        own = next_event(u, now)
        _put(knots, n, u, now)
        n += 1


def _synapses(net: Network, name: str) -> list[tuple[Projection, Rows, NDArray[np.int64]]]:
    """Each projection into a population with its rows and the source of each synapse."""
    found = []
    for link in net.projections:
        if link.target == name:
            rows = link.rows(net[link.source].shape, net[name].shape)
            pre = np.repeat(np.arange(rows.indptr.size - 1), np.diff(rows.indptr))
            found.append((link, rows, pre))
    return found


def _events(
    synapses: list[tuple[Projection, Rows, NDArray[np.int64]]],
    neuron: int,
    spikes: Mapping[str, SpikeTrain],
    steps: NDArray[np.float64],
) -> NDArray[np.void]:
    """Everything that reaches one neuron, in the order in which an instant sums it."""
    own = steps[steps[:, 1] == neuron]
    part = np.zeros(len(own), dtype=_EVENT)
    part["time"], part["weight"], part["kind"] = own[:, 0], own[:, 2], _STEP
    parts = [part]
    for rank, (link, rows, all_pre) in enumerate(synapses):
        mine = np.flatnonzero(rows.post == neuron)
        pre, weight = all_pre[mine], rows.weight[mine]
        delay = rows.delay[mine] if rows.delay.size > 1 else np.repeat(rows.delay, mine.size)
        # Synapses come by source, so those of one spike are a run of them.
        train = spikes[link.source]
        first = np.searchsorted(pre, train.senders, side="left")
        count = np.searchsorted(pre, train.senders, side="right") - first
        spike = np.repeat(np.arange(len(train)), count)
        synapse = np.arange(spike.size) + np.repeat(first - np.cumsum(count) + count, count)
        spread = link.spread  # type: ignore[attr-defined]
        arrival = np.zeros(spike.size, dtype=_EVENT)
        arrival["time"] = train.times[spike] + delay[synapse]
        arrival["weight"], arrival["spread"] = weight[synapse], spread
        # Ends of pulses come before arrivals of the same source.
        arrival["order"] = 2 * (rank * 2**32 + train.senders[spike]) + 1
        parts.append(arrival)
        if spread > 0:
            end = arrival.copy()
            end["time"] += spread
            end["kind"] = 1
            end["order"] -= 1
            parts.append(end)
    events = np.concatenate(parts)
    return events[np.lexsort((events["order"], events["time"]))]


def replay(
    net: Network,
    name: str,
    neurons: NDArray[np.int64],
    spikes: Mapping[str, SpikeTrain],
    steps: NDArray[np.float64],
    t_start: float,
    t_stop: float,
) -> Trace:
    """Trace of some neurons of population ``name``, given the spikes of all its sources."""
    population = net[name]
    assert isinstance(population, Population)
    arrays = compile_network(net)
    index = [p.name for p in net.populations].index(name)
    offset = arrays.populations["offset"][index]
    synapses = _synapses(net, name)
    all_knots = []
    for neuron in neurons:
        events = _events(synapses, int(neuron), spikes, steps)
        n = -1
        room = events.size + 64
        while n < 0:
            unit = arrays.units[offset + neuron : offset + neuron + 1].copy()
            unit["t_last"] = t_start
            knots = np.zeros((room, 4))
            n = _follow(unit[0], events, t_start, t_stop, knots)
            room *= 2
        all_knots.append(knots[:n].copy())
    return Trace(
        neurons,
        all_knots,
        population.array("tau_mem")[neurons],
        population.array("v_leak")[neurons],
        population.array("v_threshold")[neurons],
        t_start,
        t_stop,
    )
