"""What a network says of itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import InvalidValue
from tests.networks import small


def test_views():
    net = small()
    assert net["conv"].n == 18 and net["conv"].shape == (2, 3, 3)
    assert net.inputs == ("image",) and net.outputs == ()
    assert net.order == ("image", "conv", "pool", "out")
    assert "pool" in net and "nobody" not in net
    assert [p.name for p in net] == ["image", "conv", "pool", "out"]
    with pytest.raises(InvalidValue, match="nobody"):
        net["nobody"]


def test_order_follows_zero_delay_projections_and_then_the_declaration():
    cells = [es.Population(name, 1, tau_mem=1.0) for name in "abcd"]
    links = [
        es.Dense("d", "a", [[1.0]]),
        es.Dense("a", "c", [[1.0]]),
        es.Dense("c", "d", [[1.0]], delay=0.1),
    ]
    assert es.Network(cells, links).order == ("b", "d", "a", "c")


def test_repr_and_describe():
    net = small()
    chain = "image[16] -> conv[18] -> pool[2] -> out[3]"
    assert repr(net) == f"Network({chain}; 39 units, 88 synapses)"
    assert repr(net["out"]) == "Population('out', 3, tau_mem=0.005, i_bias=[0, ..., 0.2])"
    assert repr(net["conv"]) == "Population('conv', (2, 3, 3), tau_mem=0.004, t_ref=0.001)"
    conv = repr(net.projections[0])
    assert conv.startswith("Conv2d('image', 'conv', weight=float64[2, 1, 2, 2], ")
    assert conv.endswith(", spread=0.001)")
    lines = [line.split() for line in net.describe().splitlines()]
    assert "image -> conv Conv2d 8 72 0 s pulse of 0.001 s".split() in lines
    assert "out -> conv Sparse 2 2 0.001 to 0.002 s pulse of 0.002 s".split() in lines
    assert ["total", "16", "88"] in lines


def test_everything_is_immutable():
    net = small()
    dense, out = net.projections[2], net["out"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        net.populations = ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        out.tau_mem = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        dense.weight = 0.0
    for array in (dense.weight, out.i_bias, net.projections[3].delay, net.projections[3].pre):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    out.array("i_bias")[0] = 5.0
    assert out.i_bias[0] == 0.0


def test_arrays_are_copied():
    weight, bias = np.ones((1, 2)), np.zeros(2)
    net = es.Network(
        [es.Input("a", 1), es.Population("b", 2, tau_mem=1.0, i_bias=bias)],
        [es.Dense("a", "b", weight)],
    )
    weight[:], bias[:] = 7.0, 7.0
    assert net.projections[0].weight.max() == 1.0 and net["b"].i_bias.max() == 0.0


def test_weights_keep_their_dtype():
    assert es.Dense("a", "b", np.ones((1, 1), np.float32)).weight.dtype == np.float32
    assert es.Dense("a", "b", np.ones((1, 1), np.int8)).weight.dtype == np.float64


def test_with_spread_replace_and_fingerprint():
    net = small()
    same = small()
    assert net.fingerprint() == same.fingerprint()
    delta = net.with_spread(0.0)
    assert [getattr(p, "spread", None) for p in delta.projections] == [0.0, None, 0.0, 0.0]
    assert net.projections[0].spread == 1e-3
    faster = net.replace("conv", tau_mem=1e-3)
    assert faster["conv"].tau_mem == 1e-3 and faster["conv"].shape == (2, 3, 3)
    prints = {n.fingerprint() for n in (net, delta, faster, net.replace("out", t_ref=1e-3))}
    assert len(prints) == 4
    with pytest.raises(InvalidValue, match="colour"):
        net.replace("conv", colour=1.0)


def test_parameters_broadcast():
    p = es.Population("p", (1, 2, 2), tau_mem=np.arange(1.0, 5.0).reshape(1, 2, 2), v_leak=-1)
    assert p.array("tau_mem").tolist() == [1.0, 2.0, 3.0, 4.0]
    assert p.array("v_init").tolist() == [-1.0] * 4
    assert isinstance(p.v_leak, float)


def test_receptors():
    cells = es.Population("cells", 2, tau_mem=1.0, tau_syn=[0.5, [0.1, 0.2]], adapt_beta=0.5,
                          tau_adapt=2.0)  # fmt: skip
    assert cells.n_receptors == 2 and cells.adapts
    assert cells.receptor_times.tolist() == [[0.5, 0.5], [0.1, 0.2]]
    net = es.Network(
        [es.Input("in", 1), cells],
        [es.Dense("in", "cells", [[1.0, 1.0]], receptor=1), es.Dense("in", "cells", [[1.0, 1.0]])],
    )
    described = net.describe()
    assert "tau_syn=[0.5, 0.1..0.2] s" in described and "adapt_beta=0.5" in described
    assert "receptor 1" in described and "delta" in described
    assert net.with_spread(0.1).projections[0].spread == 0.0
    assert net.with_spread(0.1).projections[1].spread == 0.1
    with pytest.raises(es.errors.InvalidValue, match="'in' -> 'cells': receptor: .* below 2"):
        es.Network(net.populations, [es.Dense("in", "cells", [[1.0, 1.0]], receptor=2)])
