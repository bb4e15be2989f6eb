"""The description of an architecture itself."""

from __future__ import annotations

import copy
import re
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pytest

from eventsim.errors import FileError
from eventsim.load import architecture
from eventsim.load.architecture import read_architecture
from eventsim.load.assemble import assemble
from tests.described import GOOD, linear


def _without(key):
    return {k: v for k, v in GOOD.items() if k != key}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_without("dt"), "dt: expected a value, got none"),
        (_without("layer"), "layer: expected a value, got none"),
        (GOOD | {"layer": []}, "layer: expected at least one"),
        (GOOD | {"layer": [3]}, "layer 0: expected a table, got int"),
        (GOOD | {"layer": [{"kind": "linear"}]}, "layer 0: expected name and kind"),
        (GOOD | {"layer": [linear(kind="lstm")]}, "'out': kind: expected one of .* got 'lstm'"),
        (GOOD | {"layer": [linear(), linear()]}, "'out': name: expected a name of its own"),
        (GOOD | {"layer": [linear(name="in")]}, "'in': name: expected a name of its own"),
        (GOOD | {"layer": [linear(weights="w")]}, r"'out' \(linear\): keys: .* got \['weights'\]"),
        (GOOD | {"layer": [linear(weight=3)]}, "weight: expected str, got 3"),
        (GOOD | {"layer": [linear(neuron="lstm")]}, "neuron: expected one of"),
        (GOOD | {"layer": [linear(tau=1.0, tau_mem=1.0)]}, "tau: expected .* got both"),
        (GOOD | {"layer": [linear(), {"name": "a", "kind": "analog"}]}, "expected the first layer"),
        (GOOD | {"layer": [{"name": "p", "kind": "avgpool2d"}]}, "kernel_size: expected a value"),
        (GOOD | {"dt": -1.0}, "architecture: dt: expected a number > 0, got -1.0"),
        (GOOD | {"steps": 1.5}, "steps: expected an int"),
        (GOOD | {"encoder": "morse"}, "encoder: expected one of"),
        (GOOD | {"input": 3}, "input: expected a table, got 3"),
        (GOOD | {"input": {"shape": [0]}}, r"input: shape: expected sizes"),
        (GOOD | {"input": {"shape": "28"}}, r"input: shape: expected sizes"),
        (GOOD | {"colour": "red"}, r"keys: expected some of .* got \['colour'\]"),
        (GOOD | {"neuron": 3}, "neuron: expected str, got 3"),
    ],
)  # fmt: skip
def test_bad_description_names_the_key(content, message):
    with pytest.raises(FileError, match=message):
        read_architecture(copy.deepcopy(content))


def test_descriptions_in_the_documentation():
    page = (Path(__file__).parent.parent / "docs" / "files.md").read_text(encoding="utf-8")
    documented = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    docstring = textwrap.dedent(architecture.__doc__.split("::\n", 1)[1].split("\nThis module")[0])
    whole, of_a_framework = documented
    layer = "dt = 1e-3\nsteps = 4\n" + of_a_framework + "\n[input]\nshape = [4]\n"
    assert read_architecture(tomllib.loads(layer)).layers[0].values["neuron"] == "snntorch.RLeaky"
    for text in (whole, docstring):
        described = read_architecture(tomllib.loads(text))
        assert [layer.kind for layer in described.layers][:2] == ["conv2d", "maxpool2d"]
    for kind, keys in architecture.KEYS.items():
        assert f"`{kind}`" in page
        assert all(f"`{key}`" in page for key in keys)
    for neuron, rule in architecture.NEURONS.items():
        assert f"`{neuron}`" in page
        assert f"`{rule}`" in page


def test_tau_is_needed():
    content = _without("tau")
    with pytest.raises(FileError, match="layer 'out' .*: tau: expected tau .* got neither"):
        assemble(read_architecture(content), {"w": np.ones((3, 4))}, "net.pt")


def test_description_files(tmp_path):
    path = tmp_path / "net.toml"
    with pytest.raises(FileError, match=r"net\.toml: .* architecture description .* no such file"):
        read_architecture(path)
    path.write_text("dt = ")
    with pytest.raises(FileError, match=r"net\.toml: file: expected TOML"):
        read_architecture(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match=r"net\.toml: file: expected TOML"):
        read_architecture(path)
