"""CUBA in NEST with its precise neuron: ``python -m tests.references.cuba_nest``.

Needs nest-simulator beside eventsim. Writes cuba_nest.npz.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from benchmarks.cuba import CELLS, T_STOP, cuba
from tests.references import write

RESOLUTION = 0.1  # ms; the delay is a multiple of it, spikes are not bound to it


def milliseconds(seconds: float) -> float:
    """The decimal number that is meant, without the rounding of the product."""
    return round(float(seconds) * 1e3, 9)


def run(net: es.Network, t_stop: float) -> tuple[NDArray[np.float64], NDArray[np.int64], float]:
    """Times in ms, senders, and the seconds that the simulation took, its set-up left out."""
    import nest

    cells = net[CELLS]
    assert isinstance(cells, es.Population)
    excitatory, inhibitory = (milliseconds(tau[0]) for tau in cells.receptor_times)
    nest.ResetKernel()
    nest.set(resolution=RESOLUTION, local_num_threads=1)
    neurons = nest.Create(
        "iaf_psc_exp_ps",
        cells.n,
        {
            "tau_m": milliseconds(cells.tau_mem),
            "C_m": milliseconds(cells.tau_mem),  # so that tau_m / C_m = 1 mV per pA
            "E_L": cells.v_leak,
            "V_th": cells.v_threshold,
            "V_reset": cells.v_reset,
            "t_ref": milliseconds(cells.t_ref),
            "tau_syn_ex": excitatory,
            "tau_syn_in": inhibitory,
            "I_e": 0.0,
        },
    )
    neurons.V_m = cells.array("v_init")
    for link in net.projections:
        delay = np.full(link.pre.size, milliseconds(link.delay))
        synapses = {"synapse_model": "static_synapse", "weight": link.weight, "delay": delay}
        nest.Connect(link.pre + 1, link.post + 1, "one_to_one", synapses)
    recorder = nest.Create("spike_recorder", params={"time_in_steps": True})
    nest.Connect(neurons, recorder)
    began = time.perf_counter()
    nest.Simulate(milliseconds(t_stop))
    seconds = time.perf_counter() - began
    seen = recorder.events  # a spike is at so many steps, less the offset
    times = seen["times"] / round(1 / RESOLUTION) - seen["offsets"]
    return times, seen["senders"] - 1, seconds


if __name__ == "__main__":
    net = cuba()
    times, senders, seconds = run(net, T_STOP)
    write("cuba_nest", net, times, senders)
    print(f"{times.size} spikes; NEST took {seconds:.2f} s for {T_STOP:g} s")
