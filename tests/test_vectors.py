"""Blocks in registers against numpy, and the order of spikes of a batch."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.engine.batch import Batch, in_order, merge
from eventsim.engine.lanes import OP, SPIKE
from eventsim.jit import njit
from eventsim.recording import SpikeTrain
from eventsim.vectors import (
    BLOCK,
    PART,
    absolute,
    add,
    any_at_least,
    at_least,
    blend,
    count_below,
    first_lane,
    fma,
    lesser,
    load,
    mul,
    prefetch,
    put,
    some_at_least,
    splat,
    store,
)

NUMBERS = st.floats(-4.0, 4.0) | st.sampled_from([0.0, 1.0, -np.inf, np.inf])
BLOCKS = st.lists(NUMBERS, min_size=BLOCK, max_size=BLOCK).map(np.array)
FINITE = st.lists(st.floats(-1e3, 1e3), min_size=BLOCK, max_size=BLOCK).map(np.array)


@njit
def work(a, b, c, lanes, x, out):
    p, q, r = load(a, 0), load(b, 0), load(c, 0)
    store(out, 0, fma(p, q, r))
    store(out, BLOCK, add(p, q))
    store(out, 2 * BLOCK, mul(p, q))
    store(out, 3 * BLOCK, put(p, lanes, q))
    store(out, 4 * BLOCK, splat(x))
    return at_least(p, q), any_at_least(p, q), some_at_least(p, q)


@given(FINITE, FINITE, FINITE, st.integers(0, 2**BLOCK - 1), st.floats(-9.0, 9.0))
def test_arithmetic_is_that_of_ieee(a, b, c, lanes, x):
    out = np.full(5 * BLOCK + 1, 7.0)
    work(a, b, c, lanes, x, out)
    exact = [
        float(Fraction(p) * Fraction(q) + Fraction(r)) for p, q, r in zip(a, b, c, strict=True)
    ]
    assert np.array_equal(out[:BLOCK], exact)
    assert np.array_equal(out[BLOCK : 2 * BLOCK], a + b)
    assert np.array_equal(out[2 * BLOCK : 3 * BLOCK], a * b)
    changed = [b[k] if (lanes >> k) & 1 else a[k] for k in range(BLOCK)]
    assert np.array_equal(out[3 * BLOCK : 4 * BLOCK], changed)
    assert np.array_equal(out[4 * BLOCK :], [x] * BLOCK + [7.0])


@njit
def bounds(a, b, out):
    prefetch(a, BLOCK - 1)
    prefetch(b, 0)
    store(out, 0, absolute(load(a, 0)))
    store(out, BLOCK, lesser(load(a, 0), load(b, 0)))


@given(BLOCKS, BLOCKS)
def test_absolute_values_and_lesser_numbers(a, b):
    out = np.empty(2 * BLOCK)
    bounds(a, b, out)
    assert np.array_equal(out[:BLOCK], np.abs(a))
    assert np.array_equal(out[BLOCK:], np.minimum(a, b))


@given(BLOCKS, BLOCKS)
def test_comparisons_name_the_lanes(a, b):
    lanes, some, number = work(a, b, np.zeros(BLOCK), 0, 0.0, np.empty(5 * BLOCK))
    assert [(lanes >> k) & 1 for k in range(BLOCK)] == (a >= b).tolist()
    assert lanes >> BLOCK == 0
    assert some == (a >= b).any()
    assert (0 < number < 256) == some


@pytest.mark.parametrize("lane", range(BLOCK))
def test_one_lane_alone_is_found(lane):
    a = np.zeros(BLOCK)
    a[lane] = 1.0
    lanes, some, number = work(a, np.ones(BLOCK), a, 0, 0.0, np.empty(5 * BLOCK))
    assert some and number > 0
    assert lowest(lanes) == lane


@njit
def lowest(lanes):
    return first_lane(lanes)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 9), st.integers(1, 2)),
        max_size=60,
    )
)
def test_spikes_of_buckets_are_sorted(spikes):
    """Any order of discovery, times and buckets, with spikes that count twice."""
    found = np.zeros(len(spikes), SPIKE)
    for row, (bucket, time, unit, times) in zip(found, spikes, strict=True):
        row["bucket"], row["time"], row["unit"], row["times"] = bucket, time, unit, times
    times, units, at = in_order(found, 5, False)
    rows = sorted((b, t, u) for b, t, u, count in spikes for _ in range(count))
    assert times.tolist() == [t for _, t, _ in rows]
    assert units.tolist() == [u for _, _, u in rows]
    assert at[:6].tolist() == [sum(b < k for b, _, _ in rows) for k in range(6)]


TRAINS = st.lists(
    st.sets(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=8), min_size=1, max_size=4
)


@given(TRAINS)
def test_batch_keeps_its_trains(trains):
    rows = [sorted(t) for t in trains]
    batch = Batch.of([SpikeTrain([t for t, _ in r], [i for _, i in r]) for r in rows])
    assert len(batch) == len(rows)
    for k, r in enumerate(rows):
        assert batch[k].times.tolist() == [t for t, _ in r]
        assert batch[k].senders.tolist() == [i for _, i in r]
        assert batch.counts(4)[k].tolist() == [sum(i == n for _, i in r) for n in range(4)]


@given(TRAINS, st.randoms(use_true_random=False))
def test_merge_sorts_in_each_sample(trains, random):
    parts = [[], []]
    for train in trains:
        halves = [[], []]
        for spike in sorted(train):
            halves[random.random() < 0.5].append(spike)
        for part, half in zip(parts, halves, strict=True):
            part.append(half)
    tables = []
    for kind, part in enumerate(parts):
        rows = [(time, row, kind) for sample in part for time, row in sample]
        tables += [np.array(rows, OP), np.cumsum([0, *map(len, part)])]
    ops, bounds = merge(*tables)
    for k, train in enumerate(trains):
        mine = ops[bounds[k] : bounds[k + 1]]
        assert list(zip(mine["time"], mine["row"], strict=True)) == sorted(train)


@njit
def mixed(lanes, a, b, out):
    store(out, 0, blend(lanes, load(a, 0), load(b, 0)))


@given(BLOCKS, BLOCKS, st.integers(0, 2**BLOCK - 1))
def test_a_blend_takes_lanes_from_two_blocks(a, b, lanes):
    out = np.full(BLOCK + 1, 7.0)
    mixed(lanes, a, b, out)
    chosen = np.array([lanes >> k & 1 for k in range(BLOCK)], bool)
    assert np.array_equal(out, [*np.where(chosen, a, b), 7.0])


@njit
def below(keys, index, key):
    return count_below(keys, index, key)


@given(
    st.lists(st.integers(-3, 3) | st.integers(-(2**62), 2**62), min_size=PART, max_size=3 * PART),
    st.data(),
)
def test_keys_below_another_are_counted(keys, data):
    index = data.draw(st.integers(0, len(keys) - PART))
    key = data.draw(st.sampled_from(keys))
    expected = sum(k < key for k in keys[index : index + PART])
    assert below(np.array(keys, np.int64), index, key) == expected


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 31, 33, 1000]), st.booleans())
def test_spikes_are_sorted_by_time_and_unit(seed, n, grid):
    """Spread over time, at few instants, and all at one."""
    rng = np.random.default_rng(seed)
    found = np.zeros(n, SPIKE)
    found["time"] = rng.uniform(0.0, 1.0, n) * 10.0 ** rng.integers(-300, 3)
    if grid:
        found["time"] = np.round(rng.uniform(0.0, rng.choice([0.0, 3.0, 40.0]), n))
    found["unit"], found["bucket"] = rng.integers(0, 50, n), rng.integers(0, 3, n)
    found["times"] = rng.integers(1, 3, n)
    times, units, begins = in_order(found, 3, False)
    for bucket in range(3):
        part = np.repeat(found, found["times"])
        part = part[part["bucket"] == bucket]
        part = part[np.lexsort((part["unit"], part["time"]))]
        mine = slice(begins[bucket], begins[bucket + 1])
        assert np.array_equal(times[mine], part["time"])
        assert np.array_equal(units[mine], part["unit"])
