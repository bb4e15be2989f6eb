"""The networks of snntorch.npz as snnTorch exports them: ``python -m`` this, with nir >= 1.0.5.

Files are ``snntorch_0.nir`` and so on, in the order of the networks. Their spikes are those of
networks in which all resets are as late.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nir
import numpy as np
import snntorch
import torch

from tests.frameworks import record_nir, record_snntorch
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


def prepared(case: dict[str, Any], reset_delay: bool = True) -> torch.nn.Sequential:
    """The modules with one time of the reset; hidden states of RSynaptic need the later one."""
    net = sequential(case)
    for part in net:
        if hasattr(part, "reset_delay"):
            part.reset_delay = reset_delay
    return net


def export(case: dict[str, Any]) -> Any:
    """The graph that snnTorch makes of a case; the step with a state that is passed is none."""
    from snntorch.export_nir import export_to_nir

    net = prepared(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return export_to_nir(net, torch.zeros(1, net[0].in_features), ignore_dims=[0])


def stepping(net: torch.nn.Module) -> Any:
    """One step of a network that holds its states itself."""

    def step(x: Any, state: Any) -> None:
        net(x)

    return step


def spikes() -> list[dict[str, Any]]:
    """What the modules do."""
    cases = []
    for number, case in enumerate(record_snntorch.networks()):
        recurrent = any(layer["recurrent"] is not None for layer in case["layers"])
        mechanism = case["layers"][0]["arguments"]["reset_mechanism"]
        for late in (True,) if recurrent else (True, False):
            net = prepared(case, late)
            x = record_nir.inputs(np.random.default_rng(number), net[0].in_features)
            options = {
                "exporter": "snntorch",
                "reset": {"subtract": "subtract", "zero": "value"}[mechanism],
                "reset_delay": late,
            }
            found = record_nir.spikes(list(net[1::2]), x, stepping(net))
            cases.append(
                {"file": f"snntorch_{number}.nir", "options": options, "x": x, "spikes": found}
            )
    return cases


def main(folder: Path = FOLDER) -> None:
    for k, case in enumerate(record_snntorch.networks()):
        nir.write(folder / f"snntorch_{k}.nir", export(case))
    record_nir.store("snntorch", spikes(), folder)


if __name__ == "__main__":
    main()
