"""The benchmarks build and run, small; engines agree on them. Nothing is timed here."""

from __future__ import annotations

import math
import subprocess

import numpy as np
import pytest
import torch

import eventsim as es
from benchmarks import (
    brian_peer,
    coarse_peer,
    conv_layers,
    memory,
    nest_peer,
    neuron_peer,
    snn_peer,
    suite,
    targets,
)
from benchmarks.build import build
from benchmarks.contender import Contender
from benchmarks.engines import neurons
from benchmarks.roofline import roofline
from benchmarks.scatter import scatter
from benchmarks.timing import Measured, in_turn, ratios
from benchmarks.workloads import (
    T_REF,
    TAU,
    WORKLOADS,
    Workload,
    convolutional,
    cortical,
    feed_forward,
    random_deltas,
    random_exponentials,
)
from eventsim.engine import layered as layered_engine

DENSE = {"sizes": (20, 70, 5), "std": (0.4, 0.3), "samples": 3, "steps": 8}
TINY = {
    "W1": lambda: feed_forward("W1", **DENSE),
    "W1p": lambda: feed_forward("W1p", spread=T_REF, **DENSE),
    "W1x": lambda: feed_forward("W1x", tau_syn=TAU / 2, **{**DENSE, "std": (1.6, 1.2)}),
    "W2": lambda: random_deltas("W2", 160, 40, t_stop=0.03),
    "W3": lambda: random_exponentials("W3", 160, 40, 0.2, t_stop=0.1),
    "W4": lambda: convolutional("W4", side=8, channels=(3, 4), outputs=3, samples=2, steps=6),
    "W5": lambda: cortical("W5", 0.01, t_stop=0.02),
    "W5-full": lambda: cortical("W5-full", 0.01, t_stop=0.01),
}


class Cell(torch.nn.Module):
    """The coarse model, written from its formula."""

    def __init__(self, tau):
        super().__init__()
        self.a = math.exp(-1 / tau)
        self.b = tau * (1 - self.a)
        self.c = tau * (1 - self.b)

    def forward(self, x, init=False):
        if init:
            self.v, self.s = torch.zeros_like(x), torch.zeros_like(x)
        self.v = (1 - self.s) * (self.a * self.v + self.b * x) + self.s * self.c * x
        self.s = (self.v > 1).to(x.dtype)
        return self.s


@pytest.fixture(params=list(TINY))
def work(request):
    return TINY[request.param]()


@pytest.fixture(params=["W1", "W1p", "W1x", "W4"])
def layers(request):
    return TINY[request.param]()


def run(work, engine):
    """Results of all samples."""
    results = es.simulate(
        work.net, work.inputs(work.samples), work.t_stop, engine=engine, threads=1
    )
    return results if isinstance(results, es.Results) else [results]


def test_engines_agree(work):
    special, general = suite.names(work, peers=False)[:2]
    assert special == ("windowed" if layered_engine.why_not(work.net) else "layered")
    assert work.recurrent == (work.name not in ("W1", "W1p", "W1x", "W4"))
    assert general == "queue"
    results = run(work, special)
    watched = neurons(work.net) if work.recurrent else work.net.outputs
    assert sum(result.counts[name].sum() for result in results for name in watched) > 0
    for a, b in zip(results, run(work, general), strict=True):
        assert a.n_events == b.n_events
        for name in a.spikes:
            np.testing.assert_array_equal(a.spikes[name].senders, b.spikes[name].senders)
            np.testing.assert_allclose(a.spikes[name].times, b.spikes[name].times, atol=1e-12)


def test_an_engine_that_does_not_fit_is_left_out(monkeypatch):
    work = TINY["W3"]()
    monkeypatch.setattr(suite, "why_not", lambda work, name: None if name == "queue" else "no")
    assert suite.names(work, peers=False) == ["queue", "scatter"]


def test_roofline_handles_the_same_events(layers):
    """All synaptic events but those of pools, which have no weights."""
    work = layers
    results = es.simulate(work.net, work.inputs(2), work.t_stop)
    pooled = sum(
        result.counts[link.source].sum()
        for result in results
        for link in work.net.projections
        if isinstance(link, es.MaxPool2d)
    )
    assert roofline(work, 2).run() == results.n_events - pooled


@pytest.mark.parametrize("name", ["W2", "W3", "W5"])
def test_scattering_handles_the_same_events(name):
    """And, where delays differ or sources outside have one, some that arrive after the end."""
    work = TINY[name]()
    expected = run(work, "queue")[0].n_events
    if name != "W3":
        assert expected <= scatter(work).run() < 1.1 * expected
    else:
        assert scatter(work).run() == expected


def test_every_contender_runs(work):
    for contender in suite.contenders(work, peers=False):
        assert contender.run() > 0


def test_workloads_are_fixed(work):
    again = TINY[work.name]()
    assert again.net.fingerprint() == work.net.fingerprint()
    assert all(
        np.array_equal(a.times, b.times) for a, b in zip(again.trains, work.trains, strict=True)
    )
    assert set(TINY) == set(WORKLOADS) >= set(targets.TARGETS)


