"""``eventsim check``: what may go astray in continuous time, before anything is simulated."""

from __future__ import annotations

from typing import Any

import click

from eventsim.cli.comparison import with_discrete_model
from eventsim.cli.nir import nir_options
from eventsim.cli.options import (
    architecture_option,
    duration_text,
    new_output,
    overwrite_option,
    seed_option,
    threads_option,
)
from eventsim.cli.terminal import Work, line, wrote


@click.command()
@click.argument("net", type=click.Path())
@click.option(
    "--data", required=True, type=click.Path(), help="An .npz file with images (and labels)."
)
@click.option(
    "--samples",
    type=click.IntRange(min=2),
    help="So many images, evenly spread over the data. Default 200, or all of fewer.",
)
@click.option("--steps", type=click.IntRange(min=1), help="Steps, default as in training.")
@seed_option
@threads_option
@click.option("--json", "json_file", type=click.Path(), help="Write all numbers (.json).")
@architecture_option
@nir_options
@overwrite_option
def check(
    net: str,
    data: str,
    samples: int | None,
    steps: int | None,
    seed: int,
    threads: int | None,
    json_file: str | None,
    architecture: str | None,
    nir: dict[str, Any],
    overwrite: bool,
) -> None:
    """Foretell from the coarse network NET how it fares in continuous time.

    Only the coarse model runs, on some of the images, which takes seconds. The charge that drives
    its neurons, and when its output spikes, tell how large the risk is: with delta synapses, and
    with pulses of one step.

    \b
    Examples:
      eventsim check hidden.h5 --data images.npz
      eventsim check hidden.h5 --data images.npz --samples 500 --json check.json
    """
    outputs = [] if json_file is None else [new_output(json_file, overwrite)]
    from eventsim.cli.stimuli import Images, fitting_images, read_stimulus
    from eventsim.errors import FileError

    network, disc = with_discrete_model(net, architecture, nir)
    images = read_stimulus(data)
    if not isinstance(images, Images):
        raise FileError(f"{data}: images: expected an .npz file with images, got spike trains")
    fitting_images(network, images.stored)

    from eventsim.fidelity.forecast import forecast

    with Work("checking") as work:
        found = forecast(
            network,
            disc,
            images.pixels,
            images.labels,
            steps=steps,
            samples=samples,
            seed=seed,
            threads=threads,
            progress=work,
        )
        seconds = work.seconds
    line(found.summary())
    took = f"{found.settings['samples']} images in {duration_text(round(seconds, 1))}"
    if json_file is not None:
        found.to_json(json_file, overwrite=overwrite)
        wrote(outputs, took)
    else:
        line(f"\nwrote nothing ({took}; --json FILE keeps the numbers)")
