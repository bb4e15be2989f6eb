"""The charge that units receive in one step: projections applied to the spikes of a step.

Each link adds what the active source units send into ``charge[sample, target]``. Sums run over
sources in ascending order, link after link in network order, sample by sample: the same order
as in the event-driven engines, whatever the batch and the number of threads. Only active
sources cost time.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.convolution import Conv2d, image_shape
from eventsim.errors import UnsupportedNetwork
from eventsim.jit import njit
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.projections import Dense, Projection, Sparse

__all__ = ["Link", "link"]

Array = NDArray[Any]


class Link(Protocol):
    """A projection made ready for one arithmetic (float64 or float32)."""

    def add(self, active: Array, charge: Array) -> None:
        """Add the charge of ``active`` [sample, source] to ``charge`` [sample, target]."""


def link(net: Network, projection: Projection, dtype: Any, gain: Any = 1.0) -> Link:
    """The link of a projection of ``net``, its weights converted to ``dtype``.

    Parameters
    ----------
    net : Network
        Network that holds the projection.
    projection : Projection
        Dense, Sparse, Conv2d, a linear pooling, or MaxPool2d (OR of the window).
    dtype : float64 or float32
        Arithmetic. float32 weights convert to float64 without error.
    gain : float or array [target]
        The weights are divided by it: the weights of a training framework stand in a network
        with the factor that its neurons multiply them by
        (:attr:`eventsim.step_rule.StepRule.weight_gain`).

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
    projection = _divided(projection, source, target, np.asarray(gain, dtype=np.float64))
    if isinstance(projection, Dense):
        return _DenseLink(projection, dtype)
    if isinstance(projection, Conv2d):
        return _ConvLink(projection, source, dtype)
    return _RowsLink(projection, source, target, dtype)


def _divided(
    projection: Projection, source: tuple[int, ...], target: tuple[int, ...], gain: Array
) -> Projection:
    """The projection with weights divided by a number for each target.

    A float64 product of a float32 weight gives that weight back: its quotient is within two
    roundings of it, and there is no other float32 number there.
    """
    if isinstance(projection, MaxPool2d) or (gain == 1.0).all():
        return projection
    if gain.ndim and isinstance(projection, Conv2d):
        by_channel = gain.reshape(target[0], -1)
        if (by_channel != by_channel[:, :1]).any():
            raise UnsupportedNetwork(
                f"{projection.where}: gain: expected one for each channel of a convolution"
            )
        gain = by_channel[:, :1, None, None]
    elif gain.ndim and not isinstance(projection, Dense):
        rows = projection.rows(source, target)
        sparse = Sparse(
            projection.source, projection.target,
            np.repeat(np.arange(len(rows.indptr) - 1), np.diff(rows.indptr)), rows.post,
            rows.weight / gain[rows.post],
        )  # fmt: skip
        return sparse
    return dataclasses.replace(cast(Any, projection), weight=cast(Any, projection).weight / gain)


def _constant(array: Array, dtype: Any) -> Array:
    """A view that cannot be written, whoever owns the array: kernels are compiled for one kind."""
    view = np.ascontiguousarray(array, dtype=dtype).view()
    return checks.read_only(view)


class _DenseLink:
    def __init__(self, projection: Dense, dtype: Any) -> None:
        self._weight = _constant(projection.weight, dtype)

    def add(self, active: Array, charge: Array) -> None:
        _add_dense(active, self._weight, charge)


class _RowsLink:
    def __init__(
        self, projection: Projection, source: tuple[int, ...], target: tuple[int, ...], dtype: Any
    ) -> None:
        rows = projection.rows(source, target)
        self._indptr, self._post = (
            _constant(array, array.dtype) for array in (rows.indptr, rows.post)
        )
        self._weight = _constant(rows.weight, dtype)
        self._add = _set_rows if isinstance(projection, MaxPool2d) else _add_rows

    def add(self, active: Array, charge: Array) -> None:
        self._add(active, self._indptr, self._post, self._weight, charge)


