"""What is timed: a function that runs so many samples of a workload."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Contender"]


@dataclass(frozen=True)
class Contender:
    """One line of the table.

    ``run`` handles all ``samples`` on one thread and returns the number of synaptic events it
    handled, or None where the notion does not fit (a model on a grid of time steps).
    """

    name: str
    samples: int
    run: Callable[[], int | None]
