"""Geometry of a close-up: both models' spikes in one raster, and potentials under it.

Raster and potentials lie in views of their own, which share the time axis. A view has the size of
its place on the page until the reader zooms into it, so nothing but names and ticks has to move
then. Marks are lines whose width does not grow with the view.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.fidelity.closeup import CloseUp, Divergence, LayerSpikes, Membrane
from eventsim.report.axes import Scale, Tick, decimals, nice_ticks, path
from eventsim.report.rows import BETWEEN, Shown, choose, row_height

__all__ = ["Block", "CloseUpFigure", "Panel", "Pin", "Row", "closeup_figure"]

Floats = NDArray[np.float64]

#: Places of the views in units of the drawing.
WIDTH, LEFT, RIGHT, TOP, FLOOR = 1000.0, 132.0, 14.0, 34.0, 40.0
#: Heights of the potentials, their titles, and the spikes above them.
PANEL, TITLE, STRIP = 120.0, 30.0, 16.0
#: Rows at least so high have their number beside them.
LEGIBLE = 9.0
#: Distance from the word "threshold" that keeps a number of the axis legible.
APART = 11.0
#: Part of a step that is left free on each side of a coarse spike, so that neighbours can be told
#: apart.
INSET = 0.03
#: Points of a potential on the page, and pieces of time in which its turns are kept if it has more.
MOST_POINTS, PIECES = 800, 200


@dataclass(frozen=True)
class Row:
    """A unit's row: its number and its place in the view."""

    unit: int
    y: float


@dataclass(frozen=True)
class Block:
    """A layer in the raster; paths of what both models have, and of what one has alone."""

    name: str
    y: float
    height: float
    row: float
    rows: tuple[Row, ...]
    note: str
    legible: bool
    both_coarse: str
    only_coarse: str
    both_continuous: str
    only_continuous: str
    only_dots: str
    shifts: str


@dataclass(frozen=True)
class Pin:
    """A diverging spike: its letter, its place in the view, and its row."""

    letter: str
    x: float
    y: float
    height: float
    words: str


@dataclass(frozen=True)
class Panel:
    """Potentials of one unit."""

    pin: Pin
    top: float
    height: float
    ticks: tuple[Tick, ...]
    threshold: float
    refractory: str
    curve: str
    steps: str
    below: str
    above: str
    strip: Block


@dataclass(frozen=True)
class LayerRow:
    """Numbers of a layer in this sample."""

    name: str
    coarse: int
    continuous: int
    only_coarse: int
    only_continuous: int
    units: str


@dataclass(frozen=True)
class CloseUpFigure:
    """A close-up, ready to be drawn."""

    closeup: CloseUp
    width: float
    height: float
    left: float
    top: float
    plot_width: float
    plot_height: float
    bottom: float
    step_ms: float
    start: float
    span: float
    numbers: tuple[Tick, ...]
    edges: tuple[float, ...]
    times: tuple[Tick, ...]
    blocks: tuple[Block, ...]
    pins: tuple[Pin, ...]
    panels: tuple[Panel, ...]
    layers: tuple[LayerRow, ...]
    cut: str
    unseen: str


def closeup_figure(closeup: CloseUp) -> CloseUpFigure:
    """Places and paths of everything in the figure."""
    shown = choose(closeup)
    plot_width = WIDTH - LEFT - RIGHT
    x = Scale(shown.start, shown.stop, 0.0, plot_width)
    blocks, y = [], 0.0
    for layer in reversed(closeup.layers):  # from the output, on top, down to the input
        block = _block(closeup, shown, layer, x, y)
        blocks.append(block)
        y += block.height + BETWEEN
    height = y - BETWEEN
    drawn = [m for m in closeup.membranes if x.low <= m.spike.step < x.high]
    pins = tuple(
        _pin(closeup, letter, membrane.spike, x, blocks)
        for letter, membrane in zip("AB", drawn, strict=False)
    )
    panels, top = [], TOP + height + TITLE
    for pin, membrane in zip(pins, drawn, strict=True):
        panels.append(_panel(closeup, pin, membrane, x, top))
        top += PANEL + TITLE
    bottom = top - TITLE
    step_ms = 1e3 * closeup.dt
    inner = np.arange(np.ceil(shown.start), np.floor(shown.stop) + 1)
    every = max(1, int(np.ceil(len(inner) / 16)))
    return CloseUpFigure(
        closeup=closeup, width=WIDTH, height=bottom + FLOOR, left=LEFT, top=TOP,
        plot_width=plot_width, plot_height=height, bottom=bottom, step_ms=step_ms,
        start=shown.start, span=shown.stop - shown.start,
        numbers=tuple(
            Tick(x(k + 0.5), f"{k:.0f}") for k in inner[::every] if k + 0.5 < shown.stop
        ),
        edges=tuple(x(k) for k in inner),
        times=time_ticks(shown.start * step_ms, shown.stop * step_ms, plot_width),
        blocks=tuple(blocks), pins=pins, panels=tuple(panels),
        layers=tuple(_numbers(layer, shown) for layer in closeup.layers),
        cut=_cut(closeup, shown), unseen=_unseen(closeup),
    )  # fmt: skip


