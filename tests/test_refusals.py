"""What populations, projections and networks refuse: the message names the place, the field, what
was expected and what came."""

from __future__ import annotations

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import EventsimError, InvalidType, InvalidValue
from tests.networks import INF, NAN, refuses, small


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
