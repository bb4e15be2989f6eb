"""Result files that are damaged, of another kind, or hold bad content."""

from __future__ import annotations

import dataclasses
import io
import zipfile

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import FileError, InvalidType, InvalidValue
from eventsim.load import load_result
from eventsim.recording import Results
from eventsim.save import save_result
from tests.results.made import SUFFIXES, assert_same, network, result


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
