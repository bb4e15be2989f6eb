"""CUBA in 33-digit arithmetic: ``python -m tests.references.cuba_exact`` (minutes).

Writes cuba_exact.npz and prints how far NEST's spikes are from it. With ``--replay`` each neuron
is run alone, driven by NEST's spikes, and compared with NEST's own: the error of each spike
without what it inherits.

Times are in ms, potentials in mV above rest. With u = exp(-t / 20 ms) the currents decay as u^4
and u^2, so between two events the potential is a polynomial in u.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp, mpf

import eventsim as es
from benchmarks.cuba import CELLS, RESET, RESTING, T_STOP, THRESHOLD, cuba
from tests.references import read, write

mp.prec = 112  # bits
# Integers, which every arithmetic takes as they are.
TAU, REFRACTORY, LEVEL, START = 20, 5, int(THRESHOLD - RESTING), int(RESET - RESTING)
DELAY = mpf(1) / 10
Arrival = tuple[Any, Any, int]  # time, jump, receptor


class Course(NamedTuple):
    """The potential until the next event, in any arithmetic: one u + two u^2 + four u^4."""

    one: Any
    two: Any
    four: Any

    @classmethod
    def of(cls, x: Any, excitation: Any, inhibition: Any) -> Course:
        """From the state at u = 1."""
        return cls(x + inhibition + excitation / 3, -inhibition, -excitation / 3)

    def potential(self, u: Any) -> Any:
        return ((self.four * u * u + self.two) * u + self.one) * u

    def excess(self, u: Any) -> Any:
        """Potential above threshold."""
        return self.potential(u) - LEVEL

    def slope(self, u: Any) -> Any:
        """Derivative by u; as u falls with time, a negative one is a rising potential."""
        return self.one + 2 * self.two * u + 4 * self.four * u * u * u


def bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that is positive at ``low`` becomes negative, to the last bit."""
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return high


def peak(course: Course, last: float) -> float:
    """u of the first maximum of a potential that rises at u = 1, or ``last`` if it rises on.

    As excitation is positive and inhibition negative, the slope is concave in u. So right of its
    own maximum, the bend, it changes its sign at most once, and left of the first maximum of the
    potential there is no other.
    """
    bend = math.sqrt(-course.two / (6 * course.four)) if course.four else 0.0
    low = max(bend, last)
    if low >= 1.0 or course.slope(low) <= 0:
        return last
    return bisect(course.slope, low, 1.0)


def root(course: Course, low: float, high: float) -> Any:
    """The one u in [low, high] at which the potential is at threshold."""
    near = bisect(Course(*map(float, course)).excess, low, high)
    u = mpf(near)
    for _ in range(5):
        u -= course.excess(u) / course.slope(u)
    assert abs(course.excess(u)) < 1e-30 and abs(u - near) < 1e-9
    return u


def soonest(x: float, excitation: float) -> float:
    """No crossing is before: excitation held where it is, inhibition left out."""
    return TAU * math.log((excitation - x) / (excitation - LEVEL))


class Cell:
    """A neuron: its state just after the last event that it had."""

    def __init__(self, v: float) -> None:
        self.t = self.free = mpf(0)  # ``free``: end of refractoriness
        self.x = mpf(v) - RESTING
        self.currents = [mpf(0), mpf(0)]
        self.closest = math.inf  # of the maxima, to the threshold

    def rough(self) -> tuple[float, float, float]:
        """The state in float64, to choose where to look."""
        return float(self.x), float(self.currents[0]), float(self.currents[1])

    def crossing(self, dt: Any) -> Any:
        """u of the first crossing within ``dt``, or None."""
        state = self.rough()
        if soonest(*state[:2]) > float(dt) + 1e-9:
            return None
        course, end = Course.of(self.x, *self.currents), mp.exp(-dt / TAU)
        rough, last, first = Course.of(*state), float(end), 1.0
        if rough.slope(1.0) < 0:
            first = peak(rough, last)
            height = course.excess(mpf(first) if first > last else end)
            if first > last:
                self.closest = min(self.closest, abs(float(height)))
            if height >= 0:
                return root(course, first, 1.0)
            if first == last:
                return None
        return root(course, last, first) if course.excess(end) >= 0 else None

    def move(self, t: Any) -> None:
        """To the state at ``t``; nothing happens before."""
        if t == self.t:
            return
        u = mp.exp(-(t - self.t) / TAU)
        if self.free <= self.t:
            self.x = Course.of(self.x, *self.currents).potential(u)
        square = u * u
        self.currents[0] *= square * square
        self.currents[1] *= square
        self.t = t

    def spikes(self, until: Any) -> Iterator[Any]:
        """Spikes before the next arrival, which is at ``until`` or later."""
        while True:
            if self.free > self.t:
                if self.free >= until:
                    return
                self.move(self.free)
            elif (u := self.crossing(until - self.t)) is None:
                return
            else:
                self.move(self.t - TAU * mp.log(u))
                self.x, self.free = START, self.t + REFRACTORY
                yield self.t

    def run(self, arrivals: Iterable[Arrival], until: Any) -> Iterator[Any]:
        """Spikes up to ``until``, with all arrivals before."""
        for t, jump, receptor in arrivals:
            yield from self.spikes(t)
            self.move(t)
            self.currents[receptor] += jump
        yield from self.spikes(until)

    def quiet_until(self, now: Any) -> float:
        """Without arrivals there is no spike from ``now`` to this time."""
        if self.free >= now:
            return float(self.free)
        u = math.exp(-float(now - self.t) / TAU)
        x, excitation, inhibition = self.rough()
        x = Course.of(x, excitation, inhibition).potential(u)
        return float(now) + soonest(x, excitation * u**4) - 1e-9


