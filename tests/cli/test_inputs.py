"""The files that commands read, and those that they refuse."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from eventsim import load_result
from eventsim.cli.stimuli import read_stimulus
from eventsim.errors import FileError
from tests.cli.commands import refused, run


def test_spike_trains_of_a_batch(folder):
    data = read_stimulus(folder / "batch.npz")
    assert [train.senders.tolist() for train in data.trains] == [[0, 2], [1]]
    assert data.batch and not read_stimulus(folder / "spikes.npz").batch


def test_csv_and_npz_give_the_same_run(folder, tmp_path):
    np.savez(tmp_path / "same.npz", times=[0.001, 0.002], senders=[0, 2])
    for name, data in (("a.h5", folder / "spikes.csv"), ("b.h5", tmp_path / "same.npz")):
        done = run("simulate", folder / "net.h5", data, "-o", tmp_path / name, "--t-stop", "4 ms")
        assert done.exit_code == 0, done.output
    a, b = (load_result(tmp_path / name) for name in ("a.h5", "b.h5"))
    assert a.spikes["out"].times.tolist() == b.spikes["out"].times.tolist() != []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.001,0\n", ("line 1", "times,senders")),
        ("times,senders\n0.001\n", ("row 2", "2 values")),
        ("times,senders\n0.001,x\n", ("row 2", "senders")),
        ("times,senders\n0.002,0\n0.001,0\n", ("times[1]", "sorted")),
        ("times,senders\nnan,0\n", ("times[0]", "finite")),
        ("times,senders\n-0.5,0\n", ("times[0]", ">= 0")),
        ("times,senders\n0.001,0\n0.001,0\n", ("senders[1]", "duplicate")),
        ("times,senders\n0.001,9\n", ("senders[0]", "below 4")),
        ("times,senders,sample\n0.001,0,-1\n", ("sample", ">= 0")),
        ("times,senders,sample\n0.001,0,99999999999\n", ("sample", "from 0 on")),
        ("times,senders,sample\n0.001,0,-7\n", ("sample", ">= 0", "-7")),
        (f"times,senders\n0.001,{2**63}\n", ("row 2", "senders", "64 bits", str(2**63))),
        ("times,senders,times\n0.001,1,0.002\n", ("line 1", "times,senders,times")),
    ],
)
def test_bad_spikes_are_refused(folder, tmp_path, text, words):
    (tmp_path / "bad.csv").write_text(text)
    out = tmp_path / "run.h5"
    done = run("simulate", folder / "net.h5", tmp_path / "bad.csv", "-o", out, "--t-stop", "4 ms")
    refused(done, *words)
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.npz", ("absent.npz", "no such file")),
        ("cut.npz", ("cut.npz",)),
        ("pickle.npz", ("pickle.npz", "begins with")),
        ("objects.npz", ("objects.npz", "pickled objects")),
        ("small.npz", ("'image'", "4 pixels", "2")),
        ("net.h5", ("net.h5", "begins with")),
        ("", ("folder",)),
    ],
)
def test_bad_input_files_are_refused(folder, tmp_path, name, words):
    done = run("simulate", folder / "net.h5", folder / name, "-o", tmp_path / "run.h5")
    refused(done, *words)
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_is_never_run(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "trapped",))

    (tmp_path / "trap.npz").write_bytes(pickle.dumps(Trap()))
    buffer = io.BytesIO()
    np.save(buffer, np.array([Trap()], dtype=object))
    (tmp_path / "trap.npy").write_bytes(buffer.getvalue())
    for name in ("trap.npz", "trap.npy"):
        refused(run("info", tmp_path / name), name)
        refused(
            run("simulate", folder / "net.h5", tmp_path / name, "-o", tmp_path / "run.h5"), name
        )
        refused(
            run("simulate", tmp_path / name, folder / "images.npz", "-o", tmp_path / "run.h5"), name
        )
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("name", ["absent.h5", "cut.h5", "images.npz", "spikes.csv", "pickle.npz"])
def test_bad_network_files_are_refused(folder, tmp_path, name):
    done = run("simulate", folder / name, folder / "images.npz", "-o", tmp_path / "run.h5")
    refused(done, name)


def test_images_need_a_discretization(folder, tmp_path):
    done = run("simulate", folder / "bare.h5", folder / "images.npz", "-o", tmp_path / "r.h5",
               "--t-stop", "4 ms")  # fmt: skip
    refused(done, "discretization")


def test_images_of_other_types_are_refused(folder, tmp_path):
    np.savez(tmp_path / "bad.npz", images=np.full((2, 2, 2), 255), labels=[0, 1])
    refused(run("simulate", folder / "net.h5", tmp_path / "bad.npz", "-o", tmp_path / "r.h5"),
            "between 0 and 1")  # fmt: skip
    np.savez(tmp_path / "labels.npz", images=np.zeros((2, 2, 2)), labels=[0])
    refused(run("info", tmp_path / "labels.npz"), "labels", "2 integers")
    with pytest.raises(FileError, match="images"):
        np.savez(tmp_path / "text.npz", images=np.array([["a"]]))
        read_stimulus(tmp_path / "text.npz")
