"""``eventsim demo`` and ``eventsim warmup``."""

from __future__ import annotations

from tests.cli.commands import refused, run, shell


def test_demo(tmp_path):
    out = tmp_path / "pictures" / "here"
    done = run("demo", "--out", out, "--samples", 100)
    assert done.exit_code == 0, done.output
    for text in ("coarse, as trained", "coarse, second draw", "exact, pulses", "exact, deltas",
                 "With spikes that arrive as pulses", "million synaptic events"):  # fmt: skip
        assert text in done.stdout
    few = run("demo", "--out", out, "--samples", 8, "--overwrite")
    assert "8 images are too few to tell a difference" in few.stdout
    written = ["raster.png", "membrane.png", "report.html"]
    assert done.stdout.splitlines()[-1] == "wrote " + ", ".join(str(out / n) for n in written)
    assert sorted(path.name for path in out.iterdir()) == sorted(written)
    refused(run("demo", "--out", out), "raster.png", "--overwrite")
    (tmp_path / "file").write_text("")
    refused(run("demo", "--out", tmp_path / "file"), "folder")


def test_after_warmup_nothing_compiles(tmp_path):
    done = run("warmup")
    assert done.exit_code == 0, done.output
    assert "kept in" in done.stdout
    # In new processes, so that kernels come from the disk.
    again = shell("warmup")
    assert "everything was compiled already" in again.stdout
    assert again.stderr == ""
    assert shell("demo", "--samples", 2, "--out", tmp_path / "demo").stderr == ""
