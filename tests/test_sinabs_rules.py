"""Step rules of sinabs against its neurons written out in plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.discrete.frameworks import sinabs
from eventsim.discrete.step_cell import StepCell
from eventsim.errors import EventsimError
from tests.naive_sinabs import KINDS, layer

RULES = {"IAF": sinabs.iaf, "LIF": sinabs.lif, "ALIF": sinabs.alif}
NAMES = {
    "IAF": (), "LIF": ("alpha_mem",), "ALIF": ("alpha_mem", "alpha_adapt", "adapt_scale")
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_twin(kind: str, data: st.DataObject) -> None:
    """Bit for bit; coarse numbers make potentials that are multiples of the threshold."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    coarse, syn, norm, loop = (data.draw(st.booleans()) for _ in range(4))
    floor, own = data.draw(st.booleans()), data.draw(st.booleans())
    most = data.draw(st.sampled_from([None, 1, 3]))
    reset = data.draw(st.sampled_from(["subtract", "value"]))
    n, steps = 3, 16

    def numbers(low: float, high: float, shape: Any) -> Any:
        drawn = rng.uniform(low, high, shape)
        return (np.round(drawn * 4) / 4 if coarse else drawn).astype(np.float32)

    p = {name: numbers(0.3, 0.95, n) for name in NAMES[kind]}
    p["spike_threshold"] = np.maximum(numbers(0.25, 1.5, n), np.float32(0.25))
    if syn:
        p["alpha_syn"] = numbers(0.3, 0.9, n)
    if floor:
        p["min_v_mem"] = numbers(-1.5, 0.2, n)
    if own and reset == "subtract":
        p["subtract_value"] = np.maximum(numbers(0.25, 1.5, n), np.float32(0.25))
    x = numbers(-1.0, 3.0, (steps, n))
    recurrent = bias = None
    if loop:
        recurrent = (np.round(rng.uniform(-16.0, 4.0, (n, n))) / 64).astype(np.float32)
        bias = (np.round(rng.uniform(-1.0, 1.0, n) * 16) / 16).astype(np.float32)
    words = {} if kind == "IAF" else {"norm_input": norm}
    spikes, membranes = layer(
        kind, x, p, most=most, reset=reset, norm_input=norm and kind != "IAF",
        recurrent=recurrent, recurrent_bias=bias,
    )  # fmt: skip
    rule = RULES[kind](**p, max_spikes=most, reset=reset, **words)
    if bias is not None:
        rule = type(rule).from_dict({**rule.to_dict(), "feedback_bias": bias})
    cell = StepCell(rule, n, np.float32)
    state = cell.start(1)
    for step in range(steps):
        back = None if recurrent is None else (state[1] @ recurrent.T).astype(np.float32)
        cell.advance(state, x[step : step + 1].copy(), back)
        np.testing.assert_array_equal(state[1][0], spikes[step])
        np.testing.assert_array_equal(state[0][0], membranes[step])


@given(
    seed=st.integers(0, 2**32 - 1), norm=st.booleans(), floor=st.one_of(st.none(), st.just(-0.25))
)
def test_exp_leak(seed: int, norm: bool, floor: float | None) -> None:
    """The potential of a readout, which the package gives before it lifts it to the floor."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(12, 3)).astype(np.float32)
    p = {"alpha_mem": rng.uniform(0.3, 0.95, 3).astype(np.float32)}
    rule = sinabs.exp_leak(**p, norm_input=norm, min_v_mem=floor)
    _, given = layer(
        "ExpLeak", x, p if floor is None else {**p, "min_v_mem": floor}, norm_input=norm
    )
    cell = StepCell(rule, 3, np.float32)
    state = cell.start(1)
    for step in range(12):
        cell.advance(state, x[step : step + 1].copy(), None)
        lifted = given[step] if floor is None else np.maximum(given[step], np.float32(floor))
        np.testing.assert_allclose(state[0][0], lifted, rtol=0, atol=1e-6)
        assert not state[1].any()


def test_time_constants() -> None:
    """Time constants are float32 numbers of steps, as in the package."""
    alpha = np.exp(np.float32(-1.0) / np.float32(7.3))
    assert sinabs.lif(tau_mem=7.3).leak == float(alpha)
    assert sinabs.lif(tau_mem=7.3).gain == float(np.float32(1.0) - alpha)
    assert sinabs.lif(tau_mem=7.3, norm_input=False).gain == 1.0
    assert sinabs.iaf(subtract_value=1.0).v_subtract == 0.0
    assert sinabs.iaf(subtract_value=0.5).v_subtract == 0.5


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, r"sinabs\.LIF: tau_mem: expected either tau_mem or alpha_mem"),
        ({"tau_mem": 2.0, "alpha_mem": 0.5}, "tau_mem: expected either"),
        ({"tau_mem": 0.0}, "tau_mem: expected numbers of steps > 0"),
        ({"tau_mem": 2.0, "reset": "zero"}, "reset: expected 'subtract' or 'value'"),
        (
            {"tau_mem": 2.0, "reset": "value", "subtract_value": 1.0},
            "subtract_value: expected none",
        ),
        ({"tau_mem": 2.0, "subtract_value": -1.0}, "subtract_value: expected numbers > 0"),
        ({"tau_mem": 2.0, "max_spikes": 0}, "max_spikes: expected an int >= 1"),
        ({"tau_mem": 2.0, "spike_threshold": 0.0}, "v_threshold: expected numbers > 0"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EventsimError, match=message):
        sinabs.lif(**options)
