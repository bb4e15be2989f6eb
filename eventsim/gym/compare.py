"""The same policy coarse and in continuous time: what it earns, and whether it acts alike.

Returns are compared in closed loop: both play, from the same starts. But returns saturate where
a policy is good enough, and one other action changes all that follows. So actions are compared
on the same observations too: each policy is shown what the other one saw while it played.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks, decode
from eventsim.errors import InvalidType
from eventsim.fidelity.words import table
from eventsim.gym.intervals import Interval, ratio_of_sums
from eventsim.gym.policy import SpikingPolicy
from eventsim.gym.replay import votes_on
from eventsim.gym.rollout import Episodes, rollout
from eventsim.save.report import JsonReport

__all__ = ["Comparison", "Player", "compare"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Player:
    """One of the policies compared.

    Attributes
    ----------
    name : str
        ``"coarse"``, ``"coarse, second draw"``, ``"continuous, pulses of 1 ms"``,
        ``"continuous, deltas"`` or the like.
    policy : SpikingPolicy
    episodes : Episodes
        What it played.
    mean_return : Interval
        Over episodes.
    change : Interval or None
        Mean difference of its return and that of the coarse policy from the same start.
    same_shown : Interval or None
        Share of the actions of the coarse policy that this one takes too when it is shown the
        coarse policy's observations. None for the coarse policy itself, as the next one.
    same_own : Interval or None
        Share of its own actions that the coarse policy takes too when shown its observations.
    shift : float or None
        Largest change of the share of an action, on the coarse policy's observations. Changes of
        both directions cancel here: with a shift near 0 other actions are chance, else a bias.
    votes : float
        Mean number of votes in an environment step, on the coarse policy's observations.
    ties : float
        Share of its environment steps in which several actions had most votes.
    """

    name: str
    policy: SpikingPolicy
    episodes: Episodes
    mean_return: Interval
    change: Interval | None
    same_shown: Interval | None
    same_own: Interval | None
    shift: float | None
    votes: float
    ties: float

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as for JSON."""
        parts = {
            field: None if value is None else asdict(value)
            for field in ("mean_return", "change", "same_shown", "same_own")
            for value in [getattr(self, field)]
        }
        return {
            "name": self.name,
            "backend": self.policy.backend,
            "spread": self.policy.spread if self.policy.backend == "continuous" else None,
            "policy_seed": self.policy.seed,
            **parts,
            "shift": self.shift,
            "votes": self.votes,
            "ties": self.ties,
            "returns": self.episodes.returns.tolist(),
            "lengths": self.episodes.lengths.tolist(),
        }

    def __repr__(self) -> str:
        return f"Player({self.name}; {len(self.episodes)} episodes)"


