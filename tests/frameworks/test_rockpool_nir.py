"""The NIR export of Rockpool against from_torch on the same module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from rockpool.nn.combinators import Residual, Sequential
from rockpool.nn.modules import ExpSynTorch, LIFNeuronTorch, LIFTorch, LinearTorch

import eventsim as es
from eventsim.errors import UnsupportedNetwork
from tests.frameworks import nir_files, record_rockpool_nir
from tests.frameworks.nir_files import assert_recorded, assert_same, set_weights
from tests.frameworks.record_rockpool import MODES


def random_network(rng: np.random.Generator, dt: float) -> tuple[Any, int]:
    """Modules, and the number of their inputs."""
    sizes = [int(n) for n in rng.integers(3, 9, 4)]
    parts: list[Any] = []
    for n_in, n in zip(sizes, sizes[1:], strict=False):
        mode = str(rng.choice([*MODES]))
        (mem, mem_range), (syn, syn_range) = MODES[mode].items()
        given = {
            mem: torch.tensor(rng.uniform(*mem_range, n), dtype=torch.float32),
            syn: torch.tensor(rng.uniform(*syn_range, (n, 1)), dtype=torch.float32),
            "threshold": torch.tensor(rng.uniform(0.4, 1.2, n), dtype=torch.float32),
        }
        linear = LinearTorch((n_in, n), has_bias=bool(rng.integers(2)))
        tensors = [*torch.nn.Module.parameters(linear)]
        set_weights(tensors, int(rng.integers(2**31)), 100, 8)
        parts += [linear, LIFTorch(n, leak_mode=mode, dt=dt, **given)]
    if rng.integers(2):
        tau = torch.tensor(rng.uniform(2e-3, 2e-2, 2), dtype=torch.float32)
        parts += [LinearTorch((sizes[-1], 2)), ExpSynTorch(2, tau=tau, dt=dt)]
    return Sequential(*parts), sizes[0]


@pytest.mark.parametrize("number", range(8))
def test_export_is_the_module(number: int, tmp_path: Path) -> None:
    """The network from the file spikes as the one from the module, with the step found in it."""
    rng = np.random.default_rng(number)
    dt = float(rng.choice([1e-3, 0.7e-3]))
    net, n_in = random_network(rng, dt)
    nir.write(tmp_path / "net.nir", record_rockpool_nir.export(net))
    given = {} if number % 2 else {"dt": dt}
    found = es.load_nir(tmp_path / "net.nir", exporter="rockpool", **given)
    rows = {name: (value, why) for name, value, why in found.assumptions}
    assert rows["step"] == (f"{dt:g} s", "found in r" if number % 2 else "given; it agrees with r")
    made, _ = es.from_torch(net, torch.ones(1, 7, n_in), dt=dt)
    # Factors that were trained become float32 time constants and factors again.
    for ours, theirs in zip(found.network.populations[1:], made.populations[1:], strict=True):
        np.testing.assert_allclose(ours.array("tau_mem"), theirs.array("tau_mem"), rtol=4e-6)
    train = nir_files.spikes(n_in, number, 60 * dt)
    assert_same(found.network, made, train, 60 * dt, 10, 2e-3 * dt)


def test_samples_with_an_axis_of_steps() -> None:
    net, n_in = random_network(np.random.default_rng(3), 1e-3)
    graph = record_rockpool_nir.export(net, torch.zeros(1, 7, n_in))
    assert es.load_nir(graph, exporter="rockpool").network.populations[0].n == n_in


def test_recorded_network(tmp_path: Path) -> None:
    record_rockpool_nir.main(tmp_path)
    assert_recorded(tmp_path / "rockpool_0.nir")


def test_trained_time_constants_in_memory() -> None:
    """nir cannot write an ExpSynTorch whose time constants are trained; the graph is read."""
    from rockpool.nn.modules.torch.nir import to_nir

    first = LinearTorch((3, 2), weight=torch.ones(3, 2))
    net = Sequential(first, LIFTorch(2), LinearTorch((2, 2)), ExpSynTorch(2))
    with pytest.warns(DeprecationWarning):
        graph = to_nir(net)
    read = es.load_nir(graph, exporter="rockpool").network
    made, _ = es.from_torch(net, torch.ones(1, 7, 3), dt=1e-3)
    assert_same(read, made, nir_files.spikes(3, 0, 0.06), 0.06, 1, 1e-7)


def test_what_the_file_loses() -> None:
    """Bias and recurrent weights are not in the file, as the rows say."""
    found = []
    for given in ({}, {"bias": torch.tensor([0.1, 0.2])}, {"has_rec": True}):
        net = Sequential(LinearTorch((3, 2), weight=torch.ones(3, 2)), LIFTorch(2, **given))
        found.append(es.load_nir(record_rockpool_nir.export(net), exporter="rockpool"))
    assert len({repr((f.network.populations, f.network.projections)) for f in found}) == 1
    rows = {name: (value, why) for name, value, why in found[1].assumptions}
    lost = "never written: take a module that has it with from_torch"
    assert rows["bias of LIFTorch"] == ("0", lost)
    assert rows["w_rec of LIFTorch"] == ("none", lost)


@pytest.mark.parametrize(
    "part, message",
    [
        (lambda: LIFNeuronTorch(2), r"type: expected one of CubaLIF \(LIFTorch\), LI \(ExpSyn"),
        (lambda: Residual(LinearTorch((2, 2)), LIFTorch(2)), "expected no Residual"),
    ],
)
def test_refused(part: Any, message: str) -> None:
    graph = record_rockpool_nir.export(Sequential(LinearTorch((3, 2)), part()))
    with pytest.raises(UnsupportedNetwork, match=message):
        es.load_nir(graph, exporter="rockpool")
