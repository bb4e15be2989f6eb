"""Checkpoints, the author's package, weights that are not dyadic, and the way on to NIR."""

from __future__ import annotations

import math
import pickle
import sys
import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import eventsim as es
from eventsim.errors import FileError, MissingExtra, UnsupportedNetwork
from tests.madeup import Leaky, Sequence

DT = 1e-3

pytestmark = pytest.mark.usefixtures("madeup")


def network():
    return nn.Sequential(nn.Linear(6, 20), Sequence(0.75), nn.Linear(20, 4), Sequence(0.5))


def spikes(*shape):
    return (torch.rand(*shape) < 0.4).float()


# Checkpoints


@pytest.mark.parametrize("kind", ["pt", "safetensors", "nested"])
def test_checkpoint(tmp_path, kind):
    trained = network()
    path = tmp_path / "weights"
    if kind == "safetensors":
        pytest.importorskip("safetensors.torch").save_file(trained.state_dict(), path)
    else:
        content = trained.state_dict()
        torch.save({"model": content} if kind == "nested" else content, path)
    options = {"state_dict": "model"} if kind == "nested" else {}
    net, _ = es.from_torch(network, spikes(9, 2, 6), dt=DT, checkpoint=path, **options)
    assert np.array_equal(net.projections[0].weight, trained[0].weight.detach().numpy().T)


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (lambda tensors: tensors.pop("2.bias"), "none for ['2.bias']"),
        (lambda tensors: tensors.update(extra=torch.ones(1)), "['extra']"),
        (lambda tensors: tensors.update({"0.weight": torch.ones(6, 20)}), "0.weight: expected"),
    ],
)  # fmt: skip
def test_checkpoint_of_another_module(tmp_path, change, fragment):
    tensors = dict(network().state_dict())
    change(tensors)
    torch.save(tensors, tmp_path / "a.pt")
    module = network()
    before = module[0].weight.detach().clone()
    with pytest.raises(FileError) as caught:
        es.from_torch(module, spikes(9, 2, 6), dt=DT, checkpoint=tmp_path / "a.pt")
    assert fragment in str(caught.value)
    assert torch.equal(module[0].weight, before)


