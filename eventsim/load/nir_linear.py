"""Linear nodes of NIR: the map, the bias and the shape behind each."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.convolution import Conv2d
from eventsim.errors import EventsimError, FileError
from eventsim.load.nir_file import Node
from eventsim.load.nir_maps import image
from eventsim.pooling import AvgPool2d, SumPool2d
from eventsim.projections import Dense, Projection, Shape, Sparse

__all__ = ["LINEAR", "Step", "same_padding", "step"]

LINEAR = (
    "Linear", "Affine", "Scale", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "Delay",
    "Pass",
)  # fmt: skip

Array = NDArray[Any]


class Step(NamedTuple):
    """What a linear node does: a map, factors or delays of units (file's time), and a bias."""

    shape: Shape
    op: Projection | None = None
    scale: Array | None = None
    delay: Array | None = None
    bias: Array | None = None


def step(node: Node, before: Shape | None) -> Step:
    """The step of a linear node that reads units arranged in ``before``.

    Parameters
    ----------
    node : Node
        A node of one of the types in ``LINEAR``.
    before : tuple of int or None
        None where nothing is known; the node's own fields may say enough.
    """
    try:
        return _STEPS[node.kind](node, before)
    except FileError:
        raise
    except EventsimError as error:
        raise FileError(f"{node.where}: {error}") from error


def _known(node: Node, before: Shape | None, field: str) -> Shape:
    if before is None:
        raise node.wrong(field, "the shape of what it reads, here or in an Input node", "nothing")
    return before


def _fits(node: Node, field: str, before: Shape | None, size: int) -> None:
    if before is not None and math.prod(before) != size:
        raise node.wrong(
            field, f"{math.prod(before)} inputs, as what leads into it has shape {before}", size
        )


def _matrix(node: Node, before: Shape | None) -> Step:
    weight = node.numbers("weight")
    if weight.ndim < 2 or 0 in weight.shape:
        raise node.wrong("weight", "axes [out, in]", f"shape {weight.shape}")
    *many, out, size = weight.shape
    _fits(node, "weight", before, math.prod(many) * size)
    shape = (*many, out)
    bias = None
    if node.kind == "Affine":
        bias = _each(node, "bias", shape)
    if not many:
        return Step(shape, Dense("in", node.name, weight.T), bias=bias)
    # One matrix for each index of the leading axes.
    block, o, i = (grid.reshape(-1) for grid in np.indices((math.prod(many), out, size)))
    op = Sparse("in", node.name, block * size + i, block * out + o, weight.reshape(-1))
    return Step(shape, op, bias=bias)


def _each(node: Node, field: str, shape: Shape) -> Array:
    """One number for each unit."""
    array = node.numbers(field).astype(np.float64)
    if array.size == math.prod(shape):
        return array.reshape(-1)
    try:
        return np.broadcast_to(array, shape).reshape(-1)
    except ValueError as error:
        raise node.wrong(field, f"shape {shape}", f"shape {array.shape}") from error


def _units(node: Node, field: str, before: Shape | None) -> tuple[Shape, Array]:
    """The shape of a node with a number for each unit, and these numbers."""
    shape = before if before is not None else node.numbers(field).shape or (1,)
    return shape, _each(node, field, shape)


def _scale(node: Node, before: Shape | None) -> Step:
    shape, scale = _units(node, "scale", before)
    return Step(shape, scale=scale)


def _delay(node: Node, before: Shape | None) -> Step:
    shape, delay = _units(node, "delay", before)
    if (delay < 0).any():
        raise node.wrong("delay", "numbers >= 0", float(delay.min()))
    return Step(shape, delay=delay)


def _conv(node: Node, before: Shape | None) -> Step:
    axes = 1 if node.kind == "Conv1d" else 2
    weight = node.numbers("weight")
    if weight.ndim != 2 + axes:
        names = "[out, in / groups, kernel]" if axes == 1 else "[out, in / groups, y, x]"
        raise node.wrong("weight", f"axes {names}", f"shape {weight.shape}")
    groups = node.whole("groups", 1)[0] if node.fields.get("groups") is not None else 1
    size = node.shape("input_shape")
    if before is None and size is not None:
        before = (weight.shape[1] * groups, *size)
    shape = _known(node, before, "input_shape")
    if len(shape) != 1 + axes:
        raise node.wrong(
            "weight", f"an input of {1 + axes} axes, channel first", f"one of shape {shape}"
        )
    if size is not None and len(size) == axes and size != shape[1:]:
        raise node.wrong("input_shape", f"{shape[1:]} as what leads into it", size)
    if axes == 1:
        weight = weight[:, :, None, :]
    values: dict[str, Any] = {}
    for field, default, least in (("stride", 1, 1), ("dilation", 1, 1), ("padding", 0, 0)):
        value = node.fields.get(field)
        if field == "padding" and isinstance(value, str):
            continue
        pair = (default, default) if value is None else node.pair(field, least)
        values[field] = pair if axes == 2 else (default, pair[0])
    text = node.fields.get("padding")
    if isinstance(text, str):
        if text not in ("same", "valid"):
            raise node.wrong("padding", "'same', 'valid' or integers", repr(text))
        values["padding"] = (0, 0)
        if text == "same":
            if values["stride"] != (1, 1):
                raise node.wrong("padding", "'same' with a stride of 1 only", values["stride"])
            weight, values["padding"], values["dilation"] = same_padding(weight, values["dilation"])
    op = Conv2d("in", node.name, weight, groups=groups, **values)
    found = op.output_shape(image(shape))
    after = (found[0], found[2]) if axes == 1 else found
    bias = None
    if node.fields.get("bias") is not None:
        each = _each(node, "bias", (found[0],))
        bias = np.repeat(each, math.prod(found[1:])) if each.any() else None
    return Step(after, op, bias=bias)


def same_padding(weight: Array, dilation: tuple[int, int]) -> tuple[Array, tuple[int, int], Any]:
    """Weight, padding and dilation with which the output has the size of the input.

    The padding in front is half of what is needed, rounded down, and the rest is behind. Where
    the two differ, a tap of weight 0 in front of the kernel makes them equal.
    """
    padding = []
    gaps = list(dilation)
    for axis, d in enumerate(dilation):
        total = d * (weight.shape[2 + axis] - 1)
        if total % 2:
            wide = np.zeros(
                [*weight.shape[: 2 + axis], total + 2, *weight.shape[3 + axis :]], weight.dtype
            )
            taps = [slice(None)] * wide.ndim
            taps[2 + axis] = slice(1, None, d)
            wide[tuple(taps)] = weight
            weight, gaps[axis] = wide, 1
        padding.append((total + 1) // 2)
    return weight, (padding[0], padding[1]), (gaps[0], gaps[1])


def _pool(node: Node, before: Shape | None) -> Step:
    shape = _known(node, before, "kernel_size")
    if len(shape) != 3:
        raise node.wrong("kernel_size", "an input of shape (channel, y, x)", f"shape {shape}")
    kernel = node.pair("kernel_size", 1)
    stride = kernel if node.fields.get("stride") is None else node.pair("stride", 1)
    padding = (0, 0) if node.fields.get("padding") is None else node.pair("padding")
    kind = AvgPool2d if node.kind == "AvgPool2d" else SumPool2d
    op = kind("in", node.name, kernel, stride, padding)
    return Step(op.output_shape(shape), op)


def _flatten(node: Node, before: Shape | None) -> Step:
    shape = _known(node, before if before is not None else node.shape("input_type"), "input_type")
    start, end = (
        default if node.fields.get(field) is None else int(node.numbers(field).reshape(-1)[0])
        for field, default in (("start_dim", 1), ("end_dim", -1))
    )
    count = len(shape)
    start, end = (axis + count if axis < 0 else axis for axis in (start, end))
    # A file may count a batch axis that its shapes do not have.
    start, end = min(max(start, 0), count - 1), min(max(end, 0), count - 1)
    return Step((*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def _pass(node: Node, before: Shape | None) -> Step:
    shape = before if before is not None else node.shape("shape")
    return Step(_known(node, shape, "shape"))


_STEPS = {
    "Linear": _matrix, "Affine": _matrix, "Scale": _scale, "Delay": _delay, "Conv1d": _conv,
    "Conv2d": _conv, "SumPool2d": _pool, "AvgPool2d": _pool, "Flatten": _flatten, "Pass": _pass,
}  # fmt: skip
