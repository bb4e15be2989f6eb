"""A slow clock-driven run: one step, one neuron, one synapse after the other.

``margin`` is the smallest distance of a tested potential from its threshold, relative to the
threshold. One of exactly zero does not count while a potential is a sum of deltas alone, which
every order of the same additions rounds alike in these tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import mpmath

import eventsim as es


class Runaway(Exception):
    """More arrivals or spikes than the caller allows."""


class Cycle(Exception):
    """Populations that reach each other in the same instant."""


@dataclass
class Stepped:
    """Spikes ``(step, unit)`` of each population in order, and how narrow the decisions were."""

    spikes: dict[str, list[tuple[int, int]]]
    margin: float
    n_events: int


def steps_of(duration, dt, least=0):
    return max(round(duration / dt), least) if duration > 0.0 else 0


def step_at(time, dt):
    """The first step that is not before a time."""
    near = round(time / dt)
    return near if abs(time / dt - near) < 1e-9 else math.ceil(time / dt)


def share(dt, tau, tau_mode):
    """What an exponential current of slope 1 has added to the potential after one step."""
    with mpmath.workdps(50):
        h, slow, fast = mpmath.mpf(dt), 1 / mpmath.mpf(tau_mode), 1 / mpmath.mpf(tau)
        if fast == slow:
            return float(h * mpmath.exp(-h * fast))
        return float((mpmath.exp(-h * slow) - mpmath.exp(-h * fast)) / (fast - slow))


@dataclass
class Decaying:
    value: float
    tau: float
    share: float


@dataclass
class Unit:
    """What has reached a unit: step -> arrivals (source, weight, width in steps, receptor)."""

    arrivals: dict[int, list[Any]] = field(default_factory=dict)


class Neuron(Unit):
    def __init__(self, p, i, dt, method):
        super().__init__()

        def value(name):
            return float(p.array(name)[i])

        def decaying(tau):
            return Decaying(0.0, tau, dt if method == "euler" else share(dt, self.tau, tau))

        self.p, self.dt, self.method = p, dt, method
        self.tau, self.leak, self.r = value("tau_mem"), value("v_leak"), value("r")
        self.threshold, self.v_reset = value("v_threshold"), value("v_reset")
        self.hold = steps_of(value("t_ref"), dt, least=1)
        self.beta, self.ahp_jump = value("adapt_beta"), value("ahp_jump")
        self.bias, self.current, self.v = value("i_bias"), 0.0, value("v_init")
        self.receptors = [decaying(float(row[i])) for row in p.receptor_times]
        self.b, self.w = decaying(value("tau_adapt")), decaying(value("tau_ahp"))
        self.pulses = []  # (last step + 1, slope)
        self.held = 0
        self.rounded = False

    def move(self, step):
        """Over the step that ends at grid time ``step``."""
        scale = 1.0 if math.isinf(self.tau) else 1.0 / self.tau
        slope = scale * self.r * (self.bias + self.current) + math.fsum(s for _, s in self.pulses)
        forces = [(x, scale * self.r) for x in self.receptors] + [(self.w, -scale * self.r)]
        if self.held < step:
            before, leaking = self.v, not math.isinf(self.tau)
            if self.method == "euler":
                leak = (self.v - self.leak) / self.tau
                rise = slope + sum(x.value * gain for x, gain in forces)
                self.v += self.dt * (rise - leak)
            elif leaking:
                rest = self.leak + self.tau * slope
                self.v = rest + (self.v - rest) * math.exp(-self.dt / self.tau)
            else:
                self.v += self.dt * slope
            if self.method != "euler":
                self.v += sum(x.value * gain * x.share for x, gain in forces)
            self.rounded = self.rounded or self.v != before
        for x in (*self.receptors, self.b, self.w):
            x.value *= math.exp(-self.dt / x.tau)
        self.pulses = [(stop, s) for stop, s in self.pulses if stop > step]

    def visit(self, step, note):
        """What arrives, and the spikes it makes."""
        delta = 0.0
        for _, weight, width, receptor in self.arrivals.pop(step, []):
            if receptor is not None:
                self.receptors[receptor].value += weight
            elif width:
                self.pulses.append((step + width, weight / (width * self.dt)))
            else:
                delta += weight
        if step < self.held:
            return 0
        self.v += delta
        spikes = 0
        while self.fires(note):
            spikes += 1
            if self.p.reset == "subtract":
                self.v -= self.threshold - self.v_reset
            else:
                self.v, self.rounded = self.v_reset, False
            self.b.value += 1.0
            self.w.value += self.ahp_jump
            if spikes > 10_000:
                raise Runaway
            if not self.p.multi_spike:
                break
        if spikes:
            self.held = step + self.hold
        return spikes

    def fires(self, note):
        level = self.threshold + self.beta * self.b.value
        distance = abs(self.v - level)
        if distance > 0.0 or self.rounded or self.beta * self.b.value:
            note(distance / max(1.0, abs(level)))
        return self.v > level or (self.p.fires_at_equality and self.v == level)


class Window(Unit):
    def __init__(self, pool, source, i, dt):
        super().__init__()
        self.rule, self.open_at = pool.rule, 0
        window = pool.window
        if window is None:
            refractory = isinstance(source, es.Population)
            window = float(source.array("t_ref").max()) if refractory else 0.0
        self.closed = steps_of(window, dt, least=1)
        self.heard = {}

    def move(self, step):
        pass

    def visit(self, step, note):
        arrivals = self.arrivals.pop(step, [])
        for source, *_ in arrivals:
            self.heard[source] = self.heard.get(source, 0) + 1
        if not arrivals or (self.rule == "first_spike" and step < self.open_at):
            return 0
        self.open_at = step + self.closed
        best = max(self.heard.values())
        leads = any(self.heard[source] == best for source, *_ in arrivals)
        return int(leads or self.rule != "leader")


class Fed(Unit):
    def move(self, step):
        pass

    def visit(self, step, note):
        return len(self.arrivals.pop(step, []))


def order_of(net, dt):
    """Names, each after those that reach it without delay."""
    before = {p.name: set() for p in net.populations}
    for link in net.projections:
        rows = link.rows(net[link.source].shape, net[link.target].shape)
        if any(steps_of(delay, dt) == 0 for delay in rows.delay):
            before[link.target].add(link.source)
    order = []
    while len(order) < len(before):
        free = [n for n in before if n not in order and before[n] <= set(order)]
        if not free:
            raise Cycle
        order += free
    return order


def units_of(net, p, dt, method):
    if isinstance(p, es.Input):
        return [Fed() for _ in range(p.n)]
    if isinstance(p, es.Population):
        return [Neuron(p, i, dt, method) for i in range(p.n)]
    pool = next((link for link in net.projections if link.target == p.name), None)
    source = None if pool is None else net[pool.source]
    pool = pool or es.MaxPool2d("", "", 1, window=0.0)
    return [Window(pool, source, i, dt) for i in range(p.n)]


def naive_stepped(net, inputs, t_stop, dt, method, currents=None, max_events=10**9):
    """Spikes at the steps of the grid ``0, dt, 2 dt, ... <= t_stop``."""
    order = order_of(net, dt)
    units = {p.name: units_of(net, p, dt, method) for p in net.populations}
    margin, events = math.inf, 0
    for name, train in inputs.items():
        for time, i in zip(train.times, train.senders, strict=True):
            units[name][i].arrivals.setdefault(step_at(time, dt), []).append(None)
    changes = {}
    for name, steps in (currents or {}).items():
        for time, i, value in sorted(steps):
            changes.setdefault(step_at(time, dt), []).append((name, int(i), value))

    def note(distance):
        nonlocal margin
        margin = min(margin, distance)

    spikes = {p.name: [] for p in net.populations}
    last = math.floor(t_stop / dt + 1e-9)
    for step in range(last + 1):
        for members in units.values():
            for unit in members:
                if step > 0:
                    unit.move(step)
        for name, i, value in changes.get(step, []):
            units[name][i].current = value
        for name in order:
            for i, unit in enumerate(units[name]):
                if not isinstance(unit, Fed):
                    events += len(unit.arrivals.get(step, []))
                for _ in range(unit.visit(step, note)):
                    spikes[name].append((step, i))
                    for link in net.projections:
                        if link.source == name:
                            send(net, link, i, step, dt, units)
            if max(events, sum(map(len, spikes.values()))) > max_events:
                raise Runaway
    return Stepped(spikes, margin, events)


def send(net, link, i, step, dt, units):
    width = steps_of(getattr(link, "spread", 0.0), dt, least=1)
    receptor = getattr(link, "receptor", None)
    fan = link.fan_out(i, net[link.source].shape, net[link.target].shape)
    for j, weight, delay in zip(*fan, strict=True):
        arrival = (i, float(weight), width, receptor)
        units[link.target][j].arrivals.setdefault(step + steps_of(delay, dt), []).append(arrival)
