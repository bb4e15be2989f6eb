"""Small charts of how spike times, intervals and counts are distributed, one row for each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eventsim.fidelity.histograms import Histogram, LayerHistograms
from eventsim.report.axes import Frame, Scale, Tick, path

__all__ = ["Band", "Bars", "LayerCharts", "Line", "SmallChart", "layer_charts"]

#: Size of one chart in units of the drawing.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, FLOOR = 320.0, 128.0, 36.0, 8.0, 8.0, 22.0

#: The axis of the intervals ends where this share of them has been seen.
MOST_INTERVALS = 0.995

#: Bars of counts on one axis; more are left out at the far end, where they are empty.
MOST_COUNTS = 40


@dataclass(frozen=True)
class Bars:
    """Bars of one style as one path of closed boxes."""

    style: str
    path: str


@dataclass(frozen=True)
class Line:
    """A curve of one style."""

    style: str
    path: str


@dataclass(frozen=True)
class Band:
    """A shaded part of the x axis."""

    x: float
    width: float


@dataclass(frozen=True)
class SmallChart(Frame):
    """A chart with axes; empty where there is nothing to show."""

    band: Band | None = None
    bars: tuple[Bars, ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Lateness:
    """Where the counterparts of the coarse spikes lie, as shares of these."""

    before: float
    inside: float
    after: float
    none: float
    extra: float


@dataclass(frozen=True)
class LayerCharts:
    """What the page shows of one layer."""

    name: str
    lateness: SmallChart | None
    where: Lateness | None
    intervals: SmallChart | None
    counts: SmallChart | None


def layer_charts(
    coarse: Mapping[str, LayerHistograms],
    main: Mapping[str, LayerHistograms],
    others: Sequence[Mapping[str, LayerHistograms]] = (),
) -> list[LayerCharts]:
    """Charts of each layer: the coarse run, the continuous one of the verdict, and other ones."""
    return [
        LayerCharts(
            name,
            _lateness(main[name].lateness),
            _where(main[name], coarse[name]),
            _intervals(
                coarse[name].intervals, main[name].intervals, [o[name].intervals for o in others]
            ),
            _counts(coarse[name].counts, main[name].counts),
        )
        for name in coarse
    ]


def _where(main: LayerHistograms, coarse: LayerHistograms) -> Lateness | None:
    late = main.lateness
    if late is None or not late.total + main.missing:
        return None
    total = late.total + main.missing
    edges = late.edges[:-1]
    parts = [
        late.counts[mask].sum() / total
        for mask in (edges < -1e-9, (edges >= -1e-9) & (edges < 1 - 1e-9), edges >= 1 - 1e-9)
    ]
    before, inside, after = map(float, parts)
    spikes = late.total + main.extra
    return Lateness(
        before, inside, after, main.missing / total, main.extra / spikes if spikes else 0.0
    )


def _lateness(late: Histogram | None) -> SmallChart | None:
    """Share of counterparts in each eighth of a step; the coarse spike's own step is shaded."""
    if late is None or not late.total:
        return None
    edges = late.edges
    x = Scale(float(edges[0]), float(edges[-1]), LEFT, WIDTH - RIGHT)
    shares = late.counts / late.total
    y = _up(float(shares.max()))
    boxes = [(a, b, s) for a, b, s in zip(edges[:-1], edges[1:], shares, strict=True) if s]
    return _chart(
        "spike times, steps", x.ticks(4), y,
        band=Band(x(0.0), round(x(1.0) - x(0.0), 2)),
        bars=(Bars("continuous", _boxes([(x(a), x(b), y(s)) for a, b, s in boxes], y(0.0))),),
    )  # fmt: skip


def _intervals(
    coarse: Histogram, main: Histogram, others: Sequence[Histogram]
) -> SmallChart | None:
    """Share of intervals up to each length, in percent."""
    every = [h for h in (coarse, main, *others) if h.total]
    if not every:
        return None
    stop = max(_quantile(h, MOST_INTERVALS) for h in every)
    x = Scale(0.0, float(np.ceil(stop + 0.25)), LEFT, WIDTH - RIGHT)
    y = Scale(0.0, 1.0, HEIGHT - FLOOR, TOP)
    lines = [
        Line(style, _staircase(h, x, y))
        for style, h in (*(("other", o) for o in others), ("coarse", coarse), ("continuous", main))
        if h.total
    ]
    return _chart("intervals, steps", x.ticks(min(6, int(x.high))), y, lines=tuple(lines))


def _counts(coarse: Histogram, main: Histogram) -> SmallChart | None:
    """Share of units with 1, 2, ... spikes; silent ones are in the table of layers."""
    used = np.flatnonzero((coarse.counts + main.counts)[1:])
    if not used.size:
        return None
    last = min(int(used[-1]) + 1, MOST_COUNTS)
    last = max(last, 2)
    x = Scale(0.5, last + 0.5, LEFT, WIDTH - RIGHT)
    shares = [h.counts[1 : last + 1] / h.total for h in (coarse, main)]
    y = _up(float(max(s.max() for s in shares)))
    bars = []
    for style, side, share in zip(("coarse", "continuous"), (-0.36, 0.02), shares, strict=True):
        boxes = [
            (x(k + 1 + side), x(k + 1 + side + 0.34), y(float(s))) for k, s in enumerate(share) if s
        ]
        bars.append(Bars(style, _boxes(boxes, y(0.0))))
    every = max(1, int(np.ceil(last / 10)))
    ticks = tuple(Tick(x(k), str(k)) for k in range(every, last + 1, every))
    return _chart("spikes of a unit", ticks, y, bars=tuple(bars))


def _chart(
    title: str, ticks: tuple[Tick, ...], y: Scale,
    band: Band | None = None, bars: tuple[Bars, ...] = (), lines: tuple[Line, ...] = (),
) -> SmallChart:  # fmt: skip
    return SmallChart(
        title, WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, TOP, HEIGHT - FLOOR, ticks, y.ticks(3, 100),
        band, bars, lines,
    )  # fmt: skip


def _up(most: float) -> Scale:
    return Scale(0.0, 1.08 * most or 1.0, HEIGHT - FLOOR, TOP)


def _boxes(boxes: Sequence[tuple[float, float, float]], floor: float) -> str:
    """Boxes (left, right, top) that stand on the floor."""
    return "".join(
        path([(a, floor), (a, top), (b, top), (b, floor)]) + "Z" for a, b, top in boxes
    )  # fmt: skip


def _staircase(histogram: Histogram, x: Scale, y: Scale) -> str:
    """Share of values up to each edge; a bin's values stand at its left edge."""
    share, points = 0.0, [(x(0.0), y(0.0))]
    for edge, count in zip(histogram.edges, histogram.counts, strict=False):
        if not count or edge > x.high:
            continue
        points.append((x(float(edge)), y(share)))
        share += count / histogram.total
        points.append((x(float(edge)), y(share)))
    points.append((x.stop, y(share)))
    return path(points)


def _quantile(histogram: Histogram, share: float) -> float:
    """Left edge of the bin in which a share of the values has been seen."""
    seen = np.cumsum(histogram.counts)
    return float(histogram.edges[int(np.searchsorted(seen, share * seen[-1]))])
