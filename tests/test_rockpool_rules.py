"""Step rules of Rockpool against its neurons written out in plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.discrete.frameworks import rockpool
from eventsim.discrete.step_cell import StepCell
from eventsim.errors import EventsimError
from tests import naive_rockpool


@given(
    seed=st.integers(0, 2**32 - 1),
    coarse=st.booleans(),
    loop=st.booleans(),
    most=st.sampled_from([1, 3, 2**16]),
)
def test_twin(seed: int, coarse: bool, loop: bool, most: int) -> None:
    """Bit for bit; coarse numbers make potentials that are multiples of the threshold."""
    rng = np.random.default_rng(seed)
    n, steps = 3, 16

    def numbers(low: float, high: float, shape: Any) -> Any:
        drawn = rng.uniform(low, high, shape)
        return (np.round(drawn * 4) / 4 if coarse else drawn).astype(np.float32)

    p = {
        "alpha": numbers(0.3, 0.95, n),
        "beta": numbers(0.3, 0.95, n),
        "bias": numbers(-0.2, 0.3, n),
        "threshold": np.maximum(numbers(0.25, 1.5, n), np.float32(0.25)),
    }
    x = numbers(-1.0, 2.0, (steps, n))
    recurrent = None
    if loop:
        recurrent = (np.round(rng.uniform(-16.0, 4.0, (n, n))) / 64).astype(np.float32)
    spikes, membranes = naive_rockpool.lif(x, p, most=most, recurrent=recurrent)
    cell = StepCell(rockpool.lif(**p, max_spikes_per_dt=most), n, np.float32)
    state = cell.start(1)
    for step in range(steps):
        back = None if recurrent is None else (state[1] @ recurrent.T).astype(np.float32)
        cell.advance(state, x[step : step + 1].copy(), back)
        np.testing.assert_array_equal(state[1][0], spikes[step])
        np.testing.assert_array_equal(state[0][0], membranes[step])


@given(seed=st.integers(0, 2**32 - 1))
def test_exp_syn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(12, 3)).astype(np.float32)
    beta = rng.uniform(0.3, 0.95, 3).astype(np.float32)
    current = naive_rockpool.exp_syn(x, beta)
    cell = StepCell(rockpool.exp_syn(beta=beta), 3, np.float32)
    state = cell.start(1)
    for step in range(12):
        cell.advance(state, x[step : step + 1].copy(), None)
        np.testing.assert_allclose(state[0][0], current[step], rtol=0, atol=2e-6)


def test_leak_modes() -> None:
    """Time constants, decays and shifts of one leak."""
    left = np.exp(np.float32(-1e-3) / np.float32(5e-3))
    assert rockpool.lif(tau_mem=5e-3, tau_syn=5e-3).leak == float(left)
    assert rockpool.lif(alpha=left, beta=left) == rockpool.lif(tau_mem=5e-3, tau_syn=5e-3)
    assert rockpool.lif(dash_mem=3.0, dash_syn=1.0) == rockpool.lif(alpha=0.875, beta=0.5)
    assert rockpool.exp_syn(tau=5e-3).leak == float(left)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"alpha": 0.5}, r"rockpool\.LIFTorch: tau_syn: expected one of tau_syn, beta, dash_syn"),
        ({"alpha": 0.5, "tau_mem": 1.0, "beta": 0.5}, "tau_mem: expected one of"),
        ({"tau_mem": -1.0, "beta": 0.5}, "tau_mem: expected seconds > 0"),
        ({"alpha": 0.5, "beta": 0.5, "dt": 0.0}, "dt: expected"),
        ({"alpha": 0.5, "beta": 0.5, "max_spikes_per_dt": 0}, "max_spikes_per_dt: expected an int"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EventsimError, match=message):
        rockpool.lif(**options)
