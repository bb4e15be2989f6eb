"""Neurons of a NIR graph, and what a file leaves open."""

from __future__ import annotations

import math

import nir
import numpy as np
import pytest

import eventsim as es
from eventsim.errors import InvalidValue, UnsupportedNetwork
from tests.nir_graphs import DT, chain, cuba, filled, graph_of, lif, matrix

# Neurons


def test_lif_jumps_by_r_w_area_over_tau():
    graph = chain([1], nir.Linear(np.array([[2.0]])), lif(1, tau=10e-3, r=3.0, leak=0.25))
    for options, area in (
        ({"dt": 1e-3}, 1e-3),
        ({"spike_area": 0.5}, 0.5),
        ({"dt": 1e-4, "spike_area": "dt"}, 1e-4),
    ):
        net = es.load_nir(graph, **options).network
        assert matrix(net, "input", "n1") == pytest.approx(3.0 * 2.0 * area / 10e-3, rel=1e-15)
        neurons = net["n1"]
        assert (neurons.tau_mem, neurons.v_leak, neurons.r) == (10e-3, 0.25, 3.0)
        assert (neurons.reset, neurons.t_ref, neurons.fires_at_equality) == ("value", 0.0, False)


def test_times_have_the_unit_that_was_given():
    graph = chain([1], nir.Linear(np.array([[2.0]])), lif(1, tau=10.0, r=3.0))
    in_ms = es.load_nir(graph, time_unit="ms", dt=2e-3).network
    assert in_ms["n1"].tau_mem == 10e-3
    assert matrix(in_ms, "input", "n1") == pytest.approx(3 * 2 * 2 / 10)
    steps = es.load_nir(graph, time_unit="step", dt=2e-3).network
    assert steps["n1"].tau_mem == 20e-3
    assert matrix(steps, "input", "n1") == pytest.approx(3 * 2 * 1 / 10)
    assert es.load_nir(graph, time_unit=0.5, dt=1).network["n1"].tau_mem == 5.0


def test_if_and_i_integrate_in_the_unit_of_the_file():
    node = nir.IF(filled(1, 4.0), filled(1, 1.5), filled(1, -0.5))
    net = es.load_nir(chain([1], node), dt=1e-3, time_unit="ms").network
    neurons = net["n0"]
    assert neurons.tau_mem == math.inf
    assert (neurons.v_threshold, neurons.v_reset) == (1.5, -0.5)
    assert neurons.r == 4.0 / 1e-3
    assert matrix(net, "input", "n0") == 4.0
    silent = es.load_nir(chain([1], nir.I(filled(1, 2.0))), spike_area=1.0).network["n0"]
    assert (silent.tau_mem, silent.v_threshold, silent.r) == (math.inf, math.inf, 2.0)


def test_cuba_arrivals_reach_a_receptor():
    node = cuba(1, syn=4e-3, mem=10e-3, r=5.0, w_in=2.0)
    net = es.load_nir(chain([1], nir.Linear(np.array([[3.0]])), node), dt=1e-3).network
    assert net.projections[0].receptor == 0
    assert matrix(net, "input", "n1") == pytest.approx(2.0 * 3.0 * 1e-3 / 4e-3)
    assert (net["n1"].r, net["n1"].tau_mem, net["n1"].tau_syn) == (5.0, 10e-3, [4e-3])


@pytest.mark.parametrize(
    "node",
    [
        nir.LI(filled(2, 1e-2), filled(2, 1.0), filled(2, 0.5)),
        nir.CubaLI(filled(2, 5e-3), filled(2, 1e-2), filled(2, 1.0), filled(2, 0.5)),
    ],
)
def test_readouts_do_not_spike(node):
    net = es.load_nir(chain([2], node), dt=1e-3).network
    assert net["n0"].v_threshold == math.inf
    assert net["n0"].v_leak == 0.5


