"""Random layers and networks of Rockpool's torch modules, and what they did.

Importing the package looks for samna with pip; PIP_NO_INDEX=1 makes that short.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from rockpool.nn.modules import LIFTorch

from tests.frameworks.drawn import dyadic

#: Leak mode -> parameters and their ranges.
MODES = {
    "taus": {"tau_mem": (1e-3, 2e-2), "tau_syn": (1e-3, 1e-2)},
    "decays": {"alpha": (0.3, 0.95), "beta": (0.3, 0.9)},
    "bitshifts": {"dash_mem": (1.0, 5.0), "dash_syn": (0.5, 3.0)},
}


def neurons(
    rng: np.random.Generator, mode: str, n: int, loop: bool, step: float | None = None
) -> tuple[Any, dict[str, Any]]:
    """A layer with random parameters, and the layer of a case that it is."""
    drawn = float(rng.choice([1e-3, 0.7e-3]))
    dt = drawn if step is None else step
    given: dict[str, Any] = {
        "bias": torch.tensor(rng.uniform(-0.05, 0.1, n), dtype=torch.float32),
        "threshold": torch.tensor(rng.uniform(0.4, 1.2, n), dtype=torch.float32),
    }
    (mem, mem_range), (syn, syn_range) = MODES[mode].items()
    given[mem] = torch.tensor(rng.uniform(*mem_range), dtype=torch.float32)
    given[syn] = torch.tensor(rng.uniform(*syn_range), dtype=torch.float32)
    most = int(rng.choice([1, 2, 2**16]))
    weight = dyadic(rng, (n, n), -60, 30) if loop else None
    if weight is not None:
        given |= {"has_rec": True, "w_rec": torch.tensor(weight.T.copy())}
    module = LIFTorch((n,), leak_mode=mode, max_spikes_per_dt=most, dt=dt, **given)
    arguments = {
        "alpha": module.alpha.detach().numpy(), "beta": module.beta.detach().numpy().reshape(-1),
        "bias": given["bias"].numpy(), "threshold": given["threshold"].numpy(),
        "max_spikes_per_dt": most,
    }  # fmt: skip
    return module, {
        "rule": "rockpool.lif", "arguments": arguments,
        "weight": None, "bias": None, "recurrent": weight, "recurrent_bias": None,
    }  # fmt: skip


@torch.no_grad()
def outputs(module: Any, x: Any) -> tuple[Any, Any]:
    """Spikes and membranes [sample, step, n] of a layer for the charges ``x``."""
    module.reset_state()
    spikes, _, record = module(torch.tensor(x), record=True)
    return spikes.numpy().astype(np.int32), record["vmem"].numpy()


def layers() -> list[dict[str, Any]]:
    """Every leak mode, with and without recurrence; membranes of random charges."""
    cases = []
    for number, mode in enumerate([*MODES] * 2):
        rng = np.random.default_rng(100 + number)
        module, layer = neurons(rng, mode, 4, loop=number >= len(MODES))
        x = rng.normal(0.3, 0.8, (1, 40, 4)).astype(np.float32)
        layer["spikes"], layer["v"] = outputs(module, x)
        cases.append({"name": f"{mode} {number}", "dtype": "float32", "x": x, "layers": [layer]})
    return cases


def networks() -> list[dict[str, Any]]:
    """Linear layers and neurons in turn; weights are dyadic, inputs are 0 and 1."""
    cases = []
    for seed, modes in enumerate([("taus", "decays"), ("bitshifts", "taus", "taus")]):
        rng = np.random.default_rng(1000 + seed)
        sizes = [6, *[int(n) for n in rng.integers(4, 9, len(modes))]]
        x = rng.integers(0, 2, (2, 60, 6)).astype(np.float32)
        found, signal = [], x
        for k, (n_in, n, mode) in enumerate(zip(sizes, sizes[1:], modes, strict=False)):
            module, layer = neurons(rng, mode, n, loop=k % 2 == 1)
            layer["weight"] = dyadic(rng, (n, n_in), -90, 110)
            layer["spikes"], layer["v"] = outputs(module, signal @ layer["weight"].T)
            found.append(layer)
            signal = layer["spikes"].astype(np.float32)
        name = " to ".join(modes)
        cases.append({"name": name, "dtype": "float32", "x": x, "layers": found})
    return cases


def cases() -> list[dict[str, Any]]:
    """The cases of rockpool.npz."""
    return layers() + networks()
