"""What is said before anything runs: help, the version, units and names."""

from __future__ import annotations

import subprocess
import sys

import pytest

import eventsim
from eventsim.cli.options import Duration, Neurons, duration_text
from tests.cli.commands import ROOT, refused, run

# Start


def test_help_names_every_command_with_an_example():
    shown = run("--help")
    assert shown.exit_code == 0
    for name in (
        "demo",
        "info",
        "simulate",
        "check",
        "validate",
        "ladder",
        "sweep",
        "play",
        "plot",
        "warmup",
    ):
        assert name in shown.stdout
        text = run(name, "--help").stdout
        assert f"eventsim {name}" in text.split("Example", 1)[1]


def test_version():
    assert run("--version").stdout == f"eventsim {eventsim.__version__}\n"


def test_without_arguments_help_is_shown():
    assert run().stdout.startswith("Usage:")


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom eventsim.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n"
        "    print([m for m in ('numpy', 'numba', 'h5py', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("[]")


def test_an_unknown_command_and_option_are_refused():
    refused(run("transmogrify"), "transmogrify")
    refused(run("info", "--colour"), "--colour")


# Units and names


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("10 ms", 0.01), ("10ms", 0.01), ("1.5e-2 s", 0.015), ("50us", 5e-5),
     ("3 µs", 3e-6), ("7 ns", 7e-9), (".5 ms", 5e-4)],
)  # fmt: skip
def test_durations(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["10", "4 parsec", "ms", "-1 ms", "nan", "", "1e999999 q"])
def test_bad_durations_are_refused(folder, text):
    done = run(
        "simulate", folder / "net.h5", folder / "images.npz", "-o", "x.h5", f"--t-stop={text}"
    )
    refused(done, "--t-stop", "'10 ms'" if not text.startswith("-") else ">= 0")


def test_neurons():
    assert Neurons().convert("out:0,3-5", None, None) == ("out", [0, 3, 4, 5])


@pytest.mark.parametrize("text", ["out", ":1", "out:", "out:a", "out:1;2"])
def test_bad_neurons_are_refused(folder, text):
    done = run(
        "simulate", folder / "net.h5", folder / "images.npz", "-o", "x.h5", "--record-v", text
    )
    refused(done, "POPULATION:INDEX")


@pytest.mark.parametrize("text", ["out:5-3", "out:0-999999999999"])
def test_a_range_of_neurons_is_ascending_and_bounded(folder, text):
    done = run(
        "simulate", folder / "net.h5", folder / "images.npz", "-o", "x.h5", "--record-v", text
    )
    refused(done, "ascending range", text.partition(":")[2])


def test_times_in_words():
    assert [duration_text(t) for t in (0.0, 0.0105, 2.0, 5e-6, 1e-12)] == [
        "0", "10.5 ms", "2 s", "5 us", "1e-12 s",
    ]  # fmt: skip
