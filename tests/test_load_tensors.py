"""Networks from PyTorch and safetensors files with an architecture description."""

from __future__ import annotations

import copy
import os
import re
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

import eventsim as es
from eventsim.errors import FileError, MissingExtra, UnsupportedNetwork
from eventsim.load import architecture
from eventsim.load.architecture import read_architecture
from eventsim.load.assemble import assemble
from eventsim.load.folding import TilingPool, fold_conv2d, fold_linear
from models.export import to_eventsim
from models.networks import build

LENET5 = """
dt = 1e-3
steps = 4
tau = 4.0

[input]
name = "image"
shape = [1, 28, 28]

[[layer]]
name = "conv1"
kind = "conv2d"
bias = "conv1.bias"
padding = 2

[[layer]]
name = "pool1"
kind = "maxpool2d"
kernel_size = 2

[[layer]]
name = "conv2"
kind = "conv2d"
bias = "conv2.bias"

[[layer]]
name = "pool2"
kind = "maxpool2d"
kernel_size = 2

[[layer]]
name = "flat"
kind = "flatten"

[[layer]]
name = "fc1"
kind = "linear"

[[layer]]
name = "fc2"
kind = "linear"

[[layer]]
name = "out"
kind = "linear"
weight = "out.weight"
"""

CONST = LENET5.replace("steps = 4", 'steps = 4\nencoder = "constant"').replace(
    '[[layer]]\nname = "conv1"',
    '[[layer]]\nname = "image"\nkind = "analog"\nneuron = "constant_potential_lif"\n\n'
    '[[layer]]\nname = "conv1"',
).replace('name = "image"\nshape', 'name = "pixels"\nshape')  # fmt: skip


def described(layers, shape=(4,), **top):
    return {
        "dt": 1e-3, "steps": 4, "tau": 4.0, "input": {"name": "in", "shape": list(shape)},
        "layer": layers, **top,
    }  # fmt: skip


def make(layers, tensors, shape=(4,), **top):
    arrays = {name: np.asarray(value) for name, value in tensors.items()}
    return assemble(read_architecture(described(layers, shape, **top)), arrays, "net.pt")


def linear(**keys):
    return {"name": "out", "kind": "linear", "weight": "w", **keys}


# Against the networks of the repository


@pytest.mark.parametrize(("name", "text"), [("lenet5", LENET5), ("lenet5_const", CONST)])
@pytest.mark.parametrize("kind", ["torch", "old torch", "safetensors"])
def test_same_network_as_the_exported_one(tmp_path, name, text, kind):
    torch.manual_seed(1)
    module = build(name)
    path, toml = tmp_path / "net", tmp_path / "net.toml"
    if kind == "safetensors":
        save_file(module.state_dict(), path)
    else:
        zipped = kind == "torch"
        torch.save(module.state_dict(), path, _use_new_zipfile_serialization=zipped)
    toml.write_text(text)
    net, disc = es.load(path, toml)
    expected, expected_disc = to_eventsim(module, steps=4)
    if name == "lenet5_const":
        # tau / c of the two sides may differ in the last bits.
        assert net["image"].r == pytest.approx(expected["image"].r, rel=1e-14)
        net = net.replace("image", r=expected["image"].r)
    assert net.fingerprint() == expected.fingerprint()
    assert disc.to_dict() | {"notes": []} == expected_disc.to_dict()
    assert any("bias" in note for note in disc.notes)


def test_every_assumption_is_listed():
    layers = [
        {"name": "pool", "kind": "avgpool2d", "kernel_size": 2},
        {"name": "conv", "kind": "conv2d", "weight": "c", "bias": "b"},
        {"name": "max", "kind": "maxpool2d", "kernel_size": 2},
        {"name": "flat", "kind": "flatten"},
        linear(neuron="lif"),
    ]
    tensors = {"c": np.ones((2, 1, 1, 1)), "b": np.ones(2), "w": np.ones((3, 8))}
    _, disc = make(layers, tensors, (1, 8, 8))
    text = "\n".join(value for name, value, _ in disc.assumptions() if name == "note")
    for fact in (
        "tau is in steps", "t_ref is one step", "pulses are 0.001 s wide, one step",
        "tau_mem b / (r dt)", "[out, in] in the file and [pre, post] here",
        "layer 'pool' (avgpool2d) has no neurons and is folded into layer 'conv' (conv2d)",
        "'first_spike'", "(channel, y, x)", "start at v_leak",
    ):  # fmt: skip
        assert fact in text
    assert (disc.rule, dict(disc.variants)) == ("lif", {"conv": "coarse"})


