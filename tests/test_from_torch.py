"""From live PyTorch modules to networks: the ways in which people write them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.madeup import Keeping, Leaky, Sequence, Squeezed
from tests.torch_modules import DT, SAMPLES, STEPS, converted, spikes

pytestmark = pytest.mark.usefixtures("madeup")


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
