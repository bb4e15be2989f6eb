"""Spikes of runs as NIRData; :mod:`eventsim.load.nirdata` reads them back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nir
import numpy as np

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.load import hdf5
from eventsim.load.nirdata import SPIKES, seconds_of
from eventsim.recording import Result, Results, SpikeTrain
from eventsim.save.files import new_file

__all__ = ["save_nirdata", "to_nirdata"]


def save_nirdata(
    path: str | os.PathLike[str],
    result: Result | Results,
    *,
    dt: float | None = None,
    time_unit: str | float = "s",
    overwrite: bool = False,
) -> Path:
    """Write the spikes of a run, or of a batch, to a NIRData file.

    Parameters
    ----------
    path : str or Path
        The file to write.
    result : Result or Results
        A population's spikes become the observable ``"spikes"`` of the node of its name.
    dt : float or None
        None: events at their exact times. Else: a grid of steps of ``dt`` seconds, in which
        several spikes of a neuron in one step are one.
    time_unit : {"s", "ms", "us", "ns"} or float
        Unit of the times in the file; a number is seconds.
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
    InvalidType, InvalidValue
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import tempfile
    >>> from eventsim import Input, Network
    >>> from eventsim.load.nirdata import load_nirdata
    >>> run = Result(Network([Input("in", 2)]), {"in": SpikeTrain([1e-3], [1])},
    ...              {"in": np.array([0, 1])}, t_start=0.0, t_stop=4e-3, t_reached=4e-3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_nirdata(save_nirdata(f"{folder}/run.h5", run))
    {'in': [SpikeTrain(1 spikes, 0.001 to 0.001 s)]}
    """
    data = to_nirdata(result, dt=dt, time_unit=time_unit)
    with new_file(path, overwrite) as temporary:
        nir.write_data(temporary, data)
        hdf5.seal(temporary)
    return Path(path)


def to_nirdata(
    result: Result | Results, *, dt: float | None = None, time_unit: str | float = "s"
) -> nir.NIRGraphData:
    """The same in memory; parameters and errors are those of :func:`save_nirdata`."""
    if not isinstance(result, Result | Results):
        raise InvalidType(
            f"save_nirdata: result: expected a Result or Results, got {type(result).__name__}"
        )
    unit = seconds_of("save_nirdata", time_unit)
    if dt is not None:
        dt = checks.positive("save_nirdata", "dt", dt)
    samples: Sequence[Result] = [result] if isinstance(result, Result) else list(result)
    first = samples[0]
    t_stop = max(sample.t_stop for sample in samples)
    nodes = {}
    for name in first.spikes:
        trains = [sample.spikes[name] for sample in samples]
        n = first.network[name].n
        spikes: Any = _events(trains, n, t_stop, unit)
        if dt is not None:
            spikes = _grid(trains, n, t_stop, dt, unit)
        nodes[name] = nir.NIRNodeData({SPIKES: spikes})
    return nir.NIRGraphData(nodes)


def _events(trains: Sequence[SpikeTrain], n: int, t_stop: float, unit: float) -> nir.EventData:
    longest = max(map(len, trains))
    index = np.full((len(trains), longest), -1, dtype=np.int64)
    time = np.full((len(trains), longest), np.inf)
    for k, train in enumerate(trains):
        index[k, : len(train)] = train.senders
        time[k, : len(train)] = train.times / unit
    return nir.EventData(index, time, n, t_stop / unit)


def _grid(
    trains: Sequence[SpikeTrain], n: int, t_stop: float, dt: float, unit: float
) -> nir.TimeGriddedData:
    # The end may lie a rounding error behind the last step.
    steps = max(1, int(np.ceil(t_stop / dt * (1 - 1e-12))))
    data = np.zeros((len(trains), steps, n), dtype=bool)
    for k, train in enumerate(trains):
        at = np.floor(train.times / dt * (1 + 1e-12)).astype(np.int64)
        data[k, np.minimum(at, steps - 1), train.senders] = True
    return nir.TimeGriddedData(data, dt / unit)
