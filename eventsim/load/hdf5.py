"""Reading HDF5 files with errors that say which file and field, and what was expected.

A file is data from elsewhere: only plain datasets that lie in the file itself are read. External
links, external storage and virtual datasets would make the library read other files, so they are
refused.

The HDF5 library can crash the process on damaged metadata. So a file of eventsim ends with the
SHA-256 of all bytes before (:func:`seal`; HDF5 ignores what follows its own end), and that is
verified before HDF5 sees the file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eventsim.errors import EventsimError, FileError, InvalidType

__all__ = ["array", "attribute", "check_seal", "child", "existing", "opened", "seal", "text"]

_MARK = b"\neventsim sha256 "
_SEAL = len(_MARK) + 64 + 1
_BLOCK = 1 << 20


def existing(path: str | os.PathLike[str], what: str) -> Path:
    """The path of an existing, non-empty file, or an error that names ``what`` was expected."""
    if not isinstance(path, str | os.PathLike):
        raise InvalidType(f"{what}: path: expected a str or Path, got {type(path).__name__}")
    found = Path(path)
    if not os.path.exists(found):
        raise FileError(f"{path}: file: expected {what}, got no such file")
    if not os.path.isfile(found):
        raise FileError(f"{path}: file: expected {what}, got a folder or special file")
    if found.stat().st_size == 0:
        raise FileError(f"{path}: file: expected {what}, got an empty file")
    return found


@contextmanager
def opened(path: str | os.PathLike[str], what: str) -> Iterator[h5py.File]:
    """An HDF5 file open for reading; whatever fails inside becomes a FileError."""
    found = existing(path, what)
    try:
        check_seal(found, what)
        if not h5py.is_hdf5(found):
            raise FileError(f"{path}: file: expected {what} (HDF5), got another kind of file")
        with h5py.File(found, "r") as file:
            yield file
    except FileError:
        raise
    except EventsimError as error:
        raise FileError(f"{path}: {error}") from error
    except (OSError, RuntimeError, KeyError, ValueError, MemoryError) as error:
        # What h5py raises for truncated or damaged files.
        raise FileError(
            f"{path}: file: expected {what}, got a damaged or truncated file ({error})"
        ) from error


def seal(path: str | os.PathLike[str]) -> None:
    """Append to a complete, closed file the checksum of its content."""
    size = Path(path).stat().st_size
    checksum = _checksum(path, size).encode()
    with open(path, "ab") as file:
        file.write(_MARK + checksum + b"\n")


def check_seal(path: str | os.PathLike[str], what: str) -> bool:
    """Whether the file ends with a checksum; FileError when that is not the one of its content."""
    size = Path(path).stat().st_size - _SEAL
    if size < 0:
        return False
    with open(path, "rb") as file:
        file.seek(size)
        end = file.read()
    if not end.startswith(_MARK):
        if _MARK in end:
            raise FileError(
                f"{path}: checksum: expected a whole one at the end of {what}, got a part of it: "
                "the file is truncated"
            )
        return False
    stored, found = end[len(_MARK) : -1].decode("ascii", "replace"), _checksum(path, size)
    if stored != found:
        raise FileError(
            f"{path}: checksum: expected {stored} as written at the end of {what}, got {found}: "
            "the file is damaged"
        )
    return True


def _checksum(path: str | os.PathLike[str], size: int) -> str:
    """SHA-256 of the first ``size`` bytes, as hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while size > 0 and (block := file.read(min(size, _BLOCK))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def _named(group: h5py.Group, name: str) -> str:
    return f"{group.file.filename}: {group.name.rstrip('/')}/{name}"


def child(group: h5py.Group, name: str, kind: type = h5py.Group) -> Any:
    """The group or dataset ``name`` of ``group``; it must lie in the file itself."""
    expected = "a group" if kind is h5py.Group else "a dataset"
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        found = "a link" if name in group.keys() else "nothing"
        raise FileError(f"{_named(group, name)}: expected {expected}, got {found}")
    item = group[name]
    if not isinstance(item, kind):
        raise FileError(f"{_named(group, name)}: expected {expected}, got {type(item).__name__}")
    return item


def array(group: h5py.Group, name: str, ndim: int | None = None) -> NDArray[Any]:
    """The numbers of dataset ``name``, dtype as stored."""
    dataset = child(group, name, h5py.Dataset)
    if dataset.dtype.kind not in "fiub":
        raise FileError(f"{_named(group, name)}: expected numbers, got dtype {dataset.dtype}")
    if dataset.external or dataset.is_virtual:
        raise FileError(f"{_named(group, name)}: expected data in this file, got it elsewhere")
    if dataset.shape is None or (ndim is not None and dataset.ndim != ndim):
        raise FileError(f"{_named(group, name)}: expected {ndim} axes, got shape {dataset.shape}")
    return np.asarray(dataset[()])


def text(group: h5py.Group, name: str) -> str:
    """The text of the scalar string dataset ``name``."""
    dataset = child(group, name, h5py.Dataset)
    if h5py.check_string_dtype(dataset.dtype) is None or dataset.shape != ():
        raise FileError(f"{_named(group, name)}: expected one text, got dtype {dataset.dtype}")
    return str(dataset.asstr()[()])


def attribute(group: h5py.Group, name: str, kind: type) -> Any:
    """Attribute ``name`` of ``group`` as a plain ``str``, ``int``, ``float`` or ``bool``."""
    where = f"{group.file.filename}: {group.name}: attribute {name}"
    if name not in group.attrs:
        raise FileError(f"{where}: expected {kind.__name__}, got none")
    value = group.attrs[name]
    plain = value.item() if isinstance(value, np.generic) else value
    if kind is float and isinstance(plain, int) and not isinstance(plain, bool):
        plain = float(plain)
    if type(plain) is not kind:
        raise FileError(f"{where}: expected {kind.__name__}, got {value!r}")
    return plain
