"""What from_torch refuses, and that it says where and why."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import eventsim as es
from eventsim.errors import InvalidType, InvalidValue, UnsupportedNetwork
from tests.madeup import Keeping, Leaky, Sequence

DT = 1e-3

pytestmark = pytest.mark.usefixtures("madeup")


class Surrogate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        return (v > 1).float()


class Foreign(nn.Module):
    """Neurons of a class that nobody knows."""

    def __init__(self, surrogate=True):
        super().__init__()
        self.surrogate = surrogate

    def forward(self, x):
        return Surrogate.apply(x) if self.surrogate else (x > 1).float()


class Two(nn.Module):
    """Two layers of neurons with something between them."""

    def __init__(self, between=None, sequence=True):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(6, 8), Sequence()
        self.fc2, self.lif2 = nn.Linear(8, 8, bias=False), Sequence()
        self.between = between
        with torch.no_grad():
            for fc in (self.fc1, self.fc2):
                fc.weight.copy_(torch.randint(-64, 192, fc.weight.shape) / 256)

    def forward(self, x):
        return self.lif2(self.fc2(self.between(self.lif1(self.fc1(x)))))


def x(*shape):
    return (torch.rand(*(shape or (7, 3, 6))) < 0.5).float()


def refused(module, *fragments, sample=None, error=UnsupportedNetwork, **options):
    with pytest.raises(error) as caught:
        es.from_torch(module, x() if sample is None else sample, dt=DT, **options)
    for fragment in fragments:
        assert fragment in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("between", "name"),
    [
        (lambda s: torch.relu(s - 0.5), "relu"),
        (lambda s: s * s, "mul"),
        (lambda s: (s > 0.5).float(), "gt"),
        (lambda s: torch.where(s > 0, s, -s), "gt"),
        (lambda s: s.cumsum(0), "cumsum"),
        (lambda s: F.dropout(s, 0.5, training=True), "dropout"),
        (lambda s: F.pad(s, (1, 0), value=1.0)[..., :8], "pad"),
        (lambda s: s.exp().reshape(s.shape), "exp"),
        (lambda s: s[torch.randint(0, 1, (7,)) == 0].sort(0).values, "sort"),
        (lambda s: s.round_(), "round_"),
    ],
)
def test_function_between(between, name):
    refused(Two(between), "lif2 (tests.Sequence): input", name, "in module (tests.Two)")


@pytest.mark.parametrize("surrogate", [True, False])
def test_neurons_of_another_package(surrogate):
    module = Two(nn.Sequential(nn.Linear(8, 8), Foreign(surrogate)))
    refused(module, "lif2 (tests.Sequence)", *(() if surrogate else ("between.1 (tests.Foreign)",)))


def test_layer_without_a_form():
    refused(Two(nn.LayerNorm(8)), "lif2", "layer_norm", "between (torch.LayerNorm)")


def test_no_neurons():
    refused(nn.Linear(6, 3), "neurons", "torch.Linear")
    refused(nn.Sequential(nn.Linear(6, 3), Foreign()), "neurons", "1 (tests.Foreign)")


def test_potential_that_goes_on():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lif1, self.fc, self.lif2 = Leaky(), nn.Linear(6, 6), Leaky()

        def forward(self, x):
            v1 = v2 = None
            for part in x:
                s, v1 = self.lif1(part, v1)
                s, v2 = self.lif2(self.fc(v1), v2)
            return s

    refused(Net(), "lif2", "state variable of 'lif1'")


def test_state_that_is_changed_between_steps():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lif = Leaky()

        def forward(self, x):
            v = torch.zeros(3, 6)
            for part in x:
                s, v = self.lif(part, v * 0.5)
            return s

    refused(Net(), "lif (tests.Leaky): state in call 1", "mul")


def test_state_that_is_not_zero_at_the_start():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lif = Leaky()

        def forward(self, x):
            v = torch.full((3, 6), 0.5)
            for part in x:
                s, v = self.lif(part, v)
            return s

    refused(Net(), "lif (tests.Leaky): state in call 0", "zeros")


def test_neurons_used_in_two_places():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lif = Keeping()

        def forward(self, x):
            return torch.stack([self.lif(self.lif(part)) for part in x])

    refused(Net(), "lif (tests.Keeping): calls", "a module of its own")


def test_input_that_changes_from_step_to_step():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.lif = nn.Linear(6, 5), nn.Linear(6, 5), Keeping()

        def forward(self, x):
            both = (self.a, self.b)
            return torch.stack([self.lif(both[k % 2](part)) for k, part in enumerate(x)])

    refused(Net(), "lif (tests.Keeping): input in step")


def test_noise():
    refused(Two(lambda s: s + torch.rand_like(s)), "lif2", "constant", "random generator")


def test_samples_that_mix():
    refused(Two(lambda s: s.flip(1)), "lif2", "samples")


def test_steps_from_the_future():
    refused(Two(lambda s: s.flip(0)), "lif2", "step")


def test_windows_over_the_edge():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lif1, self.pool, self.lif2 = Keeping(), nn.MaxPool2d(2, ceil_mode=True), Keeping()

        def forward(self, x):
            return torch.stack([self.lif2(self.pool(self.lif1(2 * part))) for part in x])

    refused(Net(), "pool (torch.MaxPool2d): ceil_mode", sample=x(7, 3, 1, 5, 5))


def test_max_pooling_of_weighted_spikes():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.pool, self.lif = nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), Keeping()

        def forward(self, x):
            return torch.stack([self.lif(self.pool(self.conv(part))) for part in x])

    refused(Net(), "lif (tests.Keeping)", "max_pool2d", sample=x(7, 3, 1, 6, 6))


def test_compiled():
    module = Two(nn.Identity())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that tracing is a thing of the past
        module.between = torch.jit.trace(nn.Linear(8, 8), torch.zeros(1, 8))
    refused(module, "between", "compiled")


def test_twin_that_differs():
    class Other(Sequence):
        def step(self, x, v):
            return super().step(x * 1.5, v)

    module = nn.Sequential(nn.Linear(6, 8), Other())
    with torch.no_grad():
        module[0].weight.copy_(torch.randint(-64, 192, (8, 6)) / 256)
    refused(module, "1 (tests.", "spikes", "twin", "neuron", "threshold")


def test_readout_that_differs():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.lif, self.out = nn.Linear(6, 8), Sequence(), nn.Linear(8, 2)

        def forward(self, x):
            y = self.out(self.lif(self.fc(x)))
            y.numpy()[0, 0, 0] += 1
            return y

    refused(Net(), "module: output[0, 0, 0]", "readouts ['out']")


def test_analog_steps_for_a_coarse_rule():
    class IF(nn.Module):
        __module__ = "spikingtorch.layers"
        v0 = 1.0

        def forward(self, x):
            v, out = torch.zeros_like(x[0]), []
            for part in x:
                v = v * (v <= 1) + part
                out.append((v > 1).float())
            return torch.stack(out)

    refused(IF(), "calls", "run='step'")
    refused(nn.Sequential(IF()), "sample_input", "0 and 1", sample=torch.rand(1, 3, 6))


def test_spikes_that_are_none():
    class Half(Sequence):
        def forward(self, x):
            return super().forward(x) * 0.5

    refused(nn.Sequential(nn.Linear(6, 8), Half()), "expected spikes of 0 and 1", "0.5")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"dt": 0.0}, InvalidValue),
        ({"dt": "a"}, InvalidType),
        ({"decay": "half"}, InvalidValue),
        ({"accept": ("everything",)}, InvalidValue),
        ({"run": "twice"}, InvalidType),
        ({"run": 0}, InvalidValue),
        ({"time_axis": 5}, InvalidValue),
        ({"encoder": "none"}, InvalidValue),
    ],
)
def test_options(options, error):
    with pytest.raises(error):
        es.from_torch(Two(nn.Identity()), x(), **{"dt": DT, **options})


@pytest.mark.parametrize(
    ("module", "sample", "error"),
    [
        (3, torch.ones(2, 2), InvalidType),
        (lambda: 3, torch.ones(2, 2), InvalidType),
        (lambda: Two(nn.Identity()), "spikes", InvalidType),
        (lambda: Two(nn.Identity()), torch.ones(()), InvalidValue),
        (lambda: Two(nn.Identity()), torch.full((7, 3, 6), np.nan), InvalidValue),
    ],
)
def test_arguments(module, sample, error):
    with pytest.raises(error):
        es.from_torch(module, sample, dt=DT)


def test_wrong_axes():
    refused(Two(nn.Identity()), "time_axis", sample=x(7, 3, 6), time_axis=1, batch_axis=0)


def test_the_module_is_as_before():
    module = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), Keeping(), nn.Linear(8, 3))
    module.train()
    module[2].v = torch.ones(3, 8)
    kept = {name: value.clone() for name, value in module.state_dict().items()}
    hooks = [len(part._forward_hooks) for part in module.modules()]
    es.from_torch(module, x(), dt=DT, run="step")
    assert module.training
    assert all(part.training for part in module.modules())
    assert torch.equal(module[2].v, torch.ones(3, 8))
    assert all(torch.equal(kept[name], value) for name, value in module.state_dict().items())
    assert hooks == [len(part._forward_hooks) for part in module.modules()]
    assert all(weight.requires_grad for weight in module.parameters())
