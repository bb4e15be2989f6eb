"""Random layers and networks of SpikingJelly, and what they did."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import functional, neuron

from tests.frameworks.drawn import charge, dyadic, layers_in_turn

#: Class -> the function of eventsim.discrete.frameworks.spikingjelly.
NODES = {
    "IFNode": "if_node",
    "LIFNode": "lif_node",
    "ParametricLIFNode": "parametric_lif_node",
}
TYPES = {"float32": torch.float32, "float64": torch.float64}


def neurons(
    rng: np.random.Generator, kind: str, soft: bool, decay_input: bool, dtype: str
) -> tuple[Any, dict[str, Any]]:
    """A node with random parameters, and the layer of a case that it is."""
    arguments: dict[str, Any] = {
        "v_threshold": float(rng.uniform(0.4, 1.2)),
        "v_reset": None if soft else float(rng.uniform(-0.5, 0.2)),
    }
    tau = float(rng.uniform(1.2, 6.0))
    options: dict[str, Any] = {}
    if kind != "IFNode":
        arguments["decay_input"] = decay_input
        options = {"tau" if kind == "LIFNode" else "init_tau": tau}
    module = getattr(neuron, kind)(**arguments, **options).to(TYPES[dtype])
    if kind == "LIFNode":
        arguments["tau"] = tau
    elif kind == "ParametricLIFNode":
        arguments["q"] = float(module.w.detach().sigmoid())
    layer: dict[str, Any] = {
        "rule": f"spikingjelly.{NODES[kind]}", "arguments": arguments,
        "weight": None, "bias": None, "recurrent": None, "recurrent_bias": None,
    }  # fmt: skip
    return module, layer


@torch.no_grad()
def outputs(module: Any, x: Any) -> tuple[Any, Any]:
    """Spikes and membranes [sample, step, n] of a node for the charges ``x``."""
    functional.reset_net(module)
    spikes, membranes = [], []
    for step in range(x.shape[1]):
        spikes.append(module(torch.tensor(x[:, step])).numpy().astype(np.uint8))
        membranes.append(module.v.numpy().copy())
    return np.stack(spikes, 1), np.stack(membranes, 1)


def layers() -> list[dict[str, Any]]:
    """Every class with every reset and charge; membranes of random charges."""
    cases = []
    for kind, soft, decay_input, dtype in itertools.product(
        NODES, (False, True), (True, False), TYPES
    ):
        if kind == "IFNode" and not decay_input:
            continue
        rng = np.random.default_rng(len(cases))
        module, layer = neurons(rng, kind, soft, decay_input, dtype)
        scale = 3.0 if decay_input and kind != "IFNode" else 1.0
        x = rng.normal(0.3 * scale, 0.5 * scale, (1, 40, 4)).astype(dtype)
        layer["spikes"], layer["v"] = outputs(module, x)
        name = f"{kind}, {'soft' if soft else 'hard'}, decay_input={decay_input}, {dtype}"
        cases.append({"name": name, "dtype": dtype, "x": x, "layers": [layer]})
    return cases


def drawn(rng: np.random.Generator, kind: str, n_in: int, n: int, signal: Any) -> dict[str, Any]:
    """A linear layer with dyadic weights, nodes behind it, and what they did."""
    soft, decay_input = bool(rng.integers(2)), bool(rng.integers(2))
    module, layer = neurons(rng, kind, soft, decay_input, "float32")
    scale = 3 if decay_input and kind != "IFNode" else 1
    layer["weight"] = dyadic(rng, (n, n_in), -60 * scale, 160 * scale)
    layer["bias"] = dyadic(rng, n, -20, 30)
    layer["spikes"], layer["v"] = outputs(module, charge(layer, signal))
    return layer


def networks() -> list[dict[str, Any]]:
    """Linear layers and neurons in turn; weights are dyadic, inputs are 0 and 1."""
    return [
        layers_in_turn(np.random.default_rng(1000 + seed), kinds, drawn, steps=40)
        for seed, kinds in enumerate(itertools.permutations(NODES))
    ]


def cases() -> list[dict[str, Any]]:
    """The cases of spikingjelly.npz."""
    return layers() + networks()
