"""Histograms against numpy, counterparts against all pairings there are."""

from __future__ import annotations

import json
from itertools import combinations, permutations

import numpy as np
import pytest

from eventsim.errors import InvalidValue
from eventsim.fidelity.counterparts import REACH, Counterparts
from eventsim.fidelity.histograms import (
    BINS_PER_STEP,
    Histogram,
    Histograms,
    LayerHistograms,
)
from eventsim.fidelity.metrics import isi
from eventsim.recording import SpikeTrain

DT = 1e-3


def random_spikes(rng, samples=5, steps=6, n=7, most=12):
    """Coarse spikes, and trains that have something to do with them."""
    spikes = (rng.uniform(size=(samples, steps, n)) < 0.4).astype(np.uint8)
    trains = []
    for _ in range(samples):
        count = rng.integers(most)
        trains.append(
            SpikeTrain.sorted(rng.uniform(0, steps * DT, count), rng.integers(n, size=count))
        )
    return spikes, trains


def test_histogram_counts_as_numpy_does(rng):
    values = np.concatenate([rng.uniform(-1, 5, 400), np.arange(0, 4.25, 0.25)])
    found = Histogram.of(values, 0.0, 0.25, 16)
    counts, edges = np.histogram(values, bins=16, range=(0.0, 4.0))
    assert (found.counts == counts).all()
    assert found.edges == pytest.approx(edges)
    assert found.outside == ((values < 0) | (values > 4)).sum()
    assert found.total == values.size
    assert Histogram.of([], 0.0, 0.25, 16).total == 0


def test_what_rounding_keeps_below_an_edge_is_on_it():
    below = np.nextafter(1.0, 0.0)
    assert Histogram.of([below], 0.0, 0.125, 16).counts[8] == 1
    assert Histogram.of([2.0, np.nextafter(2.0, 3.0)], 0.0, 0.125, 16).counts[15] == 2
    assert Histogram.of([1.0 - 1e-5], 0.0, 0.125, 16).counts[7] == 1


def test_histograms_add_up_and_can_be_written(rng):
    values = rng.uniform(-1, 4, 100)
    parts = [Histogram.of(part, 0.0, 0.5, 6) for part in np.split(values, [10, 11, 60])]
    whole = sum(parts[1:], parts[0])
    assert (whole.counts == Histogram.of(values, 0.0, 0.5, 6).counts).all()
    back = Histogram.from_dict(json.loads(json.dumps(whole.to_dict())))
    assert (back.counts == whole.counts).all() and back.total == whole.total == 100
    with pytest.raises(InvalidValue, match="bins"):
        whole + Histogram.of(values, 0.0, 0.25, 6)


def best_pairing(steps, times):
    """Most pairs, and the least distance of so many, by trying all of them."""
    for size in range(min(len(steps), len(times)), 0, -1):
        costs = []
        for a in combinations(range(len(steps)), size):
            for b in permutations(range(len(times)), size):
                gaps = [abs(steps[i] + 0.5 - times[j]) for i, j in zip(a, b, strict=True)]
                if max(gaps) <= REACH:
                    costs.append(sum(gaps))
        if costs:
            return size, min(costs)
    return 0, 0.0


def test_counterparts_are_the_best_pairing_of_each_unit(rng):
    spikes, trains = random_spikes(rng)
    found = Counterparts.of(spikes, trains, DT)
    assert spikes.sum() == found.step.size
    assert sum(map(len, trains)) == found.time.size
    paired = np.flatnonzero(~found.missing)
    partners = found.partner[paired]
    assert len(set(partners)) == partners.size
    assert (found.unit[paired] == found.other_unit[partners]).all()
    assert (found.sample[paired] == found.other_sample[partners]).all()
    assert found.extra.sum() == found.time.size - partners.size
    assert (found.lateness >= -1).all() and (found.lateness <= 2).all()
    for sample, train in enumerate(trains):
        for unit in range(spikes.shape[2]):
            own = (found.sample[paired] == sample) & (found.unit[paired] == unit)
            gaps = np.abs(found.lateness[own] - 0.5)
            steps = np.flatnonzero(spikes[sample, :, unit])
            size, cost = best_pairing(steps, train.of(unit) / DT)
            assert (gaps.size, gaps.sum()) == (size, pytest.approx(cost))


def test_counterparts_need_a_train_for_each_sample(rng):
    spikes, trains = random_spikes(rng)
    with pytest.raises(InvalidValue, match="5, one for each sample"):
        Counterparts.of(spikes, trains[1:], DT)


def test_distributions_of_the_coarse_model(rng):
    spikes, _ = random_spikes(rng)
    found = LayerHistograms.of(spikes, dt=DT, window=6 * DT)
    intervals = [
        gap
        for sample in spikes
        for unit in sample.T
        for gap in np.diff(np.flatnonzero(unit)).tolist()
    ]
    bins = np.histogram(intervals, bins=6 * BINS_PER_STEP, range=(0, 6))[0]
    assert (found.intervals.counts == bins).all()
    assert (found.counts.counts == np.bincount(spikes.sum(axis=1).ravel(), minlength=13)).all()
    assert found.lateness is None


def test_distributions_of_the_continuous_network(rng):
    spikes, trains = random_spikes(rng)
    found = LayerHistograms.of(spikes, trains, dt=DT, window=6.5 * DT)
    intervals = np.concatenate([isi(train) for train in trains]) / DT
    assert found.intervals.counts.size == 7 * BINS_PER_STEP
    bins = np.histogram(intervals, bins=7 * BINS_PER_STEP, range=(0, 7))[0]
    assert (found.intervals.counts == bins).all()
    counts = np.concatenate([train.counts(7) for train in trains])
    assert (found.counts.counts == np.bincount(counts, minlength=13)).all()
    pairs = Counterparts.of(spikes, trains, DT)
    assert found.lateness is not None
    bins = np.histogram(pairs.lateness, bins=3 * BINS_PER_STEP, range=(-1, 2))[0]
    assert (found.lateness.counts == bins).all()
    assert (found.missing, found.extra) == (pairs.missing.sum(), pairs.extra.sum())
    assert found.lateness.total + found.missing == spikes.sum()


def test_counts_beyond_the_last_bin_are_in_it():
    spikes = np.zeros((1, 2, 1), dtype=np.uint8)
    train = SpikeTrain(np.arange(9) * 1e-4, np.zeros(9, dtype=int))
    found = LayerHistograms.of(spikes, [train], dt=DT, window=2 * DT)
    assert found.counts.counts.tolist() == [0, 0, 0, 0, 1]
    assert found.extra == 9 and found.counts.outside == 0


def test_all_layers_add_up_however_samples_are_cut(rng):
    spikes, trains = random_spikes(rng)

    def of(part):
        layers, of_layers = {"a": spikes[part], "b": 1 - spikes[part]}, trains[part]
        times = {"dt": DT, "window": 6 * DT}
        return Histograms.of(layers, {"a": of_layers, "b": of_layers}, **times)

    whole, sums = of(slice(None)), of(slice(0, 2)) + of(slice(2, 3)) + of(slice(3, None))
    assert list(whole) == ["a", "b"] and len(whole) == 2
    assert sums.to_dict() == whole.to_dict()
    assert Histograms.from_dict(json.loads(json.dumps(whole.to_dict()))).to_dict() == sums.to_dict()
    coarse = Histograms.of({"a": spikes}, dt=DT, window=6 * DT)
    assert (coarse + coarse)["a"].lateness is None
    assert Histograms.from_dict(coarse.to_dict()).to_dict() == coarse.to_dict()
