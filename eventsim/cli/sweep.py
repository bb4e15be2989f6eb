"""``eventsim sweep``: the continuous network over a range of values of one property."""

from __future__ import annotations

from typing import Any

import click

from eventsim.cli.comparison import Request, comparison_options, finish
from eventsim.cli.options import Duration, different_outputs, new_output
from eventsim.cli.terminal import Work, line

#: Names with what they vary; the library has them again, but is not loaded for the help.
SWEEPS = {
    "pulse-width": "width of the pulses (steps; 0: deltas)",
    "tau-syn": "time constant of exponential synapses (steps; 0: deltas)",
    "steps": "length of the spike trains, for the coarse network too",
    "time-step": "time step of clock-driven runs, two methods (steps)",
    "jitter": "part of the step over which input spikes spread",
    "phase": "all input spikes of a step at this time within it (steps)",
    "delay": "delay of every layer (steps)",
    "random-delay": "longest of the fixed random delays of the neurons (steps)",
    "pooling": "rule of max pooling",
    "readout": "count, membrane, first spike",
    "settling": "steps of input before the counted ones",
    "window": "steps by which the window is longer than the input",
    "threshold": "factor on all thresholds",
    "remedies": "what helps delta synapses, without training anew",
}
_LIST = "\n".join(f"      {name:13}{text}" for name, text in SWEEPS.items())


class _Values(click.ParamType):
    """``0,0.5,1``, or names."""

    name = "list"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        found: list[Any] = []
        for part in value.split(","):
            text = part.strip()
            if not text:
                self.fail(f"expected values between commas, got {value!r}", param, ctx)
            try:
                found.append(float(text))
            except ValueError:
                found.append(text)
        return tuple(found)


@click.command(
    help=f"""Run the network NET in continuous time over a range of values of WHAT.

    Accuracy, agreement with the discrete model, and rates; as a table, as numbers and as a
    figure. A step is one of the training.

    \b
    WHAT is one of
{_LIST}

    \b
    Examples:
      eventsim sweep pulse-width hidden.h5 --data images.npz --plot width.png
      eventsim sweep time-step hidden.h5 --data images.npz --values 0.01,0.1,0.5
      eventsim sweep remedies conv.h5 --data images.npz --jitter-seeds 3 --out remedies/
    """
)
@click.argument("what", type=click.Choice(list(SWEEPS)), metavar="WHAT")
@comparison_options(
    click.option("--values", type=_Values(), help="Values, such as 0,0.5,1. Default: a range."),
    click.option(
        "--spread",
        type=Duration(),
        help="Width of the pulses, where it is not what varies; 0: deltas. Default: as the file "
        "says (usually one step).",
    ),
    click.option("--plot", "picture", type=click.Path(), help="Draw it (.png, .svg, .pdf)."),
    click.option("--json", "json_file", type=click.Path(), help="Write all numbers (.json)."),
)
def sweep(
    what: str,
    request: Request,
    values: tuple[Any, ...] | None,
    spread: float | None,
    picture: str | None,
    json_file: str | None,
    overwrite: bool,
) -> None:
    different_outputs(picture, json_file)
    outputs = [new_output(path, overwrite) for path in (picture, json_file) if path is not None]
    from eventsim.cli.plot import draw_without_screen

    case = request.read("sweep")

    from eventsim.fidelity.sweep.run import sweep as run

    with Work("sweeping") as work:
        found = run(
            what, case.net, case.disc, case.images, case.labels, values, spread=spread,
            progress=work, **request.options,
        )  # fmt: skip
        seconds = work.seconds
    line(found.summary())
    if picture is not None:
        draw_without_screen()
        from eventsim import plot

        plot.save(plot.sweep(found), picture, overwrite=overwrite)
    finish(request, found, len(case.labels), seconds, outputs, json_file, "sweep.json", overwrite)
