"""Step rules of snnTorch against its neurons written out in plain Python."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.discrete.frameworks import snntorch
from eventsim.discrete.step_cell import StepCell
from eventsim.errors import EventsimError
from tests.naive_snntorch import layer

RULES = {
    "Leaky": snntorch.leaky,
    "Synaptic": snntorch.synaptic,
    "RLeaky": snntorch.rleaky,
    "RSynaptic": snntorch.rsynaptic,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", RULES)
@given(
    seed=st.integers(0, 2**32 - 1),
    mechanism=st.sampled_from(["subtract", "zero", "none"]),
    delay=st.booleans(),
    coarse=st.booleans(),
)
def test_twin(kind: str, dtype: Any, seed: int, mechanism: str, delay: bool, coarse: bool) -> None:
    """Bit for bit; coarse numbers make potentials that equal the threshold."""
    rng = np.random.default_rng(seed)
    n, steps = 3, 12

    def numbers(low: float, high: float, shape: Any) -> Any:
        drawn = rng.uniform(low, high, shape)
        return (np.round(drawn * 4) / 4 if coarse else drawn).astype(dtype)

    x = numbers(-1.0, 2.0, (steps, n))
    rates = {"alpha": numbers(-0.2, 1.2, n)} if "Synaptic" in kind else {}
    rates["beta"] = numbers(-0.2, 1.2, n)
    threshold = numbers(0.0, 2.0, n)
    loop: dict[str, Any] = {}
    rule = RULES[kind](**rates, threshold=threshold, reset_mechanism=mechanism, reset_delay=delay)
    if kind.startswith("R"):
        weights = np.round(numbers(-1.0, 1.0, (n, n)) * 16) / 16
        loop = {"recurrent": weights, "bias": np.round(numbers(-0.5, 0.5, n) * 16) / 16}
        rule = dataclasses.replace(rule, feedback_bias=loop["bias"])
    spikes, membranes = layer(
        kind, x, **rates, threshold=threshold, mechanism=mechanism, delay=delay, **loop
    )
    cell = StepCell(rule, n, dtype)
    state = cell.start(1)
    for step in range(steps):
        back = (state[1] @ loop["recurrent"].T).astype(dtype) if loop else None
        cell.advance(state, x[step : step + 1].copy(), back)
        np.testing.assert_array_equal(state[0][0], membranes[step])
        np.testing.assert_array_equal(state[1][0], spikes[step])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"beta": float("nan")}, "snntorch.Leaky: beta: expected numbers"),
        ({"beta": 0.9, "threshold": -0.1}, "snntorch.Leaky: threshold: expected numbers >= 0"),
        ({"beta": 0.9, "reset_mechanism": "add"}, "snntorch.Leaky: reset_mechanism: expected one"),
        ({"beta": 0.9, "reset_delay": None}, "snntorch.Leaky: reset_delay: expected True or"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EventsimError, match=message):
        snntorch.leaky(**options)
