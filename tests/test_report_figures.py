"""Figures of the page: marks where the numbers are, words inside the drawing, sizes in bounds."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest

from eventsim.fidelity.histograms import Histograms
from eventsim.fidelity.metrics import Share, share
from eventsim.recording import SpikeTrain
from eventsim.report import CurvePoint, TimeStepCurve, axes, render
from eventsim.report.confusion import FLOWS, MOST, SHADES, confusion
from eventsim.report.curve import curve_charts
from eventsim.report.ladder import ladder_chart
from eventsim.report.spikes import layer_charts
from tests.reports import analog_problem, everything, problem

DT = 1e-3


@pytest.fixture(scope="module", params=[problem, analog_problem], ids=["spikes", "analog"])
def whole(request):
    return everything(request.param())


# axes


@pytest.mark.parametrize(
    ("low", "high"), [(0, 4), (-0.31, 0.07), (40, 100), (1e-7, 3e-7), (3, 3.2)]
)
@pytest.mark.parametrize("most", [2, 5, 10])
def test_ticks_are_round_inside_and_not_too_many(low, high, most):
    found = axes.nice_ticks(low, high, most)
    values = [value for value, _ in found]
    assert 1 <= len(values) <= most + 1
    assert min(values) >= low - 1e-12 and max(values) <= high + 1e-12
    assert np.ptp(np.diff(values)) < 1e-9 if len(values) > 2 else True
    assert [float(text) for _, text in found] == pytest.approx(values, abs=1e-15)
    assert len({text for _, text in found}) == len(found)


# ladder


def test_ladder_bars_lead_from_rung_to_rung(whole):
    chart = ladder_chart(whole.ladder)
    rows = {row.name: row for row in chart.rows}
    assert list(rows) == [rung.name for rung in whole.ladder.rungs]
    zero = rows["coarse"]
    assert zero.begin is None and zero.x == chart.coarse
    unit = (rows["continuous"].end or 0.0) - chart.nothing
    gap = whole.ladder.gap.change.value
    per_point = unit / gap if gap else None
    for rung in whole.ladder.rungs:
        row = rows[rung.name]
        assert row.low <= row.x <= row.high
        if rung.reference is None:
            continue
        before = rows[rung.reference]
        assert row.begin == (chart.nothing if before.end is None else before.end)
        assert row.before == before.y < row.y
        assert row.ends[0] <= row.end <= row.ends[1]
        assert row.way == {-1: "loss", 0: "none", 1: "gain"}[int(np.sign(row.end - row.begin))]
        assert row.noise == (rung.change.low <= 0 <= rung.change.high)
        if per_point:
            assert row.end - row.begin == pytest.approx(rung.change.value * per_point, abs=0.05)


def test_variants_stand_apart_at_the_end(whole):
    rungs = list(whole.ladder.rungs)
    first = dataclasses.replace(rungs[-1], name="deltas", kind="variant", reference="continuous")
    mixed = dataclasses.replace(whole.ladder, rungs=(rungs[0], *rungs[1:-1], rungs[-1], first))
    chart = ladder_chart(mixed)
    assert chart.rows[-1].name == "deltas"
    assert chart.rows[-2].y < chart.variants < chart.rows[-1].y
    assert ladder_chart(whole.ladder).variants is None


# time-step curve


def some(percent: int) -> Share:
    return share(np.arange(100) < percent)


def test_curve_of_a_sweep_has_its_points(whole):
    curve = TimeStepCurve.of(whole.time_steps)
    assert curve.limit.value == whole.continuous[0].accuracy.value
    assert curve.coarse is not None and curve.coarse.value == whole.coarse.accuracy.value
    assert len(curve.methods) == 2 and all(curve.methods)
    assert {point.h for point in curve.points} == {0.5, 0.1, 0.02}
    for point in curve.points:
        found = whole.time_steps[f"{point.method}, {point.h:g}"]
        assert point.accuracy == found.accuracy
        errors = list(found.errors.values())[-1]
        if point.errors is not None:
            assert point.errors[0] * DT == pytest.approx(errors["time_error_median"])


def test_curve_runs_from_large_steps_to_the_exact_simulation():
    points = [
        CurvePoint(h, some(p), some(p + 5), (h / 3, h), method)
        for method, more in (("one", 0), ("two", 4))
        for h, p in ((0.25, 70 + more), (1.0, 60 + more), (0.5, 65 + more))
    ]
    charts = curve_charts(TimeStepCurve(tuple(points), some(80), some(75)))
    assert [bool(chart.limit) for chart in charts] == [True, False, False]
    first, agreement, errors = charts
    assert [tick.text for tick in first.x] == ["1", "1/2", "1/4", "exact"]
    for chart in charts:
        assert len(chart.series) == 2
        for series in chart.series:
            xs = [mark.x for mark in series.marks]
            assert xs == sorted(xs) and chart.left < xs[0] and xs[-1] < chart.right
            for mark in series.marks:
                assert chart.top <= mark.high <= mark.y <= mark.low <= chart.bottom
    for series in charts[0].series:
        assert [m.y for m in series.marks] == sorted((m.y for m in series.marks), reverse=True)
    assert first.limit.y < first.coarse  # upwards
    assert first.series[0].marks[0].x != first.series[1].marks[0].x
    assert {tick.text for tick in errors.y} <= {"1", "10⁻¹", "10⁻²", "10⁻³"}
    assert agreement.coarse is None


def test_labels_of_many_steps_keep_apart():
    points = tuple(CurvePoint(h, some(50)) for h in 0.5 ** np.arange(16))
    (chart,) = curve_charts(TimeStepCurve(points, some(50)))
    assert chart.x[-1].text == "exact"
    gaps = np.diff([tick.at for tick in chart.x])
    assert gaps.min() > 6 * max(len(tick.text) for tick in chart.x)


# decisions


def test_confusion_counts_all_pairs(rng):
    a, b = rng.integers(4, size=(2, 300))
    b = np.where(rng.uniform(size=300) < 0.7, a, b)
    found = confusion(a, b, 4)
    table = np.array([[cell.count for cell in row] for row in found.rows])
    for i in range(4):
        for j in range(4):
            assert table[i, j] == ((a == i) & (b == j)).sum()
            cell = found.rows[i][j]
            assert cell.same == (i == j)
            assert (cell.shade > 0) == (i != j and cell.count > 0) and cell.shade <= SHADES
    assert found.coarse == tuple(table.sum(axis=1)) and found.continuous == tuple(table.sum(axis=0))
    assert found.changed == (a != b).sum() and found.total == 300
    numbers = [n for _, _, n in found.flows]
    assert numbers == sorted(numbers, reverse=True) and sum(numbers) == found.changed
    assert max(cell.shade for row in found.rows for cell in row) == SHADES


def test_many_classes_have_a_list_and_no_table(rng):
    a, b = rng.integers(MOST + 1, size=(2, 400))
    found = confusion(a, b, MOST + 1)
    assert found.rows == () and len(found.flows) == FLOWS


def test_models_that_agree_have_no_table(whole):
    same = whole.coarse.runs[0].classes
    run = dataclasses.replace(whole.continuous[0].runs[0], classes=same)
    main = dataclasses.replace(whole.continuous[0], runs=(run,))
    page = render(dataclasses.replace(whole, continuous=(main,), disagreements=(), closeups=()))
    assert "Decisions of the coarse model" not in page


# distributions


def numbers(d: str) -> np.ndarray:
    return np.array([float(text) for text in re.findall(r"-?\d+\.?\d*", d)])


def test_distributions_hold_all_values(whole):
    coarse = whole.histograms["coarse"]
    main = whole.histograms[whole.continuous[0].name]
    charts = layer_charts(coarse, main, [whole.histograms["continuous, deltas"]])
    assert [layer.name for layer in charts] == list(coarse)
    for layer in charts:
        where = layer.where
        parts = (where.before, where.inside, where.after, where.none)
        assert sum(parts) == pytest.approx(1.0)
        spikes = main[layer.name].lateness.total + main[layer.name].missing
        assert where.none == main[layer.name].missing / spikes
        for chart in (layer.lateness, layer.intervals, layer.counts):
            if chart is None:
                continue
            for item in (*chart.bars, *chart.lines):
                x, y = numbers(item.path)[::2], numbers(item.path)[1::2]
                if item in chart.lines:
                    assert (np.diff(x) >= 0).all() and (np.diff(y) <= 0).all()
                    assert chart.top <= y[-1] <= chart.top + 0.01 * (chart.bottom - chart.top)
                    assert chart.left <= x.min() and x.max() <= chart.right


def test_layers_without_spikes_have_no_charts():
    spikes = {"out": np.zeros((2, 4, 3), dtype=np.uint8)}
    trains = {"out": [SpikeTrain([], [])] * 2}
    coarse = Histograms.of(spikes, dt=DT, window=4 * DT)
    (found,) = layer_charts(coarse, Histograms.of(spikes, trains, dt=DT, window=4 * DT))
    assert (found.lateness, found.intervals, found.counts, found.where) == (None,) * 4


# words and colours

#: Width of a character in parts of the size of its font, a generous mean.
CHARACTER = 0.62
SIZES = {"layer": 12.0, "note": 10.5, "units": 9.5}
LEFTWARD, CENTRED = {"name", "units", "axis", "A"}, {"tick"}


class Words(HTMLParser):
    """Words of the outer drawings that reach beyond the edges of these."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.boxes: list[tuple[float, float]] = []
        self.place: tuple[float, float, set[str]] | None = None
        self.group: dict[str, str | None] = {}
        self.words, self.outside = 0, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "svg":
            self.boxes.append(tuple(map(float, given["viewbox"].split()[2:])))
        if tag == "g":
            self.group = given
        if tag == "text" and self.group.get("visibility") != "hidden":
            classes = set((given.get("class") or self.group.get("class") or "").split())
            self.place = (float(given["x"]), float(given["y"]), classes)

    def handle_endtag(self, tag):
        if tag == "svg":
            self.boxes.pop()
        if tag == "text":
            self.place = None
        if tag == "g":
            self.group = {}

    def handle_data(self, data):
        if self.place is None or not data.strip():
            return
        x, y, classes = self.place
        size = next((SIZES[c] for c in classes if c in SIZES), 11.5)
        length = CHARACTER * size * len(data.strip())
        left = x - length * (1.0 if classes & LEFTWARD else 0.5 if classes & CENTRED else 0.0)
        width, height = self.boxes[0]
        self.words += 1
        if left < 0 or left + length > width or y - size < -2 or y + 0.3 * size > height:
            self.outside.append((data, x, y, width, height))


def test_words_are_inside_their_drawings(whole):
    found = Words(render(whole))
    assert found.words > 100
    assert found.outside == []


def luminance(colour: str) -> float:
    """Relative luminance after WCAG 2."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_colours_can_be_read_and_told_apart_in_grey(scheme):
    style = files("eventsim.report").joinpath("templates/style.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", style, re.S)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[scheme]))
    for text in ("ink", "soft", "holds", "costs", "fails"):
        assert contrast(colours[text], colours["sheet"]) >= 4.5, text
    for mark in ("coarse", "continuous", "second", "stepped"):
        assert contrast(colours[mark], colours["sheet"]) >= 3.0, mark
    # Spikes of both models are pale boxes with a stroke in them, others are full.
    assert contrast(colours["coarse"], colours["pale"]) >= 2.0
    assert contrast(colours["continuous"], colours["pale"]) >= 2.0
    assert set(colours) == set(dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[0])))
