"""Fills the page's template from a report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from eventsim.fidelity import words
from eventsim.fidelity.result import Disagreement, FidelityReport, Variant
from eventsim.report import charts
from eventsim.save.files import check_new, new_file

__all__ = ["render", "write_html"]

TEMPLATE = "report.html"

#: Disagreeing samples on the page.
SHOWN = 12

HEADLINES = {"holds": "Transfer holds", "costs": "Holds in part", "fails": "Transfer fails"}


def render(report: FidelityReport, title: str = "From coarse steps to continuous time") -> str:
    """The page as text.

    Parameters
    ----------
    report : FidelityReport
        What :func:`eventsim.validate` returned.
    title : str
        Heading of the page.

    Returns
    -------
    str
        A whole HTML document; the same report gives the same text, up to measured seconds.
    """
    environment = Environment(
        loader=PackageLoader("eventsim.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=words.percent, share=words.share_text, change=words.change_text,
        number=words.number, short=_short,
    )  # fmt: skip
    main = report.continuous[0]
    page = environment.get_template(TEMPLATE).render(
        report=report,
        title=title,
        verdict=report.verdict,
        grade=words.grade(report),
        headline=HEADLINES[words.grade(report)],
        settings=report.settings,
        main=main,
        several=[v for v in report.variants if len(v.runs) > 1],
        over=words.over_text,
        cards=_cards(report),
        charts=_charts(report),
        shown=[_figure(report, item) for item in report.disagreements[:SHOWN]],
        provenance=_provenance(report),
    )
    return page + "\n"


def write_html(
    report: FidelityReport,
    path: str | Path,
    *,
    title: str = "From coarse steps to continuous time",
    overwrite: bool = False,
) -> Path:
    """Write the page to a file.

    Parameters
    ----------
    report : FidelityReport
        What :func:`eventsim.validate` returned.
    path : str or Path
        Output file.
    title : str
        Heading of the page.
    overwrite : bool
        Whether an existing file may be replaced. Default False.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    FileError
        The file exists, or its folder does not, or it cannot be written.
    """
    check_new(path, overwrite)
    text = render(report, title)
    with new_file(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def _short(name: str) -> str:
    """Name of a variant where it is clear that it is a continuous one.

    >>> _short("continuous, deltas")
    'deltas'
    """
    return re.sub("^(continuous|coarse), ", "", name)


def _cards(report: FidelityReport) -> list[dict[str, str]]:
    """The three numbers of the verdict; of several runs their mean and range."""
    main, second = report.continuous[0], report.second_draw
    cards = [_card("Coarse accuracy", report.coarse, "accuracy")]
    cards.append(_card("Continuous accuracy", main, "accuracy"))
    cards.append(_card("Same class as coarse", main, "agreement"))
    noise = None if second is None else second.over_runs("agreement")
    cards[-1]["note"] = (
        "input without noise" if noise is None else f"another draw: {words.percent(noise[0])}"
    )
    return cards


def _card(title: str, variant: Variant, name: str) -> dict[str, str]:
    mean, low, high = variant.over_runs(name) or (None, 0.0, 1.0)
    note = f"{words.percent(low)} to {words.percent(high)} in {len(variant.runs)} runs"
    if len(variant.runs) == 1:
        share = getattr(variant, name)
        note = f"{words.percent(share.low)} to {words.percent(share.high)}"
    return {"title": title, "value": words.percent(mean), "note": note}


def _charts(report: FidelityReport) -> list[charts.IntervalChart]:
    def rows(variants: list[Variant], name: str) -> list[Any]:
        return [
            (_short(v.name), v.kind.replace(" ", "-"), [getattr(run, name) for run in v.runs])
            for v in variants
        ]

    every = list(report.variants)
    second = report.second_draw
    agreement = second.agreement.value if second and second.agreement else None
    return [
        charts.interval_chart(
            "Accuracy (%)", rows(every, "accuracy"), report.coarse.accuracy.value
        ),
        charts.interval_chart(
            "Same class as the coarse run (%)", rows(every[1:], "agreement"), agreement
        ),
    ]


def _figure(report: FidelityReport, item: Disagreement) -> dict[str, Any]:
    pixels = report.pictures.get(item.sample)
    few = len(item.coarse_counts) <= 20
    return {
        "item": item,
        "picture": None if pixels is None else charts.picture(pixels),
        "bars": charts.count_bars(item.coarse_counts, item.continuous_counts) if few else [],
    }


def _provenance(report: FidelityReport) -> list[tuple[str, str]]:
    """Rows for the table of what this was made from."""
    p, s = report.provenance, report.settings
    rows = [
        ("command", p["command"]),
        ("software", ", ".join(f"{name} {v}" for name, v in p["software"].items())),
        ("network (SHA-256)", p["network"]),
        ("images (SHA-256)", p["images"]),
        ("labels (SHA-256)", p["labels"]),
        ("seed", str(s["seed"])),
        ("engine", p["engine"]),
    ]
    for name, values in report.timing.items():
        text = f"{values['seconds']:.2f} s"
        if values["events"]:
            text += (
                f" for {values['events']:,.0f} synaptic events"
                f" ({values['events_per_second'] / 1e6:,.0f} million per second)"
            )
        rows.append((f"time of {name}", text))
    return rows
