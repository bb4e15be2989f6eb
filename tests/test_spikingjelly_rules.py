"""Step rules of SpikingJelly against its neurons written out in plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.discrete.frameworks import spikingjelly
from eventsim.discrete.step_cell import StepCell
from eventsim.errors import EventsimError
from tests.naive_spikingjelly import KINDS, layer

RULES = {
    "IFNode": spikingjelly.if_node,
    "LIFNode": spikingjelly.lif_node,
    "ParametricLIFNode": spikingjelly.parametric_lif_node,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
@given(
    seed=st.integers(0, 2**32 - 1),
    coarse=st.booleans(),
    soft=st.booleans(),
    decay_input=st.booleans(),
)
def test_twin(
    kind: str, dtype: Any, seed: int, coarse: bool, soft: bool, decay_input: bool
) -> None:
    """Bit for bit; coarse numbers make potentials that equal the threshold, which spike."""
    rng = np.random.default_rng(seed)
    n, steps = 3, 16

    def numbers(low: float, high: float, shape: Any = None) -> Any:
        drawn = rng.uniform(low, high, shape)
        return np.round(drawn * 4) / 4 if coarse else drawn

    x = np.asarray(numbers(-0.5, 2.0, (steps, n)), dtype=dtype)
    options = {"v_threshold": float(numbers(0.5, 1.5))}
    options["v_reset"] = None if soft else float(numbers(-0.75, 0.25))
    if kind == "LIFNode":
        options |= {"tau": 2.0 ** rng.integers(1, 3) if coarse else float(rng.uniform(1.1, 9.0))}
    elif kind == "ParametricLIFNode":
        options |= {"q": 0.5 if coarse else float(dtype(rng.uniform(0.05, 0.95)))}
    if kind != "IFNode":
        options["decay_input"] = decay_input
    spikes, membranes = layer(kind, x, **options)
    cell = StepCell(RULES[kind](**options), n, dtype)
    state = cell.start(1)
    for step in range(steps):
        cell.advance(state, x[step : step + 1].copy(), None)
        np.testing.assert_array_equal(state[0][0], membranes[step])
        np.testing.assert_array_equal(state[1][0], spikes[step])


def test_weight_of_plif() -> None:
    """The sigmoid of the trained number, in its own arithmetic."""
    assert spikingjelly.parametric_lif_node(w=1.5).leak == 1.0 / (1.0 + np.exp(-1.5))
    q = spikingjelly.parametric_lif_node(w=np.float32(1.5)).leak
    assert q == np.float32(q) and q == pytest.approx(1.0 / (1.0 + np.exp(-1.5)), rel=3e-7)


@pytest.mark.parametrize(
    "function, options, message",
    [
        ("lif_node", {"tau": 1.0}, r"LIFNode: tau: expected a number of steps > 1, got 1\.0"),
        ("parametric_lif_node", {}, "ParametricLIFNode: q: expected either q or w"),
        ("parametric_lif_node", {"q": 1.0}, r"ParametricLIFNode: q: expected a number in \(0, 1\)"),
        ("if_node", {"v_threshold": float("nan")}, "IFNode': v_threshold: expected finite"),
    ],
)
def test_refusals(function: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(EventsimError, match=message):
        getattr(spikingjelly, function)(**options)
