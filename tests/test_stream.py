"""Any number of samples, in order, in bounded memory: the bits of a batch."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import FileError, IncompleteRunWarning, InvalidType, InvalidValue
from eventsim.load import load_result
from eventsim.save import save_result
from eventsim.stream import simulate_stream
from eventsim.workers import run_stream

ROOT = Path(es.__file__).resolve().parent.parent
T_STOP = 8e-3


def network(seed: int = 0, delay: float = 0.0, **cells) -> es.Network:
    rng = np.random.default_rng(seed)
    cells = {"tau_mem": 4e-3, "t_ref": 1e-3, **cells}
    return es.Network(
        [es.Input("in", 12), es.Population("mid", 33, **cells), es.Population("out", 3, **cells)],
        [
            es.Dense("in", "mid", rng.normal(0.3, 0.4, (12, 33)), spread=1e-3, delay=delay),
            es.Dense("mid", "out", rng.normal(0.2, 0.3, (33, 3))),
        ],
    )


def trains(n: int, seed: int = 1) -> list[es.SpikeTrain]:
    """Samples of different lengths, every fifth one empty, times on a grid so that some tie."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(n):
        size = 0 if k % 5 == 4 else int(rng.integers(1, 60))
        times, senders = rng.integers(0, 64, size) * 1.25e-4, rng.integers(0, 12, size)
        pairs = np.unique(np.stack([times, senders]), axis=1)
        found.append(es.SpikeTrain.sorted(pairs[0], pairs[1].astype(np.int64)))
    return found


def assert_same(one: es.Result, two: es.Result) -> None:
    assert one.counts.keys() == two.counts.keys()
    for name, counts in one.counts.items():
        assert np.array_equal(counts, two.counts[name])
    assert one.spikes.keys() == two.spikes.keys()
    for name, train in one.spikes.items():
        assert np.array_equal(train.times, two.spikes[name].times)
        assert np.array_equal(train.senders, two.spikes[name].senders)
    t = np.linspace(one.t_start, one.t_reached, 50)
    assert one.v.keys() == two.v.keys()
    for name, trace in one.v.items():
        assert np.array_equal(trace.at(t), two.v[name].at(t))
    for field in ("t_start", "t_stop", "t_reached", "complete", "stop_reason", "n_events", "engine",
                  "provenance"):  # fmt: skip
        assert getattr(one, field) == getattr(two, field)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("samples", [1, 31, 32, 33, 70])
def test_a_stream_has_the_bits_of_a_batch(samples, threads):
    net, inputs = network(), trains(samples)
    options = {"record": ["mid", "out"], "record_v": {"out": [2, 0]}}
    batch = es.simulate(net, {"in": inputs}, T_STOP, threads=1, **options)
    stream = simulate_stream(net, ({"in": t} for t in inputs), T_STOP, threads=threads, **options)
    found = list(stream)
    assert len(found) == samples
    for one, two in zip(batch, found, strict=True):
        assert_same(one, two)


@pytest.mark.parametrize("engine", ["queue", "windowed"])
def test_other_engines_and_currents(engine):
    net, inputs = network(delay=1e-3), trains(7)
    currents = [{"mid": [(1e-3 * k, k, 3.0)]} for k in range(7)]
    batch = es.simulate(net, {"in": inputs}, T_STOP, currents=currents, engine=engine)
    samples = (({"in": t}, c) for t, c in zip(inputs, currents, strict=True))
    stream = es.simulate_stream(net, samples, T_STOP, engine=engine, threads=3)
    for one, two in zip(batch, stream, strict=True):
        assert one.engine == engine
        assert_same(one, two)


def test_what_is_drawn_inside_belongs_to_the_number_of_the_sample():
    net = es.Network(
        [es.Poisson("noise", 5, rate=400.0), es.Population("out", 4, tau_mem=4e-3)],
        [es.Dense("noise", "out", np.full((5, 4), 0.7))],
    )
    batch = es.simulate(net, {}, 0.05, currents=[{}] * 40, seed=3)
    found = list(simulate_stream(net, [{}] * 40, 0.05, seed=3, threads=2))
    for one, two in zip(batch, found, strict=True):
        assert_same(one, two)
    assert not np.array_equal(found[0].counts["noise"], found[1].counts["noise"])


