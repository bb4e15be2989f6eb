"""Runs while nothing else uses the machine: a short loop, timed before and after, tells.

The cores of a virtual machine are shared with others, who halve their speed for moments, and not
that of all programs alike: what waits for memory loses less. The loop is of Python's interpreter,
so it favours no contender.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

__all__ = ["Gauge", "undisturbed"]

Found = TypeVar("Found")

#: The loop may take so many times the least seen so far.
CALM = 1.3
#: A run is repeated so often, and as long as this many seconds are not used up.
TRIES, SECONDS = 8, 6.0
#: Seconds to wait for a calm moment before a run.
PATIENCE = 2.0
_FIRST, _PAUSE, _TURNS = 40, 0.02, 50_000


class Gauge:
    """Whether the machine is at its best, as far as was seen."""

    def __init__(self) -> None:
        self._least = min(self._loop() for _ in range(_FIRST))

    @staticmethod
    def _loop() -> float:
        began, total = time.perf_counter(), 0
        for k in range(_TURNS):
            total += k
        return time.perf_counter() - began

    def calm(self) -> bool:
        """Whether it is now."""
        now = self._loop()
        self._least = min(self._least, now)
        return now <= CALM * self._least

    def wait(self) -> bool:
        """Wait a little for a calm moment; whether there is one."""
        until = time.perf_counter() + PATIENCE
        while not (found := self.calm()) and time.perf_counter() < until:
            time.sleep(_PAUSE)
        return found


#: That of this process, which keeps the least it has seen.
_gauge = cache(Gauge)


def undisturbed(run: Callable[[], Found], gauge: Gauge | None = None) -> tuple[Found, bool]:
    """What a run gives that began and ended in a calm moment, else the last; whether it did."""
    gauge = gauge or _gauge()
    until = time.perf_counter() + SECONDS
    for _ in range(TRIES):
        before = gauge.wait()
        found = run()
        calm = before and gauge.calm()
        if calm or time.perf_counter() > until:
            break
    return found, calm