class Wiring:
    """Who hears of a spike, and what."""

    def __init__(self, net: es.Network) -> None:
        n = net[CELLS].n
        self.targets: list[list[int]] = [[] for _ in range(n)]
        self.jump: list[tuple[Any, int]] = [(mpf(0), 0)] * n
        for link in net.projections:
            jump = (mpf(float(link.weight[0])), link.receptor)  # one for all its synapses
            for i, j in zip(link.pre.tolist(), link.post.tolist(), strict=True):
                self.targets[i].append(j)
                self.jump[i] = jump

    def deliver(self, t: Any, i: int, waiting: dict[int, list[Arrival]]) -> None:
        arrival = (t + DELAY, *self.jump[i])
        for j in self.targets[i]:
            waiting.setdefault(j, []).append(arrival)


def simulate(net: es.Network, t_stop: float) -> Iterator[tuple[Any, int]]:
    """Spikes up to ``t_stop`` ms: (time, neuron), sorted.

    It goes by windows of one delay, in which no neuron can reach another. A neuron is looked at in
    a window where something arrives or where it is not sure to be quiet.
    """
    wiring = Wiring(net)
    cells = [Cell(float(v)) for v in net[CELLS].array("v_init")]
    look = [0.0] * len(cells)
    arrivals: dict[int, list[Arrival]] = {}
    for window in range(1, round(t_stop / float(DELAY)) + 1):
        end, fired = window * DELAY, []
        near = float(end)
        for j, cell in enumerate(cells):
            if look[j] <= near or j in arrivals:
                fired += [(t, j) for t in cell.run(arrivals.get(j, ()), end)]
                look[j] = cell.quiet_until(end)
        arrivals = {}
        for t, i in sorted(fired):
            wiring.deliver(t, i, arrivals)
            yield t, i


def replay(net: es.Network, times: Any, senders: Any) -> None:
    """Compare each neuron of a reference with what its arrivals make it do."""
    wiring = Wiring(net)
    arrivals: dict[int, list[Arrival]] = {}
    for t, i in zip(times, senders, strict=True):
        wiring.deliver(mpf(float(t)), int(i), arrivals)
    errors, closest, others, stop = [], math.inf, 0, mpf(T_STOP) * 1000
    for j, v in enumerate(net[CELLS].array("v_init")):
        cell = Cell(float(v))
        heard = [arrival for arrival in arrivals.get(j, ()) if arrival[0] < stop]
        here, there = list(cell.run(heard, stop)), times[senders == j]
        closest = min(closest, cell.closest)
        if len(here) == len(there):
            errors += [abs(float(a - mpf(float(b)))) for a, b in zip(here, there, strict=True)]
        else:
            others += 1
    print(f"replay: {others} neurons with another number of spikes; {len(errors)} spikes,")
    print(f"error median {np.median(errors):.1e}, 99 % {np.quantile(errors, 0.99):.1e},", end=" ")
    print(f"largest {max(errors):.1e} ms; nearest maximum {closest:.1e} mV off threshold")


def main() -> None:
    net, nest = cuba(), read("cuba_nest")
    if "--replay" in sys.argv:
        replay(net, nest.times, nest.senders)
        return
    found = list(simulate(net, T_STOP * 1000))
    times, senders = np.array([float(t) for t, _ in found]), np.array([j for _, j in found])
    write("cuba_exact", net, times, senders)
    mine, theirs = np.lexsort((times, senders)), np.lexsort((nest.times, nest.senders))
    same = np.array_equal(senders[mine], nest.senders[theirs])
    print(f"{times.size} spikes; the same neurons as NEST: {same}")
    if same:
        error = np.abs(times[mine] - nest.times[theirs])
        print(f"NEST's error: median {np.median(error):.1e}, largest {error.max():.1e} ms")


if __name__ == "__main__":
    main()
