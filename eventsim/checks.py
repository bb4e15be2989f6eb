"""Checks of arguments, shared by every public class: one wording for every error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import InvalidType, InvalidValue

_MAX_INDEX = np.iinfo(np.int64).max


def fail(where: str, field: str, expected: str, got: Any) -> InvalidValue:
    """The error for a bad value, worded as everywhere else."""
    return InvalidValue(f"{where}: {field}: expected {expected}, got {got}")


def name(where: str, value: Any, field: str = "name") -> str:
    """A non-empty string without '/', which separates groups in HDF5 files."""
    if not isinstance(value, str):
        raise InvalidType(f"{where}: {field}: expected a string, got {type(value).__name__}")
    if not value or "/" in value or value.startswith("."):
        raise fail(where, field, "a non-empty name without '/' or a leading '.'", repr(value))
    return value


def real_array(where: str, field: str, value: Any) -> NDArray[np.floating]:
    """A fresh read-only float32 or float64 array; other real dtypes become float64."""
    array = _array(where, field, value)
    if array.dtype.kind not in "fiub":
        raise InvalidType(f"{where}: {field}: expected real numbers, got dtype {array.dtype}")
    dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    return read_only(np.array(array, dtype=dtype, order="C"))


def float32(where: str, field: str, value: Any) -> Any:
    """A float32 number or array, as frameworks make of what they are given."""
    return real_array(where, field, value).astype(np.float32)[()]


def _array(where: str, field: str, value: Any) -> NDArray[Any]:
    """Any array; ragged lists have no shape, and a mask would be dropped without a word."""
    if isinstance(value, np.ma.MaskedArray):
        raise InvalidType(f"{where}: {field}: expected a plain array, got a masked one")
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise InvalidType(f"{where}: {field}: expected numbers, got {value!r}") from error


def _at(field: str, index: Any) -> str:
    """The name of one entry; of the field where it is a single number."""
    return f"{field}[{', '.join(str(int(i)) for i in index)}]" if len(index) else field


def finite(where: str, field: str, array: NDArray[Any]) -> None:
    """Refuse NaN and infinities, naming the first bad index."""
    good = np.isfinite(array)
    if not good.all():
        index = tuple(np.argwhere(~good)[0])
        raise fail(where, _at(field, index), "a finite number", array[index])


def scalar(where: str, field: str, value: Any) -> float:
    """One finite float."""
    array = real_array(where, field, value)
    if array.ndim:
        raise fail(where, field, "one number", f"an array of shape {array.shape}")
    finite(where, field, array)
    return float(array)


def binary(where: str, field: str, value: Any) -> NDArray[Any]:
    """An array of 0 and 1, of any real dtype; the first other entry is named."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise InvalidType(f"{where}: {field}: expected numbers, got dtype {array.dtype}")
    bad = (array != 0) & (array != 1)
    if bad.any():
        index = tuple(np.argwhere(bad)[0])
        raise fail(where, _at(field, index), "0 or 1", array[index])
    return array


def positive(where: str, field: str, value: Any) -> float:
    """One finite float above zero."""
    number = scalar(where, field, value)
    if number <= 0.0:
        raise fail(where, field, "a number > 0", number)
    return number


def whole(where: str, field: str, value: Any, minimum: int) -> int:
    """One int that is at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InvalidType(f"{where}: {field}: expected an int, got {value!r}")
    if value < minimum:
        raise fail(where, field, f"an int >= {minimum}", value)
    return int(value)


def non_negative(where: str, field: str, array: NDArray[Any]) -> None:
    """Refuse values below zero, naming the first bad index."""
    if (array < 0).any():
        index = tuple(np.argwhere(array < 0)[0])
        raise fail(where, _at(field, index), "a number >= 0", array[index])


def pair(where: str, field: str, value: Any, minimum: int) -> tuple[int, int]:
    """An int or a pair of ints (vertical, horizontal), each at least ``minimum``."""
    values = tuple(value) if isinstance(value, Iterable) else (value, value)
    if len(values) != 2 or not all(isinstance(v, int | np.integer) for v in values):
        raise InvalidType(f"{where}: {field}: expected an int or two ints, got {value!r}")
    if min(values) < minimum:
        raise fail(where, field, f"ints >= {minimum}", value)
    return int(values[0]), int(values[1])


def index_array(where: str, field: str, value: Any) -> NDArray[np.int64]:
    """A fresh read-only one-dimensional int64 array of indices >= 0."""
    array = _array(where, field, value)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise InvalidType(f"{where}: {field}: expected integers, got dtype {array.dtype}")
    if array.ndim != 1:
        raise fail(where, field, "a one-dimensional array", f"shape {array.shape}")
    non_negative(where, field, array)
    if array.size and array.max() > _MAX_INDEX:
        k = int(np.argmax(array))
        raise fail(where, f"{field}[{k}]", f"an index up to {_MAX_INDEX}", array[k])
    return read_only(array.astype(np.int64))


def mapping(where: str, field: str, value: Any) -> Mapping[Any, Any]:
    """A mapping; None stands for an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidType(
            f"{where}: {field}: expected a mapping of names, got {type(value).__name__}"
        )
    return value


def sequence(where: str, field: str, value: Any, of: str) -> tuple[Any, ...]:
    """The entries of any iterable that is no text."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidType(f"{where}: {field}: expected {of}, got {type(value).__name__}")
    return tuple(value)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, its data protected against writing."""
    array.setflags(write=False)
    return array
