"""A network as Rockpool exports it to NIR: ``python -m`` this, with nir 1.0.4, nirtorch 2.0."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from rockpool.nn.combinators import Sequential
from rockpool.nn.modules import ExpSynTorch, LIFTorch, LinearTorch
from rockpool.nn.modules.torch.nir import to_nir

from tests.frameworks import record_nir
from tests.frameworks.nir_files import set_weights
from tests.frameworks.records import FOLDER

STEP = 2e-3


def network() -> Any:
    """The modules, with dyadic weights."""
    net = Sequential(
        LinearTorch((5, 6)),
        LIFTorch(6, tau_mem=0.02, tau_syn=0.008, threshold=0.75, dt=STEP),
        LinearTorch((6, 4), has_bias=True),
        LIFTorch(
            4,
            tau_mem=torch.tensor([0.01, 0.012, 0.02, 0.03]),
            tau_syn=torch.tensor([[0.003], [0.005], [0.01], [0.02]]),
            threshold=torch.tensor([0.5, 0.75, 1.0, 1.25]),
            dt=STEP,
        ),
        LinearTorch((4, 3)),
        ExpSynTorch(3, tau=torch.tensor([0.005, 0.01, 0.015]), dt=STEP),
    )
    linear = [part for part in net if isinstance(part, LinearTorch)]
    set_weights([t for part in linear for t in torch.nn.Module.parameters(part)], 8, 100, 20)
    return net


def export(net: Any, sample: Any = None) -> Any:
    """The graph that Rockpool makes of modules."""
    for name, tensor in torch.nn.Module.named_parameters(net):
        if name.endswith("tau"):  # of ExpSynTorch, which the exporter does not detach
            tensor.requires_grad_(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return to_nir(net, sample)


def spikes() -> list[dict[str, Any]]:
    """What the modules do."""
    net, x = network(), record_nir.inputs(np.random.default_rng(0), 5)
    neurons = [part for part in net if isinstance(part, LIFTorch)]
    found = record_nir.spikes_at_once(net, neurons, x)
    case = {"file": "rockpool_0.nir", "options": {"exporter": "rockpool"}, "x": x, "spikes": found}
    return [case]


def main(folder: Path = FOLDER) -> None:
    nir.write(folder / "rockpool_0.nir", export(network()))
    record_nir.store("rockpool", spikes(), folder)


if __name__ == "__main__":
    main()
