"""Reading eventsim's own network file (HDF5); :mod:`eventsim.save.native` writes it."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import h5py
import numpy as np

from eventsim.convolution import Conv2d
from eventsim.discretization import Discretization
from eventsim.errors import EventsimError, FileError
from eventsim.load import hdf5
from eventsim.network import Network
from eventsim.pooling import AvgPool2d, MaxPool2d, SumPool2d
from eventsim.populations import Input, Poisson, Population, Relay
from eventsim.projections import Dense, Sparse
from eventsim.random_links import Random

__all__ = ["FORMAT", "KINDS", "VERSION", "load_network", "read_network", "read_provenance"]

FORMAT = "eventsim-network"
VERSION = 1

#: Kinds of populations and projections that a file can hold, by the name they have in it.
KINDS: dict[str, dict[str, Any]] = {
    "populations": {kind.__name__: kind for kind in (Input, Poisson, Population, Relay)},
    "projections": {
        kind.__name__: kind
        for kind in (Dense, Sparse, Random, Conv2d, SumPool2d, AvgPool2d, MaxPool2d)
    },
}

_WHAT = "an eventsim network file"


def load_network(path: str | os.PathLike[str]) -> tuple[Network, Discretization | None]:
    """Read a network and, where the file has one, its Discretization.

    Parameters
    ----------
    path : str or Path
        A file written by :func:`eventsim.save`.

    Returns
    -------
    (Network, Discretization or None)
        The network has the fingerprint of the one that was saved.

    Raises
    ------
    FileError
        The file is missing, damaged, truncated, of another format or a newer version, or holds
        what is no valid network; the message names the file and the field.

    Examples
    --------
    >>> import tempfile
    >>> from eventsim.save.native import save_network
    >>> net = Network([Input("a", 2), Population("b", 1, tau_mem=4e-3)],
    ...               [Dense("a", "b", [[1.0], [0.5]])])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_network(f"{folder}/net.h5", net, Discretization(dt=1e-3, steps=4))
    ...     loaded, disc = load_network(path)
    >>> loaded.fingerprint() == net.fingerprint(), disc.steps
    (True, 4)
    """
    with hdf5.opened(path, _WHAT) as file:
        return read_network(file)


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Where a network file came from: what was passed to :func:`eventsim.save`, or ``{}``."""
    with hdf5.opened(path, _WHAT) as file:
        _check_format(file)
        return _json(file, "provenance") if "provenance" in file else {}


def read_network(group: h5py.Group) -> tuple[Network, Discretization | None]:
    """The network of an open file or of a group of one."""
    _check_format(group)
    net = Network(_items(group, "populations"), _items(group, "projections"))
    if "discretization" not in group:
        return net, None
    return net, Discretization.from_dict(_json(group, "discretization"))


def _check_format(group: h5py.Group) -> None:
    file = group.file.filename
    found = group.attrs.get("format")
    if found != FORMAT:
        raise FileError(f"{file}: format: expected {FORMAT!r}, got {found!r}")
    version = hdf5.attribute(group, "version", int)
    if version > VERSION:
        raise FileError(
            f"{file}: version: expected at most {VERSION}, got {version}, "
            "written by a newer eventsim"
        )


def _items(group: h5py.Group, part: str) -> list[Any]:
    """Populations or projections, in the order in which they were written."""
    folder = hdf5.child(group, part)
    items = [_item(hdf5.child(folder, str(k)), KINDS[part]) for k in range(len(folder))]
    return items


def _item(group: h5py.Group, kinds: dict[str, Any]) -> Any:
    where = f"{group.file.filename}: {group.name}"
    name = hdf5.attribute(group, "kind", str)
    if name not in kinds:
        raise FileError(f"{where}: kind: expected one of {sorted(kinds)}, got {name!r}")
    known = {field.name for field in dataclasses.fields(kinds[name])}
    values = {key: _plain(value) for key, value in group.attrs.items() if key != "kind"}
    values.update({key: hdf5.array(group, key) for key in group})
    unknown = sorted(set(values) - known)
    if unknown:
        raise FileError(
            f"{where}: fields of {name}: expected some of {sorted(known)}, got {unknown}"
        )
    try:
        return kinds[name](**values)
    except TypeError as error:
        # A required field is absent, or a value is of a type that the class refuses.
        raise FileError(f"{where}: expected the fields of {name}, got: {error}") from error
    except EventsimError as error:
        raise FileError(f"{where}: {error}") from error


def _plain(value: Any) -> Any:
    """An attribute as the Python value that was written: str, bool, int, float or tuple."""
    if isinstance(value, np.ndarray):
        return tuple(value.tolist())
    return value.item() if isinstance(value, np.generic) else value


def _json(group: h5py.Group, name: str) -> dict[str, Any]:
    where = f"{group.file.filename}: {name}"
    try:
        value = json.loads(hdf5.text(group, name))
    except json.JSONDecodeError as error:
        raise FileError(f"{where}: expected JSON text, got: {error}") from error
    if not isinstance(value, dict):
        raise FileError(f"{where}: expected a JSON object, got {type(value).__name__}")
    return value
