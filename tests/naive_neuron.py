"""One neuron of the naive simulator: what happens to it at its instants."""

from __future__ import annotations

import math
from typing import NamedTuple

import eventsim as es
from tests.naive_motion import Decaying, Motion, first_crossing
from tests.naive_units import INF, ULP, Arrival, Margin, Unit, later, rounding


class Runaway(Exception):
    """More arrivals or spikes than the caller allows."""


class Pulse(NamedTuple):
    """Something that adds ``rate`` to dv/dt until ``end``."""

    end: float
    rate: float
    error: float


class Knot(NamedTuple):
    """State of a neuron just after an instant, and how it moves on."""

    t: float
    v: float
    refractory_until: float
    error: float
    motion: Motion


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
        self.beta, self.ahp_jump = value("adapt_beta"), value("ahp_jump")
        self.receptors = [Decaying(0.0, 0.0, float(tau[i])) for tau in population.receptor_times]
        self.adaptation = Decaying(0.0, 0.0, value("tau_adapt"))
        self.ahp = Decaying(0.0, 0.0, value("tau_ahp"))
        self.steps = sorted(steps)
        self.current = 0.0
        self.pulses: list[Pulse] = []
        self.v = value("v_init")
        self.t = self.t_stop = -INF
        self.error = self.offset_error()
        self.refractory_until, self.refractory_error = -INF, 0.0
        self.crossing, self.crossing_error = INF, 0.0
        self.knots: list[Knot] = []

    def start(self, t: float, t_stop: float) -> None:
        """Say that the run is over ``[t, t_stop)``: the first instant."""
        self.t = self.crossing = t
        self.t_stop = t_stop

    def offset_error(self) -> float:
        """What is lost by measuring from the resting potential instead of from zero."""
        if self.leak == 0.0 or self.threshold == INF:
            return 0.0
        return sum(rounding(v, -self.leak) for v in (self.threshold, self.v_reset, self.v))

    def motion(self) -> Motion:
        """How the neuron moves on, if it is not refractory."""
        scale = 1.0 if self.tau == INF else self.tau
        rates = [pulse.rate for pulse in self.pulses]
        pull = self.r * (self.bias + self.current) + scale * math.fsum(rates)
        gross = abs(self.r) * (abs(self.bias) + abs(self.current))
        gross += scale * math.fsum(map(abs, rates))
        gain = self.r / scale
        forces = []
        for variable, sign in (*((x, 1.0) for x in self.receptors), (self.ahp, -1.0)):
            if gain != 0.0 and variable.value != 0.0:
                force = sign * gain * variable.value
                error = abs(gain) * variable.error + 2 * ULP * abs(force)
                forces.append(Decaying(force, error, variable.tau))
        rise = self.beta * self.adaptation.value
        error = abs(self.beta) * self.adaptation.error + ULP * abs(rise)
        return Motion(
            self.v,
            self.error,
            pull,
            2 * ULP * gross,
            self.tau,
            self.leak,
            tuple(forces),
            self.threshold,
            Decaying(rise, error, self.adaptation.tau),
        )

    def own_times(self) -> list[float]:
        return [*self.changes(), self.crossing]

    def changes(self) -> list[float]:
        """Times after the last instant at which the neuron's motion changes by itself."""
        times = [
            *(pulse.end for pulse in self.pulses),
            *(t for t, _ in self.steps),
            self.refractory_until,
        ]
        return [t for t in times if t > self.t]

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

        self.advance(t, error, crosses, moving=t > self.refractory_until and not first)
        self.pulses = [pulse for pulse in self.pulses if pulse.end != t]
        self.steps = [step for step in self.steps if step[0] != t]
        for value in values:
            self.current = value
        total, total_error = self.receive(t, arrivals)
        spikes = 0
        if t >= self.refractory_until:
            self.error += total_error + rounding(self.v, total)
            self.v += total
            alone = crosses and not first and not (arrivals or ended or values or wakes)
            while self.fires(alone and spikes == 0):
                spikes += 1
                self.spike()
                if not self.multi_spike:
                    break
                if spikes > 10_000:
                    raise Runaway
            if spikes and self.t_ref > 0.0:
                self.refractory_until = t + self.t_ref
                self.refractory_error = later(self.refractory_until, error)
        self.blur_decaying(error)
        if t >= self.refractory_until:
            self.error += abs(self.motion().slope(0.0)[0]) * error
        motion = self.motion()
        self.predict(motion)
        self.knots.append(Knot(t, self.v, self.refractory_until, self.error, motion))
        return spikes, error

    def advance(self, t: float, error: float, crosses: bool, *, moving: bool) -> None:
        """Bring the state to just before the instant ``t``, which is known up to ``error``."""
        h = t - self.t
        if moving:
            motion = self.knots[-1].motion
            slope = motion.slope(h)[0]
            if crosses:
                rise = motion.rise.after(h)
                self.v = self.threshold + rise.value
                self.error = ULP * (abs(self.threshold) + abs(rise.value)) + rise.error
            else:
                self.note_cut(h)
                self.v, self.error = motion.potential(h)
            self.error += abs(slope) * error
        self.receptors = [x.after(h) for x in self.receptors]
        self.adaptation, self.ahp = self.adaptation.after(h), self.ahp.after(h)
        self.blur_decaying(error)
        self.t = t

    def blur_decaying(self, error: float) -> None:
        """Account for an instant whose time is known up to ``error``."""

        def blurred(x: Decaying) -> Decaying:
            return x._replace(error=x.error + abs(x.value) / x.tau * error)

        self.receptors = [blurred(x) for x in self.receptors]
        self.adaptation, self.ahp = blurred(self.adaptation), blurred(self.ahp)

    def note_cut(self, h: float) -> None:
        """An instant interrupts the neuron on its way up: just before or just after crossing?"""
        motion = self.knots[-1].motion
        if self.threshold < INF and motion.slope(h)[0] > 0.0:
            self.margin.note(*motion.distance(h))

    def receive(self, t: float, arrivals: list[Arrival]) -> tuple[float, float]:
        """Start pulses, raise currents; the sum of the deltas, and its error."""
        totals: dict[int | None, float] = {None: 0.0}
        errors: dict[int | None, float] = {None: 0.0}
        for a in arrivals:
            if a.spread > 0.0:
                end = t + a.spread
                self.pulses.append(Pulse(end, a.weight / a.spread, later(end, a.error)))
            else:
                total = totals.get(a.receptor, 0.0)
                errors[a.receptor] = errors.get(a.receptor, 0.0) + rounding(total, a.weight)
                totals[a.receptor] = total + a.weight
        for k, x in enumerate(self.receptors):
            if k in totals:
                self.receptors[k] = jumped(x, totals[k], errors[k])
        return totals[None], errors[None]

    def fires(self, certain: bool) -> bool:
        """The test. The margin of a test at the neuron's own crossing is in that time."""
        motion = self.motion()
        if not certain:
            self.margin.note(*motion.distance(0.0))
        level = self.threshold + motion.rise.value
        if self.v != level or certain or self.fires_at_equality:
            return certain or self.v >= level
        slope, error = motion.slope(0.0)
        if slope != 0.0:
            self.margin.note(slope, error)
        return slope > 0.0

    def spike(self) -> None:
        """Reset, and what a spike leaves behind."""
        if self.subtract:
            down = self.threshold - self.v_reset
            self.error += rounding(self.threshold, -self.v_reset) + rounding(self.v, -down)
            self.v -= down
        else:
            self.v, self.error = self.v_reset, self.offset_error()
        if self.beta != 0.0:
            self.adaptation = jumped(self.adaptation, 1.0, 0.0)
        self.ahp = jumped(self.ahp, self.ahp_jump, 0.0)

    def predict(self, motion: Motion) -> None:
        """When the neuron comes to its threshold by itself, before the next known instant."""
        self.crossing, self.crossing_error = INF, 0.0
        if self.t < self.refractory_until or self.threshold == INF:
            return
        end = min([self.t_stop, *self.arrivals, *self.changes()])
        self.crossing, self.crossing_error = first_crossing(motion, self.t, end, self.margin)

    def finish(self) -> None:
        if self.knots and self.t_stop > self.refractory_until:
            self.note_cut(self.t_stop - self.t)


def jumped(x: Decaying, by: float, error: float) -> Decaying:
    """``x`` after a jump that is known up to ``error``."""
    return Decaying(x.value + by, x.error + error + rounding(x.value, by), x.tau)
