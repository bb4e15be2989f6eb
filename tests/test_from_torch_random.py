"""Random modules: whatever layers follow each other, the twin gives their spikes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import eventsim as es
from tests.madeup import Leaky, Recurrent, Sequence

DT = 1e-3
STEPS, SAMPLES = 9, 2

pytestmark = pytest.mark.usefixtures("madeup")


class Mean(nn.Module):
    """Average over the image, by a method of tensors."""

    def forward(self, x):
        return x.mean((2, 3), keepdim=True)


class Branches(nn.Module):
    """The sum of two convolutions and of what they read."""

    def __init__(self, channels):
        super().__init__()
        self.a = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.b = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x):
        y = self.a(x)
        y += self.b(x) * 0.5
        return x + y


def image_layers(rng, channels, size):
    """Some linear layers on images [channel, size, size], with their number of channels."""
    found, out = [], int(rng.integers(1, 5))
    kind = str(rng.choice(["same", "stride", "valid", "branches", "dilated", "even"]))
    kind = "same" if size < 4 else kind
    found.append(
        {
            "same": lambda: nn.Conv2d(channels, out, 3, padding="same", bias=bool(rng.integers(2))),
            "stride": lambda: nn.Conv2d(channels, out, 3, stride=2, padding=1),
            "valid": lambda: nn.Conv2d(channels, out, (2, 1), padding="valid"),
            "branches": lambda: Branches(channels),
            "dilated": lambda: nn.Conv2d(channels, out, 3, dilation=2, padding=2),
            "even": lambda: nn.Conv2d(channels, out, (2, 4), padding="same"),
        }[kind]()
    )
    channels = channels if kind == "branches" else out
    if rng.integers(2):
        found.append(nn.BatchNorm2d(channels))
    if rng.integers(2):
        found.append(nn.Dropout2d(0.5))
    pool = str(rng.choice(["none", "average", "overlapping", "adaptive", "mean"]))
    if pool == "average" and size >= 6:
        found.append(nn.AvgPool2d(2))
    if pool == "overlapping" and size >= 6:
        found.append(nn.AvgPool2d(3, 2, 1))
    if pool == "adaptive":
        found.append(nn.AdaptiveAvgPool2d(1))
    if pool == "mean":
        found.append(Mean())
    return found, channels


class Stack(nn.Module):
    """Images first, then vectors; layers of neurons of one kind between them."""

    def __init__(self, rng, sequence):
        super().__init__()
        self.sequence, self.parts = sequence, nn.ModuleList()
        channels, x = 2, torch.zeros(1, 2, 8, 8)
        for _ in range(int(rng.integers(1, 4))):
            layers, channels = image_layers(rng, channels, min(x.shape[2:]))
            if min(x.shape[2:]) >= 4 and len(self.parts) and rng.integers(2):
                layers.insert(0, nn.MaxPool2d(2))
            self.parts += [nn.Sequential(*layers), self.neurons(rng)]
            x = self.parts[-2].eval()(x)
        self.parts.append(nn.Flatten())
        n = x.numel()
        for _ in range(int(rng.integers(1, 3))):
            m = int(rng.integers(2, 8))
            self.parts += [nn.Sequential(nn.Linear(n, m), nn.BatchNorm1d(m)), self.neurons(rng, m)]
            n = m
        self.readout = nn.Linear(n, 3)

    def neurons(self, rng, n=None):
        beta = float(rng.choice([0.5, 0.75, 1.0]))
        if self.sequence:
            return Sequence(beta)
        return Recurrent(nn.Linear(n, n), beta) if n and rng.integers(2) else Leaky(beta)

    def forward(self, x):
        if self.sequence:
            return self.at_once(x)
        states, out = [None] * len(self.parts), []
        for step in x:
            for k, part in enumerate(self.parts):
                if isinstance(part, Recurrent):
                    before = states[k] or (torch.zeros_like(step), torch.zeros_like(step))
                    states[k] = part(step, *before)
                    step = states[k][0]
                elif isinstance(part, Leaky):
                    step, states[k] = part(step, states[k])
                else:
                    step = part(step)
            out.append(self.readout(step))
        return torch.stack(out)

    def at_once(self, x):
        for part in self.parts:
            if isinstance(part, Sequence):
                x = part(x)
            else:
                x = part(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.readout(x)


def dyadic(module, rng):
    """Weights for which all sums are exact, in both precisions."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            shape = part.running_mean.shape
            part.running_mean = torch.from_numpy(rng.integers(-32, 32, shape) / 64)
            part.running_var = torch.from_numpy(4.0 ** rng.integers(-1, 1, shape))
            part.eps = 0.0
    for weight in module.parameters():
        fan = weight[0].numel() if weight.dim() > 1 else 4
        strength = int(400 / fan**0.5)
        values = rng.integers(-strength // 3, strength, tuple(weight.shape))
        weight.data = torch.from_numpy(values / 64)
    return module


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_random_module(seed, sequence):
    rng = np.random.default_rng((seed, sequence))
    torch.manual_seed(seed)
    dtype = (torch.float64, torch.float32)[seed % 2]
    module = dyadic(Stack(rng, sequence), rng).to(dtype)
    x = torch.from_numpy(rng.random((STEPS, SAMPLES, 2, 8, 8)) < 0.4).to(dtype)
    net, disc = es.from_torch(module, x, dt=DT)
    assert disc.dtype == str(dtype).removeprefix("torch.")
    notes = {note.partition(":")[0]: note for note in disc.notes}
    assert int(notes["comparison with the module"].split()[4]) > 0
    assert f"readout: {STEPS * SAMPLES * 3} of" in notes["readout"]
    n_neurons = sum(isinstance(part, Leaky) for part in module.modules())
    assert len(net.populations) == 2 + n_neurons + sum(
        isinstance(part, nn.MaxPool2d) for part in module.modules()
    )
    x = torch.from_numpy(rng.random((15, 3, 2, 8, 8)) < 0.5).to(dtype)
    with torch.no_grad():
        theirs = module.eval()(x).sum(0)
    ours = disc.run(net, x.numpy().transpose(1, 0, 2, 3, 4).reshape(3, 15, 128), layers=True,
                    record="potential")["readout"][:, -1]  # fmt: skip
    if "rounding" not in notes:
        assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-3)