# Parameters


def test_parameters_of_neurons():
    net, _ = make(
        [
            {
                "name": "conv", "kind": "conv2d", "weight": "c", "tau": "tau", "v_leak": -0.5,
                "v_threshold": "theta", "t_ref": 2e-3, "r": 2.0, "spread": 0.0, "delay": 1e-4,
            },
            linear(neuron="if", bias="b", fires_at_equality=False, r=4.0),
        ],
        {
            "c": np.ones((2, 1, 1, 1)), "tau": np.array([2.0, 3.0]), "theta": np.array(1.5),
            "w": np.ones((3, 18)), "b": np.array([1.0, 2.0, 3.0]),
        },
        (1, 3, 3),
    )  # fmt: skip
    conv, out = net["conv"], net["out"]
    assert conv.array("tau_mem").tolist() == [2e-3] * 9 + [3e-3] * 9
    assert (conv.v_threshold, conv.v_leak, conv.v_reset) == (1.5, -0.5, -0.5)
    assert (conv.t_ref, conv.r) == (2e-3, 2.0)
    assert (net.projections[0].spread, net.projections[0].delay) == (0.0, 1e-4)
    assert (out.tau_mem, out.t_ref, out.fires_at_equality) == (np.inf, 0.0, False)
    assert out.i_bias == pytest.approx([250.0, 500.0, 750.0])
    assert net.projections[1].spread == 1e-3


@given(tau=st.floats(0.1, 100), r=st.floats(0.1, 10), dt=st.floats(1e-5, 1), bias=st.floats(-5, 5))
def test_bias_brings_its_charge_in_every_step(tau, r, dt, bias):
    net, disc = make(
        [linear(bias="b", tau=tau, r=r)],
        {"w": np.zeros((1, 4)), "b": np.array([bias])},
        dt=dt,
    )
    out = net["out"]
    charge = out.r * out.i_bias[0] * dt / out.tau_mem
    assert charge == pytest.approx(bias, rel=1e-12)
    assert disc.spread == dt


def test_half_precision_becomes_float32(tmp_path):
    tensors = {"w": torch.randn(3, 4).to(torch.bfloat16), "h": torch.randn(2, 3).half()}
    layers = [linear(name="a"), linear(name="b", weight="h")]
    torch.save(tensors, tmp_path / "net.pt")
    save_file(tensors, tmp_path / "net.safetensors")
    one, _ = es.load(tmp_path / "net.pt", described(layers))
    two, _ = es.load(tmp_path / "net.safetensors", described(layers))
    assert one.fingerprint() == two.fingerprint()
    assert one.projections[0].weight.dtype == np.float32
    assert np.array_equal(one.projections[0].weight, tensors["w"].float().numpy().T)


def test_max_pool_of_inputs_closes_for_a_step():
    layers = [{"name": "pool", "kind": "maxpool2d", "kernel_size": 2}, linear()]
    net, _ = make(layers, {"w": np.ones((1, 4))}, (1, 4, 4))
    assert net.projections[0].window == 1e-3
    layers[0] |= {"rule": "every_spike"}
    net, _ = make(layers, {"w": np.ones((1, 4))}, (1, 4, 4))
    assert (net.projections[0].rule, net.projections[0].window) == ("every_spike", None)


def test_pool_with_neurons_is_a_layer_of_its_own():
    layers = [
        {"name": "pool", "kind": "sumpool2d", "kernel_size": 3, "stride": 2, "gain": 0.5,
         "neuron": "if"},
        linear(),
    ]  # fmt: skip
    net, _ = make(layers, {"w": np.ones((1, 4))}, (1, 5, 5))
    assert isinstance(net.projections[0], es.SumPool2d)
    assert (net["pool"].shape, net.projections[0].gain) == ((1, 2, 2), 0.5)


