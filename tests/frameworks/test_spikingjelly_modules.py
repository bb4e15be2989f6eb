"""Live modules of SpikingJelly: the twin of what from_torch makes of them, against the modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import nn

from eventsim import from_torch
from eventsim.errors import UnsupportedNetwork
from tests.frameworks.comparing import assert_same, by_sample, differences, inputs, roundings, twin
from tests.frameworks.drawn import dyadic
from tests.frameworks.record_spikingjelly import NODES

DT = 1e-3
STEPS, SAMPLES = 40, 4


def node(rng: np.random.Generator, kind: str) -> Any:
    """A node with random parameters."""
    options: dict[str, Any] = {
        "v_threshold": float(rng.uniform(0.4, 1.2)),
        "v_reset": None if rng.integers(2) else float(rng.uniform(-0.5, 0.2)),
        "surrogate_function": (surrogate.ATan(), surrogate.Sigmoid())[rng.integers(2)],
        "detach_reset": bool(rng.integers(2)),
    }
    if kind != "IFNode":
        options["decay_input"] = bool(rng.integers(2))
        name = "tau" if kind == "LIFNode" else "init_tau"
        options[name] = float(rng.uniform(1.2, 5.0))
    return getattr(neuron, kind)(**options)


def set_weights(net: nn.Module, rng: np.random.Generator, exact: bool) -> None:
    """Dyadic weights, whose sums are exact, or free ones; stronger where nodes divide them."""
    parts = list(net.modules())
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        if not isinstance(part, nn.Linear | nn.Conv2d):
            continue
        strength = 3 if getattr(after, "decay_input", False) else 1
        for tensor in part.parameters():
            values = dyadic(rng, tuple(tensor.shape), -60 * strength, 130 * strength)
            if not exact:
                values = strength * rng.uniform(-0.3, 0.6, tuple(tensor.shape))
            tensor.data = torch.tensor(values, dtype=torch.float32)


def stack(rng: np.random.Generator, exact: bool) -> tuple[nn.Sequential, int]:
    """Linear layers and nodes in turn."""
    sizes = rng.integers(3, 9, 4)
    parts: list[nn.Module] = []
    for n_in, n in zip(sizes, sizes[1:], strict=False):
        parts.append(layer.Linear(int(n_in), int(n), bias=bool(rng.integers(2))))
        parts.append(node(rng, str(rng.choice(list(NODES)))))
    net = nn.Sequential(*parts)
    set_weights(net, rng, exact)
    return net, int(sizes[0])


@torch.no_grad()
def observed(net: nn.Module, x: Any) -> dict[str, tuple[Any, Any]]:
    """Spikes and membranes [sample, step, n] of all nodes by path, one step after the other."""
    functional.set_step_mode(net, "s")
    functional.reset_net(net)
    nodes = {path: m for path, m in net.named_modules() if isinstance(m, neuron.BaseNode)}
    spikes: dict[str, list[Any]] = {path: [] for path in nodes}
    v: dict[str, list[Any]] = {path: [] for path in nodes}
    handles = [
        m.register_forward_hook(lambda m, _, out, path=path: spikes[path].append(out.numpy()))
        for path, m in nodes.items()
    ]
    for step in x:
        net(step)
        for path, m in nodes.items():
            v[path].append(m.v.numpy().copy())
    for handle in handles:
        handle.remove()
    functional.reset_net(net)
    flat = (x.shape[1], len(x), -1)
    return {
        path: (np.stack(spikes[path], 1).reshape(flat), np.stack(v[path], 1).reshape(flat))
        for path in nodes
    }


def compare(net: Any, made: Any, x: Any) -> int:
    """All spikes of all layers, and all membranes bit for bit; the number of spikes."""
    return assert_same(observed(net, x), made, by_sample(x))


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("seed", range(12))
def test_dyadic_networks(seed: int, mode: str) -> None:
    """On other inputs than those of from_torch: spike for spike, and membranes bit for bit."""
    net, n = stack(np.random.default_rng(seed), exact=True)
    functional.set_step_mode(net, mode)
    run = "step" if mode == "s" else None
    made = from_torch(net, inputs((STEPS, SAMPLES, n), 1), dt=DT, run=run)
    assert compare(net, made, inputs((STEPS, SAMPLES, n), 2)) > 20


@pytest.mark.parametrize("seed", range(8))
def test_free_weights(seed: int) -> None:
    """Where a spike differs, its potential is at the threshold within a few roundings."""
    net, n = stack(np.random.default_rng(100 + seed), exact=False)
    functional.set_step_mode(net, "m")
    x = inputs((STEPS, 16, n), seed)
    made = from_torch(net, x, dt=DT)
    spikes, v = twin(made, by_sample(x))
    theirs = observed(net, x)
    for path, sample, step, wrong in differences(theirs, spikes):
        theta = made[0][path].array("v_threshold")[wrong]
        # the potential of whichever of both has not been reset
        both = np.stack([v[path][sample, step], theirs[path][1][sample, step]])[:, wrong]
        assert (np.abs(both - theta).min(axis=0) < roundings(64, theta)).all()
    assert sum(s.sum() for s in spikes.values()) > 100


def images(rng: np.random.Generator) -> nn.Sequential:
    """Layers that the package derives from torch's, and a container around torch's own."""
    norm = layer.BatchNorm2d(4)
    norm.running_mean.data = torch.tensor([0.25, -0.5, 0.0, 0.125])
    norm.running_var.data = torch.full((4,), 0.25 - norm.eps)
    net = nn.Sequential(
        layer.Conv2d(1, 4, 3, padding=1, bias=False),
        norm,
        neuron.ParametricLIFNode(decay_input=False, v_reset=None),
        layer.MaxPool2d(2),
        layer.Dropout(0.5),
        layer.Conv2d(4, 4, 3),
        neuron.IFNode(v_reset=None),
        layer.Flatten(),
        layer.Linear(4, 5),
        neuron.LIFNode(tau=4.0, v_reset=-0.25),
    )
    set_weights(net, rng, exact=True)
    return net


@pytest.mark.parametrize("mode", ["s", "m"])
def test_images(mode: str) -> None:
    """Spikes of all nodes; a folded batch norm rounds the weights, so membranes are close only."""
    net = images(np.random.default_rng(1))
    functional.set_step_mode(net, mode)
    x = inputs((STEPS, SAMPLES, 1, 6, 6), 1)
    network, disc = from_torch(net, x, dt=DT, run="step" if mode == "s" else None)
    theirs = observed(net.eval(), x)
    given = x.flatten(2).numpy().swapaxes(0, 1)
    spikes = disc.run(network, given, layers=True)
    for path, (s, _) in theirs.items():
        np.testing.assert_array_equal(spikes[path], s)
        assert s.any()


def test_container() -> None:
    """SeqToANNContainer puts steps and samples together for layers of torch."""
    net = nn.Sequential(
        layer.SeqToANNContainer(nn.Conv2d(1, 3, 3), nn.AvgPool2d(2)),
        neuron.IFNode(step_mode="m", v_threshold=0.5),
    )
    set_weights(net, np.random.default_rng(0), exact=True)
    x = inputs((STEPS, SAMPLES, 1, 6, 6), 1)
    network, disc = from_torch(net, x, dt=DT)
    with torch.no_grad():
        theirs = net(x).flatten(2).numpy().swapaxes(0, 1)
    functional.reset_net(net)
    np.testing.assert_array_equal(disc.run(network, x.flatten(2).numpy().swapaxes(0, 1)), theirs)
    assert theirs.any()


class Block(nn.Module):
    """Two layers of nodes whose spikes are added to those of their input."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.ModuleList([layer.Linear(6, 6) for _ in range(3)])
        self.nodes = nn.ModuleList([neuron.IFNode(v_reset=None) for _ in range(3)])

    def forward(self, x: Any) -> Any:
        first = self.nodes[0](self.linear[0](x))
        second = self.nodes[1](self.linear[1](first))
        return self.nodes[2](self.linear[2](first + second))


