"""Spiking policies: their state, which is carried on, their input, what they refuse."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import eventsim as es
from eventsim.errors import InvalidType, InvalidValue, UnsupportedNetwork
from eventsim.gym import PopulationCode, Votes
from tests.gym.chase import BACKENDS, walk


@pytest.mark.parametrize("backend", BACKENDS)
def test_environments_side_by_side_do_not_touch_one_another(policy, rng, backend):
    policy = policy.replace(backend=backend)
    seen = rng.uniform(-1, 1, (6, 3, 2))
    together, _ = walk(policy, seen)
    for k in range(3):
        alone, _ = walk(policy, seen[:, k : k + 1], policy.start([k]))
        np.testing.assert_array_equal(alone[:, 0], together[:, k])
    assert 0 < together.mean() < 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_state_can_be_used_again(policy, rng, backend):
    policy = policy.replace(backend=backend)
    seen = rng.uniform(-1, 1, (10, 2, 2))
    _, middle = walk(policy, seen[:4])
    first, _ = walk(policy, seen[4:], middle)
    walk(policy, seen[::-1], middle)
    second, _ = walk(policy, seen[4:], middle)
    np.testing.assert_array_equal(first, second)
    assert middle.step.tolist() == [4, 4]


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_episode_start_begins_anew_where_it_says(policy, rng, backend):
    policy = policy.replace(backend=backend)
    seen = rng.uniform(-1, 1, (14, 2, 2))
    _, middle = walk(policy, seen[:7])
    votes, state = policy.advance(seen[7], middle, [True, False])
    assert state.episode.tolist() == [1, 0] and state.step.tolist() == [1, 8]
    going, _ = policy.advance(seen[7], middle)
    np.testing.assert_array_equal(votes[1], going[1])
    # The network of the first is at rest again, but its next episode draws other spikes.
    rest = policy.start(2)
    fresh = type(rest)(rest.network, rest.stream, rest.episode + 1, rest.step)
    begun, _ = policy.advance(seen[7], fresh)
    np.testing.assert_array_equal(votes[0], begun[0])
    # At the very beginning nothing has to be begun anew.
    first, state = policy.advance(seen[0], episode_start=[True, True])
    np.testing.assert_array_equal(first, policy.advance(seen[0])[0])
    assert state.episode.tolist() == [0, 0]


def test_the_network_is_not_reset_between_environment_steps(policy, rng):
    seen = np.repeat(rng.uniform(-1, 1, (1, 40, 2)), 3, axis=0)
    votes, state = policy.advance(seen[0])
    carried, _ = policy.advance(seen[1], state)
    forgotten = type(state)(policy.start(40).network, state.stream, state.episode, state.step)
    anew, _ = policy.advance(seen[1], forgotten)
    assert (carried != anew).any()


def test_one_observation_gives_one_action(policy):
    action, state = policy.predict([0.3, -0.2])
    assert np.ndim(action) == 0 and len(state) == 1
    assert gymnasium.spaces.Discrete(2).contains(action)


def test_drawn_actions_have_the_probabilities_of_their_votes(policy):
    count, n = np.array([[3, 4]]), 4_000
    state = policy.start(n)
    after = type(state)(state.network, state.stream, state.episode, state.step + 1)
    drawn = policy.act(np.repeat(count, n, axis=0), after, deterministic=False)
    expected = policy.votes.probabilities(count)[0, 1]
    assert abs(drawn.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / n)
    again = policy.act(np.repeat(count, n, axis=0), after, deterministic=False)
    np.testing.assert_array_equal(drawn, again)
    other = policy.replace(seed=6).act(np.repeat(count, n, axis=0), after, deterministic=False)
    assert (other != drawn).any()


def test_input_times_lie_in_their_steps(policy):
    exact = policy.replace(backend="continuous")
    seen = np.zeros((4, 2))
    for step in (0, 1, 7, 1_000_003):
        drive = exact.drive(
            exact.code.intensities(seen), np.arange(4), np.zeros(4, int), np.full(4, step)
        )
        start = step * 4 * 1e-3
        for x, (times, senders), stop in zip(drive.x, drive.trains, drive.stops, strict=True):
            assert (times >= start).all() and (times < stop).all() and len(times) == x.sum()
            at, unit = np.nonzero(x)
            place = np.minimum(((times - start) / 1e-3).astype(int), 3)
            found = sorted(zip(place, senders, strict=True))
            if step < 1000:
                assert found == sorted(zip(at, unit, strict=True))
    # The second environment's spikes are its own, whoever is beside it.
    assert (drive.x[0] != drive.x[1]).any()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"backend": "analog"}, InvalidValue, "backend: expected one of"),
        ({"jitter": 1.5}, InvalidValue, "jitter: expected a number from 0 to 1"),
        ({"seed": -1}, InvalidValue, "seed: expected an int >= 0"),
        ({"votes": Votes(2, 2)}, InvalidValue, r"net\['out'\]: expected 4 units, as the votes"),
        ({"code": PopulationCode([0], [1], 5)}, InvalidValue, r"net\['in'\]: expected 5 units"),
        ({"code": "gaussian"}, InvalidType, "code: expected a PopulationCode, got str"),
        ({"environment": 3}, InvalidType, "environment: expected an id, got 3"),
        ({"gain": 3}, InvalidValue, "replace: expected some of"),
        (
            {"disc": es.Discretization(dt=1e-3, steps=4, encoder="constant")},
            InvalidValue,
            "encoder: expected 'bernoulli' or 'periodic'",
        ),
    ],
)
def test_a_policy_refuses_parts_that_do_not_fit(policy, changes, error, message):
    with pytest.raises(error, match=message):
        policy.replace(**changes)


def test_a_policy_refuses_networks_with_several_ends(policy, rng):
    net = policy.net
    two = es.Network(
        [*net.populations, es.Population("other", 6, tau_mem=4e-3, t_ref=1e-3)],
        [*net.projections, es.Dense("hidden", "other", np.ones((10, 6)))],
    )
    with pytest.raises(UnsupportedNetwork, match="expected one output, got"):
        policy.replace(net=two)


def test_predict_refuses_what_does_not_fit(policy):
    _, state = policy.predict(np.zeros((2, 2)))
    with pytest.raises(InvalidValue, match="expected those of 2 environments, got 3"):
        policy.predict(np.zeros((3, 2)), state)
    with pytest.raises(InvalidValue, match=r"observations: expected shape \[sample, 2\]"):
        policy.predict(np.zeros((2, 3)), state)
    with pytest.raises(InvalidValue, match="finite"):
        policy.predict([[np.nan, 0.0]])
    with pytest.raises(InvalidValue, match="episode_start: expected 2 of True and False"):
        policy.predict(np.zeros((2, 2)), state, [True])
    with pytest.raises(InvalidType, match="state: expected a PolicyState, got tuple"):
        policy.predict(np.zeros((2, 2)), ())


def test_a_runaway_network_is_told(policy, monkeypatch):
    exact = policy.replace(backend="continuous")
    monkeypatch.setattr("eventsim.session.Session.run_until", lambda self, t: False)
    with pytest.raises(UnsupportedNetwork, match="SpikingPolicy: net: "):
        exact.predict([0.0, 0.0])
