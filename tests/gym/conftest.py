"""A policy with random weights."""

from __future__ import annotations

import numpy as np
import pytest

import eventsim as es
from eventsim.gym import PopulationCode, SpikingPolicy, Votes
from tests.networks import two_layers


@pytest.fixture
def policy():
    """Random weights: what it does is of no use, but depends on everything."""
    rng = np.random.default_rng(9)
    net = two_layers(rng, 12, 10, 6)
    weight = rng.normal(0.0, 0.6, (10, 3))
    # What speaks for one action speaks against the other, so that both are taken.
    last = es.Dense("hidden", "out", 0.25 + np.hstack([weight, -weight]))
    return SpikingPolicy(
        es.Network(net.populations, [net.projections[0], last]),
        es.Discretization(dt=1e-3, steps=4),
        PopulationCode([-1, -1], [1, 1], 6, names=["point", "target"]),
        Votes(2, 3),
        seed=5,
    )
