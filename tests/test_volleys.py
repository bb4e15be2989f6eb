"""All-to-all layers of deltas whose neurons differ in little, and the lists that they work with."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import eventsim as es
from eventsim.engine import dense_layer
from eventsim.engine.arrivals import LEAST, delta_arrivals, frees
from eventsim.engine.batch import Batch
from eventsim.engine.volleys import VOLLEY, spikes_of
from eventsim.recording import SpikeTrain
from eventsim.vectors import BLOCK
from tests import naive

INF = float("inf")
T_STOP = 8.0

#: Times of samples, on a grid so that many coincide, or not; also none at all.
TIMES = st.lists(
    st.lists(st.integers(0, 60).map(lambda k: k / 4) | st.floats(0.0, 15.0), max_size=80).map(
        sorted
    ),
    min_size=1,
    max_size=4,
)


def batch_of(samples: list[list[float]]) -> Batch:
    times = np.array(list(itertools.chain(*samples)), dtype=np.float64)
    bounds = np.cumsum([0, *map(len, samples)], dtype=np.int64)
    return Batch(times, np.arange(times.size) % 7, bounds)


@given(TIMES, st.sampled_from([0.0, 1e-300, 0.25, 1.0, 1.1, 20.0]))
def test_the_first_arrival_after_a_refractory_period(samples, t_ref):
    batch = batch_of(samples)
    wanted = []
    for first, times in zip(batch.bounds, samples, strict=False):
        for i, time in enumerate(times):
            late = [k for k, t in enumerate(times) if t >= time + t_ref and k > i]
            wanted.append(first + (late[0] if late else len(times)))
    assert frees(batch.times, batch.bounds, t_ref).tolist() == wanted


@pytest.mark.parametrize("distance", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_the_first_arrival_after_a_period_is_far_away(distance):
    times = np.arange(5 * BLOCK) / 64
    found = frees(times, np.array([0, times.size]), distance / 64)
    assert found.tolist() == [min(k + distance, times.size) for k in range(times.size)]


@given(TIMES, st.sampled_from([INF, 3.0, 1e-3]))
def test_arrivals_tell_decay_and_the_end_of_an_instant(samples, tau):
    batch = batch_of(samples)
    table = delta_arrivals(batch, tau, 0.0)
    assert table["row"].tolist() == batch.senders.tolist()
    for first, times in zip(batch.bounds, samples, strict=False):
        mine = table[first : first + len(times)]
        apart = np.diff(times, prepend=0.0)
        assert np.allclose(mine["decay"], np.maximum(np.exp(-apart / tau), LEAST), rtol=1e-12)
        assert (mine["decay"][apart == 0.0] == 1.0).all()
        ends = [time != later for time, later in itertools.pairwise(times)] + [True] * bool(times)
        assert mine["last"].tolist() == [-1 if end else 0 for end in ends]


@given(
    TIMES, st.integers(1, 3), st.sampled_from([0.0, 0.1, 0.9]), st.integers(0, 2**32 - 1)
)  # fmt: skip
def test_volleys_become_spikes_in_order(samples, n_blocks, activity, seed):
    rng = np.random.default_rng(seed)
    batch = batch_of(samples)
    rows, at, wanted = [], np.zeros((n_blocks, batch.bounds.size), np.int64), []
    for block in range(n_blocks):
        for sample, (first, end) in enumerate(itertools.pairwise(batch.bounds)):
            at[block, sample] = len(rows)
            for arrival in np.flatnonzero(rng.random(end - first) < activity) + first:
                lanes = rng.choice(BLOCK, rng.integers(1, 4), replace=False)
                rows.append((arrival, sum(1 << int(lane) for lane in lanes)))
                wanted += [(sample, arrival, block * BLOCK + int(lane)) for lane in lanes]
        at[block, -1] = len(rows)
    wanted.sort()
    times, units, begins = spikes_of(np.array(rows, VOLLEY), at, batch.times, batch.bounds, 10**6)
    assert units.tolist() == [unit for _, _, unit in wanted]
    assert times.tolist() == [batch.times[arrival] for _, arrival, _ in wanted]
    assert begins.tolist() == [sum(s < k for s, _, _ in wanted) for k in range(len(samples) + 1)]
    if wanted:
        few = spikes_of(
            np.array(rows, VOLLEY), at, batch.times, batch.bounds, len(wanted) - 1
        )  # fmt: skip
        assert few[0].size == 0
        assert few[2][-1] == len(wanted)


@st.composite
def plain_nets(
    draw: Any, firsts: tuple[int, ...] = (1, 31, 32, 33, 65), drive: bool = False
) -> tuple[es.Network, list[es.SpikeTrain]]:
    """Two layers of deltas; on a grid weights, thresholds and times meet exactly.

    Where there is ``drive``, off a grid, it stays below threshold.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))
    grid = not drive and draw(st.booleans(), label="grid")
    dtype = np.float32 if draw(st.booleans(), label="float32") else np.float64
    sizes = [
        draw(st.sampled_from([1, 5, 40]), label="inputs"),
        draw(st.sampled_from(firsts), label="first"),
        draw(st.sampled_from([1, 32, 33]), label="second"),
    ]
    t_ref = draw(st.sampled_from([0.0, 1e-300, 0.25, 0.3, 2.0, 50.0]), label="t_ref")
    rest = draw(st.sampled_from([0.0, -0.5]), label="rest")

    def weights(*shape: int) -> np.ndarray:
        w = rng.uniform(-0.5, 1.0, shape) * 3.0 / np.sqrt(shape[0])
        return (np.round(w * 8) / 8 if grid else w).astype(dtype)

    def population(name: str, n: int) -> es.Population:
        return es.Population(
            name,
            n,
            tau_mem=2.0 if drive else float(rng.choice([INF, 2.0])),
            v_leak=rest,
            v_reset=rest + float(rng.choice([0.0, -0.25, 0.125])),
            i_bias=rng.choice([0.0, -0.2, 0.1], n) if drive else 0.0,
            v_threshold=rest + (float(rng.choice([0.5, 1.0])) if grid else rng.uniform(0.3, 1, n)),
            v_init=rest + float(rng.choice([-0.25, 0.0, 0.125])),
            t_ref=t_ref,
            fires_at_equality=bool(rng.random() < 0.5),
        )

    links = [es.Dense("in", "a", weights(*sizes[:2])), es.Dense("a", "b", weights(*sizes[1:]))]
    if draw(st.booleans(), label="a way past the first layer"):
        links.append(es.Dense("in", "b", weights(sizes[0], sizes[2])))
    net = es.Network(
        [es.Input("in", sizes[0]), population("a", sizes[1]), population("b", sizes[2])], links
    )
    trains = []
    for _ in range(draw(st.integers(1, 3), label="samples")):
        times = rng.uniform(0.0, 1.05 * T_STOP, rng.integers(0, 120))
        times = np.round(times * 4) / 4 if grid else times
        spikes = sorted(set(zip(times, rng.integers(sizes[0], size=times.size), strict=True)))
        trains.append(es.SpikeTrain([t for t, _ in spikes], [i for _, i in spikes]))
    return net, trains


