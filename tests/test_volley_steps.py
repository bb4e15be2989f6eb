"""Steps of currents in all-to-all layers of deltas whose rests stay below threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eventsim as es
from eventsim.engine import dense_layer
from tests.test_volleys import T_STOP, plain_nets, spikes


@pytest.fixture
def short_way(monkeypatch):
    """Layers may only be run by the kernel of volleys."""

    def refuse(*_: Any) -> None:
        raise AssertionError("a layer took the long way")

    monkeypatch.setattr(dense_layer, "run_dense", refuse)


@st.composite
def stepped(draw: Any) -> tuple[es.Network, list[es.SpikeTrain], list[dict[str, Any]]]:
    """Steps before, at and after arrivals and ends of refractory periods."""
    net, trains = draw(plain_nets(drive=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="steps"))
    currents = []
    for train in trains:
        steps: dict[str, Any] = {}
        early = train.times[train.times < T_STOP]
        for p in (net["a"], net["b"]):
            special = np.concatenate([[0.0], early, early + p.array("t_ref")[0]])
            size = int(rng.choice([0, 1, 3 * p.n]))
            times = np.where(
                rng.random(size) < 0.5, rng.uniform(0.0, T_STOP, size), rng.choice(special, size)
            )
            where = {(t, int(k)) for t, k in zip(times, rng.integers(p.n, size=size), strict=True)}
            # With a bias of 0.1 a neuron rests below 0.3, the least threshold.
            steps[p.name] = [(t, k, rng.uniform(-0.5, 0.19)) for t, k in where]
        currents.append(steps)
    return net, trains, currents


@settings(max_examples=40)
@given(stepped())
def test_steps_below_threshold_agree_with_the_queue(problem):
    net, trains, currents = problem
    layered = es.simulate(net, {"in": trains}, T_STOP, currents=currents, engine="layered")
    queue = es.simulate(net, {"in": trains}, T_STOP, currents=currents, engine="queue")
    for k, (train, got, wanted) in enumerate(zip(trains, layered, queue, strict=True)):
        assert spikes(got) == spikes(wanted)
        alone = es.simulate(net, {"in": train}, T_STOP, currents=currents[k], engine="layered")
        assert spikes(alone) == spikes(got)


@pytest.mark.parametrize("t_ref", [0.0, 1.0])
@pytest.mark.parametrize("times", [[0.0], [1.0], [1.5], [2.0], [2.5], [3.0], [1.25, 1.5, 2.5]])
@pytest.mark.parametrize("v_reset", [-0.5, 0.0, 0.3])
def test_a_step_of_a_neuron_that_is_just_refractory(t_ref, times, v_reset, short_way):
    """It spikes at 1; what it weighs tells apart at 3 and 4 what the step has done."""
    n = 1000
    net = es.Network(
        [
            es.Input("in", 2),
            es.Population("a", n, tau_mem=2.0, t_ref=t_ref, v_reset=v_reset),
        ],
        [es.Dense("in", "a", [np.full(n, 2.0), np.linspace(0.0, 1.5, n)])],
    )
    train = es.SpikeTrain([1.0, 3.0, 4.0], [0, 1, 1])
    steps = [(t, k, 0.4 - 0.3 * i) for k in range(n) for i, t in enumerate(times)]
    found = {
        engine: es.simulate(
            net, {"in": train}, 5.0, currents={"a": steps}, engine=engine, threads=1
        )
        for engine in ("layered", "queue")
    }
    without = es.simulate(net, {"in": train}, 5.0, engine="queue")
    assert spikes(found["layered"]) == spikes(found["queue"]) != spikes(without)


def test_a_rest_at_threshold_takes_the_long_way():
    """Its neurons spike between arrivals."""
    net = es.Network(
        [es.Input("in", 1), es.Population("a", 2, tau_mem=2.0, t_ref=0.1)],
        [es.Dense("in", "a", [[0.1, 0.1]])],
    )
    found = [
        es.simulate(net, {"in": ([1.0], [0])}, 5.0, currents={"a": [(0.5, 1, 1.5)]}, engine=engine)
        for engine in ("layered", "queue")
    ]
    assert found[0].counts["a"].tolist() == found[1].counts["a"].tolist()
    assert found[0].counts["a"][0] == 0 < found[0].counts["a"][1]
    assert np.allclose(found[0].spikes["a"].times, found[1].spikes["a"].times, rtol=1e-13)
