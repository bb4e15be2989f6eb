"""What the discrete twin refuses, and that it says where and why."""

from __future__ import annotations

import numpy as np
import pytest

import eventsim as es
from eventsim import discrete
from eventsim.discretization import RULES
from eventsim.errors import InvalidType, InvalidValue, UnsupportedNetwork
from tests.discrete_cells import DT, neurons


def chain(projection=None, **parameters):
    return es.Network(
        [es.Input("in", 2), neurons("out", 2, "coarse", **parameters)],
        [projection or es.Dense("in", "out", np.ones((2, 2)))],
    )


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (chain(es.Dense("in", "out", np.ones((2, 2)), delay=0.4e-3)),
         "Dense 'in' -> 'out': delay: expected one whole number of steps"),
        (chain(es.Sparse("in", "out", [0, 1], [0, 1], 1.0, delay=[0.0, DT])),
         "Sparse 'in' -> 'out': delay"),
        (chain(reset="subtract"), "population 'out': reset"),
        (chain(v_reset=-0.5), "population 'out': v_reset"),
        (es.Network([es.Input("in", 1), es.Population("out", 1, tau_mem=1.0)]),
         "population 'out': t_ref"),
        (es.Network([neurons("out", 1, "coarse")]), "expected an Input"),
    ],
)  # fmt: skip
def test_what_the_rules_cannot_express_is_refused(net, message):
    with pytest.raises(UnsupportedNetwork, match=message):
        es.Discretization(dt=DT, steps=2).run(net, np.ones((1, 2, net.populations[0].n)))


def test_pool_of_an_analog_image_is_refused():
    net = es.Network(
        [es.Input("in", (1, 2, 2)), es.Relay("pool", (1, 1, 1))],
        [es.MaxPool2d("in", "pool", 2, window=DT)],
    )
    with pytest.raises(UnsupportedNetwork, match="analog"):
        es.Discretization(dt=DT, steps=2, encoder="constant").run(net, np.ones((1, 4)))


@pytest.mark.parametrize(
    ("x", "options", "error", "message"),
    [
        (np.ones((1, 2, 3)), {}, InvalidValue, r"x: expected shape \[sample, step, 2\]"),
        (np.ones((2, 2)), {}, InvalidValue, "x: expected shape"),
        (np.ones((0, 2, 2)), {}, InvalidValue, "x: expected shape"),
        (np.full((1, 2, 2), 2), {}, InvalidValue, r"x\[0, 0, 0\]: expected 0 or 1, got 2"),
        (np.full((1, 2, 2), np.nan), {}, InvalidValue, "expected 0 or 1"),
        (np.full((1, 2, 2), "1"), {}, InvalidType, "expected numbers"),
        (np.ones((1, 2, 2)), {"threads": 0}, InvalidValue, "threads"),
        (np.ones((1, 2, 2)), {"threads": 1.5}, InvalidType, "threads"),
        (np.ones((1, 2, 2)), {"dtype": np.float16}, InvalidValue, "dtype"),
        (np.ones((1, 2, 2)), {"dtype": "number"}, InvalidType, "dtype"),
        (np.ones((1, 2, 2)), {"record": "current"}, InvalidValue, "record"),
    ],
)
def test_bad_arguments_are_named(x, options, error, message):
    with pytest.raises(error, match=message):
        es.Discretization(dt=DT, steps=2).run(chain(), x, **options)


def test_other_bad_arguments_are_named():
    disc = es.Discretization(dt=DT, steps=2)
    with pytest.raises(InvalidType, match="net"):
        disc.run("net.h5", np.ones((1, 2, 2)))
    with pytest.raises(InvalidValue, match="variants"):
        es.Discretization(dt=DT, steps=2, variants={"hiden": "lif"}).run(chain(), [[[0, 1]]])
    with pytest.raises(InvalidValue, match="finite"):
        es.Discretization(dt=DT, steps=2, encoder="constant").run(chain(), [[0.0, np.inf]])
    forked = es.Network([es.Input("in", 1), neurons("a", 1, "coarse"), neurons("b", 1, "coarse")])
    with pytest.raises(InvalidValue, match="several outputs"):
        disc.run(forked, np.ones((1, 2, 1)))
    pooled = es.Network(
        [es.Input("in", (1, 2, 2)), es.Relay("pool", (1, 1, 1))],
        [es.MaxPool2d("in", "pool", 2, window=DT)],
    )
    with pytest.raises(InvalidValue, match="record"):
        disc.run(pooled, np.ones((1, 2, 4)), record="drive")


def test_every_rule_of_a_discretization_has_a_cell():
    assert set(discrete.CELLS) == set(RULES)


@pytest.mark.parametrize(
    ("field", "parameters"),
    [
        ("tau_syn", {"tau_syn": 1e-3}),
        ("adapt_beta", {"adapt_beta": 0.1, "tau_adapt": 0.1}),
        ("ahp_jump", {"ahp_jump": 0.1, "tau_ahp": 0.1}),
    ],
)
def test_what_the_coarse_rules_do_not_have_is_refused(field, parameters):
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 1, tau_mem=4e-3, t_ref=1e-3, **parameters)],
        [es.Dense("in", "out", [[1.0]])],
    )
    disc = es.Discretization(dt=1e-3, steps=2)
    with pytest.raises(es.errors.UnsupportedNetwork, match=f"'out': {field}: expected"):
        disc.run(net, np.ones((1, 2, 1), dtype=np.uint8))
