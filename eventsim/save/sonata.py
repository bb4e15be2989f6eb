"""Results as one HDF5 file: SONATA for other tools, ``/eventsim`` for exactness.

SONATA knows spikes in milliseconds and potentials sampled on a grid in float32. What it cannot
hold lies in the group ``/eventsim``: times in seconds, bit for bit; potentials as exact traces;
counts, completeness, provenance (:mod:`eventsim.save.record`); and the network in eventsim's own
format. A batch has ``/eventsim`` alone, since SONATA has no axis for samples: write
``results[i]`` to get the SONATA file of one sample. The SONATA part is not compressed: libsonata
reads no compressed data.

Source: https://github.com/AllenInstitute/sonata/blob/master/docs/SONATA_DEVELOPER_GUIDE.md
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from eventsim import checks
from eventsim.load import hdf5
from eventsim.recording import Result, Results
from eventsim.save.files import new_file
from eventsim.save.native import write_array, write_network
from eventsim.save.record import common_network, samples_of, to_arrays

if TYPE_CHECKING:
    from eventsim.trace import Trace

__all__ = ["UNITS", "report_step_of", "save_hdf5"]

_MAGIC = np.uint32(0x0A7A)
_SORTING = h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2}, basetype=np.uint8)
_BY_TIME = 2
_MS = 1e3

#: Unit of potentials in the report: that of the network's own weights and thresholds.
UNITS = "a.u."


def save_hdf5(
    result: Result | Results,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    report_step: float | None = None,
) -> Path:
    """Write a result, or a batch, to HDF5: :func:`eventsim.save.save_result` with an option more.

    Parameters
    ----------
    result, path, overwrite
        As :func:`eventsim.save.save_result` takes them.
    report_step : float or None
        Step in seconds of the sampled potentials of the SONATA report, > 0. None: the
        one of 1, 2, 5 times a power of ten that gives nearest to 1000 samples.

    Returns
    -------
    Path
        The file.
    """
    arrays = to_arrays(result)
    net = common_network(samples_of(result))
    if report_step is not None:
        report_step = checks.positive("save_result", "report_step", report_step)
    with new_file(path, overwrite) as temporary:
        with h5py.File(temporary, "w") as file:
            if isinstance(result, Result):
                _write_spikes(file, result)
                _write_reports(file, result, report_step)
            group = file.create_group("eventsim")
            for name, array in arrays.items():
                if not array.ndim:
                    group.attrs[name] = array.item()
                elif array.dtype.kind == "U":
                    group.create_dataset(name, data=array.astype(object), dtype=h5py.string_dtype())
                else:
                    write_array(group, name, array)
            write_network(group.create_group("network"), net)
        hdf5.seal(temporary)
    return Path(path)


def _write_spikes(file: h5py.File, result: Result) -> None:
    file.attrs["magic"] = _MAGIC
    file.attrs["version"] = np.array([0, 1], dtype=np.uint32)
    spikes = file.create_group("spikes")
    for name, train in result.spikes.items():
        group = spikes.create_group(name)
        group.attrs.create("sorting", _BY_TIME, dtype=_SORTING)
        times = group.create_dataset("timestamps", data=train.times * _MS)
        times.attrs["units"] = "ms"
        group["node_ids"] = train.senders.astype(np.uint64)


def _write_reports(file: h5py.File, result: Result, step: float | None) -> None:
    for name, trace in result.v.items():
        if trace.neurons.size and trace.t_end > trace.t_start:
            chosen = report_step_of(trace.t_end - trace.t_start) if step is None else step
            _write_report(file.create_group(f"report/{name}"), trace, chosen)


def report_step_of(duration: float) -> float:
    """A step of 1, 2 or 5 times a power of ten: 630 to 1590 samples of ``duration``.

    >>> report_step_of(16e-3)
    2e-05
    """
    power = math.floor(math.log10(duration / 1000))
    factor = duration / 1000 / 10.0**power
    nearest = min((1, 2, 5, 10), key=lambda nice: abs(math.log(factor / nice)))
    return float(f"{nearest}e{power}")


def _write_report(group: h5py.Group, trace: Trace, step: float) -> None:
    # A last step may end a rounding error behind the end of the run.
    frames = max(1, math.floor((trace.t_end - trace.t_start) / step * (1 + 1e-12)))
    times = np.minimum(trace.t_start + step * np.arange(frames), trace.t_end)
    node_ids, column = np.unique(trace.neurons, return_index=True)
    data = trace.at(times)[:, column].astype(np.float32)
    group.create_dataset("data", data=data).attrs["units"] = UNITS
    mapping = group.create_group("mapping")
    ids = mapping.create_dataset("node_ids", data=node_ids.astype(np.uint64))
    ids.attrs["sorted"] = np.uint8(1)
    mapping["index_pointers"] = np.arange(node_ids.size + 1, dtype=np.uint64)
    # BMTK reads the one name, libsonata the other.
    mapping["index_pointer"] = mapping["index_pointers"]
    mapping["element_ids"] = np.zeros(node_ids.size, dtype=np.uint32)
    mapping["element_pos"] = np.zeros(node_ids.size, dtype=np.float32)
    span = np.array([trace.t_start, trace.t_start + frames * step, step])
    mapping.create_dataset("time", data=span * _MS).attrs["units"] = "ms"
