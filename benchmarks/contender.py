"""What is timed: a function that runs so many samples of a workload."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
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
    rounds: int | None = None  # a slow one takes part in so many rounds at most
    #: What is done before the first round instead of a whole run, so that everything is compiled.
    warm_up: Callable[[], object] | None = None
    #: Spikes a second of the units of each population in the last run, where it is known.
    rates: Callable[[], Mapping[str, float]] = dict
