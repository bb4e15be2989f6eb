"""The page: complete, closed to the outside, and safe whatever names it shows."""

from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import FileError
from eventsim.fidelity.metrics import Share
from eventsim.report import charts, render

VOID = {"meta", "img", "br", "link", "input", "hr"}
DT = 1e-3


class Page(HTMLParser):
    """Checks that tags close in order and gathers what a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
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
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def comparison(hidden="hidden", **options):
    rng = np.random.default_rng(3)
    net = es.Network(
        [
            es.Input("image", (2, 4)),
            es.Population(hidden, 9, tau_mem=4 * DT, t_ref=DT),
            es.Population("out", 3, tau_mem=4 * DT, t_ref=DT),
        ],
        [
            es.Dense("image", hidden, rng.normal(0.3, 0.4, (8, 9)), spread=DT),
            es.Dense(hidden, "out", rng.normal(0.2, 0.6, (9, 3)), spread=DT),
        ],
    )
    disc = es.Discretization(dt=DT, steps=4, notes=("<em>a note</em>",))
    images, labels = rng.uniform(size=(20, 2, 4)), rng.integers(3, size=20)
    return es.validate(net, disc, images, labels, spreads=[0.0], **options)


@pytest.fixture(scope="module")
def report():
    return comparison(jitter_seeds=2)


@pytest.fixture(scope="module")
def text(report):
    return render(report)


def test_page_is_well_formed_and_complete(report, text):
    page = Page(text)
    words = " ".join(" ".join(page.words).split())
    for variant in report.variants:
        assert variant.name in words
    for name, value, _ in report.assumptions:
        assert name in words and value in words
    assert report.verdict in words
    assert report.provenance["network"] in words
    assert " ".join(report.provenance["command"].split()) in words
    for heading in ("Accuracy and agreement", "Layers", "Classes", "Images that change class"):
        assert heading in words
    assert len([tag for tag, _ in page.tags if tag == "img"]) == min(12, len(report.disagreements))
    assert not re.search(r"\b(None|nan|inf|Undefined)\b|\{\{|\{%", words)


def test_page_reaches_for_nothing_outside(text):
    page = Page(text)
    policies = [a["content"] for _, a in page.tags if a.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "form", "a")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href"):
                assert value.startswith("data:image/png;base64,")
    assert not re.search(r"url\(|@import|https?:", text)


def test_page_follows_the_reader_s_colours_and_prints(text):
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_names_cannot_become_markup(report):
    text = render(comparison(hidden="<script>alert(1)<"), title="a & b <i>")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;" in text
    assert "a &amp; b &lt;i&gt;" in text
    assert "&lt;em&gt;a note" in text
    Page(text)


def test_the_same_report_gives_the_same_page(report, text):
    assert render(report) == text


def test_a_page_without_disagreements_or_noise(report):
    alike = dataclasses.replace(report, disagreements=(), second_draw=None, pictures={})
    page = " ".join(" ".join(Page(render(alike)).words).split())
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
