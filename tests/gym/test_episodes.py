"""Episodes of the closed loop: played, replayed, drawn."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import eventsim as es
from eventsim import plot
from eventsim.errors import InvalidType, InvalidValue, MissingExtra
from eventsim.gym import replay, rollout, votes_on
from tests.gym.chase import BACKENDS, Chase


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("encoder", ["bernoulli", "periodic"])
def test_a_replay_has_the_votes_of_the_closed_loop(policy, backend, encoder):
    disc = es.Discretization(dt=1e-3, steps=4, encoder=encoder)
    player = policy.replace(backend=backend, disc=disc)
    played = rollout(player, Chase, episodes=4, seed=2)
    for episode, votes in zip(played, votes_on(player, played), strict=True):
        np.testing.assert_array_equal(votes, episode.votes)
        np.testing.assert_array_equal(player.votes.choose(votes), episode.actions)
    result = replay(player, played[1])
    train = result.spikes["out"]
    step = (train.times / player.duration).astype(int)
    votes = np.zeros_like(played[1].votes)
    np.add.at(votes, (step, train.senders // 3), 1)
    np.testing.assert_array_equal(votes, played[1].votes)
    assert result.t_stop == pytest.approx(len(played[1]) * 4e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_episodes_depend_on_seeds_and_numbers_alone(policy, backend):
    player = policy.replace(backend=backend)
    calls = []
    all_at_once = rollout(
        player, Chase, 6, seed=1, threads=1, progress=lambda *done: calls.append(done)
    )
    assert calls == [(6, 6)]
    for other in (
        rollout(player, Chase, 6, seed=1, threads=2),
        rollout(player, Chase(), 6, seed=1),
        rollout(player, Chase, 3, seed=1),
    ):
        for a, b in zip(all_at_once, other, strict=False):
            np.testing.assert_array_equal(a.observations, b.observations)
            np.testing.assert_array_equal(a.votes, b.votes)
            assert a.total == b.total
    elsewhere = rollout(player, Chase, 6, seed=2)
    assert (elsewhere[0].observations[0] != all_at_once[0].observations[0]).any()
    assert all_at_once.lengths.tolist() == [len(episode) for episode in all_at_once]
    assert all_at_once[0].terminated
    assert len(all_at_once[1:3]) == 2


def test_an_episode_is_cut_after_max_steps(policy):
    played = rollout(policy, Chase, 3, max_steps=2)
    assert played.lengths.tolist() == [2, 2, 2]
    assert not any(episode.terminated for episode in played)


def test_an_interrupt_ends_a_rollout(policy):
    class Interrupted(Chase):
        def step(self, action):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rollout(policy, Interrupted, 2)


def test_rollout_refuses_environments_that_do_not_fit(policy, monkeypatch):
    with pytest.raises(InvalidValue, match="env: expected an environment, for the policy names"):
        rollout(policy)
    with pytest.raises(InvalidValue, match="expected the id of an environment, got 'Nowhere-v7'"):
        rollout(policy, "Nowhere-v7")
    with pytest.raises(InvalidValue, match=r"expected shape \[sample, 2\], got shape \(1, 4\)"):
        rollout(policy, "CartPole-v1", 1)
    with pytest.raises(InvalidValue, match="expected 2 actions, as the policy has, got 3"):
        rollout(policy, "Acrobot-v1", 1)
    with pytest.raises(InvalidType, match="env: expected an id or an environment, got int"):
        rollout(policy, 3)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(MissingExtra, match=r"eventsim\[gym\]"):
        rollout(policy, "CartPole-v1")


def test_an_episode_is_drawn(policy, tmp_path):
    from matplotlib import pyplot

    played = rollout(policy.replace(backend="continuous"), Chase, 1)[0]
    axes = plot.episode(played)
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["point", "target"]
    assert [text.get_text() for text in axes[1].get_yticklabels()] == ["in", "hidden", "out"]
    assert [text.get_text() for text in axes[2].get_yticklabels()] == ["action 0", "action 1"]
    np.testing.assert_array_equal(axes[2].images[0].get_array(), played.votes.T)
    dots = next(line for line in axes[2].get_lines() if line.get_marker() == "o")
    np.testing.assert_array_equal(dots.get_ydata(), played.actions)
    np.testing.assert_allclose(dots.get_xdata(), (np.arange(len(played)) + 0.5) * 4.0)
    assert axes[2].get_xlim() == pytest.approx((0.0, 4.0 * len(played)))
    plot.save(axes, tmp_path / "episode.png")

    axes = plot.episode(played, policy=policy, steps=(1, 4), ax=axes, t_unit="s")
    assert axes[2].get_xlim() == pytest.approx((4e-3, 16e-3))
    for steps in ((3, 3), (0, len(played) + 1), (-1, 2)):
        with pytest.raises(InvalidValue, match="steps: expected"):
            plot.episode(played, steps=steps)
    with pytest.raises(InvalidType, match="played: expected an Episode"):
        plot.episode(policy)
    with pytest.raises(InvalidValue, match="ax: expected three Axes"):
        plot.episode(played, ax=axes[:2])
    pyplot.close("all")
