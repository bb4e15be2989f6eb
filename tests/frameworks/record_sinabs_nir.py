"""A network as sinabs exports it to NIR: ``python -m`` this, with nir 1.0.4, nirtorch 2.0."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nir
import sinabs.layers as sl
import torch
from sinabs.nir import to_nir

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


def main(folder: Path = FOLDER) -> None:
    nir.write(folder / "sinabs_0.nir", export(network(), torch.zeros(1, 7, 5)))


if __name__ == "__main__":
    main()
