"""The coarse cell, the reference networks, and their export."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from eventsim.discrete import theory
from eventsim.errors import InvalidValue
from models import coding, export, networks
from models.cell import VARIANTS, CoarseLIF, coefficients, fire

# -- the cell ------------------------------------------------------------------------------


def by_formula(variant, x, tau, v0):
    """The rules written out neuron by neuron in plain Python."""
    a = math.exp(-1 / tau)
    b = tau * (1 - a)
    c = tau * (1 - b)
    v = s = 0.0
    spikes, potentials = [], []
    for drive in x:
        v = {
            "coarse": (1 - s) * (a * v + b * drive) + s * c * drive,
            "coarse_drop": (1 - s) * (a * v + b * drive),
            "constant_potential": (1 - s) * (a * v + b / c * drive) + s * drive,
            "lif": (1 - s) * a * v + b * drive,
            "if": (1 - s) * v + drive,
            "mcculloch_pitts": drive,
        }[variant]
        s = 1.0 if v > v0 else 0.0
        spikes.append(s)
        potentials.append(v)
    return spikes, potentials


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cell_is_the_formula(variant, dtype):
    x = np.random.default_rng(1).normal(0.5, 1.0, (30, 20))
    cell = CoarseLIF(3.0, 0.8, variant)
    state = None
    spikes, potentials = [], []
    for drive in torch.from_numpy(x).to(dtype):
        s, state = cell(drive, state)
        spikes.append(s)
        potentials.append(state[0])
    assert spikes[0].dtype == dtype
    expected = [by_formula(variant, column, 3.0, 0.8) for column in x.T]
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    np.testing.assert_array_equal(torch.stack(spikes).T, [e[0] for e in expected])
    np.testing.assert_allclose(
        torch.stack(potentials).T, [e[1] for e in expected], rtol=0, atol=tolerance
    )


@pytest.mark.parametrize("tau", [0.3, 1.0, 4.0, 50.0, math.inf])
def test_coefficients_agree_with_eventsim(tau):
    np.testing.assert_allclose(coefficients(tau), [float(k) for k in theory.coefficients(tau)])


def test_no_spike_at_threshold():
    spikes, _ = CoarseLIF(4.0, 0.5, "mcculloch_pitts")(torch.tensor([0.5, 0.5000001]))
    assert spikes.tolist() == [0.0, 1.0]


def test_surrogate_gradient_is_that_of_the_sigmoid():
    x = torch.linspace(-2, 2, 41, dtype=torch.float64)
    hard, soft = x.clone().requires_grad_(), x.clone().requires_grad_()
    weight = torch.arange(41, dtype=torch.float64)
    (fire(hard, 5.0) * weight).sum().backward()
    (torch.sigmoid(5.0 * soft) * weight).sum().backward()
    torch.testing.assert_close(hard.grad, soft.grad)


def test_gradient_flows_through_the_reset():
    """d s2 / d x1 has a part through v and one through s, here evaluated by hand."""
    a, b, c = coefficients(4.0)
    x1 = torch.tensor([0.9], dtype=torch.float64, requires_grad=True)
    x2 = torch.tensor([0.8], dtype=torch.float64)
    cell = CoarseLIF(4.0)
    s1, state = cell(x1)
    s2, _ = cell(x2, state)
    s2.sum().backward()

    def slope(v):
        g = 1 / (1 + math.exp(-5 * (v - 1)))
        return 5 * g * (1 - g)

    v1 = b * 0.9
    v2 = a * v1 + b * 0.8
    through_reset = (c * 0.8 - v2) * slope(v1)
    assert s1.item() == 0
    assert x1.grad.item() == pytest.approx(slope(v2) * (a + through_reset) * b, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"tau": 0.0}, "tau"),
        ({"tau": math.nan}, "tau"),
        ({"tau": 4.0, "v_threshold": -1.0}, "v_threshold"),
        ({"tau": 4.0, "beta": math.inf}, "beta"),
        ({"tau": 4.0, "variant": "coarser"}, "variant"),
    ],
)
def test_cell_refuses(arguments, field):
    with pytest.raises(InvalidValue, match=f"CoarseLIF: {field}: expected"):
        CoarseLIF(**arguments)


# -- coding --------------------------------------------------------------------------------


def test_bernoulli_rate_and_seed():
    images = torch.tensor([[0.0, 0.25, 1.0]]).repeat(4000, 1)
    spikes = coding.bernoulli(images, 4, 0.8, torch.Generator().manual_seed(3))
    assert spikes.shape == (4000, 4, 3)
    rates = spikes.mean(dim=(0, 1))
    assert rates[0] == 0
    assert rates[1:].tolist() == pytest.approx([0.2, 0.8], abs=0.015)
    again = coding.bernoulli(images, 4, 0.8, torch.Generator().manual_seed(3))
    assert torch.equal(spikes, again)
    assert coding.bernoulli(images, 4)[:, :, 2].min() == 1


def test_constant_repeats_the_scaled_image():
    assert coding.encode(torch.tensor([[0.5]]), 3, "constant", 2.0).tolist() == [[[1.0]] * 3]


def test_ties_go_to_the_lowest_class():
    spikes = torch.zeros(3, 2, 4)
    spikes[0, :, 2] = 1
    spikes[1, 0, 3] = spikes[1, 1, 1] = 1
    assert coding.classes(spikes).tolist() == [2, 1, 0]


def test_losses():
    spikes = torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
    labels = torch.tensor([0])
    expected = math.log(1 + math.exp(3.0 * (0 - 1)))
    assert coding.loss(spikes, labels, "cross-entropy", 3.0).item() == pytest.approx(expected)
    assert coding.loss(spikes, labels, "mse").item() == pytest.approx(0.5)
    assert coding.loss(spikes, labels, "mse", target=3).item() == pytest.approx(1.0)
    for call in (
        lambda: coding.loss(spikes, labels, "hinge"),
        lambda: coding.encode(spikes, 2, "latency"),
    ):
        with pytest.raises(InvalidValue, match="expected one of"):
            call()


# -- networks ------------------------------------------------------------------------------

SHAPES = {
    "shallow": {"out": (10,)},
    "hidden": {"hidden": (256,), "out": (10,)},
    "conv": {"conv1": (4, 14, 14), "out": (10,)},
    "conv2": {"conv1": (4, 14, 14), "conv2": (6, 10, 10), "out": (10,)},
    "lenet5": {
        "conv1": (6, 28, 28),
        "pool1": (6, 14, 14),
        "conv2": (16, 10, 10),
        "pool2": (16, 5, 5),
        "fc1": (120,),
        "fc2": (84,),
        "out": (10,),
    },
}
SHAPES["lenet5_const"] = {"image": (1, 28, 28), **SHAPES["lenet5"]}
BIASED = {"hidden", "conv1", "conv2"}


def strong(name, **options):
    """A network whose weights are large enough for spikes to reach every layer."""
    torch.manual_seed(5)
    net = networks.build(name, **options)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(4)
    return net


@pytest.mark.parametrize("name", networks.NAMES)
def test_shapes_of_each_network(name):
    net = strong(name)
    x = torch.rand(2, 3, 1, 28, 28).round()
    layers = net(x, layers=True)
    assert {k: tuple(v.shape[2:]) for k, v in layers.items()} == SHAPES[name]
    for spikes in layers.values():
        assert spikes.shape[:2] == (2, 3)
        assert set(spikes.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(net(x), layers["out"])
    assert torch.equal(net(x.flatten(2)), layers["out"])
    with_bias = {key.split(".")[0] for key in net.state_dict() if key.endswith("bias")}
    assert with_bias == BIASED & set(SHAPES[name])


def test_max_pool_is_an_or_over_the_step():
    layers = strong("lenet5")(torch.rand(2, 3, 784).round(), layers=True)
    windows = layers["conv1"].reshape(2, 3, 6, 14, 2, 14, 2)
    assert torch.equal(layers["pool1"], windows.amax(dim=(4, 6)))


@pytest.mark.parametrize("name", ["shallow", "hidden", "conv"])
def test_small_images(name):
    net = networks.build(name, input_shape=(1, 8, 8), classes=7)
    assert net(torch.ones(2, 4, 1, 8, 8)).shape == (2, 4, 7)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("conv2", "kernel of conv2 meets maps of only 4x4"),
        ("lenet5", "kernel of conv2 meets maps of only 4x4"),
        ("lenet5_const", "got 8x8"),
    ],
)
def test_images_too_small_are_refused_with_the_reason(name, reason):
    with pytest.raises(InvalidValue, match=reason):
        networks.build(name, input_shape=(1, 8, 8))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"name": "alexnet"}, "name"),
        ({"name": "hidden", "hidden": 0}, "hidden"),
        ({"name": "hidden", "classes": -1}, "classes"),
        ({"name": "hidden", "input_shape": (28, 28)}, "input_shape"),
        ({"name": "hidden", "variant": "fine"}, "variant"),
    ],
)
def test_build_refuses(options, field):
    with pytest.raises(InvalidValue, match=f"{field}: expected"):
        networks.build(**options)


def test_network_refuses_input_of_another_size():
    net = networks.build("shallow")
    for shape in [(2, 4, 64), (2, 784), (2, 0, 784)]:
        with pytest.raises(InvalidValue, match="shallow: x: expected"):
            net(torch.zeros(shape))


# -- export --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", networks.NAMES)
def test_the_twin_gives_the_same_spikes(name):
    net = strong(name, hidden=40, tau_hidden=3.0, tau_out=5.0, tau_input=2.0).double()
    rng = np.random.default_rng(2)
    images = rng.random((3, 784)) ** 2
    scale = 1.1 if name == "lenet5_const" else 1.0
    network, disc = export.to_eventsim(net, steps=4, encoder_scale=scale)
    x = coding.encode(torch.from_numpy(images), 4, net.encoder, scale)
    layers = net(x, layers=True)
    twin = disc.run(network, images if disc.encoder == "constant" else x.numpy(), layers=True)
    for layer, spikes in layers.items():
        np.testing.assert_array_equal(twin[layer], spikes.detach().flatten(2).numpy())
    assert network.outputs == ("out",)
    assert disc.variants == ({"image": "constant_potential"} if scale != 1 else {})


def test_exported_parameters():
    net = networks.build("hidden", hidden=5, tau_hidden=2.0, v_threshold=0.5)
    network, disc = export.to_eventsim(net, steps=6)
    hidden = network["hidden"]
    assert (hidden.tau_mem, hidden.t_ref, hidden.v_threshold) == (2e-3, 1e-3, 0.5)
    np.testing.assert_allclose(hidden.array("i_bias"), 2 * net.hidden.bias.detach().numpy())
    weight = network.projections[0].weight
    assert weight.dtype == np.float32
    np.testing.assert_array_equal(weight, net.hidden.weight.detach().numpy().T)
    assert {p.spread for p in network.projections} == {1e-3}
    assert (disc.dt, disc.steps, disc.spread, disc.encoder) == (1e-3, 6, 1e-3, "bernoulli")


@pytest.mark.parametrize(
    ("variant", "tau_mem", "t_ref"),
    [("coarse_drop", 4e-3, 1e-3), ("lif", 4e-3, 0.0), ("if", math.inf, 0.0)],
)
def test_export_of_variants(variant, tau_mem, t_ref):
    net = strong("hidden", hidden=20, variant=variant).double()
    network, disc = export.to_eventsim(net, steps=4)
    assert disc.rule == variant
    assert (network["hidden"].tau_mem, network["hidden"].t_ref) == (tau_mem, t_ref)
    x = torch.rand(3, 4, 784, dtype=torch.float64).round()
    np.testing.assert_array_equal(disc.run(network, x.numpy()), net(x).detach().numpy())
