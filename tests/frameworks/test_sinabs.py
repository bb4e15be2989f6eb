"""Step rules of sinabs against the package itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import sinabs.activation as activation
import sinabs.layers as layers
import torch

from eventsim.discrete.frameworks import sinabs as rules
from eventsim.discrete.step_cell import StepCell
from tests import naive_sinabs
from tests.frameworks import record_sinabs


def check(kind: str, module: Any, layer: dict[str, Any], x: Any) -> float:
    """Spikes and membranes of a layer, of its rule, and of its slow twin: all the same."""
    spikes, membranes = record_sinabs.outputs(module, x)
    arguments, recurrent = dict(layer["arguments"]), layer["recurrent"]
    rule = getattr(rules, layer["rule"].split(".")[1])(**arguments)
    if layer["recurrent_bias"] is not None:
        rule = dataclasses.replace(rule, feedback_bias=layer["recurrent_bias"])
    cell = StepCell(rule, x.shape[2], x.dtype)
    state = cell.start(len(x))
    for step in range(x.shape[1]):
        back = None if recurrent is None else (state[1] @ recurrent.T).astype(x.dtype)
        cell.advance(state, x[:, step].copy(), back)
        np.testing.assert_array_equal(state[1], spikes[:, step])
        np.testing.assert_array_equal(state[0], membranes[:, step])
    words = {name: arguments.pop(name, None) for name in ("reset", "norm_input")}
    slow = naive_sinabs.layer(
        kind.removesuffix("Recurrent"), x[0],
        most=arguments.pop("max_spikes"), reset=words["reset"] or "subtract",
        norm_input=bool(words["norm_input"]), p=arguments,
        recurrent=recurrent, recurrent_bias=layer["recurrent_bias"],
    )  # fmt: skip
    np.testing.assert_array_equal(slow[0], spikes[0])
    np.testing.assert_array_equal(slow[1], membranes[0])
    return float(spikes.mean())


@pytest.mark.parametrize("kind", record_sinabs.KINDS)
def test_layers(kind: str) -> None:
    """Random layers with random charges: all spike functions and resets; recurrence is dyadic."""
    rates = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        module, layer = record_sinabs.neurons(rng, kind, 5)
        rates.append(check(kind, module, layer, record_sinabs.drive(rng, layer, (2, 50, 5))))
    assert 0.02 < np.mean(rates) < 4.0


def test_exp_leak() -> None:
    """What the readout gives is the potential."""
    for norm in (False, True):
        module = layers.ExpLeak(7.3, norm_input=norm)
        x = np.random.default_rng(0).normal(size=(2, 30, 4)).astype(np.float32)
        with torch.no_grad():
            given = module(torch.tensor(x)).numpy()
        alpha = module.alpha_mem_calculated.detach().numpy()
        cell = StepCell(rules.exp_leak(alpha_mem=alpha, norm_input=norm), 4, np.float32)
        state = cell.start(2)
        for step in range(30):
            cell.advance(state, x[:, step].copy(), None)
            np.testing.assert_array_equal(state[0], given[:, step])


@pytest.mark.parametrize("kind", ["IAF", "LIF", "ALIF"])
def test_threshold(kind: str) -> None:
    """A potential at the threshold, or at a multiple of it, is a spike of each function."""
    times = {"LIF": {"tau_mem": 5.0}, "ALIF": {"tau_mem": 5.0, "tau_adapt": 5.0}}.get(kind, {})
    if times:
        times["norm_input"] = False  # type: ignore[assignment]
    for function, counts in (
        (activation.MultiSpike, (1, 3)),
        (activation.SingleSpike, (1, 1)),
        (activation.MaxSpike(2), (1, 2)),
    ):
        for charge, count in zip((0.75, 2.25), counts, strict=True):
            module = getattr(layers, kind)(**times, spike_threshold=0.75, spike_fn=function)
            assert module(torch.full((1, 1, 1), charge)).item() == count


@pytest.mark.parametrize("tau", [1.0, 3.3, 10.0, 123.4])
def test_decays_of_checkpoints(tau: float) -> None:
    """From the time constant alone, the decay is torch's within a rounding."""
    theirs = layers.LIF(tau).alpha_mem_calculated.item()
    assert abs(rules.lif(tau_mem=tau).leak - theirs) <= np.finfo(np.float32).eps * theirs
