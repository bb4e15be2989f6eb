"""``eventsim validate`` in continuous integration: its exit status, and what it writes before."""

from __future__ import annotations

import json

import numpy as np
import pytest

from eventsim import save
from eventsim.cli.validate import too_low
from tests.cli.commands import run
from tests.reports import comparison, problem


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    place = tmp_path_factory.mktemp("gate")
    net, disc, images, labels = problem()
    save(place / "net.h5", net, disc)
    np.savez(place / "images.npz", images=images.astype(np.float32), labels=labels)
    return place


def validate(place, *options):
    return run("validate", place / "net.h5", "--data", place / "images.npz", *options)


@pytest.fixture(scope="module")
def percent(files, tmp_path_factory):
    """Accuracy of the continuous network of these files."""
    out = tmp_path_factory.mktemp("numbers") / "numbers.json"
    assert validate(files, "--json", out).exit_code == 0
    variants = json.loads(out.read_text())["variants"]
    main_one = next(v for v in variants if v["kind"] == "continuous")
    return 100 * main_one["over_runs"]["accuracy"]["mean"]


def test_the_same_accuracy_passes_and_a_higher_bar_fails(files, percent):
    passed = validate(files, "--fail-under", percent)
    assert passed.exit_code == 0 and "failed" not in passed.output
    failed = validate(files, "--fail-under", percent + 0.01)
    assert failed.exit_code == 1
    assert failed.stderr.startswith(
        "failed: the accuracy of the continuous network with pulses of 1 step, "
        f"{percent:.4g} %, is below --fail-under {percent + 0.01:g} %"
    )
    # The summary comes first; the last line has the time that it took.
    assert failed.stdout.splitlines()[:-1] == passed.stdout.splitlines()[:-1]


def test_reports_are_written_before_it_fails(files, tmp_path):
    report, numbers = tmp_path / "report.html", tmp_path / "numbers.json"
    failed = validate(files, "--fail-under", 100, "--brief", "--report", report, "--json", numbers)
    assert failed.exit_code == 1
    assert failed.stdout.splitlines()[-1].startswith(f"wrote {report}, {numbers} (")
    verdict = json.loads(numbers.read_text())["verdict"]
    words = " ".join(verdict.split())
    assert words in " ".join(failed.stdout.split())
    assert words in " ".join(report.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("value", ["-1", "101", "most"])
def test_a_bar_is_a_percentage(files, value):
    refused = validate(files, "--fail-under", value)
    assert refused.exit_code == 2 and "--fail-under" in refused.stderr


def test_the_mean_over_the_placements_counts():
    report = comparison(jitter_seeds=3)
    mean = 100 * report.continuous[0].over_runs("accuracy")[0]
    assert too_low(report, mean) == ""
    assert "is below" in too_low(report, mean + 1e-6)
