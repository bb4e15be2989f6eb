"""The cortical microcircuit of Potjans and Diesmann: 77,169 neurons, 299 million synapses.

Four layers of excitatory and inhibitory neurons under one square millimetre of cortex. Membrane
10 ms, exponential currents of 0.5 ms, threshold 15 mV above rest, refractory for 2 ms. Synapses
of 87.8 pA (0.15 mV), inhibitory ones -4 times as strong, from layer 4 to layer 2/3 twice as strong,
with a standard deviation of 10 %; delays of 1.5 and 0.75 ms with a deviation of half of that, on a
grid of 0.1 ms. Each neuron hears between 1,500 and 2,900 sources of 8 spikes a second from
outside. `scale` makes it smaller: neurons and inputs from within are scaled alike, and what is
missing comes as a constant current.

T. C. Potjans, M. Diesmann, The cell-type specific cortical microcircuit: relating structure and
activity in a full-scale spiking network model, Cereb. Cortex 24, 785-806, 2014, tables 4 and 5.
"""

from __future__ import annotations

import numpy as np

import eventsim as es

__all__ = ["RATES", "SIZES", "microcircuit"]

#: Neurons of each population, and the rates that they show, in spikes a second.
SIZES = {
    "L23E": 20_683, "L23I": 5_834, "L4E": 21_915, "L4I": 5_479,
    "L5E": 4_850, "L5I": 1_065, "L6E": 14_395, "L6I": 2_948,
}  # fmt: skip
RATES = dict(zip(SIZES, (0.971, 2.868, 4.746, 5.396, 8.142, 9.078, 0.991, 7.523), strict=True))

#: Probability that a pair is connected at least once, [target, source].
PROBABILITY = np.array(
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
    ]
)
OUTSIDE = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)
OUTSIDE_RATE = 8.0
TAU_MEM, TAU_SYN, T_REF, CAPACITY = 10e-3, 0.5e-3, 2e-3, 250e-12
WEIGHT, INHIBITION, DEVIATION = 87.8e-12, -4.0, 0.1
DELAYS = {"E": 1.5e-3, "I": 0.75e-3}
GRID = 0.1e-3


def _synapses(source: int, target: int) -> float:
    """Number of synapses in all, from the probability that a pair has at least one."""
    sizes = list(SIZES.values())
    pairs = float(sizes[source]) * sizes[target]
    return float(np.log1p(-PROBABILITY[target, source]) / np.log1p(-1.0 / pairs))


def _mean_weight(source: str, target: str) -> float:
    if source.endswith("I"):
        return INHIBITION * WEIGHT
    return 2.0 * WEIGHT if (source, target) == ("L4E", "L23E") else WEIGHT


def microcircuit(scale: float = 1.0) -> es.Network:
    """The network, or a smaller one with the same input to each neuron in the mean."""
    rng = np.random.default_rng(0)
    names = list(SIZES)
    sizes = {name: max(1, round(scale * n)) for name, n in SIZES.items()}
    populations: list[es.Input | es.Population] = []
    links: list[es.Sparse | es.Random] = []
    for t, target in enumerate(names):
        missing = 0.0
        for s, source in enumerate(names):
            full = _synapses(s, t)
            mean = _mean_weight(source, target)
            missing += (1.0 - scale) * full / SIZES[target] * RATES[source] * mean * TAU_SYN
            if full > 0.0:
                delay, std = DELAYS[source[-1]], 0.5 * DELAYS[source[-1]]
                sign = (0.0, np.inf) if mean > 0.0 else (-np.inf, 0.0)
                links.append(
                    es.Random(
                        source,
                        target,
                        es.Normal(mean, DEVIATION * abs(mean), *sign),
                        es.Normal(delay, std, low=GRID, step=GRID),
                        total=round(full * scale * scale),
                        seed=8 * t + s,
                        receptor=0,
                    )
                )
        outside, n = f"to {target}", sizes[target]
        populations += [
            es.Poisson(outside, n, rate=OUTSIDE[t] * OUTSIDE_RATE),
            es.Population(
                target,
                n,
                tau_mem=TAU_MEM,
                tau_syn=TAU_SYN,
                t_ref=T_REF,
                r=TAU_MEM / CAPACITY,
                v_leak=-65e-3,
                v_reset=-65e-3,
                v_threshold=-50e-3,
                v_init=np.minimum(rng.normal(-58e-3, 5e-3, n), -50.001e-3),
                i_bias=missing,
            ),
        ]
        each = np.arange(n)
        links.append(es.Sparse(outside, target, each, each, float(np.float32(WEIGHT)), receptor=0))
    return es.Network(populations, links)
