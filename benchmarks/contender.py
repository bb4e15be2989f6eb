"""What is timed: a function that runs so many samples of a workload."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Contender"]


@dataclass(frozen=True)
class Contender:
    """One line of the table.

    ``run`` handles all ``samples`` on one thread and returns the number of synaptic events it
    handled, or None where it does not tell. ``clock`` tells the CPU seconds used so far: those of
    this process, unless a contender has to leave out its set-up or runs elsewhere.
    """

    name: str
    samples: int
    run: Callable[[], int | None]
    clock: Callable[[], float] = time.process_time
    elsewhere: bool = False  # in a process of its own, whose memory is not known