def spikes(result: es.Result) -> dict[str, tuple[list[float], list[int]]]:
    return {k: (v.times.tolist(), v.senders.tolist()) for k, v in result.spikes.items()}


def assert_same_as_queue(net: es.Network, trains: list[es.SpikeTrain]) -> None:
    layered = es.simulate(net, {"in": trains}, T_STOP, engine="layered")
    queue = es.simulate(net, {"in": trains}, T_STOP, engine="queue")
    assert isinstance(layered, es.Results) and isinstance(queue, es.Results)
    for train, got, wanted in zip(trains, layered, queue, strict=True):
        assert spikes(got) == spikes(wanted)
        assert got.n_events == wanted.n_events
        assert spikes(es.simulate(net, {"in": train}, T_STOP, engine="layered")) == spikes(got)


@settings(max_examples=12)  # the naive simulator is slow
@given(plain_nets(firsts=(1, 31, 33)))
def test_plain_layers_agree_with_queue_and_naive(problem):
    net, trains = problem
    exact = [naive.simulate(net, {"in": train}, T_STOP) for train in trains]
    # No decision stands within rounding of its threshold.
    assume(all(result.margin > 1000.0 for result in exact))
    assert_same_as_queue(net, trains)
    for train, wanted in zip(trains, exact, strict=True):
        got = es.simulate(net, {"in": train}, T_STOP, engine="layered")
        for name in ("a", "b"):
            found = got.spikes[name]
            assert sorted(wanted.spikes[name]) == list(zip(found.times, found.senders, strict=True))


@settings(max_examples=40)
@given(plain_nets(drive=True))
def test_drive_below_threshold_and_resets_besides_rest(problem):
    assert_same_as_queue(*problem)


@pytest.mark.parametrize("n", [1, 31, 32, 33, 1000])
def test_plain_layers_take_the_short_way(n, monkeypatch):
    """They are run by their own kernel, whose bits do not depend on room for volleys."""
    rng = np.random.default_rng(n)
    net = es.Network(
        [es.Input("in", 50), es.Population("a", n, tau_mem=8e-3, t_ref=2e-3)],
        [es.Dense("in", "a", rng.normal(0.05, 0.2, (50, n)))],
    )
    train = SpikeTrain(np.sort(rng.uniform(0.0, 0.05, 900)), rng.integers(50, size=900))
    wanted = es.simulate(net, {"in": train}, 0.05, engine="queue")
    assert wanted.counts["a"].sum() > 5 * n
    rooms, kernel = [], dense_layer.run_volleys

    def small(*arguments: Any) -> int:
        *rest, out, at = arguments
        rooms.append(out.size)
        return kernel(*rest, out[: out.size // 1000], at)

    monkeypatch.setattr(dense_layer, "run_volleys", small)
    got = es.simulate(net, {"in": train}, 0.05, engine="layered")
    assert spikes(got) == spikes(wanted)
    assert len(rooms) > 1
