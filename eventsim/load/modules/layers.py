"""Layers without neurons: what a call of a torch function is as a projection.

A linear layer is known by its function and its weights, so that ``torch.nn.Linear``, a class made
from it and a bare ``F.linear`` are one thing, and a call in each step is a call of the same layer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.convolution import Conv2d
from eventsim.errors import UnsupportedNetwork
from eventsim.load.nir_linear import same_padding
from eventsim.pooling import AvgPool2d, MaxPool2d, SumPool2d
from eventsim.projections import Dense, Projection, Shape

__all__ = ["LAYERS", "Layer", "Reader"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Layer:
    """One call of a layer.

    Attributes
    ----------
    key : tuple
        The same in calls of the same layer.
    where : str
        Module and function, for messages.
    name : str
        For a population that stands for it.
    axes : int
        Number of trailing axes of its input and output that are features.
    projection : callable
        Shape of the input's features -> projection.
    relay : bool
        Whether it passes spikes on (max pooling) and is no linear map.
    """

    key: tuple[Any, ...]
    where: str
    name: str
    axes: int
    projection: Callable[[Shape], Projection]
    relay: bool = False

    def output(self, shape: Shape, found: Projection) -> Shape:
        """Shape of the features behind it, for a projection of :attr:`projection`."""
        if isinstance(found, Dense):
            return (found.weight.shape[1],)
        return found.output_shape(shape)  # type: ignore[attr-defined]


class Reader:
    """Reads calls; keeps arrays and digests of parameters."""

    def __init__(self) -> None:
        self._arrays: dict[int, tuple[Any, int, Array, bytes]] = {}

    def array(self, tensor: Any) -> tuple[Array, bytes]:
        """A weight as an array, and a digest of its content."""
        kept = self._arrays.get(id(tensor))
        if kept is not None and kept[1] == tensor._version:
            return kept[2:]
        array = tensor.detach().cpu()
        if array.dtype.itemsize < 4:
            array = array.float()
        array = np.array(array.numpy())
        digest = (
            hashlib.blake2b(array.tobytes(), digest_size=16).digest()
            + str((array.shape, array.dtype.str)).encode()
        )
        # Kept with its tensor, whose number would else be given to another one.
        self._arrays[id(tensor)] = (tensor, tensor._version, array, digest)
        return array, digest

    def read(
        self, name: str, where: str, label: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, Layer, Any] | None:
        """(input tensor, layer, bias or None) of a call of a function of ``LAYERS``.

        None where the call has a form that is no layer, such as a product of two signals.
        """
        names, make = LAYERS[name]
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        return make(self, name, where, label, given)

    def linear(self, name: str, where: str, label: str, given: dict[str, Any]) -> Any:
        """``y = W x + b``."""
        weight = given["weight"]
        array, digest = self.array(weight)
        if name == "matmul":
            array = array.T
        if array.ndim != 2:
            return None

        def projection(shape: Shape) -> Projection:
            return Dense("in", label, np.ascontiguousarray(array.T))

        layer = Layer((name, where, digest), where, label, 1, projection)
        return given["input"], layer, given.get("bias")

    def convolution(self, name: str, where: str, label: str, given: dict[str, Any]) -> Any:
        """Conv1d and Conv2d; the first as an image of one row."""
        array, digest = self.array(given["weight"])
        axes = 1 if name == "conv1d" else 2
        if axes == 1:
            array = array[:, :, None, :]
        options: dict[str, Any] = {}
        for field, default in (("stride", 1), ("dilation", 1), ("padding", 0)):
            value = given.get(field, default)
            if isinstance(value, str):
                options[field] = value
            else:
                options[field] = _pair(value, axes, default)
        groups = int(given.get("groups", 1))
        key = (name, where, digest, str(options), groups)
        if options["padding"] == "valid":
            options["padding"] = (0, 0)
        elif options["padding"] == "same":
            array, options["padding"], options["dilation"] = same_padding(
                array, options["dilation"]
            )

        def projection(shape: Shape) -> Projection:
            return Conv2d("in", label, array, groups=groups, **options)

        layer = Layer(key, where, label, 1 + axes, projection)
        return given["input"], layer, given.get("bias")

    def pool(self, name: str, where: str, label: str, given: dict[str, Any]) -> Any:
        """Average and maximum over windows."""
        axes = 1 if name.endswith("1d") else 2
        kernel = _pair(given["kernel_size"], axes, 1)
        stride = given.get("stride")
        stride = kernel if stride is None or stride == [] else _pair(stride, axes, 1)
        padding = _pair(given.get("padding", 0), axes, 0)
        ceil, divisor = bool(given.get("ceil_mode", False)), given.get("divisor_override")
        outside = any(padding) and not given.get("count_include_pad", True)
        dilation = _pair(given.get("dilation", 1), axes, 1)
        if outside or dilation != (1, 1) or given.get("return_indices"):
            return None
        relay = name.startswith("max")

        def projection(shape: Shape) -> Projection:
            spans = zip(shape[1:], kernel, stride, padding, strict=True)
            if ceil and any((n + 2 * p - k) % s for n, k, s, p in spans):
                raise UnsupportedNetwork(
                    f"{where}: ceil_mode: expected windows that fit the image {shape[1:]}, as "
                    "eventsim has no windows that reach over its edge"
                )
            if relay:
                return MaxPool2d("in", label, kernel, stride, padding)
            if divisor is not None:
                return SumPool2d("in", label, kernel, stride, padding, weight=1.0 / divisor)
            return AvgPool2d("in", label, kernel, stride, padding)

        key = (name, where, kernel, stride, padding, divisor)
        layer = Layer(key, where, label, 1 + axes, projection, relay)
        return given["input"], layer, None

    def power(self, name: str, where: str, label: str, given: dict[str, Any]) -> Any:
        """Power-average pooling whose power is 1: the sum over a window."""
        kernel = _pair(given["kernel_size"], 2, 1)
        stride = kernel if given.get("stride") is None else _pair(given["stride"], 2, 1)
        if float(given["norm_type"]) != 1.0 or given.get("ceil_mode"):
            return None

        def projection(shape: Shape) -> Projection:
            return SumPool2d("in", label, kernel, stride)

        return (
            given["input"],
            Layer((name, where, kernel, stride), where, label, 3, projection),
            None,
        )

    def adaptive(self, name: str, where: str, label: str, given: dict[str, Any]) -> Any:
        """Averages over windows of which there are so many; they have to be equal."""
        size = given["output_size"]
        wanted = (size, size) if isinstance(size, int) or size is None else tuple(size)

        def projection(shape: Shape) -> Projection:
            full = shape[1:]
            counts = tuple(n if k is None else k for n, k in zip(full, wanted, strict=True))
            if any(n % k for n, k in zip(full, counts, strict=True)):
                raise UnsupportedNetwork(
                    f"{where}: output_size: expected a divisor of the image {full}, as eventsim "
                    f"has windows of one size only, got {counts}"
                )
            kernel = tuple(n // k for n, k in zip(full, counts, strict=True))
            return AvgPool2d("in", label, kernel)

        return given["input"], Layer((name, where, wanted), where, label, 3, projection), None


def _pair(value: Any, axes: int, default: int) -> tuple[int, int]:
    """(y, x) of a number, or of one for each axis; a row is an image of height 1."""
    values = (value,) if isinstance(value, int) else tuple(value)
    if axes == 1:
        return (default, int(values[0]))
    return (int(values[0]), int(values[-1]))


_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_MAX = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_AVERAGE = (
    "input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad",
    "divisor_override",
)  # fmt: skip

#: Name of a function of torch -> names of its arguments, and what reads a call.
LAYERS: dict[str, tuple[tuple[str, ...], Callable[..., Any]]] = {
    "linear": (("input", "weight", "bias"), Reader.linear),
    "matmul": (("input", "weight"), Reader.linear),
    "mm": (("input", "weight"), Reader.linear),
    "conv1d": (_CONVOLUTION, Reader.convolution),
    "conv2d": (_CONVOLUTION, Reader.convolution),
    "max_pool1d": (_MAX, Reader.pool),
    "max_pool2d": (_MAX, Reader.pool),
    "avg_pool1d": (_AVERAGE, Reader.pool),
    "avg_pool2d": (_AVERAGE, Reader.pool),
    "lp_pool2d": (("input", "norm_type", "kernel_size", "stride", "ceil_mode"), Reader.power),
    "adaptive_avg_pool2d": (("input", "output_size"), Reader.adaptive),
}
