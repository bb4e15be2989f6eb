"""Odd modules: each gives the right network or one clear error, and nothing else."""

from __future__ import annotations

import copy
import warnings
import zipfile

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import eventsim as es
from eventsim.errors import EventsimError, FileError, UncomparedWarning
from eventsim.load.modules import recognise
from tests.madeup import Keeping, Leaky

DT = 1e-3
STEPS, SAMPLES = 10, 3


@pytest.fixture(autouse=True)
def framework(monkeypatch):
    monkeypatch.setitem(recognise.FRAMEWORKS, "tests", "tests.madeup")


class Net(nn.Module):
    """Two layers of neurons with something between them, step by step."""

    def __init__(self, between=None):
        super().__init__()
        torch.manual_seed(2)
        self.fc1, self.lif1 = nn.Linear(6, 8, bias=False), Keeping(0.5)
        self.between = between or nn.Identity()
        self.fc2, self.lif2 = nn.Linear(8, 8, bias=False), Keeping(0.75)
        for fc in (self.fc1, self.fc2):
            fc.weight.data = torch.randint(-60, 140, fc.weight.shape) / 256

    def step(self, x):
        return self.lif2(self.fc2(self.between(self.lif1(self.fc1(x)))))

    def forward(self, x):
        self.lif1.reset()
        self.lif2.reset()
        return torch.stack([self.step(part) for part in x])


def spikes(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(STEPS, SAMPLES, 6, generator=generator) < 0.5).float()


def each(function):
    """A module that applies a function."""

    class Apply(nn.Module):
        def forward(self, x):
            return function(x)

    return Apply()


def changed(change):
    net = Net()
    return change(net) or net


def shared_weights(net):
    net.between = nn.Linear(8, 8, bias=False)
    net.between.weight = net.fc2.weight


def shared_layer(net):
    net.between = net.fc2


def transposed(net):
    net.fc2.weight = nn.Parameter(net.fc2.weight.data.T)


def strided(net):
    net.fc2.weight = nn.Parameter((torch.randint(-60, 140, (16, 24)) / 256)[::2, ::3])


def normed(net):
    nn.utils.parametrizations.weight_norm(net.fc2)


def pruned(net):
    from torch.nn.utils import prune

    prune.l1_unstructured(net.fc2, "weight", 0.5)


def hooked(net):
    net.fc2.register_forward_pre_hook(lambda module, args: (args[0] * 0.5,))
    net.fc2.register_forward_hook(lambda module, args, out: out * 1.5)


def doubled(net):
    plain = net.fc2
    net.fc2 = each(lambda x: torch.func.functional_call(plain, {"weight": plain.weight * 2}, (x,)))
    net.fc2.inner = plain


@pytest.mark.parametrize(
    "net",
    [
        lambda: changed(shared_weights),
        lambda: changed(shared_layer),
        lambda: changed(transposed),
        lambda: changed(strided),
        lambda: changed(normed),
        lambda: changed(pruned),
        lambda: changed(hooked),
        lambda: changed(doubled),
        lambda: nn.DataParallel(Net()),
        lambda: Net(nn.Dropout(0.5)).train(),
        lambda: Net(nn.BatchNorm1d(8)).train(),
        lambda: Net(each(lambda x: x.mul_(0.5))),
        lambda: changed(lambda net: setattr(net, "alias", net.lif1)),
        lambda: changed(lambda net: setattr(net, "lif2", copy.deepcopy(net.lif1))),
    ],
)
def test_right(net):
    """On another input than that of from_torch, spike for spike."""
    module = net()
    network, disc = es.from_torch(module, spikes(), dt=DT)
    x = spikes(1)
    with torch.no_grad():
        theirs = module.eval()(x).numpy().swapaxes(0, 1)
    np.testing.assert_array_equal(disc.run(network, x.numpy().swapaxes(0, 1)), theirs)
    assert theirs.any()


@pytest.mark.parametrize(
    "x",
    [
        spikes().requires_grad_(),
        spikes() * torch.ones((), requires_grad=True),
        spikes().transpose(0, 1).contiguous().transpose(0, 1),
        spikes()[:, :1].expand(STEPS, SAMPLES, 6),
        spikes().numpy(),
        spikes().tolist(),
    ],
)
def test_inputs(x):
    _, disc = es.from_torch(Net(), x, dt=DT)
    assert any(note.startswith("comparison") for note in disc.notes)


