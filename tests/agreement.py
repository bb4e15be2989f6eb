"""Runs of a drawn problem, and what it is for two of them to agree."""

from __future__ import annotations

import numpy as np
from hypothesis import assume

import eventsim as es
from tests import naive
from tests.strategies import Problem

#: A decision nearer than so many rounding errors may fall either way; such a draw is thrown away.
DECIDED = 1000.0
#: Times of drive-caused spikes agree to so many rounding errors; others are copies.
CLOSE = 20.0


def reference(problem: Problem) -> naive.NaiveResult:
    """The naive result, where it is decided."""
    try:
        result = naive.simulate(
            problem.net,
            problem.inputs,
            problem.t_stop,
            currents=problem.currents,
            max_events=20_000,
        )
    except naive.Runaway:
        assume(False)
    assume(result.margin > DECIDED)
    return result


def run(problem: Problem, engine: str = "queue", **options):
    return es.simulate(
        problem.net,
        problem.inputs,
        problem.t_stop,
        currents=problem.currents,
        engine=engine,
        **options,
    )


def assert_agrees(problem: Problem, expected: naive.NaiveResult, result: es.Result) -> None:
    """Same spikes of each neuron, same times within their errors."""
    assert result.complete
    assert result.n_events == expected.n_events
    for p in problem.net:
        wanted: list[list[tuple[float, float]]] = [[] for _ in range(p.n)]
        for (t, i), error in zip(expected.spikes[p.name], expected.errors[p.name], strict=True):
            wanted[i].append((t, error))
        train = result.spikes[p.name]
        assert np.array_equal(result.counts[p.name], [len(w) for w in wanted]), p.name
        for i, spikes in enumerate(wanted):
            got = train.of(i)
            for t, (exact, error) in zip(got, spikes, strict=True):
                assert abs(t - exact) <= CLOSE * error, (p.name, i, t, exact, error)
        keys = list(zip(train.times.tolist(), train.senders.tolist(), strict=True))
        assert keys == sorted(keys)


def assert_same_bits(a: es.Result, b: es.Result, names=None) -> None:
    for name in a.spikes if names is None else names:
        assert a.spikes[name].times.tobytes() == b.spikes[name].times.tobytes(), name
        assert a.spikes[name].senders.tobytes() == b.spikes[name].senders.tobytes(), name
    for name in a.counts:
        assert np.array_equal(a.counts[name], b.counts[name]), name
