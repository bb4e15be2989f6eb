"""A slow and obvious simulator: the meaning of a network in plain Python floats.

It shares no numerical code with the engines. Each neuron keeps a list of what is still to come
(arrivals, ends of pulses, steps of its current, its end of refractoriness, its next crossing), a
heap of ``(time, place of the population in the order of an instant, neuron)`` says who is next,
and each synapse is delivered one by one. What happens to a neuron at an instant stands in
``naive_neuron``, how it moves between two instants, and the search for crossings, in
``naive_motion``.

Beside each potential, current, threshold and spike time goes an estimate of its rounding error:
zero for what is copied or computed without rounding. ``margin`` is the smallest distance of any
decision from its threshold, and of any two instants of a neuron that are not copies of one
another, measured in these errors. A large margin says that no correct arithmetic decides otherwise.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import eventsim as es
from tests.naive_neuron import Knot, Neuron, Runaway
from tests.naive_units import INF, Arrival, InputUnit, Margin, RelayUnit, Unit, later

__all__ = ["NaiveResult", "Runaway", "simulate"]


@dataclass
class NaiveResult:
    """Spikes ``(t, sender)`` of each population in order, the error of each time, the margin."""

    spikes: dict[str, list[tuple[float, int]]]
    errors: dict[str, list[float]]
    margin: float
    n_events: int
    units: dict[str, Sequence[Unit]]

    def times(self, name: str = "out", neuron: int = 0) -> list[float]:
        """Spike times of one neuron."""
        return [t for t, sender in self.spikes[name] if sender == neuron]

    def knots(self, name: str, neuron: int) -> list[Knot]:
        """States of one neuron after each of its instants."""
        unit = self.units[name][neuron]
        assert isinstance(unit, Neuron)
        return unit.knots

    def v_at(self, name: str, neuron: int, times: Sequence[float]) -> list[float]:
        """Right-continuous potential of one neuron."""
        return [v for v, _ in self.v_and_error_at(name, neuron, times)]

    def v_and_error_at(
        self, name: str, neuron: int, times: Sequence[float]
    ) -> list[tuple[float, float]]:
        """Potential and the error of it."""
        knots = self.knots(name, neuron)
        values = []
        for t in times:
            knot = knots[bisect_right([k.t for k in knots], t) - 1]
            if t < knot.refractory_until:
                values.append((knot.v, knot.error))
            else:
                values.append(knot.motion.potential(t - knot.t))
        return values


def simulate(
    net: es.Network,
    inputs: Mapping[str, Any],
    t_stop: float,
    t_start: float = 0.0,
    currents: Mapping[str, Sequence[tuple[float, int, float]]] | None = None,
    max_events: int = 10**9,
) -> NaiveResult:
    """Run ``net`` over ``[t_start, t_stop)``."""
    margin = Margin()
    units = {p.name: _units(net, p, margin, currents or {}) for p in net.populations}
    place = {name: k for k, name in enumerate(net.order)}
    heap: list[tuple[float, int, int]] = []
    serial = count()
    for name, train in inputs.items():
        times, senders = (train.times, train.senders) if hasattr(train, "times") else train
        for t, i in zip(times, senders, strict=True):
            assert t >= t_start, "an input spike before the start"
            order = Arrival(-1, int(i), next(serial), 0.0, 0.0, None, 0.0)
            units[name][int(i)].arrivals.setdefault(float(t), []).append(order)
            heapq.heappush(heap, (float(t), place[name], int(i)))
    for name, members in units.items():
        for i, unit in enumerate(members):
            if isinstance(unit, Neuron):
                unit.start(t_start, t_stop)
                for t in (t_start, *(when for when, _ in unit.steps)):
                    heapq.heappush(heap, (t, place[name], i))

    fan_outs: dict[tuple[int, int], list[tuple[int, float, float]]] = {}

    def fan_out(index: int, i: int) -> list[tuple[int, float, float]]:
        if (index, i) not in fan_outs:
            link = net.projections[index]
            rows = link.fan_out(i, net[link.source].shape, net[link.target].shape)
            fan_outs[index, i] = [
                (int(j), float(w), float(d)) for j, w, d in zip(*rows, strict=True)
            ]
        return fan_outs[index, i]

    spikes: dict[str, list[tuple[float, int]]] = {p.name: [] for p in net.populations}
    errors: dict[str, list[float]] = {p.name: [] for p in net.populations}
    n_events = total_spikes = 0
    while heap and heap[0][0] < t_stop:
        t, where, i = heapq.heappop(heap)
        name = net.order[where]
        unit = units[name][i]
        if not isinstance(unit, InputUnit):
            n_events += len(unit.arrivals.get(t, ()))
        if max(n_events, total_spikes) > max_events:
            raise Runaway
        done = unit.handle(t)
        if done is None:
            continue
        n_spikes, error = done
        total_spikes += n_spikes
        soonest = min(unit.own_times(), default=INF)
        if soonest < INF:
            heapq.heappush(heap, (soonest, where, i))
        for _ in range(n_spikes):
            spikes[name].append((t, i))
            errors[name].append(error)
            for index, link in enumerate(net.projections):
                if link.source != name:
                    continue
                for j, weight, delay in fan_out(index, i):
                    arrives = t + delay
                    blur = error if delay == 0.0 else later(arrives, error)
                    spread = getattr(link, "spread", 0.0)
                    receptor = getattr(link, "receptor", None)
                    arrival = Arrival(index, i, next(serial), weight, spread, receptor, blur)
                    units[link.target][j].arrivals.setdefault(arrives, []).append(arrival)
                    heapq.heappush(heap, (arrives, place[link.target], j))
    for members in units.values():
        for unit in members:
            unit.finish()
            for t, arrivals in unit.arrivals.items():
                margin.note(t - t_stop, max(a.error for a in arrivals))
    return NaiveResult(spikes, errors, margin.value, n_events, units)


def _units(
    net: es.Network,
    population: Any,
    margin: Margin,
    currents: Mapping[str, Sequence[tuple[float, int, float]]],
) -> list[Any]:
    name = population.name
    if isinstance(population, es.Input):
        return [InputUnit(margin) for _ in range(population.n)]
    if isinstance(population, es.Population):
        steps = currents.get(name, [])
        return [
            Neuron(population, i, margin, [(float(t), float(a)) for t, j, a in steps if j == i])
            for i in range(population.n)
        ]
    pools = [link for link in net.projections if link.target == name]
    if not pools:
        return [RelayUnit(margin, "every_spike", 0.0, []) for _ in range(population.n)]
    (pool,) = pools
    assert isinstance(pool, es.MaxPool2d)
    source = net[pool.source]
    window = pool.window
    if window is None:
        window = float(source.array("t_ref").max()) if isinstance(source, es.Population) else 0.0
    sources: list[list[int]] = [[] for _ in range(population.n)]
    for i in range(source.n):
        for j in pool.fan_out(i, source.shape, population.shape)[0]:
            sources[int(j)].append(i)
    return [RelayUnit(margin, pool.rule, window, sources[j]) for j in range(population.n)]
