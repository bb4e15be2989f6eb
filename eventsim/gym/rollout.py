"""Episodes of a policy in an environment, and the policy shown what others saw."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType, MissingExtra
from eventsim.gym.policy import SpikingPolicy
from eventsim.workers import LEFT, NOT_BEGUN, Job, run_jobs

__all__ = ["Episode", "Episodes", "rollout"]

Array = NDArray[Any]
WHERE = "rollout"

#: Episodes that are played side by side, at most: one piece of work for a thread.
SIDE_BY_SIDE = 25

# Beside the streams of eventsim.encode and of the policy: how an environment begins.
_RESET = 3


@dataclass(frozen=True, eq=False, repr=False)
class Episode:
    """One episode: what was seen, done and earned in each environment step.

    Attributes
    ----------
    policy : SpikingPolicy
        Who played.
    number : int
        Number of the episode; with the policy's seed it keys what is random.
    observations : array of float64 [step, quantity]
        What the policy saw before each action.
    actions : array of int64 [step]
    votes : array of int64 [step, action]
        Output spikes for each action.
    rewards : array of float64 [step]
    terminated : bool
        Whether the environment ended it; False: its time limit, or ``max_steps``, did.
    """

    policy: SpikingPolicy
    number: int
    observations: Array
    actions: Array
    votes: Array
    rewards: Array
    terminated: bool

    def __len__(self) -> int:
        """Number of environment steps."""
        return len(self.actions)

    @property
    def total(self) -> float:
        """Sum of the rewards: the return, without discount."""
        return float(self.rewards.sum())

    def __repr__(self) -> str:
        return f"Episode({len(self)} steps, return {self.total:g})"


class Episodes(Sequence[Episode]):
    """Episodes in the order of their numbers.

    Attributes
    ----------
    returns : array of float64 [episode]
        Sums of rewards.
    lengths : array of int64 [episode]
        Environment steps.
    """

    def __init__(self, episodes: Sequence[Episode]) -> None:
        self._episodes = tuple(episodes)
        self.returns = np.array([episode.total for episode in episodes])
        self.lengths = np.array([len(episode) for episode in episodes], dtype=np.int64)

    def __getitem__(self, k: Any) -> Any:
        found = self._episodes[k]
        return Episodes(found) if isinstance(k, slice) else found

    def __len__(self) -> int:
        return len(self._episodes)

    def __repr__(self) -> str:
        mean = f", mean return {self.returns.mean():g}" if len(self) else ""
        return f"Episodes({len(self)}{mean})"


def rollout(
    policy: SpikingPolicy,
    env: Any = None,
    episodes: int = 10,
    seed: int = 0,
    *,
    deterministic: bool = True,
    max_steps: int | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Episodes:
    """Let a policy play.

    Parameters
    ----------
    policy : SpikingPolicy
        Who plays, coarse or continuous.
    env : str, callable or environment, optional
        Id of a Gymnasium environment, a function that makes one, or one that is played episode
        after episode. Default ``policy.environment``.
    episodes : int
        Number of episodes, >= 1.
    seed : int
        Seed, >= 0, of the environments. Episode k begins alike with the same seed, whoever plays
        it and however many others are played. (The policy has a seed of its own.)
    deterministic : bool
        The action of most votes, or one that is drawn; see :meth:`SpikingPolicy.predict`.
    max_steps : int, optional
        End an episode after so many steps; for environments without a time limit of their own.
    threads : int, optional
        Cores to use, default all. Any number gives the same episodes.
    progress : callable, optional
        Called with (episodes done, episodes in all).

    Returns
    -------
    Episodes

    Raises
    ------
    InvalidValue, InvalidType
        Observations or actions of the environment do not fit the policy, or an argument is bad.
    MissingExtra
        Gymnasium is not installed.

    Examples
    --------
    Whoever has more to see on the right goes right, in an environment that lasts three steps:

    >>> from eventsim import Dense, Discretization, Input, Network, Population
    >>> from eventsim.gym import PopulationCode, Votes
    >>> class Walk:
    ...     def reset(self, seed):
    ...         self.place, self.left = 1.0, 3
    ...         return [self.place], {}
    ...     def step(self, action):
    ...         self.place += 1.0 if action else -1.0
    ...         self.left -= 1
    ...         return [self.place], self.place, self.left == 0, False, {}
    >>> net = Network([Input("in", 2), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("in", "out", [[2, 0], [0, 2]])])
    >>> policy = SpikingPolicy(
    ...     net, Discretization(dt=1e-3, steps=4), PopulationCode([-1], [1], 2, 0.2), Votes(2))
    >>> rollout(policy, Walk(), episodes=1)[0]
    Episode(3 steps, return 9)
    """
    if not isinstance(policy, SpikingPolicy):
        raise InvalidType(f"{WHERE}: policy: expected a SpikingPolicy, got {type(policy).__name__}")
    count = checks.whole(WHERE, "episodes", episodes, 1)
    seed = checks.whole(WHERE, "seed", seed, 0)
    if max_steps is not None:
        max_steps = checks.whole(WHERE, "max_steps", max_steps, 1)
    threads = checks.whole(WHERE, "threads", os.cpu_count() if threads is None else threads, 1)
    make, shared = _maker(policy.environment if env is None else env)
    # One environment plays one episode after the other.
    threads = 1 if shared else threads
    size = 1 if shared else min(SIDE_BY_SIDE, -(-count // threads))
    parts = [range(k, min(k + size, count)) for k in range(0, count, size)]

    def play(part: range, interrupted: Callable[[], bool]) -> list[Episode]:
        return _play(policy, make, part, seed, deterministic, max_steps, interrupted)

    found = run_jobs([Job(part, len(part)) for part in parts], play, threads, progress)
    if any(isinstance(part, str) and part in (NOT_BEGUN, LEFT) for part in found):
        raise KeyboardInterrupt
    return Episodes([episode for part in found for episode in part])


def _maker(env: Any) -> tuple[Callable[[], Any], bool]:
    """A function that gives environments, and whether it always gives the same one."""
    if env is None:
        raise checks.fail(WHERE, "env", "an environment, for the policy names none", None)
    if isinstance(env, str):
        return lambda: _made(env), False
    if callable(env):  # a class too
        return env, False
    if hasattr(env, "reset") and hasattr(env, "step"):
        return lambda: env, True
    raise InvalidType(f"{WHERE}: env: expected an id or an environment, got {type(env).__name__}")


def _made(name: str) -> Any:
    try:
        import gymnasium
    except ImportError:
        raise MissingExtra("gymnasium", "gym", f"the environment {name!r}") from None
    try:
        return gymnasium.make(name)
    except gymnasium.error.Error as error:
        text = str(error).splitlines()[0]
        raise checks.fail(WHERE, "env", "the id of an environment", f"{name!r} ({text})") from None


def _play(
    policy: SpikingPolicy,
    make: Callable[[], Any],
    numbers: range,
    seed: int,
    deterministic: bool,
    max_steps: int | None,
    interrupted: Callable[[], bool],
) -> list[Episode]:
    """Episodes of these numbers, step by step side by side."""
    player = policy.replace()  # a session belongs to one thread
    records = [_Record(_checked(make(), policy), _reset_seed(seed, k)) for k in numbers]
    alive, state = list(records), player.start(list(numbers))
    while alive:
        if interrupted():
            raise KeyboardInterrupt
        votes, state = player.advance([record.seen for record in alive], state)
        actions = player.act(votes, state, deterministic)
        going = np.array([
            record.step(int(action), vote, max_steps)
            for record, action, vote in zip(alive, actions, votes, strict=True)
        ])  # fmt: skip
        if not going.all():
            alive = [record for record, goes in zip(alive, going, strict=True) if goes]
            state = player.take(state, going)
    return [record.episode(policy, k) for record, k in zip(records, numbers, strict=True)]


class _Record:
    """An environment, and what happened in it."""

    def __init__(self, env: Any, seed: int) -> None:
        self.env = env
        self.seen = _flat(env.reset(seed=seed)[0])
        self.rows: list[tuple[Array, int, Array, float]] = []
        self.terminated = False

    def step(self, action: int, votes: Array, max_steps: int | None) -> bool:
        """Act; whether the episode goes on."""
        seen, reward, self.terminated, truncated, _ = self.env.step(action)
        self.rows.append((self.seen, action, votes, float(reward)))
        self.seen = _flat(seen)
        return not (self.terminated or truncated or len(self.rows) == max_steps)

    def episode(self, policy: SpikingPolicy, number: int) -> Episode:
        observations, actions, votes, rewards = zip(*self.rows, strict=True)
        return Episode(
            policy,
            number,
            np.stack(observations),
            np.array(actions, dtype=np.int64),
            np.stack(votes),
            np.array(rewards),
            bool(self.terminated),
        )


def _flat(observation: Any) -> Array:
    return np.asarray(observation, dtype=np.float64).ravel()


def _checked(env: Any, policy: SpikingPolicy) -> Any:
    actions = getattr(getattr(env, "action_space", None), "n", policy.votes.actions)
    if actions != policy.votes.actions:
        raise checks.fail(
            WHERE, "env", f"{policy.votes.actions} actions, as the policy has", actions
        )
    return env


def _reset_seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence(seed, spawn_key=(_RESET, number)).generate_state(1)[0])
