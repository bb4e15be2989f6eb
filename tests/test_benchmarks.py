"""The benchmarks build and run, small; engines agree on them. Nothing is timed here."""

from __future__ import annotations

import json
import math
import subprocess

import numpy as np
import pytest
import torch

import eventsim as es
from benchmarks import __main__ as command
from benchmarks import brian_peer, coarse_peer, memory, nest_peer, report, suite
from benchmarks.contender import Contender
from benchmarks.roofline import roofline
from benchmarks.timing import Measured, in_turn, ratios
from benchmarks.workloads import (
    T_REF,
    TAU,
    WORKLOADS,
    convolutional,
    feed_forward,
    random_deltas,
    random_exponentials,
)

DENSE = {"sizes": (20, 70, 5), "std": (0.4, 0.3), "samples": 3, "steps": 8}
TINY = {
    "W1": lambda: feed_forward("W1", **DENSE),
    "W1p": lambda: feed_forward("W1p", spread=T_REF, **DENSE),
    "W1x": lambda: feed_forward("W1x", tau_syn=TAU / 2, **{**DENSE, "std": (1.6, 1.2)}),
    "W2": lambda: random_deltas("W2", 160, 40, t_stop=0.03),
    "W3": lambda: random_exponentials("W3", 160, 40, 0.2, t_stop=0.1),
    "W4": lambda: convolutional("W4", side=8, channels=(3, 4), outputs=3, samples=2, steps=6),
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
    assert special == ("windowed" if work.name in ("W2", "W3") else "layered")
    assert general == "queue"
    results, last = run(work, special), work.net.populations[-1].name
    assert sum(result.counts[last].sum() for result in results) > 0
    for a, b in zip(results, run(work, general), strict=True):
        assert a.n_events == b.n_events
        for name in a.spikes:
            np.testing.assert_array_equal(a.spikes[name].senders, b.spikes[name].senders)
            np.testing.assert_allclose(a.spikes[name].times, b.spikes[name].times, atol=1e-12)


def test_an_engine_that_does_not_fit_is_left_out(monkeypatch):
    work = TINY["W3"]()
    monkeypatch.setattr(suite, "why_not", lambda work, name: None if name == "queue" else "no")
    assert suite.names(work, peers=False) == ["queue"]


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


def test_every_contender_runs(work):
    for contender in suite.contenders(work, peers=False):
        assert contender.run() > 0


def test_workloads_are_fixed(work):
    again = TINY[work.name]()
    assert again.net.fingerprint() == work.net.fingerprint()
    assert all(
        np.array_equal(a.times, b.times) for a, b in zip(again.trains, work.trains, strict=True)
    )
    assert set(TINY) == set(WORKLOADS)


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


PEERS = {"coarse": coarse_peer, "nest": nest_peer, "brian": brian_peer}


def test_peers_are_named_only_where_installed(work, monkeypatch):
    mine = {"W2": {"nest", "brian"}, "W3": {"nest", "brian"}, "W1x": set()}.get(
        work.name, {"coarse"}
    )
    for peer in PEERS.values():
        monkeypatch.setattr(peer, "available", lambda: False)
    without = suite.names(work, peers=False)
    assert suite.names(work, peers=True) == without
    assert set(suite.missing(work)) == {PEERS[name].NEEDS for name in mine}
    for peer in PEERS.values():
        monkeypatch.setattr(peer, "available", lambda: True)
    assert set(suite.names(work, peers=True)) - set(without) == mine
    assert suite.names(work, peers=False) == without and not suite.missing(work)


# The other simulators are no requirement; where one is installed it is held to the same network.

if nest_peer.available():

    @pytest.mark.parametrize("name", ["W2", "W3"])
    @pytest.mark.filterwarnings("ignore")
    def test_nest_runs_the_same_network(name):
        work = TINY[name]()
        spikes = run(work, "queue")[0].spikes["cells"]
        times, senders, _ = nest_peer.run_nest(work)
        np.testing.assert_array_equal(senders, spikes.senders)
        np.testing.assert_allclose(times, spikes.times, rtol=0, atol=1e-12)


if brian_peer.available():

    @pytest.mark.parametrize("name", ["W2", "W3"])
    @pytest.mark.filterwarnings("ignore")
    def test_brian_runs_the_same_network(name, tmp_path):
        """On a fine grid: about as many spikes."""
        work = TINY[name]()
        brian_peer.build_brian(work, str(tmp_path), step=2e-5)
        assert brian_peer.run_brian(str(tmp_path)) >= 0.0
        expected = len(run(work, "queue")[0].spikes["cells"])
        assert abs(brian_peer.spike_count(str(tmp_path)) - expected) < 0.05 * expected


def test_rounds_go_in_turn():
    order = []
    a, b = (Contender(n, 1, lambda n=n: order.append(n)) for n in "ab")
    measured = in_turn([a, b], 2)
    assert order == list("ababab")
    assert [len(row.cpu_s) for row in measured] == [2, 2]


def test_a_contender_may_bring_a_clock():
    seconds = iter([1.0, 4.0, 10.0, 15.0])
    (row,) = in_turn([Contender("a", 1, lambda: None, clock=lambda: next(seconds))], 2)
    assert row.cpu_s == [3.0, 5.0]


def test_ratio_is_taken_round_by_round():
    base = Measured("base", 2, 10, [1.0, 2.0, 4.0])
    other = Measured("other", 1, None, [1.0, 3.0, 4.0])
    spread = ratios([base, other], base)["other"]
    assert (spread.min, spread.median, spread.max) == (2.0, 2.0, 3.0)
    assert base.events_per_s.max == 10.0 and other.events_per_s is None


def test_table_and_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "WORKLOADS", TINY)
    monkeypatch.setattr(command.memory, "peak_mib", lambda *names: 12.0)
    path = tmp_path / "speed.json"
    command.main(["--workload", "W1", "--repeat", "2", "--json", str(path)])
    assert "| layered | 3 |" in capsys.readouterr().out
    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = kept["workloads"]["W1"]["contenders"]
    assert [len(row["cpu_s"]) for row in rows] == [2, 2, 2]
    assert kept["versions"]["numba"] and kept["machine"]["cores"]
    with pytest.raises(SystemExit):
        command.main(["--json", str(path)])
    assert "--overwrite" in capsys.readouterr().err
    assert set(kept["workloads"]["W1"]["time_over"]["layered"]) == {"queue", "axpy roofline"}
    assert report.machine()["processor"]


def test_memory_is_the_last_line(monkeypatch):
    """Whatever a simulator says before; none where a contender runs elsewhere."""
    for said, expected in (("NEST 3\n250\n12.5\n", 12.5), ("NEST 3\n", None), ("", None)):
        done = subprocess.CompletedProcess([], 0, stdout=said)
        monkeypatch.setattr(memory.subprocess, "run", lambda *a, done=done, **k: done)
        assert memory.peak_mib("W3", "nest") == expected
