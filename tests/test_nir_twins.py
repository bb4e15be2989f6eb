"""NIR files with their exporter named: the discrete twin gives the framework's spikes.

The spikes are recorded (tests/frameworks/record_nir.py); what is compared with the packages
themselves is in tests/frameworks/test_NAME_nir.py.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import eventsim as es
from eventsim import Population
from eventsim.cli import main
from eventsim.errors import FileError, InvalidType, InvalidValue
from eventsim.save.nir import to_nir
from tests.frameworks import records
from tests.test_nir_frameworks import FILES

DT = 2e-3
CASES = [
    case
    for path in sorted((records.FOLDER / "nir").glob("*.npz"))
    for case in records.read(path)["cases"]
]
SNNTORCH = {"exporter": "snntorch", "reset": "subtract", "dt": DT}


def load(case: dict[str, Any], **options: Any) -> Any:
    return es.load(records.FOLDER / case["file"], dt=DT, **{**case["options"], **options})


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['file']} {case['options']}")
def test_spikes_are_those_of_the_framework(case: dict[str, Any]) -> None:
    net, disc = load(case)
    found = disc.run(net, case["x"], layers=True)
    neurons = [p for p in net.populations if isinstance(p, Population)]
    layers = [p.name for p in neurons if np.isfinite(p.array("v_threshold")).all()]
    assert len(layers) == len(case["spikes"])
    for name, spikes in zip(layers, case["spikes"], strict=True):
        assert 0.01 < (spikes > 0).mean() < 0.95
        np.testing.assert_array_equal(found[name], spikes)


@pytest.mark.parametrize("name", FILES)
def test_rules_are_those_of_the_modules(name: str) -> None:
    """To the last bit, found again in numbers that were rounded on their way into the file."""
    file, (options, rules) = name.split(",")[0], FILES[name]
    given = {"dt": DT, "exporter": file.split("_")[0], **options}
    _, disc = es.load(records.FOLDER / f"{file}.nir", **given)
    for found, rule in zip(disc.cells.values(), rules, strict=True):
        assert dataclasses.replace(found, bias=rule.bias) == rule


def test_factors_of_snntorch() -> None:
    """Those of the modules, or neighbours that a file does not tell from them."""
    case = next(case for case in CASES if case["file"] == "snntorch_0.nir")
    net, disc = load(case)
    trained = records.read(records.FOLDER / "snntorch.npz")["cases"]
    layers = next(c for c in trained if c["name"] == "Leaky to Synaptic")["layers"]
    for cell, layer in zip(disc.cells.values(), layers, strict=True):
        wanted = np.float32(layer["arguments"]["beta"])
        found = cell.array("leak", wanted.size).astype(np.float32)
        written = [np.float32(1e-4) / (np.float32(1) - beta) for beta in (found, wanted)]
        np.testing.assert_array_equal(*written)
        np.testing.assert_array_equal(found[wanted >= 0.5], wanted[wanted >= 0.5])
    rows = dict(note.split(": ", 1) for note in disc.notes)
    assert rows["beta of 1"].startswith("within rounding")


def test_what_a_file_does_not_say() -> None:
    _, disc = load(CASES[0])
    assert disc.steps is None and disc.encoder == "bernoulli" and disc.dtype == "float32"
    assert disc.dt == DT and disc.spread == 0.0
    with pytest.raises(InvalidValue, match="steps: expected the steps of one presentation"):
        _ = disc.duration
    again = es.Discretization.from_dict(disc.to_dict())
    assert again == disc and again.steps is None
    _, disc = load(CASES[0], steps=20, encoder="constant", encoder_scale=2.0)
    assert (disc.steps, disc.encoder, disc.encoder_scale) == (20, "constant", 2.0)


def test_without_steps_comparisons_ask() -> None:
    net, disc = load(CASES[0], encoder="constant")
    images = np.full((3, net.populations[0].n), 0.5)
    with pytest.raises(InvalidValue, match="steps: expected the steps"):
        es.validate(net, disc, images, [0, 1, 2])
    with pytest.raises(InvalidValue, match="steps: expected the steps"):
        disc.run(net, images)
    found = es.validate(net, disc, images, [0, 1, 2], steps=12)
    assert found.settings["steps"] == 12


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"exporter": None, "steps": 4}, InvalidValue, "steps: expected None without exporter"),
        ({"exporter": None, "reset_delay": True}, InvalidValue, "reset_delay: expected None"),
        (
            {"exporter": "norse", "reset_delay": True},
            InvalidValue,
            "None without exporter='snntorch'",
        ),
        ({"reset_delay": "late"}, InvalidType, "reset_delay: expected True, False or None"),
        ({"encoder": "poisson"}, InvalidValue, "encoder: expected one of"),
        ({"steps": 0}, InvalidValue, "steps: expected"),
        ({"recurrent_delay": 1e-3}, InvalidValue, "recurrent_delay: expected None"),
    ],
)
def test_refused_options(options: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        es.load(records.FOLDER / "snntorch_0.nir", **{**SNNTORCH, **options})


def test_saved_with_the_network(tmp_path: Path) -> None:
    net, disc = load(CASES[0])
    es.save(tmp_path / "net.h5", net, disc)
    again, found = es.load(tmp_path / "net.h5")
    assert found == disc and again.fingerprint() == net.fingerprint()
    x = CASES[0]["x"]
    np.testing.assert_array_equal(found.run(again, x), disc.run(net, x))


def test_command_line(tmp_path: Path) -> None:
    """What refuses a file without exporter says how to name it; with one all of them run."""
    path, data = str(records.FOLDER / "norse_0.nir"), str(tmp_path / "images.npz")
    rng = np.random.default_rng(0)
    np.savez(data, images=rng.uniform(0, 1, (6, 5)), labels=rng.integers(0, 3, 6))
    named = ["--exporter", "norse", "--reset", "value", "--dt", "2 ms"]

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, list(words))

    done = run("validate", path, "--data", data, "--dt", "2 ms")
    assert done.exit_code == 2 and "--exporter and --dt" in done.output
    done = run("validate", path, "--data", data, *named)
    assert done.exit_code == 2 and "steps: expected" in done.output
    for words in (("validate",), ("ladder", "--no-variants"), ("sweep", "delay")):
        command, *rest = words
        done = run(command, *rest, path, "--data", data, "--steps", "8", *named)
        assert done.exit_code == 0 and "6 images, 8 steps of 2 ms" in done.output
    done = run("simulate", path, data, "-o", str(tmp_path / "run.h5"), "--t-stop", "16ms", *named)
    assert done.exit_code == 0 and "6 samples" in done.output
    done = run("info", path, *named)
    assert done.exit_code == 0 and "update rule of 3" in done.output


def test_noted_by_eventsim(tmp_path: Path) -> None:
    """A file that eventsim writes keeps the discrete model; a damaged note is refused."""
    net, disc = load(CASES[0], steps=7)
    path = es.save_nir(tmp_path / "net.nir", net, disc, lossy=True)
    again, kept = es.load(path)
    assert kept == disc
    x = CASES[0]["x"]
    np.testing.assert_array_equal(kept.run(again, x), disc.run(net, x))
    graph = to_nir(net, disc, lossy=True)
    graph.metadata["eventsim_discretization"] = "{"
    with pytest.raises(FileError, match="eventsim_discretization: expected what save_nir wrote"):
        es.load_nir(graph)
    with pytest.raises(InvalidType, match="disc: expected a Discretization"):
        es.save_nir(tmp_path / "other.nir", net, {"steps": 4})
