"""Networks from tensors with a description of their architecture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

import eventsim as es
from eventsim.errors import FileError
from models.export import to_eventsim
from models.networks import build
from tests.described import POOL, described, linear, make

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
