"""Steps of currents are put in order, and what is wrong with them is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.current_steps import ordered_steps

N, T_FROM = 40, 0.5


@st.composite
def steps(draw: Any) -> np.ndarray:
    """Rows in any order: times spread out, few, crowded in a corner, or as dense as can be."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))
    size = draw(st.sampled_from([0, 1, 2, 31, 200, 1000]), label="size")
    times = {
        "spread": lambda: rng.uniform(T_FROM, 2.0, size),
        "few": lambda: rng.choice([T_FROM, 0.75, 2.0], size),
        "corner": lambda: np.append(T_FROM + rng.uniform(0.0, 1e-12, size), 1e9)[:size],
        "far": lambda: T_FROM + 1e300 * rng.random(size) ** 40,
        "dense": lambda: T_FROM + np.spacing(T_FROM) * rng.integers(0, 9, size),
        "one": lambda: np.full(size, T_FROM),
    }[draw(st.sampled_from(["spread", "few", "corner", "far", "dense", "one"]), label="times")]()
    rows = np.column_stack([times, rng.integers(0, N, size), rng.normal(size=size)])
    rows = rows[np.unique(rows[:, :2], axis=0, return_index=True)[1]]
    order = draw(st.sampled_from(["sorted", "reversed", "any"]), label="order")
    return {"sorted": rows, "reversed": rows[::-1], "any": rng.permutation(rows)}[order].copy()


def by_time(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


@given(steps())
def test_order_is_that_of_time_and_neuron(rows):
    np.testing.assert_array_equal(ordered_steps(rows, N, T_FROM), by_time(rows))


def test_many_at_one_time_in_descending_order():
    n = 20_000
    rows = np.column_stack([np.full(n, T_FROM), np.arange(n)[::-1], np.arange(n)]).astype(float)
    np.testing.assert_array_equal(ordered_steps(rows, n, T_FROM), rows[::-1])


@given(steps(), st.integers(0, 2**32 - 1))
def test_two_steps_of_a_neuron_at_one_time_are_found(rows, seed):
    rng = np.random.default_rng(seed)
    if len(rows):
        again = rows[rng.integers(len(rows))] + [0.0, 0.0, 1.0]
        assert ordered_steps(rng.permutation(np.vstack([rows, again])), N, T_FROM) is None


@pytest.mark.parametrize("column, bad", [
    (0, np.nextafter(T_FROM, 0.0)), (0, np.nan), (0, np.inf), (0, -np.inf),
    (1, -1.0), (1, float(N)), (1, 0.5), (1, np.nan), (1, np.inf),
    (2, np.nan), (2, np.inf), (2, -np.inf),
])  # fmt: skip
@pytest.mark.parametrize("place", [0, 17, 99])
def test_a_wrong_row_is_found(column, bad, place):
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.uniform(T_FROM, 1.0, 100), rng.integers(0, N, 100), np.ones(100)])
    assert ordered_steps(rows, N, T_FROM) is not None
    rows[place, column] = bad
    assert ordered_steps(rows, N, T_FROM) is None
