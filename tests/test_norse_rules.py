"""Step rules of Norse against its neurons written out in plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.discrete.frameworks import norse
from eventsim.discrete.step_cell import StepCell
from eventsim.errors import EventsimError
from tests.naive_norse import KINDS, integrator, layer

RULES = {"LIFBox": norse.lif_box, "LIF": norse.lif, "LSNN": norse.lsnn, "IAF": norse.iaf}
NAMES = {
    "LIFBox": ("tau_mem_inv", "v_leak", "v_th", "v_reset"),
    "LIF": ("tau_syn_inv", "tau_mem_inv", "v_leak", "v_th", "v_reset"),
    "LSNN": (
        "tau_syn_inv", "tau_mem_inv", "tau_adapt_inv", "v_leak", "v_th", "v_reset", "beta"
    ),
    "IAF": ("v_th", "v_reset"),
}  # fmt: skip
RANGES = {
    "tau_syn_inv": (10.0, 900.0), "tau_mem_inv": (10.0, 900.0), "tau_adapt_inv": (1.0, 500.0),
    "v_leak": (-0.5, 0.5), "v_th": (0.25, 1.5), "v_reset": (-0.5, 0.25), "beta": (0.0, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**32 - 1), coarse=st.booleans(), loop=st.booleans())
def test_twin(kind: str, dtype: Any, seed: int, coarse: bool, loop: bool) -> None:
    """Bit for bit; coarse numbers make potentials that equal the threshold."""
    rng = np.random.default_rng(seed)
    n, steps, dt = 3, 16, 2.0**-10 if coarse else 1e-3

    def numbers(low: float, high: float, shape: Any) -> Any:
        drawn = rng.uniform(low, high, shape)
        if coarse:
            unit = 256.0 if high > 2.0 else 0.25
            drawn = np.round(drawn / unit) * unit
        return drawn.astype(dtype)

    p = {name: numbers(*RANGES[name], n) for name in NAMES[kind]}
    drive = {"LIFBox": (-1.0, 6.0), "LIF": (-1.0, 3.0), "LSNN": (-1.0, 3.0), "IAF": (-0.5, 1.0)}
    x = numbers(*drive[kind], (steps, n))
    subtract = kind == "LIFBox" and bool(rng.integers(2))
    recurrent = None
    if loop and kind in ("LIF", "LSNN"):
        recurrent = np.round(rng.uniform(-1.0, 1.0, (n, n)) * 16) / 16
    spikes, membranes = layer(kind, x, p, dt, subtract=subtract, recurrent=recurrent)
    given_dt = {} if kind == "IAF" else {"dt": dt}
    if subtract:
        given_dt["reset"] = "subtract"
    cell = StepCell(RULES[kind](**p, **given_dt), n, dtype)
    state = cell.start(1)
    for step in range(steps):
        back = None if recurrent is None else (state[1] @ recurrent.T).astype(dtype)
        cell.advance(state, x[step : step + 1].copy(), back)
        np.testing.assert_array_equal(state[0][0], membranes[step])
        np.testing.assert_array_equal(state[1][0], spikes[step])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("box", [True, False])
@given(seed=st.integers(0, 2**32 - 1))
def test_leaky_integrators(box: bool, dtype: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = ("tau_mem_inv", "v_leak") if box else ("tau_syn_inv", "tau_mem_inv", "v_leak")
    p = {name: rng.uniform(*RANGES[name], 3).astype(dtype) for name in names}
    x = rng.uniform(-1.0, 3.0, (16, 3)).astype(dtype)
    cell = StepCell((norse.li_box if box else norse.li)(**p, dt=1e-3), 3, dtype)
    state = cell.start(1)
    for step, v in enumerate(integrator(x, p, 1e-3)):
        cell.advance(state, x[step : step + 1].copy(), None)
        np.testing.assert_array_equal(state[0][0], v)
        assert not state[1].any()


def test_numbers_become_float32() -> None:
    """Norse makes tensors of its parameters, and multiplies the step in their arithmetic."""
    leak = float(np.float32(1e-3) * np.float32(300.0))
    assert norse.lif(tau_mem_inv=300.0).leak == leak != 1e-3 * 300.0
    assert norse.lif(tau_mem_inv=300).leak == leak
    assert norse.lif(tau_mem_inv=np.float64(300.0)).leak == 1e-3 * 300.0
    np.testing.assert_array_equal(
        norse.lif(tau_mem_inv=[100.0, 300.0]).leak, [np.float32(1e-3) * np.float32(100.0), leak]
    )


def test_subtraction_is_of_the_threshold() -> None:
    """Norse's subtracting reset does not look at v_reset."""
    assert norse.lif_box(v_reset=0.25, reset="subtract").v_reset == 0.0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"dt": 0.0}, r"norse\.LIFBoxCell: dt: expected"),
        ({"reset": "zero"}, r"norse\.LIFBoxCell: reset: expected 'value' or 'subtract'"),
        ({"v_leak": float("nan")}, r"StepRule 'norse\.LIFBoxCell': v_leak: expected finite"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EventsimError, match=message):
        norse.lif_box(**options)
