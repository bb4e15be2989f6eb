"""Reading a PyTorch state_dict with an architecture description.

A PyTorch file is a pickle, and a pickle can run code. Files are read with ``weights_only=True``
alone, which knows tensors and plain containers and refuses everything else.
"""

from __future__ import annotations

import os
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.discretization import Discretization
from eventsim.errors import FileError, MissingExtra
from eventsim.load.architecture import read_architecture
from eventsim.load.assemble import assemble
from eventsim.load.hdf5 import existing
from eventsim.network import Network

__all__ = ["load_torch", "read_state_dict"]

_WHAT = "a PyTorch state_dict"
#: A file or a tensor is not unpacked to more than so many times what it holds.
MOST_FOLD = 100
_CODE = re.compile(r"GLOBAL ([\w.]+)")


def load_torch(
    path: str | os.PathLike[str], architecture: str | os.PathLike[str] | Mapping[str, Any]
) -> tuple[Network, Discretization]:
    """Read a state_dict that ``torch.save`` wrote.

    Parameters
    ----------
    path : str or Path
        The file of the tensors.
    architecture : str, Path or mapping
        The description; see :mod:`eventsim.load.architecture`.

    Returns
    -------
    (Network, Discretization)

    Raises
    ------
    FileError
        The file is missing, damaged, holds code or something else than tensors, or its tensors
        do not fit the description.
    UnsupportedNetwork
        The description cannot be expressed.
    MissingExtra
        PyTorch is not installed.
    """
    described = read_architecture(architecture)
    return assemble(described, read_state_dict(path, described.state_dict), str(path))


def read_state_dict(
    path: str | os.PathLike[str], key: str | None = None
) -> dict[str, NDArray[Any]]:
    """The tensors of a file as arrays; ``key`` names the entry of a checkpoint that holds them."""
    found = existing(path, _WHAT)
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch", "torch", f"{path}: reading {_WHAT}") from error
    _check_packed(path, found)
    try:
        with warnings.catch_warnings():
            # About pickle protocols; what matters is whether reading succeeds.
            warnings.simplefilter("ignore")
            content = torch.load(found, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch raises errors of many classes; they differ between its versions.
        raise _unreadable(path, error) from error
    if key is not None:
        if not isinstance(content, Mapping) or key not in content:
            raise FileError(
                f"{path}: state_dict: expected an entry {key!r}, got {_summary(content)}"
            )
        content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise FileError(f"{path}: file: expected named tensors, got {_summary(content)}")
    nested = [name for name, value in content.items() if isinstance(value, Mapping)]
    if nested:
        raise FileError(
            f"{path}: file: expected named tensors, got a checkpoint with nested entries {nested} "
            '(state_dict = "..." names the one to take)'
        )
    tensors = {}
    for name, value in content.items():
        if not isinstance(value, torch.Tensor):
            raise FileError(f"{path}: {name}: expected a tensor, got {type(value).__name__}")
        tensors[str(name)] = _array(path, str(name), value)
    return tensors


def _check_packed(path: str | os.PathLike[str], found: Path) -> None:
    """Refuse an archive that unpacks to far more than it is; torch.save compresses nothing."""
    if not zipfile.is_zipfile(found):
        return
    try:
        with zipfile.ZipFile(found) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError):
        return  # torch says what is wrong with it
    if size > MOST_FOLD * found.stat().st_size:
        raise FileError(
            f"{path}: file: expected tensors as torch.save stores them, got {size} bytes packed "
            f"into {found.stat().st_size}"
        )


def _array(path: str | os.PathLike[str], name: str, tensor: Any) -> NDArray[Any]:
    try:
        if not tensor.is_meta and tensor.numel() > MOST_FOLD * (_stored(tensor) + 1000):
            raise FileError(
                f"{path}: {name}: expected as many numbers as its shape {list(tensor.shape)} has, "
                f"got {_stored(tensor)}, repeated"
            )
        dense = tensor.detach().to_dense()
        if dense.is_floating_point() and dense.element_size() < 4:
            # Half precision; every such number is a float32 number.
            dense = dense.float()
        return np.array(dense.numpy())
    except (RuntimeError, TypeError) as error:
        raise FileError(
            f"{path}: {name}: expected a tensor of real numbers, got {tensor.dtype}: {error}"
        ) from error


def _stored(tensor: Any) -> int:
    """How many numbers a tensor holds in memory."""
    if tensor.is_sparse:
        return int(tensor._nnz())
    return int(tensor.untyped_storage().nbytes() // tensor.element_size())


def _unreadable(path: str | os.PathLike[str], error: Exception) -> FileError:
    text = str(error)
    code = _CODE.search(text)
    if code or type(error).__name__ == "UnpicklingError":
        what = f"pickled code ({code[1]})" if code else "pickled objects that may hold code"
        return FileError(
            f"{path}: file: expected tensors only, got {what}; weights are never allowed to run "
            "code, so nothing was run. Save module.state_dict() with torch.save instead"
        )
    line = next((part.strip() for part in text.splitlines() if part.strip()), type(error).__name__)
    return FileError(f"{path}: file: expected {_WHAT}, got a damaged or other file ({line})")


def _summary(content: Any) -> str:
    if isinstance(content, Mapping):
        return f"the entries {sorted(map(str, content))}"
    return f"a {type(content).__name__}"
