"""The time-step curve: clock-driven runs with ever smaller steps, beside the exact simulation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from eventsim.fidelity.metrics import Share, mean_share
from eventsim.fidelity.sweep.report import SweepReport
from eventsim.report.axes import Frame, Scale, Tick, path

__all__ = ["CurveChart", "CurvePoint", "TimeStepCurve", "curve_charts"]

#: Widths of a chart where there are two or three beside each other; margins.
WIDTHS = {1: 500.0, 2: 500.0, 3: 350.0}
HEIGHT, LEFT, RIGHT, TOP, FLOOR = 250.0, 46.0, 14.0, 10.0, 40.0

#: Units of the drawing that a character of a label takes, with some room.
CHARACTER = 7.0

#: Errors on a logarithmic axis from here on, in steps; smaller ones stand at the bottom.
LEAST_ERROR = 1e-6

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class CurvePoint:
    """A clock-driven run.

    Attributes
    ----------
    h : float
        Its step in steps of the coarse model, > 0.
    accuracy : Share
        Samples whose class is their label.
    agreement : Share or None
        Samples to which the exact simulation gives the same class.
    errors : (float, float) or None
        Median and 95th percentile of how far spikes of the output are from those of the exact
        simulation, in steps of the coarse model.
    method : str
        How it steps; points of one method make a curve.
    """

    h: float
    accuracy: Share
    agreement: Share | None = None
    errors: tuple[float, float] | None = None
    method: str = ""


@dataclass(frozen=True)
class TimeStepCurve:
    """Runs with several steps, and where they lead.

    Attributes
    ----------
    points : tuple of CurvePoint
        In any order.
    limit : Share
        Accuracy of the exact simulation, the limit of small steps.
    coarse : Share or None
        Accuracy of the coarse model on the same samples.
    """

    points: tuple[CurvePoint, ...]
    limit: Share
    coarse: Share | None = None

    @classmethod
    def of(cls, sweep: SweepReport) -> TimeStepCurve:
        """From a sweep of the time step, whose first point is the exact simulation."""
        exact, *rest = sweep.points
        points = []
        for point in rest:
            errors = None
            if point.errors:
                last = list(point.errors.values())[-1]
                median, most = last["time_error_median"], last["time_error_p95"]
                if median is not None and most is not None:
                    dt = sweep.settings["dt"]
                    errors = (median / dt, most / dt)
            as_exact = None if point.as_exact is None else mean_share(point.as_exact)
            points.append(
                CurvePoint(float(point.value), point.accuracy, as_exact, errors, point.series)
            )
        return cls(tuple(points), exact.accuracy, mean_share(exact.coarse.accuracy))

    @property
    def methods(self) -> tuple[str, ...]:
        """Those of the points, in order."""
        return tuple(dict.fromkeys(point.method for point in self.points))


@dataclass(frozen=True)
class Mark:
    """A point with its interval, or with the range up to its 95th percentile."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Series:
    """The points of one method, ``number`` of which decides colour and shape."""

    number: int
    line: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class CurveChart(Frame):
    """A quantity against the step, large steps on the left, the exact simulation on the right."""

    series: tuple[Series, ...]
    limit: Mark | None = None
    coarse: float | None = None


def curve_charts(curve: TimeStepCurve) -> list[CurveChart]:
    """Accuracy against the step; agreement and time errors against the exact simulation.

    >>> def share(k):
    ...     return Share(k, 10, k / 10, k / 10 - 0.1, min(1.0, k / 10 + 0.1))
    >>> points = tuple(CurvePoint(h, share(k)) for h, k in ((1.0, 5), (0.5, 7), (0.25, 8)))
    >>> chart, = curve_charts(TimeStepCurve(points, share(8)))
    >>> [tick.text for tick in chart.x]
    ['1', '1/2', '1/4', 'exact']
    """
    agreed = any(point.agreement is not None for point in curve.points)
    timed = any(point.errors is not None for point in curve.points)
    width = WIDTHS[1 + agreed + timed]
    charts = [_shares("Accuracy (%)", curve, width, lambda point: point.accuracy, True)]
    if agreed:
        title = "Same class as the exact simulation (%)"
        charts.append(_shares(title, curve, width, lambda point: point.agreement, False))
    if timed:
        charts.append(_errors(curve, width))
    return charts


