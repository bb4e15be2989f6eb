"""Spiking policies earn in continuous time what they earn coarse, and act much alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eventsim import plot
from eventsim.gym import Comparison, compare, load_policy
from validation.study import Check, Context, Study

__all__ = ["STUDY"]

DATA = Path(__file__).resolve().parent.parent / "data"
SEED = 20_011
SPREADS = (1.0, 0.0)
"""Pulse widths in steps: the verdict is about the first, deltas are the contrast."""

#: Part of its coarse return that a policy may lose in continuous time.
LOSS = 0.1
QUICK_EPISODES = 3
#: Episodes of the picture, and what the players are called in pictures.
PICTURE_STEPS = (0, 40)
LABELS = {
    "coarse": "coarse",
    "coarse, second draw": "coarse, second draw",
    "continuous, pulses of 1 ms": "exact, pulses of 1 step",
    "continuous, deltas": "exact, deltas",
}


@dataclass(frozen=True)
class Case:
    """A shipped policy, and how many episodes each player plays.

    ``deltas_lose``: whether deltas are said to cost it more than :data:`LOSS`.
    """

    name: str
    title: str
    episodes: int
    deltas_lose: bool = False


# Returns of the first saturate at 500 steps, so more episodes of it would tell little.
CASES = (
    Case("cartpole", "CartPole", 40),
    Case("cartpole_early", "CartPole, stopped early", 100, deltas_lose=True),
    Case("acrobot", "Acrobot", 200),
)


def run(context: Context) -> list[Check]:
    """All players of each policy from the same starts, and on the same observations."""
    checks: list[Check] = []
    found: dict[str, Comparison] = {}
    sizes = [QUICK_EPISODES if context.quick else case.episodes for case in CASES]
    total, before = 4 * sum(sizes), 0
    context.progress(0, total)
    for case, episodes in zip(CASES, sizes, strict=True):
        policy = load_policy(DATA / f"{case.name}.h5", seed=SEED)
        comparison = compare(
            policy, episodes=episodes, seed=SEED,
            spreads=[width * policy.disc.dt for width in SPREADS],
            progress=lambda done, _, before=before: context.progress(before + done, total),
        )  # fmt: skip
        before += 4 * episodes
        found[case.name] = comparison
        checks += _checks(case, comparison)
        context.text(comparison.summary() + "\n", f"-{case.name}.txt")
    context.table(
        ("policy", "player", "episodes", "return", "return_low", "return_high", "change",
         "change_low", "change_high", "same_action", "same_low", "same_high", "same_on_own",
         "own_low", "own_high", "shift", "votes", "ties"),
        [_row(case, player) for case in CASES for player in found[case.name].players],
    )  # fmt: skip
    context.figure(_draw(found))
    for case in CASES[::2]:
        played = found[case.name].continuous[0].episodes[0]
        last = min(PICTURE_STEPS[1], len(played))
        context.figure(plot.episode(played, steps=(PICTURE_STEPS[0], last)), f"-{case.name}")
    return checks


def _checks(case: Case, found: Any) -> list[Check]:
    coarse, second, pulses, deltas = found.players
    scale = abs(coarse.mean_return.value)
    lost, lost_deltas = (-player.change.value / scale for player in (pulses, deltas))
    same, noise = pulses.same_shown, second.same_shown
    checks = [
        Check(
            f"{case.name}, pulses of 1 step: loss of return, of {coarse.mean_return.value:.1f}",
            f"< {100 * LOSS:g} %",
            _percent(lost, -pulses.change.high / scale, -pulses.change.low / scale),
            lost < LOSS,
        ),
        Check(
            f"{case.name}, pulses: same action as coarse, all of its interval",
            f"> {100 * noise.high:.1f} %, the second draw's",
            _percent(same.value, same.low, same.high),
            same.low > noise.high,
        ),
    ]
    if case.deltas_lose:
        least = -deltas.change.high / scale
        checks.append(
            Check(
                f"{case.name}, deltas: loss of return, all of its interval",
                f"> {100 * LOSS:g} %",
                _percent(lost_deltas, least, -deltas.change.low / scale),
                least > LOSS,
            )
        )
    return checks


def _percent(value: float, low: float, high: float) -> str:
    numbers = (f"{100 * number:.1f}".replace("-0.0", "0.0") for number in (value, low, high))
    return "{} [{}, {}] %".format(*numbers)


def _row(case: Case, player: Any) -> tuple:
    parts: list[Any] = []
    for interval in (player.mean_return, player.change, player.same_shown, player.same_own):
        parts += [interval.value, interval.low, interval.high] if interval else ["", "", ""]
    shift = "" if player.shift is None else player.shift
    return (case.name, player.name, len(player.episodes), *parts, shift, player.votes, player.ties)


def _draw(found: dict[str, Comparison]):
    """Above: how many episodes earn so much or less. Below: how often actions are the same."""
    from matplotlib import pyplot

    _, axes = pyplot.subplots(
        2, len(CASES), squeeze=False, figsize=(3.6 * len(CASES), 5.0), layout="constrained",
        height_ratios=[1.5, 1.0],
    )  # fmt: skip
    colors = plot.layer_colors(("continuous, pulses of 1 ms", "continuous, deltas", "coarse"))
    colors["coarse, second draw"] = "0.6"
    for column, case in enumerate(CASES):
        players = found[case.name].players
        above, below = axes[:, column]
        for player in players:
            above.ecdf(
                player.episodes.returns, color=colors[player.name], linewidth=1.4,
                label=LABELS[player.name],
            )  # fmt: skip
        above.set_title(f"{case.title} ({len(players[0].episodes)} episodes)", fontsize="medium")
        above.set_xlabel("return")
        above.set_ylim(0.0, 1.02)
        others = players[1:]
        rows = np.arange(len(others))
        shares = np.array(
            [[p.same_shown.value, p.same_shown.low, p.same_shown.high] for p in others]
        )
        value, low, high = 100 * shares.T
        below.barh(rows, value, height=0.6, color=[colors[p.name] for p in others])
        below.errorbar(value, rows, xerr=[value - low, high - value], fmt="none",
                       ecolor="black", elinewidth=1.2, capsize=3.0)  # fmt: skip
        for row in rows:
            below.annotate(f"{value[row]:.1f}", (high[row], row), xytext=(5, 0),
                           textcoords="offset points", va="center", fontsize="small")  # fmt: skip
        below.set_yticks(rows, [LABELS[p.name] for p in others] if not column else [])
        below.invert_yaxis()
        below.set_xlim(0.0, 112.0)
        below.set_xticks(range(0, 101, 25))
        below.set_xlabel("same action as coarse (%)")
        for ax in (above, below):
            for side in ("top", "right"):
                ax.spines[side].set_visible(False)
    axes[0, 0].set_ylabel("part of the episodes\nwith this return or less")
    axes[0, 0].set_xlim(0.0, 520.0)
    axes[0, 0].legend(frameon=False, fontsize="small", loc="upper left")
    return axes


STUDY = Study(
    "control",
    "Spiking policies for CartPole and Acrobot, trained with the coarse model, lose less than "
    "10 % of their mean return in continuous time with pulses of one step, and on the same "
    "observations change fewer actions than another draw of their input spikes does; with deltas "
    "the CartPole policy whose training was stopped early loses more than that.",
    run,
)