class Comparison(JsonReport):
    """Players of the same episodes, the coarse one first; from :func:`compare`."""

    def __init__(self, players: Sequence[Player], settings: dict[str, Any]) -> None:
        self.players = tuple(players)
        self.settings = settings

    def __getitem__(self, name: str) -> Player:
        """The player of this name."""
        found = {player.name: player for player in self.players}
        if name not in found:
            raise checks.fail("Comparison", "name", f"one of {list(found)}", repr(name))
        return found[name]

    @property
    def coarse(self) -> Player:
        """The coarse policy, to which the others are held."""
        return self.players[0]

    @property
    def continuous(self) -> tuple[Player, ...]:
        """The policies in continuous time."""
        return tuple(p for p in self.players if p.policy.backend == "continuous")

    def summary(self) -> str:
        """Two tables as plain text: what was earned, and whether actions are the same."""
        earned: list[tuple[str, ...]] = [("", "mean return", "change", "ties, %")]
        same: list[tuple[str, ...]] = [
            ("same action as coarse, %", "shown what coarse saw", "what it saw", "shift", "votes")
        ]
        for player in self.players:
            earned.append((
                player.name,
                _text(player.mean_return, "{:.1f}"),
                _text(player.change, "{:+.1f}"),
                f"{100.0 * player.ties:.1f}",
            ))  # fmt: skip
            same.append((
                player.name,
                _text(player.same_shown, "{:.1f}", 100.0),
                _text(player.same_own, "{:.1f}", 100.0),
                "-" if player.shift is None else f"{100.0 * player.shift:.1f}",
                f"{player.votes:.1f}",
            ))  # fmt: skip
        s = self.settings
        head = f"{s['environment']}: {s['episodes']} episodes, seed {s['seed']}"
        notes = (
            "Brackets: 95 % intervals. Change: against the coarse policy from the same starts.\n"
            "Shift: largest change of the share of an action, in points; votes: in an environment\n"
            "step; both on what the coarse policy saw. Ties of votes go to the lowest action."
        )
        return "\n\n".join((head, table(earned), table(same), notes))

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as for JSON."""
        return {
            "settings": self.settings,
            "players": [player.to_dict() for player in self.players],
        }

    def __repr__(self) -> str:
        names = "; ".join(player.name for player in self.players)
        return f"Comparison({self.settings['episodes']} episodes; {names})"


def compare(
    policy: SpikingPolicy,
    env: Any = None,
    episodes: int = 100,
    seed: int = 0,
    *,
    spreads: Sequence[float] | None = None,
    deterministic: bool = True,
    max_steps: int | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Let a policy play coarse and in continuous time, and compare.

    Players are the coarse policy; the coarse policy with other random input spikes, where the
    encoder draws them (the yardstick: so many actions change without any change of the model);
    and the continuous policy with each pulse width, on the input spikes of the first.

    Parameters
    ----------
    policy : SpikingPolicy
        Of either backend. Its seed is that of the first draw, the next number of the second.
    env : str, callable or environment, optional
        As for :func:`rollout`.
    episodes : int
        Number of episodes of each player, >= 2.
    seed : int
        Seed, >= 0, of the environments; all players get the same starts.
    spreads : sequence of float, optional
        Widths of pulses in seconds, 0: deltas. Default that of the policy, and deltas.
    deterministic, max_steps, threads
        As for :func:`rollout`.
    progress : callable, optional
        Called with (episodes done, episodes in all) over all players.

    Returns
    -------
    Comparison

    Raises
    ------
    InvalidValue, InvalidType, MissingExtra
        As :func:`rollout`.

    Examples
    --------
    >>> from eventsim.gym import load_policy
    >>> from eventsim.resources import data_path
    >>> policy = load_policy(data_path("cartpole.h5"))
    >>> found = compare(policy, "CartPole-v1", episodes=2, max_steps=20, spreads=[1e-3])
    >>> found
    Comparison(2 episodes; coarse; coarse, second draw; continuous, pulses of 1 ms)
    >>> found.continuous[0].change
    Interval(value=0.0, low=0.0, high=0.0)
    """
    where = "compare"
    if not isinstance(policy, SpikingPolicy):
        raise InvalidType(f"{where}: policy: expected a SpikingPolicy, got {type(policy).__name__}")
    episodes = checks.whole(where, "episodes", episodes, 2)
    widths = dict.fromkeys((policy.spread, 0.0) if spreads is None else spreads)
    cast = {"coarse": policy.replace(backend="coarse")}
    if policy.disc.encoder == "bernoulli":
        cast["coarse, second draw"] = cast["coarse"].replace(seed=policy.seed + 1)
    for width in widths:
        name = f"pulses of {1e3 * width:g} ms" if width else "deltas"
        cast[f"continuous, {name}"] = policy.replace(backend="continuous", spread=width)

    total = episodes * len(cast)
    played: dict[str, Episodes] = {}

    def told(done: int, _: int) -> None:
        if progress is not None:
            progress(len(played) * episodes + done, total)

    for name, player in cast.items():
        played[name] = rollout(
            player, env, episodes, seed, deterministic=deterministic, max_steps=max_steps,
            threads=threads, progress=told,
        )  # fmt: skip
    settings = {
        "environment": env if isinstance(env, str) else policy.environment or "environment",
        "episodes": episodes,
        "seed": seed,
        "policy_seed": policy.seed,
        "deterministic": deterministic,
    }
    return Comparison([_player(name, cast, played) for name in cast], settings)


def _player(name: str, cast: dict[str, SpikingPolicy], played: dict[str, Episodes]) -> Player:
    mine, coarse, policy = played[name], played["coarse"], cast[name]
    own = [episode.votes for episode in mine]
    seen = [episode.votes for episode in coarse]
    change = same_shown = same_own = shift = None
    shown = seen
    if name != "coarse":
        shown = votes_on(policy, coarse)
        change = ratio_of_sums(mine.returns - coarse.returns)
        same_shown = _same(policy, shown, seen)
        same_own = _same(policy, votes_on(cast["coarse"], mine), own)
        shift = float(np.abs(_shares(policy, shown) - _shares(policy, seen)).max())
    return Player(
        name,
        policy,
        mine,
        ratio_of_sums(mine.returns),
        change,
        same_shown,
        same_own,
        shift,
        float(np.concatenate(shown).sum(axis=1).mean()),
        float(decode.ties(np.concatenate(own)).mean()),
    )


def _same(policy: SpikingPolicy, first: Sequence[Array], second: Sequence[Array]) -> Interval:
    """Share of environment steps in which the actions of most votes are the same."""
    choose = policy.votes.choose
    same = [np.count_nonzero(choose(a) == choose(b)) for a, b in zip(first, second, strict=True)]
    return ratio_of_sums(same, [len(votes) for votes in first])


def _shares(policy: SpikingPolicy, votes: Sequence[Array]) -> Array:
    """How often each action has most votes."""
    chosen = policy.votes.choose(np.concatenate(votes))
    return np.bincount(chosen, minlength=policy.votes.actions) / len(chosen)


def _text(interval: Interval | None, form: str, factor: float = 1.0) -> str:
    if interval is None:
        return "-"
    value, low, high = (
        form.format(factor * x) for x in (interval.value, interval.low, interval.high)
    )
    return f"{value} [{low}, {high}]"
