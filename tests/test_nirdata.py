"""Spikes as NIRData."""

from __future__ import annotations

import h5py
import nir
import numpy as np
import pytest

import eventsim as es
from eventsim.errors import FileError, InvalidType, InvalidValue
from eventsim.load.nirdata import load_nirdata
from eventsim.save.nirdata import save_nirdata, to_nirdata


@pytest.fixture
def batch():
    net = es.Network(
        [es.Input("in", 3), es.Population("out", 2, tau_mem=1e-2)],
        [es.Dense("in", "out", np.full((3, 2), 1.1))],
    )
    trains = [
        es.SpikeTrain([1e-3, 2.5e-3, 2.5e-3], [2, 0, 1]),
        es.SpikeTrain([], []),
        es.SpikeTrain([0.1e-3], [0]),
    ]
    return es.simulate(net, {"in": trains}, 4e-3)


def same(trains, others):
    assert len(trains) == len(others)
    for a, b in zip(trains, others, strict=True):
        assert np.array_equal(a.times, b.times)
        assert np.array_equal(a.senders, b.senders)


def test_events_come_back_bit_for_bit(batch, tmp_path):
    path = save_nirdata(tmp_path / "run.h5", batch)
    read = load_nirdata(path)
    assert list(read) == ["in", "out"]
    for name, trains in read.items():
        same(trains, [sample.spikes[name] for sample in batch])
    again = es.simulate(batch[0].network, {"in": read["in"]}, 4e-3)
    same(read["out"], [sample.spikes["out"] for sample in again])
    same(load_nirdata(nir.read_data(path))["in"], read["in"])


def test_one_run_is_one_sample(batch):
    data = to_nirdata(batch[0])
    assert data.nodes["in"].observables["spikes"].n_samples == 1
    same(load_nirdata(data)["in"], [batch[0].spikes["in"]])


def test_a_grid_has_a_step_for_each_spike(batch, tmp_path):
    path = save_nirdata(tmp_path / "run.h5", batch, dt=1e-3, time_unit="ms")
    grid = nir.read_data(path).nodes["in"].observables["spikes"]
    assert (grid.dt, grid.shape) == (1.0, (3, 4, 3))
    assert np.argwhere(grid.data[0]).tolist() == [[1, 2], [2, 0], [2, 1]]
    read = load_nirdata(path, time_unit="ms", shift=0.5)["in"][0]
    assert read.times == pytest.approx([1.5e-3, 2.5e-3, 2.5e-3])


def test_units_and_inner_graphs():
    events = nir.EventData(np.array([[1, -1]]), np.array([[3.0, np.inf]]), 2, 10.0)
    inner = nir.NIRGraphData({"lif": nir.NIRNodeData({"spikes": events, "v": events})})
    read = load_nirdata(nir.NIRGraphData({"rnn": inner}), time_unit="ms")
    assert list(read) == ["rnn.lif"]
    assert read["rnn.lif"][0].times.tolist() == [3e-3]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (nir.EventData(np.array([[2]]), np.array([[1.0]]), 2, 3.0), "idx: expected indices below"),
        (nir.EventData(np.array([[-3]]), np.array([[1.0]]), 2, 3.0), "idx: expected indices below"),
        (nir.EventData(np.array([[0.5]]), np.array([[1.0]]), 2, 3.0), "idx: expected integers"),
        (nir.EventData(np.array([[0]]), np.array([[np.inf]]), 2, 3.0), "sample 0: .*times"),
        (nir.EventData(np.array([[0, 0]]), np.array([[1.0, 1.0]]), 2, 3.0), "sample 0: .*duplic"),
        (nir.ValuedEventData(np.array([[0]]), np.array([[1.0]]), 2, 3.0, np.array([[0.5]])),
         "value: expected 1"),
    ],
)  # fmt: skip
def test_what_is_no_spike_is_refused(events, words):
    data = nir.NIRGraphData({"in": nir.NIRNodeData({"spikes": events})})
    with pytest.raises(FileError, match=f"node 'in': spikes: .*{words}"):
        load_nirdata(data)


def test_a_grid_of_numbers_is_refused():
    grid = nir.TimeGriddedData(np.full((1, 2, 2), 0.5), 1e-3)
    with pytest.raises(InvalidValue, match="data.*0 or 1"):
        load_nirdata(nir.NIRGraphData({"in": nir.NIRNodeData({"spikes": grid})}))


def test_arguments_are_checked(batch, tmp_path):
    with pytest.raises(InvalidType, match="Result"):
        save_nirdata(tmp_path / "run.h5", 3)
    with pytest.raises(InvalidType, match="NIRGraphData"):
        load_nirdata(3)
    with pytest.raises(InvalidValue, match="time_unit"):
        load_nirdata(to_nirdata(batch), time_unit="h")
    with pytest.raises(InvalidValue, match="shift"):
        load_nirdata(to_nirdata(batch), shift=1.0)
    with pytest.raises(InvalidValue, match="dt"):
        to_nirdata(batch, dt=0.0)


def test_other_files_are_refused(batch, tmp_path):
    path = save_nirdata(tmp_path / "run.h5", batch)
    with pytest.raises(FileError, match="NIRData, which is recorded spikes"):
        es.load(path)
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = 1
    with pytest.raises(FileError, match="expected a NIRData file"):
        load_nirdata(tmp_path / "other.h5")
    cut = tmp_path / "cut.h5"
    cut.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(FileError, match="damaged or truncated"):
        load_nirdata(cut)