def stopping(net):
    net.forward = lambda x: torch.stack([net.step(part) for part in x[:7]])


def halving(net):
    def forward(x):
        out = []
        for part in x:
            out.append(net.step(part))
            net.fc2.weight.data.mul_(0.9)
        return torch.stack(out)

    net.forward = forward


def growing(net):
    def forward(x):
        out = []
        for part in x:
            out.append(net.step(part))
            net.lif1.beta.mul_(1.2)
        return torch.stack(out)

    net.forward = forward


def gated(net):
    def step(x):
        s = net.lif1(net.fc1(x))
        return net.lif2(net.fc2(s * 0.5 if s.sum() > 8 else s))

    net.step = step


def broken(net):
    net.fc2 = nn.Linear(7, 8)


def lazy(net):
    net.fc2 = nn.LazyLinear(8)


def compiled(net):
    net.compile(backend="eager")


def without_numbers(net):
    return net.to("meta")


def not_a_number(net):
    net.fc2.weight.data[1, 0] = float("nan")


def half(net):
    return net.half()


def negative_variance(net):
    net.between = nn.BatchNorm1d(8)
    net.between.running_var.fill_(-1.0)


def once_more(net):
    net.lif2 = net.lif1


def hidden(net):
    """The potential of the first layer goes on, read from the module."""
    net.between = each(lambda x: net.lif1.v)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (once_more, "lif1 .*: calls: expected one in each of 10 steps, got 20"),
        (stopping, "lif1 .*: calls: expected one in each of 10 steps, got 7: does it stop early"),
        (halving, "fc2.weight: expected a parameter that stays as it is"),
        (growing, "lif1 .*: spikes: expected those of the discrete twin"),
        (gated, "lif2 .*: input in step"),
        (broken, r"fc2 \(torch.Linear\): run: expected a module that runs .* RuntimeError"),
        (lazy, "fc2.weight: expected a float32 tensor, got one that is not initialized"),
        (compiled, r"module \(.*Net\): expected a module in Python, .* got a compiled one"),
        (without_numbers, "fc1.weight: expected a float32 tensor, got one on the device 'meta'"),
        (not_a_number, r"fc2 \(torch.Linear\): weight\[0, 1\]: expected a finite number, got nan"),
        (half, "fc1.weight: expected a float32 tensor, got float16"),
        (negative_variance, "fc2 .*: input: expected spikes times finite numbers"),
        (hidden, "lif2 .*: input: expected spikes, got a state variable of 'lif1'"),
    ],
)
def test_refused(net, message):
    with pytest.raises(EventsimError, match=message):
        es.from_torch(changed(net), spikes(), dt=DT)


@pytest.mark.parametrize(
    ("between", "name"),
    [
        (nn.Sigmoid(), "sigmoid"),
        (nn.BatchNorm1d(8, track_running_stats=False), "batch_norm"),
        (each(lambda x: F.dropout(x, 0.5, True)), "dropout"),
        (each(lambda x: torch.view_as_complex(x.reshape(-1, 4, 2)).real.repeat(1, 2)), "complex"),
        (each(lambda x: torch.from_numpy(x.numpy() * 0.5)), "numbers whose origin is not seen"),
        (each(lambda x: torch.tensor(x.tolist())), "numbers whose origin is not seen"),
        (each(lambda x: F.linear(x, torch.randn(8, 8))), "the same in all steps"),
        (each(lambda x: {}["mine"]), "got KeyError: 'mine'"),
    ],
)
def test_refused_between(between, name):
    with pytest.raises(EventsimError, match=f"(lif2|between) .*{name}"):
        es.from_torch(Net(between), spikes(), dt=DT)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (spikes().half(), "sample_input: expected float32 or float64"),
        (spikes() + 0j, "sample_input: expected float32 or float64"),
        (spikes().to_sparse(), "sample_input: expected a dense tensor"),
        (spikes().to("meta"), "sample_input: expected a dense tensor"),
        (spikes().double(), r"fc1 \(torch.Linear\): run: expected a module that runs"),
    ],
)
def test_refused_inputs(x, message):
    with pytest.raises(EventsimError, match=message):
        es.from_torch(Net(), x, dt=DT)


