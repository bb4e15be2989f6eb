"""Command line: ``python -m validation [--list]``, ``python -m validation run NAME|all``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

import eventsim as es
from eventsim.errors import EventsimError
from validation import (
    accuracy,
    causes,
    control,
    forecast,
    noise,
    pooling,
    rates,
    remedies,
    theory,
    time_step,
    transfer,
)
from validation.study import Check, Context, Study

__all__ = ["STUDIES", "command", "main"]

#: In the order in which ``all`` runs them: the quick ones first.
STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        theory.STUDY,
        rates.STUDY,
        transfer.STUDY,
        causes.STUDY,
        remedies.STUDY,
        time_step.STUDY,
        forecast.STUDY,
        pooling.STUDY,
        noise.STUDY,
        control.STUDY,
        accuracy.STUDY,
    )
}
FOLDER = Path("out/validation")
FAILED, ERROR, INTERRUPTED = 1, 2, 130
WIDE = 140


def _console(stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--list", "listed", is_flag=True, help="Name the studies and their claims.")
@click.pass_context
def command(context: click.Context, listed: bool) -> None:
    """Studies, one claim each. Without a command all of them run.

    The exit status is 0 when every claim holds, 1 when one fails, 2 after an error.
    """
    if listed:
        for study in STUDIES.values():
            _console().print(f"{study.name:10} {study.claim}", soft_wrap=True)
        context.exit(0)
    if context.invoked_subcommand is None:
        context.exit(_run_all(list(STUDIES.values()), FOLDER, {}))


@command.command(context_settings={"show_default": True})
@click.argument("name", type=click.Choice([*STUDIES, "all"]))
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    help="Folder for tables and figures; those of the same study are replaced.",
)
@click.option(
    "--quick", is_flag=True, help="A small run, to see that it works; chance may fail a threshold."
)
@click.option(
    "--shards",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep finished shards of comparisons here; the same command goes on where it stopped.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Run comparisons on so many processes.")
@click.option(
    "--scheduler", metavar="ADDRESS", help="Run comparisons on the workers of a Dask scheduler."
)
@click.pass_context
def run(context: click.Context, name: str, output_dir: Path, **options: Any) -> None:
    """Run the study NAME, or all.

    The comparisons of transfer, causes, remedies, time-step, pooling and noise can run on several
    processes or computers; training and the other studies run in this process.
    """
    studies = list(STUDIES.values()) if name == "all" else [STUDIES[name]]
    context.exit(_run_all(studies, output_dir, options))


def _run_all(studies: Sequence[Study], folder: Path, options: dict[str, Any]) -> int:
    """Run, write and print; the exit status."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"--output-dir: {folder}: {error.strerror}") from None
    out, files, failed = _console(), [], []
    for study in studies:
        context = Context(study.name, folder, **options)
        began = time.perf_counter()
        checks = _with_progress(study, context)
        seconds = time.perf_counter() - began
        holds = bool(checks) and all(check.holds for check in checks)
        if not holds:
            failed.append(study.name)
        out.print(
            f"\n{study.name}: {'holds' if holds else 'FAILS'} ({seconds:.0f} s)", style="bold"
        )
        out.print(study.claim)
        out.print(_table(checks))
        context.text(_summary(study, context, checks, holds), ".txt")
        files += context.files
    verdict = f"{len(failed)} of {len(studies)} claims failed: {', '.join(failed)}"
    if not failed:
        verdict = f"all {len(studies)} claims hold" if len(studies) > 1 else "the claim holds"
    out.print(f"\n{verdict}; wrote to {folder}: {', '.join(f.name for f in files)}", soft_wrap=True)
    return FAILED if failed else 0


def _with_progress(study: Study, context: Context) -> list[Check]:
    """Run a study under a bar with its ETA on the standard error stream."""
    console = _console(stderr=True)
    if not console.is_terminal:
        console.print(f"{study.name} ...")
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(study.name, total=None)
        context.progress = lambda done, total: bar.update(task, completed=done, total=total)
        return study.run(context)


def _table(checks: Sequence[Check]) -> Table:
    table = Table("", "check", "threshold", "measured", box=None, pad_edge=False)
    for check in checks:
        table.add_row("ok" if check.holds else "FAIL", check.what, check.threshold, check.measured)
    return table


def _summary(study: Study, context: Context, checks: Sequence[Check], holds: bool) -> str:
    """The outcome as text; the same run gives the same bytes."""
    console = Console(width=WIDE, highlight=False, markup=False, emoji=False, color_system=None)
    with console.capture() as captured:
        console.print(_table(checks))
    body = "\n".join(row.rstrip() for row in captured.get().splitlines())
    size = " (quick run: not the protocol)" if context.quick else ""
    used = ", ".join(f"{name} {_version(name)}" for name in ("eventsim", "numpy", "numba"))
    verdict = "The claim holds" if holds else "The claim FAILS"
    return f"{study.name}: {study.claim}\n{verdict}{size}.\n\n{body}\n\n{used}\n"


def _version(package: str) -> str:
    try:
        return es.__version__ if package == "eventsim" else version(package)
    except PackageNotFoundError:
        return "unknown"


def main(arguments: list[str] | None = None) -> int:
    """Exit status of the command; an error is one line on the standard error stream."""
    try:
        status = command.main(arguments, prog_name="python -m validation", standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        return ERROR
    except (EventsimError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        return ERROR
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; files are whole, the last study may lack some", err=True)
        return INTERRUPTED
    return status or 0


if __name__ == "__main__":
    sys.exit(main())
