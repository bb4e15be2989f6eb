"""All-to-all layers of the layered engine against the queue engine and the naive simulator.

Blocks hold 32 neurons, so the sizes stand at the borders of blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import eventsim as es
from tests import naive

SIZES = (1, 2, 31, 32, 33, 63, 64, 65)
BORDERS = (0, 30, 31, 32, 33, 63, 64)
INF = float("inf")
T_STOP = 8.0

#: Crossings that drive causes agree to so many seconds; other spikes are copies of arrivals.
CLOSE = 1e-9


@dataclass
class Layers:
    """A chain of layers and what two samples of it get."""

    net: es.Network
    trains: list[es.SpikeTrain]
    currents: list[dict[str, list[tuple[float, int, float]]]]
    exact: bool  # nothing but deltas

    def __repr__(self) -> str:
        trains = [(t.times.tolist(), t.senders.tolist()) for t in self.trains]
        return f"Layers({self.net.populations}, {self.net.projections}, {trains}, {self.currents})"


@st.composite
def layers(draw: Any, sizes: tuple[int, ...] = SIZES, grid: bool = False) -> Layers:
    """One or two layers; on a grid arrivals coincide, and sums and asymptotes meet thresholds."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))
    kind = draw(st.sampled_from(["deltas", "pulses", "both"]), label="arrivals")
    drive = draw(st.sampled_from(["none", "bias", "steps"]), label="drive")
    single = draw(st.booleans(), label="float32")
    n_inputs = draw(st.sampled_from([1, 5, 40]), label="inputs")

    def weights(*shape: int) -> np.ndarray:
        w = rng.uniform(-0.6, 1.0, shape) * 2.0 / np.sqrt(shape[0])
        w = np.round(w * 8) / 8 if grid else w
        return w.astype(np.float32) if single else w

    def spread() -> float:
        if kind == "deltas" or (kind == "both" and rng.random() < 0.5):
            return 0.0
        return float(rng.choice([0.5, 1.0]) if grid else rng.uniform(0.1, 2.0))

    def times(size: int) -> np.ndarray:
        t = rng.uniform(0.0, 1.05 * T_STOP, size)
        return np.round(t * 4) / 4 if grid else t

    def population(name: str, n: int) -> es.Population:
        uneven = not grid and rng.random() < 0.5
        parameters: dict[str, Any] = {
            "tau_mem": float(rng.choice([INF, 2.0, 5.0])),
            "v_threshold": rng.uniform(0.5, 1.2, n) if uneven else float(rng.choice([0.5, 1.0])),
            "v_reset": rng.uniform(-0.3, 0.2, n) if uneven else float(rng.choice([0.0, -0.25])),
            "t_ref": rng.choice([0.0, 0.5, 1.0], n) if uneven else float(rng.choice([0.0, 0.5])),
            "fires_at_equality": bool(rng.random() < 0.5),
        }
        if rng.random() < 0.3:
            parameters |= {"reset": "subtract", "multi_spike": True}
        if rng.random() < 0.3:
            parameters["v_init"] = rng.choice([-0.5, 0.25, 1.0, 1.5], n)
        if drive == "bias":
            parameters["i_bias"] = rng.choice([-0.25, 0.0, 0.25, 0.5], n)
        return es.Population(name, n, **parameters)

    first = draw(st.sampled_from(sizes), label="size")
    populations: list[Any] = [es.Input("in", n_inputs), population("a", first)]
    links = [es.Dense("in", "a", weights(n_inputs, first), spread=spread())]
    if draw(st.booleans(), label="second projection"):
        links.append(es.Dense("in", "a", weights(n_inputs, first), spread=spread()))
    if draw(st.booleans(), label="second layer"):
        second = draw(st.sampled_from(sizes), label="second size")
        populations.append(population("b", second))
        links.append(es.Dense("a", "b", weights(first, second), spread=spread()))
    trains, currents = [], []
    for _ in range(2):
        size = int(rng.integers(0, 40))
        spikes = set(zip(times(size), rng.integers(n_inputs, size=size), strict=True))
        rows = sorted(spikes)
        trains.append(es.SpikeTrain([t for t, _ in rows], [i for _, i in rows]))
        steps = set()
        if drive == "steps":
            steps = set(zip(times(20), rng.integers(first, size=20), strict=True))
        values = rng.choice([-0.5, 0.0, 0.5, 1.0], len(steps))
        currents.append({"a": [(t, i, x) for (t, i), x in zip(sorted(steps), values, strict=True)]})
    exact = drive == "none" and not any(link.spread for link in links)
    return Layers(es.Network(populations, links), trains, currents, exact)


