"""Writing eventsim's own network file (HDF5); :mod:`eventsim.load.native` reads it.

Layout: attributes ``format``, ``version``, ``eventsim``, ``fingerprint`` at the root;
groups ``populations/0, 1, ...`` and ``projections/0, 1, ...`` in the order of the network,
each with attribute ``kind``, its plain fields as attributes and its arrays as datasets; texts
``discretization`` and ``provenance`` (JSON). A field that is None is left out.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from eventsim import __version__
from eventsim.discretization import Discretization
from eventsim.errors import InvalidType, UnsupportedNetwork
from eventsim.load import hdf5
from eventsim.load.native import FORMAT, KINDS, VERSION
from eventsim.network import Network
from eventsim.save.files import new_file

__all__ = ["json_text", "save_network", "write_array", "write_network"]

#: Arrays with fewer bytes are stored as they are: a chunk and its index would cost more.
_COMPRESS_FROM = 2048


def save_network(
    path: str | os.PathLike[str],
    net: Network,
    disc: Discretization | None = None,
    provenance: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a network with all it needs to one HDF5 file.

    Parameters
    ----------
    path : str or Path
        The file to write, usually with suffix ``.h5``.
    net : Network
        Arrays keep their dtype; float32 weights are stored as float32.
    disc : Discretization or None
        How the network was stepped in training.
    provenance : mapping or None
        Where the weights came from, of JSON types; NumPy numbers and arrays become plain ones.
    overwrite : bool
        Whether an existing file may be replaced. Default False.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileError
        The file exists or cannot be written.
    InvalidType
        An argument is of the wrong type, or ``provenance`` is not JSON.

    Examples
    --------
    >>> import tempfile
    >>> from eventsim import Input
    >>> from eventsim.load.native import read_provenance
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_network(f"{folder}/net.h5", Network([Input("a", 2)]),
    ...                         provenance={"seed": 1})
    ...     read_provenance(path)
    {'seed': 1}
    """
    with new_file(path, overwrite) as temporary:
        with h5py.File(temporary, "w") as file:
            write_network(file, net, disc, provenance)
        hdf5.seal(temporary)
    return Path(path)


def write_network(
    group: h5py.Group,
    net: Network,
    disc: Discretization | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write a network into an open file or an empty group of one."""
    if not isinstance(net, Network):
        raise InvalidType(f"save: net: expected a Network, got {type(net).__name__}")
    if disc is not None and not isinstance(disc, Discretization):
        raise InvalidType(f"save: disc: expected a Discretization, got {type(disc).__name__}")
    if provenance is not None and not isinstance(provenance, Mapping):
        raise InvalidType(f"save: provenance: expected a mapping, got {type(provenance).__name__}")
    group.attrs.update(
        {
            "format": FORMAT,
            "version": VERSION,
            "eventsim": __version__,
            "fingerprint": net.fingerprint(),
        }
    )
    for part, items in (("populations", net.populations), ("projections", net.projections)):
        folder = group.create_group(part)
        for k, item in enumerate(items):
            _write_item(folder.create_group(str(k)), item, KINDS[part])
    if disc is not None:
        group["discretization"] = json_text("disc", disc.to_dict())
    if provenance is not None:
        group["provenance"] = json_text("provenance", provenance)


def _write_item(group: h5py.Group, item: Any, kinds: Mapping[str, Any]) -> None:
    kind = type(item)
    if kinds.get(kind.__name__) is not kind:
        raise UnsupportedNetwork(
            f"save: network: expected kinds {sorted(kinds)}, got {kind.__name__}"
        )
    group.attrs["kind"] = kind.__name__
    for field in dataclasses.fields(item):
        value = item.shape if field.name == "n" else getattr(item, field.name)
        if isinstance(value, np.ndarray):
            write_array(group, field.name, value)
        elif value is not None:
            try:
                group.attrs[field.name] = value.item() if isinstance(value, np.generic) else value
            except (TypeError, ValueError) as error:
                raise UnsupportedNetwork(
                    f"save: {item!r}: {field.name}: expected a value that HDF5 can hold, "
                    f"got {value!r}"
                ) from error


def write_array(group: h5py.Group, name: str, array: Any) -> h5py.Dataset:
    """Write an array; large ones are compressed, without loss."""
    data = np.asarray(array)
    large = data.nbytes >= _COMPRESS_FROM
    options = {"compression": "gzip", "compression_opts": 4, "shuffle": True} if large else {}
    return group.create_dataset(name, data=data, **options)


def json_text(field: str, value: Mapping[str, Any]) -> str:
    """``value`` as JSON; NumPy numbers and arrays, paths and sets become plain values."""
    try:
        return json.dumps(dict(value), default=_plain, indent=1)
    except (TypeError, ValueError) as error:
        raise InvalidType(f"save: {field}: expected JSON types, got: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{value!r} of type {type(value).__name__}")
