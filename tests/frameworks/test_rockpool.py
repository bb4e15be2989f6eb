"""Step rules of Rockpool against the package itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from rockpool.nn.modules import ExpSynTorch

from eventsim.discrete.frameworks import rockpool as rules
from eventsim.discrete.step_cell import StepCell
from tests import naive_rockpool
from tests.frameworks import record_rockpool


def check(module: Any, layer: dict[str, Any], x: Any) -> float:
    """Spikes and membranes of a layer, of its rule, and of its slow twin: all the same."""
    spikes, membranes = record_rockpool.outputs(module, x)
    arguments, recurrent = dict(layer["arguments"]), layer["recurrent"]
    cell = StepCell(rules.lif(**arguments), x.shape[2], x.dtype)
    state = cell.start(len(x))
    for step in range(x.shape[1]):
        back = None if recurrent is None else (state[1] @ recurrent.T).astype(x.dtype)
        cell.advance(state, x[:, step].copy(), back)
        np.testing.assert_array_equal(state[1], spikes[:, step])
        np.testing.assert_array_equal(state[0], membranes[:, step])
    most = arguments.pop("max_spikes_per_dt")
    slow = naive_rockpool.lif(x[0], arguments, most=most, recurrent=recurrent)
    np.testing.assert_array_equal(slow[0], spikes[0])
    np.testing.assert_array_equal(slow[1], membranes[0])
    return float(spikes.mean())


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("mode", record_rockpool.MODES)
def test_layers(mode: str, loop: bool) -> None:
    """Random layers with random charges; recurrence is dyadic."""
    rates = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        module, layer = record_rockpool.neurons(rng, mode, 5, loop)
        x = rng.normal(0.3, 0.8, (2, 50, 5)).astype(np.float32)
        rates.append(check(module, layer, x))
    assert 0.02 < np.mean(rates) < 3.0


def test_exp_syn() -> None:
    """The potential of the rule is the current of the module within roundings."""
    module = ExpSynTorch(4, tau=7.3e-3)
    x = np.random.default_rng(0).normal(size=(2, 30, 4)).astype(np.float32)
    with torch.no_grad():
        given = module(torch.tensor(x))[0].numpy()
    slow = naive_rockpool.exp_syn(x[0], torch.exp(-module.dt / module.tau).item())
    np.testing.assert_array_equal(slow, given[0])
    cell = StepCell(rules.exp_syn(tau=7.3e-3), 4, np.float32)
    state = cell.start(2)
    for step in range(30):
        cell.advance(state, x[:, step].copy(), None)
        np.testing.assert_allclose(state[0], given[:, step], rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", record_rockpool.MODES)
def test_decays_of_checkpoints(mode: str) -> None:
    """From the trained numbers alone, the decays are torch's within two roundings."""
    module, _ = record_rockpool.neurons(np.random.default_rng(0), mode, 3, False)
    trained = {name: getattr(module, name).item() for name in record_rockpool.MODES[mode]}
    rule = rules.lif(**trained, dt=module.dt)
    for made, theirs in ((rule.leak, module.alpha), (rule.synapse_leak, module.beta)):
        assert abs(made - theirs.item()) <= 2 * np.finfo(np.float32).eps
