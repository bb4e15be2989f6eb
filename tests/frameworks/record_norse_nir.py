"""Networks as Norse exports them to NIR: ``python -m`` this, with nir >= 1.0.8, nirtorch 2.6.

``norse_0.nir`` holds LIFBox, LIF and IAF neurons that reset to 0, ``norse_1.nir`` LIFBox neurons
that subtract their threshold. The step of both is :data:`STEP`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import norse.torch as norse
import numpy as np
import torch
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.reset import reset_subtract
from norse.torch.utils.export_nir import to_nir

from tests.frameworks import record_nir
from tests.frameworks.record_norse import dyadic
from tests.frameworks.records import FOLDER

STEP = 2e-3


def networks() -> list[Any]:
    """The modules; weights are dyadic."""
    box = {"tau_mem_inv": 80.0, "v_leak": 0.125, "v_th": 0.75, "v_reset": 0.0}
    lif = {"tau_mem_inv": 125.0, "tau_syn_inv": 250.0, "v_leak": 0.0, "v_th": 0.5}

    def tensors(values: dict[str, float], n: int) -> dict[str, Any]:
        # nir writes no single numbers
        return {name: torch.full((n,), value) for name, value in values.items()}

    nets = [
        norse.SequentialState(
            torch.nn.Linear(5, 6),
            norse.LIFBoxCell(norse.LIFBoxParameters(**tensors(box, 6)), dt=STEP),
            torch.nn.Linear(6, 4),
            norse.LIFCell(norse.LIFParameters(**tensors(lif, 4)), dt=STEP),
            torch.nn.Linear(4, 3),
            norse.IAFCell(IAFParameters(v_th=torch.full((3,), 0.625)), dt=STEP),
        ),
        norse.SequentialState(
            torch.nn.Linear(5, 4),
            norse.LIFBoxCell(
                norse.LIFBoxParameters(**tensors(box, 4), reset_method=reset_subtract), dt=STEP
            ),
        ),
    ]
    rng = np.random.default_rng(5)
    for net in nets:
        for tensor in net.parameters():
            values = dyadic(rng, tuple(tensor.shape), -50, 500 if tensor.dim() > 1 else 50)
            tensor.data = torch.tensor(values, dtype=torch.float32)
    return nets


def spikes() -> list[dict[str, Any]]:
    """What the modules do."""
    cases = []
    for number, net in enumerate(networks()):
        cells = [part for part in net if not isinstance(part, torch.nn.Linear)]
        x = record_nir.inputs(np.random.default_rng(number), 5)
        options = {"exporter": "norse", "reset": ("value", "subtract")[number]}
        found = record_nir.spikes(cells, x, stepping(net))
        cases.append({"file": f"norse_{number}.nir", "options": options, "x": x, "spikes": found})
    return cases


def stepping(net: Any) -> Any:
    """One step of a network that gives its states."""

    def step(x: Any, state: Any) -> Any:
        return net(x, state)[1]

    return step


def main(folder: Path = FOLDER) -> None:
    for number, net in enumerate(networks()):
        graph = to_nir(net, torch.zeros(1, 5), dt=STEP)
        nir.write(folder / f"norse_{number}.nir", graph)
    record_nir.store("norse", spikes(), folder)


if __name__ == "__main__":
    main()
