"""The studies: their command, their files, and that a threshold which is missed is told."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from validation import __main__ as command
from validation import theory, transfer
from validation.study import Check, Study

ROOT = Path(__file__).resolve().parent.parent


def test_list_names_every_study_and_its_claim(capsys):
    assert command.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = [line.split()[0] for line in lines]
    assert named == list(command.STUDIES)
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "validation").glob("*.py")]
    assert len(named) == sum("\nSTUDY = Study(" in source for source in sources)
    assert all(len(line.split()) > 10 for line in lines)


def test_quick_theory_holds_and_writes_its_files(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(theory, "QUICK_TAUS", (4.0,))
    monkeypatch.setattr(theory, "QUICK_TRIALS", 1_000)
    folder = tmp_path / "new" / "folder"
    assert command.main(["run", "theory", "--quick", "--output-dir", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "theory.csv", "theory.png", "theory.txt",
    ]  # fmt: skip
    last = capsys.readouterr().out.rstrip().splitlines()[-1]
    assert "the claim holds" in last
    assert str(folder) in last and "theory.csv" in last
    assert "quick run" in (folder / "theory.txt").read_text(encoding="utf-8")
    with (folder / "theory.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert all(abs(float(row["mean_z"])) < theory.STANDARD_ERRORS for row in rows)

    # A second run replaces the files; a threshold that cannot be met makes the claim fail.
    monkeypatch.setattr(theory, "STANDARD_ERRORS", 1e-9)
    assert command.main(["run", "theory", "--quick", "--output-dir", str(folder)]) == 1
    assert "1 of 1 claims failed: theory" in capsys.readouterr().out
    assert "FAIL" in (folder / "theory.txt").read_text(encoding="utf-8")


def one_check(holds):
    return lambda context: [Check("a number", "< 1", "0.5", holds)]


@pytest.mark.parametrize("arguments", [[], ["run", "all"]])
def test_all_studies_run_after_one_has_failed(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    studies = {
        "bad": Study("bad", "A claim.", one_check(False)),
        "empty": Study("empty", "Nothing was checked.", lambda context: []),
        "good": Study("good", "Another claim.", one_check(True)),
    }
    monkeypatch.setattr(command, "STUDIES", studies)
    assert command.main(arguments) == 1
    out = capsys.readouterr().out
    assert "2 of 3 claims failed: bad, empty" in out
    assert "good: holds" in out
    assert (tmp_path / "out" / "validation" / "good.txt").exists()


def test_unknown_name_and_bad_folder_are_errors(tmp_path, capsys):
    assert command.main(["run", "nothing"]) == 2
    assert "'nothing' is not one of 'theory'" in capsys.readouterr().err
    occupied = tmp_path / "file"
    occupied.write_text("")
    assert command.main(["run", "theory", "--output-dir", str(occupied)]) == 2
    assert command.main(["run", "theory", "--output-dir", str(occupied / "inner")]) == 2
    assert capsys.readouterr().err.count("error:") == 2


def test_an_interrupt_and_missing_data_have_their_own_status(tmp_path, capsys, monkeypatch):
    def interrupted(context):
        raise KeyboardInterrupt

    monkeypatch.setitem(command.STUDIES, "theory", Study("theory", "A claim.", interrupted))
    assert command.main(["run", "theory", "--output-dir", str(tmp_path)]) == 130
    monkeypatch.setattr(transfer, "DATA", tmp_path)
    assert command.main(["run", "transfer", "--output-dir", str(tmp_path)]) == 2
    assert transfer.IMAGES in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_module_is_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "validation", "run", "nothing"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error:")
