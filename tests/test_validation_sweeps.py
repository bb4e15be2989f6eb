"""The studies that stand on the ladder and on sweeps: quick runs, and what decides."""

from __future__ import annotations

import csv

import pytest

from validation import __main__ as command
from validation import causes, remedies, time_step

#: Quick runs are too small for the thresholds: a claim may fail, an error may not.
FILES = {
    "causes": {"causes.csv", "causes.png", "causes.txt", "causes-shallow.txt", "causes-hidden.txt"},
    "remedies": {"remedies.csv", "remedies.txt", "remedies-hidden.png"},
    "time-step": {
        "time-step.csv", "time-step.txt", "time-step-shallow.png", "time-step-hidden.png",
    },
}  # fmt: skip


def rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", FILES)
def test_quick_runs_write_their_files(name, tmp_path, capsys):
    assert command.main(["run", name, "--quick", "--output-dir", str(tmp_path)]) in (0, 1)
    assert {path.name for path in tmp_path.iterdir()} == FILES[name]
    assert "quick run" in (tmp_path / f"{name}.txt").read_text(encoding="utf-8")
    table = rows(tmp_path / f"{name}.csv")
    checks = capsys.readouterr().out
    if name == "causes":
        assert [row["rung"] for row in table if row["network"] == "shallow"][:3] == [
            "coarse", "second draw", "endcheck",
        ]  # fmt: skip
        assert "hidden: loss from endcheck to rejit" in checks
    if name == "remedies":
        assert len(table) == 9
        for label in remedies.GAINS["hidden"]:
            assert label in checks
    if name == "time-step":
        steps = {float(row["h"]) for row in table}
        assert steps == set(time_step.VALUES)
        assert checks.count("order of the time error") == 2 * len(time_step.METHODS)


def test_finished_shards_are_taken_up_again(tmp_path, monkeypatch):
    arguments = ["run", "remedies", "--quick", "--shards", str(tmp_path / "shards")]
    command.main([*arguments, "--output-dir", str(tmp_path / "first")])
    shard = tmp_path / "shards" / "remedies-hidden" / "samples-000000-000011.json"
    written = shard.stat().st_mtime_ns
    command.main([*arguments, "--output-dir", str(tmp_path / "second")])
    assert shard.stat().st_mtime_ns == written
    first, second = (tmp_path / name / "remedies.csv" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_a_network_that_loses_fails_the_claim(tmp_path, monkeypatch):
    """The thresholds can fail: with limits below what is measured they do."""
    strict = tuple(causes.Case(c.name, 1, -1.0, -1.0) for c in causes.CASES[:1])
    monkeypatch.setattr(causes, "CASES", strict)
    assert command.main(["run", "causes", "--quick", "--output-dir", str(tmp_path)]) == 1
    assert "FAIL" in (tmp_path / "causes.txt").read_text(encoding="utf-8")