def run(problem: Layers, engine: str) -> es.Results:
    results = es.simulate(
        problem.net, {"in": problem.trains}, T_STOP, currents=problem.currents, engine=engine
    )
    assert isinstance(results, es.Results)
    return results


def assert_same_spikes(problem: Layers, wanted: es.Result, got: es.Result) -> None:
    assert got.n_events == wanted.n_events
    for name in wanted.spikes:
        expected, train = wanted.spikes[name], got.spikes[name]
        assert np.array_equal(got.counts[name], wanted.counts[name]), name
        keys = list(zip(train.times.tolist(), train.senders.tolist(), strict=True))
        assert keys == sorted(keys)
        if problem.exact:
            assert np.array_equal(train.times, expected.times)
            assert np.array_equal(train.senders, expected.senders)
        else:
            mine = np.lexsort((train.times, train.senders))
            other = np.lexsort((expected.times, expected.senders))
            assert np.allclose(train.times[mine], expected.times[other], rtol=0.0, atol=CLOSE)


def assert_agrees(expected: naive.NaiveResult, got: es.Result) -> None:
    """The spikes of the naive simulator, whose lists are in no order of neurons."""
    for name, spikes in expected.spikes.items():
        train = got.spikes[name]
        wanted = sorted((i, t) for t, i in spikes)
        order = np.lexsort((train.times, train.senders))
        assert train.senders[order].tolist() == [i for i, _ in wanted], name
        assert np.allclose(train.times[order], [t for _, t in wanted], rtol=0.0, atol=CLOSE)


@settings(max_examples=30)  # the queue engine is slow on layers of this size
@given(layers())
def test_blocks_agree_with_queue(problem):
    for wanted, got in zip(run(problem, "queue"), run(problem, "layered"), strict=True):
        assert_same_spikes(problem, wanted, got)


@settings(max_examples=8)  # the naive simulator is slow
@given(layers(sizes=(1, 31, 32, 33), grid=True))
def test_blocks_agree_with_naive_on_a_grid(problem):
    expected = []
    for train, currents in zip(problem.trains, problem.currents, strict=True):
        try:
            expected.append(
                naive.simulate(
                    problem.net, {"in": train}, T_STOP, currents=currents, max_events=50_000
                )
            )
        except naive.Runaway:
            assume(False)
    # No decision stands within rounding of its threshold.
    assume(all(result.margin > 1000.0 for result in expected))
    for exact, wanted, got in zip(
        expected, run(problem, "queue"), run(problem, "layered"), strict=True
    ):
        assert_agrees(exact, got)
        assert_same_spikes(problem, wanted, got)


@given(st.booleans().flatmap(lambda grid: layers(grid=grid)))
def test_a_batch_gives_the_bits_of_its_samples(problem):
    together = run(problem, "layered")
    for k, (train, currents) in enumerate(zip(problem.trains, problem.currents, strict=True)):
        alone = es.simulate(problem.net, {"in": train}, T_STOP, currents=currents, engine="layered")
        for name in alone.spikes:
            assert alone.spikes[name].times.tobytes() == together[k].spikes[name].times.tobytes()
            assert np.array_equal(alone.spikes[name].senders, together[k].spikes[name].senders)


