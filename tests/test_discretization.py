"""The record of what training did: checks, copies, and its plain form."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest

from eventsim import Discretization
from eventsim.discrete.frameworks import norse
from eventsim.errors import InvalidType, InvalidValue

FULL = Discretization(
    "coarse", dt=2e-3, steps=6, encoder="constant", encoder_scale=1.1, spread=0.0,
    variants={"eye": "constant_potential"}, notes=("trained on half of the images",),
)  # fmt: skip


def test_plain_form_survives_json():
    values = json.loads(json.dumps(FULL.to_dict()))
    assert Discretization.from_dict(values) == FULL
    assert Discretization.from_dict({"dt": 1e-3, "steps": 4}) == Discretization(dt=1e-3, steps=4)


def test_it_is_a_value():
    same = copy.deepcopy(FULL)
    assert same == FULL and hash(same) == hash(FULL)
    assert dataclasses.replace(FULL, steps=7).steps == 7
    with pytest.raises(dataclasses.FrozenInstanceError):
        FULL.steps = 3
    with pytest.raises(TypeError):
        FULL.variants["eye"] = "lif"


def test_defaults_and_derived_values():
    disc = Discretization(dt=1e-3, steps=4)
    assert (disc.rule, disc.spread, disc.duration) == ("coarse", 1e-3, 4e-3)
    assert FULL.spread == 0.0
    assert (FULL.rule_of("eye"), FULL.rule_of("out")) == ("constant_potential", "coarse")


def test_assumptions_name_what_was_chosen():
    rows = {name: value for name, value, _ in FULL.assumptions()}
    assert rows["update rule of eye"] == "constant_potential"
    assert rows["encoder"] == "constant, scale 1.1"
    assert rows["continuous counterpart"] == "delta synapses"
    assert rows["note"] == "trained on half of the images"
    assert all(len(row) == 3 and all(isinstance(k, str) for k in row) for row in FULL.assumptions())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rule": "fine"}, InvalidValue, "rule: expected one of"),
        ({"rule": 1}, InvalidType, "rule"),
        ({"dt": 0.0}, InvalidValue, "dt"),
        ({"dt": "1 ms"}, InvalidType, "dt"),
        ({"steps": 0}, InvalidValue, "steps"),
        ({"steps": 4.0}, InvalidType, "steps"),
        ({"steps": True}, InvalidType, "steps"),
        ({"encoder": "poisson"}, InvalidValue, "encoder"),
        ({"encoder_scale": -1.0}, InvalidValue, "encoder_scale"),
        ({"decoder": "first"}, InvalidValue, "decoder"),
        ({"variants": [("a", "lif")]}, InvalidType, "variants"),
        ({"variants": {"a": "fine"}}, InvalidValue, r"variants\['a'\]"),
        ({"variants": {3: "lif"}}, InvalidType, "variants"),
        ({"spread": -1e-3}, InvalidValue, "spread"),
        ({"notes": "one"}, InvalidType, "notes"),
        ({"notes": (1,)}, InvalidType, "notes"),
    ],
)
def test_bad_fields_are_named(change, error, message):
    with pytest.raises(error, match=f"Discretization: {message}"):
        Discretization(**{"dt": 1e-3, "steps": 4, **change})


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"dt": 1e-3}, InvalidValue, "no .'steps'"),
        ({"dt": 1e-3, "steps": 4, "step": 4}, InvalidValue, "step"),
        ([("dt", 1e-3)], InvalidType, "expected a mapping"),
    ],
)
def test_bad_plain_forms_are_refused(values, error, message):
    with pytest.raises(error, match=message):
        Discretization.from_dict(values)


def test_what_arrivals_become_is_told_of_all_rules():
    current, charge = norse.lif(), norse.lif_box()
    for cells, value in [
        ({"a": current}, "exponential synapses"),
        ({"a": charge}, "delta synapses"),
        ({"a": current, "b": charge}, "delta and exponential synapses"),
    ]:
        disc = Discretization(dt=1e-3, steps=4, rule="framework", cells=cells, spread=0.0)
        rows = {name: value for name, value, _ in disc.assumptions()}
        assert rows["continuous counterpart"] == value
