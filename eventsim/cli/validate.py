"""``eventsim validate``: how much of a trained network is left in continuous time."""

from __future__ import annotations

from typing import Any

import click

from eventsim.cli.nir import nir_options
from eventsim.cli.options import (
    Duration,
    architecture_option,
    different_outputs,
    new_output,
    overwrite_option,
    seed_option,
    threads_option,
)
from eventsim.cli.terminal import Work, line, wrote


@click.command()
@click.argument("net", type=click.Path())
@click.option(
    "--data", required=True, type=click.Path(), help="An .npz file with images and labels."
)
@click.option("--samples", type=click.IntRange(min=1), help="Only the first samples of the data.")
@click.option("--steps", type=click.IntRange(min=1), help="Steps, default as in training.")
@click.option(
    "--jitter-seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Repeat with so many draws of the spike times within a step.",
)
@click.option(
    "--spread",
    "spreads",
    type=Duration(),
    multiple=True,
    help="Width of the pulses, such as '1 ms'; 0: deltas. Can be repeated; the verdict is about "
    "the first. Default: as the file says (usually one step), and deltas.",
)
@click.option(
    "--extend",
    type=Duration(),
    default="0",
    show_default=True,
    help="Simulate so much longer than the coarse model.",
)
@seed_option
@threads_option
@click.option("--report", type=click.Path(), help="Write a report with pictures (.html).")
@click.option("--json", "json_file", type=click.Path(), help="Write all numbers (.json).")
@architecture_option
@nir_options
@overwrite_option
def validate(
    net: str,
    data: str,
    samples: int | None,
    steps: int | None,
    jitter_seeds: int,
    spreads: tuple[float, ...],
    extend: float,
    seed: int,
    threads: int | None,
    report: str | None,
    json_file: str | None,
    architecture: str | None,
    nir: dict[str, Any],
    overwrite: bool,
) -> None:
    """Compare the network NET with its exact simulation, on the same input spikes.

    The coarse model, as it was trained, and the continuous network get the same spikes. Compared
    are their accuracy and how often they agree, beside how often the coarse model agrees with
    itself on a second random draw of its input.

    \b
    Examples:
      eventsim validate hidden.h5 --data images.npz
      eventsim validate hidden.h5 --data images.npz --jitter-seeds 5 --report report.html
      eventsim validate hidden.h5 --data images.npz --spread 0 --spread '0.5 ms' --spread '1 ms'
    """
    different_outputs(report, json_file)
    outputs = [new_output(path, overwrite) for path in (report, json_file) if path is not None]
    from eventsim import checks
    from eventsim.cli.plot import draw_without_screen
    from eventsim.cli.stimuli import fitting_images, read_images
    from eventsim.errors import FileError
    from eventsim.load import load

    network, disc = load(net, architecture, **nir)
    if disc is None:
        raise FileError(
            f"{net}: discretization: expected the discrete model that was trained, got none "
            "(NIR files have none; eventsim.save writes a network together with one)"
        )
    images, labels = read_images(data)
    if samples is not None and samples > len(images):
        raise checks.fail("validate", "--samples", f"at most {len(images)}", samples)
    fitting_images(network, images)

    from eventsim.fidelity.compare import validate as compare

    widths = list(dict.fromkeys(spreads))
    with Work("comparing") as work:
        found = compare(
            network,
            disc,
            images[:samples],
            labels[:samples],
            steps=steps,
            jitter_seeds=jitter_seeds,
            spread=widths[0] if widths else None,
            spreads=widths[1:] if widths else [0.0],
            extend=extend,
            seed=seed,
            threads=threads,
            progress=work,
        )
    line(found.summary())
    draw_without_screen()
    if report is not None:
        found.to_html(report, overwrite=overwrite)
    if json_file is not None:
        found.to_json(json_file, overwrite=overwrite)
    if outputs:
        wrote(outputs)
