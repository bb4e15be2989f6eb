"""Live modules of spikingtorch: the twin of what from_torch makes of them, against the modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from spikingtorch import SpikingNet
from spikingtorch.layers import IF, LIF, CoarseLIF, McPitts, SpikingLayer
from torch import nn

from eventsim import from_torch
from eventsim.errors import UnsupportedNetwork

DT = 1e-3
#: No sum of dyadic weights meets it; at the threshold these neurons give half a spike.
THRESHOLD = 1.0 + 2.0**-13
KINDS: dict[str, Any] = {
    "CoarseLIF": lambda tau: CoarseLIF(tau, v0=THRESHOLD),
    "SpikingLayer": lambda tau: SpikingLayer(tau, v0=THRESHOLD),
    "LIF": lambda tau: LIF(tau, v0=THRESHOLD),
    "LIF decay": lambda tau: LIF(decay=1 - 1 / (tau + 1), v0=THRESHOLD),
    "IF": lambda tau: IF(v0=THRESHOLD),
    "McPitts": lambda tau: McPitts(THRESHOLD - 0.5),
}


class Dense(nn.Module):
    """Two layers; ``init`` says which step is the first."""

    def __init__(self, kind: str, tau: float) -> None:
        super().__init__()
        self.kind = kind
        self.fc1, self.lif1 = nn.Linear(12, 20), KINDS[kind](tau)
        self.fc2, self.lif2 = nn.Linear(20, 5, bias=False), KINDS[kind](tau)

    def neurons(self, layer: nn.Module, x: Any, init: bool) -> Any:
        return layer(x) if self.kind == "McPitts" else layer(x, init)

    def forward(self, x: Any, init: bool) -> Any:
        s = self.neurons(self.lif1, self.fc1(x), init)
        return self.neurons(self.lif2, self.fc2(s), init)


class Images(nn.Module):
    """Convolution, max pooling of spikes, and a linear layer."""

    def __init__(self, tau: float) -> None:
        super().__init__()
        self.conv, self.lif1 = nn.Conv2d(1, 4, 3, padding=1), CoarseLIF(tau, v0=THRESHOLD)
        self.pool, self.flat = nn.MaxPool2d(2), nn.Flatten()
        self.fc, self.lif2 = nn.Linear(64, 5), CoarseLIF(tau, v0=THRESHOLD)

    def forward(self, x: Any, init: bool) -> Any:
        s = self.pool(self.lif1(self.conv(x), init))
        return self.lif2(self.fc(self.flat(s)), init)


class Loop(nn.Module):
    """SpikingNet of the package keeps an axis of one step; this one does not."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Any) -> Any:
        return torch.stack([self.net(x[:, t], t == 0) for t in range(x.shape[1])], 1)


def dyadic(module: nn.Module, seed: int) -> nn.Module:
    rng = np.random.default_rng(seed)
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            strength = 900 / part.weight[0].numel() ** 0.5
            for tensor in part.parameters():
                values = rng.integers(int(-0.4 * strength), int(strength), tuple(tensor.shape))
                tensor.data = torch.tensor(values / 256, dtype=torch.float32)
    return module


def spikes(seed: int, *shape: int) -> Any:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.4).float()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_twin(kind: str, seed: int) -> None:
    """The twin of a module, made with one input, gives the module's spikes for others."""
    module = Loop(dyadic(Dense(kind, tau=2.0 + seed), seed))
    net, disc = from_torch(module, spikes(seed, 2, 10, 12), dt=DT)
    x = spikes(seed + 100, 5, 40, 12)
    with torch.no_grad():
        theirs = module(x).numpy()
    assert theirs.any()
    assert np.array_equal(disc.run(net, x.numpy(), dtype=np.float32), theirs)


@pytest.mark.parametrize("seed", range(3))
def test_images(seed: int) -> None:
    module = Loop(dyadic(Images(3.0 + seed), seed))
    net, disc = from_torch(module, spikes(seed, 2, 8, 1, 8, 8), dt=DT)
    assert net["net.lif1"].shape == (4, 8, 8)
    x = spikes(seed + 100, 3, 20, 1, 8, 8)
    with torch.no_grad():
        theirs = module(x).numpy()
    assert theirs.any()
    ours = disc.run(net, x.numpy().reshape(3, 20, 64), dtype=np.float32)
    assert np.array_equal(ours, theirs)


def test_net_of_the_package() -> None:
    """Its SpikingNet cuts steps out with an axis of their own, and writes into an array."""
    module = dyadic(SpikingNet(Dense("CoarseLIF", 4.0), (1, 5)), 7)
    module.Nout = (1, 5)
    x = spikes(7, 1, 10, 12)
    net, disc = from_torch(module, x, dt=DT)
    with torch.no_grad():
        theirs = module(x).numpy()[:, :, 0]
    assert np.array_equal(disc.run(net, x.numpy(), dtype=np.float32), theirs)


def test_half_a_spike() -> None:
    module = Loop(dyadic(Dense("IF", 4.0), 1))
    for part in (module.net.lif1, module.net.lif2):  # type: ignore[union-attr]
        part.v0 = 1.0  # type: ignore[union-attr]
    with pytest.raises(UnsupportedNetwork, match=r"net\.lif1 \(spikingtorch\.IF\): output.*0\.5"):
        from_torch(module, spikes(3, 4, 60, 12), dt=DT)
