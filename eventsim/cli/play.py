"""``eventsim play``: a spiking policy in its environment, coarse and in continuous time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from eventsim.cli.options import (
    Duration,
    different_outputs,
    duration_text,
    new_output,
    overwrite_option,
    threads_option,
)
from eventsim.cli.terminal import Work, line, wrote


@click.command()
@click.argument("policy", type=click.Path())
@click.option("--env", metavar="ID", help="Gymnasium environment, default that of the policy.")
@click.option(
    "--episodes",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Episodes of each player.",
)
@click.option(
    "--backend",
    type=click.Choice(["both", "coarse", "continuous"]),
    default="both",
    show_default=True,
    help="Who plays; both are compared.",
)
@click.option(
    "--spread",
    "spreads",
    type=Duration(),
    multiple=True,
    help="Width of the pulses in continuous time, such as '1 ms'; 0: deltas. Can be repeated "
    "where both play. Default: as the file says (usually one step), and deltas.",
)
@click.option(
    "--sample-actions",
    is_flag=True,
    help="Draw actions with the probabilities of the votes; default the action of most votes.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the environments and of the input spikes.",
)
@threads_option
@click.option("--plot", "picture", type=click.Path(), help="Draw an episode (.png, .svg, .pdf).")
@click.option("--json", "json_file", type=click.Path(), help="Write all numbers (.json).")
@overwrite_option
def play(
    policy: str,
    env: str | None,
    episodes: int,
    backend: str,
    spreads: tuple[float, ...],
    sample_actions: bool,
    seed: int,
    threads: int | None,
    picture: str | None,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Let the spiking policy POLICY play, and tell what is left of it in continuous time.

    The policy was trained with the coarse model. Its network keeps its state from one step of the
    environment to the next. Compared are returns, and how often the same action is taken on the
    same observations. Needs Gymnasium: pip install "eventsim[gym]".

    \b
    Examples:
      eventsim play cartpole.h5
      eventsim play acrobot.h5 --episodes 100 --json acrobot.json
      eventsim play cartpole.h5 --backend continuous --episodes 1 --plot episode.png
    """
    both = backend == "both"
    widths = list(dict.fromkeys(spreads))
    if backend == "coarse" and widths:
        raise click.UsageError("expected --spread with continuous time, got it with coarse")
    if not both and len(widths) > 1:
        raise click.UsageError("expected one --spread, or --backend both, got several")
    if not both and json_file is not None:
        raise click.UsageError("expected --json with --backend both, which is what it holds")
    if both and episodes < 2:
        raise click.UsageError("expected at least 2 episodes for a comparison, got 1")
    different_outputs(picture, json_file)
    outputs = [new_output(path, overwrite) for path in (picture, json_file) if path is not None]
    if picture is not None and Path(picture).suffix.lower() not in (".png", ".svg", ".pdf"):
        raise click.BadParameter(
            f"expected a name that ends in .png, .svg or .pdf, got {picture}", param_hint="'--plot'"
        )
    from eventsim.gym import compare, load_policy, rollout

    options: dict[str, Any] = {"deterministic": not sample_actions, "threads": threads}
    loaded = load_policy(policy, seed=seed)
    with Work("playing") as work:
        if both:
            found = compare(
                loaded, env, episodes, seed, spreads=widths or None, progress=work, **options
            )
            shown = found.continuous[0].episodes
        else:
            player = loaded.replace(backend=backend, spread=widths[0] if widths else loaded.spread)
            shown = rollout(player, env, episodes, seed, progress=work, **options)
        seconds = work.seconds
    if both:
        line(found.summary())
        if json_file is not None:
            found.to_json(json_file, overwrite=overwrite)
    else:
        line(f"{env or loaded.environment}, {backend}, seed {seed}")
        line("returns: " + ", ".join(f"{value:g}" for value in shown.returns))
        line(f"mean {shown.returns.mean():.1f} over {len(shown)} episodes")
    if picture is not None:
        _draw(shown[0], outputs[0], overwrite)
    took = f"{episodes} episodes in {duration_text(round(seconds, 1))}"
    if outputs:
        wrote(outputs, took)
    else:
        line(f"\nwrote nothing ({took}; --plot FILE draws an episode)")


def _draw(episode: Any, path: Path, overwrite: bool) -> None:
    from eventsim.cli.plot import draw_without_screen

    draw_without_screen()
    from eventsim import plot

    plot.save(plot.episode(episode), path, overwrite=overwrite)
