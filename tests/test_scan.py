"""The scanning engine against the queue and the naive simulator, and against itself."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import eventsim as es
from eventsim.engine import scan
from eventsim.engine.scan import why_not, width_of
from eventsim.engine.scan_follow import lost
from eventsim.engine.scan_state import Buffers
from eventsim.errors import IncompleteRunWarning
from eventsim.jit import njit
from tests import naive
from tests.agreement import CLOSE, DECIDED
from tests.scanning import (
    INF,
    MS,
    assert_close,
    assert_same_bits,
    by_neuron,
    network,
    outside,
    scanned,
)


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


@njit
def what_is_lost(a):
    return lost(a)


@given(st.floats(0.0, 0.3) | st.sampled_from([1 / 32, 1 / 16, 0.25]))
def test_what_an_exponential_loses_is_right_to_rounding(a):
    exact = -sum((-Fraction(a)) ** k / math.factorial(k) for k in range(1, 25))
    assert abs(Fraction(what_is_lost(a)) - exact) <= Fraction(6e-16) * Fraction(a)


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
