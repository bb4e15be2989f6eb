"""Live modules of snnTorch: the twin of what from_torch makes of them, against the modules."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import snntorch
import torch
from snntorch import surrogate
from torch import nn

from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules import from_torch
from tests.frameworks.comparing import assert_same, by_sample, differences, inputs, roundings, twin
from tests.frameworks.drawn import dyadic
from tests.frameworks.record_snntorch import KINDS, MECHANISMS

DT = 1e-3
STEPS, SAMPLES = 30, 4


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def dyadic_(module: nn.Module, rng: np.random.Generator, low: int = -100, high: int = 180) -> None:
    """Weights whose sums are exact in any order."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            for tensor in part.parameters():
                values = dyadic(rng, tuple(tensor.shape), low, high)
                tensor.data = torch.tensor(values, dtype=torch.float32)


class Stack(nn.Module):
    """Linear layers and neurons in turn, with states that are passed or hidden."""

    def __init__(self, rng: np.random.Generator, hidden: bool, dyadic: bool) -> None:
        super().__init__()
        sizes = rng.integers(3, 9, 4)
        self.hidden = hidden
        self.linear, self.neurons = nn.ModuleList(), nn.ModuleList()
        for n_in, n in zip(sizes, sizes[1:], strict=False):
            kind = KINDS[rng.integers(4)]
            options: dict[str, Any] = {
                "reset_mechanism": MECHANISMS[rng.integers(2)],
                "reset_delay": bool(rng.integers(2)) or (hidden and kind == "RSynaptic"),
                "init_hidden": hidden,
                "output": bool(rng.integers(2)),
                "learn_beta": bool(rng.integers(2)),
                "learn_threshold": bool(rng.integers(2)),
                "threshold": float(rng.uniform(0.5, 1.5)),
                "spike_grad": surrogate.fast_sigmoid(),
            }
            if kind.startswith("R") and rng.integers(2):
                options |= {"all_to_all": False, "V": torch.tensor(rng.integers(-9, 9, n) / 8.0)}
                options["V"] = options["V"].float()
            elif kind.startswith("R"):
                options["linear_features"] = int(n)
            rates = torch.tensor(rng.uniform(0.05, 1.0, (2, n)), dtype=torch.float32)
            if rng.integers(2):
                rates = rates[:, 0]
            rates = rates[: 1 + ("Synaptic" in kind)]
            self.neurons.append(getattr(snntorch, kind)(*rates, **options))
            self.linear.append(nn.Linear(int(n_in), int(n), bias=bool(rng.integers(2))))
        if dyadic:
            dyadic_(self, rng)
        else:
            for layer in self.linear:
                layer.weight.data *= 4

    def forward(self, x: Any) -> Any:
        for neurons in self.neurons:
            neurons.reset_mem()
        zeros = [
            {"Leaky": 1, "Synaptic": 2, "RLeaky": 2, "RSynaptic": 3}[type(m).__name__]
            * (torch.zeros(x.shape[1], m_in.out_features),)
            for m, m_in in zip(self.neurons, self.linear, strict=True)
        ]
        states: list[Any] = zeros
        outputs = []
        for step in range(len(x)):
            signal = x[step]
            for k, (linear, neurons) in enumerate(zip(self.linear, self.neurons, strict=True)):
                if self.hidden:
                    out = neurons(linear(signal))
                    signal = out[0] if isinstance(out, tuple) else out
                else:
                    out = neurons(linear(signal), *states[k])
                    signal = out[0]
                    states[k] = out if hasattr(neurons, "recurrent") else out[1:]
            outputs.append(signal)
        return torch.stack(outputs)


