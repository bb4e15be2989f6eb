"""What tests of live modules have in common: their inputs, and the twin beside the module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

#: Of each layer, by path: spikes [sample, step, n], and the membranes of the last steps or None.
Observed = Mapping[str, tuple[Any, Any]]


def inputs(shape: tuple[int, ...], seed: int) -> Any:
    """Random spikes."""
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.4).float()


def by_sample(x: Any) -> Any:
    """An array [sample, step, n] of what goes into a module by step."""
    return x.flatten(2).numpy().swapaxes(0, 1)


def twin(made: Any, x: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Spikes and potentials of all layers of a network and its discretization, on x."""
    network, disc = made
    spikes = disc.run(network, x, layers=True)
    return spikes, disc.run(network, x, layers=True, record="potential")


def assert_same(theirs: Observed, made: Any, x: Any) -> int:
    """All spikes of all layers, and membranes bit for bit; the number of spikes."""
    spikes, v = twin(made, x)
    for path, (s, membranes) in theirs.items():
        np.testing.assert_array_equal(spikes[path], s)
        if membranes is not None:
            np.testing.assert_array_equal(v[path][:, -membranes.shape[1] :], membranes)
    return int(sum(s.sum() for s, _ in theirs.values()))


def differences(theirs: Observed, spikes: Mapping[str, Any]) -> Iterator[tuple[str, int, int, Any]]:
    """Layer, sample and step in which a sample's spikes differ first, and in which neurons.

    From that step on the two runs are of different networks, so the rest of the sample is left.
    """
    samples, steps, _ = next(iter(spikes.values())).shape
    for sample in range(samples):
        for step in range(steps):
            off = {path: (s != spikes[path])[sample, step] for path, (s, _) in theirs.items()}
            path = next((path for path, wrong in off.items() if wrong.any()), None)
            if path is not None:
                yield path, sample, step, off[path]
                break


def roundings(count: int, size: Any) -> Any:
    """So many roundings of float32 numbers of this size, and of numbers around 1."""
    return count * np.finfo(np.float32).eps * (1 + size)
