"""What recorded outputs and tests of modules draw alike: exact weights, and layers in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def dyadic(
    rng: np.random.Generator, shape: Any, low: int, high: int, dtype: Any = np.float32
) -> Any:
    """Multiples of 1/256, whose sums are exact in any order."""
    return (rng.integers(low, high, shape) / 256.0).astype(dtype)


#: From a generator, the class of neurons, the numbers of units before them and of neurons, and
#: the spikes of those units: the layer of a case, with what came out of it.
Draw = Callable[[np.random.Generator, str, int, int, Any], dict[str, Any]]


def layers_in_turn(
    rng: np.random.Generator, kinds: Sequence[str], draw: Draw, *, fewest: int = 4, steps: int = 60
) -> dict[str, Any]:
    """The case of layers of ``fewest`` to 8 neurons that feed each other; its input is 0 and 1."""
    sizes = [6, *[int(n) for n in rng.integers(fewest, 9, len(kinds))]]
    x = rng.integers(0, 2, (2, steps, 6)).astype(np.float32)
    layers, signal = [], x
    for n_in, n, kind in zip(sizes, sizes[1:], kinds, strict=False):
        layers.append(draw(rng, kind, n_in, n, signal))
        signal = layers[-1]["spikes"].astype(np.float32)
    return {"name": " to ".join(kinds), "dtype": "float32", "x": x, "layers": layers}


def charge(layer: dict[str, Any], signal: Any) -> Any:
    """What spikes bring to the neurons of a layer."""
    return signal @ layer["weight"].T + layer["bias"]
