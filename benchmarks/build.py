"""What it takes to draw a network and to arrange its synapses, apart from running it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.workloads import Workload
from eventsim.engine.synapses import bytes_of, synapses

__all__ = ["Built", "build"]


@dataclass(frozen=True)
class Built:
    """CPU seconds and size of the tables in which engines hold synapses."""

    synapses: int
    drawn_cpu_s: float  # the workload: network and input spikes
    arranged_cpu_s: float  # its synapses, by source and delay; drawn here where they are random
    bytes_per_synapse: float


def build(factory: Callable[[], Workload]) -> tuple[Workload, Built | None]:
    """A workload and what it took; None for layers, of which no synapse is kept by itself.

    The tables are let go: what runs next builds its own, as in any first run.
    """
    began = time.process_time()
    work = factory()
    drawn = time.process_time()
    if not work.recurrent:
        return work, None
    synapses(work.small().net if work.small else work.net)  # compiles
    synapses.cache_clear()
    arranging = time.process_time()
    table = synapses(work.net)
    arranged = time.process_time()
    size, number = bytes_of(table), table.post.size
    synapses.cache_clear()
    return work, Built(number, drawn - began, arranged - arranging, size / number)
