"""Results in files: SONATA for libsonata, exact round trips, damage."""

from __future__ import annotations

import dataclasses
import io
import sys
import zipfile

import h5py
import libsonata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eventsim as es
from eventsim.errors import FileError, InvalidType, InvalidValue, MissingExtra
from eventsim.load import load_result
from eventsim.recording import Result, Results
from eventsim.save import save_result, to_pandas
from eventsim.save.sonata import report_step_of, save_hdf5
from eventsim.trace import Trace

N = {"image": 40, "hidden": 12, "out": 3}
SUFFIXES = ("h5", "npz")


def network(rng):
    return es.Network(
        [
            es.Input("image", (1, 5, 8)),
            es.Population("hidden", N["hidden"], tau_mem=4e-3, t_ref=1e-3),
            es.Population("out", N["out"], tau_mem=np.array([1e-3, 4e-3, np.inf])),
        ],
        [
            es.Dense("image", "hidden", rng.normal(size=(40, 12)).astype(np.float32)),
            es.Dense("hidden", "out", rng.normal(size=(12, 3)), spread=1e-3),
        ],
    )


def train(rng, n, spikes):
    """Sorted spikes with ties, and with one unit that repeats a time (multi_spike)."""
    times = np.sort(rng.choice(rng.uniform(0, 16e-3, max(spikes // 2, 1)), spikes))
    senders = rng.integers(0, n, spikes)
    return es.SpikeTrain.trusted(times, senders[np.lexsort((senders, times))])


def trace(rng, neurons, n):
    knots = []
    for _ in neurons:
        k = int(rng.integers(1, 30))
        times = np.concatenate([[0.0], np.sort(rng.uniform(0, 16e-3, k))])
        ref = times + rng.choice([0.0, 1e-3], k + 1)
        knots.append(np.column_stack([times, rng.normal(size=(k + 1, 2)), ref]))
    tau = np.array([1e-3, 4e-3, np.inf])[np.arange(len(neurons)) % 3]
    return Trace(neurons, knots, tau, np.zeros(len(neurons)), np.ones(len(neurons)), 0.0, 16e-3)


def result(rng, net, spikes=400, **changes):
    trains = {name: train(rng, n, spikes) for name, n in N.items()}
    values = {
        "network": net,
        "spikes": trains,
        "counts": {name: trains[name].counts(n) for name, n in N.items()},
        "t_start": 0.0, "t_stop": 0.1 + 0.2, "t_reached": 16e-3,
        "v": {"hidden": trace(rng, [7, 0, 3], 12), "out": trace(rng, [1], 3)},
        "complete": False, "stop_reason": "max_events: 'hidden' ran away at 0.016 s",
        "n_events": 2**40 + 1, "engine": "queue", "wall_s": 1 / 3,
        "provenance": {"seeds": {"jitter": 3}, "software": {"eventsim": "0.1.0"}, "µ": [1.5, None]},
    }  # fmt: skip
    return Result(**{**values, **changes})


def assert_same(one, two):
    """Equal results, down to the bits of every number."""
    assert type(one) is type(two)
    if isinstance(one, Results):
        assert len(one) == len(two)
        assert one.wall_s == two.wall_s
        for a, b in zip(one, two, strict=True):
            assert_same(a, b)
        return
    assert one.network.fingerprint() == two.network.fingerprint()
    for field in dataclasses.fields(Result):
        a, b = getattr(one, field.name), getattr(two, field.name)
        if field.name in ("spikes", "counts", "v"):
            assert set(a) == set(b)
            for name in a:
                for x, y in zip(arrays_of(a[name]), arrays_of(b[name]), strict=True):
                    assert x.dtype == y.dtype
                    assert x.tobytes() == y.tobytes()
        elif field.name != "network":
            assert a == b
            assert type(a) is type(b) or field.name == "provenance"


def arrays_of(item):
    if isinstance(item, es.SpikeTrain):
        return [item.times, item.senders]
    return list(item.to_arrays().values()) if isinstance(item, Trace) else [item]


@pytest.fixture
def net(rng):
    return network(rng)


@pytest.fixture
def run(rng, net):
    return result(rng, net)


@pytest.fixture
def batch(rng, net):
    shared = {"provenance": {"seed": 1}}
    return Results(
        [
            result(rng, net, 50, complete=True, stop_reason="reached t_stop", **shared),
            result(rng, net, 0, v={}, **shared),
            result(rng, net, 7, v={"out": trace(rng, [2, 0], 3)}, **shared),
        ],
        wall_s=0.7,
    )


# Round trips


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_of_one_run(tmp_path, run, suffix):
    path = run.save(tmp_path / f"run.{suffix}")
    assert_same(load_result(path), run)
    assert_same(es.load_result(str(path)), run)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_of_a_batch(tmp_path, batch, suffix):
    loaded = load_result(save_result(batch, tmp_path / f"run.{suffix}"))
    assert_same(loaded, batch)
    assert_same(load_result(save_result(batch[:1], tmp_path / f"one.{suffix}")), Results(batch[:1]))
    assert loaded[0].network is loaded[2].network


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_of_different_provenance_and_of_counts_alone(tmp_path, rng, net, suffix):
    runs = [
        dataclasses.replace(result(rng, net, v={}, provenance={"sample": k}), spikes={})
        for k in range(3)
    ]
    assert_same(load_result(save_result(Results(runs), tmp_path / f"a.{suffix}")), Results(runs))
    assert_same(load_result(save_result(runs[1], tmp_path / f"b.{suffix}")), runs[1])


@settings(max_examples=20)
@given(spikes=st.integers(0, 30), seed=st.integers(0, 2**32 - 1), suffix=st.sampled_from(SUFFIXES))
def test_any_run_survives(tmp_path_factory, spikes, seed, suffix):
    rng = np.random.default_rng(seed)
    run = result(rng, network(rng), spikes, t_start=-rng.uniform(), wall_s=rng.uniform())
    path = tmp_path_factory.mktemp("run") / f"run.{suffix}"
    assert_same(load_result(save_result(run, path)), run)


def test_one_sample_of_a_batch_is_a_run(tmp_path, batch):
    path = batch[2].save(tmp_path / "one.h5")
    assert_same(load_result(path), batch[2])
    assert libsonata.SpikeReader(str(path)).get_population_names() == ["hidden", "image", "out"]


def test_network_of_a_result_is_kept_with_shapes_and_thresholds(tmp_path, run):
    net = load_result(run.save(tmp_path / "run.h5")).network
    assert net["image"].shape == (1, 5, 8)
    assert net["out"].v_threshold == 1.0


# SONATA


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


# Tables


def test_table_of_one_run(run):
    table = to_pandas(run)
    assert list(table.columns) == ["time", "population", "sender"]
    assert list(table["population"].cat.categories) == ["image", "hidden", "out"]
    assert len(table) == 1200
    assert table["time"].is_monotonic_increasing
    for name in N:
        part = table[table["population"] == name]
        np.testing.assert_array_equal(part["time"], run.spikes[name].times)
        np.testing.assert_array_equal(part["sender"], run.spikes[name].senders)
    pd.testing.assert_frame_equal(run.to_pandas(), table)


def test_table_of_a_batch(batch):
    table = to_pandas(batch)
    assert list(table.columns) == ["sample", "time", "population", "sender"]
    counts = table.groupby("sample").size().to_dict()
    assert counts == {0: 150, 2: 21}
    one = table[table["sample"] == 2].drop(columns="sample").reset_index(drop=True)
    pd.testing.assert_frame_equal(one, batch[2].to_pandas())


def test_table_without_spikes(rng, net):
    table = to_pandas(result(rng, net, 0))
    assert len(table) == 0
    assert table["sender"].dtype == np.int64


def test_table_needs_pandas(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match="pandas"):
        run.to_pandas()


# What is refused


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_existing_file_is_kept(tmp_path, run, suffix):
    path = tmp_path / f"run.{suffix}"
    path.write_text("precious")
    with pytest.raises(FileError, match=rf"run\.{suffix}: output: expected a new file"):
        run.save(path)
    assert path.read_text() == "precious"
    assert_same(load_result(run.save(path, overwrite=True)), run)


def test_what_is_no_result_is_refused(tmp_path, rng, net, run):
    path = tmp_path / "run.h5"
    with pytest.raises(InvalidType, match="result: expected a Result or Results, got int"):
        save_result(3, path)
    with pytest.raises(InvalidType, match="path: expected a str or Path, got int"):
        save_result(run, 3)
    with pytest.raises(InvalidType, match="provenance: expected JSON"):
        save_result(result(rng, net, provenance={"f": open}), path)
    with pytest.raises(InvalidValue, match=r"results\[1\].network: expected the network"):
        save_result(Results([run, result(rng, network(rng))]), path)
    with pytest.raises(InvalidValue, match=r"results\[1\].spikes: expected the populations"):
        save_result(Results([run, dataclasses.replace(run, spikes={})]), path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damage_is_noticed(tmp_path, rng, net, suffix):
    run = result(rng, net, 20)
    path = run.save(tmp_path / f"run.{suffix}")
    data = path.read_bytes()
    for place in range(0, len(data), len(data) // 60):
        changed = bytearray(data)
        changed[place] ^= 0x10
        path.write_bytes(changed)
        try:
            loaded = load_result(path)
        except FileError as error:
            assert f"run.{suffix}" in str(error)
        else:
            # A byte that says nothing, such as a date inside the archive.
            assert_same(loaded, run)
    for size in (0, 10, len(data) // 2, len(data) - 200):
        path.write_bytes(data[:size])
        with pytest.raises(FileError, match=rf"run\.{suffix}"):
            load_result(path)


def test_other_files_are_refused(tmp_path, net):
    with pytest.raises(FileError, match=r"none\.h5: file: expected a result .* no such file"):
        load_result(tmp_path / "none.h5")
    with pytest.raises(FileError, match=r"net\.h5: /eventsim: expected a result of eventsim"):
        load_result(es.save(tmp_path / "net.h5", net))
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(FileError, match=r"text\.h5: file: expected .* another kind of file"):
        load_result(tmp_path / "text.h5")
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    with pytest.raises(FileError, match=r"other\.npz: format: expected 'eventsim-result'"):
        load_result(tmp_path / "other.npz")
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    with pytest.raises(FileError, match=r"some\.zip: "):
        load_result(tmp_path / "some.zip")


def test_result_file_is_no_network_file(tmp_path, run):
    with pytest.raises(FileError, match=r"run\.h5: format: expected 'eventsim-network', got None"):
        es.load(run.save(tmp_path / "run.h5"))


def test_pickles_in_archives_are_refused(tmp_path):
    np.savez(tmp_path / "evil.npz", format=np.array([{"a": 1}], dtype=object))
    with pytest.raises(FileError, match=r"evil\.npz: file: expected a result"):
        load_result(tmp_path / "evil.npz")


@pytest.fixture
def rewrite(tmp_path, batch):
    """Write a batch as npz with some arrays changed (None: left out)."""

    def write(**changes):
        path = tmp_path / "run.npz"
        with np.load(save_result(batch, path, overwrite=True)) as archive:
            arrays = {**archive, **{key.replace(".", "/"): v for key, v in changes.items()}}
        buffer = io.BytesIO()
        np.savez(buffer, **{key: value for key, value in arrays.items() if value is not None})
        path.write_bytes(buffer.getvalue())
        return path

    return write


BAD = [
    ({"version": np.array(9)}, "version: expected at most 1, got 9"),
    ({"version": np.array("1")}, "version: expected an int"),
    ({"kind": np.array("Cake")}, "kind: expected 'Result' or 'Results', got 'Cake'"),
    ({"kind": np.array("Result")}, "t_start: expected one entry for each sample, got 3"),
    ({"t_stop": None}, r"t_stop: expected an array of shape \(3,\), got none"),
    ({"complete": np.ones(3)}, "complete: expected dtype kind 'b', got float64"),
    ({"n_events": np.ones(2, int)}, r"n_events: expected shape \(3,\), got \(2,\)"),
    ({"provenance": np.array(["{}", "{}"])}, "provenance: expected 1 or 3 entries, got 2"),
    ({"provenance": np.array(["{"])}, "provenance: expected JSON text"),
    ({"provenance": np.array(["[]"])}, "provenance: expected JSON objects"),
    ({"counts.out": np.ones((3, 4), int)}, r"counts/out: expected shape \(3, 3\)"),
    ({"spikes.out.t": None}, "spikes/out/t: expected an array of shape"),
    ({"spikes.out.t": np.full(57, np.nan)}, "spikes/out/t: expected finite times"),
    ({"spikes.out.t": np.arange(57.0)[::-1]}, "spikes/out: expected spikes sorted by time"),
    ({"spikes.out.node": np.full(57, 3)}, "spikes/out/node: expected units from 0 to 2"),
    ({"spikes.out.node": np.full(57, -1)}, "spikes/out/node: expected units from 0 to 2"),
    ({"spikes.out.node": np.zeros(9, int)}, r"spikes/out/node: expected shape \(57,\)"),
    ({"spikes.out.sample_ptr": np.array([0, 60, 50, 57])}, "sample_ptr: expected ascending"),
    ({"spikes.out.sample_ptr": np.array([0, 1, 2, 3])}, "offsets from 0 to 57"),
    ({"v.out.0.pointer": None}, "v/out/0: expected the arrays of a Trace"),
    ({"network": None}, "network: expected the bytes of a network file"),
    ({"network": np.zeros(99, np.uint8)}, "network: expected a network file"),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_content_names_the_field(rewrite, changes, message):
    path = rewrite(**changes)
    with pytest.raises(FileError, match=message) as error:
        load_result(path)
    assert "run.npz" in str(error.value)


def test_rewritten_file_is_otherwise_good(rewrite, batch):
    assert_same(load_result(rewrite()), batch)
