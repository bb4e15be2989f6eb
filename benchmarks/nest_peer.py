"""The same network in NEST: with its precise neurons, or on its grid of 0.1 ms.

Precise neurons fire off the grid and handle arrivals one by one. On the grid is another model:
spikes fall on steps, input spikes on the next step; between steps the equations are integrated
exactly.

NEST needs a delay on every synapse. Where there is none, the smallest one of the network stands
in, or a step, and everything behind it happens so much later; recorded times are moved back. A
population that starts off its rest is not late: then the input comes earlier.

Poisson sources are NEST's own, with the same rates.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from benchmarks.contender import Contender
from benchmarks.workloads import Workload

__all__ = ["NEEDS", "available", "nest_grid", "nest_precise", "run_nest"]

NEEDS = "nest-simulator"
RESOLUTION = 0.1  # ms


def available() -> bool:
    """Whether NEST is installed."""
    return importlib.util.find_spec("nest") is not None


def _ms(seconds: float) -> float:
    """The decimal number that is meant, without the rounding of the product."""
    return round(float(seconds) * 1e3, 9)


def _neurons(cells: es.Population, precise: bool) -> Any:
    """A population of the model that fits."""
    import nest

    values = {
        "tau_m": _ms(cells.tau_mem),
        "C_m": _ms(cells.tau_mem),  # so that tau_m / C_m = 1 mV per pA
        "E_L": cells.v_leak,
        "V_th": cells.v_threshold,
        "V_reset": cells.v_reset,
        "t_ref": _ms(cells.t_ref),
        "I_e": 0.0,
        "V_m": cells.array("v_init"),
    }
    model = "iaf_psc_delta"
    if cells.n_receptors:
        # Excitation first: NEST chooses by the sign of the weight. Both are one where there is one.
        excitatory, inhibitory = (_ms(tau) for tau in cells.receptor_times[[0, -1], 0])
        model = "iaf_psc_exp"
        values |= {"tau_syn_ex": excitatory, "tau_syn_in": inhibitory}
    return nest.Create(model + ("_ps" if precise else ""), cells.n, values)


def _sources(p: es.Input, work: Workload, shift: float, resolution: float, precise: bool) -> Any:
    """What spikes by itself: at given times, so many ms later, or by chance."""
    import nest

    if isinstance(p, es.Poisson):
        (rate,) = np.unique(p.rates)
        return nest.Create("poisson_generator" + ("_ps" if precise else ""), 1, {"rate": rate})
    train = work.trains[0]
    order = np.argsort(train.senders, kind="stable")
    times = train.times[order] * 1e3 + shift
    if not precise:
        times = np.maximum(np.ceil(times / resolution), 1) * resolution
    ends = np.cumsum(train.counts(p.n))[:-1]
    options = {"precise_times": True} if precise else {"allow_offgrid_times": True}
    each = [{**options, "spike_times": t} for t in np.split(times, ends)]
    return nest.Create("spike_generator", p.n, each)


def _connect(link: es.Dense | es.Sparse, source: Any, target: Any, delay: float) -> None:
    import nest

    synapse = {"synapse_model": "static_synapse", "weight": link.weight, "delay": delay}
    if isinstance(link, es.Dense):
        synapse["weight"] = np.array(link.weight).T
        nest.Connect(source, target, "all_to_all", synapse)
    elif len(source) == 1 and link.pre.size > 1:  # one generator: a train for each target
        (synapse["weight"],) = np.unique(link.weight)
        nest.Connect(source, target, "all_to_all", synapse)
    else:
        synapse["delay"] = np.full(link.pre.size, delay)
        first, to = source[0].global_id, target[0].global_id
        nest.Connect(link.pre + first, link.post + to, "one_to_one", synapse)


def _lateness(net: es.Network, stand_in: float) -> dict[str, float]:
    """How much later everything happens at a population, in ms: by the delays that stand in."""
    late: dict[str, float] = {}
    for name in net.order:
        before = [late[p.source] for p in net.projections if p.target == name and not p.min_delay]
        late[name] = max(before) + stand_in if before else 0.0
    cells = [p for p in net.populations if isinstance(p, es.Population)]
    off_rest = any(np.any(p.array("v_init") != p.array("v_leak")) for p in cells)
    origin = late[cells[0].name] if off_rest else 0.0
    return {name: late[name] - origin for name in late}


def _build(work: Workload, precise: bool, resolution: float) -> tuple[dict[str, Any], Mapping]:
    """A new network in NEST's kernel: recorders of its populations, and how late these are."""
    import nest

    delays = [p.min_delay for p in work.net.projections if p.min_delay > 0.0]
    stand_in = _ms(min(delays)) if delays else resolution
    late = _lateness(work.net, stand_in)
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=resolution, local_num_threads=1)
    nodes, recorders = {}, {}
    for p in work.net.populations:
        if isinstance(p, es.Population):
            nodes[p.name] = _neurons(p, precise)
            recorders[p.name] = nest.Create("spike_recorder", params={"time_in_steps": True})
            nest.Connect(nodes[p.name], recorders[p.name])
        elif isinstance(p, es.Input):
            nodes[p.name] = _sources(p, work, late[p.name], resolution, precise)
    for link in work.net.projections:
        assert isinstance(link, es.Dense | es.Sparse)
        source, target = nodes[link.source], nodes[link.target]
        _connect(link, source, target, _ms(link.min_delay) or stand_in)
    first = {name: nodes[name][0].global_id for name in recorders}
    return {name: (recorders[name], first[name]) for name in recorders}, late


def run_nest(
    work: Workload, precise: bool = True, resolution: float = RESOLUTION
) -> tuple[dict[str, es.SpikeTrain], float]:
    """Spikes of each population, by time, and the CPU seconds without the set-up."""
    import nest

    recorders, late = _build(work, precise, resolution)
    began = time.process_time()
    nest.Simulate(round(_ms(work.t_stop) + max(late.values()), 9))
    seconds = time.process_time() - began
    spikes = {}
    for name, (recorder, first) in recorders.items():
        seen = recorder.events  # a spike is at so many steps, less the offset
        times = (seen["times"] * resolution - seen["offsets"] - late[name]) * 1e-3
        kept = times < work.t_stop
        senders: NDArray[np.int64] = seen["senders"][kept] - first
        spikes[name] = es.SpikeTrain.sorted(times[kept], senders)
    return spikes, seconds


def _contender(work: Workload, name: str, precise: bool, rounds: int) -> Contender:
    """Counts the simulation alone; NEST is built anew in each round."""
    used = 0.0

    def run() -> None:
        nonlocal used
        used += run_nest(work, precise)[1]

    def warm_up() -> None:
        if work.small is not None:
            run_nest(work.small(), precise)

    return Contender(name, 1, run, clock=lambda: used, rounds=rounds, warm_up=warm_up)


def nest_precise(work: Workload) -> Contender:
    """NEST's precise neurons."""
    return _contender(work, "NEST precise", True, rounds=3)


def nest_grid(work: Workload) -> Contender:
    """NEST on a grid of 0.1 ms."""
    return _contender(work, "NEST, 0.1 ms", False, rounds=5)
