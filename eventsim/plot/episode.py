"""An episode of a spiking policy: what it saw, how it spiked, what it did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.plot import style
from eventsim.plot.raster import raster

if TYPE_CHECKING:
    from eventsim.gym import Episode, SpikingPolicy

__all__ = ["episode"]

WHERE = "plot.episode"

#: Environment steps that are shown unless told otherwise: spikes are still told apart.
SHOWN = 40
#: Dots for the actions taken up to so many environment steps.
DOTTED = 120


def episode(
    played: Episode,
    *,
    policy: SpikingPolicy | None = None,
    steps: tuple[int, int] | None = None,
    ax: Sequence[Axes] | None = None,
    t_unit: str = "ms",
) -> NDArray[Any]:
    """Observations, spikes of all layers, and votes with the actions taken, over shared time.

    Time is that of the network; rules and the scale on top count environment steps. Each
    observation is drawn as a part of its range: -1 and 1 are the ends of what the policy tells
    apart. Votes are output spikes for an action in an environment step, the darker the more; a
    dot marks the action taken.

    Parameters
    ----------
    played : Episode
        From :func:`eventsim.gym.rollout`.
    policy : SpikingPolicy, optional
        Whose spikes to show. Default the player's, as they were. Another one, such as the coarse
        one beside the continuous one, is shown the same observations; dots remain what was done.
    steps : (int, int), optional
        Show environment steps ``first`` to ``last``, the latter not included. Default the first
        40.
    ax : sequence of three Axes, optional
        Where to draw. Default a new figure.
    t_unit : {"ms", "s", "us"}
        Unit of the time axis.

    Returns
    -------
    array of three Axes

    Raises
    ------
    InvalidValue, InvalidType
        No episode, steps outside of it, or another number of Axes.

    Examples
    --------
    >>> from eventsim import load, plot
    >>> from eventsim.gym import load_policy, rollout
    >>> from eventsim.resources import data_path
    >>> class Still:
    ...     def reset(self, seed):
    ...         return [0.0, 0.0, 0.1, 0.0], {}
    ...     def step(self, action):
    ...         return [0.0, 0.0, 0.1, 0.0], 1.0, False, False, {}
    >>> policy = load_policy(data_path("cartpole.h5"))
    >>> axes = plot.episode(rollout(policy, Still(), episodes=1, max_steps=10)[0])
    >>> axes[2].get_xlabel()
    'time (ms)'
    """
    from eventsim.gym import Episode
    from eventsim.gym.replay import replay, votes_on

    if not isinstance(played, Episode):
        raise InvalidType(f"{WHERE}: played: expected an Episode, got {type(played).__name__}")
    scale, label = style.time_unit(WHERE, t_unit)
    first, last = _range(steps, len(played))
    shown = played.policy if policy is None else policy
    votes = played.votes if policy is None else votes_on(policy, [played])[0]
    axes = _axes(ax, len(shown.votes.names))
    length = shown.duration
    _observations(axes[0], played, shown, (first, last), length * scale)
    raster(
        replay(shown, played),
        ax=axes[1],
        t_unit=t_unit,
        t_range=(first * length, last * length),
        dt=length,
    )
    _votes(axes[2], votes[first:last], played.actions[first:last], shown, first, length * scale)
    axes[1].set_xlabel("")
    axes[2].set_xlabel(label)
    top = axes[0].secondary_xaxis(
        "top", functions=(lambda t: t / (length * scale), lambda k: k * (length * scale))
    )
    top.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    top.set_xlabel("environment step")
    for row in axes:
        row.set_xlim(first * length * scale, last * length * scale)
    return axes


def _range(steps: Any, length: int) -> tuple[int, int]:
    if steps is None:
        return 0, min(SHOWN, length)
    if not isinstance(steps, tuple | list) or len(steps) != 2:
        raise InvalidType(f"{WHERE}: steps: expected (first, last), got {steps!r}")
    first, last = (checks.whole(WHERE, "steps", step, 0) for step in steps)
    if not first < last <= length:
        raise checks.fail(WHERE, "steps", f"first < last <= {length}", steps)
    return first, last


def _axes(ax: Any, actions: int) -> NDArray[Any]:
    if ax is None:
        from matplotlib import pyplot

        heights = [1.5, 3.0, 0.25 + 0.25 * actions]
        _, axes = pyplot.subplots(
            3, 1, sharex=True, figsize=(8.0, 1.4 + sum(heights)), layout="constrained",
            height_ratios=heights,
        )  # fmt: skip
        return axes
    given = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    for item in given:
        style.checked_axes(WHERE, item)
    if len(given) != 3:
        raise checks.fail(WHERE, "ax", "three Axes", len(given))
    return given


def _observations(
    ax: Axes, played: Episode, policy: SpikingPolicy, steps: tuple[int, int], width: float
) -> None:
    code, edges = policy.code, np.arange(steps[0], steps[1] + 1) * width
    scaled = 2.0 * (played.observations - code.low) / (code.high - code.low) - 1.0
    colors = style.layer_colors(code.names)
    ax.axhline(0.0, color="0.85", linewidth=0.6, zorder=0)
    for k, name in enumerate(code.names):
        values = scaled[slice(*steps), k]
        ax.stairs(values, edges, baseline=None, color=colors[name], label=name, linewidth=1.3)
    ax.set_ylim(-1.08, 1.08)
    ax.set_yticks([-1, 0, 1])
    ax.set_ylabel("observation\n(part of range)")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))


def _votes(
    ax: Axes,
    votes: NDArray[np.int64],
    actions: NDArray[np.int64],
    policy: SpikingPolicy,
    first: int,
    width: float,
) -> None:
    names = policy.votes.names
    start, stop = first * width, (first + len(votes)) * width
    image = ax.imshow(
        votes.T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap=style.lightness_map(style.EXACT),
        vmin=0,
        vmax=max(1, int(votes.max()) * 4 // 3),
        extent=(start, stop, -0.5, len(names) - 0.5),
    )
    # An inset, so that it stands beside the votes and not beyond the legend above.
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.02, 0.0, 0.02, 1.0)), label="votes")
    bar.ax.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    middle = start + (np.arange(len(actions)) + 0.5) * width
    size = 4.0 if len(actions) <= DOTTED else 1.5
    ax.plot(middle, actions, "o", color=style.COARSE, markersize=size, markeredgewidth=0.0)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0)
    for edge in range(1, len(names)):
        ax.axhline(edge - 0.5, color=style.GREY, linewidth=0.8)
