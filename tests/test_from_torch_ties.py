"""Potentials at the threshold within rounding: told apart from modules that do something else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import eventsim as es
from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules import recognise
from tests.madeup import Sequence

DT = 1e-3
STEPS, SAMPLES, INPUTS, NEURONS = 40, 4, 200, 6


@pytest.fixture(autouse=True)
def framework(monkeypatch):
    monkeypatch.setitem(recognise.FRAMEWORKS, "tests", "tests.madeup")


class Reordered(nn.Linear):
    """A linear layer whose sums run from the last input to the first."""

    def forward(self, x):
        y = super().forward(x)
        values, weight = x.numpy(), self.weight.detach().numpy()
        total = np.zeros(y.shape, np.float32)
        for k in reversed(range(self.in_features)):
            total += values[..., k, None] * weight[:, k]
        y.numpy()[...] = total
        return y


class Equal(Sequence):
    """Spikes at the threshold, too, which is not what is known of its class."""

    def step(self, x, v):
        v = self.beta * v + x
        s = (v >= self.threshold).float()
        return s, v - s * self.threshold


def free(seed, beta=0.9):
    """A module with free float32 weights, and its input."""
    torch.manual_seed(seed)
    net = nn.Sequential(Reordered(INPUTS, NEURONS, bias=False), Sequence(beta))
    net[0].weight.data = 0.1 * torch.randn(NEURONS, INPUTS)
    net[1].threshold = 4.0
    return net, (torch.rand(STEPS, SAMPLES, INPUTS) < 0.3).float()


def potentials(net, x):
    """Potentials before the resets [step, sample, neuron] of the module."""
    found = []

    class Noting(type(net[1])):
        def step(self, x, v):
            found.append(self.beta * v + x)
            return super().step(x, v)

    kind, net[1].__class__ = net[1].__class__, Noting
    with torch.no_grad():
        net(x)
    net[1].__class__ = kind
    return torch.stack(found).numpy()


def unreset(net, x):
    """Potentials [sample, step, neuron] of the twin with a threshold that none of them reaches."""
    net[1].threshold = 0.5
    network, disc = es.from_torch(net, x, dt=DT)
    high = replace(disc.cells["1"], v_threshold=1e9)
    disc = replace(disc, cells={"1": high})
    return disc.run(network, x.numpy().swapaxes(0, 1), layers=True, record="potential")["1"]


def made_tie(net, x):
    """Put the threshold between the potentials of the twin and of the module.

    It is reached for the first time there. Returns sample, step, neuron, and whether it is the
    module that spikes.
    """
    ours = unreset(net, x)
    net[1].threshold = 1e9
    theirs = potentials(net, x).swapaxes(0, 1)
    low, high = np.minimum(ours, theirs), np.maximum(ours, theirs)
    before = np.maximum.accumulate(high, axis=1)[:, :-1]
    tied = (low != high)[:, 1:] & (before < low[:, 1:]) & (low[:, 1:] > 0.5)
    sample, step, neuron = np.argwhere(tied)[0] + (0, 1, 0)
    net[1].threshold = float(low[sample, step, neuron])
    return sample, step, neuron, theirs[sample, step, neuron] == high[sample, step, neuron]


def compared(net, x):
    """Spikes [sample, step, neuron] of the module and of the twin, and the notes."""
    network, disc = es.from_torch(net, x, dt=DT)
    with torch.no_grad():
        theirs = net(x).numpy().swapaxes(0, 1)
    return theirs, disc.run(network, x.numpy().swapaxes(0, 1), layers=True)["1"], disc.notes


def test_ties_in_both_directions():
    """The one that is above spikes and is reset; what follows in the sample is another run."""
    directions, later = [], 0
    for seed in range(8):
        net, x = free(seed)
        sample, step, neuron, module_spikes = made_tie(net, x)
        theirs, ours, notes = compared(net, x)
        assert theirs[sample, step, neuron] == module_spikes != ours[sample, step, neuron]
        assert (theirs[sample, :step, neuron] == 0).all()
        later += int((theirs != ours).sum()) - 1
        assert any(note.startswith("rounding: 1 of 4 samples compared up to") for note in notes)
        directions.append(bool(module_spikes))
    assert set(directions) == {False, True}
    assert later > 0


def test_potentials_that_stay_at_the_threshold():
    """A steady input brings the potential to its limit, where several steps are ties."""
    found = 0
    for seed in range(4):
        net, _ = free(seed, beta=0.5)
        net[0].weight.data.abs_()
        x = torch.ones(STEPS, 1, INPUTS)
        v = unreset(net, x)[0]
        net[1].threshold = 1e9
        limits = np.maximum(v.max(axis=0), potentials(net, x)[:, 0].max(axis=0))
        for limit in limits:
            net[1].threshold = float(np.nextafter(limit, np.float32(0.0)))
            theirs, ours, notes = compared(net, x)
            if (theirs != ours).any():
                found += 1
                assert any(note.startswith("rounding: 1 of 1 sample ") for note in notes)
    assert found > 2


def test_another_test_at_the_threshold_is_no_tie():
    """Sums of dyadic weights are exact, so that a spike at equality is another rule."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 5, bias=False), Equal())
    net[0].weight.data = torch.randint(0, 3, (5, 6)) / 4.0
    with pytest.raises(UnsupportedNetwork, match="exactly at the threshold.* all sums are exact"):
        es.from_torch(net, (torch.rand(STEPS, SAMPLES, 6) < 0.3).float(), dt=DT)


@pytest.mark.parametrize("off", [1e-2, -1e-2])
def test_a_slightly_other_threshold_is_no_tie(off):
    net, x = free(0)

    class Other(Sequence):
        def step(self, x, v):
            s = (self.beta * v + x > self.threshold * (1 + off)).float()
            return s, self.beta * v + x - s * self.threshold

    x = (torch.rand(100, 32, INPUTS) < 0.3).float()
    net[1].__class__ = Other
    with pytest.raises(UnsupportedNetwork, match="spikes: expected those of the discrete twin"):
        es.from_torch(net, x, dt=DT)


def test_long_runs_without_leak():
    """Rounding errors of all steps stay in the potential, and the threshold is reached late."""
    found = 0
    for seed in range(4):
        net, _ = free(seed, beta=1.0)
        net[0].weight.data.abs_()
        x = (torch.rand(200, 1, INPUTS) < 0.3).float()
        net[1].threshold = 1e9
        limits = potentials(net, x)[-1, 0]
        for limit in limits[:3]:
            net[1].threshold = float(np.nextafter(limit, np.float32(0.0)))
            theirs, ours, notes = compared(net, x)
            if (theirs != ours).any():
                found += 1
                assert any(note.startswith("rounding: 1 of 1 sample ") for note in notes)
    assert found > 2
