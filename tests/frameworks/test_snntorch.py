"""Step rules, recognition and networks of snnTorch against the package itself."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import snntorch
import torch

from eventsim.discrete.frameworks import snntorch as rules
from eventsim.discrete.step_cell import StepCell
from tests import naive_snntorch
from tests.frameworks import record_snntorch

KINDS = record_snntorch.KINDS
RESETS = list(itertools.product(record_snntorch.MECHANISMS, (True, False)))


def module_of(
    rng: np.random.Generator, kind: str, n: int, dtype: str, shared: bool, **options: Any
) -> Any:
    """A module with parameters of its own for each neuron, or shared ones."""
    shape = () if shared else n
    real = record_snntorch.TYPES[dtype]
    numbers = {name: rng.uniform(-0.1, 1.1, shape) for name in ("alpha", "beta")}
    if "Synaptic" not in kind:
        del numbers["alpha"]
    given = {name: torch.tensor(value, dtype=torch.float32) for name, value in numbers.items()}
    given["threshold"] = torch.tensor(rng.uniform(0.2, 1.5, shape), dtype=torch.float32)
    return getattr(snntorch, kind)(**given, **options).to(real)


def weights_of(module: Any, n: int) -> dict[str, Any]:
    """Recurrent weights [target, source] and bias."""
    if not hasattr(module, "recurrent"):
        return {}
    if not module.all_to_all:
        v = np.broadcast_to(module.V.detach().numpy(), n)
        return {"recurrent": np.diag(v), "bias": np.zeros(n, v.dtype)}
    parameters = [p.detach().numpy() for p in module.recurrent.parameters()]
    return dict(zip(("recurrent", "bias"), parameters, strict=True))


def check(module: Any, x: Any) -> None:
    """Spikes and membranes of a module, of its rule, and of its slow twin: all the same."""
    kind, n = type(module).__name__, x.shape[2]
    spikes, membranes = record_snntorch.outputs(module, x)
    mechanism, delay = module.reset_mechanism, module.reset_delay
    rates = {
        name: getattr(module, name).detach().numpy()
        for name in ("alpha", "beta")
        if hasattr(module, name)
    }
    loop, theta = weights_of(module, n), module.threshold.detach().numpy()
    naive = naive_snntorch.layer(
        kind, x[0], **rates, threshold=theta, mechanism=mechanism, delay=delay, **loop
    )
    np.testing.assert_array_equal(naive[0], spikes[0])
    np.testing.assert_array_equal(naive[1], membranes[0])
    make = getattr(rules, kind.lower())
    rule = make(**rates, threshold=theta, reset_mechanism=mechanism, reset_delay=delay)
    rule = dataclasses.replace(rule, feedback_bias=loop.get("bias", 0.0))
    cell = StepCell(rule, n, x.dtype)
    state = cell.start(len(x))
    for step in range(x.shape[1]):
        back = (state[1] @ loop["recurrent"].T).astype(x.dtype) if loop else None
        cell.advance(state, x[:, step].copy(), back)
        np.testing.assert_array_equal(state[1], spikes[:, step])
        np.testing.assert_array_equal(state[0], membranes[:, step])


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mechanism, delay", RESETS)
@pytest.mark.parametrize("kind", KINDS)
def test_layers(kind: str, mechanism: str, delay: bool, dtype: str, shared: bool) -> None:
    """Random layers with random charges; recurrence is one to one, which needs no sums."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        options: dict[str, Any] = {"reset_mechanism": mechanism, "reset_delay": delay}
        if kind.startswith("R"):
            v = torch.tensor(rng.uniform(-1, 1, () if shared else 5), dtype=torch.float32)
            options |= {"all_to_all": False, "V": v}
        module = module_of(rng, kind, 5, dtype, shared, **options)
        check(module, rng.normal(0.35, 0.8, (2, 50, 5)).astype(dtype))


@pytest.mark.parametrize("mechanism, delay", RESETS)
@pytest.mark.parametrize("kind", KINDS[2:])
def test_recurrent_layers(kind: str, mechanism: str, delay: bool) -> None:
    """Full recurrence with dyadic weights, whose sums are exact."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        module, _ = record_snntorch.neurons(rng, kind, 6, mechanism, delay, "float32")
        check(module, rng.normal(0.35, 0.8, (2, 50, 6)).astype(np.float32))


def test_double_networks_do_not_run_in_the_package() -> None:
    """Its spikes are float32 whatever its input is, so a layer behind them refuses them."""
    neurons = snntorch.Leaky(beta=0.9).double()
    spikes, _ = neurons(torch.ones(1, 3, dtype=torch.float64))
    assert spikes.dtype == torch.float32
    with pytest.raises(RuntimeError, match="dtype"):
        torch.nn.Linear(3, 2).double()(spikes)


def test_rsynaptic_without_delay_needs_its_states() -> None:
    module = snntorch.RSynaptic(0.5, 0.5, linear_features=2, reset_delay=False)
    with pytest.raises(TypeError, match="NoneType"):
        module(torch.ones(1, 2))
