"""Convolution, computed from its kernel, and the shape of image-like populations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.projections import Projection, Rows, Shape

__all__ = ["Conv2d", "image_shape"]


def image_shape(where: str, field: str, shape: Shape) -> tuple[int, int, int]:
    """(channel, y, x) of a population that an image map reads or writes."""
    if len(shape) == 2:
        return (1, shape[0], shape[1])
    if len(shape) != 3:
        raise checks.fail(where, field, "a population of shape (channel, y, x)", f"shape {shape}")
    return (shape[0], shape[1], shape[2])


@dataclass(frozen=True, eq=False, repr=False)
class Conv2d(Projection):
    """Convolution (cross-correlation, as ``torch.nn.Conv2d``), computed from the kernel.

    Target ``(o, y, x)`` receives ``weight[o, i, a, b]`` from a spike of source ``(i, u, v)`` with
    ``u = y stride - padding + a dilation`` and ``v = x stride - padding + b dilation``.

    Parameters
    ----------
    source, target : str
        Names of populations of shape (channel, y, x).
    weight : array [out, in / groups, kernel_y, kernel_x]
        Kernels in the target's voltage unit.
    stride, padding, dilation : int or (int, int)
        As in torch, (vertical, horizontal).
    groups : int
        Number of groups of channels that do not mix.
    delay, spread : float
        Seconds.
    receptor : int or None
        Exponential receptor of the target that arrivals reach. None: delta, or pulse.

    Examples
    --------
    >>> conv = Conv2d("image", "conv1", weight=[[[[1.0, 2.0], [3.0, 4.0]]]], padding=1)
    >>> conv.output_shape((1, 4, 4))
    (1, 5, 5)
    """

    weight: Any
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1
    delay: float = 0.0
    spread: float = 0.0
    receptor: int | None = None

    def __post_init__(self) -> None:
        weight = self._weight(4, "[out, in / groups, kernel_y, kernel_x]")
        for field, minimum in (("stride", 1), ("padding", 0), ("dilation", 1)):
            self._set(field, checks.pair(self.where, field, getattr(self, field), minimum))
        self._set("groups", checks.whole(self.where, "groups", self.groups, 1))
        if 0 in weight.shape:
            raise checks.fail(self.where, "weight", "at least one entry on each axis", weight.shape)
        if weight.shape[0] % self.groups:
            raise checks.fail(
                self.where, "groups", f"a divisor of the {weight.shape[0]} outputs", self.groups
            )
        super().__post_init__()

    def output_shape(self, source: Shape) -> tuple[int, int, int]:
        """Shape (channel, y, x) of the target that fits a source of this shape."""
        channels, *size = image_shape(self.where, "source", source)
        out, per_group, *kernel = self.weight.shape
        if channels != per_group * self.groups:
            raise checks.fail(
                self.where,
                "weight",
                f"{channels} / groups = {channels / self.groups:g} input channels on axis 1 "
                "of [out, in / groups, kernel_y, kernel_x]",
                per_group,
            )
        span = [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(
                size, self.padding, self.dilation, kernel, self.stride, strict=True
            )
        ]
        if min(span) < 1:
            raise checks.fail(self.where, "weight", f"a kernel that fits {tuple(size)}", kernel)
        return (out, span[0], span[1])

    def check_shapes(self, source: Shape, target: Shape) -> None:
        expected = self.output_shape(source)
        if image_shape(self.where, "target", target) != expected:
            raise checks.fail(
                self.where, "target", f"a population of shape {expected} [channel, y, x]", target
            )

    def rows(self, source: Shape, target: Shape) -> Rows:
        channels, height, width = image_shape(self.where, "source", source)
        out, out_y, out_x = self.output_shape(source)
        per_group, (kernel_y, kernel_x) = self.weight.shape[1], self.weight.shape[2:]
        o, i, a, b, y, x = (
            grid.reshape(-1)
            for grid in np.indices((out, per_group, kernel_y, kernel_x, out_y, out_x))
        )
        u = y * self.stride[0] - self.padding[0] + a * self.dilation[0]
        v = x * self.stride[1] - self.padding[1] + b * self.dilation[1]
        inside = (u >= 0) & (u < height) & (v >= 0) & (v < width)
        channel = (o // (out // self.groups)) * per_group + i
        pre = ((channel * height + u) * width + v)[inside]
        post = ((o * out_y + y) * out_x + x)[inside]
        weight = self.weight[o, i, a, b][inside]
        order = np.lexsort((post, pre))
        counts = np.bincount(pre, minlength=channels * height * width)
        return Rows(
            np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            post[order].astype(np.int32),
            weight[order],
            np.array([self.delay]),
        )

    def fan_outs(self, source: Shape, target: Shape) -> NDArray[np.int64]:
        channels, *size = image_shape(self.where, "source", source)
        reached = []
        for axis, (n, m) in enumerate(zip(size, self.output_shape(source)[1:], strict=True)):
            tap = np.arange(self.weight.shape[2 + axis]) * self.dilation[axis]
            at = np.arange(m)[:, None] * self.stride[axis] - self.padding[axis] + tap
            reached.append(np.bincount(at[(at >= 0) & (at < n)], minlength=n))
        per_pixel = np.outer(*reached).reshape(-1) * (self.weight.shape[0] // self.groups)
        return np.tile(per_pixel, channels)

    def n_synapses(self, source: Shape, target: Shape) -> int:
        return int(self.fan_outs(source, target).sum())

    @property
    def n_parameters(self) -> int:
        return int(self.weight.size)
