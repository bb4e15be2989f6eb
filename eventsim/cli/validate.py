"""``eventsim validate``: how much of a trained network is left in continuous time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from eventsim.cli.comparison import Request, comparison_options, finish
from eventsim.cli.options import Duration, different_outputs, new_output
from eventsim.cli.terminal import Work, line

if TYPE_CHECKING:
    from eventsim.fidelity.result import FidelityReport

#: Of a report: time steps of clock-driven runs, in steps of the training; samples shown in full.
TIME_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
CLOSEUPS = 3

#: Exit status where the accuracy is below --fail-under; by so much it may be, as a mean of floats.
FAILED = 1
ROUNDING = 1e-12


@click.command()
@comparison_options(
    click.option(
        "--spread",
        "spreads",
        type=Duration(),
        multiple=True,
        help="Width of the pulses, such as '1 ms'; 0: deltas. Can be repeated; the verdict is "
        "about the first. Default: as the file says (usually one step), and deltas.",
    ),
    click.option(
        "--extend",
        type=Duration(),
        default="0",
        show_default=True,
        help="Simulate so much longer than the coarse model.",
    ),
    click.option(
        "--report",
        type=click.Path(),
        help="Write a report with pictures (.html). Takes longer: it holds the causes of the gap "
        "and clock-driven runs too.",
    ),
    click.option("--brief", is_flag=True, help="A report without these two."),
    click.option("--json", "json_file", type=click.Path(), help="Write all numbers (.json)."),
    click.option(
        "--fail-under",
        type=click.FloatRange(0.0, 100.0),
        metavar="PERCENT",
        help="End with exit status 1 if the continuous accuracy of the verdict is below it.",
    ),
)
def validate(
    request: Request,
    spreads: tuple[float, ...],
    extend: float,
    report: str | None,
    brief: bool,
    json_file: str | None,
    fail_under: float | None,
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
      eventsim validate hidden.h5 --data images.npz --json numbers.json --fail-under 80
    """
    different_outputs(report, json_file)
    outputs = [new_output(path, overwrite) for path in (report, json_file) if path is not None]
    from eventsim.cli.plot import draw_without_screen

    case = request.read("validate")

    from eventsim.fidelity.compare import validate as compare

    widths = list(dict.fromkeys(spreads))
    thorough = report is not None and not brief
    with Work("comparing") as work:
        found = compare(
            *case,
            spread=widths[0] if widths else None,
            spreads=widths[1:] if widths else [0.0],
            extend=extend,
            ladder=thorough,
            time_steps=TIME_STEPS if thorough else None,
            closeups=0 if report is None else CLOSEUPS,
            progress=work,
            **request.options,
        )
        seconds = work.seconds
    line(found.summary())
    draw_without_screen()
    if report is not None:
        found.to_html(report, overwrite=overwrite)
    finish(request, found, len(case.labels), seconds, outputs, json_file, "report.json", overwrite)
    if fail_under is not None and (reason := too_low(found, fail_under)):
        line(f"failed: {reason}", stderr=True)
        sys.exit(FAILED)


def too_low(report: FidelityReport, percent: float) -> str:
    """Why the continuous network of the verdict is not accurate enough; empty where it is.

    Its accuracy is the mean over the placements of the spikes.
    """
    main = report.continuous[0]
    accuracy = main.over_runs("accuracy")
    assert accuracy is not None  # all runs have one
    if accuracy[0] >= percent / 100 - ROUNDING:
        return ""
    return (
        f"the accuracy of the {main.name.replace(', ', ' network with ')}, "
        f"{100 * accuracy[0]:.4g} %, is below --fail-under {percent:g} %"
    )
