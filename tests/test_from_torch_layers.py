"""From live PyTorch modules to networks: images, sums of several layers, recurrence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.madeup import Keeping, Leaky, Recurrent, RecurrentSequence, Sequence
from tests.torch_modules import DT, SAMPLES, STEPS, converted, spikes

pytestmark = pytest.mark.usefixtures("madeup")


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
