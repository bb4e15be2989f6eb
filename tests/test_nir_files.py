"""NIR files: damaged ones, those of others, and on the command line."""

from __future__ import annotations

import h5py
import nir
import numpy as np
import pytest
from click.testing import CliRunner

import eventsim as es
from eventsim.cli import main
from eventsim.errors import FileError
from tests.nir_graphs import DT, chain, lif

# Damaged files


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.nir"
    nir.write(path, chain([2], nir.Linear(np.eye(2)), lif()))
    return path


def damaged(path, change):
    with h5py.File(path, "r+") as opened:
        change(opened)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.__delitem__("node"), "/node: expected a group"),
        (lambda f: f["node"].__delitem__("nodes"), "nodes: expected them, got none"),
        (lambda f: f["node"].__delitem__("type"), "/node/type: expected a dataset"),
        (lambda f: f["node/nodes/n1"].__delitem__("tau"), "'n1'.*tau"),
        (lambda f: f["node/nodes"].__delitem__("n1"), r"edges\[1\]: expected one of.*got 'n1'"),
        (lambda f: f["node/nodes/n1/type"].__setitem__((), "Spiker"), "'n1': type: .*'Spiker'"),
        (lambda f: f["node/nodes/n0/weight"].__setitem__((0, 0), np.nan), r"'n0'.*weight\[0, 0\]"),
    ],
)
def test_damaged_files_are_named(file, change, words):
    damaged(file, change)
    with pytest.raises(FileError, match=words) as error:
        es.load(file, dt=DT)
    assert str(file) in str(error.value)


def test_a_truncated_file_is_an_error(file):
    file.write_bytes(file.read_bytes()[:-900])
    with pytest.raises(FileError, match="damaged or truncated"):
        es.load(file, dt=DT)


def test_edges_once_only():
    graph = chain([2], lif())
    graph.edges.append(("input", "n0"))
    with pytest.raises(FileError, match=r"edges\[2\]: expected each edge once"):
        es.load_nir(graph, dt=DT)


def test_data_outside_the_file_is_not_read(file, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["weight"] = np.eye(2)

    def link(opened):
        del opened["node/nodes/n0/weight"]
        opened["node/nodes/n0/weight"] = h5py.ExternalLink("other.h5", "weight")

    damaged(file, link)
    with pytest.raises(FileError, match="n0/weight: expected a dataset, got a link"):
        es.load(file, dt=DT)


def test_a_file_that_holds_itself_ends(file):
    def loop(opened):
        del opened["node/nodes/n1"]
        opened["node/nodes/n1"] = opened["node"]

    damaged(file, loop)
    with pytest.raises(FileError, match="nested graphs"):
        es.load(file, dt=DT)


def test_metadata_of_others_is_left_alone(file):
    def add(opened):
        group = opened["node"].create_group("metadata")
        group["pickle"] = np.void(b"\x80\x04c__builtin__\nprint\n")
        group["link"] = h5py.SoftLink("/nowhere")

    damaged(file, add)
    assert es.load(file, dt=DT)[0]["n1"].n == 2


def test_options_of_nir_are_for_nir_files(tmp_path):
    path = es.save(tmp_path / "net.h5", es.Network([es.Input("in", 1)]))
    with pytest.raises(FileError, match="dt: expected only for a NIR file"):
        es.load(path, dt=DT)


def test_no_description_goes_with_nir(file):
    with pytest.raises(FileError, match="architecture: expected none for a NIR file"):
        es.load(file, {"dt": 1})


# Command line


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_info_prints_the_table(file):
    shown = invoke("info", file, "--dt", "1ms", "--reset", "subtract")
    assert shown.exit_code == 0, shown.output
    for word in ("n1", "Dense", "area of a spike", "0.001 s (one step)", "subtracted", "output"):
        assert word in shown.stdout


def test_info_refuses_in_one_line(file):
    shown = invoke("info", file)
    assert shown.exit_code == 2
    assert shown.stdout == ""
    assert shown.stderr.startswith("error: ")
    assert len(shown.stderr.strip().splitlines()) == 1
    for word in (str(file), "'n1'", "spike_area", "dt"):
        assert word in shown.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [("--dt", "1"), ("--spike-area", "big"), ("--time-unit", "h"), ("--reset", "zero")],
)
def test_bad_options_are_named(file, option, value):
    shown = invoke("info", file, option, value)
    assert shown.exit_code == 2
    assert option in shown.stderr


def test_simulate_takes_nir(file, tmp_path):
    (tmp_path / "spikes.csv").write_text("times,senders\n0.001,0\n0.002,0\n0.003,1\n")
    out = tmp_path / "run.h5"
    arguments = ["simulate", file, tmp_path / "spikes.csv", "--t-stop", "10 ms", "-o", out]
    done = invoke(*arguments, "--dt", "1 ms", "--fires-at-equality")
    assert done.exit_code == 0, done.output
    assert es.load_result(out).spikes["n1"].times.tolist() == [1e-3, 2e-3, 3e-3]
    strict = invoke(*arguments, "--spike-area", "0.001", "--overwrite")
    assert strict.exit_code == 0, strict.output
    assert es.load_result(out).spikes["n1"].times.tolist() == [2e-3]


def test_validate_says_what_nir_lacks(file, tmp_path):
    np.savez(tmp_path / "images.npz", images=np.zeros((2, 2), np.uint8), labels=[0, 1])
    done = invoke("validate", file, "--data", tmp_path / "images.npz", "--dt", "1ms")
    assert done.exit_code == 2
    assert "discretization" in done.stderr and "NIR" in done.stderr