def test_nothing_gives_nothing():
    assert list(simulate_stream(network(), [], T_STOP)) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_samples_are_drawn_when_they_are_needed(threads):
    drawn = 0

    def samples():
        nonlocal drawn
        for train in trains(500):
            drawn += 1
            yield {"in": train}

    stream = simulate_stream(network(), samples(), T_STOP, threads=threads)
    assert drawn == 0
    for handed_out, _ in enumerate(stream):
        assert drawn <= handed_out + 32 * (threads + 2)
        if handed_out == 100:
            break
    before, alive = drawn, threading.active_count()
    stream.close()
    assert drawn == before < 500
    assert threading.active_count() <= alive


def test_a_bad_sample_comes_after_the_results_before_it():
    samples = [{"in": train} for train in trains(60)]
    samples[40] = {"in": ([1e-3], [12])}
    found: list[es.Result] = []
    with pytest.raises(InvalidValue, match=r"samples\[40\].*below 12"):
        found.extend(simulate_stream(network(), samples, T_STOP, threads=2))
    assert [result.complete for result in found] == [True] * 40


def test_bad_arguments_are_refused_before_anything_runs():
    net = network()
    with pytest.raises(InvalidType, match="iterable"):
        simulate_stream(net, {"in": trains(1)}, T_STOP)
    with pytest.raises(InvalidType, match="iterable"):
        simulate_stream(net, 3, T_STOP)
    with pytest.raises(InvalidValue, match="engine"):
        simulate_stream(net, [], T_STOP, engine="fast")
    with pytest.raises(InvalidValue, match="threads"):
        simulate_stream(net, [], T_STOP, threads=0)
    with pytest.raises(InvalidType, match=r"samples\[0\]"):
        next(simulate_stream(net, [[1.0]], T_STOP))
    with pytest.raises(InvalidType, match=r"samples\[0\].*list"):
        next(simulate_stream(net, [{"in": trains(2)}], T_STOP))


def test_an_incomplete_run_is_told_once():
    samples = [{"in": train} for train in trains(4)]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = list(simulate_stream(network(), samples, T_STOP, max_events=20, engine="queue"))
    assert [result.complete for result in found].count(False) > 1
    assert [item.category for item in said] == [IncompleteRunWarning]


def test_ctrl_c_hands_out_what_was_drawn():
    begun, go_on = threading.Event(), threading.Event()

    def slow(work, interrupted):
        if work == 1:
            begun.set()
            go_on.wait(10.0)
            return f"{work}: {interrupted()}"
        return f"{work}: done"

    def works():
        yield from (0, 1, 2)
        begun.wait(10.0)
        threading.Timer(0.05, go_on.set).start()
        raise KeyboardInterrupt

    found = []
    with pytest.raises(KeyboardInterrupt):
        for item in run_stream(works(), slow, threads=2):
            found.append(item)
    assert [work for work, _ in found] == [0, 1, 2]
    assert found[0] == (0, "0: done")
    assert found[1] == (1, "1: True")


def test_an_error_of_the_function_comes_in_its_place():
    def divide(work, _):
        return 12 // work

    stream = run_stream([3, 2, 0, 1], divide, threads=3)
    assert next(stream) == (3, 4)
    assert next(stream) == (2, 6)
    with pytest.raises(ZeroDivisionError):
        next(stream)


# Into files


@pytest.mark.parametrize("samples", [1, 32, 75])
def test_a_growing_file_is_that_of_the_batch(tmp_path, samples):
    net, inputs = network(), trains(samples)
    options = {"record_v": {"out": [1]}}
    batch = es.simulate(net, {"in": inputs}, T_STOP, **options)
    stream = simulate_stream(net, ({"in": train} for train in inputs), T_STOP, **options)
    grown = load_result(save_result(stream, tmp_path / "grown.h5"))
    whole = load_result(save_result(es.Results(list(batch)), tmp_path / "whole.h5"))
    assert type(grown) is type(whole) is es.Results and len(grown) == samples
    assert grown[0].network.fingerprint() == net.fingerprint()
    for one, two, three in zip(batch, grown, whole, strict=True):
        assert_same(one, two)
        assert_same(two, three)


