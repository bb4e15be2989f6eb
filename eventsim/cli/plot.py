"""``eventsim plot``: a picture of a result file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from eventsim.cli.options import Neurons, new_output, overwrite_option
from eventsim.cli.terminal import wrote


def draw_without_screen() -> None:
    """Pictures go to files: Matplotlib needs no window, whatever the environment says."""
    os.environ["MPLBACKEND"] = "Agg"


@click.command()
@click.argument("run", type=click.Path())
@click.option("-o", "--out", required=True, type=click.Path(), help="Picture: .png, .svg or .pdf.")
@click.option("--raster", is_flag=True, help="Spikes of all layers over time (the default).")
@click.option(
    "--membrane",
    type=Neurons(),
    metavar="POP:IDX,...",
    help="Exact potentials of neurons that were recorded, such as out:0,3.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which sample of a batch.",
)
@overwrite_option
def plot(
    run: str,
    out: str,
    raster: bool,
    membrane: tuple[str, list[int]] | None,
    sample: int,
    overwrite: bool,
) -> None:
    """Draw the result RUN, which `eventsim simulate` wrote.

    \b
    Examples:
      eventsim plot run.h5 -o raster.png
      eventsim plot run.h5 --membrane out:0,3 --sample 2 -o membrane.svg
    """
    if raster and membrane is not None:
        raise click.UsageError("expected one of --raster and --membrane, got both")
    if Path(out).suffix.lower() not in (".png", ".svg", ".pdf"):
        raise click.BadParameter(
            f"expected a name that ends in .png, .svg or .pdf, got {out}", param_hint="'--out'"
        )
    path = new_output(out, overwrite)
    from eventsim import checks
    from eventsim.load import load_result
    from eventsim.recording import Result, Results

    result = load_result(run)
    batch = Results([result]) if isinstance(result, Result) else result
    if sample >= len(batch):
        raise checks.fail("plot", "--sample", f"a number below {len(batch)}", sample)

    draw_without_screen()
    from eventsim import plot as draw

    one = batch[sample]
    axes = draw.raster(one) if membrane is None else draw.membrane(one, *membrane)
    draw.save(axes, path, overwrite=overwrite)
    wrote([path])