def time_ticks(low: float, high: float, width: float) -> tuple[Tick, ...]:
    """Ticks in milliseconds on a line of some width; the page's script makes the same ones.

    >>> [tick.text for tick in time_ticks(0.0, 4.0, 800.0)]
    ['0', '0.5', '1', '1.5', '2', '2.5', '3', '3.5', '4']
    """
    scale = Scale(low, high, 0.0, width)
    return tuple(Tick(scale(v), f"{float(text):g}") for v, text in nice_ticks(low, high, 10))


def describe(spike: Divergence) -> str:
    """A diverging spike in words, where the reader sees its time in the figure.

    >>> describe(Divergence("hidden", 2, 0, 1e-3, True))
    'hidden 2, step 0: only the coarse model spikes'
    """
    model = "the coarse model" if spike.coarse else "the continuous network"
    return f"{spike.layer} {spike.unit}, step {spike.step}: only {model} spikes"


def _block(closeup: CloseUp, shown: Shown, layer: LayerSpikes, x: Scale, y: float) -> Block:
    units = shown.units[layer.name]
    row = row_height(units.size)
    height = row * max(units.size, 1)
    places = np.full(layer.n, np.nan)
    places[units] = y + height - row * (np.arange(units.size) + 0.5)  # units go upwards
    marks = _marks(closeup, layer, places, x, row)
    active = shown.active[layer.name]
    note = f"{units.size} of {active}" if active > units.size else ""
    return Block(
        layer.name, y, height, row,
        tuple(Row(int(u), float(places[u])) for u in units), note, row >= LEGIBLE, *marks,
    )  # fmt: skip


def _marks(
    closeup: CloseUp, layer: LayerSpikes, places: Floats, x: Scale, row: float
) -> tuple[str, str, str, str, str, str]:
    """Paths of the coarse spikes, the continuous ones, and the shifts between counterparts."""
    missing, extra, time = layer.missing, layer.extra, layer.time / closeup.dt
    steps = (layer.step >= x.low) & (layer.step < x.high) & ~np.isnan(places[layer.unit])
    times = (time >= x.low) & (time < x.high) & ~np.isnan(places[layer.sender])
    length = (1 - 2 * INSET) * (x(1.0) - x(0.0))

    def boxes(chosen: NDArray[np.bool_]) -> str:
        return "".join(
            f"M{decimals(x(k + INSET))} {decimals(places[u])}h{decimals(length)}"
            for k, u in zip(layer.step[chosen], layer.unit[chosen], strict=True)
        )

    def at(chosen: NDArray[np.bool_], up: float, line: str) -> str:
        return "".join(
            f"M{decimals(x(t))} {decimals(places[u] - up)}{line}"
            for t, u in zip(time[chosen], layer.sender[chosen], strict=True)
        )

    half, stroke = 0.42 * row, f"v{decimals(0.84 * row)}"
    return (
        boxes(steps & ~missing), boxes(steps & missing),
        at(times & ~extra, half, stroke), at(times & extra, half, stroke),
        at(times & extra, 0.0, "h0"), _shifts(layer, time, places, x),
    )  # fmt: skip


def _shifts(layer: LayerSpikes, time: Floats, places: Floats, x: Scale) -> str:
    """Lines from a coarse spike's step to its counterpart, where this lies in another one."""
    drawn = ~layer.missing & ~np.isnan(places[layer.unit])
    step, y = layer.step[drawn], places[layer.unit[drawn]]
    t = time[layer.partner[drawn]]
    late = t >= step + 1
    edge = np.where(late, step + 1 - INSET, step + INSET)
    seen = (late | (t < step)) & (np.minimum(t, edge) >= x.low) & (np.maximum(t, edge) <= x.high)
    return "".join(
        f"M{decimals(x(a))} {decimals(b)}H{decimals(x(c))}"
        for a, b, c in zip(edge[seen].tolist(), y[seen].tolist(), t[seen].tolist(), strict=True)
    )


