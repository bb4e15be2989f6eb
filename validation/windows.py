"""Output counts of the coarse network and of its continuous one after 1, 2, 4, ... steps.

Both models are causal: what comes later in a run changes nothing before it. So one run over the
longest window holds the runs over all shorter ones, on the same input spikes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from eventsim import encode
from eventsim.populations import Population

__all__ = ["coarse_counts", "continuous_counts"]

Counts = NDArray[np.int64]

#: Images that are worked on together.
CHUNK = 250


def coarse_counts(
    net: es.Network, disc: es.Discretization, images: NDArray, windows: Sequence[int], seed: int
) -> Counts:
    """Output counts [window, sample, class] of the discrete twin, windows in steps."""
    long = dataclasses.replace(disc, steps=max(windows))
    found = []
    for ids in _chunks(len(images)):
        spikes = long.run(net, encode.encode(images[ids], long, seed=seed, sample_ids=ids))
        found.append([spikes[:, :steps].sum(axis=1, dtype=np.int64) for steps in windows])
    return np.concatenate(found, axis=1)


def continuous_counts(
    net: es.Network,
    disc: es.Discretization,
    images: NDArray,
    windows: Sequence[int],
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Counts:
    """The same of the exact simulation, on the same input spikes at uniform times in their steps.

    Synapses have the pulses of ``disc.spread``; ``progress`` is called with the images just done.
    """
    long = dataclasses.replace(disc, steps=max(windows))
    net = net.with_spread(disc.spread)
    (output,) = net.outputs
    found = []
    for ids in _chunks(len(images)):
        x = encode.encode(images[ids], long, seed=seed, sample_ids=ids)
        results = es.simulate(
            net, t_stop=long.duration, record=[output], **_arguments(net, long, x, seed, ids)
        )
        counts = np.zeros((len(windows), len(ids), net[output].n), dtype=np.int64)
        for k, result in enumerate(results):
            train = result.spikes[output]
            for j, steps in enumerate(windows):
                inside = train.senders[train.times < steps * disc.dt]
                counts[j, k] = np.bincount(inside, minlength=net[output].n)
        found.append(counts)
        progress(len(ids))
    return np.concatenate(found, axis=1)


def _arguments(
    net: es.Network, disc: es.Discretization, x: NDArray, seed: int, ids: NDArray
) -> dict:
    """Spikes of the Input, or the currents of an analog image into the first population."""
    if disc.encoder != "constant":
        trains = encode.to_spike_trains(x, disc.dt, seed=seed, sample_ids=ids)
        return {"inputs": {net.inputs[0]: trains}}
    entry = net[net.order[0]]
    assert isinstance(entry, Population)
    return {"inputs": {}, "currents": encode.to_currents(x, disc, entry)}


def _chunks(samples: int) -> list[NDArray[np.int64]]:
    return [np.arange(first, min(first + CHUNK, samples)) for first in range(0, samples, CHUNK)]
