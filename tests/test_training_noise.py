"""Noise in training: its variance, its draws, and that nothing of it is left afterwards."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from eventsim.discrete import theory
from eventsim.errors import InvalidValue
from eventsim.load.native import read_provenance
from models import coding, datasets, export, networks, train, training
from models.cell import CoarseLIF
from models.noise import Noise, arrival_variance
from models.training import Settings, Trainer

TINY = Settings(
    "hidden", dataset="digits", hidden=32, epochs=2, lr=0.02, limit=300, encoder="bernoulli"
)
AWARE = dataclasses.replace(TINY, noise_aware=True)


def noise(arrivals=True, threshold=0.0, seed=0):
    return Noise(arrivals, threshold, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


def test_variance_is_that_of_the_theory():
    rng = np.random.default_rng(3)
    x, x2 = rng.normal(size=50), rng.random(50)
    for tau in (0.5, 4.0, 20.0):
        for s, expected in (
            (0.0, theory.variance_after_step(x2, tau)),
            (1.0, theory.variance_after_spike(x, x2, tau)),
        ):
            found = arrival_variance(
                torch.from_numpy(x), torch.from_numpy(x2), torch.full((50,), s), tau
            )
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("spiked", [False, True])
def test_variance_is_that_of_arrivals_at_random_times(spiked):
    """Three spikes and a bias, drawn 200,000 times: the even charge counts in x alone."""
    tau, weights, bias, n = 4.0, np.array([0.6, -0.3, 0.5]), 0.2, 200_000
    rng = np.random.default_rng(5)
    times = rng.random((n, 3))
    end = rng.random((n, 1)) if spiked else np.zeros((n, 1))
    v = (weights * np.exp(-(1 - times) / tau) * (times > end)).sum(axis=1)
    v += bias * tau * (1 - np.exp(-(1 - end[:, 0]) / tau))
    x, x2 = weights.sum() + bias, (weights**2).sum()
    expected = arrival_variance(
        torch.tensor(x), torch.tensor(x2), torch.tensor(float(spiked)), tau
    ).item()
    assert v.var() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("spiked", [0.0, 1.0])
def test_potential_of_the_cell_has_mean_and_variance(spiked):
    cell, n = CoarseLIF(4.0), 100_000
    x, squares = torch.full((n,), 0.8), torch.full((n,), 0.3)
    state = (torch.full((n,), 0.4), torch.full((n,), spiked))
    _, (v, _) = cell(x, state, noise(), squares)
    _, (mean, _) = cell(x, state)
    variance = arrival_variance(x[0], squares[0], torch.tensor(spiked), 4.0).item()
    assert v.mean().item() == pytest.approx(mean[0].item(), abs=5 * math.sqrt(variance / n))
    assert v.var().item() == pytest.approx(variance, rel=0.03)


def test_an_analog_layer_varies_after_a_spike_alone():
    """Its charge is even: only the end of the refractory period is left to chance."""
    cell, n = CoarseLIF(4.0, variant="constant_potential"), 100_000
    x = torch.full((n,), 0.9)
    fresh = cell(x, None, noise())[1][0]
    assert torch.equal(fresh, cell(x)[1][0])
    v = cell(x, (torch.zeros(n), torch.ones(n)), noise())[1][0]
    expected = float(theory.variance_after_spike(0.9 / cell.c, 0.0, 4.0))
    assert v.var().item() == pytest.approx(expected, rel=0.03)
    assert v.mean().item() == pytest.approx(0.9, rel=0.01)


def test_threshold_varies_by_its_share():
    cell = CoarseLIF(4.0, v_threshold=2.0, variant="mcculloch_pitts")
    n = 100_000
    spikes, (v, _) = cell(torch.full((n,), 2.1), None, noise(False, 0.1))
    assert torch.equal(v, torch.full((n,), 2.1))
    # 2.1 is half a standard deviation above the mean threshold.
    assert spikes.mean().item() == pytest.approx(0.6915, abs=0.01)


def test_gradient_flows_and_is_finite_without_arrivals():
    x = torch.tensor([0.0, 0.9, 1.1], requires_grad=True)
    cell, draws = CoarseLIF(4.0), noise(True, 0.2)
    total, state = torch.zeros(()), None
    for _ in range(3):
        spikes, state = cell(x, state, draws, torch.zeros(3))
        total = total + spikes.sum()
    total.backward()
    assert torch.isfinite(x.grad).all()
    assert (x.grad[1:] != 0).all()


@pytest.mark.parametrize("name", networks.NAMES)
def test_every_weight_layer_gets_the_squares_of_its_weights(name):
    """Checked by a network of squared weights without biases, stage by stage."""
    torch.manual_seed(2)
    net = networks.build(name)
    x = coding.encode(torch.rand(2, 1, 28, 28), 3, net.encoder)
    before = x
    for stage, spikes in zip(net.stages, net(x, layers=True).values(), strict=True):
        found = networks._squares(stage, before)
        weights = getattr(stage.transform, "weight", None)
        if weights is None:
            assert found is None
        else:
            with torch.no_grad():
                kept = weights.clone()
                weights.pow_(2)
                if stage.transform.bias is not None:
                    stage.transform.bias.zero_()
                torch.testing.assert_close(found, net._arrivals(stage, before))
                weights.copy_(kept)
        before = spikes


def test_noise_changes_spikes_in_training_alone(digits):
    torch.manual_seed(1)
    net = networks.build("hidden", input_shape=(1, 8, 8), hidden=64)
    with torch.no_grad():
        net.hidden.weight.mul_(4)
    x = torch.rand(20, 4, 64).round()
    quiet = net(x, layers=True)
    loud = net(x, layers=True, noise=noise())
    again = net(x, layers=True, noise=noise())
    assert not torch.equal(loud["hidden"], quiet["hidden"])
    assert torch.equal(loud["hidden"], again["hidden"])
    assert torch.equal(net(x, layers=True)["hidden"], quiet["hidden"])

    trainer = Trainer(AWARE, digits)
    trainer.run_epoch()
    network, disc = export.to_eventsim(trainer.net.double(), 4)
    inputs = torch.rand(8, 4, 64, dtype=torch.float64).round()
    np.testing.assert_array_equal(
        disc.run(network, inputs.numpy()), trainer.net(inputs).detach().numpy()
    )


@pytest.mark.parametrize("change", [{"noise_aware": True}, {"threshold_noise": 0.3}])
def test_training_with_noise_repeats_and_resumes(digits, change):
    settings = dataclasses.replace(TINY, **change)
    whole, other, plain = (
        Trainer(settings, digits),
        Trainer(settings, digits),
        Trainer(TINY, digits),
    )
    for trainer in (whole, plain):
        trainer.run_epoch()
        trainer.run_epoch()
    other.run_epoch()
    resumed = Trainer(settings, digits)
    resumed.restore(other.state())
    with pytest.raises(InvalidValue, match=f"{next(iter(change))}: expected"):
        plain.restore(other.state())
    resumed.run_epoch()
    assert torch.equal(whole.net.hidden.weight, resumed.net.hidden.weight)
    assert not torch.equal(whole.net.hidden.weight, plain.net.hidden.weight)
    assert whole.history[-1]["loss"] < whole.history[0]["loss"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"threshold_noise": -0.1}, "threshold_noise"),
        ({"threshold_noise": math.nan}, "threshold_noise"),
        ({"noise_aware": True, "variant": "lif"}, "noise_aware"),
        ({"noise_aware": True, "tau_out": math.inf}, "noise_aware"),
    ],
)
def test_settings_refuse(change, field):
    with pytest.raises(InvalidValue, match=f"train: {field}: expected"):
        dataclasses.replace(TINY, **change).check()
    with pytest.raises(InvalidValue, match="Noise: threshold: expected"):
        noise(threshold=-1.0)


def test_noise_is_noted_where_there_is_some(tmp_path):
    assert not {"noise_aware", "threshold_noise"} & set(TINY.to_dict())
    assert "noise" not in export.command(TINY, "x.h5", every=True)
    settings = dataclasses.replace(TINY, noise_aware=True, threshold_noise=0.2, limit=100, epochs=1)
    command = export.command(settings, "x.h5")
    assert command.endswith("--noise-aware --threshold-noise 0.2 --out x.h5")
    words = command.split()[3:]
    out = tmp_path / "x.h5"
    assert train.guarded(train.main, [*words[:-1], str(out)]) == 0
    noted = read_provenance(out)
    assert Settings(**noted["settings"]) == settings
    assert "--noise-aware --threshold-noise 0.2" in noted["command"]
    assert noted["coarse_accuracy"]["correct"] > 0


def test_evaluation_has_no_noise(digits):
    trainer = Trainer(AWARE, digits)
    arguments = (digits.test_images, digits.test_labels)
    assert training.evaluate(trainer.net, AWARE, *arguments) == training.evaluate(
        trainer.net, TINY, *arguments
    )


def test_a_checkpoint_from_before_there_was_noise_is_continued(digits):
    first = Trainer(TINY, digits)
    first.run_epoch()
    state = first.state()
    state["settings"] = TINY.to_dict()
    second = Trainer(TINY, digits)
    second.restore(state)
    assert second.epoch == 1
    with pytest.raises(InvalidValue, match="noise_aware: expected True"):
        Trainer(AWARE, digits).restore(state)
