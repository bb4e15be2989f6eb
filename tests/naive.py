"""A slow and obvious simulator: the meaning of a network in plain Python floats.

It shares no numerical code with the engines. Each neuron keeps a list of what is still to come
(arrivals, ends of pulses, steps of its current, its end of refractoriness, its next crossing), a
heap of ``(time, place of the population in the order of an instant, neuron)`` says who is next,
and each synapse is delivered one by one.

Beside each potential and each spike time goes an estimate of its rounding error: zero for what
is copied or computed without rounding. ``margin`` is the smallest distance of any decision from
its threshold, and of any two instants of a neuron that are not copies of one another, measured
in these errors. A large margin says that no correct arithmetic decides otherwise.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import eventsim as es

ULP = 2.0**-52
INF = math.inf


class Runaway(Exception):
    """More arrivals than the caller allows."""


class Arrival(NamedTuple):
    """One synapse's share of an instant; sorts as the contract sums."""

    projection: int
    source: int
    serial: int
    weight: float
    spread: float
    error: float


class Pulse(NamedTuple):
    """Something that adds ``rate`` to dv/dt until ``end``."""

    end: float
    rate: float
    error: float


class Knot(NamedTuple):
    """State of a neuron just after an instant."""

    t: float
    v: float
    drive: float
    refractory_until: float
    error: float


@dataclass
class Margin:
    """Smallest distance of a decision, in units of its error."""

    value: float = INF

    def note(self, distance: float, error: float) -> None:
        if error > 0.0:
            self.value = min(self.value, abs(distance) / error)

    def note_instants(self, t: float, errors: set[float], last: tuple[float, float]) -> None:
        """Instants of one unit: copies of one time share its error, other ones keep apart."""
        if len(errors) > 1:
            self.value = 0.0
        self.note(t - last[0], last[1] + max(errors))


@dataclass
class Unit:
    """What every unit has: arrivals to come, and when it was last looked at."""

    margin: Margin
    arrivals: dict[float, list[Arrival]] = field(default_factory=dict)
    last: tuple[float, float] = (-INF, 0.0)

    def own_times(self) -> list[float]:
        """When this unit has to be looked at, arrivals apart."""
        return []

    def handle(self, t: float) -> tuple[int, float] | None:
        """Everything of the instant ``t``: number of spikes and the error of their time.

        None if nothing is due.
        """
        raise NotImplementedError


class InputUnit(Unit):
    """Spikes when told to; an arrival is the order to spike."""

    def handle(self, t: float) -> tuple[int, float] | None:
        return len(self.arrivals.pop(t, [])), 0.0


class RelayUnit(Unit):
    """One window of a MaxPool2d."""

    def __init__(self, margin: Margin, rule: str, window: float, sources: list[int]) -> None:
        super().__init__(margin)
        self.rule, self.window = rule, window
        self.counts = dict.fromkeys(sources, 0)
        self.open_at, self.open_error = -INF, 0.0

    def handle(self, t: float) -> tuple[int, float] | None:
        arrivals = self.arrivals.pop(t, [])
        if not arrivals:
            return None
        errors = {a.error for a in arrivals}
        error = max(errors)
        self.margin.note_instants(t, errors, self.last)
        self.last = (t, error)
        for a in arrivals:
            self.counts[a.source] += 1
        if self.rule == "every_spike":
            return 1, error
        if self.rule == "leader":
            most = max(self.counts.values())
            return int(any(self.counts[a.source] == most for a in arrivals)), error
        self.margin.note(t - self.open_at, self.open_error + error if self.open_error else 0.0)
        if t < self.open_at:
            return 0, error
        self.open_at, self.open_error = t + self.window, later(t + self.window, error)
        return 1, error


