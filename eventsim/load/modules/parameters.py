"""Parameters of neurons, as arrays in the arithmetic of a module."""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsim.errors import UnsupportedNetwork
from eventsim.projections import Shape

__all__ = ["float32_array", "single", "spread"]


def float32_array(value: Any, name: str, where: str) -> Any:
    """A parameter as float32, as which it meets float32 tensors.

    Raises
    ------
    UnsupportedNetwork
        It is a tensor of another type that would make what it meets float64.
    """
    if not hasattr(value, "detach"):
        return np.asarray(value, dtype=np.float32)
    array = value.detach().cpu().numpy()
    if array.ndim and array.dtype == np.float64:
        raise UnsupportedNetwork(
            f"{where}: {name}: expected float32, as the module's spikes are, got {array.dtype}"
        )
    return array.astype(np.float32)


def spread(array: Any, name: str, shape: Shape, where: str) -> Any:
    """A parameter for each neuron, as torch broadcasts it against [sample, *shape]."""
    if array.size == 1:
        return array.reshape(())
    try:
        return np.broadcast_to(array, (1, *shape)).reshape(-1)
    except ValueError as error:
        raise UnsupportedNetwork(
            f"{where}: {name}: expected one number, or some that fit neurons arranged as "
            f"{tuple(shape)}, got shape {array.shape}"
        ) from error


def single(x: Any, where: str) -> Any:
    """An input of neurons whose states are float32, unchanged."""
    import torch

    if x.dtype != torch.float32:
        raise UnsupportedNetwork(
            f"{where}: input: expected float32, as the module's spikes are, got "
            f"{str(x.dtype).removeprefix('torch.')}"
        )
    return x