def _shares(
    title: str,
    curve: TimeStepCurve,
    width: float,
    of: Callable[[CurvePoint], Share | None],
    limits: bool,
) -> CurveChart:
    places, ticks = _places(curve, width, limits)
    shares = [share for point in curve.points if (share := of(point)) is not None]
    ends = [share for share in (curve.limit, curve.coarse) if limits and share is not None]
    start = min(math.floor(10 * min(share.low for share in shares + ends)) / 10, 0.8)
    up = Scale(start, 1.0, HEIGHT - FLOOR, TOP)

    def mark(x: float, share: Share) -> Mark:
        return Mark(x, up(share.value or 0.0), up(share.low), up(share.high))

    series = _series(
        curve, places, lambda x, point: None if (s := of(point)) is None else mark(x, s)
    )
    chart = _chart(title, width, ticks, up.ticks(5, 100), series)
    if not limits:
        return chart
    coarse = None if curve.coarse is None else up(curve.coarse.value or 0.0)
    return _chart(
        title, width, ticks, chart.y, series, mark(ticks[-1].at, curve.limit), coarse
    )  # fmt: skip


def _errors(curve: TimeStepCurve, width: float) -> CurveChart:
    """Median, and the range up to the 95th percentile, on a logarithmic axis."""
    places, ticks = _places(curve, width, False)
    errors = [point.errors for point in curve.points if point.errors is not None]
    logs = [math.log10(max(e, LEAST_ERROR)) for pair in errors for e in pair]
    low, high = math.floor(min(logs)), math.ceil(max(logs) - 1e-9)
    up = Scale(low, max(high, low + 1), HEIGHT - FLOOR, TOP)

    def mark(x: float, point: CurvePoint) -> Mark | None:
        if point.errors is None:
            return None
        median, most = (up(math.log10(max(e, LEAST_ERROR))) for e in point.errors)
        return Mark(x, median, median, most)

    y = tuple(Tick(up(k), _power(k)) for k in range(low, int(up.high) + 1))
    title = "Time error of output spikes (coarse steps)"
    return _chart(title, width, ticks, y, _series(curve, places, mark))


def _places(
    curve: TimeStepCurve, width: float, limits: bool
) -> tuple[dict[float, float], tuple[Tick, ...]]:
    """Where each step stands; all are one place apart, whatever their ratio."""
    steps = sorted({point.h for point in curve.points}, reverse=True)
    slot = (width - LEFT - RIGHT) / (len(steps) + limits)
    at = [round(LEFT + slot * (k + 0.5), 2) for k in range(len(steps) + limits)]
    texts = [_step_text(h) for h in steps]
    last = ["exact"] if limits else []
    every = math.ceil(CHARACTER * max(map(len, texts + last)) / slot)
    # Counted from the end, where the steps are small and the exact simulation stands.
    kept = [
        Tick(x, text)
        for k, (x, text) in enumerate(zip(at, texts + last, strict=True))
        if (len(at) - 1 - k) % every == 0
    ]
    return dict(zip(steps, at, strict=False)), tuple(kept)


def _series(
    curve: TimeStepCurve,
    places: dict[float, float],
    mark: Callable[[float, CurvePoint], Mark | None],
) -> tuple[Series, ...]:
    """The marks of each method, beside each other."""
    found = []
    for number, method in enumerate(curve.methods):
        aside = 5.0 * (number - (len(curve.methods) - 1) / 2)
        points = sorted((p for p in curve.points if p.method == method), key=lambda p: -p.h)
        marks = [mark(round(places[p.h] + aside, 2), p) for p in points]
        drawn = tuple(m for m in marks if m is not None)
        found.append(Series(number, path((m.x, m.y) for m in drawn), drawn))
    return tuple(found)


def _chart(
    title: str, width: float, x: tuple[Tick, ...], y: tuple[Tick, ...], series: Sequence[Series],
    limit: Mark | None = None, coarse: float | None = None,
) -> CurveChart:  # fmt: skip
    return CurveChart(
        title, width, HEIGHT, LEFT, width - RIGHT, TOP, HEIGHT - FLOOR, x, y, tuple(series),
        limit, coarse,
    )  # fmt: skip


def _power(exponent: int) -> str:
    """A power of ten, as it is written.

    >>> _power(-3), _power(0)
    ('10⁻³', '1')
    """
    return "10" + str(exponent).translate(RAISED) if exponent else "1"


def _step_text(h: float) -> str:
    """A step as a fraction where it is a simple one.

    >>> _step_text(1.0), _step_text(0.125), _step_text(0.3), _step_text(1e-3)
    ('1', '1/8', '0.3', '1/1000')
    """
    simple = Fraction(h).limit_denominator(10_000)
    if simple.numerator == 1 and abs(simple - h) <= 1e-9 * h:
        return str(simple)
    return f"{h:.3g}"
