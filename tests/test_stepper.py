"""The discrete twin that is carried on from call to call, against the run in one."""

from __future__ import annotations

import numpy as np
import pytest

import eventsim as es
from eventsim.discrete.stepper import Stepper
from eventsim.errors import InvalidType, InvalidValue
from tests.networks import two_layers


def recurrent(rng, delay):
    net = two_layers(rng, 5, 6, 3)
    loop = es.Dense("hidden", "hidden", rng.normal(0, 0.5, (6, 6)), delay=delay)
    back = es.Dense("out", "hidden", rng.normal(0, 0.5, (3, 6)), delay=2e-3)
    return es.Network(net.populations, [*net.projections, loop, back])


@pytest.mark.parametrize("rule", ["coarse", "coarse_drop", "lif", "if"])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_a_twin_in_pieces_gives_the_bits_of_the_run_in_one(rng, rule, kind):
    net, disc = recurrent(rng, 3e-3), es.Discretization(rule, dt=1e-3, steps=4)
    x = (rng.random((4, 30, 5)) < 0.4).astype(np.uint8)
    whole = disc.run(net, x, layers=True, dtype=kind)
    stepper = Stepper(net, disc, kind)
    state, parts = stepper.start(4), []
    for first, last in ((0, 1), (1, 2), (2, 9), (9, 30)):
        spikes, state = stepper.advance(state, x[:, first:last])
        parts.append(spikes)
    for name, spikes in whole.items():
        joined = np.concatenate([part[name] for part in parts], axis=1)
        assert joined.dtype == np.uint8
        np.testing.assert_array_equal(joined, spikes)
    assert whole["hidden"].any() and whole["out"].any()


def test_samples_of_a_twin_can_be_taken_and_started_again(rng):
    net, disc = recurrent(rng, 1e-3), es.Discretization(dt=1e-3, steps=4)
    x = (rng.random((3, 20, 5)) < 0.4).astype(np.uint8)
    stepper = Stepper(net, disc)
    _, state = stepper.advance(stepper.start(3), x[:, :8])
    potentials = state.potentials
    after, _ = stepper.advance(state, x[:, 8:])
    # The state that was given is as before, and a part of it goes on like the whole.
    np.testing.assert_array_equal(state.potentials["hidden"], potentials["hidden"])
    part, _ = stepper.advance(state.take([2, 0]), x[[2, 0], 8:])
    np.testing.assert_array_equal(part["out"], after["out"][[2, 0]])
    again, _ = stepper.advance(stepper.restart(state, [False, True, False]), x[:, 8:])
    np.testing.assert_array_equal(again["out"][[0, 2]], after["out"][[0, 2]])
    np.testing.assert_array_equal(again["out"][1], disc.run(net, x[1:2, 8:])[0])


def test_the_stepper_refuses_what_does_not_fit(rng):
    net, disc = two_layers(rng, 5, 6, 3), es.Discretization(dt=1e-3, steps=4)
    stepper = Stepper(net, disc)
    with pytest.raises(InvalidValue, match="x: expected 2 samples, as in the state, got 1"):
        stepper.advance(stepper.start(2), np.zeros((1, 4, 5)))
    with pytest.raises(InvalidType, match="state: expected a StepperState, got int"):
        stepper.advance(3, np.zeros((1, 4, 5)))
    with pytest.raises(InvalidValue, match="samples: expected an int >= 1"):
        stepper.start(0)
    with pytest.raises(InvalidType, match="net: expected a Network"):
        Stepper(disc, disc)


def test_an_analog_image_is_stepped_too():
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 1, tau_mem=4e-3, t_ref=1e-3)],
        [es.Dense("in", "out", [[0.7]])],
    )
    disc = es.Discretization(dt=1e-3, steps=3, encoder="constant")
    stepper = Stepper(net, disc)
    first, state = stepper.advance(stepper.start(1), [[0.9]])
    then, _ = stepper.advance(state, [[0.9]])
    assert first["in"].dtype == np.float64
    whole = es.Discretization(dt=1e-3, steps=6, encoder="constant").run(net, [[0.9]])
    np.testing.assert_array_equal(np.concatenate([first["out"], then["out"]], axis=1), whole)
