"""From live PyTorch modules to networks: the ways in which people write them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import eventsim as es
from eventsim.load.modules import recognise
from tests.madeup import Keeping, Leaky, Recurrent, RecurrentSequence, Sequence, Squeezed

DT = 2.0**-10
STEPS, SAMPLES = 12, 3


@pytest.fixture(autouse=True)
def framework(monkeypatch):
    """Neurons of tests.madeup are known, and weights are the same in every run."""
    monkeypatch.setitem(recognise.FRAMEWORKS, "tests", "tests.madeup")
    torch.manual_seed(11)


def dyadic(module):
    """The module with weights that are multiples of 1/256, so that sums are exact in any order."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean = torch.randint(-64, 64, part.running_mean.shape) / 256
            part.running_var = 2.0 ** torch.randint(-1, 2, part.running_var.shape) * 1.0
            part.eps = 0.0
    for weight in module.parameters():
        fan = max(1, weight[0].numel() if weight.dim() > 1 else 4)
        spread = max(64, int(512 / fan**0.5))
        weight.data = torch.randint(-spread // 2, spread, weight.shape).to(weight.dtype) / 256
    return module


def spikes(*shape, rate=0.4):
    return (torch.rand(*shape) < rate).float()


def converted(module, x, **options):
    """The network of a module; it compares all spikes with the twin's by itself."""
    net, disc = es.from_torch(dyadic(module), x, dt=DT, **options)
    notes = [note for note in disc.notes if note.startswith("comparison")]
    assert len(notes) == 1
    assert int(notes[0].split()[4]) > 5, notes
    return net, disc


class Loop(nn.Module):
    """Layers in a Python loop over steps, with state tuples."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(6, 10), Leaky()
        self.fc2, self.lif2 = nn.Linear(10, 4), Leaky(0.75)

    def forward(self, x):
        v1 = v2 = None
        s2s, v2s = [], []
        for step in range(x.shape[0]):
            s1, v1 = self.lif1(self.fc1(x[step]), v1)
            s2, v2 = self.lif2(self.fc2(s1), v2)
            s2s.append(s2)
            v2s.append(v2)
        return torch.stack(s2s), torch.stack(v2s)


def test_loop_with_states():
    module = Loop()
    net, disc = converted(module, spikes(STEPS, SAMPLES, 6))
    assert [p.name for p in net.populations] == ["input", "lif1", "lif2"]
    first, second = net.projections
    assert first.weight.dtype == np.float32
    assert np.array_equal(first.weight, module.fc1.weight.detach().numpy().T)
    assert (disc.steps, disc.dt, disc.dtype) == (STEPS, DT, "float32")
    assert disc.cells["lif2"].leak == 0.75
    assert np.array_equal(disc.cells["lif1"].bias, module.fc1.bias.detach().numpy())


def test_twin_on_other_input():
    module = Loop()
    net, disc = converted(module, spikes(STEPS, SAMPLES, 6))
    x = spikes(40, 5, 6)
    with torch.no_grad():
        theirs = module(x)[0].numpy()
    ours = disc.run(net, x.numpy().transpose(1, 0, 2))
    assert np.array_equal(ours, theirs.transpose(1, 0, 2))


def test_batch_first():
    class Net(Loop):
        def forward(self, x):
            return super().forward(x.transpose(0, 1))[0].transpose(0, 1)

    net, _ = converted(Net(), spikes(SAMPLES, STEPS, 6))
    assert net["lif1"].n == 10


@pytest.mark.parametrize("shape", [(STEPS, STEPS, 6), (STEPS, 1, 6), (1, 5, 6)])
def test_axes_are_found(shape):
    net, disc = converted(Loop(), spikes(*shape, rate=0.8))
    assert disc.steps == shape[0]


def test_without_samples():
    net, _ = converted(Loop(), spikes(STEPS, 6))
    assert net["input"].n == 6


def test_hidden_state_step_by_step():
    module = nn.Sequential(nn.Linear(6, 10), Keeping(), nn.Linear(10, 3), Keeping())
    x = spikes(STEPS, SAMPLES, 6)
    module(torch.ones(2, 6))
    before = module[1].v
    net, _ = converted(module, x, run="step")
    assert [p.name for p in net.populations] == ["input", "1", "3"]
    assert module[1].v is before


def test_image_in_every_step():
    module = nn.Sequential(nn.Linear(6, 10), Keeping(), nn.Linear(10, 3), Keeping())
    net, disc = converted(module, torch.randint(0, 256, (SAMPLES, 6)) / 256, run=7)
    assert (disc.encoder, disc.steps) == ("constant", 7)


def test_image_weighted_once():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.lif = nn.Linear(6, 10), Leaky()

        def forward(self, x):
            current, v, out = self.fc(x), None, []
            for _ in range(9):
                s, v = self.lif(current, v)
                out.append(s)
            return torch.stack(out)

    _, disc = converted(Net(), torch.randint(0, 256, (SAMPLES, 6)) / 256)
    assert (disc.encoder, disc.steps) == ("constant", 9)


def test_analog_input():
    converted(Loop(), torch.randint(-256, 256, (STEPS, SAMPLES, 6)) / 256)


def test_double():
    _, disc = converted(Loop().double(), spikes(STEPS, SAMPLES, 6).double())
    assert disc.dtype == "float64"


@pytest.mark.parametrize(
    "move",
    [
        lambda s: s.flip(-1),
        lambda s: s[..., 2:8].repeat(1, 1, 2)[..., :10],
        lambda s: F.pad(s[..., :7], (3, 0)),
        lambda s: torch.cat([s[..., 5:], s[..., :5] * 0.5], -1),
        lambda s: s.unflatten(-1, (2, 5)).transpose(-1, -2).flatten(-2),
        lambda s: s.unflatten(-1, (5, 2)).sum(-1, keepdim=True).repeat(1, 1, 1, 2).flatten(-2) / 4,
    ],
)
def test_units_that_are_moved(move):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.lif1 = nn.Linear(6, 10), Sequence()
            self.fc2, self.lif2 = nn.Linear(10, 8), Sequence()

        def forward(self, x):
            return self.lif2(self.fc2(move(self.lif1(self.fc1(x)))))

    net, _ = converted(Net(), spikes(STEPS, SAMPLES, 6))
    assert len(net.projections) == 2


@pytest.mark.parametrize("time", [0, 1])
def test_sequences(time):
    module = nn.Sequential(
        nn.Linear(6, 10),
        Sequence(time=time),
        nn.Dropout(0.5),
        nn.Linear(10, 4),
        Sequence(time=time),
    )  # fmt: skip
    shape = (STEPS, SAMPLES, 6) if time == 0 else (SAMPLES, STEPS, 6)
    net, disc = converted(module, spikes(*shape))
    assert disc.steps == STEPS
    assert len(net.projections) == 2


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("known", [{"steps": STEPS}, {"samples": SAMPLES}])
def test_samples_and_steps_share_an_axis(folded, known):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.lif = nn.Conv2d(1, 3, 3), Squeezed(**known)

        def forward(self, x):
            return self.lif(self.conv(x if folded else x.flatten(0, 1)))

    x = spikes(SAMPLES, STEPS, 1, 6, 6)
    net, disc = converted(Net(), x.flatten(0, 1) if folded else x)
    assert (disc.steps, net["lif"].shape) == (STEPS, (3, 4, 4))


class Convolutional(nn.Module):
    """Images, with steps and samples folded into one axis where layers take images."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding="same", bias=False),
            nn.BatchNorm2d(4),
        )
        self.lif1 = Sequence()
        self.pool = nn.MaxPool2d(2)
        self.conv2, self.lif2 = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), Sequence()
        self.average = nn.AvgPool2d(2)
        self.fc, self.lif3 = nn.Linear(6, 5), Sequence()

    def folded(self, layer, x):
        return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    def forward(self, x):
        s = self.lif1(self.folded(self.features, x))
        s = self.lif2(self.folded(self.conv2, self.folded(self.pool, s)))
        return self.lif3(self.fc(self.folded(self.average, s).flatten(2)))


