"""The naive simulator against small networks worked out by hand."""

from __future__ import annotations

import math

import pytest

import eventsim as es
from tests import naive

INF = math.inf


def chain(delay=0.0, **options):
    """in -> a -> b, and in -> c, b -> c with weight -1."""
    cells = [es.Population(name, 1, tau_mem=10.0, t_ref=1.0, **options) for name in "cab"]
    return es.Network(
        [es.Input("in", 1), *cells],
        [
            es.Dense("in", "c", [[1.5]]),
            es.Dense("in", "a", [[1.0]]),
            es.Dense("a", "b", [[1.0]], delay=delay),
            es.Dense("b", "c", [[-1.0]]),
        ],
    )


def test_zero_delay_chain_is_one_instant_in_topological_order():
    # c gets 1.5 from the input and -1 from b in the same instant: 0.5, no spike.
    result = naive.simulate(chain(), {"in": ([1.0], [0])}, 10.0)
    assert (result.times("a"), result.times("b"), result.times("c")) == ([1.0], [1.0], [])
    assert result.n_events == 4


def test_delay_is_a_float_sum():
    # b fires at 0.1 + 0.2; c fired at 0.1 and is refractory then.
    result = naive.simulate(chain(delay=0.2), {"in": ([0.1], [0])}, 10.0)
    assert result.times("b") == [0.1 + 0.2]
    assert result.times("c") == [0.1]


def test_delay_per_synapse():
    # One input, three synapses: 0.5 at 1, 0.25 at 2, 0.25 at 3: threshold at 3.
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 1, tau_mem=INF)],
        [es.Sparse("in", "out", [0] * 3, [0] * 3, [0.25, 0.5, 0.25], delay=[3.0, 1.0, 2.0])],
    )
    result = naive.simulate(net, {"in": ([0.0], [0])}, 10.0)
    assert result.times() == [3.0]
    assert result.v_at("out", 0, [0.0, 1.0, 2.0]) == [0.0, 0.5, 0.75]


def test_recurrence_with_delay():
    # A ring of one neuron: it fires every second once started.
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 1, tau_mem=10.0)],
        [es.Dense("in", "out", [[1.0]]), es.Dense("out", "out", [[1.0]], delay=1.0)],
    )
    assert naive.simulate(net, {"in": ([0.5], [0])}, 4.0).times() == [0.5, 1.5, 2.5, 3.5]


def test_several_projections_between_two_populations():
    # A delta of 0.5 and a pulse of 0.5 over 2 s from the same spike at 1: threshold at 3.
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 1, tau_mem=INF)],
        [es.Dense("in", "out", [[0.5]]), es.Dense("in", "out", [[0.5]], spread=2.0)],
    )
    assert naive.simulate(net, {"in": ([1.0], [0])}, 10.0).times() == [3.0]


def test_multi_spikes_are_delivered_each():
    # a fires 3 times at 1; b gets 3 * 0.4 in one sum: one spike (reset by value).
    net = es.Network(
        [
            es.Input("in", 1),
            es.Population("a", 1, tau_mem=INF, reset="subtract", multi_spike=True),
            es.Population("b", 1, tau_mem=INF),
        ],
        [es.Dense("in", "a", [[3.5]]), es.Dense("a", "b", [[0.4]])],
    )
    result = naive.simulate(net, {"in": ([1.0], [0])}, 10.0)
    assert (result.times("a"), result.times("b")) == ([1.0] * 3, [1.0])
    assert result.n_events == 4


def pooled(rule, spikes, window=None, n=4, t_stop=100.0):
    net = es.Network(
        [es.Input("in", (1, 1, n)), es.Relay("pool", (1, 1, n // 2))],
        [es.MaxPool2d("in", "pool", (1, 2), rule=rule, window=window)],
    )
    inputs = {"in": ([t for t, _ in spikes], [i for _, i in spikes])}
    return naive.simulate(net, inputs, t_stop).spikes["pool"]


def test_first_spike_pool():
    # Window 0 passes at 1 and is closed in [1, 2); the other window is independent.
    spikes = [(1.0, 0), (1.5, 1), (1.5, 2), (2.0, 1), (2.5, 0), (3.0, 0)]
    expected = [(1.0, 0), (1.5, 1), (2.0, 0), (3.0, 0)]
    assert pooled("first_spike", spikes, window=1.0) == expected


def test_spikes_of_one_instant_pass_as_one():
    spikes = [(1.0, 0), (1.0, 1), (1.0, 2)]
    for rule in es.MaxPool2d.RULES:
        assert pooled(rule, spikes, window=1.0) == [(1.0, 0), (1.0, 1)]


def test_every_spike_pool():
    spikes = [(1.0, 0), (1.25, 1), (1.25, 0), (2.0, 1)]
    assert pooled("every_spike", sorted(spikes)) == [(1.0, 0), (1.25, 0), (2.0, 0)]


def test_leader_pool():
    # Counts of (0, 1): 1: (1,0) passes; 2: (1,1) passes; 3: (2,1) passes; 4: (2,2) passes;
    # 5: (3,2) by 0 passes; 6: (4,2) passes; 7: (4,3) by 1 does not; 8: both, (5,4): 0 leads.
    spikes = [
        (1.0, 0),
        (2.0, 1),
        (3.0, 0),
        (4.0, 1),
        (5.0, 0),
        (6.0, 0),
        (7.0, 1),
        (8.0, 0),
        (8.0, 1),
    ]
    assert [t for t, _ in pooled("leader", spikes)] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]


def test_first_spike_pool_takes_the_largest_refractory_period_of_its_sources():
    # t_ref = (0.5, 1): closed for 1 s after the spike at 1. Source 0 at 1.5 is not passed.
    net = es.Network(
        [
            es.Input("in", 2),
            es.Population("a", (1, 1, 2), tau_mem=1.0, t_ref=[0.5, 1.0]),
            es.Relay("pool", (1, 1, 1)),
        ],
        [es.Sparse("in", "a", [0, 1], [0, 1], 1.0), es.MaxPool2d("a", "pool", (1, 2))],
    )
    result = naive.simulate(net, {"in": ([1.0, 1.5, 2.0], [0, 0, 1])}, 3.0)
    assert result.spikes["pool"] == [(1.0, 0), (2.0, 0)]


def test_runaway():
    net = es.Network(
        [es.Population("a", 2, tau_mem=1.0, v_init=1.0)],
        [es.Dense("a", "a", [[1.0, 1.0], [1.0, 1.0]], delay=1e-3)],
    )
    with pytest.raises(naive.Runaway):
        naive.simulate(net, {}, 100.0, max_events=100)
