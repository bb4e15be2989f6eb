"""Spikes in the form of NIRData: what belongs to the nodes of a NIR graph, sample by sample.

NIRData has two forms of spikes: events, and a grid of steps of ``dt``. Its times have the unit of
the graph that they belong to, which the file does not say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import EventsimError, FileError, InvalidType
from eventsim.load import hdf5
from eventsim.load.nir_file import is_nir_data
from eventsim.load.nir_options import UNITS
from eventsim.recording import SpikeTrain

if TYPE_CHECKING:
    from nir import NIRGraphData

__all__ = ["SPIKES", "load_nirdata", "seconds_of"]

#: The observable that holds spikes.
SPIKES = "spikes"

_WHAT = "a NIRData file"
_DEEPEST = 32

Array = NDArray[Any]


def load_nirdata(
    data: str | os.PathLike[str] | NIRGraphData,
    *,
    observable: str = SPIKES,
    time_unit: str | float = "s",
    shift: float = 0.0,
) -> dict[str, list[SpikeTrain]]:
    """Read the spikes of all nodes, ready as ``inputs`` of :func:`eventsim.simulate`.

    Parameters
    ----------
    data : str, Path or nir.NIRGraphData
        A NIRData file, or data in memory.
    observable : str
        Name of the spikes at each node. Nodes without it are left out.
    time_unit : {"s", "ms", "us", "ns"} or float
        Unit of the times; a number is seconds.
    shift : float
        Where in its step a spike on a grid lies, in steps: ``0 <= shift < 1``.

    Returns
    -------
    dict of str to list of SpikeTrain
        For each node (inner ones as ``outer.inner``) one train for each sample.

    Raises
    ------
    FileError
        The file is missing, damaged or no NIRData, or an observable holds no spikes.
    InvalidValue, InvalidType
        An argument is out of range or of the wrong type.

    Examples
    --------
    >>> import nir
    >>> grid = nir.TimeGriddedData(np.array([[[True, False], [False, True]]]), dt=1e-3)
    >>> data = nir.NIRGraphData({"input": nir.NIRNodeData({"spikes": grid})})
    >>> load_nirdata(data, shift=0.5)
    {'input': [SpikeTrain(2 spikes, 0.0005 to 0.0015 s)]}
    """
    unit = seconds_of("load_nirdata", time_unit)
    shift = checks.scalar("load_nirdata", "shift", shift)
    if not 0.0 <= shift < 1.0:
        raise checks.fail("load_nirdata", "shift", "a number of steps in [0, 1)", shift)
    if isinstance(data, str | os.PathLike):
        with hdf5.opened(data, _WHAT) as file:
            if not is_nir_data(file):
                raise FileError(f"{data}: file: expected {_WHAT}, got another HDF5 file")
            return {
                name: _trains(f"{data}: node {name!r}: {observable}", values, unit, shift)
                for name, values in _from_file(file, observable, "", 0)
            }
    return {
        name: _trains(f"NIRGraphData: node {name!r}: {observable}", values, unit, shift)
        for name, values in _from_memory(data, observable, "")
    }


def seconds_of(where: str, time_unit: Any) -> float:
    """Seconds in a unit of time, by name or number."""
    if isinstance(time_unit, str):
        if time_unit not in UNITS:
            raise checks.fail(
                where, "time_unit", f"one of {list(UNITS)} or seconds", repr(time_unit)
            )
        return UNITS[time_unit]
    return checks.positive(where, "time_unit", time_unit)


def _from_memory(data: Any, observable: str, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    from nir import EventData, NIRGraphData, NIRNodeData, TimeGriddedData

    if not isinstance(data, NIRGraphData):
        raise InvalidType(
            f"load_nirdata: data: expected a str, Path or nir.NIRGraphData, "
            f"got {type(data).__name__}"
        )
    for key, node in data.nodes.items():
        if isinstance(node, NIRGraphData):
            yield from _from_memory(node, observable, f"{prefix}{key}.")
        elif isinstance(node, NIRNodeData) and observable in node.observables:
            found = node.observables[observable]
            if not isinstance(found, EventData | TimeGriddedData):
                raise InvalidType(
                    f"load_nirdata: node {prefix + key!r}: {observable}: expected EventData or "
                    f"TimeGriddedData, got {type(found).__name__}"
                )
            yield prefix + key, {"kind": type(found).__name__, **vars(found)}


def _from_file(
    group: h5py.Group, observable: str, prefix: str, depth: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    if depth > _DEEPEST:
        raise FileError(f"{group.file.filename}: nodes: expected at most {_DEEPEST} nested graphs")
    nodes = hdf5.child(group, "nodes")
    for key in nodes:
        node = hdf5.child(nodes, key)
        if hdf5.attribute(node, "__type__", str) == "NIRGraphData":
            yield from _from_file(node, observable, f"{prefix}{key}.", depth + 1)
            continue
        observables = hdf5.child(node, "observables")
        if observable not in observables:
            continue
        found = hdf5.child(observables, observable)
        kind = hdf5.attribute(found, "__type__", str)
        if kind == "TimeGriddedData":
            values: dict[str, Any] = {"data": hdf5.array(found, "data", 3)}
            values["dt"] = hdf5.attribute(found, "dt", float)
        else:
            values = {name: hdf5.array(found, name, 2) for name in ("idx", "time")}
            values["n_neurons"] = hdf5.attribute(found, "n_neurons", int)
            if kind == "ValuedEventData":
                values["value"] = hdf5.array(found, "value", 2)
        yield prefix + key, {"kind": kind, **values}


def _trains(where: str, values: dict[str, Any], unit: float, shift: float) -> list[SpikeTrain]:
    kind = values["kind"]
    if kind == "TimeGriddedData":
        data, dt = np.asarray(values["data"]), checks.positive(where, "dt", float(values["dt"]))
        checks.binary(where, "data", data)
        pairs = []
        for sample in data:
            at, senders = np.nonzero(sample)
            pairs.append(((at + shift) * dt * unit, senders))
    elif kind in ("EventData", "ValuedEventData"):
        pairs = _events(where, values, unit)
    else:
        raise FileError(f"{where}: expected EventData or TimeGriddedData, got {kind!r}")
    trains = []
    for number, (times, senders) in enumerate(pairs):
        try:
            trains.append(SpikeTrain.sorted(times, senders))
        except EventsimError as error:
            raise FileError(f"{where}: sample {number}: {error}") from error
    return trains


def _events(where: str, values: dict[str, Any], unit: float) -> list[tuple[Array, Array]]:
    index, time = np.asarray(values["idx"]), np.asarray(values["time"], dtype=np.float64)
    if index.dtype.kind not in "iu" or index.ndim != 2 or index.shape != time.shape:
        raise FileError(
            f"{where}: idx: expected integers of the shape of time, {time.shape}, got "
            f"{index.dtype} of shape {index.shape}"
        )
    there = index != -1
    # A place without an event has the index -1, and mostly the time inf.
    if (index < -1).any() or (index >= int(values["n_neurons"])).any():
        raise FileError(
            f"{where}: idx: expected indices below n_neurons = {values['n_neurons']}, or -1, "
            f"got {int(index.min())} to {int(index.max())}"
        )
    if "value" in values and (np.asarray(values["value"])[there] != 1).any():
        raise FileError(f"{where}: value: expected 1, as a spike has no size, got others")
    return [
        (t[keep] * unit, i[keep].astype(np.int64))
        for i, t, keep in zip(index, time, there, strict=True)
    ]
