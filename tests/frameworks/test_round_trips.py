"""From a module to eventsim, to a NIR file, and back: all spikes stay, the twin's as well."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import eventsim as es
from tests.frameworks.conftest import MISSING

DT = 2e-3
STEPS, SAMPLES = 40, 3


def spikes(n: int, steps_first: bool) -> Any:
    seeded = torch.Generator().manual_seed(7)
    x = (torch.rand((SAMPLES, STEPS, n), generator=seeded) < 0.4).float()
    return x.transpose(0, 1) if steps_first else x


def dyadic(net: nn.Module, low: int = -50, high: int = 250) -> nn.Module:
    rng = np.random.default_rng(3)
    for part in net.modules():
        if isinstance(part, nn.Linear):
            for tensor in part.parameters():
                values = rng.integers(low, high if tensor.dim() > 1 else 30, tuple(tensor.shape))
                tensor.data = torch.tensor(values / 256.0, dtype=torch.float32)
    return net


def norse() -> Any:
    import norse.torch as norse

    net = dyadic(
        norse.SequentialState(
            nn.Linear(5, 6), norse.LIFRecurrentCell(6, 6), nn.Linear(6, 4), norse.LIFBoxCell()
        ),
        high=900,
    )
    for tensor in (net[1].input_weights, net[1].recurrent_weights):
        tensor.data = torch.round(tensor.data * 256) / 256

    return es.from_torch(net, spikes(5, True), dt=DT, run="step"), 5


def snntorch() -> Any:
    from tests.frameworks import record_snntorch, record_snntorch_nir

    net = record_snntorch_nir.prepared(record_snntorch.networks()[1])
    n = net[0].in_features
    return es.from_torch(net, spikes(n, True), dt=DT, run="step"), n


def spikingjelly() -> Any:
    from tests.frameworks.record_spikingjelly_nir import network

    return es.from_torch(network(), spikes(5, True), dt=DT, run="step"), 5


def sinabs() -> Any:
    import sinabs.layers as layers

    net = dyadic(
        nn.Sequential(nn.Linear(5, 6), layers.LIF(tau_mem=6.0), nn.Linear(6, 4), layers.IAF()),
        high=500,
    )
    return es.from_torch(net, spikes(5, False), dt=DT), 5


def rockpool() -> Any:
    from rockpool.nn.combinators import Sequential
    from rockpool.nn.modules import LIFTorch, LinearTorch

    parts = []
    for seed, (n_in, n) in enumerate([(5, 6), (6, 4)]):
        linear = LinearTorch((n_in, n))
        values = np.random.default_rng(seed).integers(-40, 120, (n_in, n))
        linear.weight.data = torch.tensor(values / 256.0, dtype=torch.float32)
        parts += [linear, LIFTorch(n, tau_mem=0.02, tau_syn=0.01, dt=DT)]
    return es.from_torch(Sequential(*parts), spikes(5, False), dt=DT), 5


def spikingtorch() -> Any:
    from tests.frameworks.test_spikingtorch import Dense, Loop
    from tests.frameworks.test_spikingtorch import dyadic as weights

    net = Loop(weights(Dense("CoarseLIF", 3.0), 1))
    return es.from_torch(net, spikes(12, False), dt=DT), 12


HERE = [
    make
    for make in (norse, rockpool, sinabs, snntorch, spikingjelly, spikingtorch)
    if make.__name__ not in MISSING
]


@pytest.mark.parametrize("make", HERE, ids=lambda make: make.__name__)
def test_module_to_nir_and_back(make: Callable[[], Any], tmp_path: Path) -> None:
    importlib.import_module(make.__name__)
    (net, disc), n = make()
    again, kept = es.load(es.save_nir(tmp_path / "net.nir", net, disc, lossy=True))
    assert kept == disc
    for ours, theirs in zip(again.populations, net.populations, strict=True):
        assert ours.name == theirs.name and ours.n == theirs.n
    x = spikes(n, False).numpy()
    before, after = (d.run(net_, x, layers=True) for d, net_ in ((disc, net), (kept, again)))
    for name, array in before.items():
        assert array.any()
        np.testing.assert_array_equal(array, after[name])
    rng = np.random.default_rng(1)
    train = es.SpikeTrain(np.sort(rng.uniform(0.0, STEPS * DT, 300)), rng.integers(0, n, 300))
    one, two = (es.simulate(way, {way.inputs[0]: train}, t_stop=STEPS * DT) for way in (net, again))
    for population in net.populations[1:]:
        first, second = one.spikes[population.name], two.spikes[population.name]
        assert len(first) > 5
        np.testing.assert_array_equal(first.senders, second.senders)
        np.testing.assert_allclose(first.times, second.times, rtol=0, atol=1e-9 * DT)
