"""Random layers and networks of sinabs, and what they did."""

from __future__ import annotations

from typing import Any

import numpy as np
import sinabs.activation as activation
import sinabs.layers as layers
import torch

from tests.frameworks.drawn import charge, dyadic, layers_in_turn

#: Class -> the function of eventsim.discrete.frameworks.sinabs.
KINDS = {
    "IAF": "iaf", "LIF": "lif", "ALIF": "alif",
    "IAFRecurrent": "iaf", "LIFRecurrent": "lif", "ALIFRecurrent": "alif",
}  # fmt: skip


def linear(weight: Any, bias: Any) -> torch.nn.Linear:
    """A linear layer with these numbers."""
    made = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    made.weight.data = torch.tensor(weight)
    if bias is not None:
        made.bias.data = torch.tensor(bias)
    return made


def neurons(rng: np.random.Generator, kind: str, n: int) -> tuple[Any, dict[str, Any]]:
    """A layer with random parameters, some for each neuron, and the layer of a case that it is."""

    def some(low: float, high: float) -> Any:
        drawn = rng.uniform(low, high, n if rng.integers(2) else ())
        return torch.tensor(drawn, dtype=torch.float32)

    given: dict[str, Any] = {"spike_threshold": some(0.4, 1.2)}
    times = [] if kind.startswith("IAF") else ["mem"]
    times += ["adapt"] if kind.startswith("ALIF") else []
    times += ["syn"] if rng.integers(2) else []
    given |= {f"tau_{name}": some(1.0, 12.0) for name in times}
    if kind.startswith("ALIF") and "syn" in times:  # one for all neurons is all that it takes
        given["tau_syn"] = torch.tensor(float(rng.uniform(1.0, 12.0)))
    if "mem" in times:
        given["norm_input"] = bool(rng.integers(2))
        given["train_alphas"] = bool(rng.integers(2))
    if kind.startswith("ALIF"):
        given["adapt_scale"] = float(rng.uniform(0.2, 2.0))
    if rng.integers(2):
        given["min_v_mem"] = float(rng.uniform(-1.0, -0.1))
    arguments: dict[str, Any] = {
        name: value.numpy() if hasattr(value, "numpy") else value
        for name, value in given.items()
        if not name.startswith(("tau", "train"))
    }
    most = (None, 1, 2)[rng.integers(3)]
    arguments["max_spikes"] = most
    given["spike_fn"] = {
        None: activation.MultiSpike, 1: activation.SingleSpike,
    }.get(most, activation.MaxSpike(most))  # fmt: skip
    reset = rng.integers(3)
    given["reset_fn"] = (
        activation.MembraneSubtract(), activation.MembraneReset(), activation.MembraneSubtract(0.5)
    )[reset]  # fmt: skip
    arguments |= ({"reset": "subtract"}, {"reset": "value"}, {"subtract_value": 0.5})[reset]
    weight = bias = None
    if kind.endswith("Recurrent"):
        weight = dyadic(rng, (n, n), -60, 30)
        bias = dyadic(rng, n, -20, 60) if rng.integers(2) else None
        given["rec_connect"] = linear(weight, bias)
    module = getattr(layers, kind)(**given)
    for name in times:
        alpha = getattr(module, f"alpha_{name}_calculated")
        arguments[f"alpha_{name}"] = alpha.detach().numpy()
    return module, {
        "rule": f"sinabs.{KINDS[kind]}", "arguments": arguments,
        "weight": None, "bias": None, "recurrent": weight, "recurrent_bias": bias,
    }  # fmt: skip


@torch.no_grad()
def outputs(module: Any, x: Any) -> tuple[Any, Any]:
    """Spikes and membranes [sample, step, n] of a layer for the charges ``x``.

    A call is made for each number of steps from the first one on: between calls recurrent layers
    forget what comes back, and ALIF its current.
    """
    found, membranes = [], []
    for step in range(x.shape[1]):
        module.reset_states()
        found.append(module(torch.tensor(x[:, : step + 1])).numpy()[:, -1])
        membranes.append(module.v_mem.numpy().copy())
    return np.stack(found, 1).astype(np.int32), np.stack(membranes, 1)


def drive(rng: np.random.Generator, layer: dict[str, Any], shape: Any) -> Any:
    """Charges that make a layer spike now and then."""
    strength = 3.0 if layer["arguments"].get("norm_input") else 1.0
    return (strength * rng.normal(0.4, 0.9, shape)).astype(np.float32)


def random_layers() -> list[dict[str, Any]]:
    """Every class, with membranes of random charges."""
    cases = []
    for number, kind in enumerate([*KINDS] * 2):
        rng = np.random.default_rng(100 + number)
        module, layer = neurons(rng, kind, 4)
        x = drive(rng, layer, (1, 40, 4))
        layer["spikes"], layer["v"] = outputs(module, x)
        cases.append({"name": f"{kind} {number}", "dtype": "float32", "x": x, "layers": [layer]})
    return cases


def drawn(rng: np.random.Generator, kind: str, n_in: int, n: int, signal: Any) -> dict[str, Any]:
    """A linear layer with dyadic weights, neurons behind it, and what they did."""
    module, layer = neurons(rng, kind, n)
    high = 500 if layer["arguments"].get("norm_input") else 160
    layer["weight"] = dyadic(rng, (n, n_in), -100, high)
    layer["bias"] = dyadic(rng, n, -20, 60)
    layer["spikes"], layer["v"] = outputs(module, charge(layer, signal))
    return layer


def networks() -> list[dict[str, Any]]:
    """Linear layers and neurons in turn; weights are dyadic, inputs are 0 and 1."""
    chosen = (("IAF", "LIF"), ("LIFRecurrent", "ALIF"), ("ALIFRecurrent", "IAFRecurrent", "LIF"))
    return [
        layers_in_turn(np.random.default_rng(1000 + seed), kinds, drawn)
        for seed, kinds in enumerate(chosen)
    ]


def cases() -> list[dict[str, Any]]:
    """The cases of sinabs.npz."""
    return random_layers() + networks()
