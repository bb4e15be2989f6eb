"""Step rules of SpikingJelly against the package itself."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, neuron, surrogate

from eventsim.discrete.frameworks import spikingjelly as rules
from eventsim.discrete.step_cell import StepCell
from tests import naive_spikingjelly
from tests.frameworks import record_spikingjelly

NODES = record_spikingjelly.NODES


def check(module: Any, layer: dict[str, Any], x: Any) -> float:
    """Spikes and membranes of a node, of its rule, and of its slow twin: all the same."""
    spikes, membranes = record_spikingjelly.outputs(module, x)
    rule = getattr(rules, layer["rule"].split(".")[1])(**layer["arguments"])
    cell = StepCell(rule, x.shape[2], x.dtype)
    state = cell.start(len(x))
    for step in range(x.shape[1]):
        cell.advance(state, x[:, step].copy(), None)
        np.testing.assert_array_equal(state[1], spikes[:, step])
        np.testing.assert_array_equal(state[0], membranes[:, step])
    slow = naive_spikingjelly.layer(type(module).__name__, x[0], **layer["arguments"])
    np.testing.assert_array_equal(slow[0], spikes[0])
    np.testing.assert_array_equal(slow[1], membranes[0])
    return float(spikes.mean())


@pytest.mark.parametrize("dtype", record_spikingjelly.TYPES)
@pytest.mark.parametrize("kind, soft, decay_input", [*itertools.product(NODES, (0, 1), (0, 1))])
def test_layers(kind: str, soft: int, decay_input: int, dtype: str) -> None:
    """Random layers with random charges."""
    rates = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        module, layer = record_spikingjelly.neurons(rng, kind, bool(soft), bool(decay_input), dtype)
        x = rng.normal(0.6, 1.0, (2, 50, 5)).astype(dtype)
        rates.append(check(module, layer, x))
    assert 0.02 < np.mean(rates) < 0.9


@pytest.mark.parametrize("kind", NODES)
def test_both_step_modes(kind: str) -> None:
    """All steps in a call are the steps one by one."""
    x = torch.randn(20, 3, 4, generator=torch.Generator().manual_seed(0))
    module = getattr(neuron, kind)(v_reset=None, step_mode="m", store_v_seq=True)
    with torch.no_grad():
        many = module(x)
        v = module.v_seq
        functional.reset_net(module)
        module.step_mode = "s"
        for step in range(20):
            assert torch.equal(module(x[step]), many[step])
            assert torch.equal(module.v, v[step])


@pytest.mark.parametrize(
    "make",
    [
        surrogate.Sigmoid, surrogate.ATan, surrogate.PiecewiseQuadratic, surrogate.Erf,
        surrogate.SoftSign, surrogate.PiecewiseLeakyReLU, surrogate.LeakyKReLU,
    ],
)  # fmt: skip
def test_equality_spikes(make: Any) -> None:
    """Whatever the surrogate function, a potential at the threshold is a spike."""
    for kind in NODES:
        module = getattr(neuron, kind)(surrogate_function=make())
        charge = {"IFNode": 1.0}.get(kind, 2.0)
        with torch.no_grad():
            assert module(torch.tensor([charge])).item() == 1.0


@pytest.mark.parametrize("w", [-3.0, -0.7, 0.0, 0.3, 2.5])
def test_sigmoid_of_checkpoints(w: float) -> None:
    """From the trained number alone, the sigmoid is torch's within a rounding."""
    for kind in (torch.float32, torch.float64):
        tensor = torch.tensor(w, dtype=kind)
        made = rules.parametric_lif_node(w=tensor.numpy()).leak
        assert abs(made - tensor.sigmoid().item()) <= 2 * torch.finfo(kind).eps * made
