"""How a neuron moves while nothing happens, and the first time it comes to its threshold.

A :class:`Motion` starts at an anchor, the last instant of the neuron, and answers for any time
``h`` after it: potential, distance from the threshold, slope and a bound on the curvature. Each
term is written so that it neither cancels nor divides by a small difference of rates, whatever
the time constants.

The search for a crossing takes certified steps. Where the distance ``f`` is negative, has slope
``s`` and a curvature of at most ``M`` from there on, ``f + s w + M w w / 2`` lies above its
future, so no crossing comes before the root ``w`` of that parabola: the step. Steps never pass a
crossing, approach one quadratically, and pass a summit that stays below the threshold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from tests.naive_units import INF, ULP, Margin

#: More steps than any search needs.
MAX_STEPS = 200_000


class Decaying(NamedTuple):
    """Something that was ``value`` at the anchor and decays with ``tau``."""

    value: float
    error: float
    tau: float

    def after(self, h: float) -> Decaying:
        """What is left after ``h`` seconds."""
        left = math.exp(-h / self.tau)
        value = self.value * left
        blur = 2 * ULP * abs(value) * (1 + h / self.tau) if h > 0.0 else 0.0
        return Decaying(value, self.error * left + blur, self.tau)


def response(h: float, tau: float, tau_force: float) -> float:
    """Potential after ``h`` that a force of 1 V/s leaves when it decays with ``tau_force``."""
    if tau == INF:
        return -tau_force * math.expm1(-h / tau_force)
    gap = abs(tau - tau_force) / (tau * tau_force)
    slow = math.exp(-h / max(tau, tau_force))
    return slow * (h if gap * h < 1e-300 else -math.expm1(-gap * h) / gap)


@dataclass(frozen=True)
class Motion:
    """State at the anchor and what acts from there on.

    ``pull`` is what is constant: with a leak the potential above ``leak`` at which the neuron
    would come to rest, without one its dv/dt. ``forces`` are the currents' shares of dv/dt;
    ``threshold`` is the constant part of the threshold and ``rise`` the part that decays.
    """

    v: float
    error: float
    pull: float
    pull_error: float
    tau: float
    leak: float
    forces: tuple[Decaying, ...]
    threshold: float
    rise: Decaying

    def potential(self, h: float) -> tuple[float, float]:
        """Potential and its error."""
        terms, error = self._terms(h)
        return math.fsum(terms), error

    def distance(self, h: float) -> tuple[float, float]:
        """Potential minus threshold, and its error."""
        terms, error = self._terms(h)
        if self.rise.value == 0.0:
            return math.fsum([*terms, -self.threshold]), error
        rise = self.rise.after(h)
        error += rise.error + 2 * ULP * (abs(self.threshold) + abs(rise.value))
        return math.fsum([*terms, -self.threshold, -rise.value]), error

    def slope(self, h: float) -> tuple[float, float]:
        """Slope of the distance, and its rounding error."""
        rise = self.rise.after(h).value / self.rise.tau
        if rise == 0.0:
            return self._dv(h)
        dv, blur = self._dv(h)
        return dv + rise, blur + 4 * ULP * abs(rise)

    def bend(self, h: float) -> float:
        """A bound on the distance's second derivative at ``h`` and at all later times.

        With y = dv/dt, y' = -y / tau - sum F_j / tau_j. What is fast (tau_j < tau) is bounded by
        what is left of it. For the rest q = -y / tau - sum_slow F_j / tau_j follows
        q' = -(q - sum_fast F_j / tau_j) / tau + sum_slow F_j / tau_j^2, so that q stays within
        the larger of what it is and of what it is driven to; and |v''| <= |q| + the fast part.
        """
        if self.tau == INF:
            bound = sum(abs(f.after(h).value) / f.tau for f in self.forces)
        else:
            y, blur = self._dv(h)
            terms, fast, driven = [-y / self.tau], 0.0, 0.0
            for force in self.forces:
                rate = force.after(h).value / force.tau
                driven += abs(rate) * min(1.0, self.tau / force.tau)
                if force.tau < self.tau:
                    fast += abs(rate)
                else:
                    terms.append(-rate)
                    blur += 4 * ULP * abs(rate) * self.tau * (1 + h / force.tau)
            q = abs(math.fsum(terms)) + blur / self.tau
            bound = max(q, driven) + fast
        bound += abs(self.rise.after(h).value) / self.rise.tau**2
        return bound * (1 + 1e-9)

    def _terms(self, h: float) -> tuple[list[float], float]:
        """Summands of the potential, and the error of their sum."""
        if h == 0.0:
            return [self.v], self.error
        if self.tau == INF:
            terms, error = [self.v], self.error
            if self.pull != 0.0:
                terms.append(self.pull * h)
                error += self.pull_error * h + 2 * ULP * (abs(self.pull) * h + abs(self.v))
        else:
            terms, error = self._relaxation(h)
        for force in self.forces:
            phi = response(h, self.tau, force.tau)
            terms.append(force.value * phi)
            slow = max(force.tau, self.tau) if self.tau < INF else force.tau
            error += phi * (force.error + 4 * ULP * abs(force.value) * (1 + h / slow))
        if any(force.value != 0.0 for force in self.forces):
            error += ULP * abs(math.fsum(terms))
        return terms, error

    def _relaxation(self, h: float) -> tuple[list[float], float]:
        """The part of a leaky neuron that no current drives."""
        rest = self.leak + self.pull
        x = self.v - rest
        if x == 0.0 and self.pull == 0.0:
            return [self.v], self.error
        u = h / self.tau
        left, gone = math.exp(-u), -math.expm1(-u)
        # From where it is, or from where it goes to, whatever is nearer.
        terms = [self.v, -x * gone] if u <= 1.0 else [rest, x * left]
        blur = abs(self.v - self.leak) * left * (1 + u) + abs(self.pull) * gone + abs(self.leak)
        return terms, self.error * left + self.pull_error * gone + 2 * ULP * blur

    def _dv(self, h: float) -> tuple[float, float]:
        """dv/dt, and its rounding error."""
        if self.tau == INF:
            terms = [self.pull]
            weight = abs(self.pull)
        else:
            left = math.exp(-h / self.tau)
            x = self.leak + self.pull - self.v
            terms = [x * left / self.tau]
            size = abs(self.leak) + abs(self.pull) + abs(self.v)
            weight = size * left / self.tau * (1 + h / self.tau)
        for force in self.forces:
            now = force.after(h).value
            caught = force.value * response(h, self.tau, force.tau) / self.tau
            terms += [now, -caught]
            weight += (abs(now) + abs(caught)) * (1 + h / force.tau)
        return math.fsum(terms), 4 * ULP * weight


def first_crossing(motion: Motion, t: float, end: float, margin: Margin) -> tuple[float, float]:
    """Time at which a motion from ``t`` rises to its threshold before ``end``, and its error.

    ``(inf, 0)`` if it does not. Decisions go to ``margin``.
    """
    h = 0.0
    f, error = motion.distance(0.0)
    slope, _ = motion.slope(0.0)
    if slope > 0.0:
        margin.note(f, error)
    if f > 0.0 or (f == 0.0 and slope >= 0.0):
        # Above the threshold without a spike: only what comes back from below crosses it.
        h, _ = _reach(motion, -1.0, 0.0, t, end, margin)
    if h < INF:
        h, error = _reach(motion, 1.0, h, t, end, margin)
    return (t + h, error) if h < INF else (INF, 0.0)


def _reach(
    motion: Motion, sign: float, start: float, t: float, end: float, margin: Margin
) -> tuple[float, float]:
    """First ``h`` from ``start`` on at which ``sign`` times the distance rises to zero."""
    h = start
    rises, before = False, INF
    for _ in range(MAX_STEPS):
        f, error = motion.distance(h)
        f, slope = sign * f, sign * motion.slope(h)[0]
        bend = motion.bend(h)
        if f >= 0.0 and h == start and slope <= 0.0:
            f = 0.0  # it comes from the other side
        elif f >= 0.0:
            return _reached(motion, h, f, slope, bend, error, t, margin)
        near = abs(f) / error if error > 0.0 else INF
        if rises and slope <= 0.0:  # a summit between this step and the one before
            margin.value = min(margin.value, before, near)
        rises, before = slope > 0.0, near
        step = _step(f, slope, bend)
        if t + h + step >= end:
            return INF, 0.0
        if step <= 0.5 * ULP * (abs(t) + h) or h + step == h:
            return _reached(motion, h, f, slope, bend, error, t, margin)
        h += step
    raise AssertionError("the search for a crossing does not end")


def _step(f: float, slope: float, bend: float) -> float:
    """Positive root of ``f + slope w + bend w w / 2`` for ``f <= 0``."""
    root = math.sqrt(slope * slope - 2 * bend * f)
    if slope > 0.0:
        return -2 * f / (slope + root)
    return (root - slope) / bend if bend > 0.0 else INF


def _reached(
    motion: Motion,
    h: float,
    f: float,
    slope: float,
    bend: float,
    error: float,
    t: float,
    margin: Margin,
) -> tuple[float, float]:
    """The crossing next to ``h``, if it is one and no graze that rounding hides."""
    if slope <= 0.0:
        margin.value = 0.0
        return INF, 0.0
    if bend > 0.0:  # how high it rises at least
        margin.note(slope * slope / (2 * bend), error)
    h = max(h - f / slope, 0.0)
    error += 4 * ULP * abs(motion.threshold)
    return h, error / slope + 2 * ULP * (abs(t) + h)
