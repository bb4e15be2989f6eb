"""Fills the page's templates from a report and what else there is to show."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined

from eventsim.fidelity import words
from eventsim.fidelity.histograms import LayerHistograms
from eventsim.fidelity.ladder import LadderReport
from eventsim.fidelity.result import Disagreement, FidelityReport, Variant
from eventsim.jit import cache_folder
from eventsim.report import charts
from eventsim.report.confusion import confusion
from eventsim.report.curve import TimeStepCurve, curve_charts
from eventsim.report.spikes import layer_charts
from eventsim.save.files import check_new, new_file

if TYPE_CHECKING:
    from eventsim.fidelity.closeup import CloseUp

__all__ = ["TITLE", "render", "write_html"]

TITLE = "From coarse steps to continuous time"

#: Disagreeing samples on the page.
SHOWN = 12

#: Longest name of a layer beside a raster.
LONGEST_NAME = 12

HEADLINES = {"holds": "Transfer holds", "costs": "Holds in part", "fails": "Transfer fails"}

#: Variant -> layer -> distributions.
Distributions = Mapping[str, Mapping[str, LayerHistograms]]


def render(
    report: FidelityReport,
    title: str = TITLE,
    *,
    ladder: LadderReport | None = None,
    curve: TimeStepCurve | None = None,
    closeups: Sequence[CloseUp] | None = None,
    histograms: Distributions | None = None,
) -> str:
    """The page as text.

    Parameters
    ----------
    report : FidelityReport
        What :func:`eventsim.validate` returned.
    title : str
        Heading of the page.
    ladder : LadderReport, optional
        What :func:`eventsim.attribute` returned for the same network and samples. Default that of
        the report.
    curve : TimeStepCurve, optional
        Clock-driven runs of the network with several steps. Default those of the report.
    closeups : sequence of CloseUp, optional
        Samples to show spike by spike. Default those of the report.
    histograms : mapping of str to mapping, optional
        Variant -> layer -> distributions, for the coarse run and for continuous variants, under
        their names in the report. Default those of the report.

    Returns
    -------
    str
        A whole HTML document; the same report gives the same text. What is not there has no
        section.
    """
    ladder = report.ladder if ladder is None else ladder
    closeups = report.closeups if closeups is None else closeups
    histograms = report.histograms if histograms is None else histograms
    if curve is None and report.time_steps is not None:
        curve = TimeStepCurve.of(report.time_steps)
    environment = Environment(
        loader=PackageLoader("eventsim.report"),
        # Compiled templates, which jinja makes again when a source has changed.
        bytecode_cache=FileSystemBytecodeCache(str(cache_folder()), "page-%s.cache"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=words.percent, share=words.share_text, change=words.change_text,
        number=words.number, short=_short, cut=_cut, part=_part,
    )  # fmt: skip
    style = _source(environment, "style.css")
    script = _source(environment, "zoom.js") if closeups else ""
    main = report.continuous[0]
    decisions = confusion(report.coarse.runs[0].classes, main.runs[0].classes, len(main.classes))
    page = environment.get_template("report.html").render(
        report=report,
        title=title,
        policy=_policy(style, script),
        style=style,
        script=script,
        verdict=report.verdict,
        grade=words.grade(report),
        headline=HEADLINES[words.grade(report)],
        settings=report.settings,
        main=main,
        several=[v for v in report.variants if len(v.runs) > 1],
        over=words.over_text,
        cards=_cards(report),
        charts=_charts(report),
        ladder=None if ladder is None else _ladder(ladder),
        curve=None if curve is None else _curve(curve),
        spikes=_spikes(report, histograms),
        confusion=decisions,
        shown=[_figure(report, item) for item in report.disagreements[:SHOWN]],
        closeups=[_closeup(report, one) for one in closeups],
        provenance=_provenance(report),
    )
    return page + "\n"


def write_html(
    report: FidelityReport,
    path: str | Path,
    *,
    title: str = TITLE,
    overwrite: bool = False,
    ladder: LadderReport | None = None,
    curve: TimeStepCurve | None = None,
    closeups: Sequence[CloseUp] | None = None,
    histograms: Distributions | None = None,
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
    ladder, curve, closeups, histograms
        More sections, as in :func:`render`.

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
    text = render(
        report, title, ladder=ladder, curve=curve, closeups=closeups, histograms=histograms
    )
    with new_file(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def _source(environment: Environment, name: str) -> str:
    """A file beside the templates, as it is."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _policy(style: str, script: str) -> str:
    """What the page may do: show its own pictures, with the very style and script in it."""

    def only(text: str) -> str:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return f"'sha256-{digest}'"

    rules = ["default-src 'none'", f"style-src {only(style)}", "img-src data:"]
    if script:
        rules.append(f"script-src {only(script)}")
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _part(share: float) -> str:
    """A share in whole percent.

    >>> _part(0.123), _part(0.004), _part(0.0)
    ('12 %', '<1 %', '0 %')
    """
    return "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def _cut(name: str) -> str:
    """A name that fits beside a raster.

    >>> _cut("convolution_7")
    'convolution…'
    """
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _closeup(report: FidelityReport, one: CloseUp) -> dict[str, Any]:
    from eventsim.report.closeup import closeup_figure  # few pages have one

    return {"figure": closeup_figure(one), "picture": _picture(report, one.sample)}


def _ladder(ladder: LadderReport) -> dict[str, Any]:
    from eventsim.report.ladder import ladder_chart

    return {
        "report": ladder,
        "chart": ladder_chart(ladder),
        "runs": max(len(rung.accuracy) for rung in ladder.rungs),
        "parts": [e for e in ladder.effects if e.part],
        "others": [e for e in ladder.effects if not e.part],
    }


def _curve(curve: TimeStepCurve) -> dict[str, Any]:
    return {
        "charts": curve_charts(curve),
        "methods": curve.methods,
        "coarse": curve.coarse,
        "timed": any(point.errors is not None for point in curve.points),
    }


def _spikes(report: FidelityReport, histograms: Distributions) -> dict[str, Any] | None:
    """Distributions of the coarse run and of the variant of the verdict, beside other ones."""
    coarse, main = report.coarse.name, report.continuous[0].name
    if coarse not in histograms or main not in histograms:
        return None
    others = [v.name for v in report.continuous[1:] if v.name in histograms]
    return {
        "layers": layer_charts(
            histograms[coarse], histograms[main], [histograms[name] for name in others]
        ),
        "others": others,
    }


def _picture(report: FidelityReport, sample: int) -> str | None:
    pixels = report.pictures.get(sample)
    return None if pixels is None else charts.picture(pixels)


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
    few = len(item.coarse_counts) <= 20
    both = (item.coarse_counts, item.continuous_counts)
    coarse, continuous = (" ".join(f"{score:.6g}" for score in scores) for scores in both)
    return {
        "item": item,
        "picture": _picture(report, item.sample),
        "coarse": coarse,
        "continuous": continuous,
        "bars": charts.count_bars(*both) if few else [],
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
    for variant in report.continuous:
        rows.append((f"synaptic events, {_short(variant.name)}", f"{variant.events:,}"))
    return rows
