"""A network, a run of it, and a batch of runs."""

from __future__ import annotations

import pytest

from eventsim.recording import Results
from tests.results.made import network, result, trace


@pytest.fixture
def net(rng):
    return network(rng)


@pytest.fixture
def run(rng, net):
    return result(rng, net)


@pytest.fixture
def batch(rng, net):
    shared = {"provenance": {"seed": 1}}
    return Results(
        [
            result(rng, net, 50, complete=True, stop_reason="reached t_stop", **shared),
            result(rng, net, 0, v={}, **shared),
            result(rng, net, 7, v={"out": trace(rng, [2, 0], 3)}, **shared),
        ],
        wall_s=0.7,
    )
