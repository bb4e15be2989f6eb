"""Last layers of neurons that do not spike: their potentials are what the module gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import eventsim as es
from eventsim.errors import UnsupportedNetwork
from tests.madeup import Reading, Sequence

DT = 1e-3

pytestmark = pytest.mark.usefixtures("madeup")


def module(*parts):
    """A sequential module with dyadic weights, whose sums are exact in any order."""
    net = nn.Sequential(*parts)
    for weight in net.parameters():
        weight.data = torch.randint(-64, 192, weight.shape) / 256.0
    return net


def spikes():
    return (torch.rand(12, 3, 5) < 0.4).float()


def test_potentials_are_those_of_the_module():
    net = module(nn.Linear(5, 6), Sequence(), nn.Linear(6, 2), Reading(0.75))
    network, disc = es.from_torch(net, spikes(), dt=DT)
    x = spikes()
    v = disc.run(network, x.numpy().swapaxes(0, 1), layers=True, record="potential")["3"]
    with torch.no_grad():
        np.testing.assert_array_equal(v, net(x).numpy().swapaxes(0, 1))
    assert any(note.startswith("readout 3: neurons without threshold") for note in disc.notes)
    assert any(note.startswith("readout: 72 of the returned numbers") for note in disc.notes)
    assert np.isinf(network["3"].v_threshold)


def test_another_leak_is_found_out():
    net = module(nn.Linear(5, 2), Reading(0.75))
    net[1].told = 0.5  # not what its steps do
    with pytest.raises(UnsupportedNetwork, match=r"^1 \(.*Reading\): output: expected the potent"):
        es.from_torch(net, spikes(), dt=DT)


def test_nothing_that_spikes_is_behind():
    net = module(nn.Linear(5, 4), Reading(), nn.Linear(4, 3), Sequence())
    with pytest.raises(UnsupportedNetwork, match=r"^3 \(.*Sequence\): input: expected"):
        es.from_torch(net, spikes(), dt=DT)