# Folding


def drive(net, x):
    """Charge that spikes ``x`` of the input bring to each neuron of the next population."""
    rows = net.projections[0].rows(net["in"].shape, net["out"].shape)
    spikes = np.repeat(x.reshape(-1), np.diff(rows.indptr))
    total = np.bincount(rows.post, spikes * rows.weight, minlength=net["out"].n)
    return total.reshape(net["out"].shape)


@st.composite
def pooled_convolutions(draw):
    pools = draw(
        st.lists(st.tuples(st.sampled_from("as"), st.integers(1, 3)), min_size=1, max_size=2)
    )
    kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    groups = draw(st.sampled_from([1, 2]))
    total = int(np.prod([k for _, k in pools]))
    size = total * draw(st.integers(kernel, kernel + 2))
    rest = draw(st.integers(0, total - 1))
    padding = draw(st.integers(0, kernel - 1)) if rest == 0 else 0
    return pools, kernel, stride, padding, groups, size + rest, draw(st.integers(0, 2**32 - 1))


@given(pooled_convolutions())
def test_folded_convolution_equals_torch(case):
    pools, kernel, stride, padding, groups, size, seed = case
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(4, 2 // groups, kernel, kernel))
    x = rng.integers(0, 2, size=(2, size, size)).astype(np.float64)
    layers = [
        {"name": f"p{k}", "kind": {"a": "avgpool2d", "s": "sumpool2d"}[kind], "kernel_size": w}
        for k, (kind, w) in enumerate(pools)
    ]
    layers.append({
        "name": "out", "kind": "conv2d", "weight": "w", "stride": stride, "padding": padding,
        "groups": groups,
    })  # fmt: skip
    net, _ = make(layers, {"w": weight}, x.shape)
    y = torch.from_numpy(x)[None]
    for kind, window in pools:
        y = nn.functional.avg_pool2d(y, window) * (window**2 if kind == "s" else 1)
    expected = nn.functional.conv2d(
        y, torch.from_numpy(weight), stride=stride, padding=padding, groups=groups
    )[0].numpy()
    assert net["out"].shape == expected.shape
    np.testing.assert_allclose(drive(net, x), expected, rtol=1e-12, atol=1e-11)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_folded_linear_layer_equals_torch(ky, kx, rest, seed):
    rng = np.random.default_rng(seed)
    shape = (2, 2 * ky + rest % ky, 3 * kx + rest % kx)
    weight = rng.normal(size=(3, 12))
    x = rng.integers(0, 2, size=shape).astype(np.float64)
    layers = [
        {"name": "pool", "kind": "avgpool2d", "kernel_size": [ky, kx]},
        {"name": "flat", "kind": "flatten"},
        linear(),
    ]
    net, _ = make(layers, {"w": weight}, shape)
    pooled = nn.functional.avg_pool2d(torch.from_numpy(x)[None], (ky, kx)).reshape(1, -1)
    expected = nn.functional.linear(pooled, torch.from_numpy(weight))[0].numpy()
    np.testing.assert_allclose(drive(net, x), expected, rtol=1e-12, atol=1e-11)


def test_folding_keeps_float32_only_where_that_is_exact():
    weight = np.ones((1, 1, 1, 1), np.float32) / np.float32(3)
    for window, dtype in ((2, np.float32), (3, np.float64)):
        pool = TilingPool((window, window), 1 / window**2)
        folded, _, _ = fold_conv2d("conv", weight, (1, 1), (0, 0), (1, 1), pool, (6, 6))
        assert folded.dtype == dtype
        flat = fold_linear(np.full((1, 4), weight[0, 0, 0, 0]), pool, (1, 2 * window, 2 * window))
        assert flat.dtype == dtype


POOL = {"name": "pool", "kind": "avgpool2d", "kernel_size": 2}


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        ([POOL | {"stride": 1}, linear()], (1, 4, 4), "'pool' .*: windows: expected stride equal"),
        ([POOL | {"padding": 1}, linear()], (1, 4, 4), "windows: expected .* no padding"),
        ([POOL], (1, 4, 4), "'pool' .*: neurons: expected some in the last layer"),
        ([POOL, {"name": "m", "kind": "maxpool2d", "kernel_size": 2}], (1, 8, 8),
         "layer 'm' .*: input: expected spikes, got the output of layer 'pool'"),
        ([POOL, {"name": "c", "kind": "conv2d", "weight": "k", "dilation": 2}], (1, 8, 8),
         "layer 'c' .*: dilation: expected 1"),
        ([POOL, {"name": "c", "kind": "conv2d", "weight": "k", "padding": 1}], (1, 9, 8),
         "layer 'c' .*: padding: expected 0 .* leave a rest of 1 of 9"),
    ],
)  # fmt: skip
def test_pooling_that_cannot_be_folded(layers, shape, message):
    tensors = {"w": np.ones((1, 4)), "k": np.ones((1, 1, 2, 2))}
    with pytest.raises(UnsupportedNetwork, match=message):
        make(layers, tensors, shape)