def test_parameters_differ_between_neurons_and_one_number_counts_for_all():
    node = lif(3)
    node.tau = np.array([1e-2, 2e-2, 4e-2])
    node.r = filled((), 10.0)
    net = es.load_nir(chain([3], node), dt=1e-3).network
    assert net["n0"].tau_mem.tolist() == [1e-2, 2e-2, 4e-2]
    assert np.diag(matrix(net, "input", "n0")) == pytest.approx([1.0, 0.5, 0.25])
    channels = lif((2, 1, 1))
    channels.tau = np.array([1e-2, 2e-2]).reshape(2, 1, 1)
    wide = es.load_nir(chain([2, 3, 2], channels), dt=1e-3).network["n0"]
    assert wide.shape == (2, 3, 2)
    assert wide.tau_mem.tolist() == [1e-2] * 6 + [2e-2] * 6


def test_a_bias_is_a_constant_current():
    affine = nir.Affine(np.eye(2), np.array([0.3, 0.4]))
    plain = es.load_nir(chain([2], affine, lif()), dt=DT).network["n1"]
    assert plain.i_bias.tolist() == [0.3, 0.4]
    settled = es.load_nir(chain([2], affine, cuba(w_in=2.0)), dt=DT)
    assert settled.network["n1"].i_bias.tolist() == [0.6, 0.8]
    assert any("settled" in why for _, _, why in settled.assumptions)
    plain = es.load_nir(chain([2], affine, cuba()), dt=DT)
    assert any("spike_area=tau_syn" in why for _, _, why in plain.assumptions)
    twice = chain([2], affine, nir.Linear(np.array([[1.0, 10.0]])), nir.Scale(filled(1, 2.0)))
    twice.nodes["n3"] = lif(1)
    twice.edges[-1:] = [("n2", "n3"), ("n3", "output")]
    assert es.load_nir(twice, dt=DT).network["n3"].i_bias == pytest.approx(2 * (0.3 + 4.0))


def test_options_about_rules_reach_every_population():
    graph = chain([2], lif(), nir.Linear(np.eye(2)), lif())
    options = {"reset": "subtract", "multi_spike": True, "t_ref": 2e-3, "fires_at_equality": True}
    net = es.load_nir(graph, dt=DT, **options).network
    for name in ("n0", "n2"):
        assert {key: getattr(net[name], key) for key in options} == options


def test_euler_time_constants_become_exact_ones():
    """An exporter's tau = dt / (1 - decay); the membrane then decays by that factor in a step."""
    decay = 0.9
    graph = chain([1], lif(1, tau=DT / (1 - decay), r=1 / (1 - decay)))
    net = es.load_nir(graph, dt=DT, decay="euler").network
    assert math.exp(-DT / net["n0"].tau_mem) == pytest.approx(decay, rel=1e-14)
    assert matrix(net, "input", "n0") == 1.0
    with pytest.raises(UnsupportedNetwork, match=r"'n0' \(LIF\): tau: expected more than a step"):
        es.load_nir(chain([1], lif(1, tau=DT)), dt=DT, decay="euler")
    with pytest.raises(InvalidValue, match="dt"):
        es.load_nir(graph, spike_area=1.0, decay="euler")


def test_threshold_nodes_sum_within_an_instant_and_forget():
    graph = chain([3], nir.Linear(np.array([[0.6, 0.5, 1.0]])), nir.Threshold(filled(1, 1.0)))
    loaded = es.load_nir(graph)
    assert any("very same time" in why for _, _, why in loaded.assumptions)
    times, senders = [1e-3, 1e-3, 2e-3, 2.0000001e-3, 3e-3, 4e-3], [0, 1, 0, 1, 2, 0]
    for engine in ("queue", "auto"):
        run = es.simulate(loaded.network, {"input": (times, senders)}, 6e-3, engine=engine)
        assert run.spikes["n1"].times.tolist() == [1e-3]
    biased = chain([1], nir.Affine(np.eye(1), np.array([0.25])), nir.Threshold(filled(1, 1.0)))
    assert es.load_nir(biased).network["n1"].v_threshold == 0.75
    biased.nodes["n0"].bias[:] = 1.0
    with pytest.raises(UnsupportedNetwork, match="'n1'.*threshold: expected it above"):
        es.load_nir(biased)


