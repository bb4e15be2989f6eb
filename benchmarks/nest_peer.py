"""The same network in NEST with its precise neurons: spikes off the grid, arrivals one by one.

NEST's resolution is 0.1 ms; a spike is not bound to it. It needs a delay on every synapse. Spikes
from outside are drawn beforehand: the same ones.
"""

from __future__ import annotations

import importlib.util
import time

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from benchmarks.contender import Contender
from benchmarks.workloads import Workload

__all__ = ["NEEDS", "available", "nest_precise", "run_nest"]

NEEDS = "nest-simulator"
RESOLUTION = 0.1  # ms


def available() -> bool:
    """Whether NEST is installed."""
    return importlib.util.find_spec("nest") is not None


def _ms(seconds: float) -> float:
    """The decimal number that is meant, without the rounding of the product."""
    return round(float(seconds) * 1e3, 9)


def _parameters(cells: es.Population) -> tuple[str, dict[str, object]]:
    """Name and parameters of the precise model of a population."""
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
    if not cells.n_receptors:
        return "iaf_psc_delta_ps", values
    # Two receptors, excitation first: NEST chooses by the sign of the weight.
    excitatory, inhibitory = (_ms(tau[0]) for tau in cells.receptor_times)
    return "iaf_psc_exp_ps", {**values, "tau_syn_ex": excitatory, "tau_syn_in": inhibitory}


def _generators(work: Workload, name: str) -> object:
    """Spikes from outside."""
    import nest

    train, n = work.train(name), work.net[name].n
    order = np.argsort(train.senders, kind="stable")
    ends = np.cumsum(train.counts(n))[:-1]
    times = np.split(train.times[order] * 1e3, ends)
    return nest.Create(
        "spike_generator", n, [{"precise_times": True, "spike_times": t} for t in times]
    )


def _build(work: Workload) -> object:
    """A new network in NEST's kernel; returns what records the spikes of its one population."""
    import nest

    (cells,) = (p for p in work.net.populations if isinstance(p, es.Population))
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=RESOLUTION, local_num_threads=1)
    model, parameters = _parameters(cells)
    nodes = {cells.name: nest.Create(model, cells.n, parameters)}
    for outside in work.net.populations:
        if isinstance(outside, es.Input):
            nodes[outside.name] = _generators(work, outside.name)
    for link in work.net.projections:
        delay = np.full(link.pre.size, _ms(link.delay))
        first, to = (nodes[name][0].global_id for name in (link.source, link.target))
        nest.Connect(
            link.pre + first,
            link.post + to,
            "one_to_one",
            {"synapse_model": "static_synapse", "weight": link.weight, "delay": delay},
        )
    recorder = nest.Create("spike_recorder", params={"time_in_steps": True})
    nest.Connect(nodes[cells.name], recorder)
    return recorder


def run_nest(work: Workload) -> tuple[NDArray[np.float64], NDArray[np.int64], float]:
    """Spike times in s and senders, by time, and the CPU seconds without the set-up."""
    import nest

    recorder = _build(work)
    began = time.process_time()
    nest.Simulate(_ms(work.t_stop))
    seconds = time.process_time() - began
    seen = recorder.events  # a spike is at so many steps, less the offset
    times = (seen["times"] * RESOLUTION - seen["offsets"]) * 1e-3
    order = np.argsort(times, kind="stable")
    return times[order], seen["senders"][order] - 1, seconds


def nest_precise(work: Workload) -> Contender:
    """Contender that counts the simulation alone; NEST is built anew in each round."""
    used = 0.0

    def run() -> None:
        nonlocal used
        used += run_nest(work)[2]

    return Contender("NEST precise", 1, run, clock=lambda: used)
