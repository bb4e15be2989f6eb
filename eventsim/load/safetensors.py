"""Reading a safetensors file with an architecture description.

The format holds nothing but named arrays, so it cannot carry code. bfloat16 is read as float32,
of which it is the upper half.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.discretization import Discretization
from eventsim.errors import FileError, MissingExtra
from eventsim.load.architecture import read_architecture
from eventsim.load.assemble import assemble
from eventsim.load.hdf5 import existing
from eventsim.network import Network

__all__ = ["load_safetensors", "read_safetensors"]

_WHAT = "a safetensors file"
_REAL = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def load_safetensors(
    path: str | os.PathLike[str], architecture: str | os.PathLike[str] | Mapping[str, Any]
) -> tuple[Network, Discretization]:
    """Read the tensors of a safetensors file.

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
        The file is missing or damaged, or its tensors do not fit the description.
    UnsupportedNetwork
        The description cannot be expressed.
    MissingExtra
        The package safetensors is not installed.
    """
    described = read_architecture(architecture)
    if described.state_dict is not None:
        raise FileError(
            f"{described.where}: state_dict: expected none for {_WHAT}, "
            f"got {described.state_dict!r}"
        )
    return assemble(described, read_safetensors(path), str(path))


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The tensors of a file as arrays."""
    found = existing(path, _WHAT)
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError as error:
        raise MissingExtra("safetensors", "safetensors", f"{path}: reading {_WHAT}") from error
    try:
        entries = deserialize(found.read_bytes())
    except (SafetensorError, OSError) as error:
        raise FileError(
            f"{path}: file: expected {_WHAT}, got a damaged or truncated file ({error})"
        ) from error
    return {name: _array(path, name, entry) for name, entry in entries}


def _array(path: str | os.PathLike[str], name: str, entry: Mapping[str, Any]) -> NDArray[Any]:
    dtype, data = entry["dtype"], bytes(entry["data"])
    if dtype == "BF16":
        bits = np.frombuffer(data, dtype="<u2").astype("<u4") << 16
        array: NDArray[Any] = bits.view("<f4")
    elif dtype in _REAL:
        array = np.frombuffer(data, dtype=_REAL[dtype])
    else:
        raise FileError(
            f"{path}: {name}: expected one of {sorted([*_REAL, 'BF16'])}, got dtype {dtype}"
        )
    native = np.float32 if dtype == "F16" else array.dtype.newbyteorder("=")
    return array.astype(native).reshape(entry["shape"])