def _pin(
    closeup: CloseUp, letter: str, spike: Divergence, x: Scale, blocks: Sequence[Block]
) -> Pin:
    block = next(block for block in blocks if block.name == spike.layer)
    row = next(row for row in block.rows if row.unit == spike.unit)
    place = min(max(spike.time / closeup.dt, x.low), x.high)
    return Pin(letter, x(place), row.y - block.row / 2, block.row, describe(spike))


def _panel(closeup: CloseUp, pin: Pin, membrane: Membrane, x: Scale, top: float) -> Panel:
    dt, spike = closeup.dt, membrane.spike
    time = membrane.t / dt
    inside = (time >= x.low) & (time <= x.high)
    t, v = _turns(time[inside], membrane.v[inside])
    step = np.arange(membrane.coarse.size)
    seen = (step >= x.low) & (step < x.high)
    values = np.concatenate([v, membrane.coarse[seen], [membrane.threshold]])
    margin = 0.06 * (float(np.ptp(values)) or 1.0)
    y = Scale(
        float(values.min()) - margin, float(values.max()) + margin, PANEL, STRIP + 6
    )  # fmt: skip
    layer = next(layer for layer in closeup.layers if layer.name == spike.layer)
    places = np.full(layer.n, np.nan)
    places[spike.unit] = STRIP / 2 + 1
    strip = Block(
        spike.layer, 1.0, STRIP, STRIP - 2, (Row(spike.unit, STRIP / 2 + 1),), "", False,
        *_marks(closeup, layer, places, x, STRIP - 2),
    )  # fmt: skip
    stairs = [
        (x(min(k + side, x.high)), y(float(membrane.coarse[k])))
        for k in step[seen]
        for side in (0, 1)
    ]
    above = membrane.coarse > membrane.threshold
    tests = {
        over: "".join(
            f"M{decimals(x(float(k + 1)))} {decimals(y(float(membrane.coarse[k])))}h.01"
            for k in step[seen & (above == over)]
            if k + 1 <= x.high
        )
        for over in (False, True)
    }
    spans = np.clip(membrane.refractory / dt, x.low, x.high)
    return Panel(
        pin=pin, top=top, height=PANEL, threshold=y(membrane.threshold),
        ticks=tuple(k for k in y.ticks(3) if abs(k.at - y(membrane.threshold)) > APART),
        refractory="".join(
            f"M{decimals(x(a))} {decimals(STRIP + 6)}H{decimals(x(b))}V{decimals(PANEL)}"
            f"H{decimals(x(a))}Z"
            for a, b in spans.tolist()
            if b > a
        ),
        curve=path((x(a), y(b)) for a, b in zip(t.tolist(), v.tolist(), strict=True)),
        steps=path(stairs), below=tests[False], above=tests[True], strip=strip,
    )  # fmt: skip


def _turns(t: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Of many points the first, the last, the least and the largest in each piece of time."""
    if t.size <= MOST_POINTS:
        return t, v
    piece = np.minimum((t - t[0]) / (t[-1] - t[0]) * PIECES, PIECES - 1).astype(np.int64)
    begin = np.flatnonzero(np.diff(piece, prepend=-1))
    keep = set()
    for a, b in zip(begin, [*begin[1:], t.size], strict=True):
        keep |= {a, b - 1, a + int(v[a:b].argmin()), a + int(v[a:b].argmax())}
    kept = np.array(sorted(keep))
    return t[kept], v[kept]


def _numbers(layer: LayerSpikes, shown: Shown) -> LayerRow:
    units, active = shown.units[layer.name].size, shown.active[layer.name]
    return LayerRow(
        layer.name, layer.step.size, layer.time.size,
        int(layer.missing.sum()), int(layer.extra.sum()),
        f"{active}" if units == active else f"{active}, {units} of them drawn",
    )  # fmt: skip


def _cut(closeup: CloseUp, shown: Shown) -> str:
    """Which part of a long presentation is drawn; empty where it is all."""
    if shown.stop - shown.start >= closeup.window / closeup.dt:
        return ""
    return f"Drawn are steps {shown.start:.0f} to {np.ceil(shown.stop) - 1:.0f} of {closeup.steps}."


def _unseen(closeup: CloseUp) -> str:
    """The first diverging spike where no panel shows it, since a max pooling has no potential."""
    spikes: Iterable[Divergence] = (membrane.spike for membrane in closeup.membranes)
    if closeup.first is None or closeup.first in spikes:
        return ""
    return f"The very first is in a pooling, which has no potential: {describe(closeup.first)}."
