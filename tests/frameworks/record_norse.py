"""Random layers and networks of Norse, and what they did."""

from __future__ import annotations

from typing import Any

import norse.torch as norse
import numpy as np
import torch
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.lsnn import LSNNParameters
from norse.torch.functional.reset import reset_subtract, reset_value

from tests.frameworks.drawn import charge, dyadic, layers_in_turn

#: Class -> the function of eventsim.discrete.frameworks.norse, and Norse's parameters.
CELLS = {
    "LIFBoxCell": ("lif_box", norse.LIFBoxParameters),
    "LIFCell": ("lif", norse.LIFParameters),
    "LIFRecurrentCell": ("lif", norse.LIFParameters),
    "LSNNCell": ("lsnn", LSNNParameters),
    "LSNNRecurrentCell": ("lsnn", LSNNParameters),
    "IAFCell": ("iaf", IAFParameters),
}
RANGES = {
    "tau_syn_inv": (50.0, 600.0), "tau_mem_inv": (50.0, 600.0), "tau_adapt_inv": (2.0, 300.0),
    "v_leak": (-0.3, 0.3), "v_th": (0.3, 1.2), "v_reset": (-0.4, 0.2), "beta": (0.05, 0.6),
}  # fmt: skip
#: Charge that makes a class spike now and then: mean and standard deviation.
DRIVE = {"LIFBoxCell": (1.2, 2.0), "IAFCell": (0.15, 0.4)}
TYPES = {"float32": torch.float32, "float64": torch.float64}


def neurons(
    rng: np.random.Generator, kind: str, n: int, dtype: str, n_in: int | None = None
) -> tuple[Any, dict[str, Any]]:
    """A cell with random parameters, and the layer of a case that it is.

    Numbers are those of each neuron where the class allows for it. Norse's recurrent cells have
    weights for their input as well, one to one if ``n_in`` is None.
    """
    function, parameters = CELLS[kind]
    recurrent = "Recurrent" in kind
    one = ("v_leak", "v_th") if recurrent or kind == "LSNNCell" else ()
    p = {
        name: torch.tensor(rng.uniform(*RANGES[name], () if name in one else n), dtype=TYPES[dtype])
        for name in parameters._fields
        if name in RANGES
    }
    if kind == "LIFRecurrentCell":  # its first potentials are float32 numbers
        p["v_leak"] = p["v_leak"].float().to(TYPES[dtype])
    arguments: dict[str, Any] = {name: value.numpy() for name, value in p.items()}
    options, extra = {"dt": float(rng.uniform(5e-4, 1.5e-3))}, {}
    if kind == "LIFBoxCell":
        reset = str(rng.choice(["value", "subtract"]))
        arguments["reset"] = reset
        extra["reset_method"] = {"value": reset_value, "subtract": reset_subtract}[reset]
    layer: dict[str, Any] = {
        "rule": f"norse.{function}",
        "arguments": arguments | ({} if kind == "IAFCell" else options),
        "weight": None, "bias": None, "recurrent": None, "recurrent_bias": None,
    }  # fmt: skip
    module = getattr(norse, kind)
    if not recurrent:
        return module(p=parameters(**p, **extra), **options), layer
    layer["recurrent"] = dyadic(rng, (n, n), -100, 140, dtype) * (1 - np.eye(n, dtype=dtype))
    weight = np.eye(n, dtype=dtype)
    if n_in is not None:
        weight = layer["weight"] = dyadic(rng, (n, n_in), -100, 200, dtype)
    weights = {"input_weights": weight, "recurrent_weights": layer["recurrent"]}
    made = module(
        len(weight[0]), n, p=parameters(**p), **options,
        **{name: torch.nn.Parameter(torch.tensor(w)) for name, w in weights.items()},
    )  # fmt: skip
    return made, layer


@torch.no_grad()
def outputs(module: Any, x: Any) -> tuple[Any, Any]:
    """Spikes and membranes [sample, step, n] of a cell for the charges ``x``."""
    state, spikes, membranes = None, [], []
    for step in range(x.shape[1]):
        z, state = module(torch.tensor(x[:, step]), state)
        spikes.append(z.numpy().astype(np.uint8))
        membranes.append(state.v.numpy().copy())
    return np.stack(spikes, 1), np.stack(membranes, 1)


def layers() -> list[dict[str, Any]]:
    """Every class in both arithmetics; membranes of random charges."""
    cases = []
    for number, kind in enumerate([*CELLS, "LIFBoxCell"]):
        for dtype in TYPES:
            rng = np.random.default_rng(100 * number + len(dtype))
            module, layer = neurons(rng, kind, 4, dtype)
            x = rng.normal(*DRIVE.get(kind, (0.4, 0.8)), (1, 40, 4)).astype(dtype)
            layer["spikes"], layer["v"] = outputs(module, x)
            cases.append(
                {"name": f"{kind} {number}, {dtype}", "dtype": dtype, "x": x, "layers": [layer]}
            )
    return cases


def drawn(rng: np.random.Generator, kind: str, n_in: int, n: int, signal: Any) -> dict[str, Any]:
    """A cell with dyadic weights, its own or those of a linear layer, and what it did."""
    module, layer = neurons(rng, kind, n, "float32", n_in)
    if layer["weight"] is None:
        high = 1500 if kind == "LIFBoxCell" else 300
        layer["weight"] = dyadic(rng, (n, n_in), -100, high)
        layer["bias"] = dyadic(rng, n, -20, 60)
        signal = charge(layer, signal)
    layer["spikes"], layer["v"] = outputs(module, signal)
    return layer


def networks() -> list[dict[str, Any]]:
    """Linear layers and neurons in turn; weights are dyadic, inputs are 0 and 1."""
    chosen = (
        ("LIFBoxCell", "LIFCell"),
        ("LIFRecurrentCell", "LSNNRecurrentCell"),
        ("LSNNCell", "IAFCell", "LIFBoxCell"),
    )
    return [
        layers_in_turn(np.random.default_rng(1000 + seed), kinds, drawn)
        for seed, kinds in enumerate(chosen)
    ]


def cases() -> list[dict[str, Any]]:
    """The cases of norse.npz."""
    return layers() + networks()
