"""Spikes of many neurons in the order that a comparison needs: by counting, not by comparing.

A comparison puts the spikes of each layer in order some dozens of times. What numpy offers for any
numbers and any shape takes several times as long there as computing with the spikes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fired", "neuron_order", "neuron_starts"]

Index = NDArray[np.int64]

#: Stable sorts of numbers of so many bits are counting sorts in numpy.
BITS = 16


def neuron_order(neuron: Index, n: int) -> Index:
    """Where the spikes of neuron 0 are, those of neuron 1, ...; those of one stay in their order.

    >>> neuron_order(np.array([2, 0, 2, 1]), 3)
    array([1, 3, 0, 2])
    """
    order = np.argsort(neuron.astype(np.uint16), kind="stable")  # the lowest bits
    for shift in range(BITS, max(n - 1, 0).bit_length(), BITS):
        digit = (neuron >> shift).astype(np.uint16)
        order = order[np.argsort(digit[order], kind="stable")]
    return order


def neuron_starts(neuron: Index, n: int) -> Index:
    """In this order the spikes of neuron i begin at entry i and end before entry i + 1.

    >>> neuron_starts(np.array([2, 0, 2, 1]), 3)
    array([0, 1, 2, 4])
    """
    return np.concatenate([[0], np.cumsum(np.bincount(neuron, minlength=n))])


def fired(spikes: NDArray[Any]) -> tuple[Index, Index, Index]:
    """As ``numpy.nonzero`` of three axes: where spikes are, in order of the axes.

    >>> fired(np.array([[[0, 1], [1, 1]]]))
    (array([0, 0, 0]), array([0, 1, 1]), array([1, 0, 1]))
    """
    _, rows, columns = spikes.shape
    place = np.flatnonzero(np.ascontiguousarray(spikes != 0))
    row = place // max(columns, 1)
    first = row // max(rows, 1)
    return first, row - first * rows, place - row * columns