def test_convolutions():
    net, _ = converted(Convolutional(), spikes(STEPS, SAMPLES, 1, 8, 8))
    shapes = {p.name: p.shape for p in net.populations}
    assert shapes == {
        "input": (1, 8, 8), "lif1": (4, 8, 8), "pool": (4, 4, 4), "lif2": (6, 2, 2), "lif3": (5,),
    }  # fmt: skip
    kinds = [type(p).__name__ for p in net.projections]
    assert kinds == ["Conv2d", "MaxPool2d", "Conv2d", "Dense"]


def test_rows_of_an_image():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.lif = nn.Conv1d(2, 3, 3, padding=1), Keeping()
            self.out, self.last = nn.Conv1d(3, 2, 4, stride=2, dilation=2), Keeping()

        def forward(self, x):
            return torch.stack([self.last(self.out(self.lif(self.conv(part)))) for part in x])

    net, _ = converted(Net(), spikes(STEPS, SAMPLES, 2, 16))
    assert net["lif"].shape == (3, 1, 16)
    assert [type(p).__name__ for p in net.projections] == ["Conv2d", "Conv2d"]


def test_residual_sums():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.lif1 = nn.Linear(6, 10), Leaky()
            self.fc2, self.norm, self.lif2 = nn.Linear(10, 10), nn.BatchNorm1d(10), Leaky()
            self.short = nn.Linear(6, 10, bias=False)

        def forward(self, x):
            v1 = v2 = None
            out = torch.zeros(*x.shape[:2], 10)
            for t in range(len(x)):
                s1, v1 = self.lif1(self.fc1(x[t]), v1)
                current = self.norm(self.fc2(s1))
                current += s1 * 0.5 + self.short(x[t]) - s1 / 4
                s2, v2 = self.lif2(current, v2)
                out[t] += s2
            return out

    net, _ = converted(Net(), spikes(STEPS, SAMPLES, 6))
    assert sorted((p.source, p.target, type(p).__name__) for p in net.projections) == [
        ("input", "lif1", "Dense"), ("input", "lif2", "Dense"),
        ("lif1", "lif2", "Dense"), ("lif1", "lif2", "Sparse"),
    ]  # fmt: skip
    one_to_one = next(p for p in net.projections if type(p).__name__ == "Sparse")
    assert (one_to_one.weight == 0.25).all()


