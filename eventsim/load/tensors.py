"""The named tensors of a file, looked up with errors that name layer, tensor and shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import FileError
from eventsim.load.architecture import Layer

__all__ = ["Tensors"]


class Tensors:
    """Tensors of ``file``; remembers which have been used.

    Examples
    --------
    >>> tensors = Tensors("net.pt", {"fc.weight": np.ones((2, 3)), "extra": np.ones(1)})
    >>> tensors.get(Layer("fc", "linear", {}), "fc.weight").shape
    (2, 3)
    >>> tensors.unused([])
    ['extra (1,)']
    """

    def __init__(self, file: str, values: Mapping[str, NDArray[Any]]) -> None:
        self.file = file
        self._values = dict(values)
        self._used: set[str] = set()

    def get(self, layer: Layer, name: str) -> NDArray[Any]:
        """The finite real tensor ``name``, float32 or float64."""
        if name not in self._values:
            raise FileError(
                f"{self.file}: {layer.where}: tensor {name!r}: expected one of "
                f"{sorted(self._values)}, got none of this name"
            )
        self._used.add(name)
        tensor = checks.real_array(layer.where, f"tensor {name!r}", self._values[name])
        checks.finite(layer.where, f"tensor {name!r}", tensor)
        return tensor

    @property
    def dtype(self) -> str:
        """Arithmetic of the tensors that have been used: float32 where all of them are."""
        used = {self._values[name].dtype for name in self._used}
        return "float32" if used == {np.dtype(np.float32)} else "float64"

    def wrong(
        self, layer: Layer, name: str, expected: str, tensor: NDArray[Any], hint: str = ""
    ) -> FileError:
        """The error for a tensor of another shape than ``expected``, which names the axes."""
        return FileError(
            f"{self.file}: {layer.where}: tensor {name!r}: expected shape {expected}, "
            f"got {tensor.shape}{hint}"
        )

    def per_unit(self, layer: Layer, name: str, shape: tuple[int, ...]) -> Any:
        """A float, or a float64 array [neuron] of a tensor with one entry each or per channel."""
        tensor = self.get(layer, name).astype(np.float64)
        n, channels = prod(shape), shape[0]
        if tensor.size == 1:
            return float(tensor.reshape(()))
        if tensor.size not in (channels, n):
            each = f"({n},) [neuron]"
            expected = each if channels == n else f"({channels},) [channel] or {each}"
            raise self.wrong(layer, name, f"{expected}, or one entry", tensor)
        return np.repeat(tensor.reshape(-1), n // tensor.size)

    def unused(self, ignore: Iterable[str]) -> list[str]:
        """Names and shapes of tensors that no layer took and no pattern of ``ignore`` matches."""
        patterns = tuple(ignore)
        return [
            f"{name} {self._values[name].shape}"
            for name in sorted(set(self._values) - self._used)
            if not any(fnmatchcase(name, pattern) for pattern in patterns)
        ]