@pytest.mark.parametrize("mode", ["s", "m"])
def test_residual_sums(mode: str) -> None:
    net = Block()
    set_weights(net, np.random.default_rng(3), exact=True)
    functional.set_step_mode(net, mode)
    run = "step" if mode == "s" else None
    made = from_torch(net, inputs((STEPS, SAMPLES, 6), 1), dt=DT, run=run)
    arriving = [p.source for p in made[0].projections if p.target == "nodes.2"]
    assert sorted(arriving) == ["nodes.0", "nodes.1"]
    assert compare(net, made, inputs((STEPS, SAMPLES, 6), 2)) > 50


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("kind", ["linear", "sum", "difference"])
def test_containers_with_recurrence(kind: str, mode: str) -> None:
    """What they remember of an earlier call, of another batch, is forgotten and put back."""
    if kind == "linear":
        inner = nn.Sequential(nn.Linear(5, 4), neuron.LIFNode())
        net = nn.Sequential(layer.LinearRecurrentContainer(inner, 5, 4, step_mode=mode))
    else:
        function = (lambda y, x: x + y) if kind == "sum" else (lambda y, x: x - 0.5 * y)
        inner = neuron.IFNode(v_reset=None)
        container = layer.ElementWiseRecurrentContainer(inner, function, step_mode=mode)
        net = nn.Sequential(layer.Linear(5, 4), container)
    set_weights(net, np.random.default_rng(1), exact=True)
    with torch.no_grad():
        net(torch.ones(7, 5) if mode == "s" else torch.ones(3, 7, 5))
    before = net[-1].y.clone()
    run = "step" if mode == "s" else None
    made = from_torch(net, inputs((STEPS, SAMPLES, 5), 1), dt=DT, run=run)
    assert torch.equal(net[-1].y, before)
    assert any(p.source == p.target for p in made[0].projections)
    functional.reset_net(net)
    assert compare(net, made, inputs((STEPS, SAMPLES, 5), 2)) > 20


def test_state_is_left_as_it_was() -> None:
    """The run of from_torch starts at rest and puts back what the module held before."""
    net = nn.Sequential(layer.Linear(3, 4), neuron.IFNode())
    with torch.no_grad():
        net(torch.rand(2, 3))
    before = net[1].v.clone()
    from_torch(net, inputs((STEPS, SAMPLES, 3), 0), dt=DT, run="step")
    assert torch.equal(net[1].v, before)


class Own(neuron.LIFNode):
    def single_step_functional_forward(self, inputs: Any, states: Any, **options: Any) -> Any:
        return super().single_step_functional_forward((2 * inputs[0],), states)


@pytest.mark.parametrize(
    "module, message",
    [
        (Own(), "single_step_functional_forward: expected that of LIFNode"),
        (neuron.EIFNode(), "type: expected a node among IFNode, LIFNode.* not linear"),
        (neuron.NonSpikingLIFNode(), "type: .* put the linear layer last"),
        (
            neuron.IFNode(surrogate_function=surrogate.Sigmoid(spiking=False)),
            "surrogate_function: expected spikes of 0 below the threshold",
        ),
    ],
)
def test_refusals(module: nn.Module, message: str) -> None:
    net = nn.Sequential(layer.Linear(3, 4), module)
    with pytest.raises(UnsupportedNetwork, match=rf"^1 \(.*\): {message}"):
        from_torch(net, inputs((STEPS, SAMPLES, 3), 0), dt=DT, run="step")
