"""Sources of the scanning engine drawn ahead, by one thread or several: the same bits."""

from __future__ import annotations

import threading
from math import exp

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import scan, scan_ahead
from eventsim.engine.poisson import Drives
from eventsim.engine.scan import ScanRun
from eventsim.engine.scan_arrivals import growth
from eventsim.jit import njit
from tests.scanning import scanned
from tests.test_scan_drive import NEURONS, assert_same_neurons, driven


@pytest.fixture
def small_blocks_are_shared(monkeypatch):
    monkeypatch.setattr(scan_ahead, "FEWEST", 0)


def is_shared(run):
    """Asserts that other threads draw."""
    assert run._ahead._pool is not None and len(run._ahead._drives) == 2


@pytest.mark.usefixtures("small_blocks_are_shared")
@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize(
    ("n", "receptor"), [(1, 0), (31, 0), (32, 1), (33, None), (301, 0), (1000, 1)]
)
def test_threads_leave_every_bit(n, receptor, threads):
    """Also where there are fewer neurons than parts, and where some begin above threshold."""
    net = driven(np.random.default_rng(n), n, receptor=receptor, single=n == 33)
    one = scanned(net, {}, 0.05, keep=NEURONS)
    many = scanned(net, {}, 0.05, keep=NEURONS, threads=threads, prepare=is_shared)
    assert_same_neurons(one, many)
    if n > 31:
        assert one.counts()["cells"].sum() > n // 2


@pytest.mark.usefixtures("small_blocks_are_shared")
@pytest.mark.parametrize("spikes", [1, 300, 10**9])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_blocks_and_pieces_do_not_show(spikes, threads, monkeypatch):
    """From one window in a block to the most, whoever draws; at a time that is not zero, too."""
    net = driven(np.random.default_rng(7), 70)
    for t_start in (0.0, 0.3):
        whole = scanned(net, {}, t_start + 0.05, t_start=t_start, keep=NEURONS)
        with monkeypatch.context() as change:
            for name in ("BLOCK", "SHARED_BLOCK"):
                change.setattr(scan_ahead, name, spikes)
            change.setattr(scan, "EFFORT_PER_CALL", 3000)

            def prepare(run, begin=t_start):
                run._pieces = iter([begin + t for t in (0.01, 0.0123, 0.0305, 0.05)])

            cut = scanned(
                net, {}, t_start + 0.05, t_start=t_start, keep=NEURONS, threads=threads,
                prepare=prepare,
            )  # fmt: skip
        assert_same_neurons(whole, cut)


@pytest.mark.usefixtures("small_blocks_are_shared")
def test_it_agrees_with_the_queue():
    """With the delta, the receptor and the recurrent arrivals of the other engine."""
    net = driven(np.random.default_rng(11), 301, receptor=1)
    slow = es.simulate(net, {}, 0.1, engine="queue", record=list(NEURONS))
    fast = scanned(net, {}, 0.1, keep=NEURONS, threads=2, prepare=is_shared)
    assert fast.n_events == slow.n_events
    for name in NEURONS:
        assert fast.counts()[name].tolist() == slow.counts[name].tolist()
        kept, other = fast.spikes()[name], slow.spikes[name]
        assert np.abs(np.sort(kept.times) - np.sort(other.times)).max() < 1e-12
    assert slow.counts["cells"].sum() > 300


@pytest.mark.usefixtures("small_blocks_are_shared")
def test_more_spikes_than_a_block_has_room_for():
    """Another engine takes over, whoever found it out; the threads end."""
    net, before = driven(np.random.default_rng(5), 300), threading.active_count()
    for threads in (1, 2):
        drives = Drives(net, 0, 0, 0.0)
        run = ScanRun(net, {}, 0.0, 0.1, keep=NEURONS, drives=drives, threads=threads)
        run._drive = run._ahead.next_block()
        run._ahead._places[1:] = run._ahead._places[0]
        assert run._drive is not None and run.run(10**9) is None
        assert 0.0 < run.now < 0.1
    assert threading.active_count() <= before


def test_blocks_with_little_to_draw_are_not_shared():
    net = driven(np.random.default_rng(5), 20, rate=100.0)
    run = ScanRun(net, {}, 0.0, 0.1, keep=NEURONS, drives=Drives(net, 0, 0, 0.0), threads=2)
    assert run._ahead._pool is None and run._ahead._windows == 64


def test_simulate_hands_its_threads_on(monkeypatch):
    monkeypatch.setattr(scan_ahead, "FEWEST", 0)
    seen, draw = set(), scan_ahead.Ahead._draw
    lock = threading.Barrier(2, timeout=20.0)

    def drawn(ahead, part):
        if threading.get_ident() not in seen and len(seen) < 2:
            seen.add(threading.get_ident())
            lock.wait()
        return draw(ahead, part)

    monkeypatch.setattr(scan_ahead.Ahead, "_draw", drawn)
    net = driven(np.random.default_rng(3), 600)
    many = es.simulate(net, {}, 0.02, record=list(NEURONS), threads=2)
    monkeypatch.undo()
    one = es.simulate(net, {}, 0.02, record=list(NEURONS), threads=1)
    assert len(seen) == 2
    for name in NEURONS:
        assert one.spikes[name].times.tobytes() == many.spikes[name].times.tobytes()


@njit
def grown(x, y):
    for i in range(x.size):
        y[i] = growth(x[i])


def test_the_exponential_of_loops_is_right_to_rounding():
    """And has the same bits in a loop that becomes vectors as alone."""
    x = np.concatenate([np.linspace(0.0, 6.0, 20_001), [1e-300, 1e-9, 0.5 * np.log(2.0)]])
    y, alone = np.zeros_like(x), np.zeros(1)
    grown(x, y)
    right = np.array([exp(a) for a in x])
    assert np.abs(y - right).max() > 0.0
    assert np.all(np.abs(y - right) <= 1.001 * np.spacing(right)) and y[0] == 1.0
    for k in range(0, x.size, 997):
        grown(x[k : k + 1], alone)
        assert alone[0] == y[k]
