"""Reading networks and results from files.

:func:`load` looks at the content of a file, not at its name. One module per format:
:mod:`~eventsim.load.native`, :mod:`~eventsim.load.torch`, :mod:`~eventsim.load.safetensors`,
:mod:`~eventsim.load.nir`; :mod:`~eventsim.load.results` reads what a run gave, and
:mod:`~eventsim.load.nirdata` spikes as NIRData.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from eventsim.discretization import Discretization
from eventsim.errors import FileError
from eventsim.load import hdf5
from eventsim.load.hdf5 import existing
from eventsim.load.native import load_network
from eventsim.load.nir import load_nir, load_with_steps
from eventsim.load.nir_file import is_nir, is_nir_data
from eventsim.load.results import load_result
from eventsim.load.safetensors import load_safetensors
from eventsim.load.torch import load_torch
from eventsim.network import Network

__all__ = ["load", "load_nir", "load_result"]

_EXPECTED = "an eventsim network file, a NIR file, a PyTorch state_dict or a safetensors file"

#: Readers of tensor files, by the kind that their first bytes show.
_TENSOR_FILES = {"torch": load_torch, "safetensors": load_safetensors}


def load(
    path: str | os.PathLike[str],
    architecture: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    **nir: Any,
) -> tuple[Network, Discretization | None]:
    """Read a network, with what is known of its training, from a file.

    Parameters
    ----------
    path : str or Path
        eventsim's own file, a NIR file, a PyTorch state_dict or a safetensors file; its content
        decides.
    architecture : str, Path, mapping or None
        For the last two: a description (TOML file or mapping,
        :mod:`eventsim.load.architecture`) of what bare tensors do not say.
    **nir
        For a NIR file: the options of :func:`eventsim.load_nir`, which also returns the table
        of what was assumed.

    Returns
    -------
    (Network, Discretization or None)
        None for NIR without ``exporter``, as such a file does not say how its framework steps, and
        where eventsim wrote the file without one.

    Raises
    ------
    FileError
        The file is missing, damaged or of an unknown format, or does not fit the description.
    UnsupportedNetwork
        What the file leaves open would have to be guessed, or cannot be expressed.

    Examples
    --------
    >>> import tempfile
    >>> from eventsim import Input, save
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save(f"{folder}/net.h5", Network([Input("image", 4)]))
    ...     net, disc = load(path)
    >>> net, disc
    (Network(image[4]; 4 units, 0 synapses), None)
    """
    kind = _kind(path)
    if kind in ("network", "nir") and architecture is not None:
        whose = "eventsim's own file" if kind == "network" else "a NIR file"
        raise FileError(f"{path}: architecture: expected none for {whose}, got {architecture!r}")
    if kind == "nir":
        found, disc = load_with_steps(path, **nir)
        return found.network, disc
    if nir:
        raise FileError(
            f"{path}: {', '.join(nir)}: expected only for a NIR file, got another kind of file"
        )
    if kind == "network":
        return load_network(path)
    if architecture is None:
        raise FileError(
            f"{path}: architecture: expected a description (TOML) to go with a {kind} file, "
            "got none"
        )
    return _TENSOR_FILES[kind](path, architecture)


def _kind(path: str | os.PathLike[str]) -> str:
    """Format of a network file by its first bytes."""
    found = existing(path, _EXPECTED)
    try:
        with found.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise FileError(f"{path}: file: expected to read it, got: {error}") from error
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        with hdf5.opened(path, _EXPECTED) as opened:
            return "nir" if is_nir(opened) or is_nir_data(opened) else "network"
    # A zip archive, or the bare pickle of older versions of PyTorch.
    if start.startswith((b"PK\x03\x04", b"\x80")):
        return "torch"
    # The length of the header, as a 64-bit integer, and the header.
    if len(start) == 9 and start[8:] == b"{":
        return "safetensors"
    raise FileError(f"{path}: file: expected {_EXPECTED}, got one that begins with {start!r}")
