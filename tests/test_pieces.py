"""Where runs of the engines that go piece by piece stop, and what they say then."""

from __future__ import annotations

import signal
import threading
import time
from math import inf

import pytest

import eventsim as es
from eventsim.engine import jumps, scan_ahead
from eventsim.engine.jumps import JumpRun
from eventsim.engine.poisson import Drives
from eventsim.engine.scan import ScanRun
from eventsim.engine.windowed import WindowedRun
from eventsim.errors import IncompleteRunWarning
from tests.networks import runaway

MS = 1e-3


def test_budget_stops_a_runaway_and_says_who():
    options = {"engine": "windowed"}
    with pytest.warns(IncompleteRunWarning, match="loud"):
        short = es.simulate(runaway(), {"in": ([0.5], [0])}, 1000.0, max_events=5000, **options)
    with pytest.warns(IncompleteRunWarning, match="loud"):
        long = es.simulate(runaway(), {"in": ([0.5], [0])}, 1000.0, max_events=50_000, **options)
    for result, budget in ((short, "5,000"), (long, "50,000")):
        assert not result.complete and result.engine == "windowed"
        assert f"max_events = {budget} used up; population 'loud'" in result.stop_reason
        assert f"at t = {result.t_reached:g} s" in result.stop_reason
    assert 0.5 < short.t_reached < long.t_reached
    for name, train in short.spikes.items():
        kept = long.spikes[name].between(0.0, short.t_reached)
        assert train.times.tobytes() == kept.times.tobytes()
        assert train.senders.tobytes() == kept.senders.tobytes()
        assert short.counts[name].sum() == len(train)
    assert len(short.spikes["loud"]) > 1000


@pytest.mark.parametrize("tau_syn", [None, 1.0])
def test_a_neuron_faster_than_time_is_left_to_the_queue(tau_syn):
    net = es.Network([es.Population("mad", 2, tau_mem=1.0, i_bias=[0.0, 1e300], tau_syn=tau_syn)])
    with pytest.warns(IncompleteRunWarning, match="neuron 1 of population 'mad'"):
        result = es.simulate(net, {}, 1.0, t_start=0.5, engine="windowed")
    assert not result.complete and result.engine == "queue"


def test_a_window_beyond_the_budget_is_left_to_the_queue():
    """Nothing leads back, so that all of a fast neuron's spikes lie in one window."""
    net = es.Network([es.Population("loud", 1, tau_mem=inf, i_bias=1e6, tau_syn=1.0)])
    with pytest.warns(IncompleteRunWarning, match="loud"):
        result = es.simulate(net, {}, 1e3, max_events=3000, engine="windowed")
    assert result.engine == "queue" and 2000 < len(result.spikes["loud"]) < 4000


def test_counting_spikes_takes_no_room():
    net = es.Network([es.Population("loud", 200, tau_mem=inf, i_bias=1e3)])
    run = WindowedRun(net, {}, {}, 0.0, 8.0, keep=(), drives=Drives(net, 0, 0, 0.0))
    assert run.run(10**9) and run.counts()["loud"].sum() > 1_500_000
    assert max(buffer.size for buffer in run._buffers) < 500_000


def test_ctrl_c_returns_what_there_is():
    options = {"record": "counts", "threads": 1, "engine": "windowed"}
    es.simulate(runaway(), {"in": ([0.5], [0])}, 0.51, **options)  # compiled by now
    main = threading.get_ident()
    timer = threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    began = time.perf_counter()
    with pytest.warns(IncompleteRunWarning, match="interrupted"):
        results = es.simulate(runaway(), {"in": [([0.5], [0])] * 3}, 1e9, **options)
    timer.join()
    assert time.perf_counter() - began < 1.3
    assert [r.complete for r in results] == [False] * 3
    assert results.counts["loud"][0].sum() > 0 and results[0].t_reached > 0.5
    assert results.counts["loud"][2].sum() == 0


def ring(**parameters):
    """Two neurons that excite each other for ever, from the start."""
    cells = es.Population(
        "cells", 2, tau_mem=10 * MS, t_ref=2 * MS, v_init=[1.5, 0.0], **parameters
    )
    receptor = 0 if "tau_syn" in parameters else None
    link = es.Dense("cells", "cells", [[0.0, 30.0], [30.0, 0.0]], delay=1.5 * MS, receptor=receptor)
    return es.Network([cells], [link])


def heard_ring():
    """The same with receptors, and a source that each of them hears alone."""
    net, own = ring(tau_syn=5 * MS), es.Poisson("own", 2, rate=100.0)
    heard = es.Sparse("own", "cells", [0, 1], [0, 1], 0.01, receptor=0)
    return es.Network([own, *net.populations], [*net.projections, heard])


def begun(kind):
    """A run of each loop that would take for ever; deltas also with visits that are shared."""
    net = heard_ring() if kind.startswith("heard") else ring()
    net = ring(tau_syn=5 * MS) if kind == "scan" else net
    drives = Drives(net, 0, 0, 0.0)
    if kind == "windowed":
        return WindowedRun(net, {}, {}, 0.0, 1e6, keep=(), drives=drives)
    if kind == "scan":
        return ScanRun(net, {}, 0.0, 1e6, keep=(), drives=drives)
    if kind.startswith("heard"):
        return ScanRun(net, {}, 0.0, 1e6, keep=(), drives=drives, threads=int(kind[-1]))
    return JumpRun(net, {}, 0.0, 1e6, keep=(), drives=drives, threads=int(kind))


@pytest.mark.parametrize("kind", ["windowed", "scan", "heard 1", "heard 2", "1", "2"])
def test_an_interrupt_is_heard(kind, monkeypatch):
    monkeypatch.setattr(jumps, "HEAVY_VISIT", 0)
    monkeypatch.setattr(scan_ahead, "FEWEST", 0)
    run = begun(kind)
    asked = iter([False, True])
    assert run.run(10**12, lambda: next(asked)) is False
    assert run.stop_reason.startswith("interrupted; population 'cells' spiked most")
    assert 0.0 < run.t_reached == run.now < 1e6
    assert run.counts()["cells"][1] > 100


@pytest.mark.parametrize("kind", ["windowed", "scan", "heard 1", "heard 2", "1", "2"])
def test_a_budget_is_kept(kind, monkeypatch):
    monkeypatch.setattr(jumps, "HEAVY_VISIT", 0)
    monkeypatch.setattr(scan_ahead, "FEWEST", 0)
    run = begun(kind)
    assert run.run(1000) is False
    assert run.stop_reason.startswith("max_events = 1,000 used up; population 'cells'")
    assert 0.0 < run.t_reached < 10.0 and 300 < run.n_events < 1200


@pytest.mark.parametrize("kind", ["windowed", "scan", "1"])
def test_a_log_that_fills_memory_ends_a_run(kind, monkeypatch):
    monkeypatch.setattr("eventsim.engine.pieces.MAX_SPIKES", 50)
    run = begun(kind)
    run._clock["n_log"] = 50
    assert run.run(10**12) is False and "50 spikes are recorded" in run.stop_reason


def test_a_scan_leaves_an_endless_neuron_to_the_queue():
    mad = es.Network([es.Population("mad", 2, tau_mem=1.0, i_bias=[0.0, 1e300], tau_syn=0.5)])
    run = ScanRun(mad, {}, 0.5, 1.0, keep=(), drives=Drives(mad, 0, 0, 0.5))
    assert run.run(10**4) is None
