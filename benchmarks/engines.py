"""The engines, through the whole public call, spikes recorded, one thread."""

from __future__ import annotations

import eventsim as es
from benchmarks.contender import Contender
from benchmarks.workloads import Workload
from eventsim.engine import layered, windowed

__all__ = ["engine", "mean_rates", "neurons", "why_not"]


def why_not(work: Workload, name: str) -> str | None:
    """Why an engine is no contender; None when it is one."""
    if name == "layered":
        return layered.why_not(work.net)
    if name == "windowed":
        return windowed.why_not(work.net, work.t_stop)
    return None


def neurons(net: es.Network) -> list[str]:
    """Names of the populations whose spikes are recorded: not those that drive."""
    return [p.name for p in net.populations if not isinstance(p, es.Input)]


def mean_rates(net: es.Network, result: es.Result | es.Results, t_stop: float) -> dict[str, float]:
    """Spikes a second of a neuron of each population, on average."""
    return {name: float(result.counts[name].mean()) / t_stop for name in neurons(net)}


def engine(work: Workload, name: str, samples: int) -> Contender:
    """Contender that simulates the first samples with the engine ``name``.

    Before the first round it runs the small twin of a workload that has one: kernels do not
    depend on sizes.
    """
    inputs = work.inputs(samples)
    rates: dict[str, float] = {}

    def simulate(what: Workload, trains: dict[str, list[es.SpikeTrain]]) -> es.Result | es.Results:
        keep = neurons(what.net)
        return es.simulate(what.net, trains, what.t_stop, record=keep, engine=name, threads=1)

    def run() -> int:
        result = simulate(work, inputs)
        rates.update(mean_rates(work.net, result, work.t_stop))
        return result.n_events

    def warm_up() -> None:
        twin = work if work.small is None else work.small()
        simulate(twin, twin.inputs(samples))

    return Contender(name, samples, run, warm_up=warm_up, rates=lambda: rates)
