"""What the commands share that compare a network with its discrete model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eventsim.cli.nir import nir_options
from eventsim.cli.options import (
    architecture_option,
    duration_text,
    overwrite_option,
    seed_option,
    threads_option,
)
from eventsim.cli.terminal import line, wrote

if TYPE_CHECKING:
    from eventsim.discretization import Discretization
    from eventsim.network import Network
    from eventsim.save.report import JsonReport

__all__ = ["Case", "Request", "comparison_options", "finish", "with_discrete_model"]

#: Options that the library's functions take by the same name, and those for reading files.
_PASSED_ON = (
    "steps", "jitter_seeds", "decoder", "n_classes", "seed", "threads", "workers", "scheduler",
    "out",
)  # fmt: skip
_READ = ("net", "data", "samples", "architecture", "nir")


@dataclass(frozen=True)
class Case:
    """A network with its discretization, images and labels."""

    net: Network
    disc: Discretization
    images: Any
    labels: Any

    def __iter__(self) -> Any:
        return iter((self.net, self.disc, self.images, self.labels))


@dataclass(frozen=True)
class Request:
    """The options that these commands share.

    Attributes
    ----------
    options : dict
        Arguments for the library: steps, seeds, and how to run.
    """

    net: str
    data: str
    samples: int | None
    architecture: str | None
    nir: dict[str, Any]
    options: dict[str, Any]

    @property
    def out(self) -> Path | None:
        """Folder of finished shards."""
        return None if self.options["out"] is None else Path(self.options["out"])

    def read(self, command: str) -> Case:
        """The files, or the error that says what is wrong with them."""
        from eventsim import checks
        from eventsim.cli.stimuli import fitting_images, read_images

        network, disc = with_discrete_model(self.net, self.architecture, self.nir)
        images, labels = read_images(self.data)
        if self.samples is not None and self.samples > len(images):
            raise checks.fail(command, "--samples", f"at most {len(images)}", self.samples)
        fitting_images(network, images)
        return Case(network, disc, images[: self.samples], labels[: self.samples])


def with_discrete_model(
    path: str, architecture: str | None, nir: dict[str, Any]
) -> tuple[Network, Discretization]:
    """The network of a file and its discrete model, or the error that says how to have one."""
    from eventsim.errors import FileError
    from eventsim.load import load

    network, disc = load(path, architecture, **nir)
    if disc is not None:
        return network, disc
    help = "for a NIR file --exporter and --dt say how its framework steps"
    if "exporter" in nir:
        help = "eventsim info says which neurons have no known steps"
    raise FileError(
        f"{path}: discretization: expected the discrete model that was trained, got none ({help}; "
        "eventsim.save writes a network together with one)"
    )


def finish(
    request: Request,
    report: JsonReport,
    samples: int,
    seconds: float,
    outputs: list[Path],
    json_file: str | None,
    kept: str,
    overwrite: bool,
) -> None:
    """Write the numbers, and say in the last line what was written where.

    ``outputs``: files named by options, ``json_file`` among them; ``kept``: the file of the numbers
    in the folder of --out.
    """
    if json_file is not None:
        report.to_json(json_file, overwrite=overwrite)
    if request.out is not None:
        outputs = [*outputs, request.out / kept]
    took = f"{samples} images in {duration_text(round(seconds, 1))}"
    if outputs:
        wrote(outputs, took)
    else:
        line(f"\nwrote nothing ({took}; --json FILE or --out FOLDER keeps the numbers)")


def comparison_options(*own: Callable[..., Any]) -> Callable[..., Any]:
    """The argument NET, the data, a command's own options, and how to run.

    All but its own arrive as ``request: Request``, and ``overwrite``.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def collected(*args: Any, **values: Any) -> Any:
            options = {name: values.pop(name) for name in _PASSED_ON}
            read = {name: values.pop(name) for name in _READ}
            return command(*args, request=Request(options=options, **read), **values)

        options: list[Callable[..., Any]] = [*_FIRST, *own, *_LAST]
        decorated: Callable[..., Any] = collected
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


_FIRST = (
    click.argument("net", type=click.Path()),
    click.option(
        "--data", required=True, type=click.Path(), help="An .npz file with images and labels."
    ),
    click.option(
        "--samples", type=click.IntRange(min=1), help="Only the first samples of the data."
    ),
    click.option("--steps", type=click.IntRange(min=1), help="Steps, default as in training."),
    click.option(
        "--jitter-seeds",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Repeat with so many draws of the spike times within a step.",
    ),
    click.option(
        "--decoder",
        type=click.Choice(["count", "last", "mean", "max"]),
        help="Class by most spikes; or, of an output that does not spike, by the highest potential "
        "at the end, on average or at any step. Default: as the file says, or what fits.",
    ),
    click.option(
        "--classes",
        "n_classes",
        type=click.IntRange(min=1),
        help="Classes of a population code, each of as many neighbouring output neurons.",
    ),
)

_LAST = (
    seed_option,
    click.option(
        "--out",
        type=click.Path(),
        metavar="FOLDER",
        help="Keep finished parts, and the numbers; the same command goes on where one was "
        "stopped.",
    ),
    threads_option,
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        help="Run on so many processes of this computer. Needs eventsim[dask].",
    ),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Run on the workers of a Dask scheduler, such as tcp://10.0.0.1:8786.",
    ),
    architecture_option,
    nir_options,
    overwrite_option,
)
