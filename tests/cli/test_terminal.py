"""Streams, progress and interruption."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time

import numpy as np

from eventsim import Dense, Input, Network, Population, load_result, save
from eventsim.cli.terminal import Work
from eventsim.errors import EventsimError
from eventsim.jit import CompileWatch
from tests.cli.commands import ROOT, refused, run, shell


def test_a_broken_pipe_is_quiet(folder):
    command = f"{sys.executable} -m eventsim info {folder / 'net.h5'} | true"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stderr == ""


def test_errors_of_the_program_itself(folder, tmp_path):
    done = shell("info", folder / "absent.h5", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_output_in_a_file_is_plain_text(folder):
    done = shell("info", folder / "net.h5")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_ctrl_c_keeps_what_was_done(folder, tmp_path):
    # Long: each spike of the input makes a neuron without refractory period fire.
    net = Network(
        [Input("in", 1), Population("out", 50, tau_mem=1.0, i_bias=1e4)],
        [Dense("in", "out", np.ones((1, 50)))],
    )
    save(tmp_path / "net.h5", net)
    np.savez(tmp_path / "in.npz", times=[0.0, 0.0], senders=[0, 0], sample=[0, 1])
    arguments = [
        "simulate", tmp_path / "net.h5", tmp_path / "in.npz", "-o", tmp_path / "run.h5",
        "--record", "counts", "--engine", "queue", "--threads", "1", "--overwrite", "--t-stop",
    ]  # fmt: skip
    assert run(*arguments, "1 us").exit_code == 0  # compiled by now
    code = (
        "import sys\nfrom eventsim.cli import main\nfrom eventsim.engine import driver\n"
        "advance = driver.QueueRun.advance\n"
        "def began(*arguments):\n"
        "    print('began', file=sys.stderr, flush=True)\n"
        "    return advance(*arguments)\n"
        "driver.QueueRun.advance = began\n"
        "main(sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments), "1000 s"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stderr is not None
    while "began" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "incomplete: interrupted" in errors
    assert "2 incomplete" in output
    kept = load_result(tmp_path / "run.h5")
    assert [item.complete for item in kept] == [False, False]
    assert 0.0 < kept[0].t_reached < 1000.0
    assert kept.counts["out"][0].min() > 0


def test_interruption_in_python_code_is_130(monkeypatch, folder):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["eventsim.load"], "load", interrupt)
    done = run("info", folder / "net.h5")
    assert done.exit_code == 130
    assert done.stderr.strip() == "error: interrupted"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_for_long_work_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("eventsim.cli.terminal.LONG", 0.0)
    with Work("counting") as work:
        for done in range(1, 4):
            work(done, 3)
    assert "counting" in terminal.getvalue() and "3/3" in terminal.getvalue()


def test_progress_is_not_shown_elsewhere(monkeypatch):
    pipe, terminal = io.StringIO(), Terminal()
    for stream in (pipe, terminal):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr("eventsim.cli.terminal.LONG", 0.0 if stream is pipe else 60.0)
        with Work("counting") as work:
            work(1, 2)
            work(2, 2)
        assert stream.getvalue() == ""


def test_compiling_is_said_once_and_left_out_of_the_time(monkeypatch, capsys):
    monkeypatch.setattr(CompileWatch, "seconds", 0.0, raising=False)
    with Work("counting") as work:
        work.watch.on_start(None)
        time.sleep(0.05)
        work.watch.on_end(None)
        work.watch.on_start(None)
        work.watch.on_end(None)
        assert work.seconds < 0.05
    assert capsys.readouterr().err.count("compiling once") == 1


def test_an_error_of_eventsim_is_one_line(monkeypatch, folder):
    def fail(*_):
        raise EventsimError("place: field: expected this,\n  got that")

    monkeypatch.setattr(sys.modules["eventsim.load"], "load", fail)
    refused(run("info", folder / "net.h5"), "expected this, got that")
