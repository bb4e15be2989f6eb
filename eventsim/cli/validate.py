"""``eventsim validate``: how much of a trained network is left in continuous time."""

from __future__ import annotations

import click

from eventsim.cli.comparison import Request, comparison_options
from eventsim.cli.options import Duration, different_outputs, new_output
from eventsim.cli.terminal import Work, line, wrote


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
    click.option("--report", type=click.Path(), help="Write a report with pictures (.html)."),
    click.option("--json", "json_file", type=click.Path(), help="Write all numbers (.json)."),
)
def validate(
    request: Request,
    spreads: tuple[float, ...],
    extend: float,
    report: str | None,
    json_file: str | None,
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
    from eventsim.cli.plot import draw_without_screen

    case = request.read("validate")

    from eventsim.fidelity.compare import validate as compare

    widths = list(dict.fromkeys(spreads))
    with Work("comparing") as work:
        found = compare(
            *case,
            spread=widths[0] if widths else None,
            spreads=widths[1:] if widths else [0.0],
            extend=extend,
            progress=work,
            **request.options,
        )
    line(found.summary())
    draw_without_screen()
    if report is not None:
        found.to_html(report, overwrite=overwrite)
    if json_file is not None:
        found.to_json(json_file, overwrite=overwrite)
    if request.out is not None:
        outputs.append(request.out / "report.json")
    if outputs:
        wrote(outputs)