class Neuron(Unit):
    """One neuron of a Population."""

    def __init__(
        self, population: es.Population, i: int, margin: Margin, steps: list[tuple[float, float]]
    ) -> None:
        super().__init__(margin)

        def value(name: str) -> float:
            return float(population.array(name)[i])

        self.tau, self.threshold, self.v_reset = (
            value("tau_mem"),
            value("v_threshold"),
            value("v_reset"),
        )
        self.leak, self.t_ref = value("v_leak"), value("t_ref")
        self.r, self.bias = value("r"), value("i_bias")
        self.subtract = population.reset == "subtract"
        self.multi_spike = population.multi_spike
        self.fires_at_equality = population.fires_at_equality
        self.steps = sorted(steps)
        self.current = 0.0
        self.pulses: list[Pulse] = []
        self.v = value("v_init")
        self.t = -INF
        self.error = self.offset_error()
        self.refractory_until, self.refractory_error = -INF, 0.0
        self.crossing, self.crossing_error = INF, 0.0
        self.knots: list[Knot] = []

    def start(self, t: float) -> None:
        """Say that the run starts at ``t``: the first instant."""
        self.t = self.crossing = t

    def offset_error(self) -> float:
        """What is lost by measuring from the resting potential instead of from zero."""
        if self.leak == 0.0 or self.threshold == INF:
            return 0.0
        return sum(rounding(v, -self.leak) for v in (self.threshold, self.v_reset, self.v))

    def drive(self) -> float:
        """dv/dt without the leak."""
        constant = self.r * (self.bias + self.current) / (1.0 if self.tau == INF else self.tau)
        return math.fsum([constant, *(pulse.rate for pulse in self.pulses)])

    def slope(self) -> float:
        """dv/dt now, when not refractory."""
        leak = 0.0 if self.tau == INF else (self.v - self.leak) / self.tau
        return self.drive() - leak

    def rises(self) -> bool:
        """Whether the potential, left alone, ends above the threshold."""
        if self.tau == INF:
            return self.drive() > 0.0 and self.threshold < INF
        return self.leak + self.drive() * self.tau > self.threshold

    def own_times(self) -> list[float]:
        return [
            *(pulse.end for pulse in self.pulses),
            *(t for t, _ in self.steps),
            self.refractory_until,
            self.crossing,
        ]

    def handle(self, t: float) -> tuple[int, float] | None:
        arrivals = sorted(self.arrivals.pop(t, []))
        ended = [pulse for pulse in self.pulses if pulse.end == t]
        values = [value for when, value in self.steps if when == t]
        wakes = self.refractory_until == t and self.last[0] < t
        crosses = self.crossing == t
        if not (arrivals or ended or values or wakes or crosses):
            return None
        first = not self.knots
        errors = {a.error for a in arrivals} | {pulse.error for pulse in ended}
        errors |= {0.0} if values else set()
        errors |= {self.refractory_error} if wakes else set()
        errors |= {self.crossing_error} if crosses else set()
        error = max(errors)
        self.margin.note_instants(t, errors, self.last)
        self.last = (t, error)

        moving = t > self.refractory_until and not first
        slope_before = 0.0
        if moving:
            self.v, self.error = self.ahead(t)
            if crosses:
                self.v, self.error = self.threshold, ULP * abs(self.threshold)
            slope_before = self.slope()
        self.t = t

        self.pulses = [pulse for pulse in self.pulses if pulse.end != t]
        self.steps = [step for step in self.steps if step[0] != t]
        for value in values:
            self.current = value
        total = 0.0
        for a in arrivals:
            if a.spread > 0.0:
                end = t + a.spread
                self.pulses.append(Pulse(end, a.weight / a.spread, later(end, a.error)))
            else:
                self.error += rounding(total, a.weight)
                total += a.weight

        refractory = t < self.refractory_until
        spikes = 0
        if not refractory:
            self.error += rounding(self.v, total)
            self.v += total
            self.error += abs(slope_before) * error
            only_crossing = crosses and not first and not (arrivals or ended or values or wakes)
            while self.fires(only_crossing and spikes == 0):
                spikes += 1
                self.reset()
                if not self.multi_spike:
                    break
            if spikes and self.t_ref > 0.0:
                self.refractory_until = t + self.t_ref
                self.refractory_error = later(self.refractory_until, error)
                refractory = True
        if not refractory:
            self.error += abs(self.slope()) * error
        self.predict(refractory)
        self.knots.append(Knot(t, self.v, self.drive(), self.refractory_until, self.error))
        return spikes, error

    def fires(self, certain: bool) -> bool:
        """The test. The margin of a test at the neuron's own crossing is in that time."""
        if not certain:
            self.margin.note(self.v - self.threshold, self.error)
        if self.v == self.threshold:
            return certain or self.fires_at_equality or self.rises()
        return self.v > self.threshold

    def reset(self) -> None:
        if self.subtract:
            down = self.threshold - self.v_reset
            self.error += rounding(self.threshold, -self.v_reset) + rounding(self.v, -down)
            self.v -= down
        else:
            self.v, self.error = self.v_reset, self.offset_error()

    def predict(self, refractory: bool) -> None:
        """When the drive alone lifts the neuron to its threshold."""
        self.crossing, self.crossing_error = INF, 0.0
        if refractory or self.threshold == INF:
            return
        drive, rises = self.drive(), self.rises()
        rest = self.leak + drive * self.tau if self.tau < INF else 0.0
        if rises:
            self.margin.note(self.v - self.threshold, self.error)
        if self.v >= self.threshold:
            return
        if drive != 0.0 and self.tau < INF:
            self.margin.note(rest - self.threshold, 4 * ULP * (abs(rest) + abs(self.threshold)))
        if not rises:
            return
        way = self.threshold - self.v
        if self.tau == INF:
            wait, slope = way / drive, drive
        else:
            wait = self.tau * math.log1p(way / (rest - self.threshold))
            slope = (rest - self.threshold) / self.tau
        self.crossing = self.t + wait
        blur = self.ahead(self.crossing)[1] + 4 * ULP * (abs(self.threshold) + abs(rest))
        self.crossing_error = blur / slope + 2 * ULP * (abs(self.t) + wait)

    def ahead(self, t: float) -> tuple[float, float]:
        """Potential at ``t`` if nothing happens, and its error."""
        return advanced(self.v, self.error, self.drive(), t - self.t, self.tau, self.leak)


