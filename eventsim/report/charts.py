"""Geometry of the charts that the page draws as inline SVG, and pictures of images."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.fidelity.metrics import Share

__all__ = ["Bar", "Dot", "IntervalChart", "count_bars", "interval_chart", "picture"]

#: Widths and heights in units of the drawing.
LABELS, PLOT, VALUES, ROW, AXIS = 128.0, 300.0, 52.0, 26.0, 24.0

#: Width of a letter of a label, about, and of the gap beside it; long ones get more than LABELS.
LETTER, GAP = 6.5, 16.0
BARS_WIDTH, BARS_HEIGHT = 130.0, 36.0

#: Pixels to which pictures are magnified, at most.
SHARP = 168


@dataclass(frozen=True)
class Dot:
    """One row of an interval chart: a share, its interval, and other runs as small dots."""

    label: str
    style: str
    y: float
    x: float
    low: float
    high: float
    runs: tuple[float, ...]
    text: str


@dataclass(frozen=True)
class IntervalChart:
    """Rows of shares on a common axis in percent."""

    title: str
    width: float
    height: float
    left: float
    right: float
    bottom: float
    ticks: tuple[tuple[float, str], ...]
    reference: float | None
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Bar:
    """One bar of a small chart of output counts."""

    style: str
    x: float
    y: float
    width: float
    height: float


def interval_chart(
    title: str,
    rows: Sequence[tuple[str, str, Sequence[Share]]],
    reference: float | None = None,
) -> IntervalChart:
    """Dots with intervals, one row for each (label, style, shares of the runs).

    The dot and the interval are those of the first run; the axis is cut to the data, in steps of
    10 percent.

    Parameters
    ----------
    title : str
        What is shown.
    rows : sequence of (str, str, sequence of Share)
        At least one share in each.
    reference : float, optional
        A share to mark by a vertical line.

    Returns
    -------
    IntervalChart

    Examples
    --------
    >>> chart = interval_chart("accuracy", [("coarse", "coarse", [Share(8, 10, 0.8, 0.49, 0.94)])])
    >>> [text for _, text in chart.ticks]
    ['40', '60', '80', '100']
    """
    values = [v for _, _, shares in rows for s in shares for v in (s.low, s.high)]
    start = int(np.floor(10 * min(values))) * 10
    start = min(start, 80)
    step = 10 if start >= 60 else 20
    start -= start % step

    left = max(LABELS, GAP + LETTER * max(len(label) for label, _, _ in rows))

    def place(share: float) -> float:
        return round(left + PLOT * (100 * share - start) / (100 - start), 2)

    dots = []
    for k, (label, style, shares) in enumerate(rows):
        first = shares[0]
        value = 0.0 if first.value is None else first.value
        runs = tuple(place(s.value) for s in shares[1:] if s.value is not None)
        dots.append(Dot(
            label, style, ROW * (k + 0.5), place(value), place(first.low), place(first.high), runs,
            f"{100 * value:.1f} %",
        ))  # fmt: skip
    return IntervalChart(
        title=title,
        width=left + PLOT + VALUES,
        height=ROW * len(rows) + AXIS,
        left=left,
        right=left + PLOT,
        bottom=ROW * len(rows),
        ticks=tuple((place(v / 100), str(v)) for v in range(start, 101, step)),
        reference=None if reference is None else place(reference),
        dots=tuple(dots),
    )


def count_bars(coarse: Sequence[float], continuous: Sequence[float]) -> list[Bar]:
    """Output counts of one sample in both models, pairs of bars side by side.

    Potentials stand on the lowest one where that is below 0.

    >>> [(bar.style, bar.height) for bar in count_bars([2], [1])]
    [('coarse', 36.0), ('continuous', 18.0)]
    """
    floor = min(0.0, *coarse, *continuous)
    most = (max(*coarse, *continuous) - floor) or 1.0
    slot = BARS_WIDTH / len(coarse)
    width = 0.4 * slot
    bars = []
    for k, pair in enumerate(zip(coarse, continuous, strict=True)):
        for style, offset, count in zip(("coarse", "continuous"), (0.1, 0.5), pair, strict=True):
            height = BARS_HEIGHT * (count - floor) / most
            bars.append(Bar(
                style, round(slot * (k + offset), 2), round(BARS_HEIGHT - height, 2),
                round(width, 2), round(height, 2),
            ))  # fmt: skip
    return bars


def picture(pixels: NDArray[Any]) -> str:
    """A grey image with pixels from 0 (black) to 1 (white) as the address of a PNG in itself.

    Small images are magnified, since not every printer leaves their pixels sharp.

    >>> picture(np.zeros((2, 2)))[:22]
    'data:image/png;base64,'
    """
    times = max(1, SHARP // max(pixels.shape))
    pixels = pixels.repeat(times, axis=0).repeat(times, axis=1)
    levels = np.clip(256 * pixels, 0, 255).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(_grey_png(levels)).decode("ascii")


def _grey_png(levels: NDArray[np.uint8]) -> bytes:
    """A PNG file with 8 bits of grey for each pixel, without Matplotlib, which loads slowly."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    height, width = levels.shape
    rows = np.insert(levels, 0, 0, axis=1)  # each row after a byte that says: not filtered
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + chunk(b"IEND", b"")
    )
