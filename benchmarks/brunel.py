"""A random network of delta neurons after Brunel (2000), model A. Always the same bits.

Leaky integrate-and-fire neurons with delta synapses, four excitatory to one inhibitory; each has
the same number of random inputs of either kind (with repetition) and a Poisson train of its own
from outside. Potentials are in mV above rest.

The outside train stands for as many excitatory synapses as come from inside, each at ``drive``
times the rate that would just reach the threshold in the mean: together
``drive * threshold / (jump * tau)``, however many they are.

N. Brunel, Dynamics of sparsely connected networks of excitatory and inhibitory spiking neurons,
J. Comput. Neurosci. 8, 183-208, 2000.
"""

from __future__ import annotations

import numpy as np

import eventsim as es

__all__ = ["CELLS", "DELAY", "OUTSIDE", "brunel"]

CELLS = "cells"  # the one population; the excitatory neurons come first
OUTSIDE = "outside"
TAU, T_REF, DELAY = 20e-3, 2e-3, 1.5e-3
THRESHOLD, RESET = 20.0, 0.0
JUMP, INHIBITION = 0.1, 5.0  # an inhibitory jump is so many times an excitatory one
DRIVE = 2.0


def brunel(excitatory: int = 10_000, inhibitory: int = 2_500, fan_in: int = 10) -> es.Network:
    """The network: each neuron hears one in ``fan_in`` neurons of either kind."""
    n = excitatory + inhibitory
    rng = np.random.default_rng(0)
    cells = es.Population(
        CELLS,
        n,
        tau_mem=TAU,
        v_threshold=THRESHOLD,
        v_reset=RESET,
        t_ref=T_REF,
        v_init=rng.uniform(RESET, THRESHOLD, n),
    )

    def synapses(first: int, count: int, jump: float) -> es.Sparse:
        pre = rng.integers(first, first + count, (n, count // fan_in)).reshape(-1)
        post = np.repeat(np.arange(n), count // fan_in)
        return es.Sparse(CELLS, CELLS, pre, post, jump, delay=DELAY)

    each = np.arange(n)
    return es.Network(
        [es.Poisson(OUTSIDE, n, rate=DRIVE * THRESHOLD / (JUMP * TAU)), cells],
        [
            es.Sparse(OUTSIDE, CELLS, each, each, JUMP, delay=DELAY),
            synapses(0, excitatory, JUMP),
            synapses(excitatory, inhibitory, -INHIBITION * JUMP),
        ],
    )
