"""The recurrent network CUBA, benchmark 2 of Brette et al. (2007). Always the same bits.

Integrate-and-fire neurons with exponential currents, four excitatory to one inhibitory, joined at
random. Potentials and the jumps of the currents are in mV (the gain ``r`` is 1). The resting
potential is above the threshold, so the network runs without input, at about 6 spikes a second
and neuron.

R. Brette et al., Simulation of networks of spiking neurons: a review of tools and strategies,
J. Comput. Neurosci. 23, 349-398, 2007.
"""

from __future__ import annotations

import numpy as np

import eventsim as es

__all__ = ["CELLS", "T_STOP", "cuba"]

CELLS = "cells"  # the one population; the excitatory neurons come first
T_STOP = 1.0
RESTING, THRESHOLD, RESET = -49.0, -50.0, -60.0
EXCITATORY_JUMP, INHIBITORY_JUMP = 1.62, -9.0


def cuba(excitatory: int = 3200, inhibitory: int = 800, probability: float = 0.02) -> es.Network:
    """The network: each ordered pair of neurons, a neuron with itself included, by chance."""
    n = excitatory + inhibitory
    rng = np.random.default_rng(0)
    targets = [np.flatnonzero(rng.random(n) < probability) for _ in range(n)]
    v_init = rng.uniform(RESET, THRESHOLD, n)
    cells = es.Population(
        CELLS,
        n,
        tau_mem=20e-3,
        v_leak=RESTING,
        v_threshold=THRESHOLD,
        v_reset=RESET,
        t_ref=5e-3,
        v_init=v_init,
        tau_syn=[5e-3, 10e-3],
    )

    def synapses(sources: range, jump: float, receptor: int) -> es.Sparse:
        rows = [targets[i] for i in sources]
        pre = np.repeat(np.asarray(sources), [row.size for row in rows])
        post = np.concatenate(rows)
        return es.Sparse(CELLS, CELLS, pre, post, jump, delay=1e-4, receptor=receptor)

    return es.Network(
        [cells],
        [
            synapses(range(excitatory), EXCITATORY_JUMP, 0),
            synapses(range(excitatory, n), INHIBITORY_JUMP, 1),
        ],
    )
