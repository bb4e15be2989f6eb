"""The report as a reader sees it: drawn, zoomed, dark, printed, and alone with itself."""

from __future__ import annotations

import re

import pytest

from eventsim.report import render
from tests.reports import analog_problem, everything, problem

#: Where the reader's system asks for dark colours.
DARK = ("--blink-settings=preferredColorScheme=0",)

#: What the scripts of the tests share.
TOOLS = """
const plot = document.querySelector("svg.plot");
const raster = plot.querySelector("svg.raster");
const place = raster.getBoundingClientRect();
const views = () => [...plot.querySelectorAll("svg.view")].map(
  (view) => view.getAttribute("viewBox").split(" ").map(Number));
const ticks = () => [...plot.querySelectorAll("g.times text")].map((text) => text.textContent);
const at = (u, v) => ({
  bubbles: true, cancelable: true, button: 0, pointerType: "mouse",
  clientX: place.x + u * place.width, clientY: place.y + v * place.height,
});
const wheel = (more) => raster.dispatchEvent(
  new WheelEvent("wheel", { ...at(0.25, 0.5), deltaY: -100, ...more }));
const key = (name, more) => plot.dispatchEvent(
  new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }));
const choose = () => plot.focus({ preventScroll: true });
const point = (kind, u, v, more) => raster.dispatchEvent(
  new PointerEvent("pointer" + kind, { ...at(u, v), ...more }));
"""


@pytest.fixture(scope="module", params=[problem, analog_problem], ids=["spikes", "analog"])
def page(request):
    """Pages with all sections, of a network with an Input and of one that takes the image."""
    return render(everything(request.param()))


def test_a_request_would_be_seen(browser):
    seen = browser.look("<html><body><img src='http://example.org/x.png'></body></html>")
    assert seen.requests == ("http://example.org/x.png",)


def test_nothing_leaves_the_page_and_nothing_is_refused(browser, page):
    seen = browser.look(page, TOOLS + "wheel({ ctrlKey: true }); return views();")
    assert seen.requests == ()
    assert seen.console == ()


def test_the_policy_stops_what_a_page_could_be_made_to_load(browser, page):
    seen = browser.look(page.replace("</main>", "<img src='http://example.org/x.png'></main>"))
    assert seen.requests == ()
    assert any("Content Security Policy" in line for line in seen.console)


@pytest.mark.parametrize("width", [1400, 1120, 600])
def test_everything_is_drawn_in_its_place(browser, page, width):
    seen = browser.look(
        page,
        """
        const box = (element) => element.getBoundingClientRect();
        const outside = [], empty = [], met = [];
        for (const svg of document.querySelectorAll("main svg:not(svg svg)")) {
          const own = box(svg);
          if (own.width < 10 || own.height < 10) empty.push(svg.outerHTML.slice(0, 200));
          const texts = [...svg.querySelectorAll("text")].filter(
            (text) => getComputedStyle(text).visibility !== "hidden");
          for (const text of texts) {
            const b = box(text);
            if (!b.width) empty.push(text.outerHTML);
            if (b.left < own.left - 1 || b.right > own.right + 1 || b.top < own.top - 1
                || b.bottom > own.bottom + 1) outside.push(text.outerHTML);
          }
          for (const [k, a] of texts.entries()) for (const b of texts.slice(k + 1)) {
            const p = box(a), q = box(b);
            const w = Math.min(p.right, q.right) - Math.max(p.left, q.left);
            const h = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
            if (w > 1 && h > 0.35 * Math.min(p.height, q.height))
              met.push([a.textContent, b.textContent]);
          }
        }
        for (const mark of document.querySelectorAll(
            "path.curve, path.stairs, path.line, path.both-continuous, path.fall, .ladder .dot")) {
          if (mark.getAttribute("d") === "") continue;
          if (!(mark.getTotalLength() > 0)) empty.push(mark.outerHTML.slice(0, 200));
        }
        return {
          outside, empty, met,
          svgs: document.querySelectorAll("main svg").length,
          sections: document.querySelectorAll("section").length,
          wide: document.documentElement.scrollWidth, inner: window.innerWidth,
          images: [...document.images].filter((image) => !image.naturalWidth).length,
        };
        """,
        width=width,
    ).found
    assert seen["svgs"] > 20 and seen["sections"] == 11
    assert seen["empty"] == [] and seen["images"] == 0
    assert seen["outside"] == []
    assert seen["met"] == []
    assert seen["wide"] <= seen["inner"]


def test_the_wheel_zooms_what_was_chosen_and_leaves_the_page_alone(browser, page):
    found = browser.look(
        page,
        TOOLS
        + """
        const seen = { whole: views(), ticks: ticks() };
        const moves = wheel({});
        seen.before = views();
        choose();
        const kept = wheel({});
        seen.time = views(); seen.finer = ticks();
        wheel({ shiftKey: true });
        seen.units = views();
        seen.moves = [moves, kept];
        document.querySelector("button[name=reset]").click();
        seen.reset = views(); seen.again = ticks();
        return seen;
        """,
    ).found
    raster, *panels = found["whole"]
    assert found["before"] == found["whole"]
    assert found["moves"] == [True, False]  # the page scrolls before, but not after
    assert found["time"][0][2] == pytest.approx(0.8 * raster[2])
    # The point under the pointer, a quarter from the left, stays where it was.
    assert found["time"][0][0] == pytest.approx(0.25 * 0.2 * raster[2], rel=0.02)
    assert found["time"][0][3] == raster[3]
    assert found["finer"] != found["ticks"]
    assert found["units"][0][3] == pytest.approx(0.8 * raster[3])
    for view, panel in zip(found["units"][1:], panels, strict=True):
        assert view[0] == found["units"][0][0] and view[2] == found["units"][0][2]
        assert view[3] == panel[3]  # potentials keep their own axis
    assert found["reset"] == found["whole"] and found["again"] == found["ticks"]


