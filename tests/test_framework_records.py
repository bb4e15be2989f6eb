"""Twins against what the frameworks did, replayed from files; see tests/frameworks/records.py."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import numpy as np
import pytest

from eventsim import Dense, Discretization, Input, Network, Population
from eventsim.discrete.step_cell import StepCell
from eventsim.step_rule import StepRule
from tests.frameworks import records

DT = 1e-3
FILES = {path.stem: records.read(path) for path in sorted(records.FOLDER.glob("*.npz"))}
CASES = [(name, case) for name, about in FILES.items() for case in about["cases"]]


def rule_of(layer: dict[str, Any]) -> StepRule:
    """The rule that eventsim makes of a layer's parameters."""
    home, _, function = layer["rule"].rpartition(".")
    module = importlib.import_module(f"eventsim.discrete.frameworks.{home}")
    rule = getattr(module, function)(**layer["arguments"])
    given = {"bias": layer["bias"], "feedback_bias": layer["recurrent_bias"]}
    return dataclasses.replace(rule, **{k: v for k, v in given.items() if v is not None})


@pytest.mark.parametrize(
    "name, case", CASES, ids=[f"{name}: {case['name']}" for name, case in CASES]
)
def test_record(name: str, case: dict[str, Any]) -> None:
    """Spikes and membranes of every layer, bit for bit."""
    layers, dtype = case["layers"], np.dtype(case["dtype"])
    if layers[0]["weight"] is None:
        check_cell(layers[0], case["x"], dtype)
        return
    rules = {f"layer{k}": rule_of(layer) for k, layer in enumerate(layers)}
    parts: list[Any] = [Input("in", case["x"].shape[2])]
    links, source = [], "in"
    for (target, rule), layer in zip(rules.items(), layers, strict=True):
        n, gain = len(layer["weight"]), rule.weight_gain
        parts.append(Population(target, n, tau_mem=1.0))
        links.append(Dense(source, target, layer["weight"].T * np.asarray(gain, float)))
        if layer["recurrent"] is not None:
            weight = layer["recurrent"].T * np.asarray(gain, float)
            links.append(Dense(target, target, weight, delay=DT))
        source = target
    net = Network(parts, links)
    disc = Discretization(
        "framework", dt=DT, steps=case["x"].shape[1], cells=rules, dtype=case["dtype"]
    )
    spikes = disc.run(net, case["x"], layers=True)
    membranes = disc.run(net, case["x"], layers=True, record="potential")
    for target, layer in zip(rules, layers, strict=True):
        np.testing.assert_array_equal(spikes[target], layer["spikes"])
        if layer["v"] is not None:
            np.testing.assert_array_equal(membranes[target], layer["v"])


def check_cell(layer: dict[str, Any], x: Any, dtype: Any) -> None:
    """A single layer that is given its charges."""
    samples, steps, n = x.shape
    cell = StepCell(rule_of(layer), n, dtype)
    state = cell.start(samples)
    for step in range(steps):
        back = None
        if layer["recurrent"] is not None:
            back = (state[1] @ layer["recurrent"].T).astype(dtype)
        cell.advance(state, x[:, step].astype(dtype), back)
        np.testing.assert_array_equal(state[1], layer["spikes"][:, step])
        if layer["v"] is not None:
            np.testing.assert_array_equal(state[0], layer["v"][:, step])


def test_files_say_where_they_are_from() -> None:
    for name, about in FILES.items():
        assert about["framework"] == name
        assert about["version"] and about["made by"].startswith("python -m tests.frameworks.record")
        size = (records.FOLDER / f"{name}.npz").stat().st_size
        assert size < 200_000
        for case in about["cases"]:
            for layer in case["layers"]:
                assert set(layer) == set(records.LAYER)
                assert 0 < layer["spikes"].mean() < 0.95 or layer["spikes"].max() > 1
