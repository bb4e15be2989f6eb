"""Small networks, a task for one of them, and how what is refused says so."""

from __future__ import annotations

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import EventsimError

NAN, INF = float("nan"), float("inf")


def small(**options) -> es.Network:
    return es.Network(
        [
            es.Input("image", (1, 4, 4)),
            es.Population("conv", (2, 3, 3), tau_mem=4e-3, t_ref=1e-3),
            es.Relay("pool", (2, 1, 1)),
            es.Population("out", 3, tau_mem=5e-3, i_bias=[0.0, 0.1, 0.2]),
        ],
        [
            es.Conv2d("image", "conv", np.ones((2, 1, 2, 2)), spread=1e-3),
            es.MaxPool2d("conv", "pool", 2, delay=1e-3),
            es.Dense("pool", "out", np.ones((2, 3), dtype=np.float32)),
            es.Sparse("out", "conv", [0, 1], [2, 3], 0.5, delay=[1e-3, 2e-3], spread=2e-3),
        ],
        **options,
    )


def two_layers(rng: np.random.Generator, n_in: int, hidden: int, n_out: int) -> es.Network:
    """An input, a hidden layer and an output, all-to-all with random weights."""
    return es.Network(
        [
            es.Input("in", n_in),
            es.Population("hidden", hidden, tau_mem=4e-3, t_ref=1e-3, i_bias=0.1),
            es.Population("out", n_out, tau_mem=4e-3, t_ref=1e-3),
        ],
        [
            es.Dense("in", "hidden", rng.normal(0.1, 0.5, (n_in, hidden))),
            es.Dense("hidden", "out", rng.normal(0.1, 0.6, (hidden, n_out))),
        ],
    )


def classifier(samples: int = 12):
    """A network with a hidden layer, its discretization of 5 steps, images and labels."""
    dt, rng = 1e-3, np.random.default_rng(5)
    cells = {"tau_mem": 4 * dt, "t_ref": dt}
    net = es.Network(
        [
            es.Input("image", (1, 3, 4)),
            es.Population("hidden", 14, i_bias=0.3, **cells),
            es.Population("out", 4, **cells),
        ],
        [
            es.Dense("image", "hidden", rng.normal(0.15, 0.4, (12, 14)), spread=dt),
            es.Dense("hidden", "out", rng.normal(0.1, 0.6, (14, 4)), spread=dt),
        ],
    )
    images = rng.uniform(size=(samples, 3, 4))
    return net, es.Discretization(dt=dt, steps=5), images, rng.integers(4, size=samples)


def refuses(make, words):
    kind = TypeError if TypeError in words else ValueError
    with pytest.raises(EventsimError) as caught:
        make()
    assert isinstance(caught.value, kind)
    for word in words:
        if isinstance(word, str):
            assert word in str(caught.value), str(caught.value)
    assert "expected" in str(caught.value) and "got" in str(caught.value)


def runaway() -> es.Network:
    """Three neurons that keep each other spiking for ever, and one that they do not reach."""
    return es.Network(
        [
            es.Input("in", 1),
            es.Population("quiet", 1, tau_mem=1.0),
            es.Population("loud", 3, tau_mem=1.0),
        ],
        [
            es.Dense("in", "quiet", [[1.0]]),
            es.Dense("in", "loud", [[1.0] * 3]),
            es.Dense("loud", "loud", [[1.0] * 3] * 3, delay=1e-3),
        ],
    )