@pytest.mark.parametrize("spread", [0.0, 1.5e-3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_thousand_neurons(spread, dtype):
    rng = np.random.default_rng(3)
    n, times = 1000, np.round(rng.uniform(0.0, 0.02, 800), 4)  # about 4 spikes an instant
    spikes = sorted(set(zip(times.tolist(), rng.integers(100, size=800).tolist(), strict=True)))
    net = es.Network(
        [
            es.Input("in", 100),
            es.Population("a", n, tau_mem=8e-3, t_ref=rng.choice([0.0, 1e-3, 2e-3], n)),
            es.Population("b", n, tau_mem=8e-3, t_ref=2e-3),
        ],
        [
            es.Dense("in", "a", rng.normal(0.05, 0.2, (100, n)).astype(dtype), spread=spread),
            es.Dense("a", "b", rng.normal(0.0, 0.05, (n, n)).astype(dtype), spread=spread),
        ],
    )
    train = es.SpikeTrain([t for t, _ in spikes], [i for _, i in spikes])
    problem = Layers(net, [train], [{}], exact=spread == 0.0)
    wanted = es.simulate(net, {"in": train}, 0.02, engine="queue")
    assert min(wanted.counts["a"].sum(), wanted.counts["b"].sum()) > 2000
    assert_same_spikes(problem, wanted, es.simulate(net, {"in": train}, 0.02, engine="layered"))


@pytest.mark.parametrize("n", [1, 31, 32, 33, 65])
@pytest.mark.parametrize("spread", [0.0, 2.0**-12])
@pytest.mark.parametrize("late", [-1, 0, 1])
def test_arrivals_around_the_end_of_refractoriness(n, spread, late):
    """One arrival just before, at, or just after the end; more arrivals in the same instant."""
    t_ref = 0.3 + np.arange(n) * 0.01  # each neuron has its own end
    first = 0.1
    ends = first + t_ref
    chosen = [k for k in BORDERS if k < n]
    at = np.array([np.nextafter(ends[k], late * INF) if late else ends[k] for k in chosen])
    weight = np.zeros((len(chosen) + 2, n))
    weight[-1] = 1.0  # makes all fire at first
    for row, k in enumerate(chosen):
        weight[row, k] = 1.0 if spread == 0.0 else 1.5
    weight[-2, :] = 1e-3  # comes along with each of them
    rows = [(first, len(chosen) + 1)]
    for row, t in enumerate(at):
        rows += [(t, row), (t, len(chosen))]
    rows.sort()
    net = es.Network(
        [
            es.Input("in", len(weight)),
            es.Population("a", n, tau_mem=50.0, v_threshold=0.999, t_ref=t_ref),
        ],
        [
            es.Dense("in", "a", np.where(np.arange(len(weight))[:, None] < len(chosen), 0, weight)),
            es.Dense(
                "in",
                "a",
                np.where(np.arange(len(weight))[:, None] < len(chosen), weight, 0),
                spread=spread,
            ),
        ],
    )
    train = es.SpikeTrain([t for t, _ in rows], [i for _, i in rows])
    wanted = es.simulate(net, {"in": train}, 2.0, engine="queue")
    got = es.simulate(net, {"in": train}, 2.0, engine="layered")
    assert_same_spikes(Layers(net, [train], [{}], exact=spread == 0.0), wanted, got)
    again = (got.counts["a"][chosen] == 2).tolist()
    # A pulse loses only what falls into refractoriness, which here is a rounding error.
    assert again == [late >= 0 or spread > 0.0] * len(chosen)


@pytest.mark.parametrize("n", [31, 33])
def test_sums_of_pulses_stay_clean(n):
    """Thousands of overlapping pulses, so that their sum is taken afresh; then silence."""
    rng = np.random.default_rng(5)
    times = np.arange(6000) * 1e-3
    weight = rng.normal(0.05, 0.4, (7, n))
    net = es.Network(
        [es.Input("in", 7), es.Population("a", n, tau_mem=0.02, t_ref=2e-3)],
        [es.Dense("in", "a", weight, spread=3.5e-3)],
    )
    train = es.SpikeTrain(times, rng.integers(7, size=times.size))
    wanted = es.simulate(net, {"in": train}, 7.0, engine="queue")
    got = es.simulate(net, {"in": train}, 7.0, engine="layered")
    assert wanted.counts["a"].sum() > 1000
    assert_same_spikes(Layers(net, [train], [{}], exact=False), wanted, got)


@pytest.mark.parametrize("value", [0.8, 1.5])  # where it leads: below threshold, and above
def test_layers_that_hear_no_spikes_follow_their_currents(value):
    net = es.Network(
        [
            es.Population("first", 3, tau_mem=10e-3, t_ref=1e-3),
            es.Population("out", 2, tau_mem=10e-3),
        ],
        [es.Dense("first", "out", np.full((3, 2), 0.4))],
    )
    steps = {"first": [(1e-3 * k, k, value) for k in range(3)]}
    layered, queue = (
        es.simulate(net, {}, 0.05, currents=steps, engine=engine) for engine in ("layered", "queue")
    )
    assert (layered.counts["first"].sum() > 0) == (value > 1.0)
    for name in ("first", "out"):
        ours, theirs = layered.spikes[name], queue.spikes[name]
        np.testing.assert_allclose(ours.times, theirs.times, rtol=1e-14)
        np.testing.assert_array_equal(ours.senders, theirs.senders)
