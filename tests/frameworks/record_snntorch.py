"""Random layers and networks of snnTorch, and what they did."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np
import snntorch
import torch

from tests.frameworks.drawn import charge, dyadic, layers_in_turn

KINDS = ("Leaky", "Synaptic", "RLeaky", "RSynaptic")
MECHANISMS = ("subtract", "zero", "none")
TYPES = {"float32": torch.float32, "float64": torch.float64}


def neurons(
    rng: np.random.Generator,
    kind: str,
    n: int,
    mechanism: str,
    delay: bool,
    dtype: str,
    low: float = -0.1,
    high: float = 1.1,
) -> tuple[Any, dict[str, Any]]:
    """A module with random parameters, and the layer of a case that it is."""
    real = TYPES[dtype]
    rates = {name: torch.tensor(rng.uniform(low, high, n)) for name in ("alpha", "beta")}
    if "Synaptic" not in kind:
        del rates["alpha"]
    numbers = {**rates, "threshold": torch.tensor(rng.uniform(0.3, 1.5, n))}
    options: dict[str, Any] = {"reset_mechanism": mechanism, "reset_delay": delay}
    extra = {"linear_features": n} if kind.startswith("R") else {}
    module = getattr(snntorch, kind)(**numbers, **options, **extra).to(real)
    layer: dict[str, Any] = {
        "rule": f"snntorch.{kind.lower()}",
        "arguments": {name: getattr(module, name).tolist() for name in numbers} | options,
        "weight": None, "bias": None, "recurrent": None, "recurrent_bias": None,
    }  # fmt: skip
    if extra:
        layer["recurrent"] = dyadic(rng, (n, n), -100, 140, dtype)
        layer["recurrent_bias"] = dyadic(rng, n, -20, 30, dtype)
        module.recurrent.weight.data = torch.tensor(layer["recurrent"])
        module.recurrent.bias.data = torch.tensor(layer["recurrent_bias"])
    return module, layer


@torch.no_grad()
def outputs(module: Any, x: Any) -> tuple[Any, Any]:
    """Spikes and membranes [sample, step, n] of a module for the charges ``x``."""
    shape = torch.zeros(len(x), x.shape[2], dtype=torch.tensor(x).dtype)
    states: list[Any] = [shape] * (1 + ("syn" in dict(module.named_buffers())))
    recurrent = hasattr(module, "recurrent")
    if recurrent:
        states.insert(0, shape)
    spikes, membranes = [], []
    for step in range(x.shape[1]):
        out = module(torch.tensor(x[:, step]), *states)
        states = list(out if recurrent else out[1:])
        spikes.append(out[0].numpy().astype(np.uint8))
        membranes.append(out[-1].numpy().copy())
    return np.stack(spikes, 1), np.stack(membranes, 1)


def layers() -> list[dict[str, Any]]:
    """Every class with every reset; membranes of random charges."""
    cases = []
    for kind, mechanism, delay, dtype in itertools.product(KINDS, MECHANISMS, (True, False), TYPES):
        if kind.startswith("R") and dtype == "float64":
            continue  # the package's spikes are float32, which its recurrent layer refuses then
        rng = np.random.default_rng(len(cases))
        module, layer = neurons(rng, kind, 4, mechanism, delay, dtype)
        x = rng.normal(0.35, 0.8, (1, 32, 4)).astype(dtype)
        spikes, v = outputs(module, x)
        name = f"{kind}, {mechanism}, {'late' if delay else 'at once'}, {dtype}"
        layer |= {"spikes": spikes, "v": v}
        cases.append({"name": name, "dtype": dtype, "x": x, "layers": [layer]})
    return cases


def drawn(
    mechanism: str, rng: np.random.Generator, kind: str, n_in: int, n: int, signal: Any
) -> dict[str, Any]:
    """A linear layer with dyadic weights, neurons behind it, and what they did."""
    weight, bias = dyadic(rng, (n, n_in), -100, 200), dyadic(rng, n, -20, 30)
    delay = bool(rng.integers(2))
    module, layer = neurons(rng, kind, n, mechanism, delay, "float32", 0.1, 0.98)
    layer |= {"weight": weight, "bias": bias}
    layer["spikes"], layer["v"] = outputs(module, charge(layer, signal))
    return layer


def networks() -> list[dict[str, Any]]:
    """Linear layers and neurons in turn; weights are dyadic, inputs are 0 and 1."""
    cases = []
    for seed, kinds in enumerate((KINDS[:2], KINDS[2:], ("Leaky", "RSynaptic", "Leaky"))):
        rng, draw = np.random.default_rng(100 + seed), partial(drawn, MECHANISMS[seed % 2])
        cases.append(layers_in_turn(rng, kinds, draw, fewest=3, steps=40))
    return cases


def cases() -> list[dict[str, Any]]:
    """The cases of snntorch.npz."""
    return layers() + networks()