def test_writes_in_place():
    """Memory that is written into, through views as well, holds what was written last."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.lif1 = nn.Linear(6, 10), Keeping()
            self.fc2, self.lif2, self.unused = nn.Linear(10, 4), Keeping(), Keeping()

        def forward(self, x):
            kept, out = torch.ones(x.shape[1], 10), torch.empty(*x.shape[:2], 4)
            for t, part in enumerate(x):
                kept.copy_(self.lif1(self.fc1(part)))
                kept[:, 3:5] = kept[:, 5:7].clone()
                kept[:, 9] *= 0.5
                kept[:, 0].zero_()
                current = self.fc2(kept)
                current.sub_(0.25).neg_().mul_(-1.0)
                out[t] = self.lif2(current)
                kept.fill_(1.0)
            return out

    net, disc = converted(Net(), spikes(STEPS, SAMPLES, 6))
    assert "neurons unused: left out (the module did not call them)" in disc.notes
    assert len(net.projections) == 2


def test_one_tensor_through_another():
    """What is written into a view is written into the tensor, and into its other views."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.lif1 = nn.Linear(6, 8), Keeping()
            self.fc2, self.lif2 = nn.Linear(8, 4), Keeping()

        def forward(self, x):
            every = torch.zeros(*x.shape[:2], 8)
            out = torch.zeros(x.shape[1], x.shape[0], 4).transpose(0, 1)
            for t, part in enumerate(x):
                every[t].copy_(self.lif1(self.fc1(part)))
                flat = every.view(len(x), -1)
                every[t, :, 1:3].mul_(0.5).add_(0.25)
                every[t].T[4] += every[t, :, 5]
                flat[t, 7] = 0.0 * flat[t, 6]
                flat[t, 7::8] = flat[t, 6::8]
                out[t] = self.lif2(self.fc2(every[t]))
            return out

    net, _ = converted(Net(), spikes(STEPS, SAMPLES, 6))
    assert len(net.projections) == 2


