"""Exponential numbers from random bits, some billions a minute: the ziggurat.

The area under ``exp(-x)`` is covered by 256 layers of the same area, each as wide as the curve at
its lower edge; the last has the tail. A layer and a place in it are drawn. Nearly always the place
lies under the curve whatever its height, and one comparison tells; else the height is drawn too.
No logarithm is taken. G. Marsaglia, W. W. Tsang, The ziggurat method for generating random
variables, J. Stat. Softw. 5(8), 2000.

Bits are mixed as in SplitMix64: G. L. Steele, D. Lea, C. H. Flood, Fast splittable pseudorandom
number generators, OOPSLA 2014.
"""

from __future__ import annotations

from math import exp, log

import numpy as np
from numpy.typing import NDArray

from eventsim.jit import inner

__all__ = ["STEP", "exponential", "mix"]

#: From one state of a stream to the next.
STEP = np.uint64(0x9E3779B97F4A7C15)

_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_LAYERS = 256
#: Where the tail begins: then 256 layers of one area fill the curve.
_TAIL = 7.69711747013104972


def _layers() -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Of each layer: its width for a place of 2^53, places under the curve, heights of its edges.

    Widths ``x`` descend; the tail's layer is as wide as its area over the height where it begins.
    """
    area = (_TAIL + 1.0) * exp(-_TAIL)
    edges = [area * exp(_TAIL), _TAIL]
    while len(edges) < _LAYERS:
        edges.append(-log(exp(-edges[-1]) + area / edges[-1]))
    x = np.array([*edges, 0.0])
    return x[:-1] * 2.0**-53, (x[1:] / x[:-1] * 2.0**53).astype(np.int64), np.exp(-x)


_WIDTH, _INSIDE, _HEIGHT = _layers()


@inner
def mix(z):
    """The mixing function of SplitMix64: every bit of ``z`` reaches every bit of the result."""
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


@inner
def _near_the_curve(bits, layer, x):
    """What becomes of a place that is not under the curve whatever its height; fresh bits."""
    begin = 0.0
    while True:
        if layer == 0:  # beyond the tail's begin the curve is the same curve, lower
            begin += _TAIL
        else:
            low, high = _HEIGHT[layer], _HEIGHT[layer + 1]
            share = np.float64(np.int64(mix(bits ^ STEP) >> np.uint64(11))) * 2.0**-53
            if low + share * (high - low) < exp(-x):
                return begin + x
        bits = mix(bits + STEP)
        layer = np.int64(bits & np.uint64(255))
        place = np.int64(bits >> np.uint64(11))
        x = np.float64(place) * _WIDTH[layer]
        if place < _INSIDE[layer]:
            return begin + x


@inner
def exponential(bits):
    """An exponential number of mean 1 from 64 random bits."""
    layer = bits & np.uint64(255)
    place = np.int64(bits >> np.uint64(11))
    x = np.float64(place) * _WIDTH[layer]
    if place >= _INSIDE[layer]:
        x = _near_the_curve(bits, np.int64(layer), x)
    return x
