"""A network as sinabs exports it to NIR: ``python -m`` this, with nir 1.0.4, nirtorch 2.0."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nir
import numpy as np
import sinabs.layers as sl
import torch
from sinabs.nir import to_nir

from tests.frameworks import record_nir
from tests.frameworks.nir_files import set_weights
from tests.frameworks.records import FOLDER


def network(**spikes: Any) -> Any:
    """The modules, with dyadic weights; ``spikes`` is what the file does not say of them."""
    some = {"tau_mem": torch.tensor([3.0, 5.5, 8.0, 20.0])}
    net = torch.nn.Sequential(
        torch.nn.Linear(5, 6),
        sl.IAF(spike_threshold=torch.tensor(0.75), **spikes),
        torch.nn.Linear(6, 5, bias=False),
        sl.LIF(tau_mem=8.0, spike_threshold=torch.tensor(0.5), norm_input=True, **spikes),
        torch.nn.Linear(5, 4),
        sl.LIF(
            **some, spike_threshold=torch.tensor([0.5, 1.0, 1.5, 2.0]), norm_input=False, **spikes
        ),
        torch.nn.Linear(4, 3),
        sl.ExpLeak(tau_mem=6.0),
    )
    linear = [part for part in net if isinstance(part, torch.nn.Linear)]
    set_weights([t for part in linear for t in part.parameters()], 7, 200, 30)
    return net


def export(net: Any, sample: Any) -> Any:
    """The graph that sinabs makes of modules."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return to_nir(net, sample)


def spikes() -> list[dict[str, Any]]:
    """What the modules do."""
    net, x = network(), record_nir.inputs(np.random.default_rng(0), 5)
    scaled = {"3": True, "5": False, "7": False}
    options = {"exporter": "sinabs", "reset": "subtract", "multi_spike": True, "norm_input": scaled}
    found = record_nir.spikes_at_once(net, [net[1], net[3], net[5]], x)
    return [{"file": "sinabs_0.nir", "options": options, "x": x, "spikes": found}]


def main(folder: Path = FOLDER) -> None:
    nir.write(folder / "sinabs_0.nir", export(network(), torch.zeros(1, 7, 5)))
    record_nir.store("sinabs", spikes(), folder)


if __name__ == "__main__":
    main()
