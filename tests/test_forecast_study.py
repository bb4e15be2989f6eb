"""The study behind the limits of the forecast: its trainer, its statistics, a short run."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from eventsim import encode
from validation import __main__ as studies
from validation import forecast as study
from validation import forecast_cases as cases
from validation import small_nets
from validation.small_nets import Recipe


def test_the_trainer_has_the_slopes_of_torch():
    torch = pytest.importorskip("torch")
    from models.cell import CoarseLIF

    recipe = Recipe(hidden=(7,), steps=3)
    random = np.random.default_rng(2)
    weights = small_nets.initial(recipe, 64)
    weights[1] += random.normal(0.0, 0.3, 7)
    x = (random.uniform(size=(5, 3, 64)) < 0.4).astype(float)
    labels = random.integers(10, size=5)
    tensors = [torch.tensor(array, requires_grad=True) for array in weights]
    spikes = torch.tensor(x)
    for k in range(2):
        cell, state, steps = CoarseLIF(4.0), None, []
        for drive in (spikes @ tensors[2 * k] + tensors[2 * k + 1]).unbind(1):
            s, state = cell(drive, state)
            steps.append(s)
        spikes = torch.stack(steps, 1)
    wanted = torch.nn.functional.one_hot(torch.tensor(labels), 10) * 3.0
    torch.nn.functional.mse_loss(spikes.sum(1), wanted.double()).backward()
    slopes = small_nets.gradient(recipe, weights, x, labels)
    assert np.abs(slopes[0]).max() > 0.0
    for slope, tensor in zip(slopes[:3], tensors, strict=False):
        np.testing.assert_allclose(slope, tensor.grad.numpy(), rtol=1e-9, atol=1e-12)
    assert not slopes[3].any()  # the output has no bias


def test_small_networks_learn_and_are_the_same_again():
    digits = small_nets.read_digits()
    recipe = Recipe(hidden=(24,), epochs=4, rate=1e-2)
    (net, description), (again, _) = (small_nets.train(recipe, digits) for _ in range(2))
    assert net.fingerprint() == again.fingerprint()
    spikes = description.run(net, encode.encode(digits.test_images, description, seed=9))
    assert np.mean(spikes.sum(axis=1).argmax(axis=1) == digits.test_labels) > 0.5


def test_rank_correlation_and_its_p_value():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(8)
    a, b = rng.integers(6, size=20).tolist(), rng.normal(size=20).tolist()
    assert study._spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert study._spearman(a, [1.0] * 20) == 0.0
    assert study._p_value(b, b) == 1 / (study.SHUFFLES + 1)
    assert study._p_value(b, [-value for value in b]) == pytest.approx(1.0, abs=1e-3)


def test_frozen_layers_keep_their_random_weights():
    digits = small_nets.read_digits()
    recipe = Recipe(hidden=(8,), epochs=1, frozen=True)
    net, _ = small_nets.train(recipe, digits)
    weights = small_nets.initial(recipe, 64)
    assert (net.projections[0].weight == weights[0]).all()
    assert not np.allclose(net.projections[1].weight, weights[2])


def test_the_study_runs_and_tells_what_fails(tmp_path, capsys, monkeypatch):
    for name, keep in (
        ("FASHION", ["hidden"]),
        ("DIGITS", ["digits, 64"]),
        ("DIGITS_CHANGED", ["digits, 64 x 1.7"]),
        ("MNIST", ["mnist, no hidden layer", "mnist, 80, periodic", "mnist, random 160, small"]),
        ("MNIST_CHANGED", ["mnist, no hidden layer x 1.5"]),
    ):
        monkeypatch.setattr(cases, name, {key: getattr(cases, name)[key] for key in keep})
    monkeypatch.setattr(study, "RANKS", {"deltas": 1.1, "pulses": 1.1})
    arguments = ["run", "forecast", "--quick", "--output-dir", str(tmp_path)]
    assert studies.main(arguments) == 1
    assert "1 of 1 claims failed: forecast" in capsys.readouterr().out
    with (tmp_path / "forecast.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["half"] for row in rows] == ["choose"] * 3 + ["decide"] * 4
    assert all(0.0 <= float(row["coarse_accuracy"]) <= 1.0 for row in rows)
    assert (tmp_path / "forecast.png").stat().st_size > 10_000
    assert (tmp_path / "forecast-numbers.csv").exists()