def test_small_twins_are_of_the_same_kind(work):
    """They compile what the workload runs through."""
    if work.small is None:
        assert not work.recurrent
        return
    twin = work.small()
    for a, b in zip(twin.net.populations, work.net.populations, strict=True):
        assert (type(a), a.name) == (type(b), b.name) and a.n <= b.n
    kinds = [[(type(p), p.receptor) for p in w.net.projections] for w in (twin, work)]
    assert kinds[0] == kinds[1]


def test_building_counts_synapses(work):
    again, built = build(TINY[work.name])
    assert again.net.fingerprint() == work.net.fingerprint()
    assert (built is None) == (not work.recurrent)
    if built:
        assert built.synapses == sum(work.net.synapses(link) for link in work.net.projections)
        assert built.bytes_per_synapse >= 8.0


@pytest.mark.parametrize("name", ["W1", "W4"])
def test_coarse_peer_is_the_coarse_model(name):
    """The same spikes as eventsim's own discrete model."""
    work = TINY[name]()
    counts = coarse_peer.coarse_runner(work, 2, Cell)()
    x = np.zeros((2, work.steps, work.net["input"].n), dtype=np.uint8)
    for s, train in enumerate(work.trains[:2]):
        x[s, (train.times / T_REF).astype(int), train.senders] = 1
    twin = es.Discretization(rule="coarse", dt=T_REF, steps=work.steps).run(work.net, x)
    assert T_REF * 4 == TAU
    np.testing.assert_array_equal(counts.numpy(), twin.sum(axis=1))


SIMULATORS = {"nest", "nest_grid", "brian"}
PEERS_OF = {
    "W1": {"coarse", "snn_batch", "snn_one", "neuron", *SIMULATORS},
    "W1p": {"coarse"},
    "W1x": SIMULATORS,
    "W2": SIMULATORS,
    "W3": SIMULATORS,
    "W4": {"coarse"},
}


def test_peers_are_named_only_where_installed(work, monkeypatch):
    mine = PEERS_OF.get(work.name, set())
    for peer in suite.PEERS.values():
        monkeypatch.setattr(peer, "available", lambda: False)
    without = suite.names(work, peers=False)
    assert suite.names(work, peers=True) == without
    assert set(suite.missing(work)) == {suite.PEERS[name].NEEDS for name in mine}
    for peer in suite.PEERS.values():
        monkeypatch.setattr(peer, "available", lambda: True)
    assert set(suite.names(work, peers=True)) - set(without) == mine
    assert suite.names(work, peers=False) == without and not suite.missing(work)


# The other simulators are no requirement; where one is installed it is held to the same network.


def replayed(work):
    """The same with spikes of Poisson sources handed over as given ones."""
    if not work.net.drives:
        return work
    (name,) = work.net.drives
    train = es.simulate(work.net, {}, work.t_stop, record=[name]).spikes[name]
    units = [es.Input(p.name, p.n) if p.name == name else p for p in work.net.populations]
    net = es.Network(units, work.net.projections)
    return Workload(work.name, work.title, net, [train], work.t_stop)


if snn_peer.available():

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize("samples", [1, 3])
    def test_snntorch_is_leaky_without_refractoriness(samples):
        """Spikes of the rule ``v = (1 - s) a v + b x`` for weights that are 1 / b as large."""
        work = TINY["W1"]()
        counts = coarse_peer.coarse_runner(work, samples, snn_peer.Cell)()
        b = 4.0 * (1.0 - math.exp(-1.0 / 4.0))
        links = [es.Dense(p.source, p.target, p.weight / b) for p in work.net.projections]
        x = np.zeros((samples, work.steps, work.net["input"].n), dtype=np.uint8)
        for s, train in enumerate(work.trains[:samples]):
            x[s, (train.times / T_REF).astype(int), train.senders] = 1
        net = es.Network(work.net.populations, links)
        twin = es.Discretization(rule="lif", dt=T_REF, steps=work.steps).run(net, x)
        assert twin.sum() > 0
        np.testing.assert_array_equal(counts.numpy(), twin.sum(axis=1))


if nest_peer.available():

    @pytest.mark.parametrize("name", ["W1", "W1x", "W2", "W3"])
    @pytest.mark.filterwarnings("ignore")
    def test_precise_nest_runs_the_same_network(name):
        work = replayed(TINY[name]())
        found, _ = nest_peer.run_nest(work)
        spikes = run(work, "queue")[0].spikes
        assert found and any(map(len, found.values()))
        for population, train in found.items():
            np.testing.assert_array_equal(train.senders, spikes[population].senders)
            np.testing.assert_allclose(train.times, spikes[population].times, rtol=0, atol=1e-12)

    @pytest.mark.parametrize("name", ["W1", "W1x", "W2", "W3"])
    @pytest.mark.filterwarnings("ignore")
    def test_nest_on_a_grid_runs_the_same_network(name):
        """On a fine grid: about as many spikes."""
        work = LONGER[name]()
        found, _ = nest_peer.run_nest(work, precise=False, resolution=0.02)
        about_as_many({name: len(train) for name, train in found.items()}, work)


