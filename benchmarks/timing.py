"""Contenders in turn: A B C A B C ..., CPU seconds of each run, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from benchmarks.calm import undisturbed
from benchmarks.contender import Contender

__all__ = ["Measured", "Spread", "in_turn", "ratios"]


@dataclass(frozen=True)
class Spread:
    """Least, median and greatest of the rounds."""

    min: float
    median: float
    max: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        return cls(min(values), float(np.median(values)), max(values))


@dataclass
class Measured:
    """CPU seconds of each round of one contender."""

    name: str
    samples: int
    events: int | None
    cpu_s: list[float] = field(default_factory=list)
    peak_mib: float | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    disturbed: int = 0  # rounds that something else slowed, however often they were repeated

    @property
    def ms_per_sample(self) -> Spread:
        return Spread.of([1e3 * s / self.samples for s in self.cpu_s])

    @property
    def events_per_s(self) -> Spread | None:
        if self.events is None:
            return None
        return Spread.of([self.events / s for s in self.cpu_s])


def in_turn(
    contenders: list[Contender],
    repeat: int,
    report: Callable[[int], None] = lambda done: None,
    measure: Callable[[Callable[[], float]], tuple[float, bool]] = undisturbed,
) -> list[Measured]:
    """Measure all contenders ``repeat`` times, in turn, after a warm-up that is not counted.

    The time is that of all threads of a process, so hidden parallelism would show. ``measure``
    repeats a run that was disturbed.
    """
    for contender in contenders:
        (contender.warm_up or contender.run)()
    measured = [Measured(c.name, c.samples, None) for c in contenders]
    for done in range(repeat):
        for contender, row in zip(contenders, measured, strict=True):
            if contender.rounds is None or done < contender.rounds:
                seconds, calm = measure(partial(_timed, contender, row))
                row.cpu_s.append(seconds)
                row.disturbed += not calm
        report(done + 1)
    return measured


def _timed(contender: Contender, row: Measured) -> float:
    """CPU seconds of one run."""
    began = contender.clock()
    row.events = contender.run()
    seconds = contender.clock() - began
    row.rates = contender.rates()
    return seconds


def ratios(measured: list[Measured], base: Measured) -> dict[str, Spread]:
    """Time per sample of each other contender over that of ``base``, round by round.

    Of rounds that both took part in.
    """
    return {
        row.name: Spread.of(
            [
                (mine / row.samples) / (other / base.samples)
                for mine, other in zip(row.cpu_s, base.cpu_s, strict=False)
            ]
        )
        for row in measured
        if row is not base
    }
