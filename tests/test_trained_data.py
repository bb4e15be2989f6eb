"""The data that come with the repository."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import eventsim as es
from eventsim.load.native import read_provenance
from models import export, training
from models.training import Settings

DATA = Path(__file__).resolve().parent.parent / "data"
#: Networks for images; the others there are policies.
TRAINED = [path for path in sorted(DATA.glob("*.h5")) if "coarse_accuracy" in read_provenance(path)]


def test_checksums_of_the_data():
    lines = (DATA / "SHA256SUMS").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines)
    assert set(listed) == {p.name for p in DATA.iterdir()} - {"README.md", "SHA256SUMS"}
    for name, digest in listed.items():
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == digest, name
    assert sum((DATA / name).stat().st_size for name in listed) < 4e6


def test_images_of_the_data():
    images, labels = load_images()
    assert (images.shape, images.dtype) == ((500, 28, 28), np.uint8)
    assert (labels.shape, labels.dtype) == ((500,), np.uint8)
    assert np.bincount(labels).min() > 30


def load_images():
    with np.load(DATA / "fashion-mnist_test500.npz", allow_pickle=False) as file:
        return file["images"], file["labels"]


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_trained_networks_reach_their_accuracy(path):
    """The twin, on the images that come along: within the error of so few of them."""
    images, labels = load_images()
    images, labels = images[:250] / np.float32(255), labels[:250]
    net, disc = es.load(path)
    counts = disc.run(net, es.encode.encode(images, disc)).sum(axis=1, dtype=int)
    accuracy = (counts.argmax(axis=1) == labels).mean()
    noted = read_provenance(path)["coarse_accuracy"]
    assert accuracy == pytest.approx(noted["value"], abs=0.07)
    assert noted["test_images"] == 10_000
    assert (disc.dt, disc.steps, disc.spread) == (1e-3, 4, 1e-3)
    assert all(getattr(p, "spread", 1e-3) == 1e-3 for p in net.projections)


def test_table_of_the_data():
    """The readme says of each network what its file says."""
    text = (DATA / "README.md").read_text()
    assert {path.stem for path in TRAINED} >= {"shallow", "hidden", "lenet5"}
    for path in TRAINED:
        noted = read_provenance(path)
        accuracy = noted["coarse_accuracy"]
        shown = training.Accuracy(accuracy["correct"], accuracy["test_images"])
        row = next(line for line in text.splitlines() if line.startswith(f"| `{path.name}`"))
        assert str(shown).split(" of ")[0] in row
        assert export.command(Settings(**noted["settings"]), path.name) in row
    assert text.count("\n| `") == len(list(DATA.glob("*.h5")))
