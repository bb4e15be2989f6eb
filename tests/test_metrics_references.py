"""Metrics against what Elephant and PySpike gave for the same trains (tests/references)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eventsim.fidelity import metrics

FILE = Path(__file__).parent / "references" / "metrics_others.json"
REFERENCE = json.loads(FILE.read_text(encoding="utf-8"))
ELEPHANT, PYSPIKE = REFERENCE["elephant"], REFERENCE["pyspike"]
TRAINS, GRID = REFERENCE["trains"], REFERENCE["grid"]
T_STOP, BIN = REFERENCE["t_stop"], REFERENCE["bin_size"]


def matrix(metric, trains, **options):
    return np.array([[metric(a, b, **options) for b in trains] for a in trains])


def test_rates_and_counts_are_those_of_elephant():
    rates = [metrics.rate([len(t)], T_STOP) for t in TRAINS.values()]
    assert rates == pytest.approx(ELEPHANT["mean_firing_rate"], rel=1e-12)
    counts = [len(t) for t in TRAINS.values()]
    assert metrics.fanofactor(counts) == pytest.approx(ELEPHANT["fanofactor"], rel=1e-12)


@pytest.mark.parametrize("name", ["isi", "cv", "cv2", "lv"])
def test_intervals_are_those_of_elephant(name):
    assert len(ELEPHANT[name]) > 8
    for train, expected in ELEPHANT[name].items():
        times = TRAINS[train]
        found = metrics.isi(times) if name == "isi" else getattr(metrics, name)(np.diff(times))
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-15), train


@pytest.mark.parametrize("k", range(len(REFERENCE["cost_factors"])))
def test_victor_purpura_distance_is_that_of_elephant(k):
    found = matrix(
        metrics.victor_purpura_distance, TRAINS.values(), cost_factor=REFERENCE["cost_factors"][k]
    )
    np.testing.assert_allclose(found, ELEPHANT["victor_purpura_distance"][k], rtol=0, atol=1e-11)


@pytest.mark.parametrize("k", range(len(REFERENCE["time_constants"])))
def test_van_rossum_distance_is_that_of_elephant_over_root_two(k):
    """Elephant leaves the 1/2 of the paper out; its sums cancel, so squares are compared."""
    found = matrix(
        metrics.van_rossum_distance, TRAINS.values(), time_constant=REFERENCE["time_constants"][k]
    )
    elephant = np.array(ELEPHANT["van_rossum_distance"][k])
    np.testing.assert_allclose(2 * found**2, elephant**2, rtol=1e-12, atol=1e-12)


def test_correlation_coefficient_is_that_of_elephant():
    found = matrix(metrics.correlation_coefficient, GRID, bin_size=BIN, bins=round(T_STOP / BIN))
    np.testing.assert_allclose(found, ELEPHANT["correlation_coefficient"], rtol=0, atol=1e-12)


def test_cross_correlation_histogram_is_that_of_elephant():
    lag = REFERENCE["max_lag_bins"] * BIN
    found = [
        [metrics.cross_correlation_histogram(a, b, bin_size=BIN, max_lag=lag).counts for b in GRID]
        for a in GRID
    ]
    np.testing.assert_array_equal(found, ELEPHANT["cross_correlation_histogram"])
    assert metrics.latency(GRID[1], GRID[3], bin_size=BIN, max_lag=lag) == pytest.approx(3 * BIN)


@pytest.mark.parametrize("name", ["isi_distance", "spike_distance"])
def test_profiles_are_those_of_pyspike(name):
    found = matrix(getattr(metrics, name), TRAINS.values(), t_stop=T_STOP)
    np.testing.assert_allclose(found, PYSPIKE[name], rtol=0, atol=1e-13)
