"""The scanning engine against the queue and the naive simulator, and against itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import eventsim as es
from eventsim.engine import scan
from eventsim.engine.poisson import Drives
from eventsim.engine.scan import ScanRun, cannot, why_not, width_of
from eventsim.engine.scan_drive import fused_links
from eventsim.engine.scan_state import Buffers
from eventsim.errors import IncompleteRunWarning
from tests import naive

MS = 1e-3
INF = float("inf")
#: As in tests/test_engines.py: a nearer decision may fall either way; so many errors are allowed.
DECIDED, CLOSE = 1000.0, 20.0


def scanned(net, inputs, t_stop, *, t_start=0.0, seed=0, max_events=10**9, prepare=None, keep=None):
    """A finished run of the scanning engine."""
    assert cannot(net, {}) is None
    trains = {
        k: v if isinstance(v, es.SpikeTrain) else es.SpikeTrain(*v) for k, v in inputs.items()
    }
    run = ScanRun(
        net,
        trains,
        t_start,
        t_stop,
        keep=net.order if keep is None else keep,
        drives=Drives(net, seed, 0, t_start),
    )
    if prepare is not None:
        prepare(run)
    assert run.run(max_events) is True
    return run


def assert_same_bits(one, two):
    assert one.n_events == two.n_events
    a, b = one.spikes(), two.spikes()
    for name in a:
        assert a[name].times.tobytes() == b[name].times.tobytes(), name
        assert a[name].senders.tobytes() == b[name].senders.tobytes(), name


def network(rng, n, *, t_ref=None, tau_syn=(5 * MS, 10 * MS), single=False, grid=False, spread=1.0):
    """Neurons driven above threshold by a bias, and each other at random; a readout; an input."""
    taus = list(tau_syn)
    cells = es.Population(
        "cells",
        n,
        tau_mem=20 * MS,
        tau_syn=taus,
        t_ref=rng.uniform(0.0, 5 * MS, n) if t_ref is None else t_ref,
        v_leak=rng.uniform(-0.1, 0.1, n),
        i_bias=rng.uniform(0.8, 1.3, n),
        v_init=rng.uniform(-0.5, 1.1, n),
        v_reset=-0.2,
    )
    read = es.Population("read", 3, tau_mem=7 * MS, tau_syn=2 * MS, v_threshold=INF)
    dtype = np.float32 if single else np.float64

    def joined(source, target, size, receptor, delays):
        pre, post = (rng.integers(net_n, size=size) for net_n in (source[1], target[1]))
        weight = rng.normal(0.05, 0.25, size).astype(dtype)
        if receptor is None:
            weight *= dtype(0.3)
        delay = rng.choice(delays, size)
        return es.Sparse(source[0], target[0], pre, post, weight, delay=delay, receptor=receptor)

    delays = [1 * MS, 2 * MS, 2.5 * MS] if grid else list(rng.uniform(0.4 * MS, 9 * MS, 6) * spread)
    here, outside = ("cells", n), ("in", 7)
    links = [joined(here, here, 8 * n, k % len(taus), delays) for k in range(len(taus) + 1)]
    links += [joined(here, here, 3 * n, None, delays), joined(here, ("read", 3), n, 0, delays)]
    links += [joined(outside, here, 4 * n, k, [0.0, 1 * MS]) for k in (None, 0)]
    return es.Network([es.Input("in", 7), cells, read], links)


def outside(rng, t_stop, *, grid=False, n=150):
    times = rng.integers(0, int(t_stop / MS), n) * MS if grid else rng.uniform(0, t_stop, n)
    rows = sorted(set(zip(times.tolist(), rng.integers(7, size=n).tolist(), strict=True)))
    return {"in": es.SpikeTrain([t for t, _ in rows], [i for _, i in rows])}


def by_neuron(train):
    order = np.lexsort((train.times, train.senders))
    return train.times[order], train.senders[order]


def assert_close(fast, slow, tolerance=1e-12):
    assert fast.n_events == slow.n_events
    for name, train in slow.spikes.items():
        times, senders = by_neuron(fast.spikes()[name])
        expected, who = by_neuron(train)
        assert np.array_equal(senders, who), name
        assert np.abs(times - expected).max(initial=0.0) <= tolerance, name


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("n", [1, 31, 32, 33, 129, 1000])
def test_it_agrees_with_the_queue(n, single):
    rng = np.random.default_rng(n + single)
    t_stop = 0.1 if n < 1000 else 0.03
    net = network(rng, n, single=single, t_ref=[None, 2 * MS, 0.0][n % 3])
    inputs = outside(rng, t_stop)
    fast = scanned(net, inputs, t_stop)
    slow = es.simulate(net, inputs, t_stop, engine="queue")
    assert_close(fast, slow)
    assert slow.counts["cells"].sum() >= n
    # A neuron is searched about once for each spike that no delta causes.
    assert fast._scan.clock["searches"][0] <= 1.2 * slow.counts["cells"].sum() + 20


@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([0.0, 1 * MS, 0.3 * MS]))
def test_it_agrees_with_naive(seed, grid, t_ref):
    """Ties of arrivals, of arrivals and ends of refractoriness, and ends at the ends of windows."""
    rng = np.random.default_rng(seed)
    receptors = [(5 * MS,), (5 * MS, 10 * MS), (5 * MS, 10 * MS, 35 * MS)][rng.integers(3)]
    net = network(rng, int(rng.integers(1, 5)), t_ref=t_ref, grid=grid, tau_syn=receptors)
    inputs = outside(rng, 30 * MS, grid=grid, n=20)
    expected = naive.simulate(net, inputs, 30 * MS)
    assume(expected.margin > DECIDED)
    found = scanned(net, inputs, 30 * MS)
    assert found.n_events == expected.n_events
    for p in net:
        train = found.spikes()[p.name]
        wanted = sorted(
            (i, t, error)
            for (t, i), error in zip(expected.spikes[p.name], expected.errors[p.name], strict=True)
        )
        times, senders = by_neuron(train)
        assert senders.tolist() == [i for i, _, _ in wanted]
        for t, (_, exact, error) in zip(times, wanted, strict=True):
            # Sums relative to a frame have a few more roundings than sums at the instants.
            assert abs(t - exact) <= CLOSE * error + 1e-16


@pytest.mark.parametrize("every", [1, 3, 40])
def test_when_neurons_are_looked_at_leaves_every_bit(every):
    rng = np.random.default_rng(3)
    net, inputs = network(rng, 200), outside(rng, 0.1)

    def prepare(run):
        run._scan.clock["every"] = every

    assert_same_bits(scanned(net, inputs, 0.1), scanned(net, inputs, 0.1, prepare=prepare))


@pytest.mark.parametrize("effort", [1, 1000])
def test_pieces_leave_every_bit(effort, monkeypatch):
    rng = np.random.default_rng(3)
    net, inputs = network(rng, 70), outside(rng, 0.05)
    whole = scanned(net, inputs, 0.05)

    def prepare(run):
        run._pieces = iter([0.01, 0.0123, 0.0305, 0.05])

    assert_same_bits(whole, scanned(net, inputs, 0.05, prepare=prepare))
    monkeypatch.setattr(scan, "EFFORT_PER_CALL", effort)
    assert_same_bits(whole, scanned(net, inputs, 0.05))


@pytest.mark.parametrize("size", [1, 7])
def test_buffers_that_have_to_grow_leave_every_bit(size):
    """One spike at a time is followed and sent on; segments and lists begin with no room."""
    rng = np.random.default_rng(3)
    net, inputs = network(rng, 70), outside(rng, 0.05)

    def prepare(run):
        run._buffers = Buffers(*(buffer[:size].copy() for buffer in run._buffers))

    small = scanned(net, inputs, 0.05, prepare=prepare)
    assert_same_bits(scanned(net, inputs, 0.05), small)
    sizes = {name: getattr(small._buffers, name).size for name in Buffers._fields}
    assert sizes.pop("sent") == size < min(sizes.values())


@pytest.mark.parametrize("t_stop", [0.05, 0.0501234, 0.0777])
def test_where_a_run_stops_leaves_what_is_before(t_stop):
    rng = np.random.default_rng(4)
    net, inputs = network(rng, 100), outside(rng, 0.1)
    long, short = scanned(net, inputs, 0.1), scanned(net, inputs, t_stop)
    for name, train in short.spikes().items():
        kept = long.spikes()[name].between(0.0, t_stop)
        assert train.times.tobytes() == kept.times.tobytes()
        assert train.senders.tobytes() == kept.senders.tobytes()
    slow = es.simulate(net, inputs, t_stop, engine="queue")
    assert short.n_events == slow.n_events


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


def test_grazing_and_the_start():
    """A peak just above and just below threshold; who stands at threshold fires at the start."""
    tau, syn = 20 * MS, 5 * MS
    peak = syn / tau * (syn / tau) ** (syn / (tau - syn))  # of a unit current, V
    scale = np.array([1.0 + 1e-9, 1.0 - 1e-9, 2.0, 1.0 + 1e-12, 1.0 - 1e-12])
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 5, tau_mem=tau, tau_syn=syn, t_ref=50 * MS)],
        [es.Dense("in", "out", (scale / peak)[None, :], receptor=0)],
    )
    inputs = {"in": ([0.001], [0])}
    fast = scanned(net, inputs, 0.04)
    slow = es.simulate(net, inputs, 0.04, engine="queue")
    assert fast.counts()["out"].tolist() == [1, 0, 1, 1, 0] == slow.counts["out"].tolist()
    late = fast.spikes()["out"].of(2)[0] - slow.spikes["out"].of(2)[0]
    assert abs(late) < 1e-16

    net = es.Network(
        [es.Population("out", 3, tau_mem=tau, tau_syn=syn, v_init=[1.0, 0.999, 1.5], t_ref=MS)], []
    )
    fast = scanned(net, {}, 0.02, t_start=0.01)
    assert fast.spikes()["out"].times.tolist() == [0.01, 0.01]
    assert fast.spikes()["out"].senders.tolist() == [0, 2]


def test_what_does_not_fit():
    cells = {"tau_mem": 20 * MS, "tau_syn": 5 * MS}

    def alone(n=1000, delay=1 * MS, **parameters):
        return es.Network(
            [es.Population("a", n, **{**cells, **parameters})],
            [es.Sparse("a", "a", [0], [0], 0.1, delay=delay, receptor=None)],
        )

    assert why_not(alone(), {}, 1.0) is None
    assert "fewer" in why_not(alone(n=499), {}, 1.0)
    assert "short" in why_not(alone(delay=1e-9), {}, 1.0)
    assert "stepped" in why_not(alone(), {"a": np.zeros((1, 3))}, 1.0)
    for change, word in (
        ({"tau_mem": INF}, "leak"),
        ({"tau_mem": np.linspace(0.01, 0.02, 1000)}, "differ"),
        ({"tau_syn": 19 * MS}, "slow"),
        ({"tau_syn": None}, "exponential"),
        ({"reset": "subtract"}, "resets"),
        ({"fires_at_equality": False}, "above"),
        ({"adapt_beta": 0.1, "tau_adapt": 0.1}, "adapts"),
    ):
        assert word in why_not(alone(**change), {}, 1.0)
    both = es.Network([*alone(), es.Population("deltas", 3, tau_mem=2 * MS)], [])
    assert why_not(both, {}, 1.0) is None and width_of(both) == 0.5 * MS
    assert width_of(alone()) < 1 * MS and width_of(alone(delay=50 * MS)) == 1.25 * MS


def test_it_is_chosen_and_stops_in_time():
    rng = np.random.default_rng(8)
    net = network(rng, 600)
    inputs = outside(rng, 0.02)
    result = es.simulate(net, inputs, 0.02)
    assert result.engine == "windowed" and result.complete
    assert_close(scanned(net, inputs, 0.02), result, 0.0)
    with pytest.warns(
        IncompleteRunWarning, match=r"max_events = 9,000 used up; population 'cells'"
    ):
        short = es.simulate(net, inputs, 10.0, max_events=9_000)
    assert not short.complete and 0.0 < short.t_reached < 0.05
    for name, train in short.spikes.items():
        assert (
            train.times.tobytes() == result.spikes[name].between(0, short.t_reached).times.tobytes()
        )


def test_interrupted_and_endless():
    rng = np.random.default_rng(8)
    run = ScanRun(
        network(rng, 50), {}, 0.0, 1e3, keep=(), drives=Drives(network(rng, 50), 0, 0, 0.0)
    )
    assert run.run(10**12, lambda: True) is False
    assert "interrupted" in run.stop_reason and 0.0 < run.t_reached < 1e3
    mad = es.Network([es.Population("mad", 2, tau_mem=1.0, i_bias=[0.0, 1e300], tau_syn=0.5)])
    run = ScanRun(mad, {}, 0.5, 1.0, keep=(), drives=Drives(mad, 0, 0, 0.5))
    assert run.run(10**4) is None
