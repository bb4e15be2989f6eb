"""Architecture descriptions whose neurons are those of a training framework."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eventsim as es
from eventsim.discrete.frameworks import snntorch, spikingjelly
from eventsim.errors import EventsimError
from eventsim.load.architecture import CLASSES, read_architecture
from eventsim.load.assemble import assemble

DT = 1e-3


def tensors(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)

    def dyadic(*shape: int) -> Any:
        return (rng.integers(-64, 128, shape) / 64).astype(np.float32)

    return {
        "fc1.weight": dyadic(5, 4), "fc1.bias": dyadic(5) / 8, "lif1.beta": np.float32([0.9]),
        "lif1.recurrent.weight": dyadic(5, 5), "lif1.recurrent.bias": dyadic(5) / 8,
        "fc2.weight": dyadic(3, 5),
    }  # fmt: skip


def described(**changes: Any) -> dict[str, Any]:
    hidden = {
        "name": "hidden", "kind": "linear", "weight": "fc1.weight", "bias": "fc1.bias",
        "neuron": "snntorch.RLeaky", "cell": {"beta": "lif1.beta", "reset_mechanism": "zero"},
        "recurrent": "lif1.recurrent.weight", "recurrent_bias": "lif1.recurrent.bias",
    }  # fmt: skip
    out = {
        "name": "out", "kind": "linear", "weight": "fc2.weight",
        "neuron": "spikingjelly.LIFNode", "cell": {"tau": 3.0},
    }  # fmt: skip
    return {
        "dt": DT, "steps": 6, "input": {"shape": [4]}, "layer": [{**hidden, **changes}, out],
    }  # fmt: skip


def by_hand(values: dict[str, Any], x: Any) -> Any:
    """The two layers as their frameworks step them, in float32."""
    one, beta = np.float32(1), values["lif1.beta"][0]
    m, s, v, found = np.zeros(5, np.float32), np.zeros(5, np.float32), np.zeros(3, np.float32), []
    for row in x.astype(np.float32):
        y = s @ values["lif1.recurrent.weight"].T + values["lif1.recurrent.bias"]
        m = (beta * m + (row @ values["fc1.weight"].T + values["fc1.bias"]) + y) * (one - s)
        s = (m > 1).astype(np.float32)
        v = v + ((0 - v) + s @ values["fc2.weight"].T) / np.float32(3)
        fired = (v >= 1).astype(np.float32)
        v = v * (one - fired)
        found.append(fired)
    return np.array(found)


@pytest.mark.parametrize("seed", range(4))
def test_twin_of_a_described_checkpoint(seed: int) -> None:
    values = tensors(seed)
    net, disc = assemble(read_architecture(described()), values, "net.pt")
    assert disc.dtype == "float32" and disc.rule == "framework" and disc.spread == 0.0
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, (8, 6, 4))
    twin = disc.run(net, x)
    assert np.array_equal(twin, np.stack([by_hand(values, sample) for sample in x]))
    assert twin.sum() > 0
    assert net.projections[1].source == net.projections[1].target == "hidden"
    assert net.projections[1].delay == DT


def test_rules_carry_the_tensors() -> None:
    values = tensors()
    _, disc = assemble(read_architecture(described()), values, "net.pt")
    rule = disc.cells["hidden"]
    assert rule.leak == np.float32(0.9) and rule.reset_drops_input
    assert np.array_equal(rule.bias, values["fc1.bias"])
    assert disc.cells["out"] == spikingjelly.lif_node(tau=3.0)
    assert any("tau_mem of out" in note for note in disc.notes)


def test_conventions_are_options_of_the_description() -> None:
    found = {}
    for decay in ("exact", "euler"):
        net, _ = assemble(read_architecture({**described(), "decay": decay}), tensors(), "net.pt")
        found[decay] = net["out"].tau_mem
    assert found["euler"] == pytest.approx(3 * DT) and found["exact"] < found["euler"]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"neuron": "snntorch.Lapicque"}, "neuron: expected one of"),
        ({"cell": {"gamma": 1.0}}, r"layer 'hidden' \(linear\): cell: .*some of.*beta.*gamma"),
        ({"cell": {}}, "cell: expected the arguments of snntorch.RLeaky"),
        ({"cell": {"beta": "nothing"}}, "tensor 'nothing': expected one of"),
        ({"cell": {"beta": 0.9, "reset_mechanism": "none"}}, "layer 'hidden'.*reset"),
        ({"recurrent": "fc2.weight"}, r"shape \(5, 5\) \[out, in\], got \(3, 5\)"),
        ({"recurrent_bias": "fc2.weight"}, r"shape \(5,\) \[out\]"),
    ],
)
def test_bad_descriptions_name_layer_and_field(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(EventsimError, match=message):
        assemble(read_architecture(described(**changes)), tensors(), "net.pt")


def test_every_class_makes_a_rule() -> None:
    """The table points at functions that exist."""
    import importlib

    for label, place in CLASSES.items():
        module, function = place.split(".")
        found = importlib.import_module(f"eventsim.discrete.frameworks.{module}")
        assert callable(getattr(found, function)), label
    assert snntorch.leaky(0.9).label == "snntorch.Leaky"


def test_saved_and_loaded(tmp_path: Any) -> None:
    net, disc = assemble(read_architecture(described()), tensors(), "net.pt")
    es.save(tmp_path / "net.h5", net, disc)
    loaded, again = es.load(tmp_path / "net.h5")
    x = np.ones((1, 6, 4))
    assert again == disc and np.array_equal(again.run(loaded, x), disc.run(net, x))
