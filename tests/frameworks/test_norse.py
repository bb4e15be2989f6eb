"""Step rules of Norse against the package itself."""

from __future__ import annotations

from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import torch
from norse.torch.functional.lsnn import LSNNParameters

from eventsim.discrete.frameworks import norse as rules
from eventsim.discrete.step_cell import StepCell
from tests import naive_norse
from tests.frameworks import record_norse


def check(kind: str, module: Any, layer: dict[str, Any], x: Any) -> float:
    """Spikes and membranes of a cell, of its rule, and of its slow twin: all the same."""
    spikes, membranes = record_norse.outputs(module, x)
    arguments = dict(layer["arguments"])
    cell = StepCell(getattr(rules, layer["rule"].split(".")[1])(**arguments), x.shape[2], x.dtype)
    state = cell.start(len(x))
    recurrent = layer["recurrent"]
    for step in range(x.shape[1]):
        back = None if recurrent is None else (state[1] @ recurrent.T).astype(x.dtype)
        cell.advance(state, x[:, step].copy(), back)
        np.testing.assert_array_equal(state[1], spikes[:, step])
        np.testing.assert_array_equal(state[0], membranes[:, step])
    dt, subtract = arguments.pop("dt", 1e-3), arguments.pop("reset", "") == "subtract"
    name = kind.removesuffix("Cell").removesuffix("Recurrent")
    slow = naive_norse.layer(name, x[0], arguments, dt, subtract=subtract, recurrent=recurrent)
    np.testing.assert_array_equal(slow[0], spikes[0])
    np.testing.assert_array_equal(slow[1], membranes[0])
    return float(spikes.mean())


@pytest.mark.parametrize("dtype", record_norse.TYPES)
@pytest.mark.parametrize("kind", record_norse.CELLS)
def test_layers(kind: str, dtype: str) -> None:
    """Random layers with random charges, both resets; recurrence is dyadic."""
    rates = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        module, layer = record_norse.neurons(rng, kind, 5, dtype)
        x = rng.normal(*record_norse.DRIVE.get(kind, (0.4, 0.8)), (2, 50, 5)).astype(dtype)
        rates.append(check(kind, module, layer, x))
    assert 0.01 < np.mean(rates) < 0.9


@pytest.mark.parametrize("value", [0.1, 1 / 3, 123.4, 600.0])
@pytest.mark.parametrize("dt", [1e-3, 0.7e-3, 1 / 3])
def test_products_with_the_step(dt: float, value: float) -> None:
    """dt times an inverse time constant is rounded as torch rounds it."""
    for kind in (torch.float32, torch.float64):
        theirs = dt * torch.tensor(value, dtype=kind)
        assert rules.lif(tau_mem_inv=torch.tensor(value, dtype=kind).numpy(), dt=dt).leak == theirs
    assert rules.lif(tau_mem_inv=value, dt=dt).leak == dt * torch.as_tensor(value)


def test_plain_numbers_are_those_of_the_package() -> None:
    """Norse makes tensors of numbers that it is given."""
    module = norse.LIFCell(norse.LIFParameters(tau_mem_inv=123.4, tau_syn_inv=301.7, v_th=0.9))
    x = np.random.default_rng(0).normal(0.4, 0.8, (2, 50, 4)).astype(np.float32)
    arguments = {"tau_mem_inv": 123.4, "tau_syn_inv": 301.7, "v_th": 0.9}
    spikes, membranes = record_norse.outputs(module, x)
    cell = StepCell(rules.lif(**arguments), 4, np.float32)
    state = cell.start(2)
    for step in range(50):
        cell.advance(state, x[:, step].copy(), None)
        np.testing.assert_array_equal(state[0], membranes[:, step])
    assert spikes.any()


def test_defaults_are_those_of_the_package() -> None:
    for make, parameters in (
        (rules.lif_box, norse.LIFBoxParameters()),
        (rules.lif, norse.LIFParameters()),
        (rules.lsnn, LSNNParameters()),
    ):
        names = set(parameters._fields) - {"method", "alpha", "reset_method"}
        given = {name: getattr(parameters, name).numpy() for name in names}
        assert make() == make(**given)
