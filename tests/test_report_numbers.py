"""The page says what the JSON says."""

from __future__ import annotations

import json

import pytest

from eventsim.report import render
from tests.reports import analog_problem, everything, problem
from tests.test_report import Page


@pytest.fixture(scope="module", params=[problem, analog_problem], ids=["spikes", "analog"])
def pair(request, tmp_path_factory):
    """The words of a page with everything, and the numbers of its JSON file."""
    report = everything(request.param())
    path = tmp_path_factory.mktemp("numbers") / "report.json"
    report.to_json(path)
    return Page(render(report)).text, json.loads(path.read_text(encoding="utf-8"))


def interval(share):
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * share[k] for k in ("value", "low", "high")))


def signed(difference):
    def points(value):
        text = f"{100 * value:+.1f}"
        return "0.0" if text in ("+0.0", "-0.0") else text

    ends = f"[{points(difference['low'])}, {points(difference['high'])}]"
    return f"{points(difference['value'])} {ends}"


def test_verdict_and_variants(pair):
    text, numbers = pair
    assert numbers["verdict"] in text
    for variant in numbers["variants"]:
        first = variant["runs"][0]
        assert interval(first["accuracy"]) in text
        if variant["change"] is not None:
            assert signed(variant["change"]) in text
            assert interval(first["agreement"]) in text
        for layer in variant["layers"]:
            row = f"{layer['spikes']:,.1f} {layer['rate']:,.1f} {100 * layer['silent']:.1f}"
            assert row in text


def test_ladder_and_time_steps(pair):
    text, numbers = pair
    ladder = numbers["ladder"]
    assert ladder["verdict"] in text
    for rung in ladder["rungs"]:
        assert f"{100 * rung['mean']['accuracy']:.1f} %" in text
        if rung["change"] is not None:
            assert signed(rung["change"]) in text
    for effect in ladder["effects"]:
        assert effect["sentence"] in text
    coarse = next(v for v in numbers["variants"] if v["kind"] == "coarse")
    main = next(v for v in numbers["variants"] if v["kind"] == "continuous")
    ends = {rung["name"]: rung for rung in ladder["rungs"]}
    assert ends["coarse"]["accuracy"][0] == coarse["runs"][0]["accuracy"]
    assert ends["continuous"]["accuracy"][0] == main["runs"][0]["accuracy"]
    exact = numbers["time_steps"]["points"][0]
    assert exact["label"] == "exact"
    assert exact["rung"]["accuracy"][0] == main["runs"][0]["accuracy"]


def test_disagreements(pair):
    text, numbers = pair
    changed = len(numbers["disagreements"])
    assert f"{changed} of {numbers['settings']['samples']} images" in text
    for item in numbers["disagreements"][:3]:
        assert f"image {item['sample']} margin {item['margin']}" in text
