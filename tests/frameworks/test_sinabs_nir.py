"""The NIR export of sinabs against from_torch on the same module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import sinabs.activation as activation
import sinabs.layers as layers
import torch

import eventsim as es
from eventsim.errors import UnsupportedNetwork
from tests.frameworks import nir_files, record_sinabs_nir
from tests.frameworks.nir_files import assert_recorded, assert_same, set_weights

DT = 1e-3
STOP = 60 * DT
#: Options of load_nir, and what they say of the layers.
SPIKES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"reset": "subtract", "multi_spike": True},
        {"spike_fn": activation.MultiSpike, "reset_fn": activation.MembraneSubtract()},
    ),
    (
        {"reset": "subtract", "multi_spike": False},
        {"spike_fn": activation.SingleSpike, "reset_fn": activation.MembraneSubtract()},
    ),
    (
        {"reset": "value", "multi_spike": False},
        {"spike_fn": activation.SingleSpike, "reset_fn": activation.MembraneReset()},
    ),
]


def random_network(
    rng: np.random.Generator, options: dict[str, Any]
) -> tuple[Any, int, dict[str, bool]]:
    """Modules, the number of their inputs, and norm_input of their LIF layers."""
    sizes = [int(n) for n in rng.integers(3, 9, 4)]
    parts: list[Any] = []
    normed: dict[str, bool] = {}
    for n_in, n in zip(sizes, sizes[1:], strict=False):
        linear = torch.nn.Linear(n_in, n, bias=bool(rng.integers(2)))
        threshold = torch.tensor(rng.uniform(0.3, 0.9, n), dtype=torch.float32)
        if rng.integers(2):
            parts += [linear, layers.IAF(spike_threshold=threshold, **options)]
        else:
            tau = torch.tensor(rng.uniform(1.5, 30.0, n), dtype=torch.float32)
            said = normed[str(len(parts) + 1)] = bool(rng.integers(2))
            given = {"tau_mem": tau, "spike_threshold": threshold, "norm_input": said}
            parts += [linear, layers.LIF(**given, **options)]
        high = 500 if normed.get(str(len(parts) - 1)) else 120
        set_weights(list(linear.parameters()), int(rng.integers(2**31)), high, 20)
    if rng.integers(2):
        parts += [torch.nn.Linear(sizes[-1], 2), layers.ExpLeak(tau_mem=float(rng.uniform(2, 20)))]
        normed[str(len(parts) - 1)] = False
    return torch.nn.Sequential(*parts), sizes[0], normed


@pytest.mark.parametrize("number", range(12))
def test_export_is_the_module(number: int, tmp_path: Path) -> None:
    """The network from the file spikes as the one from the module."""
    rng = np.random.default_rng(number)
    given, options = SPIKES[number % 3]
    net, n_in, normed = random_network(rng, options)
    sample = torch.zeros(1, 7, n_in)
    nir.write(tmp_path / "net.nir", record_sinabs_nir.export(net, sample))
    said = {"dt": DT, "exporter": "sinabs", **given, "norm_input": normed or None}
    read = es.load_nir(tmp_path / "net.nir", **said).network
    made, _ = es.from_torch(net, torch.ones_like(sample), dt=DT)
    assert_same(read, made, nir_files.spikes(n_in, number, STOP), STOP, 50, 1e-4 * DT)


def test_recorded_network(tmp_path: Path) -> None:
    record_sinabs_nir.main(tmp_path)
    assert_recorded(tmp_path / "sinabs_0.nir")


def test_convolutions_in_memory() -> None:
    """nir cannot write the convolutions of sinabs, but the graph itself is read."""
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3, padding=1),
        layers.IAFSqueeze(batch_size=1, spike_threshold=torch.tensor(0.5)),
        layers.SumPool2d(2),
        torch.nn.Conv2d(2, 3, 3, bias=False),
        layers.LIFSqueeze(batch_size=1, tau_mem=6.0, norm_input=False),
        torch.nn.Flatten(),
        torch.nn.Linear(12, 4),
        layers.IAFSqueeze(batch_size=1),
    )
    set_weights([*net.parameters()][:1], 0, 60, 20)
    linear = [part for part in net if isinstance(part, torch.nn.Linear | torch.nn.Conv2d)]
    set_weights([t for part in linear for t in part.parameters()], 1, 100, 10)
    sample = torch.zeros(7, 1, 8, 8)
    graph = record_sinabs_nir.export(net, sample)
    given = {"reset": "subtract", "multi_spike": True, "norm_input": False}
    read = es.load_nir(graph, dt=DT, exporter="sinabs", **given).network
    made, _ = es.from_torch(net, torch.ones_like(sample), dt=DT)
    assert [p.shape for p in read.populations[1:]] == [p.shape for p in made.populations[1:]]
    assert_same(read, made, nir_files.spikes(64, 3, STOP, 600), STOP, 100, 1e-4 * DT)


def test_what_the_file_loses() -> None:
    """A network with tau_syn has the file of one without, as the row says."""
    plain, late = (
        torch.nn.Sequential(torch.nn.Linear(3, 2), layers.LIF(tau_mem=5.0, tau_syn=tau))
        for tau in (None, 3.0)
    )
    late[0].load_state_dict(plain[0].state_dict())
    found = []
    for net in (plain, late):
        graph = record_sinabs_nir.export(net, torch.zeros(1, 7, 3))
        given = {"reset": "subtract", "multi_spike": True, "norm_input": True}
        found.append(es.load_nir(graph, dt=DT, exporter="sinabs", **given))
    assert repr(found[0].network.populations) == repr(found[1].network.populations)
    rows = {name: value for name, value, _ in found[1].assumptions}
    assert rows["tau_syn"] == rows["min_v_mem"] == "none"


def test_files_of_others_are_refused() -> None:
    one = np.ones(1)
    graph = nir.NIRGraph.from_list(
        nir.Linear(np.ones((1, 1))), nir.LIF(tau=one, r=2 * one, v_leak=0 * one, v_threshold=one)
    )
    given = {"reset": "subtract", "multi_spike": True, "norm_input": True}
    with pytest.raises(UnsupportedNetwork, match="r: expected 1, as sinabs writes it, got 2"):
        es.load_nir(graph, dt=DT, exporter="sinabs", **given)
