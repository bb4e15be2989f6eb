"""Poisson sources in the scanning engine: drawn where they are heard, or sent."""

from __future__ import annotations

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import scan
from eventsim.engine.poisson import Drives
from eventsim.engine.scan import ScanRun, width_of
from eventsim.engine.scan_drive import fused_links
from eventsim.engine.scan_state import Buffers
from tests.scanning import MS, assert_close, assert_same_bits, scanned


def test_poisson_drive(monkeypatch):
    """Drawn in pieces, with a result that does not show them."""
    n = 64
    net = es.Network(
        [
            es.Poisson("outside", n, rate=4e3),
            es.Population(
                "cells", n, tau_mem=10 * MS, tau_syn=0.5 * MS, t_ref=2 * MS, v_threshold=15.0
            ),
        ],
        [
            es.Sparse("outside", "cells", range(n), range(n), 11.0, receptor=0),
            es.Dense("cells", "cells", np.full((n, n), -2.0), delay=1 * MS, receptor=0),
        ],
    )
    slow = es.simulate(net, {}, 0.3, seed=5, engine="queue", record=["outside", "cells"])
    fast = scanned(net, {}, 0.3, seed=5)
    assert_close(fast, slow)
    assert slow.counts["cells"].sum() > 200
    monkeypatch.setattr("eventsim.engine.poisson._AT_ONCE", 3000)
    assert_same_bits(fast, scanned(net, {}, 0.3, seed=5))


def driven(rng, n, *, receptor=0, single=False, rate=9e3):
    """Recurrent neurons, most of which have a Poisson source of their own, and others' spikes."""
    dtype = np.float32 if single else np.float64
    heard = rng.permutation(n)[: n - n // 5]
    rates = np.where(rng.random(heard.size) < 0.1, 0.0, rng.uniform(0.2, 1.0, heard.size) * rate)
    pre, post = rng.integers(n, size=(2, 9 * n))
    return es.Network(
        [
            es.Poisson("own", heard.size, rate=rates),
            es.Poisson("shared", 5, rate=300.0),
            es.Population(
                "cells", n, tau_mem=10 * MS, tau_syn=[0.5 * MS, 2 * MS], t_ref=1 * MS,
                v_threshold=15.0, v_init=rng.uniform(0.0, 16.0, n),
            ),
            es.Population("others", 40, tau_mem=20 * MS, tau_syn=5 * MS, v_threshold=4.0),
        ],
        [
            es.Dense("shared", "cells", rng.normal(0.0, 2.0, (5, n)).astype(dtype)),
            es.Sparse(
                "own", "cells", rng.permutation(heard.size), heard,
                rng.uniform(0.0, 0.5 if receptor is None else 16.0, heard.size).astype(dtype),
                receptor=receptor,
            ),
            es.Sparse(
                "cells", "cells", pre, post, rng.normal(0.0, 3.0, 9 * n).astype(dtype),
                delay=rng.choice([1 * MS, 1.3 * MS, 2 * MS], 9 * n), receptor=1,
            ),
            es.Dense("cells", "others", rng.normal(1.0, 5.0, (n, 40)), delay=1 * MS, receptor=0),
        ],
    )  # fmt: skip


NEURONS = ("cells", "others")


def assert_same_neurons(one, two):
    """Every bit of the neurons' spikes, and all counts."""
    assert one.n_events == two.n_events
    assert one._scan.clock["work"] == two._scan.clock["work"]
    for name in NEURONS:
        a, b = one.spikes()[name], two.spikes()[name]
        assert a.times.tobytes() == b.times.tobytes(), name
        assert a.senders.tobytes() == b.senders.tobytes(), name
    for name, count in one.counts().items():
        assert count.tolist() == two.counts()[name].tolist(), name


@pytest.mark.parametrize("n", [1, 31, 33, 300])
@pytest.mark.parametrize("receptor", [None, 0, 1])
def test_sources_drawn_where_they_are_heard_leave_every_bit(n, receptor):
    """Recorded sources send their spikes through the calendar, the others do not."""
    net = driven(np.random.default_rng(n), n, receptor=receptor, single=n == 33)
    sent, drawn = scanned(net, {}, 0.1), scanned(net, {}, 0.1, keep=NEURONS)
    assert not sent._scan.clock["crowd"][0] and (n == 1 or drawn._scan.clock["crowd"][0])
    assert_same_neurons(sent, drawn)
    slow = es.simulate(net, {}, 0.1, engine="queue", record=list(NEURONS))
    assert drawn.n_events == slow.n_events
    assert drawn.counts()["own"].sum() == slow.counts["own"].sum()
    if n == 300:
        assert slow.counts["cells"].sum() > 300


@pytest.mark.parametrize("every", [1, 3, 40])
def test_drawn_sources_do_not_show_pieces_or_looks_or_buffers(every, monkeypatch):
    net = driven(np.random.default_rng(5), 70)

    def prepare(run):
        run._scan.clock["every"] = every
        run._pieces = iter([0.01, 0.0123, 0.0305, 0.05])
        run._buffers = Buffers(*(buffer[:every].copy() for buffer in run._buffers))

    whole, longer = (scanned(net, {}, t, keep=NEURONS) for t in (0.05, 0.08))
    monkeypatch.setattr(scan, "EFFORT_PER_CALL", 100 * every)
    assert_same_neurons(whole, scanned(net, {}, 0.05, keep=NEURONS, prepare=prepare))
    for name in NEURONS:
        kept = longer.spikes()[name].between(0.0, 0.05)
        assert whole.spikes()[name].times.tobytes() == kept.times.tobytes()


def test_more_spikes_of_sources_than_there_is_room_for():
    """Another engine takes over: no list is written beyond its end."""
    net = driven(np.random.default_rng(5), 300, rate=2e5)
    run = ScanRun(net, {}, 0.0, 0.1, keep=NEURONS, drives=Drives(net, 0, 0, 0.0))
    run._scan.clock["crowd"] = 1
    run._buffers = Buffers(*(buffer[:1].copy() for buffer in run._buffers))
    assert run.run(10**9) is None


@pytest.mark.parametrize("change", ["delay", "weight", "recorded", "unheard"])
def test_which_sources_are_not_drawn_where_they_are_heard(change):
    n = 20
    net = es.Network(
        [
            es.Poisson("own", n + (change == "unheard"), rate=4e3),
            es.Population("cells", n, tau_mem=10 * MS, tau_syn=5 * MS),
        ],
        [
            es.Sparse(
                "own", "cells", range(n), range(n), -1.0 if change == "weight" else 1.0,
                delay=1 * MS if change == "delay" else 0.0, receptor=0,
            )
        ],
    )  # fmt: skip
    assert fused_links(net, ["own"] if change == "recorded" else [], width_of(net)) == ()
