"""What the naive simulator is made of, membranes apart: arrivals, margins, inputs and pools."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

ULP = 2.0**-52
INF = math.inf


class Arrival(NamedTuple):
    """One synapse's share of an instant; sorts as the contract sums."""

    projection: int
    source: int
    serial: int
    weight: float
    spread: float
    receptor: int | None
    error: float


@dataclass
class Margin:
    """Smallest distance of a decision, in units of its error."""

    value: float = INF

    def note(self, distance: float, error: float) -> None:
        """Take down how near to zero a decision stood."""
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
        """When this unit has to be looked at after an instant, arrivals apart."""
        return []

    def handle(self, t: float) -> tuple[int, float] | None:
        """Everything of the instant ``t``: number of spikes and the error of their time.

        None if nothing is due.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Note the decisions that the end of the run cut off."""


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


def rounding(a: float, b: float) -> float:
    """What the float sum ``a + b`` loses, exactly."""
    return abs(math.fsum([a, b, -(a + b)]))


def later(t: float, error: float) -> float:
    """Error of a float sum ``t`` that started from a time with this error."""
    return error + ULP * abs(t) if error > 0.0 else 0.0