def advanced(
    v: float, error: float, drive: float, h: float, tau: float, leak: float
) -> tuple[float, float]:
    """Potential after ``h`` seconds of constant drive, and its error."""
    x = v - leak
    if h == 0.0 or (x == 0.0 and drive == 0.0):
        return v, error
    if tau == INF:
        if drive == 0.0:
            return v, error
        return v + drive * h, error + 2 * ULP * (abs(drive) * h + abs(v))
    decay = math.exp(-h / tau)
    new = leak + x * decay + drive * tau * -math.expm1(-h / tau)
    blur = abs(x) * decay * (1 + h / tau) + abs(drive) * min(h, tau) + abs(leak)
    return new, error * decay + 2 * ULP * blur


def rounding(a: float, b: float) -> float:
    """What the float sum ``a + b`` loses, exactly."""
    return abs(math.fsum([a, b, -(a + b)]))


def later(t: float, error: float) -> float:
    """Error of a float sum ``t`` that started from a time with this error."""
    return error + ULP * abs(t) if error > 0.0 else 0.0


@dataclass
class NaiveResult:
    """Spikes ``(t, sender)`` of each population in order, the error of each time, the margin."""

    spikes: dict[str, list[tuple[float, int]]]
    errors: dict[str, list[float]]
    margin: float
    n_events: int
    units: dict[str, Sequence[Unit]]

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
        unit, knots = self.units[name][neuron], self.knots(name, neuron)
        assert isinstance(unit, Neuron)
        values = []
        for t in times:
            knot = knots[bisect_right([k.t for k in knots], t) - 1]
            if t < knot.refractory_until:
                values.append((knot.v, knot.error))
            else:
                h = t - knot.t
                values.append(advanced(knot.v, knot.error, knot.drive, h, unit.tau, unit.leak))
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
            order = Arrival(-1, int(i), next(serial), 0.0, 0.0, 0.0)
            units[name][int(i)].arrivals.setdefault(float(t), []).append(order)
            heapq.heappush(heap, (float(t), place[name], int(i)))
    for name, members in units.items():
        for i, unit in enumerate(members):
            if isinstance(unit, Neuron):
                unit.start(t_start)
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
    n_events = 0
    while heap and heap[0][0] < t_stop:
        t, where, i = heapq.heappop(heap)
        name = net.order[where]
        unit = units[name][i]
        if not isinstance(unit, InputUnit):
            n_events += len(unit.arrivals.get(t, ()))
        if n_events > max_events:
            raise Runaway
        done = unit.handle(t)
        if done is None:
            continue
        n_spikes, error = done
        for when in unit.own_times():
            if t <= when < INF:
                heapq.heappush(heap, (when, where, i))
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
                    arrival = Arrival(index, i, next(serial), weight, spread, blur)
                    units[link.target][j].arrivals.setdefault(arrives, []).append(arrival)
                    heapq.heappush(heap, (arrives, place[link.target], j))
    for members in units.values():
        for unit in members:
            if isinstance(unit, Neuron) and unit.crossing < INF:
                margin.note(unit.crossing - t_stop, unit.crossing_error)
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