def test_rounding_of_the_file_is_not_taken_for_a_gain():
    """In float32, r dt / tau of an exporter is 1 only nearly."""
    tau = np.float32(1e-4) / (1 - np.float32(0.9))
    node = lif(1, tau=tau, r=tau / np.float32(1e-4), dtype=np.float32)
    assert float(node.r[0]) * 1e-4 / float(node.tau[0]) != 1.0
    loaded = es.load_nir(chain([1], nir.Linear(np.ones((1, 1), np.float32)), node), dt=1e-4)
    assert matrix(loaded.network, "input", "n1") == 1.0
    assert loaded.network.projections[0].weight.dtype == np.float32
    assert any(name == "gain of n1" for name, _, _ in loaded.assumptions)


# What is not said


def test_the_step_is_inferred_where_cuba_nodes_agree_on_it():
    step = 1e-4
    node = cuba(2, syn=2e-3, mem=1e-2, r=1e-2 / step, w_in=2e-3 / step, dtype=np.float32)
    loaded = es.load_nir(chain([2], nir.Linear(np.eye(2)), node))
    assert ("step", "0.0001 s") in [row[:2] for row in loaded.assumptions]
    assert np.array_equal(matrix(loaded.network, "input", "n1"), np.eye(2))
    other = es.load_nir(chain([2], node), dt=1e-3)
    assert any("implies a step of 0.0001 s" in value for _, value, _ in other.assumptions)
    with pytest.raises(UnsupportedNetwork, match="spike_area"):
        es.load_nir(chain([2], cuba(2, r=1.0, w_in=1.0)))


def test_the_area_of_a_spike_is_not_guessed():
    match = r"node 'n0' \(LIF\): spike_area: expected dt=.*or spike_area=.*tau / r is 0.001"
    with pytest.raises(UnsupportedNetwork, match=match):
        es.load_nir(chain([2], lif()))
    with pytest.raises(UnsupportedNetwork, match="got neither$"):
        es.load_nir(chain([2], lif(r=1.0)))
    alone = graph_of({"a": lif(2)}, [])
    assert es.load_nir(alone).network.populations[0].n == 2


def test_cycles_get_one_step_or_a_refusal():
    nodes = {"in": nir.Input(np.array([2])), "a": lif(), "w": nir.Linear(np.ones((2, 2)))}
    nodes["out"] = nir.Output(np.array([2]))
    graph = graph_of(nodes, [("in", "a"), ("a", "w"), ("w", "a"), ("a", "out")])
    loaded = es.load_nir(graph, dt=DT)
    assert [link.delay for link in loaded.network.projections] == [0.0, DT]
    assert ("delay of a -> a", "0.001 s") in [row[:2] for row in loaded.assumptions]
    given = es.load_nir(graph, dt=DT, recurrent_delay=5e-4).network
    assert [link.delay for link in given.projections] == [0.0, 5e-4]
    with pytest.raises(UnsupportedNetwork, match="node 'a': recurrent_delay: expected rec"):
        es.load_nir(graph, spike_area=1e-3)
    nodes["d"] = nir.Delay(filled(2, 3e-3))
    late = graph_of(nodes, [("in", "a"), ("a", "w"), ("w", "d"), ("d", "a"), ("a", "out")])
    assert [p.delay for p in es.load_nir(late, spike_area=1e-3).network.projections] == [0, 3e-3]


def test_of_a_longer_cycle_only_the_way_back_is_delayed():
    nodes = {"in": nir.Input(np.array([2])), "a": lif(), "b": lif(), "c": lif()}
    edges = [("in", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("in", "c")]
    net = es.load_nir(graph_of(nodes, edges), dt=DT).network
    delays = {(link.source, link.target): link.delay for link in net.projections}
    assert delays == {
        ("in", "a"): 0, ("a", "b"): 0, ("b", "c"): DT, ("c", "a"): DT, ("in", "c"): 0,
    }  # fmt: skip
