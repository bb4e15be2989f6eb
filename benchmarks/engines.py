"""The engines, through the whole public call, spikes recorded, one thread."""

from __future__ import annotations

import eventsim as es
from benchmarks.contender import Contender
from benchmarks.workloads import Workload
from eventsim.engine import layered, windowed

__all__ = ["engine", "why_not"]


def why_not(work: Workload, name: str) -> str | None:
    """Why an engine is no contender; None when it is one."""
    if name == "layered":
        return layered.why_not(work.net)
    if name == "windowed":
        return windowed.why_not(work.net, work.t_stop)
    return None


def engine(work: Workload, name: str, samples: int) -> Contender:
    """Contender that simulates the first samples with the engine ``name``."""
    inputs = work.inputs(samples)
    neurons = [p.name for p in work.net.populations if not isinstance(p, es.Input)]

    def run() -> int:
        return es.simulate(
            work.net, inputs, work.t_stop, record=neurons, engine=name, threads=1
        ).n_events

    return Contender(name, samples, run)
