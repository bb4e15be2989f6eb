"""Input files of the commands: images with labels, or spike trains."""

from __future__ import annotations

import csv
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.analog import analog_currents
from eventsim.discretization import Discretization
from eventsim.encode import encode, to_spike_trains
from eventsim.errors import EventsimError, FileError, UnsupportedNetwork
from eventsim.load.hdf5 import existing
from eventsim.populations import Population
from eventsim.recording import SpikeTrain

if TYPE_CHECKING:
    from eventsim.network import Network

__all__ = [
    "Images",
    "Trains",
    "each_sample",
    "entry",
    "fitting_images",
    "open_archive",
    "read_images",
    "read_stimulus",
    "stimulate",
]

Array = NDArray[Any]

#: Images that become spikes together.
TOGETHER = 32

_WHAT = (
    "an .npz file with images (and labels) or with times and senders (and sample), "
    "or a .csv file with columns times, senders (and sample)"
)


@dataclass(frozen=True)
class Images:
    """Images [sample, ...] as they are stored, and their classes if known."""

    stored: Array
    labels: Array | None

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def pixels(self) -> Array:
        """All pixels, from 0 to 1."""
        return self.part(0, len(self))

    def part(self, first: int, last: int) -> Array:
        """Pixels of the images from first to last (the last one left out), from 0 to 1."""
        stored = self.stored[first:last]
        return stored / np.float32(255) if stored.dtype == np.uint8 else stored


@dataclass(frozen=True)
class Trains:
    """Spike trains, one for each sample; ``batch`` tells whether the file numbers samples."""

    trains: list[SpikeTrain]
    batch: bool

    def __len__(self) -> int:
        return len(self.trains)


def read_stimulus(path: str | os.PathLike[str]) -> Images | Trains:
    """Read images or spike trains; the content of the file decides which."""
    found = existing(path, _WHAT)
    if zipfile.is_zipfile(found):
        arrays = open_archive(path, _WHAT)
        if "images" in arrays:
            return _images(path, arrays)
        if {"times", "senders"} <= arrays.keys():
            return _trains(path, arrays)
        raise FileError(f"{path}: arrays: expected {_WHAT}, got {sorted(arrays)[:8]}")
    with found.open("rb") as stream:
        start = stream.read(4096)
    if b"\0" in start or start.startswith(b"\x80"):
        raise FileError(f"{path}: file: expected {_WHAT}, got one that begins with {start[:8]!r}")
    return _trains(path, _read_csv(path))


def read_images(path: str | os.PathLike[str]) -> tuple[Array, Array]:
    """Read images and their labels; both are needed."""
    what = "an .npz file with images and labels"
    data = _images(path, open_archive(path, what))
    if data.labels is None:
        raise FileError(f"{path}: labels: expected one class for each image, got no such array")
    return data.pixels, data.labels


def open_archive(path: str | os.PathLike[str], what: str) -> dict[str, Array]:
    """All arrays of an .npz file; nothing in it is ever executed."""
    found = existing(path, what)
    if not zipfile.is_zipfile(found):
        raise FileError(f"{path}: file: expected {what}, got another kind of file")
    try:
        with found.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = dict(archive)
    except (OSError, EOFError, RuntimeError, SyntaxError, ValueError, zipfile.BadZipFile) as error:
        reason = "pickled objects" if "pickle" in str(error).lower() else f"({error})"
        raise FileError(f"{path}: file: expected {what}, got a damaged file or {reason}") from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise FileError(f"{path}: file: expected {what}, got an archive of other files")
    return arrays


def _images(path: str | os.PathLike[str], arrays: dict[str, Array]) -> Images:
    if "images" not in arrays:
        raise FileError(f"{path}: images: expected such an array, got {sorted(arrays)[:8]}")
    pixels = arrays["images"]
    if pixels.ndim < 2 or 0 in pixels.shape or pixels.dtype.kind not in "fiub":
        raise FileError(
            f"{path}: images: expected numbers of shape [sample, ...], "
            f"got {pixels.dtype} of shape {pixels.shape}"
        )
    labels = arrays.get("labels")
    if labels is not None and (labels.shape != pixels.shape[:1] or labels.dtype.kind not in "iu"):
        raise FileError(
            f"{path}: labels: expected {len(pixels)} integers, one for each image, "
            f"got {labels.dtype} of shape {labels.shape}"
        )
    return Images(pixels, labels)


