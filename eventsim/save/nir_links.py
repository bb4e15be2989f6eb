"""Projections as chains of linear nodes of NIR."""

from __future__ import annotations

import math
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from eventsim.convolution import Conv2d
from eventsim.errors import UnsupportedNetwork
from eventsim.load.nir_file import NOTE
from eventsim.network import Network
from eventsim.pooling import AvgPool2d, MaxPool2d, SumPool2d
from eventsim.populations import Input, Population
from eventsim.projections import Dense, Projection, Shape, Sparse
from eventsim.save.nir_neurons import bias_of

__all__ = ["Links", "is_image_map"]

#: Entries of one matrix, and matrices that one projection with many delays may become.
MOST_WEIGHTS = 50_000_000
MOST_DELAYS = 100

Array = NDArray[Any]


def is_image_map(link: Projection) -> bool:
    """Whether a projection reads and writes images of shape (channel, y, x)."""
    return isinstance(link, Conv2d | SumPool2d | MaxPool2d)


class Links:
    """Adds the nodes of projections to ``nodes``; ``lost`` takes what NIR has no place for."""

    def __init__(
        self, net: Network, shapes: dict[str, Shape], nodes: dict[str, Any], lost: list[str]
    ) -> None:
        self._net, self._shapes, self._nodes, self._lost = net, shapes, nodes, lost
        self._edges: list[tuple[str, str]] = []
        self._bias = {
            p.name: bias for p in net if isinstance(p, Population) and (bias := bias_of(p)).any()
        }

    def add(self, link: Any) -> None:
        """One projection as one chain of nodes, or as several that differ in their delay."""
        if np.any(getattr(link, "spread", 0.0)):
            self._lost.append(
                f"{link.where}: spread: expected 0, as NIR has no pulses, got {link.spread:g} s"
            )
        if isinstance(link, Conv2d):
            self._chain(link, [self._conv(link)], link.delay)
        elif isinstance(link, SumPool2d):
            self._chain(link, self._pool(link), link.delay)
        elif self._is_scale(link):
            weight = np.asarray(link.weight, dtype=link.weight.dtype)
            scale = ("scale", nir.Scale(weight.reshape(self._shapes[link.target])))
            self._chain(link, [scale], link.delay)
        else:
            for weight, delay in self._matrices(link):
                self._chain(link, self._linear(link, weight), delay)

    def finish(self) -> list[tuple[str, str]]:
        """All edges, when biases that found no Affine or Conv2d node have got one."""
        for name in list(self._bias):
            inputs = [p for p in self._net if isinstance(p, Input)]
            if not inputs:
                raise UnsupportedNetwork(
                    f"save_nir: Population {name!r}: i_bias: expected an Input in the network, as "
                    "NIR has biases only in nodes that something leads into, got none"
                )
            source = inputs[0]
            if len(self._shapes[name]) > 1:
                raise UnsupportedNetwork(
                    f"save_nir: Population {name!r}: i_bias: expected one value for each channel, "
                    "as in the bias of a Conv2d node, got others"
                )
            silent = Dense(source.name, name, np.zeros((source.n, math.prod(self._shapes[name]))))
            self._chain(silent, self._linear(silent, silent.weight), 0.0)
        return self._edges

    def _chain(self, link: Projection, parts: list[tuple[str, Any]], delay: Any) -> None:
        """Nodes one after the other from source to target, with a Delay node where needed."""
        if np.any(delay):
            shape = self._shapes[link.target]
            late = np.broadcast_to(np.asarray(delay, dtype=np.float64), (math.prod(shape),))
            parts = [*parts, ("delay", nir.Delay(late.reshape(shape).copy()))]
        last = link.source
        if np.any(getattr(link, "spread", 0.0)):
            parts[0][1].metadata[f"{NOTE}spread"] = link.spread  # type: ignore[attr-defined]
        for kind, node in parts:
            name = base = f"{link.source}_{link.target}_{kind}"
            number = 1
            while name in self._nodes:
                number += 1
                name = f"{base}_{number}"
            self._nodes[name] = node
            self._edges.append((last, name))
            last = name
        self._edges.append((last, link.target))

    def _conv(self, link: Conv2d) -> tuple[str, Any]:
        shape = self._shapes[link.target]
        bias = np.zeros(shape[0])
        wanted = self._bias.get(link.target)
        if wanted is not None:
            each = wanted.reshape(shape[0], -1)
            if (each == each[:, :1]).all():
                bias = each[:, 0]
                del self._bias[link.target]
        return "conv", nir.Conv2d(
            tuple(self._shapes[link.source][1:]), np.array(link.weight), link.stride, link.padding,
            link.dilation, link.groups, bias,
        )  # fmt: skip

    def _pool(self, link: SumPool2d) -> list[tuple[str, Any]]:
        kind = nir.AvgPool2d if isinstance(link, AvgPool2d) else nir.SumPool2d
        window = (link.kernel_size, link.stride, link.padding)
        parts = [("pool", kind(*(np.array(pair) for pair in window)))]
        if link.weight != 1.0:
            scale = np.full(self._shapes[link.target], link.weight)
            parts.append(("scale", nir.Scale(scale)))
        return parts

    def _is_scale(self, link: Any) -> bool:
        """Whether each unit reaches that of its own number alone, in the same arrangement."""
        if not isinstance(link, Sparse) or self._shapes[link.source] != self._shapes[link.target]:
            return False
        units = np.arange(math.prod(self._shapes[link.source]))
        return bool(np.array_equal(link.pre, units) and np.array_equal(link.post, units))

    def _linear(self, link: Projection, weight: Array) -> list[tuple[str, Any]]:
        """A Linear or Affine node, behind a Flatten where the source is an image."""
        source, target = self._shapes[link.source], self._shapes[link.target]
        if len(target) > 1:
            raise UnsupportedNetwork(
                f"save_nir: {link.where}: target: expected one that no convolution or pooling "
                f"reads or writes, as a Linear node of NIR makes rows, got shape {target}"
            )
        parts: list[tuple[str, Any]] = []
        if len(source) > 1:
            parts.append(("flatten", nir.Flatten({"input": np.array(source)}, 0, -1)))
        matrix = np.ascontiguousarray(weight.T)
        bias = self._bias.pop(link.target, None)
        node = nir.Linear(matrix) if bias is None else nir.Affine(matrix, bias)
        return [*parts, ("linear", node)]

    def _matrices(self, link: Any) -> list[tuple[Array, Any]]:
        """Matrices [pre, post], each with a delay: one number, or one for each target."""
        size = (self._net[link.source].n, self._net[link.target].n)
        if size[0] * size[1] > MOST_WEIGHTS:
            raise UnsupportedNetwork(
                f"save_nir: {link.where}: weight: expected at most {MOST_WEIGHTS:,} pairs of "
                f"units, as NIR has no sparse matrices, got {size[0] * size[1]:,}"
            )
        if isinstance(link, Dense):
            pre, post = np.divmod(np.arange(link.weight.size), size[1])
        else:
            pre, post = link.pre, link.post
        weight, delay = link.weight.reshape(-1), np.ravel(link.delay)
        if delay.size <= 1:
            delay = np.full(weight.size, link.delay)
        listed = np.unique(delay) if weight.size else np.zeros(1)
        if len(listed) == 1:
            return [(self._matrix(link, size, pre, post, weight), float(listed[0]))]
        # One delay for each target: one Delay node behind the matrix says it.
        first = np.zeros(size[1])
        first[post] = delay
        if (first[post] == delay).all():
            return [(self._matrix(link, size, pre, post, weight), first)]
        if len(listed) > MOST_DELAYS:
            raise UnsupportedNetwork(
                f"save_nir: {link.where}: delay: expected one for each target, or at most "
                f"{MOST_DELAYS} different ones, as a Delay node of NIR delays units and no "
                f"synapses, got {len(listed)}"
            )
        parts = []
        for value in listed:
            of = delay == value
            parts.append((self._matrix(link, size, pre[of], post[of], weight[of]), float(value)))
        return parts

    @staticmethod
    def _matrix(link: Any, size: tuple[int, int], pre: Array, post: Array, weight: Array) -> Array:
        if isinstance(link, Dense) and weight.size == size[0] * size[1]:
            return link.weight
        matrix = np.zeros(size, dtype=weight.dtype)
        np.add.at(matrix, (pre, post), weight)
        return matrix
