"""``eventsim check``: what it prints, writes and refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

import eventsim as es
from tests.cli.commands import refused, run
from tests.forecasts import chain, disc


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("check")
    net = chain(2.0 * np.eye(4)[:, :2], [[3.0, -3.0], [-3.0, 3.0]])
    es.save(place / "net.h5", net, disc(8))
    es.save(place / "bare.h5", net)
    images = np.eye(4)[:2].repeat(3, axis=0)
    np.savez(place / "images.npz", images=images, labels=[0, 0, 0, 1, 1, 1])
    np.savez(place / "unlabelled.npz", images=images)
    np.savez(place / "small.npz", images=images[:, :3])
    np.savez(place / "spikes.npz", times=[1e-3], senders=[0])
    return place


def command(*arguments):
    return run("check", *arguments)


def test_check_prints_and_writes(folder, tmp_path):
    path = tmp_path / "check.json"
    done = command(folder / "net.h5", "--data", folder / "images.npz", "--json", path)
    assert done.exit_code == 0, done.output
    assert "the risk is high with deltas and low with pulses" in done.stdout
    assert "accuracy of the coarse network" in done.stdout
    last = done.stdout.rstrip().splitlines()[-1]
    assert last.startswith(f"wrote {path} (6 images in ")
    assert json.loads(path.read_text(encoding="utf-8"))["risk"]["deltas"] == "high"
    again = command(folder / "net.h5", "--data", folder / "images.npz", "--json", path)
    assert again.exit_code == 2 and "--overwrite" in again.stderr


def test_check_without_labels_and_with_fewer_samples(folder):
    done = command(
        folder / "net.h5", "--data", folder / "unlabelled.npz", "--samples", 4, "--steps", 3
    )
    assert done.exit_code == 0, done.output
    assert "4 of 6 images, 3 steps" in done.stdout
    assert "accuracy" not in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("wrote nothing (4 images in ")


@pytest.mark.parametrize(
    ("net", "data", "options", "words"),
    [
        ("bare.h5", "images.npz", [], "discretization"),
        ("net.h5", "spikes.npz", [], "expected an .npz file with images"),
        ("net.h5", "small.npz", [], "4 pixels"),
        ("net.h5", "images.npz", ["--samples", 7], "at most 6"),
        ("net.h5", "images.npz", ["--samples", 1], "--samples"),
        ("net.h5", "missing.npz", [], "missing.npz"),
        ("net.h5", "images.npz", ["--json", "no/folder/a.json"], "no/folder"),
    ],
)
def test_check_refuses(folder, net, data, options, words):
    refused(command(folder / net, "--data", folder / data, *options), words)
