"""Potentials of single neurons after a run, from the spikes that reached them.

Once the spikes of all its sources are known a neuron can be run alone
(:mod:`eventsim.engine.alone`). That gives its exact potential without the queue engine, whatever
engine found the spikes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from eventsim.dynamics.exponentials import MODE
from eventsim.engine.alone import ARRIVAL, STEP_KIND, next_instant, write_knot
from eventsim.engine.compiled import TEST, CompiledNetwork, compile_network
from eventsim.engine.modal import next_event, threshold_of
from eventsim.jit import njit
from eventsim.network import Network
from eventsim.populations import Population
from eventsim.projections import Projection, Rows
from eventsim.recording import SpikeTrain
from eventsim.trace import Trace

__all__ = ["replay", "trace_of"]


@njit
def _run_alone(units, modes, links, arrivals, t_start, t_stop, knots):
    """Knots of the one neuron in ``units`` and their number."""
    u = units[0]
    u.own, u.next_time = TEST, t_start
    if u.x < threshold_of(u, modes):
        u.next_time = next_event(u, modes, t_start)
    i, n = np.int64(0 if arrivals.size else -1), np.int64(0)
    times = np.int64(0)
    while times >= 0:
        if n == len(knots):
            # Numba's own copy of a slice takes 4 s more to compile, for its error message.
            longer = np.empty((2 * n, knots.shape[1]))
            for row in range(n):
                for column in range(knots.shape[1]):
                    longer[row, column] = knots[row, column]
            knots = longer
        write_knot(knots, n, u, modes, u.t_last)
        n += 1
        i, times = next_instant(u, modes, links, arrivals, i, t_stop)
    return knots, n


def _synapses(net: Network, name: str) -> list[tuple[int, Projection, Rows, NDArray[np.int64]]]:
    """Each projection into a population: index, itself, its rows, the source of each synapse."""
    found = []
    for index, link in enumerate(net.projections):
        if link.target == name:
            rows = link.rows(net[link.source].shape, net[name].shape)
            pre = np.repeat(np.arange(rows.indptr.size - 1), np.diff(rows.indptr))
            found.append((index, link, rows, pre))
    return found


def _events(
    synapses: list[tuple[int, Projection, Rows, NDArray[np.int64]]],
    neuron: int,
    spikes: Mapping[str, SpikeTrain],
    steps: NDArray[np.float64],
) -> NDArray[np.void]:
    """Everything that reaches one neuron, in the order in which an instant sums it."""
    own = steps[steps[:, 1] == neuron]
    part = np.zeros(len(own), dtype=ARRIVAL)
    part["time"], part["weight"], part["kind"] = own[:, 0], own[:, 2], STEP_KIND
    parts = [part]
    for index, link, rows, all_pre in synapses:
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
        arrival = np.zeros(spike.size, dtype=ARRIVAL)
        arrival["time"] = train.times[spike] + delay[synapse]
        arrival["weight"], arrival["link"], arrival["times"] = weight[synapse], index, 1
        # Ends of pulses come before arrivals of the same source.
        arrival["order"] = 2 * (index * 2**32 + train.senders[spike]) + 1
        parts.append(arrival)
        if spread > 0:
            end = arrival.copy()
            end["time"] += spread
            end["kind"] = 1
            end["order"] -= 1
            parts.append(end)
    events = np.concatenate(parts)
    events = events[np.lexsort((events["order"], events["time"]))]
    events["next"] = np.arange(1, events.size + 1)
    events["next"][-1:] = -1
    return events


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
        unit = arrays.units[offset + neuron : offset + neuron + 1].copy()
        at, count = int(unit["mode_at"][0]), int(unit["n_modes"][0])
        modes = arrays.modes[at : at + count].copy() if arrays.modes is not None else None
        unit["mode_at"] = 0
        unit["t_last"] = t_start
        knots = np.zeros((events.size + 64, 4 + count))
        knots, n = _run_alone(unit, modes, arrays.links, events, t_start, t_stop, knots)
        all_knots.append(knots[:n].copy())
    return trace_of(arrays, population, offset, neurons, all_knots, t_start, t_stop)


def trace_of(
    arrays: CompiledNetwork,
    population: Population,
    offset: int,
    neurons: NDArray[np.int64],
    knots: list[NDArray[np.float64]],
    t_start: float,
    t_end: float,
) -> Trace:
    """The trace of some neurons of a population whose first unit is ``offset``."""
    units = arrays.units[offset + neurons]
    count = int(max(units["n_modes"], default=0))
    table = np.zeros(0, dtype=MODE) if arrays.modes is None else arrays.modes
    modes = table[units["mode_at"][:, None] + np.arange(count)]
    return Trace(
        neurons,
        knots,
        population.array("tau_mem")[neurons],
        population.array("v_leak")[neurons],
        population.array("v_threshold")[neurons],
        t_start,
        t_end,
        np.stack([modes[field] for field in ("tau", "gain", "lift")], axis=-1),
    )
