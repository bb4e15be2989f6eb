"""A network as SpikingJelly exports it to NIR: ``python -m`` this, with nir 1.0.8, nirtorch 2.6."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import layer, neuron
from spikingjelly.activation_based.nir_exchange.to_nir import export_to_nir

from tests.frameworks import record_nir
from tests.frameworks.record_spikingjelly import dyadic
from tests.frameworks.records import FOLDER

STEP = 2e-3


def network() -> Any:
    """The modules; weights are dyadic."""
    net = torch.nn.Sequential(
        layer.Linear(5, 6),
        neuron.LIFNode(tau=4.5, v_reset=-0.25),
        layer.Linear(6, 5),
        neuron.IFNode(v_threshold=0.75),
        layer.Linear(5, 4),
        neuron.ParametricLIFNode(init_tau=3.25, decay_input=False, v_threshold=1.25),
        layer.Linear(4, 3),
        neuron.LIFNode(tau=2.5, decay_input=False),
    )
    rng = np.random.default_rng(6)
    for name, tensor in net.named_parameters():
        if name.endswith(".w"):
            continue  # of the ParametricLIFNode
        values = dyadic(rng, tuple(tensor.shape), -50, 250 if tensor.dim() > 1 else 30)
        tensor.data = torch.tensor(values, dtype=torch.float32)
    return net


def spikes() -> list[dict[str, Any]]:
    """What the modules do."""
    net = network()
    x = record_nir.inputs(np.random.default_rng(0), 5)

    def step(part: Any, state: Any) -> None:
        net(part)

    return [
        {
            "file": "spikingjelly_0.nir",
            "options": {"exporter": "spikingjelly", "reset": "value"},
            "x": x,
            "spikes": record_nir.spikes(list(net[1::2]), x, step),
        }
    ]


def main(folder: Path = FOLDER) -> None:
    export_to_nir(network(), torch.zeros(1, 5), save_path=folder / "spikingjelly_0.nir", dt=STEP)
    record_nir.store("spikingjelly", spikes(), folder)


if __name__ == "__main__":
    main()