# What does not fit


@pytest.mark.parametrize(
    ("layers", "tensors", "shape", "message"),
    [
        ([linear()], {"w": (3, 5)}, (4,),
         r"net.pt: layer 'out' \(linear\): tensor 'w': expected shape \(any, 4\) \[out, in\], "
         r"got \(3, 5\)"),
        ([linear()], {"w": (4, 3)}, (4,), "looks transposed"),
        ([linear()], {"w": (4,)}, (4,), r"expected shape \(any, 4\) \[out, in\], got \(4,\)"),
        ([linear(bias="b")], {"w": (3, 4), "b": (4,)}, (4,),
         r"tensor 'b': expected shape \(3,\) \[out\], got \(4,\)"),
        ([linear()], {"v": (3, 4)}, (4,), r"'out' .*: tensor 'w': expected one of \['v'\]"),
        ([linear()], {"w": (3, 4), "extra": (2,)}, (4,),
         r"tensors: expected that architecture uses all .* got unused \['extra \(2,\)'\]"),
        ([linear(tau="t")], {"w": (3, 4), "t": (2,)}, (4,),
         r"tensor 't': expected shape \(3,\) \[neuron\], or one entry, got \(2,\)"),
        ([linear(kind="conv2d")], {"w": (3, 2, 5, 5)}, (1, 8, 8),
         r"'out' \(conv2d\): tensor 'w': expected shape \(any, 1, any, any\) "
         r"\[out, in / groups, kernel_y, kernel_x\], got \(3, 2, 5, 5\)"),
        ([linear(kind="conv2d", groups=2)], {"w": (3, 2, 5, 5)}, (3, 8, 8),
         r"expected shape \(any, 3 / 2, any, any\)"),
        ([linear(kind="conv2d")], {"w": (3, 1, 9, 9)}, (1, 8, 8), "'out' .* a kernel that fits"),
        ([linear(kind="conv2d")], {"w": (3, 1, 2, 2)}, (4,), r"'out' .*\(channel, y, x\)"),
        ([linear(kind="conv2d", padding=-1)], {"w": (3, 1, 2, 2)}, (1, 4, 4), "'out' .* padding"),
        ([{"name": "f", "kind": "flatten"}, linear(kind="conv2d")], {"w": (3, 1, 2, 2)},
         (1, 4, 4), "'out' .*: input: expected an image, got a flattened one"),
        ([linear(tau=-1.0)], {"w": (3, 4)}, (4,), "'out' .* tau_mem: expected a number > 0"),
        ([linear(neuron="if", tau=1.0)], {"w": (3, 4)}, (4,), "tau: expected none for neuron 'if'"),
        ([linear(bias="b", i_bias=1.0)], {"w": (3, 4), "b": (3,)}, (4,), "i_bias: .* got both"),
        ([linear(spread=-1.0)], {"w": (3, 4)}, (4,), "'out' .* spread: expected a number >= 0"),
        ([POOL | {"delay": 1e-3}, linear()], {"w": (3, 4)}, (1, 4, 4), "delay: expected it at"),
        ([POOL | {"kernel_size": 5}, linear()], {"w": (3, 4)}, (1, 4, 4), "a window that fits"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(layers, tensors, shape, message):
    with pytest.raises(FileError, match=message):
        make(layers, {name: np.ones(size) for name, size in tensors.items()}, shape)


def test_nan_weight_is_named():
    weight = np.ones((3, 4))
    weight[2, 1] = np.nan
    with pytest.raises(
        FileError, match=r"net.pt: layer 'out' .*: tensor 'w'\[2, 1\]: .* finite"
    ) as caught:
        make([linear()], {"w": weight})
    assert str(caught.value).count("layer 'out'") == 1


def test_unused_tensors_can_be_ignored():
    tensors = {"w": np.ones((3, 4)), "norm.mean": np.ones(1), "norm.var": np.ones(1)}
    net, _ = make([linear()], tensors, ignore=["norm.*"])
    assert net["out"].n == 3


# The description itself


GOOD = described([linear()])


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


# Files


class Touch:
    """Unpickling this creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_named_and_not_run(tmp_path, zipped):
    trap = tmp_path / "trap"
    torch.save({"w": Touch(trap)}, tmp_path / "evil.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(FileError, match=r"evil\.pt: .*code \(posix\.mkdir\); .* never allowed"):
        es.load(tmp_path / "evil.pt", GOOD)
    assert not trap.exists()


def test_whole_modules_are_refused(tmp_path):
    torch.save(nn.Linear(4, 3), tmp_path / "net.pt")
    with pytest.raises(FileError, match=r"pickled code \(torch\.nn\.modules\.linear\.Linear\)"):
        es.load(tmp_path / "net.pt", GOOD)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(1)], "expected named tensors, got a list"),
        ({}, "expected named tensors, got the entries"),
        ({"w": 3}, "w: expected a tensor, got int"),
        ({"model": {"w": torch.ones(3, 4)}}, r"nested entries \['model'\]"),
        ({"w": torch.ones(3, 4, dtype=torch.complex64)}, "tensor 'w': expected real numbers"),
    ],
)
def test_other_content_is_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(FileError, match=message):
        es.load(tmp_path / "net.pt", GOOD)


def test_checkpoint_with_an_entry_for_the_tensors(tmp_path):
    torch.save({"model": {"w": torch.ones(3, 4)}, "epoch": 3}, tmp_path / "net.pt")
    net, _ = es.load(tmp_path / "net.pt", GOOD | {"state_dict": "model"})
    assert net["out"].n == 3
    with pytest.raises(FileError, match=r"state_dict: expected an entry 'x', got the entries"):
        es.load(tmp_path / "net.pt", GOOD | {"state_dict": "x"})


def test_damaged_files(tmp_path):
    torch.save({"w": torch.ones(3, 4)}, tmp_path / "net.pt")
    save_file({"w": torch.ones(3, 4)}, tmp_path / "net.safetensors")
    for name in ("net.pt", "net.safetensors"):
        path = tmp_path / name
        data = path.read_bytes()
        for size in (12, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:size])
            with pytest.raises(FileError, match=f"{name}: file: expected .* got a damaged"):
                es.load(path, GOOD)


def test_dispatch_needs_the_right_partner(tmp_path):
    torch.save({"w": torch.ones(3, 4)}, tmp_path / "net.pt")
    with pytest.raises(FileError, match=r"net\.pt: architecture: expected a description"):
        es.load(tmp_path / "net.pt")
    es.save(tmp_path / "net.h5", es.Network([es.Input("a", 1)]))
    with pytest.raises(FileError, match=r"net\.h5: architecture: expected none"):
        es.load(tmp_path / "net.h5", GOOD)
    (tmp_path / "net.toml").write_text("dt = 1")
    with pytest.raises(FileError, match=r"net\.toml: file: expected an eventsim network .* b'dt"):
        es.load(tmp_path / "net.toml")


@pytest.mark.parametrize(
    ("package", "begins"), [("torch", b"PK\x03\x04"), ("safetensors", b"\x02" + b"\0" * 7 + b"{}")]
)
def test_missing_packages_name_their_extra(tmp_path, monkeypatch, package, begins):
    (tmp_path / "net").write_bytes(begins)
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingExtra, match=rf"pip install \"eventsim\[{package}\]\""):
        es.load(tmp_path / "net", GOOD)
