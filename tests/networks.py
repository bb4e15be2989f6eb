"""A small network, and how what is refused says so."""

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


def refuses(make, words):
    kind = TypeError if TypeError in words else ValueError
    with pytest.raises(EventsimError) as caught:
        make()
    assert isinstance(caught.value, kind)
    for word in words:
        if isinstance(word, str):
            assert word in str(caught.value), str(caught.value)
    assert "expected" in str(caught.value) and "got" in str(caught.value)
