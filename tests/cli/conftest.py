"""A small network, its data and a result, in a folder."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from eventsim import Dense, Discretization, Input, Network, Population, save
from tests.cli.commands import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small network that tells bright left halves from bright right ones, and its data."""
    place = tmp_path_factory.mktemp("cli")
    weight = np.zeros((4, 2))
    weight[[0, 2], 0] = weight[[1, 3], 1] = 0.9
    net = Network(
        [Input("image", (1, 2, 2)), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
        [Dense("image", "out", weight, spread=1e-3)],
    )
    save(place / "net.h5", net, Discretization(dt=1e-3, steps=4), {"seed": 3, "data": {"n": 7}})
    save(place / "bare.h5", net)
    left = np.array([[255, 0], [255, 0]], dtype=np.uint8)
    images = np.stack([left, left[:, ::-1]] * 4)
    labels = np.tile(np.array([0, 1], dtype=np.uint8), 4)
    np.savez(place / "images.npz", images=images, labels=labels)
    np.savez(place / "small.npz", images=images[:, :1], labels=labels)
    np.savez(place / "spikes.npz", times=[1e-3, 2e-3, 5e-3], senders=[0, 2, 1])
    np.savez(place / "batch.npz", times=[1e-3, 1e-3, 2e-3], senders=[0, 1, 2], sample=[0, 1, 0])
    (place / "spikes.csv").write_text("times,senders\n0.001,0\n0.002,2\n")
    (place / "pickle.npz").write_bytes(pickle.dumps({"images": images}))
    np.savez(place / "objects.npz", images=np.array([{}], dtype=object))
    (place / "cut.h5").write_bytes((place / "net.h5").read_bytes()[:3000])
    (place / "cut.npz").write_bytes((place / "images.npz").read_bytes()[:300])
    return place


@pytest.fixture(scope="module")
def result_file(folder) -> Path:
    path = folder / "result.h5"
    done = run(
        "simulate", folder / "net.h5", folder / "images.npz", "-o", path, "--record-v", "out:0-1"
    )
    assert done.exit_code == 0, done.output
    return path
