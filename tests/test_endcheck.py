"""The twin that is tested at the ends of steps: against a slow walk, and in closed cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

import eventsim as es
from eventsim import encode
from eventsim.discrete.endcheck import EndCheck
from eventsim.discrete.theory import coefficients
from eventsim.errors import InvalidValue, UnsupportedNetwork
from tests.naive_endcheck import naive_endcheck

DT = 1e-3


@pytest.mark.parametrize("seed", range(12))
def test_endcheck_matches_a_walk_from_instant_to_instant(seed):
    rng = np.random.default_rng(seed)
    n, steps = 7, 6
    tau = DT * rng.choice([0.5, 2.0, 4.0, np.inf], n)
    out = es.Population(
        "out", n, tau_mem=tau if seed % 2 else 4 * DT, v_leak=0.2, v_reset=0.1, v_threshold=1.1,
        t_ref=DT * rng.choice([0.0, 0.3, 1.0, 1.6], n), r=2.0, i_bias=rng.normal(0.1, 0.1, n),
        v_init=rng.uniform(0, 1, n),
    )  # fmt: skip
    links = [
        es.Dense("a", "out", rng.normal(0.2, 0.5, (9, n)), spread=rng.choice([0.4, 1.0, 2.3]) * DT),
        es.Dense("b", "out", rng.normal(0.1, 0.5, (4, n)), delay=DT),
    ]
    net = es.Network([es.Input("a", 9), es.Input("b", 4), out], links)
    trains = {}
    for name, size in (("a", 9), ("b", 4)):
        x = (rng.random((1, steps, size)) < 0.5).astype(np.uint8)
        (trains[name],) = encode.to_spike_trains(x, DT, seed=seed)
    times = (np.arange(steps)[:, None] + rng.random((steps, n))) * DT
    current = rng.normal(0.0, 0.2, n) if seed % 3 else np.zeros(n)
    found = EndCheck(net, "out", DT).run(trains, times, current if seed % 3 else None)
    assert (found == naive_endcheck(net, "out", DT, trains, times, current)).all()
    assert 0 < found.mean() < 1


def one_neuron(weight, spread=0.0, tau=4.0):
    out = es.Population("out", 1, tau_mem=tau * DT, t_ref=DT)
    return es.Network([es.Input("in", 1), out], [es.Dense("in", "out", [[weight]], spread=spread)])


@pytest.mark.parametrize("tau", [0.7, 4.0, math.inf])
def test_endcheck_has_the_coarse_coefficients_for_an_even_charge(tau):
    """A pulse as wide as the step is worth b; after a spike, on average over its time, c."""
    _, b, c = (float(value) for value in coefficients(tau))
    train = es.SpikeTrain([0.0], [0])
    for weight, fires in ((1.001 / b, 1), (0.999 / b, 0)):
        test = EndCheck(one_neuron(weight, DT, tau), "out", DT)
        assert test.run({"in": train}, np.array([[0.0]]))[0, 0] == fires

    # The share of spike times u after which a charge of the next step reaches threshold is the
    # share for which its rest, from u on, is worth 1 or more.
    kick, charge, grid = es.SpikeTrain([0.0, DT], [0, 1]), 2.2 / b, (np.arange(400) + 0.5) / 400
    out = es.Population("out", 1, tau_mem=tau * DT, t_ref=DT)
    net = es.Network(
        [es.Input("in", 2), out], [es.Dense("in", "out", [[2 / b], [charge]], spread=DT)]
    )
    fired = [
        EndCheck(net, "out", DT).run({"in": kick}, DT * np.array([[u], [1.5]]))[:, 0].tolist()
        for u in grid
    ]
    rest = 1 - grid if math.isinf(tau) else tau * -np.expm1(-(1 - grid) / tau)
    assert [second for _, second in fired] == (charge * rest > 1).astype(int).tolist()
    assert np.mean(rest) == pytest.approx(c, rel=1e-4)


@pytest.mark.parametrize(("weight", "fires"), [(1.1, 0), (1.3, 1)])
def test_a_peak_inside_the_step_is_missed(weight, fires):
    """An arrival of 1.1 has decayed below threshold when the step ends, one of 1.3 has not."""
    train = {"in": es.SpikeTrain([0.1e-3], [0])}
    test = EndCheck(one_neuron(weight), "out", DT)
    assert test.run(train, np.array([[0.5e-3]]))[0, 0] == fires


@pytest.mark.parametrize(("spike", "again"), [(0.3e-3, 1), (0.5e-3, 0)])
def test_the_refractory_period_runs_from_the_time_of_the_spike(spike, again):
    """Two arrivals of 0.6, at 1.4 and 1.6 ms: free from 1.3 ms on it takes both, else one."""
    net = es.Network(
        [es.Input("in", 2), es.Population("out", 1, tau_mem=4 * DT, t_ref=DT)],
        [es.Dense("in", "out", [[1.05], [0.6]])],
    )
    train = {"in": es.SpikeTrain([0.9e-3, 1.4e-3, 1.6e-3], [0, 1, 1])}
    found = EndCheck(net, "out", DT).run(train, np.array([[spike], [1.9e-3]]))
    assert found[:, 0].tolist() == [1, again]


@pytest.mark.parametrize("change", [{"reset": "subtract"}, {"tau_syn": DT}])
def test_endcheck_refuses_what_it_cannot_step(change):
    with pytest.raises(InvalidValue, match="EndCheck"):
        EndCheck(one_neuron(1.0).replace("out", **change), "out", DT)
    with pytest.raises(InvalidValue, match="Population"):
        EndCheck(one_neuron(1.0), "in", DT)
    link = es.Dense("in", "out", [[1.0, 1.0]], delay=[[0.0, DT]])
    net = es.Network([es.Input("in", 1), es.Population("out", 2, tau_mem=DT)], [link])
    with pytest.raises(UnsupportedNetwork, match="delay"):
        EndCheck(net, "out", DT)
