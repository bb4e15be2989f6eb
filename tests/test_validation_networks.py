"""The studies of trained networks: accuracy over T, rules of max pooling, training with noise."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
from scipy import stats

import eventsim as es
from models import datasets
from models.training import Settings
from validation import __main__ as command
from validation import accuracy, noise, pooling, trained, windows
from validation.study import Context


def rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(name, folder):
    """Quick runs are too small for the thresholds: a claim may fail, an error may not."""
    assert command.main(["run", name, "--quick", "--output-dir", str(folder)]) in (0, 1)


@pytest.fixture(scope="module")
def fashion():
    with np.load(accuracy.DATA / "fashion-mnist_test500.npz", allow_pickle=False) as file:
        return file["images"][:12] / np.float32(255), file["labels"][:12].astype(int)


# -- windows -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conv2", "lenet5_const"])
def test_one_long_run_holds_the_shorter_ones(name, fashion):
    net, disc = es.load(accuracy.DATA / f"{name}.h5")
    images, labels = fashion
    done = []
    coarse = windows.coarse_counts(net, disc, images, (2, 4, 6), 3)
    exact = windows.continuous_counts(net, disc, images, (2, 4, 6), 3, done.append)
    assert coarse.shape == exact.shape == (3, 12, 10)
    assert sum(done) == 12
    for k, steps in enumerate((2, 4, 6)):
        report = es.validate(net, disc, images, labels, steps=steps, seed=3)
        np.testing.assert_array_equal(coarse[k], report.coarse.runs[0].counts)
        np.testing.assert_array_equal(exact[k], report.continuous[0].runs[0].counts)
    assert exact[-1].sum() > 0


def test_parts_do_not_change_the_counts(fashion, monkeypatch):
    net, disc = es.load(accuracy.DATA / "hidden.h5")
    runs = (windows.coarse_counts, windows.continuous_counts)
    whole = [run(net, disc, fashion[0], (4,), 1) for run in runs]
    monkeypatch.setattr(windows, "CHUNK", 5)
    for run_, expected in zip(runs, whole, strict=True):
        np.testing.assert_array_equal(run_(net, disc, fashion[0], (4,), 1), expected)


# -- networks that are trained -------------------------------------------------------------


def test_a_network_is_trained_once(tmp_path, monkeypatch):
    digits = datasets.load("digits")
    settings = Settings(
        "hidden", dataset="digits", hidden=16, epochs=1, limit=100, encoder="bernoulli"
    )
    done = []
    net, disc = trained.trained(settings, digits, tmp_path, done.append)
    assert (net["hidden"].n, disc.steps, sum(done)) == (16, 4, 100)
    (file,) = (tmp_path / "trained").iterdir()

    trained.trained(dataclasses.replace(settings, noise_aware=True), digits, tmp_path)
    assert len(list((tmp_path / "trained").iterdir())) == 2
    monkeypatch.setattr("models.training.Trainer", None)  # nothing is trained again
    again, _ = trained.trained(settings, digits, tmp_path, done.append)
    np.testing.assert_array_equal(again.projections[0].weight, net.projections[0].weight)
    assert sum(done) == 200
    assert file.exists()


# -- studies -------------------------------------------------------------------------------


def test_quick_accuracy(tmp_path):
    run("accuracy", tmp_path)
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert names == {
        "accuracy.csv", "accuracy-digits.csv", "accuracy.png", "accuracy-digits.png",
        "accuracy.txt",
    }  # fmt: skip
    found = rows(tmp_path / "accuracy.csv")
    assert len(found) == 2 * (len(accuracy.WINDOWS) + len(accuracy.CONTINUOUS))
    for row in found:
        assert float(row["low"]) <= float(row["accuracy"]) <= float(row["high"])
        assert row["model"] == "continuous" or float(row["agreement_with_coarse"]) == 1.0
    assert len(rows(tmp_path / "accuracy-digits.csv")) == 6
    text = (tmp_path / "accuracy.txt").read_text(encoding="utf-8")
    assert "lost in continuous time, 40 images" in text


def test_accuracy_checks_tell_what_misses_its_threshold():
    right = np.ones(1000, dtype=bool)
    wrong = np.arange(1000) < 700
    case = accuracy.CASES[0]
    steps = dict.fromkeys(accuracy.WINDOWS, right)
    good = accuracy.Shown(steps, steps, [])
    assert all(check.holds for check in accuracy._checks({case: good}))
    bad = accuracy.Shown({**steps, 4: wrong}, {**steps, 4: wrong[:400]}, [])
    assert [check.holds for check in accuracy._checks({case: bad})] == [False, False, True]
    slow = accuracy.Shown(steps, {**steps, 4: wrong}, [])
    assert [check.holds for check in accuracy._checks({case: slow})] == [True, True, False]


def test_quick_pooling(tmp_path):
    run("pooling", tmp_path)
    found = rows(tmp_path / "pooling.csv")
    assert [row["rule"] for row in found] == [rule.name for rule in pooling.RULES]
    passed = {row["rule"]: float(row["pool_rate_over_coarse"]) for row in found}
    assert passed["first spike, closed 2 steps"] < passed[pooling.DEFAULT.name]
    assert passed[pooling.DEFAULT.name] < passed["every spike"]
    assert passed["leader"] <= passed["every spike"]
    assert len({row["coarse"] for row in found}) == 1
    assert (tmp_path / "pooling.png").stat().st_size > 10_000


def test_rules_reach_every_pool():
    net, disc = es.load(pooling.DATA / "lenet5.h5")
    for rule in pooling.RULES:
        pools = [
            link
            for link in pooling.with_rule(net, rule, disc.dt).projections
            if isinstance(link, es.MaxPool2d)
        ]
        assert [pool.rule for pool in pools] == [rule.rule] * 2
        closed = None if rule.closed is None else pytest.approx(rule.closed * disc.dt)
        assert [pool.window for pool in pools] == [closed] * 2


def test_quick_noise(tmp_path):
    run("noise", tmp_path)
    table = (tmp_path / "noise.csv").read_bytes()
    found = rows(tmp_path / "noise.csv")
    assert len(found) == len(noise.RECIPES) * len(noise.QUICK_SEEDS) * len(noise.MODELS)
    assert len(list((tmp_path / "trained").iterdir())) == 6
    # From the networks that are kept, the same numbers come again.
    noise.run(Context("noise", tmp_path, quick=True))
    assert (tmp_path / "noise.csv").read_bytes() == table


def test_interval_over_seeds_is_that_of_student():
    plain, other = np.array([0.7, 0.72, 0.71, 0.73, 0.7, 0.69]), np.full(6, 0.74)
    found = noise.difference(plain, other)
    expected = stats.ttest_rel(other, plain).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-5)
    for count, quantile in noise.STUDENT.items():
        assert quantile == pytest.approx(stats.t.ppf(0.975, count - 1), abs=1e-3)


def test_noise_checks_need_a_gain_beyond_the_spread_of_seeds():
    steady = np.linspace(0.80, 0.81, 6)
    gain = {"coarse": steady, "pulses": steady, "deltas": steady + np.linspace(0.02, 0.03, 6)}
    none = dict.fromkeys(noise.MODELS, steady)
    names = [recipe.name for recipe in noise.RECIPES]
    checks = noise._checks(dict(zip(names, (none, gain, none), strict=True)))
    assert all(check.holds for check in checks)
    checks = noise._checks(dict(zip(names, (none, none, gain), strict=True)))
    assert [check.holds for check in checks] == [False, True, True, False]
