"""Pooling projections between populations of shape (channel, y, x).

Sum and average pooling are linear: they multiply what arrives. Max pooling of spikes has no
unique continuous form, so its rule has a name (:class:`MaxPool2d`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eventsim import checks
from eventsim.convolution import image_shape
from eventsim.projections import Projection, Rows, Shape

__all__ = ["AvgPool2d", "MaxPool2d", "SumPool2d"]


@dataclass(frozen=True, eq=False, repr=False)
class _Pool2d(Projection):
    """Windows of ``kernel_size`` every ``stride``, the outside padded with silence."""

    kernel_size: Any
    stride: Any = None
    padding: Any = 0

    def __post_init__(self) -> None:
        self._set("kernel_size", checks.pair(self.where, "kernel_size", self.kernel_size, 1))
        stride = self.kernel_size if self.stride is None else self.stride
        self._set("stride", checks.pair(self.where, "stride", stride, 1))
        self._set("padding", checks.pair(self.where, "padding", self.padding, 0))
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise checks.fail(
                self.where,
                "padding",
                f"at most half of kernel_size {self.kernel_size}",
                self.padding,
            )
        super().__post_init__()

    @property
    def gain(self) -> float:
        """What one source spike adds to a window."""
        return 1.0

    def output_shape(self, source: Shape) -> tuple[int, int, int]:
        """Shape (channel, y, x) of the target that fits a source of this shape."""
        channels, *size = image_shape(self.where, "source", source)
        span = [
            (n + 2 * p - k) // s + 1
            for n, p, k, s in zip(size, self.padding, self.kernel_size, self.stride, strict=True)
        ]
        if min(span) < 1:
            raise checks.fail(
                self.where, "kernel_size", f"a window that fits {tuple(size)}", self.kernel_size
            )
        return (channels, span[0], span[1])

    def check_shapes(self, source: Shape, target: Shape) -> None:
        expected = self.output_shape(source)
        if image_shape(self.where, "target", target) != expected:
            raise checks.fail(
                self.where, "target", f"a population of shape {expected} [channel, y, x]", target
            )

    def rows(self, source: Shape, target: Shape) -> Rows:
        channels, height, width = image_shape(self.where, "source", source)
        _, out_y, out_x = self.output_shape(source)
        c, y, x, a, b = (
            grid.reshape(-1) for grid in np.indices((channels, out_y, out_x, *self.kernel_size))
        )
        u = y * self.stride[0] - self.padding[0] + a
        v = x * self.stride[1] - self.padding[1] + b
        inside = (u >= 0) & (u < height) & (v >= 0) & (v < width)
        pre = ((c * height + u) * width + v)[inside]
        post = ((c * out_y + y) * out_x + x)[inside]
        order = np.lexsort((post, pre))
        counts = np.bincount(pre, minlength=channels * height * width)
        return Rows(
            np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            post[order].astype(np.int32),
            np.full(order.size, self.gain),
            np.array([self.delay]),  # type: ignore[attr-defined]
        )


@dataclass(frozen=True, eq=False, repr=False)
class SumPool2d(_Pool2d):
    """Sum pooling: each spike of a window arrives with ``weight``.

    Parameters
    ----------
    source, target : str
        Names of populations of shape (channel, y, x).
    kernel_size, stride, padding : int or (int, int)
        As in torch; ``stride=None`` means ``kernel_size``.
    delay, spread : float
        Seconds.
    weight : float
        What one spike adds, in the target's voltage unit.
    receptor : int or None
        Exponential receptor of the target that arrivals reach. None: delta, or pulse.

    Examples
    --------
    >>> SumPool2d("conv1", "pool1", 2).output_shape((6, 28, 28))
    (6, 14, 14)
    """

    delay: float = 0.0
    spread: float = 0.0
    weight: float = 1.0
    receptor: int | None = None

    def __post_init__(self) -> None:
        self._set("weight", checks.scalar(self.where, "weight", self.weight))
        super().__post_init__()

    @property
    def gain(self) -> float:
        return self.weight


@dataclass(frozen=True, eq=False, repr=False)
class AvgPool2d(SumPool2d):
    """Average pooling: each spike of a window arrives with ``weight / (kernel_y kernel_x)``.

    Positions in the padding count in the average, as torch's ``count_include_pad=True``.
    Parameters are those of :class:`SumPool2d`.

    Examples
    --------
    >>> AvgPool2d("conv1", "pool1", 2).gain
    0.25
    """

    @property
    def gain(self) -> float:
        return self.weight / (self.kernel_size[0] * self.kernel_size[1])


@dataclass(frozen=True, eq=False, repr=False)
class MaxPool2d(_Pool2d):
    """Max pooling of spikes; the target is a :class:`~eventsim.Relay`.

    Spikes of one instant in one window pass as one spike, under each rule:

    ``"first_spike"`` (default)
        The first spike of a window passes, then the window is closed for ``window`` seconds,
        half open: OR per interval, the meaning it has in the coarse model.
    ``"every_spike"``
        Each instant with a spike in the window passes one spike.
    ``"leader"``
        A spike passes when its source has by then spiked at least as often as every other
        source of the window: a running argmax of spike counts.

    Parameters
    ----------
    source, target : str
        Names of populations of shape (channel, y, x); the target is a Relay.
    kernel_size, stride, padding : int or (int, int)
        As in torch; ``stride=None`` means ``kernel_size``.
    rule : str
        One of the rules above.
    window : float or None
        For ``"first_spike"``: how long a window stays closed, seconds. None: the refractory
        period of the sources (the largest among them); needed where the source has none.
    delay : float
        Seconds.

    Examples
    --------
    >>> MaxPool2d("conv1", "pool1", 2)
    MaxPool2d('conv1', 'pool1', kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))
    """

    RULES = ("first_spike", "every_spike", "leader")

    rule: str = "first_spike"
    window: float | None = None
    delay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule not in self.RULES:
            raise checks.fail(self.where, "rule", f"one of {self.RULES}", repr(self.rule))
        self._set("rule", str(self.rule))
        if self.window is not None:
            window = checks.scalar(self.where, "window", self.window)
            if window < 0:
                raise checks.fail(self.where, "window", "a number >= 0", window)
            self._set("window", window)
