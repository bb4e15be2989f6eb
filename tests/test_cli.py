"""The command line: what it prints, writes and refuses."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import eventsim
from eventsim import Dense, Discretization, Input, Network, Population, load_result, save, simulate
from eventsim.cli import drawing, main
from eventsim.cli.options import Duration, Neurons, duration_text
from eventsim.cli.stimuli import read_stimulus
from eventsim.cli.terminal import Work
from eventsim.encode import encode, to_spike_trains
from eventsim.errors import EventsimError, FileError
from eventsim.jit import CompileWatch

ROOT = Path(eventsim.__file__).resolve().parent.parent


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def shell(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "eventsim", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        **options,
    )


def refused(result: Result, *words: str) -> None:
    """One line on stderr that says what was wrong, status 2, nothing on stdout."""
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr


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


# Input files


def test_spike_trains_of_a_batch(folder):
    data = read_stimulus(folder / "batch.npz")
    assert [train.senders.tolist() for train in data.trains] == [[0, 2], [1]]
    assert data.batch and not read_stimulus(folder / "spikes.npz").batch


def test_csv_and_npz_give_the_same_run(folder, tmp_path):
    np.savez(tmp_path / "same.npz", times=[0.001, 0.002], senders=[0, 2])
    for name, data in (("a.h5", folder / "spikes.csv"), ("b.h5", tmp_path / "same.npz")):
        done = run("simulate", folder / "net.h5", data, "-o", tmp_path / name, "--t-stop", "4 ms")
        assert done.exit_code == 0, done.output
    a, b = (load_result(tmp_path / name) for name in ("a.h5", "b.h5"))
    assert a.spikes["out"].times.tolist() == b.spikes["out"].times.tolist() != []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.001,0\n", ("line 1", "times,senders")),
        ("times,senders\n0.001\n", ("row 2", "2 values")),
        ("times,senders\n0.001,x\n", ("row 2", "senders")),
        ("times,senders\n0.002,0\n0.001,0\n", ("times[1]", "sorted")),
        ("times,senders\nnan,0\n", ("times[0]", "finite")),
        ("times,senders\n-0.5,0\n", ("times[0]", ">= 0")),
        ("times,senders\n0.001,0\n0.001,0\n", ("senders[1]", "duplicate")),
        ("times,senders\n0.001,9\n", ("senders[0]", "below 4")),
        ("times,senders,sample\n0.001,0,-1\n", ("sample", ">= 0")),
        ("times,senders,sample\n0.001,0,99999999999\n", ("sample", "from 0 on")),
        ("times,senders,sample\n0.001,0,-7\n", ("sample", ">= 0", "-7")),
        (f"times,senders\n0.001,{2**63}\n", ("row 2", "senders", "64 bits", str(2**63))),
        ("times,senders,times\n0.001,1,0.002\n", ("line 1", "times,senders,times")),
    ],
)
def test_bad_spikes_are_refused(folder, tmp_path, text, words):
    (tmp_path / "bad.csv").write_text(text)
    out = tmp_path / "run.h5"
    done = run("simulate", folder / "net.h5", tmp_path / "bad.csv", "-o", out, "--t-stop", "4 ms")
    refused(done, *words)
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.npz", ("absent.npz", "no such file")),
        ("cut.npz", ("cut.npz",)),
        ("pickle.npz", ("pickle.npz", "begins with")),
        ("objects.npz", ("objects.npz", "pickled objects")),
        ("small.npz", ("'image'", "4 pixels", "2")),
        ("net.h5", ("net.h5", "begins with")),
        ("", ("folder",)),
    ],
)
def test_bad_input_files_are_refused(folder, tmp_path, name, words):
    done = run("simulate", folder / "net.h5", folder / name, "-o", tmp_path / "run.h5")
    refused(done, *words)
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_is_never_run(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "trapped",))

    (tmp_path / "trap.npz").write_bytes(pickle.dumps(Trap()))
    buffer = io.BytesIO()
    np.save(buffer, np.array([Trap()], dtype=object))
    (tmp_path / "trap.npy").write_bytes(buffer.getvalue())
    for name in ("trap.npz", "trap.npy"):
        refused(run("info", tmp_path / name), name)
        refused(
            run("simulate", folder / "net.h5", tmp_path / name, "-o", tmp_path / "run.h5"), name
        )
        refused(
            run("simulate", tmp_path / name, folder / "images.npz", "-o", tmp_path / "run.h5"), name
        )
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("name", ["absent.h5", "cut.h5", "images.npz", "spikes.csv", "pickle.npz"])
def test_bad_network_files_are_refused(folder, tmp_path, name):
    done = run("simulate", folder / name, folder / "images.npz", "-o", tmp_path / "run.h5")
    refused(done, name)


def test_images_need_a_discretization(folder, tmp_path):
    done = run("simulate", folder / "bare.h5", folder / "images.npz", "-o", tmp_path / "r.h5",
               "--t-stop", "4 ms")  # fmt: skip
    refused(done, "discretization")


def test_images_of_other_types_are_refused(folder, tmp_path):
    np.savez(tmp_path / "bad.npz", images=np.full((2, 2, 2), 255), labels=[0, 1])
    refused(run("simulate", folder / "net.h5", tmp_path / "bad.npz", "-o", tmp_path / "r.h5"),
            "between 0 and 1")  # fmt: skip
    np.savez(tmp_path / "labels.npz", images=np.zeros((2, 2, 2)), labels=[0])
    refused(run("info", tmp_path / "labels.npz"), "labels", "2 integers")
    with pytest.raises(FileError, match="images"):
        np.savez(tmp_path / "text.npz", images=np.array([["a"]]))
        read_stimulus(tmp_path / "text.npz")


# simulate


def test_simulate_writes_a_result_and_says_so(folder, result_file):
    results = load_result(result_file)
    assert len(results) == 8 and results.complete
    assert results[0].v["out"].neurons.tolist() == [0, 1]
    assert results.counts["out"][0].argmax() == 0 and results.counts["out"][1].argmax() == 1


def test_simulate_prints_spikes_accuracy_and_the_file(folder, tmp_path):
    out = tmp_path / "run.h5"
    done = run("simulate", folder / "net.h5", folder / "images.npz", "-o", out, "--samples", 3)
    assert done.exit_code == 0
    assert "Spikes of 3 samples in 4 ms" in done.stdout
    assert "right answers, %: 100.0" in done.stdout
    assert done.stdout.splitlines()[-1] == f"wrote {out} (3 samples)"


def test_simulate_is_reproducible_and_depends_on_the_seed(folder, tmp_path):
    def times(name, *options):
        done = run(
            "simulate", folder / "net.h5", folder / "images.npz", "-o", tmp_path / name, *options
        )
        assert done.exit_code == 0, done.output
        return load_result(tmp_path / name)[0].spikes["out"].times.tolist()

    assert times("a.h5") == times("b.h5", "--threads", 1, "--engine", "queue")
    assert times("a2.h5") != times("c.h5", "--seed", 1)
    assert times("a3.h5") != times("d.h5", "--spread", "0")


def test_counts_alone(folder, tmp_path):
    out = tmp_path / "run.npz"
    done = run(
        "simulate", folder / "net.h5", folder / "images.npz", "-o", out, "--record", "counts"
    )
    assert done.exit_code == 0
    result = load_result(out)[0]
    assert not result.spikes and result.counts["out"].sum() > 0
    refused(run("plot", out, "-o", tmp_path / "x.png"), "recorded spikes")


def test_a_run_without_labels_and_a_single_train(folder, tmp_path):
    out = tmp_path / "run.h5"
    done = run("simulate", folder / "bare.h5", folder / "spikes.npz", "-o", out, "--t-stop", "6 ms")
    assert done.exit_code == 0
    assert "right answers" not in done.stdout
    assert isinstance(load_result(out), eventsim.Result)
    refused(
        run("simulate", folder / "net.h5", folder / "spikes.npz", "-o", tmp_path / "x.h5"),
        "--t-stop",
    )


def test_a_run_that_exceeds_its_budget_is_kept(folder, tmp_path):
    out = tmp_path / "run.h5"
    done = run("simulate", folder / "net.h5", folder / "images.npz", "-o", out, "--max-events", 3)
    assert done.exit_code == 1
    assert "max_events" in done.stderr
    assert "8 incomplete" in done.stdout
    assert not load_result(out).complete


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--record-v", "nobody:0"], ("nobody", "'out'")),
        (["--record-v", "out:7"], ("below 2", "7")),
        (["--samples", "99"], ("--samples", "8")),
        (["--t-stop", "0"], ("t_stop",)),
        (["--engine", "warp"], ("--engine",)),
        (["--architecture", "x.toml"], ("architecture",)),
    ],
)
def test_bad_options_are_refused(folder, tmp_path, options, words):
    out = tmp_path / "run.h5"
    refused(run("simulate", folder / "net.h5", folder / "images.npz", "-o", out, *options), *words)
    assert not out.exists()


def test_existing_output_is_refused_before_anything_is_read(folder, tmp_path):
    out = tmp_path / "run.h5"
    out.write_text("mine")
    for command in (
        ["simulate", "absent.h5", "absent.npz", "-o", out],
        ["plot", "absent.h5", "-o", tmp_path / "fig.png"],
        ["validate", "absent.h5", "--data", "absent.npz", "--json", out],
        ["validate", "absent.h5", "--data", "absent.npz", "--report", out],
    ):
        (tmp_path / "fig.png").write_text("mine")
        refused(run(*command), "existing", "--overwrite")
    assert out.read_text() == "mine"
    done = run("simulate", folder / "net.h5", folder / "images.npz", "-o", out, "--overwrite")
    assert done.exit_code == 0 and len(load_result(out)) == 8


def test_output_in_a_missing_folder_is_refused(folder, tmp_path):
    out = tmp_path / "nowhere" / "run.h5"
    refused(run("simulate", folder / "net.h5", folder / "images.npz", "-o", out), "nowhere")
    refused(run("simulate", folder / "net.h5", folder / "images.npz", "-o", tmp_path), "folder")


# info


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


# plot


def test_plots(result_file, tmp_path):
    for name, options in (
        ("raster.png", ["--raster"]),
        ("again.svg", ["--sample", 3]),
        ("membrane.png", ["--membrane", "out:0,1"]),
    ):
        done = run("plot", result_file, "-o", tmp_path / name, *options)
        assert done.exit_code == 0, done.output
        assert done.stdout == f"\nwrote {tmp_path / name}\n"
        assert (tmp_path / name).stat().st_size > 5000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sample", "8"], ("--sample", "below 8")),
        (["--membrane", "out:5"], ("recorded", "5")),
        (["--membrane", "nobody:0"], ("nobody",)),
        (["--raster", "--membrane", "out:0"], ("both",)),
    ],
)
def test_bad_plots_are_refused(result_file, tmp_path, options, words):
    refused(run("plot", result_file, "-o", tmp_path / "x.png", *options), *words)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_needs_a_known_format(result_file, folder, tmp_path):
    refused(run("plot", result_file, "-o", tmp_path / "x.bmp"), ".png")
    refused(run("plot", folder / "net.h5", "-o", tmp_path / "x.png"), "net.h5")


# validate


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


def test_a_result_needs_a_known_format(folder, tmp_path):
    out = tmp_path / "run.csv"
    refused(run("simulate", folder / "net.h5", folder / "images.npz", "-o", out), "run.csv", ".npz")


def test_validate_needs_labels(folder, tmp_path):
    np.savez(tmp_path / "images.npz", images=np.zeros((2, 2, 2)))
    refused(run("validate", folder / "net.h5", "--data", tmp_path / "images.npz"), "labels")


def test_many_images_go_through_a_few_at_a_time(folder, tmp_path, rng):
    """An HDF5 file grows by blocks; an npz file is written at once. Both hold the same bits."""
    images, labels = rng.integers(0, 256, (70, 2, 2)).astype(np.uint8), rng.integers(0, 2, 70)
    np.savez(tmp_path / "bytes.npz", images=images, labels=labels)
    np.savez(tmp_path / "floats.npz", images=images / np.float32(255), labels=labels)
    told, found = [], []
    for data, out in (("bytes", "a.h5"), ("floats", "b.h5"), ("bytes", "c.npz")):
        done = run("simulate", folder / "net.h5", tmp_path / f"{data}.npz", "-o", tmp_path / out)
        assert done.exit_code == 0, done.output
        told.append(re.sub(r", [\d,]+ per second", "", done.stdout).replace(out, ""))
        found.append(load_result(tmp_path / out))
    assert told[0] == told[1] == told[2]
    net, disc = eventsim.load(folder / "net.h5")
    x = encode(images / np.float32(255), disc)
    batch = eventsim.simulate(net, {"image": to_spike_trains(x, disc.dt)}, disc.duration)
    for kept in found:
        for one, two in zip(batch, kept, strict=True):
            for name, train in one.spikes.items():
                assert np.array_equal(train.times, two.spikes[name].times)
                assert np.array_equal(train.senders, two.spikes[name].senders)


def test_analog_images_go_through_a_few_at_a_time(tmp_path, rng):
    net = Network([Population("out", 4, tau_mem=4e-3, t_ref=1e-3)], [])
    save(tmp_path / "net.h5", net, Discretization(dt=1e-3, steps=4, encoder="constant"))
    images = rng.integers(0, 256, (40, 2, 2)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    found = []
    for out in ("a.h5", "b.npz"):
        done = run("simulate", tmp_path / "net.h5", tmp_path / "images.npz", "-o", tmp_path / out)
        assert done.exit_code == 0, done.output
        found.append(load_result(tmp_path / out))
    for one, two in zip(*found, strict=True):
        assert np.array_equal(one.spikes["out"].times, two.spikes["out"].times)


# demo and warmup


def test_pictures_are_the_same_whoever_draws_them(tmp_path, monkeypatch):
    net = Network([Population("out", 2, tau_mem=1e-2, i_bias=[2.0, 3.0])])
    result = simulate(net, {}, 0.02, record_v={"out": [0, 1]})
    drawn, here = [], []
    for way in ("second process", "one core", "no such program", "a program that fails"):
        pictures = [
            {"what": "raster", "out": str(tmp_path / f"{way}.png"), "options": {"dt": 1e-3}},
            {"what": "membrane", "out": str(tmp_path / f"{way} 2.png"),
             "options": {"population": "out", "neurons": [1, 0]}},
        ]  # fmt: skip
        with monkeypatch.context() as patch:
            here.clear()
            patch.setattr(drawing, "draw_pictures", lambda *given: here.append(given))
            if way == "one core":
                patch.setattr(os, "cpu_count", lambda: 1)
            if way == "no such program":
                patch.setattr(sys, "executable", str(tmp_path / "absent"))
            if way == "a program that fails":
                patch.setattr(sys, "executable", "/bin/false")
            with drawing.Artist(overwrite=False) as artist:
                artist.draw(result, pictures)
                artist.finish()
        if way == "second process":
            assert here == []
        else:
            (given,) = here
            drawing.draw_pictures(*given)
        drawn.append([Path(picture["out"]).read_bytes() for picture in pictures])
    assert drawn[0] == drawn[1] == drawn[2] == drawn[3]


def test_errors_of_drawing_are_told(tmp_path):
    net = Network([Population("out", 1, tau_mem=1e-2, i_bias=2.0)])
    result = simulate(net, {}, 0.02)
    picture = {"what": "raster", "out": str(tmp_path / "no folder" / "a.png"), "options": {}}
    with drawing.Artist(overwrite=False) as artist:
        artist.draw(result, [picture])
        with pytest.raises(FileError, match="no folder"):
            artist.finish()


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


# Streams, progress and interruption


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
        "simulate", "net.h5", "in.npz", "-o", "run.h5", "--t-stop", "1000 s", "--record",
        "counts", "--engine", "queue", "--threads", "1",
    ]  # fmt: skip
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
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, text=True,
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
