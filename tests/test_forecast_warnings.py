"""What the forecast warns of, says and writes, and what it refuses."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import FileError, InvalidType, InvalidValue, UnsupportedNetwork
from eventsim.fidelity import cautions
from tests.forecasts import ONES, chain, disc

# Warnings


def test_a_network_within_all_limits_has_no_warnings():
    # Twenty inputs for each class; those of one bring about half a threshold in a step.
    blocks = np.repeat(np.eye(3), 20, axis=0)
    images = 0.5 * blocks.T[np.arange(60) % 3]
    found = es.forecast(chain(0.05 * blocks), disc(16), images, np.arange(60) % 3)
    assert found.warnings == ()
    assert "No warnings." in found.summary()
    assert found.risk == {"deltas": "low", "pulses": "low"}


@pytest.mark.parametrize(
    ("number", "limits", "kind"),
    [
        ("excursion", cautions.EXCURSION, "deltas"),
        ("late", cautions.LATE, "pulses"),
        ("delay", cautions.DELAY, "pulses"),
        ("silent", cautions.SILENT, "both"),
    ],
)
def test_warnings_begin_at_their_limits(number, limits, kind):
    nothing = dict.fromkeys(("excursion", "late", "delay", "silent"), 0.0)
    kinds = ("deltas", "pulses") if kind == "both" else (kind,)

    def risks(value):
        found = cautions.decisive([], "out", **{**nothing, number: value})
        assert len(found) <= 1
        assert all(c.value == value >= c.threshold for c in found)
        levels = {name: cautions.risk(found, name) for name in ("deltas", "pulses")}
        assert all(levels[name] == "low" for name in levels if name not in kinds)
        assert len({levels[name] for name in kinds}) == 1
        return levels[kinds[0]]

    assert risks(np.nextafter(limits.raised, 0.0)) == "low"
    assert risks(limits.raised) == "raised"
    assert risks(100.0) == ("raised" if limits.high is None else "high")
    if limits.high is not None:
        assert risks(np.nextafter(limits.high, 0.0)) == "raised"
        assert risks(limits.high) == "high"


def test_notes_begin_at_their_limits_and_decide_nothing():
    quiet = es.forecast(chain([[0.3]]), disc(), [[1.0]] * 2)["out"]
    plain = dataclasses.replace(quiet, strong=0.0, above_knee=0.0, phase_distance=0.0, silent=0.0)
    assert cautions.notes([plain], "out", 0.0) == []
    for field, limit in (
        ("strong", cautions.STRONG),
        ("above_knee", cautions.ABOVE_KNEE),
        ("phase_distance", cautions.PHASE_DISTANCE),
        ("silent", 1.0),
    ):
        below = dataclasses.replace(plain, **{field: np.nextafter(limit, 0.0)})
        assert cautions.notes([below], "out", 0.0) == []
        (note,) = cautions.notes([dataclasses.replace(plain, **{field: limit})], "out", 0.0)
        assert (note.layer, note.level, note.threshold) == ("out", "note", limit)
    (note,) = cautions.notes([plain], "out", cautions.CLOSE)
    assert note.quantity.startswith("answers")
    assert cautions.risk([note], "pulses") == "low"


def test_the_warning_names_the_layer_with_the_largest_part():
    strong, weak = np.array([[3.0, -2.0]]), np.array([[0.4], [0.1]])
    found = es.forecast(chain([[3.0]], strong, weak), disc(), [[1.0]] * 2)
    first = found.warnings[0]
    assert (first.layer, first.level, first.synapses) == ("layer2", "high", "deltas")
    assert first.value == found.excursion
    assert found.risk["deltas"] == "high"
    assert "most of it in layer2" in found.summary()


# Words and files


@pytest.fixture(scope="module")
def found():
    net, description = es.load("data/lenet5.h5")
    with np.load("data/fashion-mnist_test500.npz") as data:
        return es.forecast(net, description, data["images"], data["labels"], samples=10)


def test_the_summary_is_plain_and_narrow(found):
    text = found.summary()
    assert max(map(len, text.splitlines())) <= 98
    assert text.startswith("From the coarse network alone: the risk is high with deltas and ")
    for word in ("10 of 500 images", "conv1", "Warnings", "deltas, high:", "second draw"):
        assert word in text
    assert repr(found).startswith("Forecast(10 samples; risk: deltas high, pulses ")


def test_json_holds_all_numbers(found, tmp_path):
    path = found.to_json(tmp_path / "forecast.json")
    values = json.loads(path.read_text(encoding="utf-8"))
    assert values == json.loads(json.dumps(found.to_dict()))
    assert values["risk"] == found.risk
    assert [layer["name"] for layer in values["layers"]] == [
        "conv1", "conv2", "fc1", "fc2", "out",
    ]  # fmt: skip
    assert values["limits"]["excursion"]["high"] == cautions.EXCURSION.high
    assert {c["level"] for c in values["warnings"]} <= {"raised", "high", "note"}
    with pytest.raises(FileError, match="exist"):
        found.to_json(path)
    found.to_json(path, overwrite=True)
    with pytest.raises(KeyError, match="none of"):
        found["pool1"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"images": [[1.0]]}, InvalidValue, "images: expected shape"),
        ({"images": np.ones((2, 3)) * 7}, InvalidValue, "images"),
        ({"images": 3.0}, InvalidValue, "images"),
        ({"labels": [0]}, InvalidValue, "labels"),
        ({"labels": [0, 9]}, InvalidValue, r"labels\[1\]"),
        ({"samples": 1}, InvalidValue, "forecast: samples: expected an int >= 2"),
        ({"samples": 3}, InvalidValue, "forecast: samples: expected at most 2, got 3"),
        ({"samples": 2.0}, InvalidType, "samples"),
        ({"steps": 0}, InvalidValue, "forecast: steps"),
        ({"seed": -1}, InvalidValue, "seed"),
        ({"threads": 0}, InvalidValue, "forecast: threads"),
        ({"disc": None}, InvalidValue, "forecast: disc"),
        ({"net": "a file"}, InvalidType, "forecast: net"),
    ],
)
def test_bad_arguments(options, error, words):
    given = {"net": chain(np.eye(3)), "disc": disc(), "images": ONES, "labels": None, **options}
    with pytest.raises(error, match=words):
        es.forecast(given.pop("net"), given.pop("disc"), given.pop("images"),
                    given.pop("labels"), **given)  # fmt: skip


def test_a_network_that_the_twin_cannot_express():
    with pytest.raises(UnsupportedNetwork, match="out"):
        es.forecast(chain(np.eye(3), reset="subtract"), disc(), ONES)
