"""Train a spiking policy: ``python -m models.train_control cartpole --out FILE``."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import eventsim as es
from eventsim.gym import rollout, save_policy
from eventsim.gym.intervals import ratio_of_sums
from models import export
from models.control import DEFAULTS, TASKS, ControlSettings, ControlTrainer, to_policy
from models.train import INTERRUPTED, guarded

__all__ = ["command", "main", "run"]

#: Episodes after training, none of which was seen while training.
TEST_EPISODES, TEST_SEED = 100, 1


def _option(name: str, kind: type, text: str) -> Any:
    usual = {task: getattr(settings, name) for task, settings in DEFAULTS.items()}
    shown = ", ".join(f"{value:g} for {task}" for task, value in usual.items())
    same = len(set(usual.values())) == 1
    return click.option(
        f"--{name.replace('_', '-')}",
        type=kind,
        default=None,
        show_default=f"{next(iter(usual.values())):g}" if same else shown,
        help=text,
    )


@click.command(
    "train_control", context_settings={"show_default": True, "help_option_names": ["-h", "--help"]}
)
@click.argument("name", type=click.Choice(list(TASKS)))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Policy file (HDF5).")
@_option("seed", int, "Seed of weights, episodes, spikes and actions.")
@_option("iterations", int, "Rounds of playing and learning.")
@_option("episodes", int, "Whole episodes of one iteration.")
@_option("passes", int, "Passes over them; 1 is REINFORCE, more are cut as in PPO.")
@_option("steps", int, "Steps of the network for one action.")
@_option("neurons", int, "Input neurons for each observation.")
@_option("width", float, "Width of their tuning curves in distances of their centres.")
@_option("hidden", int, "Hidden neurons.")
@_option("voters", int, "Output neurons for each action.")
@_option("gain", float, "Log odds of a vote when actions are drawn.")
@_option("tau", float, "Membrane time constant, in steps.")
@_option("beta", float, "Steepness of the surrogate gradient.")
@_option("init_gain", float, "Factor on the initial weights.")
@_option("lr", float, "Learning rate.")
@_option("discount", float, "What a reward one step later counts.")
@_option("trace", float, "Weight of later surprises; 1: whole returns.")
@_option("entropy", float, "Reward for actions that stay open.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def main(name: str, out: Path, overwrite: bool, **options: Any) -> None:
    """Train a policy for the task NAME by reinforcement and write it to a file.

    The same command gives the same weights, bit for bit, on one kind of processor and one version
    of PyTorch and Gymnasium. One core is used.
    """
    given = {key: value for key, value in options.items() if value is not None}
    run(ControlSettings(**{**asdict(DEFAULTS[name]), **given}), out, overwrite)


def run(settings: ControlSettings, out: Path, overwrite: bool = False) -> None:
    """Train, test and write, with a progress bar on the standard error stream."""
    export.check_target(out, overwrite)
    trainer = ControlTrainer(settings)
    try:
        _train(trainer)
    except KeyboardInterrupt:
        click.echo("interrupted; nothing was written", err=True)
        raise SystemExit(INTERRUPTED) from None
    policy = to_policy(trainer)
    tested = rollout(policy, episodes=TEST_EPISODES, seed=TEST_SEED, threads=1)
    mean = ratio_of_sums(tested.returns)
    save_policy(out, policy, provenance(settings, trainer, mean), overwrite=overwrite)
    click.echo(
        f"{settings.name}: mean return {mean.value:.1f} [{mean.low:.1f}, {mean.high:.1f}] "
        f"of {TEST_EPISODES} episodes, coarse model, action of most votes"
    )
    click.echo(f"wrote {out}")


def _train(trainer: ControlTrainer) -> None:
    settings = trainer.settings
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("iterations, return {task.fields[mean]}, left:"),
        TimeRemainingColumn(),
    )
    every = max(1, settings.iterations // 10)
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"train {settings.name}", total=settings.iterations, mean="-")
        while trainer.iteration < settings.iterations:
            mean = trainer.run_iteration()
            progress.update(task, advance=1, mean=f"{mean:.0f}")
            if trainer.iteration % every == 0:
                progress.console.print(
                    f"iteration {trainer.iteration}/{settings.iterations}: mean return {mean:.1f}, "
                    f"{trainer.played:,} environment steps so far"
                )


def command(settings: ControlSettings, out: str, every: bool = False) -> str:
    """The command that trains with these settings; ``every`` writes defaults out too."""
    words = ["python", "-m", "models.train_control", settings.name]
    for field in fields(settings):
        value = getattr(settings, field.name)
        usual = getattr(DEFAULTS[settings.name], field.name)
        if field.name != "name" and (every or value != usual):
            words += [f"--{field.name.replace('_', '-')}", str(value)]
    return " ".join([*words, "--out", out])


def provenance(settings: ControlSettings, trainer: ControlTrainer, mean: Any) -> dict[str, Any]:
    """Where the weights come from, as plain types, with nothing that changes between runs."""
    return {
        "command": command(settings, f"{settings.name}.h5", every=True),
        "seed": settings.seed,
        "settings": asdict(settings),
        "method": "REINFORCE with a learned baseline, coarse model, surrogate gradients"
        + ("" if settings.passes == 1 else f"; {settings.passes} passes, cut as in PPO"),
        "environment_steps": trainer.played,
        "coarse_return": {
            "episodes": TEST_EPISODES,
            "seed": TEST_SEED,
            "mean": mean.value,
            "bootstrap_95": [mean.low, mean.high],
        },
        "versions": {
            "eventsim": es.__version__,
            "gymnasium": version("gymnasium"),
            "numpy": version("numpy"),
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "reference": "arXiv:2007.06176",
    }


if __name__ == "__main__":
    sys.exit(guarded(main))