def test_recurrence_in_the_loop():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.rec, self.lif = nn.Linear(6, 10), nn.Linear(10, 10), Leaky()

        def forward(self, x):
            s, v = torch.zeros(x.shape[1], 10), torch.zeros(x.shape[1], 10)
            out = []
            for part in x:
                s, v = self.lif(self.fc(part) + self.rec(s), v)
                out.append(s)
            return torch.stack(out)

    net, disc = converted(Net(), spikes(STEPS, SAMPLES, 6))
    assert sorted((p.source, p.delay) for p in net.projections) == [("input", 0.0), ("lif", DT)]
    assert disc.cells["lif"].feedback == "summed"


@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_recurrence_of_the_neurons(kind):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            back = nn.Linear(8, 8) if kind == "linear" else nn.Conv2d(2, 2, 3, padding=1)
            self.first = nn.Linear(6, 8) if kind == "linear" else nn.Conv2d(1, 2, 3, padding=1)
            self.lif = Recurrent(back)

        def forward(self, x):
            s = v = None
            for part in x:
                current = self.first(part)
                if s is None:
                    s = v = torch.zeros_like(current)
                s, v = self.lif(current, s, v)
            return s

    shape = (6,) if kind == "linear" else (1, 4, 4)
    net, disc = converted(Net(), spikes(STEPS, SAMPLES, *shape))
    assert {(p.source, p.target, p.delay) for p in net.projections} == {
        ("input", "lif", 0.0), ("lif", "lif", DT),
    }  # fmt: skip
    assert disc.cells["lif"].feedback == "apart"
    assert np.any(disc.cells["lif"].feedback_bias)


def test_recurrent_sequence_with_weights_of_its_own():
    module = nn.Sequential(RecurrentSequence(6, 10), nn.Linear(10, 4), Sequence())
    net, _ = converted(module, spikes(STEPS, SAMPLES, 6))
    assert {(p.source, p.target, p.delay) for p in net.projections} == {
        ("input", "0", 0.0), ("0", "0", DT), ("0", "2", 0.0),
    }  # fmt: skip


@pytest.mark.parametrize("how", ["steps", "sum", "mean", "running", "weighted mean"])
def test_readouts(how):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.lif, self.out = nn.Linear(6, 10), Sequence(), nn.Linear(10, 3)

        def forward(self, x):
            s = self.lif(self.fc(x))
            if how == "weighted mean":
                return self.out(s.mean(0)).softmax(-1)
            y = self.out(s)
            if how == "running":
                total = 0
                for part in y:
                    total = total + part
                return total
            return {"steps": y, "sum": y.sum(0), "mean": y.mean(0).log_softmax(-1)}[how]

    module = Net()
    x = spikes(STEPS, SAMPLES, 6)
    net, disc = converted(module, x)
    compared = next(note for note in disc.notes if note.startswith("readout: "))
    expected = {"steps": STEPS * SAMPLES * 3, "sum": SAMPLES * 3, "running": SAMPLES * 3}
    assert int(compared.split()[1]) == expected.get(how, 0)
    out = net["out"]
    assert (out.v_threshold, out.tau_mem) == (np.inf, np.inf)
    with torch.no_grad():
        total = module.out(module.lif(module.fc(x))).double().sum(0).numpy()
    potential = disc.run(net, x.numpy().transpose(1, 0, 2), record="potential")[:, -1]
    if how == "weighted mean":
        total = total / STEPS
    assert np.allclose(potential, total, atol=1e-5)
