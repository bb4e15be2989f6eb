"""Data sets, training of the reference networks, and its command."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

import eventsim as es
from eventsim.errors import FileError, InvalidValue
from models import datasets, export, subset, train, training
from models.training import Settings, Trainer

TINY = Settings(
    "hidden", dataset="digits", hidden=32, epochs=3, lr=0.02, limit=600, encoder="bernoulli"
)


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


# -- datasets ------------------------------------------------------------------------------


def write_idx(path, array, compress=False):
    data = b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    data += array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if compress else data)


@pytest.fixture
def idx_folder(tmp_path):
    rng = np.random.default_rng(0)
    for k, (stem, n) in enumerate({"train": 40, "t10k": 10}.items()):
        images, labels = rng.integers(0, 256, (n, 28, 28)), np.arange(n) % 10
        suffix = ".gz" if k else ""
        write_idx(tmp_path / f"{stem}-images-idx3-ubyte{suffix}", images, bool(k))
        write_idx(tmp_path / f"{stem}-labels-idx1-ubyte{suffix}", labels, bool(k))
    return tmp_path


def test_idx_files(idx_folder):
    data = datasets.load("mnist", idx_folder)
    assert data.train_images.shape == (40, 1, 28, 28)
    assert data.train_images.dtype == np.float32
    assert data.train_images.max() <= 1
    assert data.test_labels.tolist() == list(range(10))
    file = idx_folder / "t10k-labels-idx1-ubyte.gz"
    assert data.checksums[file.name] == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "another format"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00", "another format"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x05\x01", "expected 5 bytes, got 1"),
        (b"\x1f\x8b broken", "expected a readable idx file"),
    ],
)
def test_damaged_idx_files(idx_folder, content, message):
    (idx_folder / "train-labels-idx1-ubyte").write_bytes(content)
    with pytest.raises(FileError, match=message):
        datasets.load("mnist", idx_folder)


def test_missing_data(idx_folder, monkeypatch):
    (idx_folder / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(FileError, match="train-labels-idx1-ubyte"):
        datasets.load("mnist", idx_folder)
    monkeypatch.setattr(datasets, "DEBIAN", idx_folder / "nowhere")
    with pytest.raises(FileError, match="dataset-fashion-mnist"):
        datasets.load("fashion-mnist")
    with pytest.raises(InvalidValue, match="dataset: expected one of"):
        datasets.load("cifar")
    with pytest.raises(InvalidValue, match="data_dir"):
        datasets.load("digits", idx_folder)


def test_labels_that_do_not_match(idx_folder):
    write_idx(idx_folder / "train-labels-idx1-ubyte", np.zeros(39))
    with pytest.raises(FileError, match="one label per image"):
        datasets.load("mnist", idx_folder)


@pytest.mark.parametrize(("name", "n", "size"), [("digits", 1797, 8), ("mnist", 5000, 28)])
def test_datasets_of_packages(name, n, size):
    data = datasets.load(name)
    assert len(data.train_labels) + len(data.test_labels) == n
    assert data.image_shape == (1, size, size)
    assert set(data.test_labels) == set(range(10))
    assert (data.train_images.min(), data.train_images.max()) == (0, 1)


# -- training ------------------------------------------------------------------------------


def test_training_learns_digits(digits):
    trainer = Trainer(dataclasses.replace(TINY, limit=0), digits)
    before = training.evaluate(
        trainer.net, trainer.settings, digits.test_images, digits.test_labels
    )
    while trainer.epoch < TINY.epochs:
        trainer.run_epoch()
    after = training.evaluate(trainer.net, trainer.settings, digits.test_images, digits.test_labels)
    assert after.interval[0] > 0.5 > before.interval[1]
    assert trainer.history[-1]["loss"] < trainer.history[0]["loss"]


def test_resumed_training_is_the_uninterrupted_one(digits, tmp_path):
    whole = Trainer(TINY, digits)
    for _ in range(3):
        whole.run_epoch()
    first = Trainer(TINY, digits)
    first.run_epoch()
    training.write_checkpoint(tmp_path / "c.pt", first.state())
    second = Trainer(TINY, digits)
    second.restore(training.read_checkpoint(tmp_path / "c.pt"))
    second.run_epoch()
    second.run_epoch()
    assert second.history == whole.history
    for key, value in whole.net.state_dict().items():
        assert torch.equal(value, second.net.state_dict()[key])
    assert list(tmp_path.iterdir()) == [tmp_path / "c.pt"]


def test_initial_weights_depend_on_the_seed_alone(digits):
    torch.manual_seed(1)
    one = training.build(TINY, digits.image_shape, 10).hidden.weight
    torch.manual_seed(2)
    drawn = torch.rand(1)
    torch.manual_seed(2)
    two = training.build(TINY, digits.image_shape, 10).hidden.weight
    assert torch.equal(one, two)
    assert torch.equal(drawn, torch.rand(1))
    other = training.build(dataclasses.replace(TINY, seed=1), digits.image_shape, 10)
    assert not torch.equal(one, other.hidden.weight)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"steps": 0}, "steps"),
        ({"lr": math.nan}, "lr"),
        ({"seed": -1}, "seed"),
        ({"encoder": "constant"}, "encoder"),
        ({"limit": 5000}, "limit"),
        ({"loss": "hinge"}, "loss"),
    ],
)
def test_trainer_refuses(digits, change, field):
    with pytest.raises(InvalidValue, match=f"{field}: expected"):
        Trainer(dataclasses.replace(TINY, **change), digits)


def test_wilson_interval():
    low, high = training.Accuracy(80, 100).interval
    assert (low, high) == pytest.approx((0.7112, 0.8666), abs=1e-4)


# -- the command ---------------------------------------------------------------------------

COMMAND = "hidden --dataset digits --hidden 16 --epochs 2 --limit 200 --lr 0.02".split()


def run(capsys, *arguments):
    status = train.guarded(train.main, [str(a) for a in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_command_writes_a_network(tmp_path, capsys):
    out, again = tmp_path / "net.h5", tmp_path / "again.h5"
    checkpoint = tmp_path / "c.pt"
    status, text, _ = run(capsys, *COMMAND, "--out", out, "--checkpoint", checkpoint)
    assert status == 0
    assert text.splitlines()[-1] == f"wrote {out}"
    assert "of 360 digits test images" in text
    network, disc = es.load(out)
    assert network["hidden"].n == 16
    assert disc.steps == 4
    resumed = run(capsys, *COMMAND, "--out", again, "--checkpoint", checkpoint, "--resume")
    assert resumed[0] == 0
    assert again.read_bytes() == out.read_bytes()


def test_command_errors_are_one_line(tmp_path, capsys, digits):
    out = tmp_path / "net.h5"
    taken = tmp_path / "taken.pt"
    taken.write_text("no checkpoint")
    other = tmp_path / "other.pt"
    training.write_checkpoint(other, Trainer(TINY, digits).state())
    cases = {
        ("alexnet",): "alexnet",
        (*COMMAND,): "--out",
        (*COMMAND, "--out", tmp_path): "got a folder",
        (*COMMAND, "--out", taken): "--overwrite",
        (*COMMAND, "--out", tmp_path / "no" / "x.h5"): "writable folder",
        (*COMMAND, "--out", out, "--checkpoint", taken): "--overwrite",
        (*COMMAND, "--out", out, "--checkpoint", taken, "--resume"): "readable checkpoint",
        (*COMMAND, "--out", out, "--checkpoint", out, "--resume"): "no such file",
        (*COMMAND, "--out", out, "--checkpoint", other, "--resume"): "epochs: expected 2",
        (*COMMAND, "--out", out, "--resume"): "--checkpoint",
        (*COMMAND, "--out", out, "--data-dir", tmp_path): "data_dir",
        (*COMMAND, "--out", out, "--steps", "0"): "steps: expected",
        (*COMMAND, "--out", out, "--lr", "fast"): "fast",
        ("lenet5", "--dataset", "digits", "--out", out): "too small|large enough",
    }
    for arguments, message in cases.items():
        status, text, error = run(capsys, *arguments)
        assert (status, text, error.count("\n")) == (2, "", 1), error
        assert error.startswith("error: ")
        assert any(part in error for part in message.split("|")), error
    assert not out.exists()


def test_a_checkpoint_with_pickled_code_is_refused(tmp_path):
    path = tmp_path / "evil.pt"
    torch.save({"format": training.FORMAT, "x": Path("/")}, path)
    with pytest.raises(FileError, match="readable checkpoint"):
        training.read_checkpoint(path)
    torch.save({"format": "another"}, path)
    with pytest.raises(FileError, match="another file"):
        training.read_checkpoint(path)


def test_command_of_provenance_gives_the_same_settings():
    settings = dataclasses.replace(TINY, tau_out=8.0)
    words = export.command(settings, "x.h5", every=True).split()[3:]
    parsed = train.main.make_context("train", words).params
    for field in dataclasses.fields(Settings):
        assert parsed[field.name] == getattr(settings, field.name)
    assert export.command(settings, "x.h5") == (
        "python -m models.train hidden --dataset digits --epochs 3 --hidden 32 --tau-out 8.0 "
        "--lr 0.02 --limit 600 --out x.h5"
    )


def test_subset(idx_folder, capsys):
    out = idx_folder / "test5.npz"
    arguments = ["--dataset", "mnist", "--data-dir", str(idx_folder), "--out", str(out)]
    assert train.guarded(subset.main, [*arguments, "--count", "5"]) == 0
    raw = datasets.read_idx(idx_folder / "t10k-images-idx3-ubyte.gz")
    with np.load(out, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["images"], raw[:5])
        assert file["labels"].tolist() == [0, 1, 2, 3, 4]
        assert file["images"].dtype == file["labels"].dtype == np.uint8
    first = out.read_bytes()
    assert train.guarded(subset.main, [*arguments, "--count", "5"]) == 2
    assert train.guarded(subset.main, [*arguments, "--count", "5", "--overwrite"]) == 0
    assert out.read_bytes() == first
    assert train.guarded(subset.main, [*arguments, "--count", "11", "--overwrite"]) == 2
    assert "from 1 to 10" in capsys.readouterr().err