if brian_peer.available():

    @pytest.mark.parametrize("name", ["W1", "W1x", "W2", "W3"])
    @pytest.mark.filterwarnings("ignore")
    def test_brian_runs_the_same_network(name, tmp_path):
        """On a fine grid: about as many spikes."""
        work = LONGER[name]()
        brian_peer.build_brian(work, str(tmp_path), step=2e-5)
        assert brian_peer.run_brian(str(tmp_path)) >= 0.0
        about_as_many(brian_peer.spike_counts(str(tmp_path)), work)


if neuron_peer.available():

    @pytest.mark.filterwarnings("ignore")
    def test_neuron_runs_the_same_network():
        """Spikes of the first layer, which no two spikes reach at one instant; twice the same."""
        work = LONGER["W1"]()
        layers, spikes = neuron_peer.Layers(work.net), run(work, "queue")[0].spikes
        for _ in range(2):
            assert layers.run(work.trains[0], work.t_stop) >= 0.0
            found = layers.spikes()
            assert len(found["layer1"]) > 20 and len(found["layer2"]) > 0
            for name in ("input", "layer1"):
                np.testing.assert_array_equal(found[name].senders, spikes[name].senders)
                np.testing.assert_allclose(found[name].times, spikes[name].times, atol=1e-12)


#: Enough spikes for their number to mean something.
LONGER = {
    "W1": lambda: feed_forward("W1", sizes=(50, 80, 20), std=(0.25, 0.2), samples=1, steps=100),
    "W1x": lambda: feed_forward(
        "W1x", tau_syn=TAU / 2, sizes=(50, 80, 20), std=(1.0, 0.8), samples=1, steps=100
    ),
    "W2": lambda: random_deltas("W2", 160, 40, t_stop=0.1),
    "W3": TINY["W3"],
}


def about_as_many(found, work):
    """Spikes of each population, within a twentieth."""
    spikes = run(work, "queue")[0].spikes
    assert found
    for name, count in found.items():
        assert len(spikes[name]) > 100
        assert abs(count - len(spikes[name])) < 0.05 * len(spikes[name])


def once(run):
    return run(), True


def test_rounds_go_in_turn():
    order = []
    a, b = (Contender(n, 1, lambda n=n: order.append(n)) for n in "ab")
    c = Contender("c", 1, lambda: order.append("c"), rounds=1, warm_up=lambda: order.append("warm"))
    measured = in_turn([a, b, c], 2, measure=once)
    assert order == ["a", "b", "warm", "a", "b", "c", "a", "b"]
    assert [len(row.cpu_s) for row in measured] == [2, 2, 1]


def test_a_contender_may_bring_a_clock():
    seconds = iter([1.0, 4.0, 10.0, 15.0])
    contender = Contender("a", 1, lambda: None, clock=lambda: next(seconds))
    (row,) = in_turn([contender], 2, measure=once)
    assert row.cpu_s == [3.0, 5.0]


def test_ratio_is_taken_round_by_round():
    base = Measured("base", 2, 10, [1.0, 2.0, 4.0])
    other = Measured("other", 1, None, [1.0, 3.0, 4.0])
    spread = ratios([base, other], base)["other"]
    assert (spread.min, spread.median, spread.max) == (2.0, 2.0, 3.0)
    assert base.events_per_s.max == 10.0 and other.events_per_s is None


def test_memory_is_the_last_line(monkeypatch):
    """Whatever a simulator says before; none where a contender runs elsewhere."""
    for said, expected in (("NEST 3\n250\n12.5\n", 12.5), ("NEST 3\n", None), ("", None)):
        done = subprocess.CompletedProcess([], 0, stdout=said)
        monkeypatch.setattr(memory.subprocess, "run", lambda *a, done=done, **k: done)
        assert memory.peak_mib("W3", "nest") == expected


@pytest.mark.parametrize("spread", [0.0, T_REF])
def test_a_convolution_alone_spikes_as_in_its_network(spread):
    work = convolutional("W4", spread, side=8, channels=(3, 4), outputs=3, samples=2, steps=6)
    whole = es.simulate(work.net, work.inputs(2), work.t_stop)
    found = list(conv_layers.layers(work))
    assert [layer.name for layer in found] == ["conv1", "conv2"]
    for layer in found:
        alone = es.simulate(layer.net, layer.inputs(2), layer.t_stop)
        for a, b in zip(alone, whole, strict=True):
            assert len(a.spikes[layer.name])
            assert np.array_equal(a.spikes[layer.name].times, b.spikes[layer.name].times)
            assert np.array_equal(a.spikes[layer.name].senders, b.spikes[layer.name].senders)
    kept = conv_layers.measure(found[0], 2)
    assert kept["spikes"] == sum(len(result.spikes["conv1"]) for result in whole)
    assert all(len(rounds) == 2 and min(rounds) > 0.0 for rounds in kept["cpu_s"].values())
    assert conv_layers.table({"conv1": kept}).splitlines()[2].startswith("| conv1 | ")