class Danger:
    """Writes a file when it is unpickled by anything that runs code."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("save", [torch.save, lambda a, path: path.write_bytes(pickle.dumps(a))])
def test_checkpoint_never_runs_code(tmp_path, save):
    marker = tmp_path / "ran"
    save({"0.weight": Danger(marker)}, tmp_path / "bad.pt")
    with pytest.raises(FileError):
        es.from_torch(network, spikes(9, 2, 6), dt=DT, checkpoint=tmp_path / "bad.pt")
    assert not marker.exists()


def test_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match="torch"):
        es.from_torch(None, np.ones((3, 2)), dt=DT)


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileError, match=r"no\.pt"):
        es.from_torch(network, spikes(9, 2, 6), dt=DT, checkpoint=tmp_path / "no.pt")


# Weights as training leaves them


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_free_weights(seed, dtype):
    """The twin's spikes are the module's; rounding may decide only within its margin."""
    torch.manual_seed(seed)
    module = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.Flatten(1), Leaky(0.9), nn.Linear(216, 30), Leaky(0.8)
    ).to(dtype)
    with torch.no_grad():
        for weight in (module[0].weight, module[3].weight):
            weight *= 4

    def run(net, x):
        states, out = [None, None], []
        for part in x:
            first, states[0] = net[2](net[1](net[0](part)), states[0])
            second, states[1] = net[4](net[3](first), states[1])
            out.append(second)
        return torch.stack(out)

    x = spikes(15, 4, 1, 6, 6).to(dtype)
    net, disc = es.from_torch(module, x, dt=DT, run=run)
    assert net["2"].shape == (6, 6, 6)
    note = next(note for note in disc.notes if note.startswith("comparison"))
    assert int(note.split()[4]) > 100
    ties = [note for note in disc.notes if note.startswith("rounding")]
    assert len(ties) <= 1


class _Reversed(nn.Linear):
    """Adds up from the last input to the first, which rounds in another way."""

    def forward(self, x):
        return F.linear(x.flip(-1), self.weight.flip(-1))


def test_rounding_decides():
    """A potential that is at the threshold within rounding is told, and is no error."""
    told = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        fc = _Reversed(60, 1, bias=False)
        weight = rng.normal(size=60).astype(np.float32)
        fc.weight.data = torch.from_numpy(weight / weight.sum(dtype=np.float32))[None]
        module = nn.Sequential(fc, Sequence(2.0**-20))
        net, disc = es.from_torch(module, torch.ones(4, 2, 60), dt=DT)
        rounding = [note for note in disc.notes if note.startswith("rounding")]
        with torch.no_grad():
            theirs = module(torch.ones(4, 2, 60))[:, 0, 0].numpy()
        same = np.array_equal(disc.run(net, np.ones((1, 4, 60)))[0, :, 0], theirs)
        assert bool(rounding) != same
        told += not same
    assert told


# The author's package, in the words of its paper


class _Stub(nn.Module):
    # A threshold that no sum of weights meets: there these neurons give half a spike.
    def __init__(self, tau=4.0, v0=1.0 + 2.0**-9, decay=None):
        super().__init__()
        self.tau, self.v0 = tau, v0
        self.a = math.exp(-1 / tau) if decay is None else decay
        self.b = tau * (1 - self.a) if decay is None else 1
        self.c = tau * (1 - self.b) if decay is None else 0

    def forward(self, x, init=False):
        if init:
            self.v = self.s = torch.zeros_like(x)
        self.v = self.update(self.v, self.s, x)
        self.s = 0.5 * (torch.sign(self.v - self.v0) + 1)
        return self.s


class _CoarseLIF(_Stub):
    def update(self, v, s, x):
        return (1 - s) * (self.a * v + self.b * x) + s * self.c * x


class _LIF(_Stub):
    def update(self, v, s, x):
        return (1 - s) * self.a * v + self.b * x


class _IF(_Stub):
    def update(self, v, s, x):
        return (1 - s) * v + x


class _McPitts(_Stub):
    def __init__(self, thr):
        super().__init__()
        self.thr = self.v0 = thr

    def update(self, v, s, x):
        return x


@pytest.fixture
def spikingtorch(monkeypatch):
    """A package of this name with neurons of our own."""
    package = types.ModuleType("spikingtorch")
    for kind in (_CoarseLIF, _LIF, _IF, _McPitts):
        name = kind.__name__[1:]
        made = type(name, (kind,), {"__module__": "spikingtorch.layers"})
        setattr(package, name, made)
    monkeypatch.setitem(sys.modules, "spikingtorch", package)
    return package


class Author(nn.Module):
    """Layers in a loop, with a flag that says which step is the first."""

    def __init__(self, first, second):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(6, 20), first
        self.fc2, self.lif2 = nn.Linear(20, 5, bias=False), second
        with torch.no_grad():
            for fc in (self.fc1, self.fc2):
                fc.weight.copy_(torch.randint(-128, 256, fc.weight.shape) / 256)

    def forward(self, x):
        out = torch.zeros(x.shape[0], x.shape[1], 5)
        for i in range(x.shape[1]):
            xi = torch.index_select(x, 1, torch.tensor([i]))
            out[:, i] = self.lif2(self.fc2(self.lif1(self.fc1(xi), i == 0)), i == 0)[:, 0]
        return out


@pytest.mark.parametrize(
    ("name", "options", "rule"),
    [
        ("CoarseLIF", {"tau": 3.0}, "coarse"),
        ("LIF", {"tau": 3.0}, "lif"),
        ("LIF", {"decay": 0.75}, "framework"),
        ("IF", {}, "if"),
        ("McPitts", {"thr": 0.75 + 2.0**-9}, "mcculloch_pitts"),
    ],
)
def test_neurons_of_the_author(spikingtorch, name, options, rule):
    kind = getattr(spikingtorch, name)
    module = Author(kind(**options), kind(**options))
    x = spikes(3, 10, 6)
    net, disc = es.from_torch(module, x, dt=DT)
    assert disc.rule == rule
    assert net["lif1"].shape == (20,)
    other = spikes(4, 25, 6)
    with torch.no_grad():
        theirs = module(other).numpy()
    ours = disc.run(net, other.numpy())
    if not any(note.startswith("rounding") for note in disc.notes):
        assert np.array_equal(ours, theirs)


def test_two_rules(spikingtorch):
    module = Author(spikingtorch.LIF(tau=3.0), spikingtorch.CoarseLIF(tau=4.0))
    net, disc = es.from_torch(module, spikes(3, 10, 6), dt=DT)
    assert (disc.rule, dict(disc.variants)) == ("coarse", {"lif1": "lif"})
    assert (net["lif1"].t_ref, net["lif2"].t_ref) == (0.0, DT)
    assert all(p.spread == DT for p in net.projections)
    assert es.Discretization.from_dict(disc.to_dict()) == disc


def test_half_a_spike(spikingtorch):
    module = Author(spikingtorch.IF(v0=1.0), spikingtorch.IF(v0=1.0))
    with pytest.raises(UnsupportedNetwork, match=r"expected spikes of 0 and 1, got 0\.5"):
        es.from_torch(module, spikes(3, 30, 6), dt=DT)


def test_decay_out_of_range(spikingtorch):
    module = Author(spikingtorch.LIF(decay=1.5), spikingtorch.LIF())
    with pytest.raises(UnsupportedNetwork, match=r"lif1 \(spikingtorch.LIF\): decay"):
        es.from_torch(module, spikes(3, 10, 6), dt=DT)


# Onward


def test_to_a_file_and_back(tmp_path):
    module = network()
    x = spikes(9, 2, 6)
    net, disc = es.from_torch(module, x, dt=DT)
    es.save(tmp_path / "net.h5", net, disc)
    again, other = es.load(tmp_path / "net.h5")
    assert other == disc
    x = x.numpy().transpose(1, 0, 2)
    assert np.array_equal(disc.run(net, x), other.run(again, x))


def test_to_nir_and_back(tmp_path):
    module = network()
    with torch.no_grad():
        module[0].weight *= 4
        module[2].weight *= 4
    net, disc = es.from_torch(module, spikes(9, 2, 6), dt=DT, reset="value")
    es.save_nir(tmp_path / "net.nir", net)
    again = es.load_nir(tmp_path / "net.nir").network
    steps, senders = np.nonzero(spikes(60, 6).numpy())
    train = es.SpikeTrain(steps * DT, senders)
    one = es.simulate(net, {"input": train}, t_stop=60 * DT)
    two = es.simulate(again, {"input": train}, t_stop=60 * DT)
    assert one.spikes["3"].times.size > 5
    for name in ("1", "3"):
        assert np.array_equal(one.spikes[name].senders, two.spikes[name].senders)
        assert np.allclose(one.spikes[name].times, two.spikes[name].times, rtol=1e-12, atol=0)
