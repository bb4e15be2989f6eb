"""Geometry of the ladder: the accuracy of each rung, and what each change does to it."""

from __future__ import annotations

from dataclasses import dataclass

from eventsim.fidelity import words
from eventsim.fidelity.ladder import LadderReport, Rung
from eventsim.report.axes import Scale, Tick

__all__ = ["LadderChart", "LadderRow", "ladder_chart"]

#: Columns and rows in units of the drawing: right end of the names, accuracy, its value, change.
NAMES, ACCURACY, VALUE, CHANGE, WIDTH = 158.0, (170.0, 490.0), 500.0, (572.0, 846.0), 1000.0
HEAD, ROW, GAP, AXIS = 26.0, 27.0, 34.0, 24.0


@dataclass(frozen=True)
class LadderRow:
    """A rung: a dot with its interval on the left, a bar from the rung before on the right.

    ``way`` is ``"loss"``, ``"gain"`` or ``"none"``; ``noise`` whether the interval of the change
    holds 0.
    """

    name: str
    kind: str
    y: float
    x: float
    low: float
    high: float
    runs: tuple[float, ...]
    value: str
    begin: float | None
    end: float | None
    ends: tuple[float, float] | None
    before: float | None
    way: str
    noise: bool
    change: str


@dataclass(frozen=True)
class LadderChart:
    """All rungs on two common axes, in percent and in points."""

    width: float
    height: float
    top: float
    bottom: float
    names: float
    value: float
    change: float
    accuracy: tuple[Tick, ...]
    changes: tuple[Tick, ...]
    coarse: float
    nothing: float
    variants: float | None
    rows: tuple[LadderRow, ...]


def ladder_chart(report: LadderReport) -> LadderChart:
    """The rungs from coarse to continuous, then the variants.

    Dots are the first run of each rung, with its interval; bars are means over all runs, each from
    the rung that it changes to the rung itself.
    """
    rungs = sorted(report.rungs, key=lambda rung: rung.kind == "variant")
    means = {rung.name: rung.mean("accuracy") or 0.0 for rung in rungs}
    first = means["coarse"]
    shares = [share for rung in rungs for share in rung.accuracy]
    low = min(share.low for share in shares)
    left = Scale(max(0.0, int(10 * low) / 10), 1.0, *ACCURACY)
    reach = [means[rung.name] - first for rung in rungs]
    for rung in rungs:
        if rung.change is not None and rung.reference is not None:
            base = means[rung.reference] - first
            reach += [base + rung.change.low, base + rung.change.high]
    margin = 0.04 * (max(*reach, 0.0) - min(*reach, 0.0) or 1.0)
    right = Scale(min(*reach, 0.0) - margin, max(*reach, 0.0) + margin, *CHANGE)

    heights, y, rows, variants = {}, HEAD, [], None
    for rung in rungs:
        if rung.kind == "variant" and variants is None:
            variants = y + 0.4 * GAP
            y += GAP
        heights[rung.name] = y + ROW / 2
        rows.append(_row(rung, heights, means, left, right))
        y += ROW
    return LadderChart(
        width=WIDTH, height=y + AXIS, top=HEAD, bottom=y, names=NAMES, value=VALUE,
        change=CHANGE[1] + 8,
        accuracy=left.ticks(5, 100), changes=right.ticks(6, 100),
        coarse=left(first), nothing=right(0.0), variants=variants, rows=tuple(rows),
    )  # fmt: skip


def _row(
    rung: Rung, heights: dict[str, float], means: dict[str, float], left: Scale, right: Scale
) -> LadderRow:
    share, first = rung.accuracy[0], means["coarse"]
    begin = end = before = ends = None
    way, noise = "none", True
    if rung.change is not None and rung.reference is not None:
        base, change = means[rung.reference] - first, rung.change
        begin, end = right(base), right(means[rung.name] - first)
        ends = (right(base + change.low), right(base + change.high))
        before = heights[rung.reference]
        noise = change.low <= 0.0 <= change.high
        way = "none" if begin == end else "loss" if end < begin else "gain"
    return LadderRow(
        name=rung.name, kind=rung.kind, y=heights[rung.name],
        x=left(share.value or 0.0), low=left(share.low), high=left(share.high),
        runs=tuple(left(s.value) for s in rung.accuracy[1:] if s.value is not None),
        value=words.percent(rung.mean("accuracy")),
        begin=begin, end=end, ends=ends, before=before, way=way, noise=noise,
        change=words.change_text(rung.change) if rung.change else "",
    )  # fmt: skip
