"""Small networks whose forecast can be told."""

from __future__ import annotations

import numpy as np

import eventsim as es

DT = 1e-3
NEURON = {"tau_mem": 4 * DT, "t_ref": DT}
ONES = np.ones((2, 3))


def disc(steps=4, **options):
    return es.Discretization(dt=DT, steps=steps, **options)


def chain(*weights, **neuron):
    """Layers that feed forward; the input has as many units as the first weights have rows."""
    names = ["image", *(f"layer{k}" for k in range(1, len(weights))), "out"]
    sizes = [len(weights[0]), *(np.shape(w)[1] for w in weights)]
    populations = [es.Input("image", sizes[0])]
    for name, n in zip(names[1:], sizes[1:], strict=True):
        populations.append(es.Population(name, n, **{**NEURON, **neuron}))
    pairs = zip(names[:-1], names[1:], weights, strict=True)
    return es.Network(populations, [es.Dense(a, b, np.array(w)) for a, b, w in pairs])
