"""The continuous form of framework rules: on the grid it is the framework's recurrence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim import Dense, Discretization, Input, Network, SpikeTrain, simulate
from eventsim.discrete.counterpart import Options, counterpart
from eventsim.discrete.frameworks import norse, sinabs, spikingjelly
from eventsim.errors import EventsimError, UnsupportedNetwork
from eventsim.step_rule import StepRule

DT = 2.0**-10

#: Rules that reset in the step of the spike and drive the membrane by deltas.
GRID_RULES = {
    "factor, subtract": StepRule("a", leak=0.75, reset="subtract"),
    "factor, value": StepRule("a", leak=0.75, v_reset=-0.5, fires_at_equality=True),
    "gain": StepRule("a", leak=0.5, gain=0.5, reset="subtract"),
    "euler": StepRule("a", leak=0.25, membrane="euler"),
    "euler_leak": StepRule("a", leak=0.25, membrane="euler_leak", fires_at_equality=True),
    "quotient": StepRule("a", leak=4.0, membrane="quotient", fires_at_equality=True),
    "quotient_leak": StepRule("a", leak=4.0, membrane="quotient_leak", reset="subtract"),
    "no leak": StepRule("a", leak=1.0, fires_at_equality=True),
    "Norse, box": norse.lif_box(tau_mem_inv=512.0, v_leak=0.25, v_reset=-0.25, dt=DT),
    "Norse, subtracting": norse.lif_box(tau_mem_inv=256.0, dt=DT, reset="subtract"),
    "Norse, no leak": norse.iaf(v_th=0.75, v_reset=0.125),
    "SpikingJelly, IF": spikingjelly.if_node(v_reset=None),
    "SpikingJelly, LIF": spikingjelly.lif_node(tau=4.0, v_reset=-0.5),
    # Not at equality: a factor of 0.5 in each step is not exactly that of an exponential.
    "SpikingJelly, LIF, input whole": spikingjelly.lif_node(
        decay_input=False, v_reset=None, v_threshold=0.9
    ),
    "SpikingJelly, PLIF": spikingjelly.parametric_lif_node(q=0.25, decay_input=False),
    "several": StepRule("a", leak=0.75, reset="subtract", max_spikes=2**16),
    "sinabs": sinabs.lif(alpha_mem=0.75, spike_threshold=0.5),
    "sinabs, one amount": sinabs.iaf(max_spikes=1, subtract_value=0.75),
}


@pytest.mark.parametrize("name", GRID_RULES)
@given(data=st.data())
def test_grid(name: str, data: st.DataObject) -> None:
    """With all input on the grid, spikes are those of the twin, to the bit of their time.

    One input spikes in every step, with weight 0: the framework tests a potential that was left
    above the threshold in every step, a neuron in continuous time at its next arrival.
    """
    rule = GRID_RULES[name]
    weight = np.array(data.draw(st.lists(st.integers(-64, 192), min_size=6, max_size=6))) / 64.0
    x = np.array(data.draw(st.lists(st.integers(0, 1), min_size=24, max_size=24)), np.uint8)
    made = counterpart(rule, "out", 2, DT)
    weights, x = np.zeros((4, 2)), np.insert(x.reshape(8, 3), 3, 1, axis=1)
    weights[:3] = weight.reshape(3, 2) * made.gain
    net = Network([Input("in", 4), made.population], [Dense("in", "out", weights)])
    disc = Discretization("framework", dt=DT, steps=8, cells={"out": rule}, spread=0.0)
    twin = disc.run(net, x[None])
    steps, senders = np.nonzero(x)
    result = simulate(net, {"in": SpikeTrain(steps * DT, senders)}, t_stop=8 * DT)
    counts = np.zeros((8, 2), int)
    times = result.spikes["out"].times
    np.add.at(counts, (np.rint(times / DT).astype(int), result.spikes["out"].senders), 1)
    assert np.array_equal(times, np.rint(times / DT) * DT)
    assert np.array_equal(counts, twin[0])


def test_charge() -> None:
    """A spike through a synapse moves the potential by the framework's sum of currents."""
    rule = StepRule(
        "a", leak=1.0, synapse="factor", synapse_leak=0.8, v_threshold=np.inf, reset="none"
    )
    for order, total in (("decay, input, membrane", 5.0), ("input, decay, membrane", 4.0)):
        made = counterpart(StepRule.from_dict({**rule.to_dict(), "order": order}), "out", 1, DT)
        net = Network([Input("in", 1), made.population], [Dense("in", "out", [[0.5]], receptor=0)])
        result = simulate(net, {"in": SpikeTrain([0.0], [0])}, t_stop=1.0, record_v={"out": [0]})
        assert result.v["out"].at(0.999)[0] == pytest.approx(0.5 * total, rel=1e-12)


def test_euler_times() -> None:
    made = counterpart(StepRule("a", leak=0.9), "out", 1, 1e-3, Options(decay="euler"))
    assert made.population.tau_mem == pytest.approx(1e-2, rel=1e-12)
    assert counterpart(StepRule("a", leak=0.9), "out", 1, 1e-3).population.tau_mem == (
        pytest.approx(-1e-3 / np.log(0.9), rel=1e-15)
    )


@pytest.mark.parametrize("leak, bias", [(0.75, 0.5), (1.0, -0.25)])
def test_bias_brings_its_charge(leak: float, bias: float) -> None:
    """The constant current of a bias moves a potential without leak as the bias does."""
    made = counterpart(StepRule("a", leak=leak, bias=bias, gain=0.5), "out", 1, DT)
    drive = made.population.array("r") * made.population.array("i_bias")
    tau = made.population.array("tau_mem")
    per_step = drive * DT / np.where(np.isinf(tau), 1.0, tau)
    assert per_step == pytest.approx(0.5 * bias, rel=1e-14)


@pytest.mark.parametrize(
    "rule, message",
    [
        ({"leak": 0.9, "reset": "none"}, "reset"),
        ({"leak": 0.9, "v_min": -1.0}, "v_min"),
        ({"leak": 0.0}, "leak"),
        ({"leak": 1.5}, "leak"),
        ({"leak": 0.9, "max_spikes": 2, "reset": "subtract"}, "max_spikes"),
        ({"leak": 0.9, "max_spikes": 2**16}, "several: several spikes of a step with one reset"),
        (
            {"leak": 0.9, "max_spikes": 2**16, "reset": "subtract", "v_subtract": 0.5},
            "several: several spikes of a step that subtract another amount",
        ),
    ],
)
def test_refusals(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedNetwork, match=rf"out \(some\.Cell\): {message}"):
        counterpart(StepRule("some.Cell", **rule), "out", 1, 1e-3)


def test_accepted_losses_are_told() -> None:
    rule = StepRule("a", leak=0.9, v_min=-1.0)
    rows = counterpart(rule, "out", 1, 1e-3, Options(accept=("v_min",))).rows
    assert ("v_min of out", "left out", "accepted") in rows
    rule = StepRule("a", leak=0.9, max_spikes=2**16)
    made = counterpart(rule, "out", 1, 1e-3, Options(accept=("several", "v_min")))
    assert ("several of out", "left out", "accepted") in made.rows
    assert ("spikes of out", "one at a time", "in training floor(v / v_threshold) in a step") in (
        made.rows
    )
    assert not made.population.multi_spike
    assert not any(row[0].startswith("v_min") for row in made.rows)
    with pytest.raises(EventsimError, match="accept"):
        Options(accept=("everything",))