@torch.no_grad()
def observed(net: nn.Module, x: Any, run: Any = None) -> dict[str, tuple[Any, Any]]:
    """Spikes and membranes [sample, step, n] of all neurons by path."""
    seen: dict[str, list[Any]] = {}
    handles = []
    for path, part in net.named_modules():
        if isinstance(part, snntorch.SpikingNeuron):

            def note(module: Any, _: Any, out: Any, path: str = path) -> None:
                spikes = out[0] if isinstance(out, tuple) else out
                seen.setdefault(path, []).append((spikes.numpy(), module.mem.numpy().copy()))

            handles.append(part.register_forward_hook(note))
    (run or (lambda net, x: net(x)))(net, x)
    for handle in handles:
        handle.remove()
    flat = (len(x[0]), len(x), -1)
    return {
        path: tuple(np.stack(parts, 1).reshape(flat) for parts in zip(*calls, strict=True))
        for path, calls in seen.items()
    }  # type: ignore[misc]


def compare(net: nn.Module, made: Any, x: Any, run: Any = None) -> int:
    """All spikes of all layers, and all membranes bit for bit; the number of spikes."""
    return assert_same(observed(net, x, run), made, by_sample(x))


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_dyadic_networks(seed: int, hidden: bool) -> None:
    """On other inputs than those of from_torch: spike for spike, and membranes bit for bit."""
    net = Stack(np.random.default_rng(seed), hidden, dyadic=True)
    n = net.linear[0].in_features
    made = from_torch(net, inputs((STEPS, SAMPLES, n), 1), dt=DT)
    assert compare(net, made, inputs((STEPS, SAMPLES, n), 2)) > 20


@pytest.mark.parametrize("seed", range(12))
def test_free_weights(seed: int) -> None:
    """Where a spike differs, its potential is at the threshold within a few roundings."""
    net = Stack(np.random.default_rng(100 + seed), False, dyadic=False)
    x = inputs((STEPS, 16, net.linear[0].in_features), seed)
    made = from_torch(net, x, dt=DT)
    spikes, v = twin(made, by_sample(x))
    theirs = observed(net, x)
    for path, sample, step, wrong in differences(theirs, spikes):
        margin = np.abs(v[path][sample, step] - made[0][path].array("v_threshold"))
        largest = np.abs(theirs[path][1][sample, : step + 1]).max()
        assert (margin[wrong] < roundings(16, largest)).all()
    assert sum(s.sum() for s in spikes.values()) > 100


def image_stack(rng: np.random.Generator) -> nn.Sequential:
    """Convolutions, with a factor for each channel and a recurrent convolution."""
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        snntorch.Leaky(torch.tensor([[[0.3]], [[0.5]], [[0.7]], [[0.9]]]), init_hidden=True),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1, stride=2),
        snntorch.RLeaky(0.8, conv2d_channels=4, kernel_size=3, init_hidden=True),
        nn.Flatten(),
        nn.Linear(16, 5),
        snntorch.Synaptic(0.5, 0.75, init_hidden=True, output=True),
    )
    dyadic_(net, rng, -60, 70)
    return net


def test_images() -> None:
    net = image_stack(np.random.default_rng(3))
    shape = (STEPS, SAMPLES, 1, 8, 8)
    made = from_torch(net, inputs(shape, 1), dt=DT, run="step")
    assert made[0]["1"].shape == (4, 8, 8)

    def steps(net: Any, x: Any) -> None:
        for part in net:
            if isinstance(part, snntorch.SpikingNeuron):
                part.reset_mem()
        for step in x:
            net(step)

    assert compare(net, made, inputs(shape, 2), run=steps) > 300


def small(**options: Any) -> nn.Sequential:
    neurons = snntorch.Leaky(**{"beta": 0.5, "init_hidden": True, **options})
    linear = nn.Linear(3, 4)
    linear.weight.data.fill_(0.75)  # strong enough to spike
    return nn.Sequential(linear, neurons)


def load(net: nn.Module) -> Any:
    return from_torch(net, inputs((STEPS, SAMPLES, 3), 0), dt=DT, run="step")


