"""The networks of snntorch.npz as snnTorch exports them: ``python -m`` this, with nir >= 1.0.5.

Files are ``snntorch_0.nir`` and so on, in the order of the networks.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nir
import numpy as np
import snntorch
import torch

from tests.frameworks import record_snntorch
from tests.frameworks.records import FOLDER


def tensor(values: Any) -> Any:
    return torch.tensor(np.asarray(values, dtype=np.float32))


def sequential(case: dict[str, Any]) -> torch.nn.Sequential:
    """The modules of a case, with hidden states."""
    parts: list[Any] = []
    for layer in case["layers"]:
        linear = torch.nn.Linear(layer["weight"].shape[1], layer["weight"].shape[0])
        linear.weight.data, linear.bias.data = tensor(layer["weight"]), tensor(layer["bias"])
        names = {kind.lower(): kind for kind in record_snntorch.KINDS}
        make = getattr(snntorch, names[layer["rule"].split(".")[1]])
        options = {
            name: tensor(value) if isinstance(value, list) else value
            for name, value in layer["arguments"].items()
        }
        if layer["recurrent"] is not None:
            options["linear_features"] = len(layer["recurrent"])
        neurons = make(**options, init_hidden=True)
        if layer["recurrent"] is not None:
            neurons.recurrent.weight.data = tensor(layer["recurrent"])
            neurons.recurrent.bias.data = tensor(layer["recurrent_bias"])
        parts += [linear, neurons]
    return torch.nn.Sequential(*parts)


def export(case: dict[str, Any]) -> Any:
    """The graph that snnTorch makes of a case; the step with a state that is passed is none."""
    from snntorch.export_nir import export_to_nir

    net = sequential(case)
    for part in net:
        if hasattr(part, "reset_delay"):
            part.reset_delay = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return export_to_nir(net, torch.zeros(1, net[0].in_features), ignore_dims=[0])


def main(folder: Path = FOLDER) -> None:
    for k, case in enumerate(record_snntorch.networks()):
        nir.write(folder / f"snntorch_{k}.nir", export(case))


if __name__ == "__main__":
    main()
