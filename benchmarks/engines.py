"""The engines, through the whole public call, spikes recorded, one thread."""

from __future__ import annotations

import eventsim as es
from benchmarks.contender import Contender
from benchmarks.workloads import Workload

__all__ = ["engine"]


def engine(work: Workload, name: str, samples: int) -> Contender:
    """Contender that simulates the first samples with the engine ``name``."""
    inputs = work.inputs(samples)

    def run() -> int:
        return es.simulate(work.net, inputs, work.t_stop, engine=name, threads=1).n_events

    return Contender(name, samples, run)
