"""Reading results: HDF5 or npz, as :func:`eventsim.save.save_result` wrote them.

The names and shapes of the arrays are in :mod:`eventsim.save.record`. A file is checked as input
from elsewhere: shapes, order and ranges of spikes, the pointers of samples.
"""

from __future__ import annotations

import io
import json
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eventsim.errors import EventsimError, FileError
from eventsim.load import hdf5
from eventsim.load.native import read_network
from eventsim.network import Network
from eventsim.recording import Result, Results, SpikeTrain
from eventsim.trace import Trace

__all__ = ["FORMAT", "VERSION", "load_result"]

FORMAT = "eventsim-result"
VERSION = 1

_WHAT = "a result of eventsim (HDF5 or npz)"
_PER_SAMPLE = {
    "t_start": "f", "t_stop": "f", "t_reached": "f", "wall_s": "f", "n_events": "i",
    "complete": "b", "stop_reason": "U", "engine": "U",
}  # fmt: skip
#: What NumPy and zipfile raise for damaged or other archives.
_BAD_ARCHIVE = (
    OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, SyntaxError, struct.error,
    tokenize.TokenError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip

Arrays = Mapping[str, NDArray[Any]]


def load_result(path: str | os.PathLike[str]) -> Result | Results:
    """Read what a run gave.

    Parameters
    ----------
    path : str or Path
        A file written by ``result.save`` or :func:`eventsim.save.save_result`; its content
        decides whether it is read as HDF5 or npz.

    Returns
    -------
    Result or Results
        As it was saved, network included; numbers are identical bits.

    Raises
    ------
    FileError
        The file is missing, damaged, or holds no result of eventsim; the message names the file
        and the field.
    """
    found = hdf5.existing(path, _WHAT)
    if zipfile.is_zipfile(found) and not h5py.is_hdf5(found):
        net, arrays = _read_npz(str(path))
    else:
        net, arrays = _read_hdf5(str(path))
    try:
        return _result(net, _Record(str(path), arrays))
    except FileError:
        raise
    except EventsimError as error:
        raise FileError(f"{path}: {error}") from error


def _read_hdf5(path: str) -> tuple[Network, Arrays]:
    with hdf5.opened(path, _WHAT) as file:
        if "eventsim" not in file:
            raise FileError(f"{path}: /eventsim: expected {_WHAT}, got no such group")
        group = hdf5.child(file, "eventsim")
        arrays: dict[str, NDArray[Any]] = {
            name: np.asarray(value) for name, value in group.attrs.items()
        }
        _check_format(path, arrays)

        def walk(folder: h5py.Group, prefix: str) -> None:
            for name in folder:
                item = hdf5.child(folder, name, h5py.HLObject)
                if isinstance(item, h5py.Dataset):
                    strings = h5py.check_string_dtype(item.dtype) is not None
                    arrays[prefix + name] = (
                        np.array(item.asstr()[()], dtype=np.str_)
                        if strings
                        else hdf5.array(folder, name)
                    )
                elif prefix or name != "network":
                    walk(item, f"{prefix}{name}/")

        walk(group, "")
        net, _ = read_network(hdf5.child(group, "network"))
    return net, arrays


def _read_npz(path: str) -> tuple[Network, Arrays]:
    try:
        # NumPy would leave a file open that it opened and could not read.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = dict(archive)
    except _BAD_ARCHIVE as error:
        raise FileError(
            f"{path}: file: expected {_WHAT}, got a damaged or other archive ({error})"
        ) from error
    _check_format(path, arrays)
    content = arrays.pop("network", None)
    if content is None or content.dtype != np.uint8:
        raise FileError(f"{path}: network: expected the bytes of a network file, got none")
    try:
        with h5py.File(io.BytesIO(content.tobytes()), "r") as file:
            net, _ = read_network(file)
    except (OSError, RuntimeError, EventsimError) as error:
        raise FileError(f"{path}: network: expected a network file, got: {error}") from error
    return net, arrays


def _check_format(path: str, arrays: Arrays) -> None:
    found = str(arrays["format"]) if "format" in arrays else None
    if found != FORMAT:
        raise FileError(f"{path}: format: expected {FORMAT!r}, got {found!r}")
    version = arrays.get("version", np.asarray("none"))
    if version.dtype.kind not in "iu" or version.shape != ():
        raise FileError(f"{path}: version: expected an int, got {version}")
    if version > VERSION:
        raise FileError(
            f"{path}: version: expected at most {VERSION}, got {version}, "
            "written by a newer eventsim"
        )


class _Record:
    """Arrays of a file, looked up with checks of dtype and shape."""

    def __init__(self, path: str, arrays: Arrays) -> None:
        self.path, self.arrays = path, arrays
        self._traces: dict[tuple[str, str], dict[str, NDArray[Any]]] = {}
        for key, array in arrays.items():
            folder, _, field = key.rpartition("/")
            if folder.startswith("v/"):
                name, _, sample = folder.removeprefix("v/").rpartition("/")
                self._traces.setdefault((name, sample), {})[field] = array

    def fail(self, name: str, expected: str, got: Any) -> FileError:
        return FileError(f"{self.path}: {name}: expected {expected}, got {got}")

    def get(self, name: str, kinds: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """Array ``name``; None in ``shape`` stands for any size."""
        if name not in self.arrays:
            raise self.fail(name, f"an array of shape {shape}", "none")
        array = self.arrays[name]
        if array.dtype.kind not in kinds:
            raise self.fail(name, f"dtype kind {kinds!r}", array.dtype)
        if array.ndim != len(shape) or any(
            size is not None and size != found
            for size, found in zip(shape, array.shape, strict=True)
        ):
            raise self.fail(name, f"shape {shape}", array.shape)
        return array

    def provenance(self, samples: int) -> list[dict[str, Any]]:
        texts = self.get("provenance", "U", (None,))
        if texts.size not in (1, samples):
            raise self.fail("provenance", f"1 or {samples} entries", texts.size)
        try:
            values = [json.loads(str(text)) for text in texts]
        except json.JSONDecodeError as error:
            raise self.fail("provenance", "JSON text", error) from error
        if not all(isinstance(value, dict) for value in values):
            raise self.fail("provenance", "JSON objects", values[0])
        return values * (samples if len(values) == 1 else 1)

    def trains(self, name: str, n: int, samples: int) -> list[SpikeTrain]:
        """Spikes of population ``name``, one train for each sample."""
        where = f"spikes/{name}"
        pointer = self.get(f"{where}/sample_ptr", "iu", (samples + 1,))
        t = self.get(f"{where}/t", "f", (None,)).astype(np.float64)
        node = self.get(f"{where}/node", "iu", t.shape).astype(np.int64)
        if pointer[0] != 0 or pointer[-1] != t.size or (np.diff(pointer) < 0).any():
            raise self.fail(
                f"{where}/sample_ptr", f"ascending offsets from 0 to {t.size}", pointer.tolist()
            )
        if not np.isfinite(t).all():
            raise self.fail(f"{where}/t", "finite times", "NaN or inf")
        if node.size and not 0 <= node.min() <= node.max() < n:
            raise self.fail(f"{where}/node", f"units from 0 to {n - 1}", (node.min(), node.max()))
        trains = []
        for start, stop in zip(pointer[:-1], pointer[1:], strict=True):
            times, senders = t[start:stop].copy(), node[start:stop].copy()
            step = np.diff(times)
            if (step < 0).any() or (np.diff(senders)[step == 0] < 0).any():
                raise self.fail(where, "spikes sorted by time and unit", "another order")
            trains.append(SpikeTrain.trusted(times, senders))
        return trains

    def trace(self, name: str, sample: int) -> Trace | None:
        """Potentials of one sample, if the file has any."""
        arrays = self._traces.get((name, str(sample)))
        if arrays is None:
            return None
        try:
            return Trace.from_arrays(arrays)
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise self.fail(f"v/{name}/{sample}", "the arrays of a Trace", repr(error)) from error


def _result(net: Network, record: _Record) -> Result | Results:
    kind = str(record.get("kind", "U", ()))
    if kind not in ("Result", "Results"):
        raise record.fail("kind", "'Result' or 'Results'", repr(kind))
    n = record.get("t_start", "f", (None,)).size
    if n < 1 or (kind == "Result" and n != 1):
        raise record.fail("t_start", "one entry for each sample", n)
    fields = {name: record.get(name, kinds, (n,)) for name, kinds in _PER_SAMPLE.items()}
    names = [population.name for population in net.populations]
    counts = {
        name: record.get(f"counts/{name}", "iu", (n, net[name].n)).astype(np.int64)
        for name in names
        if f"counts/{name}" in record.arrays
    }
    trains = {
        name: record.trains(name, net[name].n, n)
        for name in names
        if f"spikes/{name}/sample_ptr" in record.arrays
    }
    provenance = record.provenance(n)
    results = []
    for k in range(n):
        traces = {name: record.trace(name, k) for name in names}
        results.append(
            Result(
                network=net,
                spikes={name: trains[name][k] for name in trains},
                counts={name: counts[name][k].copy() for name in counts},
                v={name: trace for name, trace in traces.items() if trace is not None},
                provenance=provenance[k],
                **{name: values[k].item() for name, values in fields.items()},
            )
        )
    if kind == "Result":
        return results[0]
    return Results(results, float(record.get("wall_s_total", "f", ())))
