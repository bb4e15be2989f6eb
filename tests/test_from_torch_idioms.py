"""Idioms of the frameworks' tutorials: encoders, pooling before neurons, states of a step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import eventsim as es
from eventsim.errors import InvalidType, UnsupportedNetwork
from eventsim.load.modules import recognise
from tests.madeup import Leaky, Sequence

DT = 1e-3


@pytest.fixture(autouse=True)
def framework(monkeypatch):
    monkeypatch.setitem(recognise.FRAMEWORKS, "tests", "tests.madeup")
    torch.manual_seed(7)


def dyadic(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randint(-64, 192, parameter.shape) / 256)
    return module


def spikes(*shape):
    return (torch.rand(*shape) < 0.4).float()


class Behind(nn.Module):
    """A front, which makes something of the input, and layers of neurons."""

    def __init__(self, front):
        super().__init__()
        self.front, self.fc, self.lif = front, nn.Linear(6, 5), Sequence()

    def forward(self, x):
        return self.lif(self.fc(self.front(x)))


@pytest.mark.parametrize(
    "encode",
    [
        torch.bernoulli,
        lambda x: (torch.rand(9, *x.shape) < x).float(),
        lambda x: torch.stack([(x > k / 9).float() for k in range(9)]),
    ],
)
def test_an_encoder_inside_is_named(encode):
    """What makes spikes of the input is no part of the network; the message says what is."""
    with pytest.raises(UnsupportedNetwork, match="as encoders do: hand over the part") as caught:
        es.from_torch(Behind(encode), torch.rand(2, 6), dt=DT)
    assert str(caught.value).startswith("lif (tests.Sequence): input")


def test_the_part_behind_an_encoder_is_taken():
    module = dyadic(Behind(nn.Identity()))
    net, disc = es.from_torch(module, spikes(9, 2, 6), dt=DT)
    x = spikes(9, 3, 6)
    given = module(x).detach().numpy().transpose(1, 0, 2)
    np.testing.assert_array_equal(disc.run(net, x.transpose(0, 1).numpy()), given)


@pytest.mark.parametrize("bias", [True, False])
def test_max_pooling_before_neurons(bias):
    """The largest of several sums has no counterpart, whatever comes before it."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.pool = nn.Conv2d(1, 2, 3, bias=bias), nn.MaxPool2d(2)
            self.lif = Leaky()

        def forward(self, x):
            v, out = None, []
            for part in x:
                s, v = self.lif(self.pool(self.conv(part)), v)
                out.append(s)
            return torch.stack(out)

    with pytest.raises(UnsupportedNetwork, match="pool .*MaxPool2d.*behind") as caught:
        es.from_torch(Net(), spikes(5, 2, 1, 6, 6), dt=DT)
    assert "average pooling" in str(caught.value) or "put it behind neurons" in str(caught.value)


class TwoLayers(nn.Module):
    """Neurons, a function, a layer and neurons."""

    def __init__(self, between):
        super().__init__()
        self.lif1, self.fc, self.lif2 = Sequence(), nn.Linear(6, 5), Sequence()
        self.between = between

    def forward(self, x):
        return self.lif2(self.fc(self.between(self.lif1(x))))


@pytest.mark.parametrize(
    "between",
    [
        torch.relu,
        F.relu,
        lambda s: F.relu(2.0 * s + 0.25 * s),
        lambda s: F.relu(s + 0.5),
        nn.ReLU(),
    ],
)
def test_relu_of_spikes_changes_nothing(between):
    module = dyadic(TwoLayers(between))
    x = 2.0 * spikes(12, 3, 6)
    net, disc = es.from_torch(module, x, dt=DT)
    given = module(x).detach().numpy().transpose(1, 0, 2)
    np.testing.assert_array_equal(disc.run(net, x.transpose(0, 1).numpy()), given)
    assert given.any()


@pytest.mark.parametrize(
    "between",
    [lambda s: F.relu(-s), lambda s: F.relu(s - 0.5), lambda s: F.relu(s[..., :1] - s)],
)
def test_relu_of_what_may_be_negative_is_refused(between):
    with pytest.raises(UnsupportedNetwork, match="relu"):
        es.from_torch(TwoLayers(between), spikes(12, 3, 6), dt=DT)


