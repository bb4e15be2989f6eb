"""The SONATA part of a result file, as libsonata reads it."""

from __future__ import annotations

import h5py
import libsonata
import numpy as np
import pytest

from eventsim.errors import InvalidValue
from eventsim.save import save_result
from eventsim.save.sonata import report_step_of, save_hdf5
from tests.results.made import N, result


@pytest.mark.parametrize("spikes", [0, 3, 5000])
def test_libsonata_reads_spikes(tmp_path, rng, net, spikes):
    run = result(rng, net, spikes)
    reader = libsonata.SpikeReader(str(run.save(tmp_path / "run.h5")))
    assert reader.get_population_names() == sorted(N)
    for name in N:
        population = reader[name]
        assert population.sorting == "by_time"
        assert population.time_units == "ms"
        found = population.get_dict()
        np.testing.assert_array_equal(found["timestamps"], run.spikes[name].times * 1e3)
        np.testing.assert_array_equal(found["node_ids"], run.spikes[name].senders)


def test_libsonata_reads_sampled_potentials(tmp_path, run):
    path = save_hdf5(run, tmp_path / "run.h5", report_step=1e-4)
    reader = libsonata.ElementReportReader(str(path))
    assert reader.get_population_names() == ["hidden", "out"]
    report = reader["hidden"]
    assert report.times == pytest.approx((0.0, 16.0, 0.1))
    assert (report.time_units, report.data_units, report.sorted) == ("ms", "a.u.", True)
    assert list(report.get_node_ids()) == [0, 3, 7]
    frame = report.get()
    times = np.arange(160) * 1e-4
    np.testing.assert_allclose(frame.times, times * 1e3, rtol=1e-12)
    assert [int(node) for node, _ in np.asarray(frame.ids)] == [0, 3, 7]
    exact = run.v["hidden"].at(times)[:, [1, 2, 0]]
    np.testing.assert_array_equal(np.asarray(frame.data), exact.astype(np.float32))
    column = reader["hidden"].get(node_ids=[3])
    np.testing.assert_array_equal(np.asarray(column.data)[:, 0], exact[:, 1].astype(np.float32))


def test_layout_of_the_sonata_part(tmp_path, run):
    with h5py.File(run.save(tmp_path / "run.h5")) as file:
        assert file.attrs["magic"] == 0x0A7A
        assert file.attrs["magic"].dtype == np.uint32
        assert file.attrs["version"].tolist() == [0, 1]
        assert file.attrs["version"].dtype == np.uint32
        spikes = file["spikes/hidden"]
        sorting = spikes.attrs.get_id("sorting").dtype
        assert h5py.check_enum_dtype(sorting) == {"none": 0, "by_id": 1, "by_time": 2}
        assert sorting == np.uint8
        assert spikes.attrs["sorting"] == 2
        assert spikes["timestamps"].dtype == np.float64
        assert spikes["timestamps"].attrs["units"] == "ms"
        assert spikes["node_ids"].dtype == np.uint64
        report = file["report/hidden"]
        mapping = report["mapping"]
        kinds = {name: mapping[name].dtype for name in mapping}
        assert kinds == {
            "node_ids": np.uint64, "index_pointers": np.uint64, "index_pointer": np.uint64,
            "element_ids": np.uint32, "element_pos": np.float32, "time": np.float64,
        }  # fmt: skip
        assert report["data"].dtype == np.float32
        assert report["data"].shape == (800, 3)
        assert mapping["index_pointer"] == mapping["index_pointers"]
        assert mapping["index_pointers"][()].tolist() == [0, 1, 2, 3]
        assert mapping["node_ids"].attrs["sorted"] == 1
        assert mapping["time"][()] == pytest.approx([0.0, 16.0, 0.02])
        # libsonata is built without compression.
        sonata = [spikes["timestamps"], spikes["node_ids"], report["data"]]
        assert all(dataset.compression is None for dataset in sonata)


def test_batch_has_no_sonata_part_but_offsets(tmp_path, batch):
    with h5py.File(save_result(batch, tmp_path / "run.h5")) as file:
        assert list(file) == ["eventsim"]
        group = file["eventsim/spikes/out"]
        assert sorted(group) == ["node", "sample_ptr", "t"]
        assert group["sample_ptr"][()].tolist() == [0, 50, 50, 57]
        assert file["eventsim/counts/out"].shape == (3, 3)
        assert file["eventsim/provenance"].shape == (1,)


@pytest.mark.parametrize("duration", [1e-6, 4e-3, 16e-3, 0.1, 0.3, 1.0, 7.0, 1000.0])
def test_default_step_of_reports(duration):
    step = report_step_of(duration)
    assert 630 <= duration / step <= 1590
    assert f"{step:e}"[0] in "125"


def test_bad_step_of_reports(tmp_path, run):
    with pytest.raises(InvalidValue, match="report_step"):
        save_hdf5(run, tmp_path / "run.h5", report_step=-1.0)
    path = save_hdf5(run, tmp_path / "run.h5", report_step=1.0)
    assert libsonata.ElementReportReader(str(path))["out"].times == pytest.approx((0, 1000, 1000))
