"""``eventsim ladder``: what the gap between a trained network and its exact run consists of."""

from __future__ import annotations

from typing import Any

import click

from eventsim.cli.comparison import Request, comparison_options, finish
from eventsim.cli.options import Duration, new_output
from eventsim.cli.terminal import Work, line

_REPEAT = "Can be repeated."


def _times(name: str, text: str) -> Any:
    return click.option(name, type=Duration(), multiple=True, help=f"{text} {_REPEAT}")


@click.command()
@comparison_options(
    _times(
        "--spread",
        "Width of the pulses, such as '1 ms'; 0: deltas. The first is that of the rungs, the "
        "others are variants. Default: as the file says (usually one step), and deltas.",
    ),
    _times("--tau-syn", "Variant with exponential synapses. Default: half a step."),
    _times("--delay", "Variant with so much delay in every layer. Default: half a step."),
    _times(
        "--extend",
        "Variant that runs so much longer. Default: half a step, one step, one step for each "
        "layer.",
    ),
    click.option("--no-variants", is_flag=True, help="Only from coarse to continuous."),
    click.option("--json", "json_file", type=click.Path(), help="Write all numbers (.json)."),
)
def ladder(
    request: Request,
    spread: tuple[float, ...],
    tau_syn: tuple[float, ...],
    delay: tuple[float, ...],
    extend: tuple[float, ...],
    no_variants: bool,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Find the causes of the gap between the network NET and its exact simulation.

    From the coarse model, as it was trained, to the continuous network, one change at a time: true
    times inside the step, the threshold tested there, spikes handed on from layer to layer. Then
    variants of the continuous one. What each change costs comes with its interval.

    \b
    Examples:
      eventsim ladder hidden.h5 --data images.npz
      eventsim ladder hidden.h5 --data images.npz --jitter-seeds 5 --json ladder.json
      eventsim ladder hidden.h5 --data images.npz --spread '1 ms' --spread '0.5 ms' --spread 0
      eventsim ladder hidden.h5 --data images.npz --out ladder/
    """
    outputs = [] if json_file is None else [new_output(json_file, overwrite)]
    if no_variants and (spread[1:] or tau_syn or delay or extend):
        raise click.UsageError("expected variants or --no-variants, got both")
    case = request.read("ladder")

    from eventsim.fidelity.attribution import attribute

    default: tuple[float, ...] | None = () if no_variants else None
    widths = list(dict.fromkeys(spread))
    with Work("climbing") as work:
        found = attribute(
            *case,
            spread=widths[0] if widths else None,
            spreads=widths[1:] if widths else default,
            tau_syns=tau_syn or default,
            delays=delay or default,
            extends=extend or default,
            progress=work,
            **request.options,
        )
        seconds = work.seconds
    line(found.summary())
    finish(request, found, len(case.labels), seconds, outputs, json_file, "ladder.json", overwrite)
