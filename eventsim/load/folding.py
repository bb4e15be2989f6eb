r"""Folding a linear pooling layer into the weights of the layer behind it.

Sum and average pooling without neurons are linear, and so is what follows them. With windows
that tile the image (stride equal to the window, no padding), pooled position ``u`` is the sum of
``k`` positions ``k u, ..., k u + k - 1``, times a gain ``g``. A convolution of the pooled image,

.. math::

    y_j = \sum_a w_a \, p_{s j - q + a}, \qquad p_u = g \sum_{e < k} x_{k u + e},

is then the convolution :math:`y_j = \sum_{a, e} g w_a \, x_{k s j - k q + k a + e}` of the image
itself: each weight repeated ``k`` times, stride and padding times ``k``. Images whose size is no
multiple of ``k`` lose their last rows and columns to the pooling; a kernel without padding never
reaches them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import UnsupportedNetwork

__all__ = ["TilingPool", "fold_conv2d", "fold_linear"]

Pair = tuple[int, int]
Array = NDArray[Any]


class TilingPool(NamedTuple):
    """Sum of windows of ``kernel`` (vertical, horizontal) that tile the image, times ``gain``."""

    kernel: Pair
    gain: float

    def of(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Shape (channel, y, x) of the pooled image."""
        return (shape[0], shape[1] // self.kernel[0], shape[2] // self.kernel[1])

    def after(self, first: TilingPool) -> TilingPool:
        """Both poolings in one, ``first`` before this one."""
        (y, x), (v, u) = first.kernel, self.kernel
        return TilingPool((y * v, x * u), first.gain * self.gain)


def fold_conv2d(
    where: str,
    weight: Array,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    pool: TilingPool,
    size: Pair,
) -> tuple[Array, Pair, Pair]:
    """Weight, stride and padding of the convolution that does pooling and convolution at once.

    Parameters
    ----------
    where : str
        How messages name the layer.
    weight : array [out, in / groups, kernel_y, kernel_x]
        Kernels of the convolution behind the pooling.
    stride, padding, dilation : (int, int)
        Of that convolution.
    pool : TilingPool
        The pooling before it.
    size : (int, int)
        Height and width of the image before pooling.

    Returns
    -------
    (array, (int, int), (int, int))

    Raises
    ------
    UnsupportedNetwork
        A dilated kernel, or padding where the windows leave a rest of the image.

    Examples
    --------
    >>> kernel = np.array([[[[1.0, 2.0]]]])
    >>> pool = TilingPool((1, 2), 0.5)
    >>> weight, stride, padding = fold_conv2d("conv", kernel, (1, 1), (0, 0), (1, 1), pool, (1, 8))
    >>> weight[0, 0], stride
    (array([[0.5, 0.5, 1. , 1. ]]), (1, 2))
    """
    if dilation != (1, 1):
        raise UnsupportedNetwork(
            f"{where}: dilation: expected 1 behind a pooling without neurons, got {dilation}"
        )
    for n, k, p in zip(size, pool.kernel, padding, strict=True):
        if p and n % k:
            raise UnsupportedNetwork(
                f"{where}: padding: expected 0 behind a pooling whose windows ({k}) leave a rest "
                f"of {n % k} of {n}, got {padding}"
            )
    scaled = _scaled(weight, pool.gain)
    for axis, k in zip((2, 3), pool.kernel, strict=True):
        scaled = np.repeat(scaled, k, axis=axis)
    y, x = pool.kernel
    return scaled, (stride[0] * y, stride[1] * x), (padding[0] * y, padding[1] * x)


def fold_linear(weight: Array, pool: TilingPool, shape: tuple[int, int, int]) -> Array:
    """Weights [out, in] on the image before pooling, for weights [out, in] behind it.

    Parameters
    ----------
    weight : array [out, in]
        Weights on the pooled image, flattened in the order (channel, y, x).
    pool : TilingPool
        The pooling.
    shape : (int, int, int)
        Shape (channel, y, x) before pooling. What the windows leave over gets weight 0.

    Examples
    --------
    >>> fold_linear(np.array([[4.0, 8.0]]), TilingPool((1, 2), 0.5), (1, 1, 5))
    array([[2., 2., 4., 4., 0.]])
    """
    channels, pooled_y, pooled_x = pool.of(shape)
    scaled = _scaled(weight, pool.gain).reshape(len(weight), channels, pooled_y, pooled_x)
    for axis, k in zip((2, 3), pool.kernel, strict=True):
        scaled = np.repeat(scaled, k, axis=axis)
    whole = np.zeros((len(weight), *shape), dtype=scaled.dtype)
    whole[:, :, : scaled.shape[2], : scaled.shape[3]] = scaled
    return whole.reshape(len(weight), -1)


def _scaled(weight: Array, gain: float) -> Array:
    """``gain * weight``; float32 stays float32 where that is exact, and becomes float64 else."""
    exact = weight.astype(np.float64) * gain
    narrow = exact.astype(weight.dtype)
    return narrow if (narrow == exact).all() else exact
