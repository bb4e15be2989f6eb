"""The page: complete, closed to the outside, and safe whatever names it shows."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import re
from html.parser import HTMLParser
from importlib.resources import files

import matplotlib.image
import numpy as np
import pytest

from eventsim.errors import FileError
from eventsim.fidelity.metrics import Share
from eventsim.report import charts, render
from tests.reports import analog_problem, comparison, everything, problem

VOID = {"meta", "img", "br", "link", "input", "hr"}

HEADINGS = (
    "Accuracy and agreement",
    "What the coarse model takes for granted",
    "From coarse to continuous, one change at a time",
    "Layers",
    "Clock-driven simulation, and the limit of small steps",
    "Spike times, intervals and counts",
    "Classes",
    "Decisions of the coarse model, and of the continuous one",
    "Images that change class",
    "Close-ups: where the two models begin to differ",
    "Provenance",
)


class Page(HTMLParser):
    """Checks that tags close in order and gathers what a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.sources: dict[str, list[str]] = {"style": [], "script": []}
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in self.sources:
            self.sources[self.open[-1]].append(data)
        elif self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All words of the page."""
        return " ".join(" ".join(self.words).split())

    @property
    def policy(self) -> dict[str, str]:
        """The Content-Security-Policy by directive."""
        found = [a["content"] for _, a in self.tags if a.get("http-equiv")]
        assert len(found) == 1 and found[0] is not None
        return dict(rule.split(" ", 1) for rule in found[0].split("; "))


@pytest.fixture(scope="module")
def report():
    return comparison(jitter_seeds=2)


@pytest.fixture(scope="module")
def text(report):
    return render(report)


@pytest.fixture(scope="module", params=[problem, analog_problem], ids=["spikes", "analog"])
def whole(request):
    """Reports with everything, of a network with an Input and of one that takes the image."""
    return everything(request.param())


def test_page_is_well_formed_and_complete(report, text):
    page = Page(text)
    words = page.text
    for variant in report.variants:
        assert variant.name in words
    for name, value, _ in report.assumptions:
        assert name in words and value in words
    assert report.verdict in words
    assert report.provenance["network"] in words
    assert " ".join(report.provenance["command"].split()) in words
    assert [h for h in HEADINGS if h in words] == [
        h for h in HEADINGS if not h.startswith(("From coarse to", "Clock", "Close-ups"))
    ]
    assert len([tag for tag, _ in page.tags if tag == "img"]) == min(12, len(report.disagreements))
    assert not re.search(r"\b(None|nan|inf|Undefined)\b|\{\{|\{%", words)


def test_a_whole_page_has_all_sections_in_order(whole):
    text = render(whole)
    words = Page(text).text
    assert re.findall(r"<h2>(.*?)</h2>", text) == list(HEADINGS)
    assert whole.ladder.verdict in words
    for effect in whole.ladder.effects:
        assert effect.sentence in words
    for one in whole.closeups:
        for membrane in one.membranes:
            spike = membrane.spike
            assert f"{spike.layer} {spike.unit}, step {spike.step}: only" in words
    assert "exponential" in words and "forward Euler" in words
    assert not re.search(r"\b(None|nan|inf|Undefined)\b|\{\{|\{%", words)
    assert render(whole) == text


def test_sections_can_be_given_beside_the_report(whole):
    bare = dataclasses.replace(whole, ladder=None, time_steps=None, closeups=(), histograms={})
    short = render(bare)
    assert len(re.findall("<h2>", short)) == len(HEADINGS) - 4
    assert "<script" not in short
    more = render(bare, ladder=whole.ladder, closeups=whole.closeups, histograms=whole.histograms)
    assert len(re.findall("<h2>", more)) == len(HEADINGS) - 1
    assert len(re.findall("<h2>", render(whole, closeups=[]))) == len(HEADINGS) - 1


def sha256(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_the_page_s_own_style_and_script_alone(text, whole):
    for page in (Page(text), Page(render(whole))):
        (style,) = page.sources["style"]
        expected = {
            "default-src": "'none'", "style-src": sha256(style), "img-src": "data:",
            "base-uri": "'none'", "form-action": "'none'",
        }  # fmt: skip
        if page.sources["script"]:
            (script,) = page.sources["script"]
            expected["script-src"] = sha256(script)
            assert script == files("eventsim.report").joinpath("templates/zoom.js").read_text()
        assert page.policy == expected
    assert page.sources["script"]


def test_page_reaches_for_nothing_outside(text, whole):
    for source in (text, render(whole)):
        for tag, attributes in Page(source).tags:
            assert tag not in ("link", "iframe", "object", "form", "a", "use", "image")
            for name, value in attributes.items():
                assert not name.startswith("on") and name != "style"
                if name in ("src", "href", "xlink:href"):
                    assert value.startswith("data:image/png;base64,")
        assert not re.search(r"url\(|@import|https?:|fetch|XMLHttp|WebSocket|sendBeacon", source)


def test_page_follows_the_reader_s_colours_and_prints(text):
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_names_cannot_become_markup(report):
    text = render(comparison(hidden="<script>alert(1)<"), title="a & b <i>")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;" in text
    more = everything(problem("<script>alert(1)<"))
    assert render(more).count("<script") == 1
    assert "a &amp; b &lt;i&gt;" in text
    assert "&lt;em&gt;a note" in text
    Page(text)


def test_the_same_report_gives_the_same_page(report, text):
    assert render(report) == text


def test_a_page_without_disagreements_or_noise(report):
    alike = dataclasses.replace(report, disagreements=(), second_draw=None, pictures={})
    page = Page(render(alike)).text
    assert "No image has another class" in page
    assert "input without noise" in page


def test_images_that_are_no_pictures_are_left_out(report):
    assert "<img" not in render(dataclasses.replace(report, pictures={}))


def test_to_html_writes_once(report, text, tmp_path):
    path = report.to_html(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == text
    with pytest.raises(FileError, match="overwrite"):
        report.to_html(path)
    report.to_html(path, overwrite=True)
    with pytest.raises(FileError, match="folder"):
        report.to_html(tmp_path / "missing" / "report.html")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_interval_chart_has_room_for_long_labels():
    one = Share(8, 10, 0.8, 0.49, 0.94)
    short, long = (
        charts.interval_chart("t", [(label, "coarse", [one])])
        for label in ("coarse", "deltas and exponential synapses")
    )
    assert long.left >= 6 * 31 and long.right - long.left == short.right - short.left
    assert long.left < long.dots[0].low < long.dots[0].high < long.right < long.width


def test_interval_chart_places_shares_on_its_axis():
    shares = [Share(9, 10, 0.9, 0.6, 1.0), Share(5, 10, 0.5, 0.4, 0.6)]
    chart = charts.interval_chart("t", [("a", "coarse", shares[:1]), ("b", "continuous", shares)])
    at = {label: x for x, label in chart.ticks}
    assert chart.ticks[0][0] == chart.left and at["100"] == chart.right
    assert chart.dots[0].low == at["60"] and chart.dots[0].high == at["100"]
    assert chart.dots[0].low < chart.dots[0].x < chart.dots[0].high
    assert len(chart.dots[1].runs) == 1
    assert chart.dots[0].y < chart.dots[1].y < chart.bottom
    everything = [Share(0, 5, 0.0, 0.0, 0.4)]
    assert charts.interval_chart("t", [("a", "coarse", everything)]).ticks[0][1] == "0"


def test_count_bars_stand_on_the_floor():
    bars = charts.count_bars([0, 4], [2, 0])
    assert [bar.height for bar in bars] == [0.0, 18.0, 36.0, 0.0]
    assert all(bar.y + bar.height == charts.BARS_HEIGHT for bar in bars)
    assert all(bar.height == 0 for bar in charts.count_bars([0], [0]))


def test_pictures_are_png_and_the_same_each_time():
    pixels = np.linspace(0, 1, 12).reshape(3, 4)
    address = charts.picture(pixels)
    content = base64.b64decode(address.partition(",")[2])
    assert content.startswith(b"\x89PNG")
    assert b"atplotlib" not in content
    assert charts.picture(pixels) == address
    shown = matplotlib.image.imread(io.BytesIO(content), format="png")
    times = charts.SHARP // 4
    assert shown.shape == (3 * times, 4 * times)
    assert np.abs(shown[::times, ::times] - pixels).max() <= 1 / 255


@pytest.mark.parametrize("shape", [(1, 1), (1, 31), (33, 2), (200, 170)])
def test_grey_levels_of_bytes_are_kept(shape, rng):
    levels = rng.integers(0, 256, shape).astype(np.uint8)
    content = base64.b64decode(charts.picture(levels / np.float32(255)).partition(",")[2])
    shown = matplotlib.image.imread(io.BytesIO(content), format="png")
    times = shown.shape[0] // shape[0]
    assert np.array_equal(np.rint(255 * shown[::times, ::times]), levels)