class _ConvLink:
    """Adds the kernel's patch around each active source, run by run.

    A source at ``x`` reaches the targets ``(x + padding - b dilation) / stride`` that are whole
    numbers. Kernel columns ``b`` are sorted by the phase ``(x + padding) % stride`` that makes
    them so, and by target; columns of neighbouring targets form a run. Output channels are the
    last axis of kernel and charge, so a run is one loop over neighbouring numbers.
    """

    def __init__(self, projection: Conv2d, source: tuple[int, ...], dtype: Any) -> None:
        _, height, width = image_shape(projection.where, "source", source)
        out, out_y, out_x = projection.output_shape(source)
        groups, (kernel_y, kernel_x) = projection.groups, projection.weight.shape[2:]
        self._target = (groups, out // groups, out_y, out_x)
        columns, self._phases, self._runs = _column_runs(
            kernel_x, projection.stride[1], projection.dilation[1]
        )
        by_group = projection.weight[..., columns].reshape(
            groups, out // groups, -1, kernel_y, kernel_x
        )
        # [source channel, kernel row, sorted kernel column, output channel in the group]
        self._kernel = np.ascontiguousarray(by_group.transpose(0, 2, 3, 4, 1), dtype=dtype)
        self._kernel = self._kernel.reshape(-1, kernel_y, kernel_x, out // groups)
        self._geometry = np.array(
            [height, width, out_y, out_x, projection.weight.shape[1],
             *projection.stride, *projection.padding, projection.dilation[0]]
        )  # fmt: skip

    def add(self, active: Array, charge: Array) -> None:
        images = charge.reshape(len(charge), *self._target)
        channels_last = np.ascontiguousarray(images.transpose(0, 1, 3, 4, 2))
        _add_conv(
            active, self._kernel.shape, self._kernel.reshape(-1), self._geometry, self._phases,
            self._runs, channels_last.reshape(len(charge), -1),
        )  # fmt: skip
        images[...] = channels_last.transpose(0, 1, 4, 2, 3)


def _column_runs(size: int, stride: int, dilation: int) -> tuple[Array, Array, Array]:
    """Sorted kernel columns; run numbers of each phase; runs (first column, length, target)."""
    columns: list[int] = []
    phases = [0]
    runs: list[list[int]] = []
    for phase in range(stride):
        for b in reversed(range(size)):
            if (b * dilation - phase) % stride == 0:
                target = (phase - b * dilation) // stride
                if len(runs) > phases[-1] and runs[-1][2] + runs[-1][1] == target:
                    runs[-1][1] += 1
                else:
                    runs.append([len(columns), 1, target])
                columns.append(b)
        phases.append(len(runs))
    return np.array(columns), np.array(phases), np.array(runs)


@njit
def _add_dense(active: Array, weight: Array, charge: Array) -> None:
    for sample in range(active.shape[0]):
        target = charge[sample]
        for i in range(active.shape[1]):
            value = active[sample, i]
            if value != 0:
                row = weight[i]
                for j in range(row.size):
                    target[j] += value * row[j]


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
                    charge[sample, post[k]] = max(charge[sample, post[k]], active[sample, i])


@njit
def _add_conv(
    active: Array, shape: tuple[int, ...], kernel: Array, geometry: Array, phases: Array,
    runs: Array, charge: Array,
) -> None:  # fmt: skip
    height, width, out_y, out_x, per_group, stride_y, stride_x, pad_y, pad_x, dilation = geometry
    _, kernel_y, kernel_x, outputs = shape
    for sample in range(active.shape[0]):
        row = charge[sample]
        for i in range(active.shape[1]):
            value = active[sample, i]
            if value == 0:
                continue
            channel = i // (height * width)
            group = channel // per_group
            base, phase = divmod(i % width + pad_x, stride_x)
            for a in range(kernel_y):
                y, rest = divmod((i // width) % height + pad_y - a * dilation, stride_y)
                if rest != 0 or y < 0 or y >= out_y:
                    continue
                for k in range(phases[phase], phases[phase + 1]):
                    first, length, offset = runs[k]
                    x = base + offset
                    low, high = max(0, -x), min(length, out_x - x)
                    if high <= low:
                        continue
                    here = ((group * out_y + y) * out_x + x + low) * outputs
                    there = ((channel * kernel_y + a) * kernel_x + first + low) * outputs
                    count = (high - low) * outputs
                    target, weight = row[here : here + count], kernel[there : there + count]
                    for j in range(count):
                        target[j] += value * weight[j]