def test_inputs_on_which_nothing_spikes_are_told():
    with pytest.warns(UncomparedWarning, match="sample_input: no neuron spiked in"):
        es.from_torch(Net(), torch.zeros(STEPS, SAMPLES, 6), dt=DT)


def test_layers_that_are_silent_are_told():
    net = Net()
    net.fc2.weight.data *= 2.0**-10
    _, disc = es.from_torch(net, spikes(), dt=DT)
    assert "spikes of lif2: none on sample_input (what they do is not compared)" in disc.notes


def test_weights_are_put_back():
    """Also where the module changed them and was refused."""
    net = changed(halving)
    before = net.fc2.weight.detach().clone()
    with pytest.raises(EventsimError):
        es.from_torch(net, spikes(), dt=DT)
    assert torch.equal(net.fc2.weight, before)


def test_another_step_than_the_modules(monkeypatch):
    class Told:
        @staticmethod
        def recognise(module, where):
            from tests.madeup import recognise as known

            found = known(module, where)
            return found and recognise.Recognised(found.rule, reset=found.reset, dt=2e-3)

    monkeypatch.setitem(recognise.FRAMEWORKS, "tests", Told)
    with pytest.raises(EventsimError, match=r"lif1 .*: dt: expected .* 0.001 s, got 0.002 s"):
        es.from_torch(Net(), spikes(), dt=DT)
    assert es.from_torch(Net(), spikes(), dt=2e-3)


def test_errors_name_the_place_once():
    class Grows(Leaky):
        pass

    net = nn.Sequential(nn.Linear(6, 8), Grows(1.5))
    with pytest.raises(EventsimError) as caught:
        es.from_torch(net, spikes(), dt=DT, run=lambda net, x: [net(part)[0] for part in x])
    assert str(caught.value).count("1 (") == 1
    assert str(caught.value).startswith("1 (tests.")


# Files

TENSORS = Net().state_dict()


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.full((8, 8), 0.1, dtype=torch.float64), "numbers that float32 holds"),
        (torch.full((8, 8), 2**40 + 1), "numbers that float32 holds"),
        (torch.ones(8, 8) + 1j, "numbers that float32 holds"),
        (torch.zeros(1).expand(8, 10**12), "as many numbers as its shape"),
        (torch.zeros(8, 8, device="meta"), "expected a tensor of real numbers"),
        ("weights", "expected a tensor, got str"),
    ],
)
def test_tensors_of_other_types(tmp_path, tensor, message):
    torch.save({**TENSORS, "fc2.weight": tensor}, tmp_path / "a.pt")
    with pytest.raises(FileError, match=f"fc2.weight: .*{message}"):
        es.from_torch(Net(), spikes(), dt=DT, checkpoint=tmp_path / "a.pt")


@pytest.mark.parametrize("kind", [torch.float64, torch.float16])
def test_tensors_of_other_types_that_fit(tmp_path, kind):
    """Multiples of 1/256 are numbers of all these types."""
    torch.save({**TENSORS, "fc2.weight": TENSORS["fc2.weight"].to(kind)}, tmp_path / "a.pt")
    net = Net()
    net.fc2.weight.data.zero_()
    es.from_torch(net, spikes(), dt=DT, checkpoint=tmp_path / "a.pt")
    assert torch.equal(net.fc2.weight, TENSORS["fc2.weight"])


def test_archive_that_unpacks_to_far_more(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 26))
    with pytest.raises(FileError, match="got 67108864 bytes packed into"):
        es.from_torch(Net(), spikes(), dt=DT, checkpoint=tmp_path / "a.pt")


def test_compiled_functions_are_followed_or_refused():
    """What torch.compile leaves as it is, is followed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = Net(each(torch.compile(lambda x: x * 0.5, backend="eager")))
        try:
            network, disc = es.from_torch(net, spikes(), dt=DT)
        except EventsimError:
            return
        x = spikes(1)
        with torch.no_grad():
            theirs = net(x).numpy().swapaxes(0, 1)
    np.testing.assert_array_equal(disc.run(network, x.numpy().swapaxes(0, 1)), theirs)
