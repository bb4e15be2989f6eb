"""The list of one source of pulses is that of the operations that it stands for, bit by bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.engine.arrivals import FRESH, arrivals, operations, pulse_arrivals
from eventsim.engine.batch import Batch
from eventsim.engine.state import STEP

#: Times of samples, on a grid so that begins and ends coincide, or not; also none at all.
TIMES = st.lists(
    st.lists(st.integers(0, 40).map(lambda k: k / 4) | st.floats(0.0, 10.0), max_size=60),
    min_size=1,
    max_size=4,
)


def batch_of(samples: list[list[float]], n: int, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    trains = [sorted((t, int(rng.integers(n))) for t in times) for times in samples]
    rows = list(itertools.chain(*trains))
    return Batch(
        np.array([t for t, _ in rows], dtype=np.float64),
        np.array([k for _, k in rows], dtype=np.int64),
        np.cumsum([0, *map(len, trains)], dtype=np.int64),
    )


def check(batch: Batch, spread: float, tau: float, t_stop: float) -> None:
    none = np.zeros(batch.bounds.size, np.int64)
    ops, bounds = operations(
        (("source", 0, spread),), {"source": batch}, np.zeros(0, dtype=STEP), none
    )
    wanted = arrivals(ops, bounds, tau, 0.0, t_stop, True)
    found = pulse_arrivals(batch, spread, tau, 0.0, t_stop)
    assert found[1].tolist() == wanted[1].tolist()
    assert found[0].tobytes() == wanted[0].tobytes()


@given(
    TIMES,
    st.sampled_from([1, 3, 50]),
    st.sampled_from([1e-20, 0.1, 0.25, 1.0, 30.0]),
    st.sampled_from([1e-3, 3.0, np.inf]),
    st.sampled_from([2.5, 8.0, 100.0]),
    st.integers(0, 2**32 - 1),
)
def test_pulses_are_listed_as_their_operations_are(samples, n, spread, tau, t_stop, seed):
    check(batch_of(samples, n, seed), spread, tau, t_stop)


@pytest.mark.parametrize("grid", [1e-9, 1 / 64, 1.0])
def test_sums_are_taken_afresh_at_the_same_instants(grid):
    rng = np.random.default_rng(3)
    sizes = (5000, 0, 1, 2100, 9000)
    samples = [(rng.uniform(0.0, 30.0, size) // grid * grid).tolist() for size in sizes]
    batch = batch_of(samples, 20, 1)
    for t_stop in (25.0, 30.25, 40.0):
        check(batch, 0.5 if grid < 1.0 else 1.5, 3.0, t_stop)
    table, _ = pulse_arrivals(batch, 1.5, 3.0, 0.0, 40.0)
    assert (table["kind"] >= FRESH).any()
