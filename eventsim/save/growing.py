"""Results written one after the other, as they come, into one HDF5 file.

The file is that of a batch (:mod:`eventsim.save.record`), whose arrays grow. Memory holds one
block of results, however many there are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.load import hdf5
from eventsim.load.results import FORMAT, VERSION
from eventsim.recording import Result, Results
from eventsim.save.files import new_file
from eventsim.save.native import write_array, write_network
from eventsim.save.record import common_network, to_arrays

__all__ = ["save_growing"]

#: Results that are written together.
BLOCK = 32

#: Bytes of a chunk of the file, within HDF5's cache of 1 MiB for each array.
CHUNK = 2**17


def save_growing(
    results: Iterable[Result], path: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write results to HDF5 as they come, for :func:`eventsim.save.save_result`."""
    began, interrupt = time.perf_counter(), None
    with new_file(path, overwrite) as temporary:
        with h5py.File(temporary, "w") as file:
            batch = _Batch(file.create_group("eventsim"))
            try:
                for block in _blocks(results):
                    batch.add(block)
            except KeyboardInterrupt as error:
                if not batch.size:
                    raise
                interrupt = error
            batch.finish(time.perf_counter() - began)
        hdf5.seal(temporary)
    if interrupt is not None:
        raise interrupt
    return Path(path)


def _blocks(results: Iterable[Result]) -> Iterator[list[Result]]:
    block: list[Result] = []
    try:
        for result in results:
            if not isinstance(result, Result):
                raise InvalidType(
                    f"save_result: result: expected Results, got {type(result).__name__} among them"
                )
            block.append(result)
            if len(block) == BLOCK:
                yield block
                block = []
    except KeyboardInterrupt:
        if block:
            yield block
        raise
    if block:
        yield block


class _Batch:
    """The arrays of a batch in a file, to which samples are added."""

    def __init__(self, group: h5py.Group) -> None:
        self._group = group
        self._first: Result | None = None
        self._texts: list[str] = []  # provenance
        self._which: list[int] = []  # place in it, of each sample
        #: Samples, and the length of each array, when all of what was added was complete.
        self._state: tuple[int, dict[str, int]] = 0, {}

    @property
    def size(self) -> int:
        """Number of samples."""
        return self._state[0]

    def add(self, block: list[Result]) -> None:
        """Append some samples."""
        size, lengths = self.size, dict(self._state[1])
        self._first = self._first or block[0]
        common_network([self._first, *block])
        for k, result in enumerate(block):
            for field in ("counts", "spikes"):
                expected, found = list(getattr(self._first, field)), list(getattr(result, field))
                if set(found) != set(expected):
                    raise checks.fail(
                        "save_result", f"results[{size + k}].{field}",
                        f"the populations {expected} of results[0]", found,
                    )  # fmt: skip
        arrays = to_arrays(Results(block))
        for text in np.broadcast_to(arrays.pop("provenance"), len(block)).tolist():
            if text not in self._texts:
                self._texts.append(text)
            self._which.append(self._texts.index(text))
        # Before the times of the spikes, whose number so far it needs.
        for name in sorted(arrays, key=lambda name: not name.endswith("/sample_ptr")):
            array = arrays[name]
            if name.startswith("v/"):
                folder, sample, field = name.rsplit("/", 2)
                write_array(self._group, f"{folder}/{size + int(sample)}/{field}", array)
            elif array.ndim:
                if name.endswith("/sample_ptr") and size:
                    array = array[1:] + lengths[name.replace("sample_ptr", "t")]
                lengths[name] = self._append(name, lengths.get(name, 0), array)
        self._state = size + len(block), lengths

    def _append(self, name: str, length: int, array: NDArray[Any]) -> int:
        """Append to a growing array that has some length, and return the new one."""
        text, rows = array.dtype.kind == "U", array.shape[1:]
        if name not in self._group:
            row = int(np.prod(rows)) * (8 if text else array.itemsize)
            self._group.create_dataset(
                name, shape=(0, *rows), maxshape=(None, *rows),
                dtype=h5py.string_dtype() if text else array.dtype,
                chunks=(max(1, CHUNK // row), *rows),
                compression="gzip", compression_opts=4, shuffle=True,
            )  # fmt: skip
        dataset = self._group[name]
        dataset.resize(length + len(array), axis=0)
        dataset[length:] = array.astype(object) if text else array
        return length + len(array)

    def finish(self, seconds: float) -> None:
        """Write what all samples share; forget what an interrupt left half added."""
        size, lengths = self._state
        if self._first is None:
            raise checks.fail("save_result", "result", "at least one Result", 0)
        for name, length in lengths.items():
            self._group[name].resize(length, axis=0)
        for traces in self._group.get("v", {}).values():
            for sample in [sample for sample in traces if int(sample) >= size]:
                del traces[sample]
        which = self._which[:size]
        texts = self._texts[:1] if len(set(which)) == 1 else [self._texts[k] for k in which]
        self._group.create_dataset(
            "provenance", data=np.array(texts, dtype=object), dtype=h5py.string_dtype()
        )
        for name, value in (
            ("format", FORMAT), ("version", VERSION), ("kind", "Results"), ("wall_s_total", seconds)
        ):  # fmt: skip
            self._group.attrs[name] = value
        write_network(self._group.create_group("network"), self._first.network)
