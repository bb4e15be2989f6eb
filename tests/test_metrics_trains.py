"""Metrics of two trains against naive twins, closed forms and the laws that hold for them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

import eventsim as es
from eventsim.errors import InvalidType, InvalidValue
from eventsim.fidelity import metrics

T = 1.0
COST, TAU, WINDOW = 7.0, 0.1, 0.11

#: Half of the times are on a grid, where spikes coincide and windows are met exactly.
moments = st.one_of(st.integers(0, 16).map(lambda k: k / 16), st.floats(0, T, width=32))
trains = st.lists(moments, max_size=9).map(sorted)
distinct = st.lists(moments, max_size=9, unique=True).map(sorted)


def vp(x, y, q=COST):
    return metrics.victor_purpura_distance(x, y, cost_factor=q)


def vr(x, y, tau=TAU):
    return metrics.van_rossum_distance(x, y, time_constant=tau)


def isi_distance(x, y):
    return metrics.isi_distance(x, y, t_stop=T)


def spike_distance(x, y):
    return metrics.spike_distance(x, y, t_stop=T)


def f1(x, y):
    return metrics.coincidence_f1(x, y, window=WINDOW)


DISTANCES = [vp, vr, isi_distance, spike_distance]


def assign(cost):
    """Least sum of one entry for each row and column, and the entries."""
    rows, columns = linear_sum_assignment(cost)
    return cost[rows, columns].sum(), rows, columns


def naive_victor_purpura(x, y, q):
    """Each spike goes to one of the other train or to nothing, at the cost of 1."""
    n, m = len(x), len(y)
    cost = np.zeros((n + m, n + m))
    cost[:n, :m] = [[q * abs(a - b) for b in y] for a in x] if n and m else 0.0
    cost[:n, m:] = cost[n:, :m] = 1.0
    return assign(cost)[0] if n + m else 0.0


def naive_van_rossum(x, y, tau):
    """The integral of a product of two exponentials is half an exponential."""

    def product(a, b):
        return sum(math.exp(-abs(s - t) / tau) for s in a for t in b) / 2

    return math.sqrt(max(product(x, x) + product(y, y) - 2 * product(x, y), 0.0))


def padded(x):
    """Spikes with the edges that the profiles assume."""
    x = sorted(set(x)) or [0.0, T]
    before = min(0.0, 2 * x[0] - x[1]) if len(x) > 1 else 0.0
    after = max(T, 2 * x[-1] - x[-2]) if len(x) > 1 else T
    return x, before, after


def state(x, t):
    """Previous and following spike (None at an edge) and the interval between them, at t."""
    x, before, after = padded(x)
    previous = max((s for s in x if s <= t), default=None)
    following = min((s for s in x if s > t), default=None)
    start = before if previous is None else previous
    return previous, following, (after if following is None else following) - start


def naive_profile_mean(x, y, profile):
    """Mean of a profile that is linear between the spikes of both trains."""
    times = sorted({0.0, T, *x, *y})
    return sum(profile(x, y, (a + b) / 2) * (b - a) for a, b in pairwise(times)) / T


def isi_profile(x, y, t):
    u, v = state(x, t)[2], state(y, t)[2]
    return abs(u - v) / max(u, v)


def spike_profile(x, y, t):
    def mixed(x, y):
        previous, following, _ = state(x, t)
        spikes, before, after = padded(y)

        def gap(s):
            return min(abs(s - other) for other in [before, *spikes, after])

        if previous is None or following is None:
            return gap(following if previous is None else previous)
        part = (t - previous) / (following - previous)
        return (1 - part) * gap(previous) + part * gap(following)

    u, v = state(x, t)[2], state(y, t)[2]
    return 2 * (mixed(x, y) * v + mixed(y, x) * u) / (u + v) ** 2


class TestDistances:
    @given(trains, trains, st.sampled_from([0.0, 0.5, COST, 1e3]))
    def test_victor_purpura_is_the_cheapest_assignment(self, x, y, q):
        assert vp(x, y, q) == pytest.approx(naive_victor_purpura(x, y, q))

    @given(trains, trains)
    def test_victor_purpura_at_the_ends_of_its_scale(self, x, y):
        assert vp(x, y, 0.0) == abs(len(x) - len(y))
        assert vp(x, y, math.inf) == pytest.approx(vp(x, y, 1e60))

    @given(trains, trains, st.sampled_from([1e-3, TAU, 10.0]))
    def test_van_rossum_is_the_double_sum(self, x, y, tau):
        assert vr(x, y, tau) ** 2 == pytest.approx(naive_van_rossum(x, y, tau) ** 2, abs=1e-9)

    def test_van_rossum_is_the_integral_of_the_paper(self):
        x, y = [0.1, 0.25, 0.3], [0.12, 0.5]
        t = (np.arange(400_000) + 0.5) * 1e-5

        def filtered(train):
            past = [np.where(t >= s, np.exp(-np.maximum(t - s, 0) / TAU), 0) for s in train]
            return np.sum(past, axis=0)

        area = ((filtered(x) - filtered(y)) ** 2).sum() * 1e-5 / TAU
        assert vr(x, y) ** 2 == pytest.approx(area, rel=1e-4)

    @pytest.mark.parametrize("gap", [1e-12, 1e-3, 0.1, 2.0])
    def test_one_spike_against_one(self, gap):
        assert vp([0.0], [gap]) == pytest.approx(min(COST * gap, 2.0))
        assert vr([0.0], [gap]) ** 2 == pytest.approx(-math.expm1(-gap / TAU), rel=1e-12)

    @given(trains, trains)
    def test_isi_distance_is_the_mean_of_its_profile(self, x, y):
        assert isi_distance(x, y) == pytest.approx(naive_profile_mean(x, y, isi_profile), abs=1e-12)

    @given(trains, trains)
    def test_spike_distance_is_the_mean_of_its_profile(self, x, y):
        expected = naive_profile_mean(x, y, spike_profile)
        assert spike_distance(x, y) == pytest.approx(expected, abs=1e-12)

    def test_regular_trains_of_two_rates(self):
        """Intervals of 1/4 and 1/2 throughout."""
        x, y = [0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 0.5, 1.0]
        assert isi_distance(x, y) == 0.5
        # S_x rises to 1/4 at 1/4, and falls; S_y is 0: (1/8 * 1/2) / (2 * (3/8) ** 2)
        assert spike_distance(x, y) == pytest.approx(0.125 * 0.5 / (2 * 0.375**2))

    @pytest.mark.parametrize("distance", DISTANCES)
    @given(x=trains, y=trains)
    def test_symmetry_and_identity(self, distance, x, y):
        assert distance(x, x) == 0.0
        assert distance(x, y) == pytest.approx(distance(y, x), rel=1e-12, abs=1e-15)
        assert distance(x, y) >= 0.0

    @pytest.mark.parametrize("distance", [vp, vr])
    @given(x=trains, y=trains)
    def test_only_equal_trains_are_at_zero(self, distance, x, y):
        assert (distance(x, y) == 0) == (x == y) or max(
            abs(a - b) for a, b in zip(x, y, strict=True)
        ) < 1e-30

    @pytest.mark.parametrize("distance", [vp, vr, isi_distance])
    @given(x=trains, y=trains, z=trains)
    def test_triangle_inequality(self, distance, x, y, z):
        assert distance(x, z) <= distance(x, y) + distance(y, z) + 1e-12

    @pytest.mark.parametrize("distance", [metrics.isi_distance, metrics.spike_distance])
    @given(x=distinct, y=distinct)
    def test_the_window_may_lie_anywhere(self, distance, x, y):
        x, y = [round(8 * t) / 8 for t in x], [round(8 * t) / 8 for t in y]
        moved = distance(np.add(x, 5), np.add(y, 5), t_start=5.0, t_stop=6.0)
        assert moved == pytest.approx(distance(x, y, t_stop=T), abs=1e-12)
        scaled = distance(np.multiply(x, 2), np.multiply(y, 2), t_stop=2.0)
        assert scaled == pytest.approx(distance(x, y, t_stop=T), abs=1e-12)

    def test_empty_trains(self):
        assert [d([], []) for d in DISTANCES] == [0.0] * 4
        assert vp([], [0.1, 0.2]) == 2.0
        assert vr([0.5], []) == pytest.approx(math.sqrt(0.5))
        assert isi_distance([], [0.25]) == pytest.approx(0.25 * 0.75 + 0.75 * 0.25)
        assert spike_distance([], [0.0, 1.0]) == 0.0


class TestMatching:
    @given(trains, trains, st.sampled_from([0.0, 1 / 16, WINDOW, 2.0]))
    def test_most_pairs_and_then_the_least_error(self, x, y, window):
        found = metrics.match_spikes(x, y, window=window)
        gaps = np.abs(np.subtract.outer(x, y)).reshape(len(x), len(y))
        allowed = gaps <= window
        _, i, j = assign(np.where(allowed, gaps - 1e3, 0.0))
        kept = allowed[i, j]
        assert found.errors.size == kept.sum()
        assert np.abs(found.errors).sum() == pytest.approx(gaps[i, j][kept].sum())
        assert (np.diff(found.first) > 0).all() and (np.diff(found.second) > 0).all()
        assert found.errors.tolist() == [
            y[b] - x[a] for a, b in zip(found.first, found.second, strict=True)
        ]
        assert (np.abs(found.errors) <= window).all()

    @given(trains, trains)
    def test_f1_is_symmetric_and_one_for_equal_trains(self, x, y):
        assert f1(x, x) == 1.0
        assert f1(x, y) == f1(y, x)
        assert 0.0 <= f1(x, y) <= 1.0

    def test_f1_of_neurons_together(self, rng):
        first, second = (
            es.SpikeTrain(np.sort(rng.uniform(size=60)), rng.integers(7, size=60)) for _ in range(2)
        )
        found = metrics.match_spikes(first, second, window=0.05)
        assert (first.senders[found.first] == second.senders[found.second]).all()
        assert (second.times[found.second] - first.times[found.first] == found.errors).all()
        each = [metrics.match_spikes(first.of(k), second.of(k), window=0.05) for k in range(7)]
        assert found.errors.tolist() == np.concatenate([m.errors for m in each]).tolist()
        assert found.f1 == pytest.approx(sum(m.errors.size for m in each) / 60)
        assert metrics.coincidence_f1(first, second, window=0.05) == found.f1
        error = metrics.time_error(first, second, window=0.05, quantile=0.95)
        assert error == np.quantile(np.abs(found.errors), 0.95)

    def test_long_trains_take_little_memory(self, rng):
        x = np.cumsum(rng.exponential(0.01, 20_000))
        y = np.sort(x + rng.normal(0, 1e-4, x.size))
        found = metrics.match_spikes(x, y, window=1e-3)
        assert found.f1 > 0.99
        assert found.time_error() == pytest.approx(0.6745e-4, rel=0.05)

    def test_nothing_to_match(self):
        assert f1([], []) == 1.0
        assert f1([0.1], []) == 0.0
        assert metrics.time_error([], [0.1], window=1.0) is None
        assert metrics.time_error([0.1], [0.1], window=0.0) == 0.0
        assert (
            metrics.match_spikes(es.SpikeTrain([], []), es.SpikeTrain([], []), window=1.0).f1 == 1.0
        )


class TestCorrelation:
    @given(trains, trains)
    def test_correlation_is_that_of_the_histograms(self, x, y):
        x, y = [t for t in x if t < T], [t for t in y if t < T]
        a, b = (np.histogram(t, np.arange(9) / 8)[0] for t in (x, y))
        found = metrics.correlation_coefficient(x, y, bin_size=1 / 8, bins=8)
        if np.ptp(a) and np.ptp(b):
            assert found == pytest.approx(np.corrcoef(a, b)[0, 1])
        else:
            assert found is None

    def test_correlation_counts_silent_neurons(self):
        first, second = es.SpikeTrain([0.1, 0.6], [0, 1]), es.SpikeTrain([0.2, 0.6], [0, 2])
        a, b = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, 1]  # bins 0 and 1 of neurons 0 to 2
        found = metrics.correlation_coefficient(first, second, bin_size=0.5, bins=2, n=3)
        assert found == pytest.approx(np.corrcoef(a, b)[0, 1])
        more = metrics.correlation_coefficient(first, second, bin_size=0.5, bins=2, n=30)
        assert more > found

    @given(trains, trains)
    def test_the_correlogram_holds_all_differences(self, x, y):
        found = metrics.cross_correlation_histogram(x, y, bin_size=1 / 8, max_lag=0.5)
        gaps = np.subtract.outer(y, x).ravel()
        bins = np.floor(gaps * 8 + 0.5)
        assert found.lags.tolist() == [k / 8 for k in range(-4, 5)]
        assert found.counts.tolist() == [int((bins == k).sum()) for k in range(-4, 5)]
        assert found.sums == pytest.approx([gaps[bins == k].sum() for k in range(-4, 5)])

    @pytest.mark.parametrize("delay", [-0.0042, 0.0, 0.0013, 0.0077])
    def test_latency_of_a_delayed_train(self, rng, delay):
        times, senders = np.sort(rng.uniform(1, 2, size=300)), rng.integers(20, size=300)
        first, second = es.SpikeTrain(times, senders), es.SpikeTrain(times + delay, senders)
        found = metrics.latency(first, second, bin_size=1e-3, max_lag=0.02)
        assert found == pytest.approx(delay, abs=1e-4)  # pairs by chance lie in the bin too
        assert metrics.latency(second, first, bin_size=1e-3, max_lag=0.02) == pytest.approx(
            -delay, abs=1e-4
        )

    def test_latency_of_ties_and_nothing(self):
        def lag(x, y):
            return metrics.latency(x, y, bin_size=0.125, max_lag=1.0)

        assert lag([1.0], [0.75, 1.25]) == 0.25
        assert lag([1.0], [0.5, 1.25]) == 0.25
        assert lag([1.0], [0.75, 1.5]) == -0.25
        assert lag([], []) is lag([1.0], []) is lag([0.0], [5.0]) is None


class TestArguments:
    def test_per_neuron_is_each_neuron_for_itself(self, rng):
        first, second = (
            es.SpikeTrain(np.sort(rng.uniform(size=40)), rng.integers(9, size=40)) for _ in range(2)
        )
        for metric, options in [
            (metrics.victor_purpura_distance, {"cost_factor": 9.0}),
            (metrics.van_rossum_distance, {"time_constant": 0.1}),
            (metrics.spike_distance, {"t_stop": 1.0}),
            (metrics.time_error, {"window": 0.01}),
        ]:
            found = metrics.per_neuron(metric, first, second, 12, **options)
            expected = [metric(first.of(k), second.of(k), **options) for k in range(12)]
            np.testing.assert_array_equal(found, np.array(expected, dtype=float))
        assert np.isnan(found[9:]).all()
        nothing = es.SpikeTrain([], [])
        assert metrics.per_neuron(metrics.isi_distance, nothing, nothing, 0, t_stop=1.0).size == 0

    @pytest.mark.parametrize(
        ("call", "error", "words"),
        [
            (lambda: vp([0.2, 0.1], []), InvalidValue, r"first\[1\].*sorted"),
            (lambda: vp([], [math.nan]), InvalidValue, r"second\[0\].*finite"),
            (lambda: vp([], [], -1.0), InvalidValue, "cost_factor.*>= 0"),
            (lambda: vp([], [], math.nan), InvalidValue, "cost_factor.*finite"),
            (lambda: vp(es.SpikeTrain([], []), []), InvalidType, "per_neuron"),
            (lambda: vr([], [], 0.0), InvalidValue, "time_constant.*> 0"),
            (lambda: isi_distance([], [1.5]), InvalidValue, r"second\[0\].*\[0.0, 1.0\] s.*1.5"),
            (lambda: spike_distance([-0.5], []), InvalidValue, r"first\[0\].*-0.5"),
            (lambda: metrics.isi_distance([], [], t_stop=0.0), InvalidValue, "t_stop.*after"),
            (lambda: metrics.match_spikes([], [], window=-1), InvalidValue, "window.*>= 0"),
            (lambda: metrics.time_error([], [], window=1, quantile=2), InvalidValue, "quantile"),
            (lambda: f1(es.SpikeTrain([], []), []), InvalidType, "second: expected a SpikeTrain"),
            (lambda: metrics.latency([], [], bin_size=0, max_lag=1), InvalidValue, "bin_size"),
            (lambda: metrics.latency([], [], bin_size=1, max_lag=-1), InvalidValue, "max_lag"),
            (
                lambda: metrics.correlation_coefficient(
                    es.SpikeTrain([], []), es.SpikeTrain([], []), bin_size=1.0, bins=1
                ),
                InvalidValue,
                "n: expected the number of neurons",
            ),
            (
                lambda: metrics.correlation_coefficient([1.0], [], bin_size=0.5, bins=2),
                InvalidValue,
                r"times in \[0, 1\)",
            ),
            (
                lambda: metrics.per_neuron(vp, es.SpikeTrain([0.1], [3]), es.SpikeTrain([], []), 3),
                InvalidValue,
                "first: expected senders below n = 3, got 3",
            ),
            (lambda: metrics.per_neuron(vp, [], [], 3), InvalidType, "first: .*a SpikeTrain"),
        ],
    )  # fmt: skip
    def test_bad_input_is_named(self, call, error, words):
        with pytest.raises(error, match=words):
            call()
