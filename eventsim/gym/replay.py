"""A policy shown the observations of episodes that were played before, by itself or by another.

Nothing is acted on here, so an episode is one presentation and no loop: the whole input is known.
A replay of the policy's own episode gives the spikes that it had while it played.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.gym.policy import SpikingPolicy
from eventsim.gym.rollout import Episode
from eventsim.recording import Result, Results, SpikeTrain
from eventsim.simulate import simulate

__all__ = ["replay", "votes_on"]

Array = NDArray[Any]

#: Episodes that are run together, so that a long batch needs little memory.
TOGETHER = 25


def votes_on(policy: SpikingPolicy, episodes: Iterable[Episode]) -> list[NDArray[np.int64]]:
    """Votes [step, action] of a policy on the observations of each episode.

    Input spikes and their times are those that the policy would have if it played the episode of
    this number. Two policies with the same seed get the same ones, so a difference between their
    votes is one between the models.

    Parameters
    ----------
    policy : SpikingPolicy
        Who is asked.
    episodes : iterable of Episode
        What it is shown, from :func:`rollout`.

    Returns
    -------
    list of array of int64 [step, action]

    Examples
    --------
    >>> from eventsim.gym import load_policy, rollout
    >>> from eventsim.resources import data_path
    >>> policy = load_policy(data_path("cartpole.h5"))
    >>> played = rollout(policy, "CartPole-v1", episodes=1, max_steps=20)
    >>> bool((votes_on(policy, played)[0] == played[0].votes).all())
    True
    """
    shown, found = list(episodes), []
    for first in range(0, len(shown), TOGETHER):
        part = shown[first : first + TOGETHER]
        run = _continuous if policy.backend == "continuous" else _coarse
        counts = run(policy, part)
        found += [policy.votes.count(c[: len(e)]) for c, e in zip(counts, part, strict=True)]
    return found


def replay(policy: SpikingPolicy, episode: Episode) -> Result:
    """All spikes of a policy while it is shown the observations of an episode.

    Parameters
    ----------
    policy : SpikingPolicy
        Whose spikes; ``episode.policy`` for those of the player.
    episode : Episode
        What it is shown.

    Returns
    -------
    Result
        From 0 to the end of the episode, ``policy.duration`` for each environment step. Spikes of
        the coarse model stand at the middle of their steps.

    Examples
    --------
    >>> from eventsim.gym import load_policy, rollout
    >>> from eventsim.resources import data_path
    >>> policy = load_policy(data_path("cartpole.h5"), backend="continuous")
    >>> result = replay(policy, rollout(policy, "CartPole-v1", episodes=1, max_steps=20)[0])
    >>> result.t_stop, list(result.spikes)
    (0.08, ['observation', 'hidden', 'action'])
    """
    steps, trains = _input(policy, [episode])
    t_stop = len(episode) * policy.duration
    if policy.backend == "continuous":
        result = simulate(policy.net, {policy.source: trains[0]}, t_stop)
        assert isinstance(result, Result)
        return result
    layers = policy.disc.run(policy.net, steps[0][None], layers=True)
    assert isinstance(layers, dict)
    spikes = {name: _at_middle(array[0], policy.disc.dt) for name, array in layers.items()}
    return Result(
        network=policy.net,
        spikes=spikes,
        counts={name: train.counts(policy.net[name].n) for name, train in spikes.items()},
        t_start=0.0,
        t_stop=t_stop,
        t_reached=t_stop,
    )


def _input(
    policy: SpikingPolicy, episodes: Sequence[Episode]
) -> tuple[list[Array], list[SpikeTrain]]:
    """Spikes in steps [step, n] and in time, of each whole episode."""
    x: list[list[Array]] = [[] for _ in episodes]
    trains: list[list[tuple[Array, Array]]] = [[] for _ in episodes]
    codes = [policy.code.intensities(episode.observations) for episode in episodes]
    for step in range(max(map(len, episodes))):
        rows = [k for k, episode in enumerate(episodes) if step < len(episode)]
        drive = policy.drive(
            np.stack([codes[k][step] for k in rows]),
            np.array([episodes[k].number for k in rows]),
            np.zeros(len(rows), dtype=np.int64),
            np.full(len(rows), step),
        )
        for row, k in enumerate(rows):
            x[k].append(drive.x[row])
            trains[k].append(drive.trains[row])
    return [np.concatenate(parts) for parts in x], [_joined(parts) for parts in trains]


def _joined(trains: Sequence[tuple[Array, Array]]) -> SpikeTrain:
    """Trains that follow one another in time."""
    times, senders = zip(*trains, strict=True)
    return SpikeTrain(np.concatenate(times), np.concatenate(senders))


def _coarse(policy: SpikingPolicy, episodes: Sequence[Episode]) -> list[Array]:
    """Spike counts of the output [environment step, neuron] for each episode."""
    parts, _ = _input(policy, episodes)
    longest, steps = max(map(len, episodes)), policy.disc.steps
    x = np.zeros((len(parts), longest * steps, policy.code.n), dtype=np.uint8)
    for row, part in zip(x, parts, strict=True):
        row[: len(part)] = part
    spikes = np.asarray(policy.disc.run(policy.net, x))
    return list(spikes.reshape(len(x), longest, steps, -1).sum(axis=2, dtype=np.int64))


def _continuous(policy: SpikingPolicy, episodes: Sequence[Episode]) -> list[Array]:
    _, trains = _input(policy, episodes)
    longest = max(map(len, episodes))
    edges = np.arange(longest + 1) * policy.disc.steps * policy.disc.dt
    n = policy.votes.n
    results = simulate(
        policy.net, {policy.source: trains}, float(edges[-1]), record=[policy.output]
    )
    assert isinstance(results, Results)
    found = []
    for result in results:
        train = result.spikes[policy.output]
        step = np.searchsorted(edges, train.times, side="right") - 1
        counts = np.bincount(step * n + train.senders, minlength=longest * n)
        found.append(counts.reshape(longest, n))
    return found


def _at_middle(spikes: Array, dt: float) -> SpikeTrain:
    step, sender = np.nonzero(spikes)
    return SpikeTrain((step + 0.5) * dt, sender)