def test_graded_spikes_go_into_the_weights() -> None:
    graded = snntorch.Leaky(0.5, init_hidden=True, graded_spikes_factor=-0.5, reset_delay=False)
    out = snntorch.Leaky(0.75, init_hidden=True)
    net = nn.Sequential(nn.Linear(3, 4), graded, nn.Linear(4, 2), out)
    dyadic_(net, np.random.default_rng(0), -100, 300)
    net[2].weight.data *= -1
    network, disc = load(net)
    np.testing.assert_array_equal(
        network.projections[1].weight, -0.5 * net[2].weight.data.numpy().T
    )
    assert disc.cells["3"].leak == 0.75


def test_a_module_does_what_it_was_built_to_do() -> None:
    """Neither a mechanism set later nor one from a checkpoint changes a reset in the next step."""
    net = small()
    net[1].reset_mechanism = "zero"
    assert load(net)[1].cells["1"].reset == "subtract"
    loaded = small()
    loaded.load_state_dict(small(reset_mechanism="zero").state_dict())
    assert load(loaded)[1].cells["1"].reset == "subtract"
    assert load(copy.deepcopy(small(reset_mechanism="zero")))[1].cells["1"].reset == "value"
    with pytest.raises(UnsupportedNetwork, match=r"1 \(snntorch.Leaky\): reset_mechanism"):
        net[1].reset_delay = False
        load(net)


def test_rsynaptic_resets_in_the_next_step_whatever_it_is_told() -> None:
    net = Stack(np.random.default_rng(0), False, dyadic=True)
    for k, neurons in enumerate(net.neurons):
        n = net.linear[k].out_features
        net.neurons[k] = snntorch.RSynaptic(0.5, 0.75, linear_features=n, reset_delay=False)
        assert neurons is not net.neurons[k]
    dyadic_(net, np.random.default_rng(1))
    n = net.linear[0].in_features
    made = from_torch(net, inputs((STEPS, SAMPLES, n), 1), dt=DT)
    assert made[1].cells["neurons.0"].reset_time == "next"
    assert compare(net, made, inputs((STEPS, SAMPLES, n), 2)) > 100


class Regression(nn.Module):
    """Reads the membranes of its last neurons, which are never reset."""

    def __init__(self, last: Any, returned: str = "membranes") -> None:
        super().__init__()
        self.fc1, self.lif = nn.Linear(5, 8), snntorch.Leaky(0.75)
        self.fc2, self.out, self.returned = nn.Linear(8, 3), last, returned

    def forward(self, x: Any) -> Any:
        v, states = self.lif.reset_mem(), self.out.reset_mem()
        states = states if isinstance(states, tuple) else (states,)
        membranes, spikes = [], []
        for step in x:
            s, v = self.lif(self.fc1(step), v)
            if self.out.init_hidden:
                s = self.out(self.fc2(s))
                membranes.append(self.out.mem)
            else:
                s, *states = self.out(self.fc2(s), *states)
                membranes.append(states[-1])
            spikes.append(s)
        both = {"membranes": torch.stack(membranes), "spikes": torch.stack(spikes)}
        return both if self.returned == "both" else both[self.returned]


@pytest.mark.parametrize("returned", ["membranes", "both"])
@pytest.mark.parametrize(
    "last",
    [
        lambda: snntorch.Leaky(0.75, reset_mechanism="none"),
        lambda: snntorch.Leaky(0.75, reset_mechanism="none", init_hidden=True),
        lambda: snntorch.Leaky(1.0, reset_mechanism="none", reset_delay=False),
        lambda: snntorch.Synaptic(0.5, 0.75, reset_mechanism="none"),
    ],
)
def test_membranes_that_are_never_reset(last: Any, returned: str) -> None:
    """As the last layer they are a readout; potentials are equal bit for bit."""
    net = Regression(last(), returned)
    dyadic_(net, np.random.default_rng(0), -60, 140)
    network, disc = from_torch(net, inputs((STEPS, SAMPLES, 5), 1), dt=DT)
    assert np.isinf(network["out"].v_threshold)
    told = [note for note in disc.notes if note.startswith("returned spikes of out: left out")]
    assert len(told) == (returned == "both")
    x = inputs((STEPS, SAMPLES, 5), 2)
    with torch.no_grad():
        theirs = net(x)
    theirs = (theirs["membranes"] if returned == "both" else theirs).numpy().swapaxes(0, 1)
    v = disc.run(network, x.numpy().swapaxes(0, 1), layers=True, record="potential")["out"]
    np.testing.assert_array_equal(v, theirs)