def test_a_box_zooms_time_and_units(browser, page):
    found = browser.look(
        page,
        TOOLS
        + """
        const seen = { whole: views() };
        point("down", 0.25, 0.2);
        point("move", 0.5, 0.4);
        seen.frame = plot.querySelector("rect.select").getAttribute("visibility");
        point("move", 0.75, 0.7);
        point("up", 0.75, 0.7);
        seen.box = views();
        seen.after = plot.querySelector("rect.select").getAttribute("visibility");
        plot.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
        seen.reset = views();
        point("down", 0.5, 0.5); point("up", 0.5, 0.5);
        seen.click = views(); seen.chosen = document.activeElement === plot;
        point("down", 0.2, 0.5, { pointerType: "touch" }); point("up", 0.8, 0.9);
        seen.touch = views();
        return seen;
        """,
    ).found
    x, y, width, height = found["whole"][0]
    assert (found["frame"], found["after"]) == ("visible", "hidden")
    assert found["box"][0] == pytest.approx(
        [0.25 * width, 0.2 * height, 0.5 * width, 0.5 * height], rel=0.03, abs=1
    )
    assert found["box"][1][2] == found["box"][0][2]
    assert found["reset"] == found["click"] == found["touch"] == found["whole"]
    assert found["chosen"]


def test_keys_and_buttons_do_all_that_the_mouse_does(browser, page):
    found = browser.look(
        page,
        TOOLS
        + """
        const seen = { whole: views() };
        const press = (name) => document.querySelector(`button[name=${name}]`).click();
        for (let k = 0; k < 40; k++) key("+");
        seen.most = views();
        key("ArrowRight"); seen.right = views();
        for (let k = 0; k < 20; k++) key("ArrowRight");
        key("-"); seen.out = views();
        key("0"); seen.reset = views();
        key("ArrowUp", { shiftKey: true }); seen.units = views();
        key("ArrowDown"); seen.down = views();
        key("Escape");
        press("time-in"); press("units-in"); seen.pressed = views();
        press("time-out"); press("units-out"); seen.back = views();
        seen.hidden = document.querySelector(".tools").hidden;
        seen.labels = [...document.querySelectorAll(".tools button")].map(
          (button) => button.getAttribute("aria-label") || button.textContent);
        return seen;
        """,
    ).found
    whole = found["whole"][0]
    assert found["most"][0][2] == pytest.approx(0.02 * whole[2])
    assert found["right"][0][0] == pytest.approx(found["most"][0][0] + 0.1 * found["most"][0][2])
    assert found["out"][0][0] + found["out"][0][2] <= whole[2] + 1e-6
    assert found["reset"] == found["whole"]
    assert found["units"][0][3] == pytest.approx(0.8 * whole[3])
    assert found["down"][0][1] == pytest.approx(found["units"][0][1] + 0.08 * whole[3])
    assert found["pressed"][0][2:] == pytest.approx([0.8 * whole[2], 0.8 * whole[3]])
    assert found["back"][0] == pytest.approx(whole)
    assert found["hidden"] is False
    assert all(found["labels"]) and len(set(found["labels"])) == 5


def test_names_and_times_move_with_the_view(browser, page):
    found = browser.look(
        page,
        TOOLS
        + """
        const shown = () => [...plot.querySelectorAll(".units text")].filter(
          (text) => getComputedStyle(text).visibility !== "hidden").map((text) => text.textContent);
        const seen = { before: shown() };
        choose();
        for (let k = 0; k < 12; k++) wheel({ shiftKey: true, ...at(0.5, 0.99) });
        seen.after = shown();
        point("move", 0.5, 0.9);
        seen.readout = document.querySelector("output").textContent;
        point("leave", 0.5, 0.9);
        const own = place;
        seen.inside = [...plot.querySelectorAll(".units text, text.layer")].filter(
          (text) => getComputedStyle(text).visibility !== "hidden").every((text) => {
            const box = text.getBoundingClientRect();
            return box.bottom > own.top - 2 && box.top < own.bottom + 2;
          });
        return seen;
        """,
    ).found
    assert len(found["after"]) < len(found["before"])
    assert found["inside"]
    assert re.match(r"\w+ \d+, [\d.]+ ms, step \d+$|[\d.]+ ms, step \d+$", found["readout"])


@pytest.mark.parametrize(("colours", "dark"), [((), False), (DARK, True)])
def test_colours_follow_the_reader(browser, page, colours, dark):
    found = browser.look(
        page,
        """
        const colour = (name) => getComputedStyle(document.querySelector(name));
        return [colour("section").backgroundColor, colour("body").color];
        """,
        options=colours,
    ).found
    sheet, ink = (sum(map(int, re.findall(r"\d+", text)[:3])) / 3 for text in found)
    assert (sheet < 60 < 200 < ink) if dark else (ink < 60 < 200 < sheet)


def test_it_prints_on_pages(browser, page):
    printed = browser.pdf(page)
    assert printed.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed))
    assert 4 <= pages <= 16
