"""Reports of small networks, with all that a page can show."""

from __future__ import annotations

from typing import Any

import numpy as np

import eventsim as es

DT = 1e-3


def problem(hidden: str = "hidden") -> tuple[Any, ...]:
    """A network, its discretization, images and labels."""
    rng = np.random.default_rng(8)
    net = es.Network(
        [
            es.Input("image", (2, 4)),
            es.Population(hidden, 9, tau_mem=4 * DT, t_ref=DT),
            es.Population("out", 3, tau_mem=4 * DT, t_ref=DT),
        ],
        [
            es.Dense("image", hidden, rng.normal(0.3, 0.4, (8, 9)), spread=DT),
            es.Dense(hidden, "out", rng.normal(0.2, 0.6, (9, 3)), spread=DT),
        ],
    )
    disc = es.Discretization(dt=DT, steps=4, notes=("<em>a note</em>",))
    return net, disc, rng.uniform(size=(20, 2, 4)), rng.integers(3, size=20)


def analog_problem() -> tuple[Any, ...]:
    """The same with max pooling, and a first layer that takes the image as a current."""
    rng = np.random.default_rng(5)
    net = es.Network(
        [
            es.Population("image", (1, 6, 6), tau_mem=4 * DT, t_ref=DT, r=8.0),
            es.Population("conv", (2, 4, 4), tau_mem=4 * DT, t_ref=DT),
            es.Relay("pool", (2, 2, 2)),
            es.Population("out", 3, tau_mem=4 * DT, t_ref=DT),
        ],
        [
            es.Conv2d("image", "conv", rng.normal(0.2, 0.4, (2, 1, 3, 3)), spread=DT),
            es.MaxPool2d("conv", "pool", 2),
            es.Dense("pool", "out", rng.normal(0.5, 1.0, (8, 3)), spread=DT),
        ],
    )
    disc = es.Discretization(
        dt=DT, steps=6, encoder="constant", variants={"image": "constant_potential"}
    )
    return net, disc, rng.uniform(size=(12, 6, 6)), rng.integers(3, size=12)


def comparison(hidden: str = "hidden", **options: Any) -> Any:
    """The report of the first network."""
    return es.validate(*problem(hidden), spreads=[0.0], **options)


def everything(arguments: tuple[Any, ...]) -> Any:
    """A report with the ladder, clock-driven runs and two close-ups."""
    report = es.validate(
        *arguments, spreads=[0.0], ladder=True, time_steps=[0.5, 0.1, 0.02], closeups=2
    )
    assert len(report.closeups) == 2
    return report
