"""Weights of a file put into a module, by name, all of them."""

from __future__ import annotations

import os
from typing import Any

from eventsim.errors import FileError
from eventsim.load.hdf5 import existing
from eventsim.load.safetensors import read_safetensors
from eventsim.load.torch import read_state_dict

__all__ = ["load_checkpoint"]

#: What DataParallel and DistributedDataParallel put before all names.
PARALLEL = "module."


def load_checkpoint(module: Any, path: str | os.PathLike[str], key: str | None = None) -> None:
    """Copy the tensors of a state_dict or a safetensors file into a module.

    Parameters
    ----------
    module : torch.nn.Module
        Its parameters and buffers are overwritten, but for empty buffers: these are states, as
        sinabs has them in its checkpoints, and runs start from rest.
    path : str or Path
        The file. No code in it is run.
    key : str or None
        The entry of a checkpoint that holds the tensors.

    Raises
    ------
    FileError
        The file is missing or damaged or holds code, or its names and shapes are not those of
        the module; the message names them.
    """
    import torch

    found = existing(path, "a state_dict or a safetensors file")
    with found.open("rb") as file:
        start = file.read(9)
    safe = len(start) == 9 and start[8:] == b"{"
    tensors = read_safetensors(path) if safe else read_state_dict(path, key)
    own = module.state_dict()
    if tensors and not own.keys() & tensors.keys() and all(n.startswith(PARALLEL) for n in tensors):
        tensors = {name.removeprefix(PARALLEL): array for name, array in tensors.items()}
    missing, unexpected = sorted(set(own) - set(tensors)), sorted(set(tensors) - set(own))
    if missing or unexpected:
        raise FileError(
            f"{path}: tensors: expected the names of {type(module).__name__}, got none for "
            f"{missing} and {unexpected} that it does not have"
        )
    parameters = {name for name, _ in module.named_parameters()}
    kept = {}
    for name, value in own.items():
        if not value.numel() and name not in parameters:
            continue  # a state that the module makes in its first call
        kept[name] = torch.from_numpy(tensors[name])
        if tuple(value.shape) != tensors[name].shape:
            raise FileError(
                f"{path}: {name}: expected shape {tuple(value.shape)} as in "
                f"{type(module).__name__}, got {tensors[name].shape}"
            )
    for name, given in kept.items():
        if not _holds(own[name], given):
            raise FileError(
                f"{path}: {name}: expected numbers that {_kind(own[name])} holds, as in "
                f"{type(module).__name__}, got others of {_kind(given)}: convert the module "
                "or the file"
            )
    module.load_state_dict({**own, **kept})


def _holds(tensor: Any, other: Any) -> bool:
    """Whether the type of one tensor has all numbers of another."""
    if other.is_complex() and not tensor.is_complex():
        return False
    back = other.to(tensor.dtype).to(other.dtype)
    return bool(((back == other) | (other != other)).all())


def _kind(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")