def test_spikes_that_are_never_reset() -> None:
    """Where the spikes are what is read there has to be a reset."""
    net = Regression(snntorch.Leaky(0.75, reset_mechanism="none"), "spikes")
    dyadic_(net, np.random.default_rng(0), -60, 140)
    x = inputs((STEPS, SAMPLES, 5), 1)
    with pytest.raises(UnsupportedNetwork, match=r"^out \(snntorch.Leaky\): reset: .* membrane"):
        from_torch(net, x, dt=DT)
    network, _ = from_torch(net, x, dt=DT, reset="subtract")
    assert network["out"].reset == "subtract"


class Own(snntorch.Leaky):
    def forward(self, x: Any, mem: Any = None) -> Any:
        return super().forward(2 * x, mem)


@pytest.mark.parametrize(
    "net, message",
    [
        (small(state_quant=lambda v: v.round()), "state_quant: expected none"),
        (small(spike_grad=torch.sigmoid), "spike_grad: expected a function that gives 1 above 0"),
        (small(spike_grad=lambda v: (v >= 0).float()), "spike_grad: expected a function that"),
        (small(beta=torch.rand(SAMPLES, 1)), "beta: expected one number, or some that fit .*4"),
        (small(beta=torch.rand(4).double()), "beta: expected torch.float32"),
        (small(threshold=-1.0), "threshold: expected numbers >= 0"),
        (small(graded_spikes_factor=torch.rand(4)), "graded_spikes_factor: expected one number"),
        (
            nn.Sequential(nn.Linear(3, 4), snntorch.Lapicque(0.9, init_hidden=True)),
            "type: expected .* it is Leaky with beta = 1 - time_step",
        ),
        (small(reset_mechanism="none"), "reset: expected 'value' or 'subtract'"),
        (small(beta=0.0), "leak: expected a decay per step above 0"),
        (nn.Sequential(nn.Linear(3, 4), Own(0.5, init_hidden=True)), "forward: expected the one"),
        (
            nn.Sequential(nn.Linear(3, 4), snntorch.Alpha(0.9, 0.8, init_hidden=True)),
            "type: expected one of Leaky, RLeaky, Synaptic, RSynaptic.* train with Synaptic",
        ),
    ],
)
def test_refusals(net: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedNetwork, match=rf"^1 \(.*\): .*{message}"):
        load(net)


@pytest.mark.parametrize(
    "name", ["atan", "SSO", "SFS", "sigmoid", "spike_rate_escape", "heaviside"]
)
def test_surrogates(name: str) -> None:
    """Their gradients differ, and their spikes do not."""
    assert load(small(spike_grad=getattr(surrogate, name)()))[1].cells["1"].leak == 0.5
    assert load(small(surrogate_disable=True))[1].cells["1"].leak == 0.5


@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
def test_inhibition_is_refused() -> None:
    with pytest.raises(UnsupportedNetwork, match=r"1 \(snntorch.Leaky\): inhibition: expected F"):
        load(small(inhibition=True))


def test_double_thresholds() -> None:
    """A float64 threshold is rounded where it is subtracted, and not where it is tested."""
    net = small(threshold=torch.tensor(0.7, dtype=torch.float64)).double()
    x = inputs((STEPS, SAMPLES, 3), 0).double()
    with pytest.raises(UnsupportedNetwork, match="threshold: expected a float32 number"):
        from_torch(net, x, dt=DT, run="step")
    net[1].threshold.data = net[1].threshold.float().double()
    assert from_torch(net, x, dt=DT, run="step")[1].dtype == "float64"
