"""Short descriptions of architectures, and networks from them."""

from __future__ import annotations

import numpy as np

from eventsim.load.architecture import read_architecture
from eventsim.load.assemble import assemble


def described(layers, shape=(4,), **top):
    return {
        "dt": 1e-3, "steps": 4, "tau": 4.0, "input": {"name": "in", "shape": list(shape)},
        "layer": layers, **top,
    }  # fmt: skip


def make(layers, tensors, shape=(4,), **top):
    arrays = {name: np.asarray(value) for name, value in tensors.items()}
    return assemble(read_architecture(described(layers, shape, **top)), arrays, "net.pt")


def linear(**keys):
    return {"name": "out", "kind": "linear", "weight": "w", **keys}


POOL = {"name": "pool", "kind": "avgpool2d", "kernel_size": 2}
GOOD = described([linear()])