def test_counts_alone_and_silent_samples(tmp_path):
    net = network()
    stream = simulate_stream(net, ({} for _ in range(40)), T_STOP, record="counts")
    found = load_result(save_result(stream, tmp_path / "counts.h5"))
    assert found.counts["out"].shape == (40, 3) and not found.counts["out"].any()
    assert found[0].spikes == {}


def test_provenance_may_differ(tmp_path):
    first, second = es.simulate(network(), {"in": trains(2)}, T_STOP)
    object.__setattr__(second, "provenance", {"note": "another"})
    found = load_result(save_result(iter([first, second, first]), tmp_path / "run.h5"))
    assert [item.provenance for item in found] == [
        item.provenance for item in (first, second, first)
    ]


def test_what_does_not_fit_leaves_no_file(tmp_path):
    path = tmp_path / "run.h5"
    one = es.simulate(network(), {}, T_STOP)
    other = es.simulate(network(seed=3), {}, T_STOP)
    counts = es.simulate(network(), {}, T_STOP, record="counts")
    with pytest.raises(InvalidValue, match=r"results\[.*network"):
        save_result(iter([one, other]), path)
    with pytest.raises(InvalidValue, match=r"results\[1\].spikes"):
        save_result(iter([one, counts]), path)
    with pytest.raises(InvalidValue, match="at least one"):
        save_result(iter([]), path)
    with pytest.raises(InvalidType, match="int"):
        save_result(iter([one, 3]), path)
    with pytest.raises(InvalidValue, match="HDF5"):
        save_result(iter([one]), tmp_path / "run.npz")
    assert list(tmp_path.iterdir()) == []
    path.write_text("mine")
    with pytest.raises(FileError, match="existing"):
        save_result(iter([one]), path)
    assert path.read_text() == "mine"


def test_ctrl_c_keeps_the_results_before_it(tmp_path):
    inputs = trains(50)

    def stopped():
        yield from es.simulate(network(), {"in": inputs}, T_STOP)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_result(stopped(), tmp_path / "run.h5")
    assert len(load_result(tmp_path / "run.h5")) == 50


# Memory

MEASURE = """
import resource, sys
import numpy as np
import eventsim as es
from eventsim.encode import encode, to_spike_trains
from eventsim.save import save_result

net, disc = es.load("data/hidden.h5")
rng = np.random.default_rng(0)

def samples(n):
    for k in range(n):
        x = encode(rng.random((1, 784)), disc, sample_ids=[k])
        yield {net.inputs[0]: to_spike_trains(x, disc.dt, sample_ids=[k])[0]}

def run(n):
    stream = es.simulate_stream(net, samples(n), disc.duration, threads=2)
    save_result(stream, sys.argv[1], overwrite=True)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

few = run(100)
print(run(1000) - few)
"""


def test_memory_does_not_grow_with_the_number_of_samples(tmp_path):
    """900 more samples, whose spikes take 30 MiB, need less than 8 MiB more."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "run.h5")], cwd=ROOT, check=True,
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert float(done.stdout) < 8.0
    spikes = sum(len(t) for r in load_result(tmp_path / "run.h5") for t in r.spikes.values())
    assert 16 * spikes * 0.9 > 24 * 2**20


@pytest.mark.parametrize("delay", [0.0, 3e-3])
def test_a_long_session_that_counts_holds_only_what_is_under_way(delay):
    """Recurrent and driven without end: it holds as much late as early, but for numba's crumbs."""
    net = network(delay=delay, i_bias=2.0)
    links = [*net.projections, es.Dense("out", "mid", np.full((3, 33), -0.2), delay=2e-3)]
    session = es.Network(net.populations, links).session(record="counts")
    rng, held, spikes = np.random.default_rng(0), [], []
    tracemalloc.start()
    for k in range(60):
        times = np.sort(rng.uniform(0.1 * k, 0.1 * (k + 1), 500))
        session.inject("in", times, np.arange(500) % 12)
        assert session.run_until(0.1 * (k + 1))
        held.append(tracemalloc.get_traced_memory()[0])
        spikes.append(sum(int(counts.sum()) for counts in session.counts.values()))
    tracemalloc.stop()
    assert 16 * (spikes[59] - spikes[29]) > 2**20  # times and units, if they were kept
    assert max(held[30:]) < max(held[:30]) + 2**16
