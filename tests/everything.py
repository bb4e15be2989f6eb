"""A network with every kind of population and projection, and a discretization of it."""

from __future__ import annotations

import numpy as np

import eventsim as es


def everything(rng: np.random.Generator) -> es.Network:
    """A network with every kind of population and projection, and every kind of value."""
    return es.Network(
        [
            es.Input("image", (1, 8, 8)),
            es.Population(
                "conv", (2, 8, 8), tau_mem=rng.uniform(1e-3, 1e-2, 128), t_ref=1e-3,
                i_bias=rng.normal(size=128), v_threshold=np.inf, fires_at_equality=False,
            ),
            es.Relay("max", (2, 4, 4)),
            es.Population("sum", (2, 4, 4), tau_mem=np.inf, reset="subtract", multi_spike=True),
            es.Population("avg", (2, 2, 2), tau_mem=0.1, v_init=np.linspace(0, 0.5, 8), r=-2.0),
            es.Population("out", 3, tau_mem=1 / 3, v_leak=-0.1, v_reset=-0.2, v_threshold=0.7),
        ],
        [
            es.Conv2d(
                "image", "conv", rng.normal(size=(2, 1, 3, 3)).astype(np.float32),
                padding=(2, 2), dilation=2, spread=1e-3,
            ),
            es.MaxPool2d("conv", "max", 2, rule="leader"),
            es.SumPool2d("conv", "sum", 2, weight=0.3, delay=1e-4),
            es.AvgPool2d("sum", "avg", 2, spread=2e-3),
            es.Dense("avg", "out", rng.normal(size=(8, 3)), delay=rng.uniform(0, 1, (8, 3))),
            es.Dense("max", "out", rng.normal(size=(32, 3)).astype(np.float32)),
            es.Sparse("out", "out", [0, 0, 2], [1, 1, 0], [0.1, 0.2, 0.3], delay=[1e-3] * 3),
            es.Sparse("image", "out", [], [], []),
        ],
    )  # fmt: skip


DISC = es.Discretization(
    "coarse", dt=1e-3, steps=4, encoder="periodic", encoder_scale=0.7,
    variants={"conv": "constant_potential"}, spread=0.0, notes=("as trained", "µ"),
)  # fmt: skip
