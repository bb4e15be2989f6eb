"""``eventsim simulate``: what it prints, writes and refuses."""

from __future__ import annotations

import re

import numpy as np
import pytest

import eventsim
from eventsim import Discretization, Network, Population, load_result, save
from eventsim.encode import encode, to_spike_trains
from tests.cli.commands import refused, run


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


def test_a_result_needs_a_known_format(folder, tmp_path):
    out = tmp_path / "run.csv"
    refused(run("simulate", folder / "net.h5", folder / "images.npz", "-o", out), "run.csv", ".npz")


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
