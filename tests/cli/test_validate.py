"""``eventsim validate``: what it prints, writes and refuses."""

from __future__ import annotations

import json

import click
import numpy as np
import pytest

from eventsim import Dense, Discretization, Input, Network, Population, save
from eventsim.cli.validate import validate
from eventsim.discretization import DECODERS, ENCODERS
from eventsim.load.nir_exporters import EXPORTERS
from tests.cli.commands import refused, run


def test_validate_prints_and_writes(folder, tmp_path):
    report, numbers = tmp_path / "report.html", tmp_path / "numbers.json"
    done = run(
        "validate", folder / "net.h5", "--data", folder / "images.npz", "--report", report,
        "--json", numbers, "--jitter-seeds", 2, "--spread", "1 ms", "--spread", "0.5 ms",
        "--extend", "1 ms", "--steps", 6, "--samples", 6,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "pulses of 0.5 step" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(f"wrote {report}, {numbers} (6 images in ")
    assert "<html" in report.read_text()
    settings = json.loads(numbers.read_text())["settings"]
    assert settings["spreads"] == [1e-3, 5e-4]
    assert (settings["samples"], settings["steps"], settings["extend"]) == (6, 6, 1e-3)


def test_outputs_without_spikes_and_several_for_a_class(folder, tmp_path):
    weight = np.tile([[0.9, 0.0], [0.0, 0.9]], (2, 1)).repeat(3, axis=1)
    net = Network(
        [Input("image", (1, 2, 2)), Population("out", 6, tau_mem=4e-3, v_threshold=np.inf)],
        [Dense("image", "out", weight)],
    )
    save(tmp_path / "net.h5", net, Discretization(rule="lif", dt=1e-3, steps=4, decoder="last"))
    files = (tmp_path / "net.h5", "--data", folder / "images.npz")
    page = tmp_path / "report.html"
    done = run(
        "validate", *files, "--decoder", "max", "--classes", 2, "--report", page, "--spread", 0
    )
    assert done.exit_code == 0, done.output
    shown = " ".join(done.stdout.split())
    assert "(decoder max), and is in no table of spikes" in shown
    assert "The 6 output neurons are those of 2 classes, 3 neighbours for each" in shown
    assert "100.0" in shown and "decides the class" in page.read_text()
    assert "(decoder last)" in run("ladder", *files, "--no-variants").stdout
    swept = run("sweep", "pulse-width", *files, "--values", "0,1", "--classes", 2)
    assert "(decoder last)" in swept.stdout
    refused(run("sweep", "time-step", *files), "time-step", "potentials")


def test_validate_compares_pulses_and_deltas_by_default(folder):
    shown = run("validate", folder / "net.h5", "--data", folder / "images.npz").stdout
    assert "pulses of 1 step" in shown and "deltas" in shown
    assert shown.splitlines()[-1].startswith("wrote nothing (")


@pytest.mark.parametrize(
    ("net", "data", "words"),
    [
        ("bare.h5", "images.npz", ("discretization",)),
        ("net.h5", "spikes.npz", ("images",)),
        ("net.h5", "small.npz", ("4 pixels",)),
        ("net.h5", "spikes.csv", ("images",)),
    ],
)
def test_bad_comparisons_are_refused(folder, net, data, words):
    refused(run("validate", folder / net, "--data", folder / data), *words)


def test_two_outputs_in_one_file_are_refused(folder, tmp_path):
    out = tmp_path / "report.html"
    data = ("--data", folder / "images.npz")
    done = run("validate", folder / "net.h5", *data, "--report", out, "--json", out)
    refused(done, "report.html", "twice")
    assert not out.exists()


def test_validate_needs_labels(folder, tmp_path):
    np.savez(tmp_path / "images.npz", images=np.zeros((2, 2, 2)))
    refused(run("validate", folder / "net.h5", "--data", tmp_path / "images.npz"), "labels")


def test_choices_are_those_of_the_library():
    choices = {
        option.name: list(option.type.choices)
        for option in validate.params
        if isinstance(option.type, click.Choice)
    }
    assert sorted(choices["exporter"]) == sorted(EXPORTERS)
    assert choices["encoder"] == list(ENCODERS)
    assert choices["decoder"] == list(DECODERS)
