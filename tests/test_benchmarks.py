"""The benchmarks build and run, small; engines agree on them. Nothing is timed here."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

import eventsim as es
from benchmarks import __main__ as command
from benchmarks import coarse_peer, report, suite
from benchmarks.contender import Contender
from benchmarks.roofline import roofline
from benchmarks.timing import Measured, in_turn, ratios
from benchmarks.workloads import T_REF, TAU, WORKLOADS, convolutional, feed_forward

DENSE = {"sizes": (20, 70, 5), "std": (0.4, 0.3), "samples": 3, "steps": 8}
TINY = {
    "W1": lambda: feed_forward("W1", **DENSE),
    "W1p": lambda: feed_forward("W1p", spread=T_REF, **DENSE),
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


def test_engines_agree(work):
    inputs = work.inputs(len(work.trains))
    layered, queue = (
        es.simulate(work.net, inputs, work.t_stop, engine=engine, threads=1)
        for engine in ("layered", "queue")
    )
    last = work.net.outputs[0]
    assert layered.counts[last].sum() > 0
    for a, b in zip(layered, queue, strict=True):
        for name in a.spikes:
            np.testing.assert_array_equal(a.spikes[name].senders, b.spikes[name].senders)
            np.testing.assert_allclose(a.spikes[name].times, b.spikes[name].times, atol=1e-12)
    assert layered.n_events == queue.n_events


def test_roofline_handles_the_same_events(work):
    """All synaptic events but those of pools, which have no weights."""
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


def test_peers_are_named_only_where_installed(monkeypatch):
    monkeypatch.setattr(coarse_peer, "available", lambda: False)
    assert suite.names(peers=True) == suite.names(peers=False)
    monkeypatch.setattr(coarse_peer, "available", lambda: True)
    assert "coarse" in suite.names(peers=True) and "coarse" not in suite.names(peers=False)


def test_rounds_go_in_turn():
    order = []
    a, b = (Contender(n, 1, lambda n=n: order.append(n)) for n in "ab")
    measured = in_turn([a, b], 2)
    assert order == list("ababab")
    assert [len(row.cpu_s) for row in measured] == [2, 2]


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
    assert report.machine()["processor"]
