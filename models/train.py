"""Train a reference network with the coarse model: ``python -m models.train NAME --out FILE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from eventsim.errors import EventsimError, InvalidValue
from models import cell, coding, datasets, export, networks, training
from models.training import Settings, Trainer

__all__ = ["guarded", "main", "run"]

ERROR, INTERRUPTED = 2, 130


@click.command(
    "train", context_settings={"show_default": True, "help_option_names": ["-h", "--help"]}
)
@click.argument("name", type=click.Choice(networks.NAMES))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Network file (HDF5).")
@click.option("--dataset", type=click.Choice(datasets.NAMES), default="fashion-mnist")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with the idx files.")
@click.option("--limit", type=int, default=0, help="Use the first N training images; 0: all.")
@click.option("--steps", type=int, default=4, help="Steps of one presentation.")
@click.option("--epochs", type=int, default=10)
@click.option("--seed", type=int, default=0)
@click.option("--hidden", type=int, default=256, help="Hidden neurons of the network 'hidden'.")
@click.option("--tau-hidden", type=float, default=4.0, help="Steps; all layers but the last.")
@click.option("--tau-out", type=float, default=4.0, help="Steps; the last layer.")
@click.option("--tau-input", type=float, default=4.0, help="Steps; lenet5_const's input layer.")
@click.option("--variant", type=click.Choice(cell.VARIANTS), default="coarse")
@click.option("--beta", type=float, default=5.0, help="Steepness of the surrogate gradient.")
@click.option(
    "--encoder",
    type=click.Choice(coding.ENCODERS),
    default=None,
    show_default="constant for lenet5_const, else bernoulli",
)
@click.option(
    "--encoder-scale",
    type=float,
    default=None,
    show_default="1.1 for lenet5_const, else 1",
    help="Factor on the pixels.",
)
@click.option("--lr", type=float, default=2e-3, help="First learning rate; falls to 0.")
@click.option("--batch", type=int, default=100, help="Images of one update.")
@click.option("--loss", type=click.Choice(coding.LOSSES), default="mse")
@click.option("--loss-scale", type=float, default=1.0, help="Factor on counts in cross-entropy.")
@click.option("--init-gain", type=float, default=1.0, help="Factor on the initial weights.")
@click.option(
    "--noise-aware",
    is_flag=True,
    help="Train with the spread that arrival times within a step give the potential.",
)
@click.option(
    "--threshold-noise",
    type=float,
    metavar="SIGMA",
    default=0.0,
    help="Train with a threshold that varies; standard deviation as a share of it.",
)
@click.option("--threads", type=int, default=1, help="Part of what decides the last bits.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Written after every epoch.")
@click.option("--resume", is_flag=True, help="Continue from the file of --checkpoint.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
def main(
    out: Path,
    data_dir: Path | None,
    checkpoint: Path | None,
    resume: bool,
    overwrite: bool,
    encoder: str | None,
    encoder_scale: float | None,
    **options: Any,
) -> None:
    """Train the network NAME and write it, with its provenance, to a file.

    The same command gives the same network, bit for bit, on one kind of processor and one version
    of PyTorch. A run that was stopped goes on with --resume as if it had not been.
    """
    analog = options["name"] == "lenet5_const"
    settings = Settings(
        encoder=encoder or ("constant" if analog else "bernoulli"),
        encoder_scale=(1.1 if analog else 1.0) if encoder_scale is None else encoder_scale,
        **options,
    )
    run(settings, out, data_dir, checkpoint, resume, overwrite)


def run(
    settings: Settings,
    out: Path,
    data_dir: Path | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> training.Accuracy:
    """Train, test and write, with a progress bar on the standard error stream."""
    settings.check()
    export.check_target(out, overwrite)
    if resume and checkpoint is None:
        raise InvalidValue("train: resume: expected --checkpoint FILE to continue from, got none")
    if checkpoint is not None and not resume:
        export.check_target(checkpoint, overwrite)
    dataset = datasets.load(settings.dataset, data_dir)
    trainer = Trainer(settings, dataset)
    if checkpoint is not None and resume:
        trainer.restore(training.read_checkpoint(checkpoint), str(checkpoint))
    accuracy = _train_and_test(trainer, checkpoint)
    export.write(out, trainer.net, settings, dataset, accuracy, overwrite=overwrite)
    click.echo(f"{settings.name}: {accuracy} {dataset.name} test images, coarse model")
    click.echo(f"wrote {out}")
    return accuracy


def _train_and_test(trainer: Trainer, checkpoint: Path | None) -> training.Accuracy:
    settings, dataset = trainer.settings, trainer.dataset
    n, n_test = len(trainer.labels), len(dataset.test_labels)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images, left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(
            f"train {settings.name}", total=n * settings.epochs, completed=n * trainer.epoch
        )
        while trainer.epoch < settings.epochs:
            record = trainer.run_epoch(lambda done: progress.advance(task, done))
            if checkpoint is not None:
                training.write_checkpoint(checkpoint, trainer.state())
            progress.console.print(
                f"epoch {trainer.epoch}/{settings.epochs}: loss {record['loss']:.4f}, "
                f"training accuracy {record['accuracy']:.2%}"
            )
        task = progress.add_task(f"test {settings.name}", total=n_test)
        return training.evaluate(
            trainer.net,
            settings,
            dataset.test_images,
            dataset.test_labels,
            lambda done: progress.advance(task, done),
        )


def guarded(command: click.Command, arguments: list[str] | None = None) -> int:
    """Exit status of a command; an error is one line on the standard error stream."""
    try:
        command.main(arguments, prog_name=f"python -m models.{command.name}", standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        return ERROR
    except EventsimError as error:
        click.echo(f"error: {error}", err=True)
        return ERROR
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; a run with --checkpoint can be continued with --resume", err=True)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