def test_relu_of_the_input_is_refused():
    """Other inputs than the sample may be negative."""

    class Net(TwoLayers):
        def forward(self, x):
            return self.lif1(F.relu(x))

    with pytest.raises(UnsupportedNetwork, match="relu"):
        es.from_torch(Net(None), spikes(12, 3, 6), dt=DT)


class Passing(nn.Module):
    """One step in a call; the states of its neurons are passed in and returned."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(6, 8), Leaky()
        self.fc2, self.lif2 = nn.Linear(8, 4), Leaky()

    def forward(self, x, state=None):
        v1, v2 = (None, None) if state is None else state
        s, v1 = self.lif1(self.fc1(x), v1)
        s, v2 = self.lif2(self.fc2(s), v2)
        return s, (v1, v2)


def test_steps_pass_states_on():
    """``run="step"`` gives a module back the state that it returned."""
    module = dyadic(Passing())
    x = spikes(15, 3, 6)
    net, disc = es.from_torch(module, x, dt=DT, run="step")
    state, given = None, []
    for part in x:
        s, state = module(part, state)
        given.append(s.detach().numpy())
    np.testing.assert_array_equal(disc.run(net, x.transpose(0, 1).numpy()), np.stack(given, axis=1))
    assert np.stack(given).any()


def test_steps_pass_no_potential_on():
    """A module whose second argument is something else is called with one."""

    class Keeps(nn.Module):
        def __init__(self):
            super().__init__()
            self.lif, self.v = Leaky(), None

        def forward(self, x, scale=2.0):
            s, self.v = self.lif(scale * x, self.v)
            return s, (self.v,)

    net, disc = es.from_torch(Keeps(), spikes(9, 2, 6), dt=DT, run="step")
    assert "2 samples" in disc.notes[-1]


def test_a_batch_of_a_loader_is_named():
    batch = [torch.rand(5, 2, 6), torch.zeros(5)]
    with pytest.raises(InvalidType, match="a list of tensors: of images with labels") as caught:
        es.from_torch(Behind(nn.Identity()), batch, dt=DT)
    assert len(str(caught.value)) < 250


class Stateful(Sequence):
    """Neurons with a buffer that is empty until they have run."""

    def __init__(self, beta=0.75):
        super().__init__(beta)
        self.register_buffer("v_mem", torch.zeros(0))

    def forward(self, x):
        out = super().forward(x)
        self.v_mem = out[-1].detach()
        return out


def test_checkpoint_with_the_state_of_a_run(tmp_path):
    """What a trained module keeps between calls is in its checkpoint, and is no weight."""
    module = dyadic(nn.Sequential(nn.Linear(6, 4), Stateful()))
    module(spikes(9, 2, 6))
    torch.save(module.state_dict(), tmp_path / "w.pt")
    x = spikes(9, 2, 6)
    net, _ = es.from_torch(module, x, dt=DT)
    fresh = nn.Sequential(nn.Linear(6, 4), Stateful())
    loaded, _ = es.from_torch(fresh, x, dt=DT, checkpoint=tmp_path / "w.pt")
    assert loaded.fingerprint() == net.fingerprint()


def test_checkpoint_of_a_parallel_module(tmp_path):
    """``DataParallel`` puts one word before all names."""
    module = dyadic(nn.Sequential(nn.Linear(6, 4), Sequence()))
    torch.save(nn.DataParallel(module).state_dict(), tmp_path / "w.pt")
    x = spikes(9, 2, 6)
    fresh = nn.Sequential(nn.Linear(6, 4), Sequence())
    loaded, _ = es.from_torch(fresh, x, dt=DT, checkpoint=tmp_path / "w.pt")
    assert loaded.fingerprint() == es.from_torch(module, x, dt=DT)[0].fingerprint()
    assert next(iter(torch.load(tmp_path / "w.pt"))).startswith("module.")
