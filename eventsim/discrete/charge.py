"""The charge that units receive in one step: projections applied to the spikes of a step.

Each link adds what the active source units send into ``charge[sample, target]``. Sums run over
sources in ascending order, link after link in network order, sample by sample: the same order
as in the event-driven engines, whatever the batch and the number of threads. Only active
sources cost time.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eventsim.jit import njit
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.projections import Conv2d, Dense, Projection, image_shape

__all__ = ["Link", "link"]

Array = NDArray[Any]


class Link(Protocol):
    """A projection made ready for one arithmetic (float64 or float32)."""

    def add(self, active: Array, charge: Array) -> None:
        """Add the charge of ``active`` [sample, source] to ``charge`` [sample, target]."""


def link(net: Network, projection: Projection, dtype: Any) -> Link:
    """The link of a projection of ``net``, its weights converted to ``dtype``.

    Parameters
    ----------
    net : Network
        Network that holds the projection.
    projection : Projection
        Dense, Sparse, Conv2d, a linear pooling, or MaxPool2d (OR of the window).
    dtype : float64 or float32
        Arithmetic. float32 weights convert to float64 without error.

    Returns
    -------
    Link
        An object with ``add(active, charge)``.

    Examples
    --------
    >>> from eventsim import Dense, Input, Population
    >>> net = Network([Input("in", 2), Population("out", 1, tau_mem=1.0)],
    ...               [Dense("in", "out", [[0.5], [0.25]])])
    >>> charge = np.zeros((1, 1))
    >>> link(net, net.projections[0], np.float64).add(np.array([[1.0, 1.0]]), charge)
    >>> charge
    array([[0.75]])
    """
    source, target = net[projection.source].shape, net[projection.target].shape
    if isinstance(projection, Dense):
        return _DenseLink(projection, dtype)
    if isinstance(projection, Conv2d):
        return _ConvLink(projection, source, dtype)
    return _RowsLink(projection, source, target, dtype)


class _DenseLink:
    def __init__(self, projection: Dense, dtype: Any) -> None:
        self._weight = np.ascontiguousarray(projection.weight, dtype=dtype)

    def add(self, active: Array, charge: Array) -> None:
        _add_dense(active, self._weight, charge)


class _RowsLink:
    def __init__(
        self, projection: Projection, source: tuple[int, ...], target: tuple[int, ...], dtype: Any
    ) -> None:
        rows = projection.rows(source, target)
        self._indptr, self._post = rows.indptr, rows.post
        self._weight = np.ascontiguousarray(rows.weight, dtype=dtype)
        self._add = _set_rows if isinstance(projection, MaxPool2d) else _add_rows

    def add(self, active: Array, charge: Array) -> None:
        self._add(active, self._indptr, self._post, self._weight, charge)


class _ConvLink:
    def __init__(self, projection: Conv2d, source: tuple[int, ...], dtype: Any) -> None:
        self._source = np.array(image_shape(projection.where, "source", source))
        self._target = projection.output_shape(source)
        self._geometry = np.array(
            [projection.stride, projection.padding, projection.dilation], dtype=np.int64
        )
        # Output channels last: they are the inner loop, over neighbouring numbers.
        out, per_group, kernel_y, kernel_x = projection.weight.shape
        grouped = projection.weight.reshape(projection.groups, -1, per_group, kernel_y, kernel_x)
        self._kernel = np.ascontiguousarray(
            grouped.transpose(0, 2, 3, 4, 1).reshape(-1, kernel_y, kernel_x, out // len(grouped)),
            dtype=dtype,
        )
        self._per_group = per_group

    def add(self, active: Array, charge: Array) -> None:
        images = charge.reshape(len(charge), *self._target)
        channels_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
        _add_conv(
            active, self._source, self._kernel, self._per_group, self._geometry, channels_last
        )
        images[...] = channels_last.transpose(0, 3, 1, 2)


@njit
def _add_dense(active: Array, weight: Array, charge: Array) -> None:
    for sample in range(active.shape[0]):
        for i in range(active.shape[1]):
            value = active[sample, i]
            if value != 0:
                for j in range(weight.shape[1]):
                    charge[sample, j] += value * weight[i, j]


@njit
def _add_rows(active: Array, indptr: Array, post: Array, weight: Array, charge: Array) -> None:
    for sample in range(active.shape[0]):
        for i in range(active.shape[1]):
            value = active[sample, i]
            if value != 0:
                for k in range(indptr[i], indptr[i + 1]):
                    charge[sample, post[k]] += value * weight[k]


@njit
def _set_rows(active: Array, indptr: Array, post: Array, weight: Array, charge: Array) -> None:
    for sample in range(active.shape[0]):
        for i in range(active.shape[1]):
            if active[sample, i] != 0:
                for k in range(indptr[i], indptr[i + 1]):
                    charge[sample, post[k]] = 1


@njit
def _add_conv(
    active: Array, source: Array, kernel: Array, per_group: int, geometry: Array, charge: Array
) -> None:
    """``charge`` is [sample, y, x, channel]; ``geometry`` rows: stride, padding, dilation."""
    height, width = source[1], source[2]
    outputs = kernel.shape[3]
    for sample in range(active.shape[0]):
        for i in range(active.shape[1]):
            value = active[sample, i]
            if value == 0:
                continue
            channel = i // (height * width)
            first = (channel // per_group) * outputs
            at_y = (i // width) % height + geometry[1, 0]
            at_x = i % width + geometry[1, 1]
            for a in range(kernel.shape[1]):
                y = at_y - a * geometry[2, 0]
                if y < 0 or y % geometry[0, 0] != 0 or y // geometry[0, 0] >= charge.shape[1]:
                    continue
                y //= geometry[0, 0]
                for b in range(kernel.shape[2]):
                    x = at_x - b * geometry[2, 1]
                    if x < 0 or x % geometry[0, 1] != 0 or x // geometry[0, 1] >= charge.shape[2]:
                        continue
                    x //= geometry[0, 1]
                    for o in range(outputs):
                        charge[sample, y, x, first + o] += value * kernel[channel, a, b, o]
