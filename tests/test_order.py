"""Orders by counting, against those of numpy."""

import numpy as np
import pytest

from eventsim.discretization import Discretization
from eventsim.encode import encode, to_spike_trains
from eventsim.fidelity.details import train_intervals
from eventsim.fidelity.intervals import isi
from eventsim.fidelity.order import fired, neuron_order, neuron_starts
from eventsim.recording import SpikeTrain


@pytest.mark.parametrize("n", [1, 2, 255, 65_536, 65_537, 3 << 17, 1 << 40])
@pytest.mark.parametrize("spikes", [0, 1, 1_000])
def test_neurons_come_in_order_and_their_spikes_as_they_were(rng, n, spikes):
    neuron = rng.choice([0, n // 2, n - 1, *rng.integers(n, size=50)], size=spikes)
    assert neuron_order(neuron, n).tolist() == np.argsort(neuron, kind="stable").tolist()


@pytest.mark.parametrize("n", [0, 1, 7, 1_000])
def test_starts_of_neurons_are_where_a_search_finds_them(rng, n):
    neuron = rng.integers(max(n, 1), size=300 if n else 0)
    expected = np.searchsorted(np.sort(neuron), np.arange(n + 1))
    assert neuron_starts(neuron, n).tolist() == expected.tolist()


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 1, 1), (5, 7, 33)])
@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2, 1), (1, 0, 2)])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_spikes_are_where_numpy_finds_them(rng, shape, axes, dtype):
    spikes = rng.integers(3, size=shape).astype(dtype).transpose(axes)
    for found, expected in zip(fired(spikes), np.nonzero(spikes), strict=True):
        assert found.tolist() == expected.tolist()


def test_intervals_of_several_samples_are_those_of_each(rng):
    trains = [
        SpikeTrain.sorted(rng.uniform(size=count), rng.integers(33, size=count))
        for count in (0, 1, 400, 0, 1_000, 0)
    ]
    found = train_intervals(trains, 33)
    assert len(found) == len(trains)
    for values, train in zip(found, trains, strict=True):
        assert values.tolist() == isi(train).tolist()
    assert train_intervals([], 33) == []


@pytest.mark.parametrize(("jitter", "phase"), [(1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (0.25, 0.5)])
def test_placed_spikes_make_a_valid_train(rng, jitter, phase):
    disc = Discretization(dt=1e-3, steps=6)
    x = encode(rng.uniform(size=(4, 31)), disc)
    for sample, train in zip(x, to_spike_trains(x, 1e-3, jitter, phase=phase), strict=True):
        checked = SpikeTrain(train.times, train.senders)  # raises unless sorted, without doubles
        assert checked.times.dtype == np.float64 and checked.senders.dtype == np.int64
        steps = np.floor(train.times / 1e-3 + 1e-9 * (jitter == phase == 0)).astype(int)
        if phase + jitter < 1:
            assert sorted(zip(steps, train.senders, strict=True)) == list(
                zip(*np.nonzero(sample), strict=True)
            )
        assert len(train) == sample.sum()