def _trains(path: str | os.PathLike[str], arrays: dict[str, Array]) -> Trains:
    times, senders = arrays["times"], arrays["senders"]
    sample = arrays.get("sample")
    for name, array in (("times", times), ("senders", senders), ("sample", sample)):
        if array is not None and array.shape != (times.size,):
            raise FileError(
                f"{path}: {name}: expected {times.size} numbers in one row, got shape {array.shape}"
            )
    if sample is None:
        parts = [slice(None)]
    else:
        if sample.dtype.kind not in "iu" or (sample.size and sample.min() < 0):
            got = sample.min() if sample.dtype.kind in "iu" else sample.dtype
            raise FileError(f"{path}: sample: expected integers >= 0, got {got}")
        count = int(sample.max()) + 1 if sample.size else 1
        if count > max(10 * sample.size, 1_000_000):
            raise FileError(
                f"{path}: sample: expected numbers from 0 on, got {count - 1} "
                f"among {sample.size} spikes"
            )
        order = np.argsort(sample, kind="stable")
        times, senders = times[order], senders[order]
        bounds = np.searchsorted(sample[order], np.arange(count + 1))
        parts = [slice(a, b) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
    trains = []
    for k, part in enumerate(parts):
        try:
            trains.append(SpikeTrain(times[part], senders[part]))
        except EventsimError as error:
            where = f"{path}: sample {k}" if sample is not None else str(path)
            raise FileError(f"{where}: {error}") from error
    return Trains(trains, batch=sample is not None)


def _read_csv(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Columns of a text file with a first line of names."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows = [[cell.strip() for cell in row] for row in csv.reader(stream) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{path}: file: expected {_WHAT}, got: {error}") from error
    names = rows[0] if rows else []
    unique = len(set(names)) == len(names)
    if not unique or not {"times", "senders"} <= set(names) <= {"times", "senders", "sample"}:
        raise FileError(
            f"{path}: line 1: expected the names times,senders (and sample), "
            f"got {','.join(names)[:60]!r}"
        )
    kinds: dict[str, Callable[[str], float]] = {
        "times": float,
        "senders": _int64,
        "sample": _int64,
    }
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise FileError(f"{path}: row {number}: expected {len(names)} values, got {len(row)}")
        for name, cell in zip(names, row, strict=True):
            try:
                columns[name].append(kinds[name](cell))
            except ValueError as error:
                kind = "a number" if name == "times" else "an integer of 64 bits"
                raise FileError(
                    f"{path}: row {number}: {name}: expected {kind}, got {cell[:40]!r}"
                ) from error
    return {
        name: np.array(values, dtype=np.float64 if name == "times" else np.int64)
        for name, values in columns.items()
    }


def _int64(cell: str) -> int:
    number = int(cell)
    if not -(2**63) <= number < 2**63:
        raise ValueError
    return number


def entry(net: Network) -> str:
    """The population that images go to: the only Input, or the only one that nothing drives."""
    driven = {link.target for link in net.projections}
    names = net.inputs or tuple(p.name for p in net.populations if p.name not in driven)
    if len(names) != 1:
        raise UnsupportedNetwork(
            f"network: inputs: expected one for the data to go to, got {list(names)}"
        )
    return names[0]


def fitting_images(net: Network, pixels: Array) -> None:
    """Refuse images of another size than the network's input."""
    name = entry(net)
    size = int(np.prod(pixels.shape[1:]))
    if size != net[name].n:
        shape = "x".join(map(str, pixels.shape[1:]))
        raise checks.fail(f"input {name!r}", "images", f"{net[name].n} pixels", f"{size} ({shape})")


def stimulate(
    net: Network, disc: Discretization, pixels: Array, seed: int, first: int = 0
) -> tuple[dict[str, list[SpikeTrain]], Any]:
    """Arguments ``inputs`` and ``currents`` of simulate for images, numbered from ``first`` on."""
    fitting_images(net, pixels)
    target = net[entry(net)]
    if disc.encoder == "constant":
        silent = [SpikeTrain([], [])] * len(pixels)
        inputs = {} if isinstance(target, Population) else {target.name: silent}
        return inputs, analog_currents(net, disc, pixels)
    ids = np.arange(first, first + len(pixels))
    x = encode(pixels, disc, seed=seed, sample_ids=ids)
    return {target.name: to_spike_trains(x, disc.dt, seed=seed, sample_ids=ids)}, None


def each_sample(
    net: Network, disc: Discretization | None, stimulus: Images | Trains, count: int, seed: int
) -> Iterator[tuple[dict[str, SpikeTrain], Any]]:
    """Inputs and currents of the first samples, made when they are asked for."""
    if isinstance(stimulus, Trains):
        name = entry(net)
        for train in stimulus.trains[:count]:
            yield {name: train}, None
        return
    if disc is None:
        raise FileError(
            "network: discretization: expected one that says how images become spikes, got none"
        )
    for first in range(0, count, TOGETHER):
        pixels = stimulus.part(first, min(first + TOGETHER, count))
        inputs, currents = stimulate(net, disc, pixels, seed, first)
        for k in range(len(pixels)):
            yield (
                {name: trains[k] for name, trains in inputs.items()},
                None if currents is None else currents[k],
            )
