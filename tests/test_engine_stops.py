"""Where the engines stop, what they tell on the way, and what they refuse."""

from __future__ import annotations

import signal
import threading
import time

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import IncompleteRunWarning, InvalidValue
from tests.networks import runaway


def test_budget_stops_a_runaway_and_says_who():
    with pytest.warns(IncompleteRunWarning, match="loud"):
        result = es.simulate(
            runaway(), {"in": ([0.5], [0])}, 1000.0, max_events=5000, engine="queue"
        )
    assert not result.complete and "'loud'" in result.stop_reason and "5,000" in result.stop_reason
    assert 0.5 < result.t_reached < 2.0
    assert len(result.spikes["loud"]) > 1000
    assert result.spikes["loud"].times.max() <= result.t_reached


def test_budget_of_a_session():
    session = runaway().session(max_events=5000)
    session.inject("in", [0.5], [0])
    assert not session.run_until(1000.0)
    result = session.result()
    assert not result.complete and "'loud'" in result.stop_reason


def test_budget_of_the_layered_engine():
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 50, tau_mem=1.0)],
        [es.Dense("in", "out", np.ones((1, 50)))],
    )
    times = np.arange(1000) / 1000
    with pytest.warns(IncompleteRunWarning, match="out"):
        result = es.simulate(
            net, {"in": (times, np.zeros(1000, dtype=int))}, 1.0, max_events=2000, engine="layered"
        )
    assert not result.complete and 0.0 < result.t_reached < 1.0


def test_ctrl_c_returns_what_there_is():
    es.simulate(runaway(), {"in": ([0.5], [0])}, 0.51, engine="queue")  # compiled by now
    main = threading.get_ident()
    timer = threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    began = time.perf_counter()
    with pytest.warns(IncompleteRunWarning, match="interrupted"):
        results = es.simulate(
            runaway(), {"in": [([0.5], [0])] * 3}, 1e9, record="counts", threads=1, engine="queue"
        )
    timer.join()
    assert time.perf_counter() - began < 1.3
    assert [r.complete for r in results] == [False] * 3
    assert results.counts["loud"][0].sum() > 0 and results[0].t_reached > 0.5
    assert results.counts["loud"][2].sum() == 0


def test_progress_counts_samples():
    seen = []
    es.simulate(
        runaway(), {"in": [([0.5], [0])] * 4}, 0.6, progress=lambda *state: seen.append(state)
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("engine", ["queue", "windowed"])
def test_progress_within_a_long_sample(engine):
    seen = []
    with pytest.warns(IncompleteRunWarning):
        es.simulate(
            runaway(), {"in": ([0.5], [0])}, 1e6, engine=engine, record="counts",
            max_events=20_000_000, progress=lambda *state: seen.append(state),
        )  # fmt: skip
    assert seen[-1] == (1, 1) and len(seen) > 1
    assert all(total == 1000 and 0 <= done <= 1000 for done, total in seen[:-1])


def test_a_neuron_faster_than_time_is_stopped():
    net = es.Network([es.Population("mad", 1, tau_mem=1.0, i_bias=1e300)])
    with pytest.warns(IncompleteRunWarning, match="mad"):
        result = es.simulate(net, {}, 1.0, t_start=0.5, engine="queue")
    assert not result.complete


def test_pulses_narrower_than_the_clock_are_refused():
    net = es.Network(
        [es.Input("in", 1), es.Population("o", 1, tau_mem=1e-2)],
        [es.Dense("in", "o", [[1.0]], spread=1e-20)],
    )
    with pytest.raises(InvalidValue, match=r"Dense 'in' -> 'o': spread: expected 0, or at least"):
        es.simulate(net, {"in": ([1e-3], [0])}, 0.01)
    with pytest.raises(InvalidValue, match="spread"):
        net.session().run_until(0.01)


def test_a_session_refuses_what_it_has_already():
    net = es.Network([es.Input("in", 1), es.Population("o", 2, tau_mem=1.0)])
    session = net.session()
    session.inject("in", [0.5], [0])
    with pytest.raises(InvalidValue, match="in: inputs: expected each spike once, got two of"):
        session.inject("in", [0.5], [0])
    session.inject_current("o", [(0.5, 1, 5.0)])
    with pytest.raises(InvalidValue, match="o: currents: .* got two of unit 1 at 0.5 s"):
        session.inject_current("o", [(0.5, 1, 1.0)])
    assert session.run_until(1.0)
    assert session.counts["in"].tolist() == [1]


def test_an_interrupted_session_says_how_far_it_came(monkeypatch):
    net = es.Network([es.Input("in", 1), es.Population("o", 1, tau_mem=1.0)])
    session = net.session()

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("eventsim.engine.driver.run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.run_until(1.0)
    assert not session.result().complete
    assert session.run_until(1.0)
    assert session.result().complete


def test_budget_of_a_network_of_inputs():
    net = es.Network([es.Input("in", 2)])
    with pytest.warns(IncompleteRunWarning, match="population 'in' spiked most"):
        es.simulate(net, {"in": ([1.0, 2.0, 3.0], [0, 1, 0])}, 4.0, engine="queue", max_events=2)
