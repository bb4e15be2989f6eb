"""Shares, differences and sums that a comparison is made of, against obvious formulas."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import eventsim as es
from eventsim.errors import InvalidType, InvalidValue
from eventsim.fidelity import metrics

Z = 1.959963984540054


def wilson(count: int, total: int) -> tuple[float, float]:
    """The Wilson score interval as it is printed in textbooks."""
    p = count / total
    middle = (p + Z**2 / (2 * total)) / (1 + Z**2 / total)
    half = Z / (1 + Z**2 / total) * math.sqrt(p * (1 - p) / total + Z**2 / (4 * total**2))
    return middle - half, middle + half


@pytest.mark.parametrize(("count", "total"), [(0, 5), (5, 5), (404, 500), (1, 2)])
def test_share_has_the_wilson_interval(count, total):
    share = metrics.share([True] * count + [False] * (total - count))
    assert share.value == count / total
    assert (share.low, share.high) == pytest.approx(wilson(count, total), abs=1e-12)
    oracle = stats.binomtest(count, total).proportion_ci(0.95, method="wilson")
    assert (share.low, share.high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)
    assert 0.0 <= share.low <= share.value <= share.high <= 1.0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=25))
def test_mcnemar_sums_the_tails_of_the_binomial(pairs):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    test = metrics.mcnemar(first, second)
    lost, gained = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    n = lost + gained
    chance = [Fraction(math.comb(n, k), 2**n) for k in range(n + 1)]
    p_value = sum(c for c in chance if c <= chance[lost])
    assert (test.lost, test.gained) == (lost, gained)
    assert test.p_value == pytest.approx(float(p_value))
    if n:
        assert test.p_value == pytest.approx(stats.binomtest(lost, n).pvalue)


def test_paired_difference_is_the_wald_interval_with_half_a_sample_in_each_cell():
    both, lost, gained, neither = 60, 13, 5, 22
    first = [1] * (both + lost) + [0] * (gained + neither)
    second = [1] * both + [0] * lost + [1] * gained + [0] * neither
    n, b, c = 102, lost + 0.5, gained + 0.5
    middle = (c - b) / n
    half = Z * math.sqrt((b + c) / n - middle**2) / math.sqrt(n)
    found = metrics.paired_difference(first, second)
    assert found.value == pytest.approx(-0.08)
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half))


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=30),
    st.integers(0, 30),
)
def test_count_sums_match_numpy_however_they_are_split(pairs, cut):
    x, y = np.array(pairs).T
    whole = metrics.CountSums.of(x, y)
    assert metrics.CountSums.of(x[:cut], y[:cut]) + metrics.CountSums.of(x[cut:], y[cut:]) == whole
    assert whole.bias == pytest.approx(float(np.mean(y - x)))
    assert whole.mae == pytest.approx(float(np.mean(np.abs(y - x))))
    if np.ptp(x) and np.ptp(y):
        assert whole.correlation == pytest.approx(float(np.corrcoef(x, y)[0, 1]))
    else:
        assert whole.correlation is None


@given(st.lists(st.floats(0.001, 10), max_size=30), st.integers(0, 30))
def test_moments_match_numpy_however_they_are_split(values, cut):
    moments = metrics.Moments.of(values[:cut]) + metrics.Moments.of(values[cut:])
    if not values:
        assert moments.mean is None and moments.cv is None and metrics.cv(values) is None
        return
    assert moments.n == len(values)
    assert moments.mean == pytest.approx(float(np.mean(values)))
    assert moments.cv == pytest.approx(float(np.std(values) / np.mean(values)), abs=1e-7)
    assert metrics.cv(values) == pytest.approx(moments.cv, abs=1e-7)


def test_isi_takes_each_neuron_for_itself(rng):
    times = np.sort(rng.uniform(size=60))
    senders = rng.integers(5, size=60)
    train = es.SpikeTrain(times, senders)
    expected = [b - a for k in range(5) for a, b in pairwise(times[senders == k])]
    assert metrics.isi(train).tolist() == expected
    assert metrics.isi(es.SpikeTrain([], [])).size == 0


def test_expected_accuracy_enumerates_the_winners():
    counts = np.array([[1, 1, 0], [2, 0, 1], [0, 0, 0], [0, 4, 4]])
    labels = [1, 0, 2, 0]
    assert metrics.expected_accuracy(labels, counts) == pytest.approx((1 / 2 + 1 + 1 / 3 + 0) / 4)


def test_per_class_counts_class_by_class(rng):
    labels, first, second = rng.integers(4, size=(3, 50))
    for row in metrics.per_class(labels, first, second, 6):
        here = [k for k in range(50) if labels[k] == row.label]
        assert row.samples == len(here)
        assert row.predicted == sum(second == row.label)
        if here:
            assert row.reference == sum(first[k] == row.label for k in here) / len(here)
            assert row.accuracy == sum(second[k] == row.label for k in here) / len(here)
            assert row.agreement == sum(first[k] == second[k] for k in here) / len(here)
        else:
            assert row.reference is row.accuracy is row.agreement is None


def test_nothing_is_nan_without_data():
    assert metrics.share([]) == metrics.Share(0, 0, None, 0.0, 1.0)
    assert metrics.accuracy([], []).value is None
    assert metrics.paired_difference([], []) == metrics.Difference(0.0, -1.0, 1.0)
    assert metrics.mcnemar([], []).p_value == 1.0
    assert metrics.expected_accuracy([], np.zeros((0, 3))) is None
    assert metrics.tie_share(np.zeros((0, 3), dtype=int)).value is None
    assert metrics.rate([], 1.0) is metrics.silent_share([]) is None
    assert metrics.saturated_share([], 4) is None
    empty = metrics.CountSums.of([], [])
    assert empty.bias is empty.mae is empty.correlation is None


def test_metrics_refuse_arrays_that_do_not_fit():
    with pytest.raises(InvalidValue, match="equal length"):
        metrics.agreement([0, 1], [0])
    with pytest.raises(InvalidValue, match="shape"):
        metrics.CountSums.of([0, 1], [0])
    with pytest.raises(InvalidType, match="integers"):
        metrics.CountSums.of([0.5], [1])
    with pytest.raises(InvalidValue, match="labels"):
        metrics.expected_accuracy([0], [[1, 2], [3, 4]])
