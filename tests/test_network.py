"""Networks, populations, projections, trains: what they accept, refuse, and say of themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import eventsim as es
from eventsim.errors import EventsimError, InvalidType, InvalidValue

NAN, INF = float("nan"), float("inf")


def small(**options) -> es.Network:
    return es.Network(
        [
            es.Input("image", (1, 4, 4)),
            es.Population("conv", (2, 3, 3), tau_mem=4e-3, t_ref=1e-3),
            es.Relay("pool", (2, 1, 1)),
            es.Population("out", 3, tau_mem=5e-3, i_bias=[0.0, 0.1, 0.2]),
        ],
        [
            es.Conv2d("image", "conv", np.ones((2, 1, 2, 2)), spread=1e-3),
            es.MaxPool2d("conv", "pool", 2, delay=1e-3),
            es.Dense("pool", "out", np.ones((2, 3), dtype=np.float32)),
            es.Sparse("out", "conv", [0, 1], [2, 3], 0.5, delay=[1e-3, 2e-3], spread=2e-3),
        ],
        **options,
    )


# What a network says.


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


# What they refuse: the message names the place, the field, what was expected and what came.


def population(**options):
    return es.Population("cells", 3, **{"tau_mem": 1.0, **options})


BAD_POPULATIONS = {
    "tau_mem zero": ({"tau_mem": 0.0}, ["tau_mem", "> 0", "0.0"]),
    "tau_mem negative": ({"tau_mem": [1.0, -2.0, 1.0]}, ["tau_mem[1]", "> 0", "-2.0"]),
    "tau_mem nan": ({"tau_mem": NAN}, ["tau_mem", "nan"]),
    "tau_mem minus inf": ({"tau_mem": -INF}, ["tau_mem", "-inf"]),
    "t_ref negative": ({"t_ref": -1e-3}, ["t_ref", ">= 0", "-0.001"]),
    "t_ref inf": ({"t_ref": INF}, ["t_ref", "finite", "inf"]),
    "bias nan": ({"i_bias": [0.0, NAN, 0.0]}, ["i_bias[1]", "finite", "nan"]),
    "bias inf": ({"i_bias": INF}, ["i_bias", "finite", "inf"]),
    "reset at threshold": ({"v_reset": 1.0}, ["v_reset", "below v_threshold", "1.0"]),
    "reset above": ({"v_threshold": [2.0, 0.0, 2.0], "v_reset": 0.5}, ["v_reset", "0.5"]),
    "threshold minus inf": ({"v_threshold": -INF}, ["v_threshold", "-inf"]),
    "too short": ({"v_leak": [0.0, 0.0]}, ["v_leak", "3", "(2,)"]),
    "too many axes": ({"v_leak": np.zeros((3, 1))}, ["v_leak", "3", "(3, 1)"]),
    "reset kind": ({"reset": "hard"}, ["reset", "'value' or 'subtract'", "'hard'"]),
    "multi_spike": ({"multi_spike": True}, ["multi_spike", "subtract", "True"]),
    "tau_syn zero": ({"tau_syn": 0.0}, ["tau_syn[0]", "> 0", "0.0"]),
    "tau_syn of one": ({"tau_syn": [1.0, [1.0, 1.0, -1.0]]}, ["tau_syn[1][2]", "> 0", "-1.0"]),
    "tau_syn inf": ({"tau_syn": INF}, ["tau_syn[0]", "finite", "inf"]),
    "tau_syn short": ({"tau_syn": [[1.0, 2.0]]}, ["tau_syn[0]", "3", "(2,)"]),
    "tau_syn none": ({"tau_syn": []}, ["tau_syn", "at least one", "[]"]),
    "tau_syn text": ({"tau_syn": "fast"}, ["tau_syn", "real numbers", TypeError]),
    "no tau_adapt": ({"adapt_beta": 0.1}, ["tau_adapt", "adapt_beta is not 0", "None"]),
    "tau_adapt": ({"adapt_beta": 0.1, "tau_adapt": 0.0}, ["tau_adapt", "> 0", "0.0"]),
    "no tau_ahp": ({"ahp_jump": [0.0, 0.1, 0.0]}, ["tau_ahp", "ahp_jump is not 0", "None"]),
    "tau_ahp": ({"tau_ahp": [1.0, -1.0, 1.0]}, ["tau_ahp[1]", "> 0", "-1.0"]),
    "adapt_beta nan": ({"adapt_beta": NAN, "tau_adapt": 1.0}, ["adapt_beta", "finite", "nan"]),
    "v_init nan": ({"v_init": NAN}, ["v_init", "finite", "nan"]),
    "text": ({"r": "big"}, ["r", "real numbers", "<U3", TypeError]),
    "complex": ({"r": 1j}, ["r", "real", "complex", TypeError]),
    "flag": ({"fires_at_equality": 1}, ["fires_at_equality", "True or False", "1", TypeError]),
    "no tau_mem": ({"tau_mem": None}, ["tau_mem", "real numbers", TypeError]),
    "huge integer": ({"r": 10**400}, ["r", "real numbers", "object", TypeError]),
    "gain overflows": ({"tau_mem": 5e-324}, ["tau_mem", "r / tau_mem", "5e-324"]),
    "drive overflows": ({"r": 1e200, "i_bias": 1e200}, ["i_bias", "finite", "1e+200"]),
}


def refuses(make, words):
    kind = TypeError if TypeError in words else ValueError
    with pytest.raises(EventsimError) as caught:
        make()
    assert isinstance(caught.value, kind)
    for word in words:
        if isinstance(word, str):
            assert word in str(caught.value), str(caught.value)
    assert "expected" in str(caught.value) and "got" in str(caught.value)


@pytest.mark.parametrize("key", BAD_POPULATIONS)
def test_bad_population(key):
    options, words = BAD_POPULATIONS[key]
    refuses(lambda: population(**options), ["cells", *words])


@pytest.mark.parametrize("kind", [es.Input, es.Relay])
@pytest.mark.parametrize(
    ("n", "error"),
    [(0, InvalidValue), (-1, InvalidValue), ((2, 0), InvalidValue), (2.5, InvalidType)],
)
def test_bad_size(kind, n, error):
    with pytest.raises(error, match="'units': n: expected"):
        kind("units", n)


@pytest.mark.parametrize("n", [2**31, 10**30, (2**20, 2**20)])
def test_more_units_than_can_be_numbered(n):
    refuses(lambda: es.Population("cells", n, tau_mem=1.0), ["'cells'", "n", "2147483647", str(n)])


@pytest.mark.parametrize("name", ["", "a/b", ".a", 5, None])
def test_bad_name(name):
    with pytest.raises(EventsimError, match="name: expected"):
        es.Input(name, 1)


W = [[1.0, 2.0]]
KERNEL = np.ones((2, 1, 2, 2))
BAD_PROJECTIONS = {
    "nan weight": (lambda: es.Dense("a", "b", [[1.0, NAN]]), ["weight[0, 1]", "finite", "nan"]),
    "inf weight": (lambda: es.Dense("a", "b", [[INF, 1.0]]), ["weight[0, 0]", "finite", "inf"]),
    "nan kernel": (lambda: es.Conv2d("a", "b", KERNEL * NAN), ["weight[0, 0, 0, 0]", "nan"]),
    "nan sparse": (
        lambda: es.Sparse("a", "b", [0, 1], [0, 0], [1.0, NAN]),
        ["weight[1]", "finite", "nan"],
    ),
    "flat weight": (lambda: es.Dense("a", "b", [1.0]), ["weight", "[pre, post]", "(1,)"]),
    "flat kernel": (lambda: es.Conv2d("a", "b", W), ["weight", "kernel_y", "(1, 2)"]),
    "text weight": (lambda: es.Dense("a", "b", [["x"]]), ["weight", "real", TypeError]),
    "negative delay": (lambda: es.Dense("a", "b", W, delay=-1.0), ["delay", ">= 0", "-1.0"]),
    "negative delays": (
        lambda: es.Dense("a", "b", W, delay=[[0.0, -1.0]]),
        ["delay[0, 1]", ">= 0", "-1.0"],
    ),
    "nan delay": (lambda: es.Conv2d("a", "b", KERNEL, delay=NAN), ["delay", "finite", "nan"]),
    "inf delay": (lambda: es.Dense("a", "b", W, delay=INF), ["delay", "finite", "inf"]),
    "shape of delay": (
        lambda: es.Dense("a", "b", W, delay=[0.0]),
        ["delay", "(1, 2)", "(1,)"],
    ),
    "delay of pool": (lambda: es.SumPool2d("a", "b", 2, delay=-1.0), ["delay", ">= 0", "-1.0"]),
    "negative spread": (lambda: es.Dense("a", "b", W, spread=-1.0), ["spread", ">= 0", "-1.0"]),
    "nan spread": (lambda: es.Dense("a", "b", W, spread=NAN), ["spread", "finite", "nan"]),
    "steep pulse": (
        lambda: es.Dense("a", "b", np.array([[1e30]], dtype=np.float32), spread=1e-300),
        ["spread", "weight / spread", "1e-300"],
    ),
    "steep pool": (lambda: es.SumPool2d("a", "b", 2, spread=5e-324), ["spread", "5e-324"]),
    "masked weight": (
        lambda: es.Dense("a", "b", np.ma.masked_equal(W, 2.0)),
        ["weight", "masked", TypeError],
    ),
    "ragged weight": (lambda: es.Dense("a", "b", [[1], [1, 2]]), ["weight", "[1, 2]", TypeError]),
    "ragged index": (
        lambda: es.Sparse("a", "b", [[1], [1, 2]], [0], 1.0),
        ["pre", "[1, 2]", TypeError],
    ),
    "index beyond int64": (
        lambda: es.Sparse("a", "b", np.array([2**63], dtype=np.uint64), [0], 1.0),
        ["pre[0]", "9223372036854775808"],
    ),
    "empty kernel": (
        lambda: es.Conv2d("a", "b", np.ones((1, 1, 0, 3))),
        ["weight", "each axis", "(1, 1, 0, 3)"],
    ),
    "float stride": (
        lambda: es.Conv2d("a", "b", KERNEL, stride=1.5),
        ["stride", "two ints", "1.5", TypeError],
    ),
    "no window size": (
        lambda: es.AvgPool2d("a", "b", None),
        ["kernel_size", "two ints", "None", TypeError],
    ),
    "float groups": (lambda: es.Conv2d("a", "b", KERNEL, groups=1.0), ["groups", "1.0", TypeError]),
    "receptor": (lambda: es.Dense("a", "b", W, receptor=-1), ["receptor", ">= 0", "-1"]),
    "receptor text": (lambda: es.Dense("a", "b", W, receptor="e"), ["receptor", "int", TypeError]),
    "receptor of a pulse": (
        lambda: es.Dense("a", "b", W, receptor=0, spread=1e-3),
        ["spread", "no pulse", "0.001"],
    ),
    "lengths": (lambda: es.Sparse("a", "b", [0, 1], [0], 1.0), ["post", "2 entries", "1"]),
    "weights": (lambda: es.Sparse("a", "b", [0], [0], [1.0, 2.0]), ["weight", "1 entries", "2"]),
    "negative index": (lambda: es.Sparse("a", "b", [-1], [0], 1.0), ["pre[0]", ">= 0", "-1"]),
    "float index": (
        lambda: es.Sparse("a", "b", [0.5], [0], 1.0),
        ["pre", "integers", "float64", TypeError],
    ),
    "stride": (lambda: es.Conv2d("a", "b", KERNEL, stride=0), ["stride", ">= 1", "0"]),
    "padding": (lambda: es.Conv2d("a", "b", KERNEL, padding=(0, -1)), ["padding", ">= 0", "-1"]),
    "three strides": (
        lambda: es.Conv2d("a", "b", KERNEL, stride=(1, 1, 1)),
        ["stride", "two ints", TypeError],
    ),
    "dilation": (lambda: es.Conv2d("a", "b", KERNEL, dilation=0), ["dilation", ">= 1", "0"]),
    "groups": (lambda: es.Conv2d("a", "b", KERNEL, groups=3), ["groups", "divisor", "3"]),
    "window size": (lambda: es.AvgPool2d("a", "b", 0), ["kernel_size", ">= 1", "0"]),
    "pool padding": (lambda: es.SumPool2d("a", "b", 2, padding=2), ["padding", "half", "(2, 2)"]),
    "pool weight": (lambda: es.SumPool2d("a", "b", 2, weight=NAN), ["weight", "finite", "nan"]),
    "rule": (lambda: es.MaxPool2d("a", "b", 2, rule="max"), ["rule", "first_spike", "'max'"]),
    "window": (lambda: es.MaxPool2d("a", "b", 2, window=-1.0), ["window", ">= 0", "-1.0"]),
}


@pytest.mark.parametrize("key", BAD_PROJECTIONS)
def test_bad_projection(key):
    make, words = BAD_PROJECTIONS[key]
    refuses(make, ["'a' -> 'b'", *words])


def network(*links, cells=()):
    base = [
        es.Input("image", (1, 4, 4)),
        es.Input("flat", 5),
        es.Population("maps", (2, 3, 3), tau_mem=1.0),
        es.Population("out", 3, tau_mem=1.0),
        es.Relay("relay", (1, 2, 2)),
    ]
    return es.Network([*base, *cells], links)


BAD_NETWORKS = {
    "unknown source": (es.Dense("nobody", "out", W), ["source", "'flat'", "nobody"]),
    "unknown target": (es.Dense("flat", "nobody", W), ["target", "'out'", "nobody"]),
    "dense shape": (es.Dense("flat", "out", np.ones((3, 5))), ["weight", "(5, 3)", "(3, 5)"]),
    "pre": (es.Sparse("flat", "out", [4, 5], [0, 0], 1.0), ["pre[1]", "below 5", "5"]),
    "post": (es.Sparse("flat", "out", [4], [3], 1.0), ["post[0]", "below 3", "3"]),
    "channels": (es.Conv2d("image", "maps", np.ones((2, 3, 2, 2))), ["weight", "1", "3"]),
    "map size": (es.Conv2d("image", "maps", np.ones((2, 1, 3, 3))), ["target", "(2, 2, 2)"]),
    "kernel size": (es.Conv2d("image", "maps", np.ones((2, 1, 5, 5))), ["weight", "(4, 4)"]),
    "no image": (es.Conv2d("flat", "maps", KERNEL), ["source", "(channel, y, x)", "(5,)"]),
    "no map": (es.Conv2d("image", "out", KERNEL), ["target", "(channel, y, x)", "(3,)"]),
    "pool size": (es.SumPool2d("image", "maps", 2), ["target", "(1, 2, 2)", "(2, 3, 3)"]),
    "into an input": (es.Dense("out", "flat", np.ones((3, 5))), ["target", "Population", "Input"]),
    "dense into relay": (es.Dense("flat", "relay", np.ones((5, 4))), ["target", "Population"]),
    "max into cells": (es.MaxPool2d("image", "maps", 2, window=1.0), ["target", "Relay", "maps"]),
    "no window": (es.MaxPool2d("image", "relay", 2), ["window", "seconds", "'image'", "None"]),
}


@pytest.mark.parametrize("key", BAD_NETWORKS)
def test_bad_network(key):
    link, words = BAD_NETWORKS[key]
    refuses(lambda: network(link), [link.where, *words])


def test_bad_populations_of_a_network():
    refuses(lambda: es.Network([]), ["populations", "at least one"])
    refuses(lambda: network(cells=[es.Input("out", 1)]), ["unique names", "out"])
    refuses(lambda: es.Network(["image"]), ["Input, Population or Relay", "str", TypeError])
    refuses(lambda: es.Network([es.Input("a", 1)], ["a -> b"]), ["projections", "str", TypeError])
    refuses(lambda: es.Network(es.Input("a", 1)), ["populations", "sequence", "Input", TypeError])
    refuses(
        lambda: es.Network([es.Input("a", 1)], 5), ["projections", "sequence", "int", TypeError]
    )
    refuses(
        lambda: small().replace("out", name="other"), ["'out'", "parameters", "tau_mem", "name"]
    )


def test_a_bad_number_is_named_without_an_index():
    with pytest.raises(InvalidValue, match=r"delay: expected a number >= 0, got -1\.0"):
        es.Dense("a", "b", W, delay=-1.0)
    with pytest.raises(InvalidValue, match=r"times\[1\]: expected a time >= 2\.0 \(sorted\)"):
        es.SpikeTrain([2.0, 1.0], [0, 0])


def test_a_relay_has_one_source():
    pool = es.MaxPool2d("image", "relay", 2, window=1.0)
    refuses(lambda: network(pool, pool), ["MaxPool2d", "one", "2"])


def test_a_zero_delay_cycle_is_named():
    cells = [es.Population(name, 1, tau_mem=1.0) for name in ("one", "two", "three", "other")]
    links = [
        es.Dense("one", "two", [[1.0]]),
        es.Dense("two", "three", [[1.0]]),
        es.Dense("three", "one", [[1.0]]),
        es.Dense("three", "other", [[1.0]]),
    ]
    with pytest.raises(InvalidValue, match="cycle") as caught:
        es.Network(cells, links)
    named = str(caught.value).split("got ")[1].split(" -> ")
    assert named[0] == named[-1] and len(named) == 4
    assert set(named) == {"one", "two", "three"}
    edges = {(p.source, p.target) for p in links}
    assert all(edge in edges for edge in zip(named[:-1], named[1:], strict=True))
    links[2] = es.Dense("three", "one", [[1.0]], delay=1e-9)
    assert es.Network(cells, links).order == ("one", "two", "three", "other")
    with pytest.raises(InvalidValue, match="one -> one"):
        es.Network(cells, [es.Dense("one", "one", [[1.0]])])


# Trains and the arguments of a run.

BAD_TRAINS = {
    "nan": ([0.0, NAN], [0, 0], ["times[1]", "finite", "nan"]),
    "inf": ([0.0, INF], [0, 0], ["times[1]", "finite", "inf"]),
    "negative": ([-1.0, 0.0], [0, 0], ["times[0]", ">= 0", "-1.0"]),
    "unsorted": ([1.0, 2.0, 1.5], [0, 0, 0], ["times[2]", "2.0", "sorted", "1.5"]),
    "duplicate": ([1.0, 1.0], [3, 3], ["senders[1]", "duplicate", "3"]),
    "unsorted senders": ([1.0, 1.0], [3, 2], ["senders[1]", "sorted", "2"]),
    "lengths": ([1.0, 2.0], [0], ["senders", "2 entries", "1"]),
    "negative sender": ([1.0], [-1], ["senders[0]", ">= 0", "-1"]),
    "float sender": ([1.0], [0.5], ["senders", "integers", "float64", TypeError]),
    "two axes": ([[1.0]], [[0]], ["expected", "one-dimensional"]),
    "text": (["soon"], [0], ["times", "real", TypeError]),
    "beyond int64": (
        [1.0],
        np.array([2**63], dtype=np.uint64),
        ["senders[0]", "9223372036854775808"],
    ),
}


@pytest.mark.parametrize("key", BAD_TRAINS)
def test_bad_train(key):
    times, senders, words = BAD_TRAINS[key]
    refuses(lambda: es.SpikeTrain(times, senders), ["SpikeTrain", *words])
    refuses(lambda: es.simulate(small(), {"image": (times, senders)}, 1.0), words)
    refuses(lambda: small().session().inject("image", times, senders), words)


TRAIN = es.SpikeTrain([0.1], [0])
BAD_RUNS = {
    "t_stop at t_start": ({"t_stop": 0.0}, ["t_stop", "after t_start", "0.0"]),
    "t_stop before": ({"t_stop": 0.5, "t_start": 0.75}, ["t_stop", "0.75", "0.5"]),
    "t_stop nan": ({"t_stop": NAN}, ["t_stop", "finite", "nan"]),
    "t_stop inf": ({"t_stop": INF}, ["t_stop", "finite", "inf"]),
    "t_start negative": ({"t_start": -1.0}, ["t_start", ">= 0", "-1.0"]),
    "unknown input": ({"inputs": {"eye": TRAIN}}, ["inputs", "'image'", "'eye'"]),
    "no input": ({"inputs": {"out": TRAIN}}, ["inputs", "'image'", "'out'"]),
    "inputs": ({"inputs": TRAIN}, ["inputs", "mapping", "SpikeTrain", TypeError]),
    "train": ({"inputs": {"image": 5}}, ["'image'", "SpikeTrain", "int", TypeError]),
    "sender": (
        {"inputs": {"image": ([0.1, 0.2], [0, 16])}},
        ["'image'", "senders[1]", "below 16", "16"],
    ),
    "too early": ({"t_start": 0.5}, ["'image'", "times[0]", ">= 0.5", "0.1"]),
    "batch sizes": (
        {"inputs": {"image": [TRAIN, TRAIN]}, "currents": [{}]},
        ["inputs", "equally many", "2"],
    ),
    "empty batch": ({"inputs": {"image": []}}, ["inputs", "at least one"]),
    "engine": ({"engine": "fast"}, ["engine", "'queue'", "'fast'"]),
    "record": ({"record": "all"}, ["record", "'counts'", "'all'"]),
    "record name": ({"record": ["eye"]}, ["record", "'image'", "eye"]),
    "record_v name": ({"record_v": {"image": [0]}}, ["record_v", "'out'", "'image'"]),
    "record_v index": ({"record_v": {"out": [0, 3]}}, ["record_v", "'out'", "below 3", "3"]),
    "record_v twice": ({"record_v": {"out": [1, 1]}}, ["record_v", "once", "[1, 1]"]),
    "no inputs": ({"inputs": None}, ["inputs", "mapping", "None", TypeError]),
    "record of another type": ({"record": 5}, ["record", "'counts'", "int", TypeError]),
    "record nested": ({"record": [["out"]]}, ["record", "'counts'", "[['out']]"]),
    "record_v type": ({"record_v": ["out"]}, ["record_v", "mapping", "list", TypeError]),
    "currents type": ({"currents": 5}, ["currents", "mapping", "int", TypeError]),
    "currents of a batch": ({"currents": [5]}, ["currents", "mapping", "int", TypeError]),
    "progress": ({"progress": 5}, ["progress", "callable", "int", TypeError]),
    "max_events": ({"max_events": 0}, ["max_events", ">= 1", "0"]),
    "max_events float": ({"max_events": 1.5}, ["max_events", "int", "1.5", TypeError]),
    "max_events text": ({"max_events": "all"}, ["max_events", "int", "'all'", TypeError]),
    "threads float": ({"threads": 1.5}, ["threads", "int", "1.5", TypeError]),
    "threads text": ({"threads": "2"}, ["threads", "int", "'2'", TypeError]),
    "threads": ({"threads": 0}, ["threads", ">= 1", "0"]),
    "negative threads": ({"threads": -1}, ["threads", ">= 1", "-1"]),
    "currents name": ({"currents": {"image": []}}, ["currents", "'out'", "'image'"]),
    "currents neuron": (
        {"currents": {"out": [(0.1, 0, 1.0), (0.1, 3, 1.0)]}},
        ["'out'", "steps[1]", "below 3"],
    ),
    "currents value": ({"currents": {"out": [(0.1, 0, NAN)]}}, ["'out'", "finite", "nan"]),
    "currents time": ({"currents": {"out": [(-0.1, 0, 1.0)]}}, ["'out'", "steps[0]", "-0.1"]),
    "currents shape": ({"currents": {"out": [(0.1, 1.0)]}}, ["'out'", "(time, neuron, value)"]),
    "currents twice": (
        {"currents": {"out": [(0.1, 2, 1.0), (0.1, 2, 2.0)]}},
        ["'out'", "neuron 2", "0.1"],
    ),
}


@pytest.mark.parametrize("key", BAD_RUNS)
def test_bad_run(key):
    options, words = BAD_RUNS[key]
    arguments = {"inputs": {"image": TRAIN}, "t_stop": 1.0, **options}
    inputs, t_stop = arguments.pop("inputs"), arguments.pop("t_stop")
    refuses(lambda: es.simulate(small(), inputs, t_stop, **arguments), words)


def test_a_run_needs_a_network():
    refuses(lambda: es.simulate("net.h5", {}, 1.0), ["net", "Network", "str", TypeError])
    refuses(lambda: es.Session(None), ["net", "Network", "NoneType", TypeError])


BAD_SESSIONS = {
    "max_events float": ({"max_events": 1.5}, ["max_events", "int", "1.5", TypeError]),
    "t_start": ({"t_start": -1.0}, ["t_start", ">= 0", "-1.0"]),
    "record": ({"record": "all"}, ["record", "'counts'", "'all'"]),
    "record_v": ({"record_v": {"out": [3]}}, ["record_v", "'out'", "below 3", "3"]),
    "currents": ({"currents": {"out": [(0.1, 3, 1.0)]}}, ["'out'", "below 3", "3"]),
    "max_events": ({"max_events": 0}, ["max_events", ">= 1", "0"]),
}


@pytest.mark.parametrize("key", BAD_SESSIONS)
def test_bad_session(key):
    options, words = BAD_SESSIONS[key]
    refuses(lambda: small().session(**options), words)


def test_bad_use_of_a_session():
    session = small().session()
    session.run_until(1.0)
    refuses(lambda: session.inject("image", [0.5], [0]), ["'image'", "times[0]", ">= 1", "0.5"])
    refuses(lambda: session.inject("out", [1.5], [0]), ["'image'", "'out'"])
    refuses(lambda: session.inject("image", [1.5], [16]), ["senders[0]", "below 16", "16"])
    refuses(lambda: session.run_until(0.5), ["0.5", "1"])
    refuses(lambda: session.run_until(NAN), ["finite", "nan"])
    refuses(lambda: session.inject_current("out", [(0.5, 0, 1.0)]), ["'out'", ">= 1", "0.5"])
    refuses(lambda: session.restore(None), ["snapshot", "NoneType", TypeError])


def test_a_snapshot_fits_sessions_of_the_same_kind_alone():
    net = es.Network([es.Input("in", 1), es.Population("out", 1, tau_mem=1.0)],
                     [es.Dense("in", "out", [[1.0]])])  # fmt: skip
    session = net.session()
    session.inject("in", [0.1, 0.3], [0, 0])
    session.run_until(0.2)
    snapshot = session.snapshot()
    assert repr(snapshot) == "Snapshot(t=0.2 s)" and "at 0.2 s" in repr(session)
    same = net.session()
    same.restore(snapshot)
    same.run_until(0.4)
    assert same.counts["out"][0] == 2
    others = [
        net.replace("out", tau_mem=2.0).session(),
        net.session(record="counts"),
        net.session(record_v={"out": [0]}),
        net.session(t_start=0.1),
    ]
    for other in others:
        refuses(lambda other=other: other.restore(snapshot), ["snapshot", "network", "another"])


def test_bad_use_of_records():
    train = es.SpikeTrain([0.1], [0])
    refuses(lambda: train.counts("a"), ["n", "int", "'a'", TypeError])
    refuses(lambda: train.counts(-1), ["n", ">= 0", "-1"])
    refuses(lambda: es.SpikeTrain.sorted(["a"], [0]), ["times", "real", TypeError])
    refuses(lambda: es.SpikeTrain.sorted([[1.0], [1.0, 2.0]], [0]), ["times", TypeError])
    trace = small().session(record_v={"out": [0]}).result().v["out"]
    refuses(lambda: trace.at("a"), ["t", "real", TypeError])
    refuses(lambda: trace.at([[0.0, 0.0]]), ["t", "one axis", "(1, 2)"])


# Maps against torch.


def dense_matrix(link, source, target) -> np.ndarray:
    """All fan-outs as a matrix [pre, post]."""
    n_pre, n_post = int(np.prod(source)), int(np.prod(target))
    matrix = np.zeros((n_pre, n_post))
    synapses = 0
    for i in range(n_pre):
        post, weight, delay = link.fan_out(i, source, target)
        assert np.all(np.diff(post) > 0)
        assert np.array_equal(delay, np.full(post.shape, link.delay))
        matrix[i, post] = weight
        synapses += len(post)
    assert synapses == link.n_synapses(source, target)
    return matrix


sizes = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(
    st.integers(0, 2**31),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(1, 2),
    sizes,
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_conv2d_is_that_of_torch(
    seed, groups, per_in, per_out, size, kernel, stride, padding, dilation
):
    fits = zip(size, kernel, padding, dilation, strict=True)
    if any(n + 2 * p <= d * (k - 1) for n, k, p, d in fits):
        return
    rng = np.random.default_rng(seed)
    source = (groups * per_in, *size)
    weight = rng.normal(size=(groups * per_out, per_in, *kernel))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    link = es.Conv2d("a", "b", weight, **options, delay=0.5)
    images = torch.eye(int(np.prod(source)), dtype=torch.float64).reshape(-1, *source)
    expected = torch.nn.functional.conv2d(images, torch.from_numpy(weight), **options)
    target = link.output_shape(source)
    assert target == tuple(expected.shape[1:])
    assert np.array_equal(dense_matrix(link, source, target), expected.flatten(start_dim=1).numpy())


@given(
    st.integers(1, 2),
    sizes,
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)) | st.none(),
    st.booleans(),
)
def test_pools_are_those_of_torch(channels, size, kernel, stride, padded):
    padding = tuple(k // 2 if padded else 0 for k in kernel)
    if any(n + 2 * p < k for n, k, p in zip(size, kernel, padding, strict=True)):
        return
    source = (channels, *size)
    images = torch.eye(int(np.prod(source)), dtype=torch.float64).reshape(-1, *source)
    average = torch.nn.functional.avg_pool2d(images, kernel, stride, padding)
    target = tuple(average.shape[1:])
    wanted = average.flatten(start_dim=1).numpy()
    options = {"stride": stride, "padding": padding, "delay": 0.25}
    avg = es.AvgPool2d("a", "b", kernel, weight=2.0, **options)
    assert avg.output_shape(source) == target
    assert np.allclose(dense_matrix(avg, source, target), 2.0 * wanted, rtol=1e-15, atol=0)
    total = es.SumPool2d("a", "b", kernel, **options)
    assert np.array_equal(dense_matrix(total, source, target), (wanted > 0).astype(float))
    largest = es.MaxPool2d("a", "b", kernel, **options)
    assert np.array_equal(dense_matrix(largest, source, target), (wanted > 0).astype(float))


def test_fan_out_of_dense_and_sparse():
    dense = es.Dense("a", "b", [[1.0, 2.0], [3.0, 4.0]], delay=[[0.0, 0.1], [0.2, 0.3]])
    post, weight, delay = dense.fan_out(1, (2,), (2,))
    assert (post.tolist(), weight.tolist(), delay.tolist()) == ([0, 1], [3.0, 4.0], [0.2, 0.3])
    sparse = es.Sparse("a", "b", [1, 0, 1, 1], [2, 0, 0, 2], [1.0, 2.0, 3.0, 4.0])
    post, weight, delay = sparse.fan_out(1, (3,), (3,))
    assert (post.tolist(), weight.tolist()) == ([0, 2, 2], [3.0, 1.0, 4.0])
    assert delay.tolist() == [0.0] * 3
    assert sparse.fan_out(2, (3,), (3,))[0].size == 0
    assert sparse.n_synapses((3,), (3,)) == sparse.n_parameters == 4


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
