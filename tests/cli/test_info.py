"""``eventsim info``: what files hold."""

from __future__ import annotations

import pytest

from tests.cli.commands import refused, run


def test_info_of_a_network(folder):
    shown = run("info", folder / "net.h5").stdout
    for text in ("image -> out", "Dense", "tau_mem=0.004 s", "update rule", "coarse", "data.n"):
        assert text in shown
    assert "stepped" not in run("info", folder / "bare.h5").stdout


def test_info_of_results(folder, result_file, tmp_path):
    shown = run("info", result_file).stdout
    for text in ("Result of 8 samples", "0 to 4 ms", "potentials of out", "software.numba"):
        assert text in shown
    run("simulate", folder / "net.h5", folder / "spikes.csv", "-o", tmp_path / "r.npz",
        "--t-stop", "4 ms")  # fmt: skip
    assert "Result of 1 sample\n" in run("info", tmp_path / "r.npz").stdout


def test_info_of_inputs(folder):
    assert "8 images of 2 x 2 pixels" in run("info", folder / "images.npz").stdout
    assert "3 spikes in 2 samples" in run("info", folder / "batch.npz").stdout
    assert "2 spikes in 1 sample" in run("info", folder / "spikes.csv").stdout


@pytest.mark.parametrize("name", ["absent.h5", "cut.h5", "cut.npz", "objects.npz", "pickle.npz"])
def test_info_of_bad_files(folder, name):
    refused(run("info", folder / name), name)
