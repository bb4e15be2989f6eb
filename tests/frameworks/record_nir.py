"""What modules do whose NIR files are stored: ``nir/NAME.npz`` beside the files.

Written by ``python -m tests.frameworks.record_NAME_nir``. The cases of a file hold ``file`` and
``options`` (of :func:`eventsim.load`), the input ``x`` [sample, step, n] and the ``spikes`` of each
layer of neurons, from input to output.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.frameworks.records import write


@torch.no_grad()
def spikes(neurons: list[Any], x: Any, step: Callable[[Any, Any], Any]) -> list[Any]:
    """Spikes [sample, step, n] of each of the modules ``neurons`` of a network.

    ``step(x, state)`` makes one step with the input [sample, n], and gives the state behind it.
    """
    seen: dict[Any, list[Any]] = {module: [] for module in neurons}

    def keep(module: Any, _: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        seen[module].append(first.numpy().copy())

    hooks = [module.register_forward_hook(keep) for module in neurons]
    state = None
    for part in torch.tensor(x).unbind(1):
        state = step(part, state)
    for hook in hooks:
        hook.remove()
    return [np.stack(seen[module], axis=1).astype(np.uint8) for module in neurons]


@torch.no_grad()
def spikes_at_once(net: Any, neurons: list[Any], x: Any) -> list[Any]:
    """The same for a network that makes all steps in a call."""
    seen: dict[Any, Any] = {}

    def keep(module: Any, _: Any, output: Any) -> None:
        seen[module] = (output[0] if isinstance(output, tuple) else output).numpy().copy()

    hooks = [module.register_forward_hook(keep) for module in neurons]
    net(torch.tensor(x))
    for hook in hooks:
        hook.remove()
    return [seen[module].astype(np.uint8) for module in neurons]


def inputs(rng: np.random.Generator, n: int, steps: int = 50) -> Any:
    """Random numbers of two samples, multiples of 1/4."""
    return (rng.integers(-2, 8, (2, steps, n)) / 4.0).astype(np.float32)


def store(name: str, cases: list[dict[str, Any]], folder: Path) -> None:
    """Write the file of a framework beside its NIR files."""
    (folder / "nir").mkdir(exist_ok=True)
    about = {
        "framework": name,
        "version": version(name),
        "torch": version("torch"),
        "made by": f"python -m tests.frameworks.record_{name}_nir",
        "cases": cases,
    }
    write(folder / "nir" / f"{name}.npz", about)
