"""What the records and tests of NIR files of several frameworks share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import numpy as np

import eventsim as es
from tests.frameworks.records import FOLDER


def set_weights(tensors: list[Any], seed: int, high: int, bias: int) -> None:
    """Dyadic weights from -50/256 up to ``high``/256, and biases up to ``bias``/256."""
    import torch

    rng = np.random.default_rng(seed)
    for tensor in tensors:
        values = rng.integers(-50, high if tensor.dim() > 1 else bias, tuple(tensor.shape))
        tensor.data = torch.tensor(values / 256.0, dtype=torch.float32)


def spikes(n: int, seed: int, t_stop: float, count: int = 300) -> es.SpikeTrain:
    """Random spikes of ``n`` inputs."""
    rng = np.random.default_rng(seed)
    return es.SpikeTrain(np.sort(rng.uniform(0.0, t_stop, count)), rng.integers(0, n, count))


def assert_same(
    read: Any, made: Any, train: es.SpikeTrain, t_stop: float, least: int, close: float
) -> None:
    """The populations of two networks, in their order, spike alike and have equal potentials.

    At least ``least`` spikes in all, with times that differ by ``close`` seconds at most.
    """
    results, count = [], 0
    for net in (read, made):
        silent = {p.name: [*range(p.n)] for p in net.populations[1:] if not spiking(p)}
        driven = {net.inputs[0]: train}
        results.append(es.simulate(net, driven, t_stop=t_stop, record_v=silent))
    for ours, theirs in zip(read.populations[1:], made.populations[1:], strict=True):
        assert ours.n == theirs.n
        if not spiking(ours):
            times = np.linspace(0.0, 0.999 * t_stop, 50)
            one, two = (r.v[p.name] for r, p in zip(results, (ours, theirs), strict=True))
            scale = float(np.abs(two.at(times)).max())
            np.testing.assert_allclose(one.at(times), two.at(times), rtol=0, atol=1e-4 * scale)
            continue
        one, two = (r.spikes[p.name] for r, p in zip(results, (ours, theirs), strict=True))
        count += len(one)
        # Neuron by neuron: two that spike almost together may come in the other order.
        first, second = (np.lexsort((t.times, t.senders)) for t in (one, two))
        np.testing.assert_array_equal(one.senders[first], two.senders[second])
        np.testing.assert_allclose(one.times[first], two.times[second], rtol=0, atol=close)
    assert count >= least


def spiking(population: Any) -> bool:
    """Whether any neuron has a threshold."""
    return bool(np.isfinite(population.array("v_threshold")).any())


def assert_recorded(path: Path) -> None:
    """A file holds what the recorded one of its name holds."""
    new, old = nir.read(path), nir.read(FOLDER / path.name)
    assert set(new.nodes) == set(old.nodes) and set(new.edges) == set(old.edges)
    for name, node in new.nodes.items():
        for field in ("weight", "bias", "tau", "tau_mem", "tau_syn", "r", "w_in", "v_threshold"):
            if hasattr(node, field):
                stored = getattr(old.nodes[name], field)
                np.testing.assert_array_equal(getattr(node, field), stored)
