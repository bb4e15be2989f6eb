"""The picture of `benchmarks.growth`: one panel for each series."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator, ScalarFormatter

from benchmarks.growth import FLAT, cost
from eventsim import plot
from eventsim.plot import style

__all__ = ["draw"]

_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
COLUMNS = 3
LEAST_REACH = 5.0  # ratio that a panel spans upward at least


def _bytes(size: str) -> float:
    """The number of a size as Linux writes it, 1024K for instance."""
    return float(size[:-1]) * _UNITS[size[-1]] if size[-1] in _UNITS else float(size)


def _fills(points: list[Mapping[str, Any]], size: float) -> float | None:
    """Value of the series at which the synapses fill so many bytes; None where they never do."""
    held = np.log([point["synapse_bytes"] for point in points])
    values = np.log([point["value"] for point in points])
    if not held[0] < np.log(size) < held[-1]:
        return None
    return float(np.exp(np.interp(np.log(size), held, values)))


def _extent(points: list[Mapping[str, Any]]) -> tuple[float, float]:
    """Least and greatest cost of a series."""
    spreads = [cost(point) for point in points]
    return min(s.min for s in spreads), max(s.max for s in spreads)


def _panel(ax: Axes, kept: Mapping[str, Any], caches: Mapping[str, str]) -> None:
    points = kept["points"]
    values = [point["value"] for point in points]
    spreads = [cost(point) for point in points]
    ax.fill_between(
        values,
        [s.min for s in spreads],
        [s.max for s in spreads],
        color=style.EXACT,
        alpha=0.2,
        linewidth=0,
    )
    ax.plot(values, [s.median for s in spreads], "o-", color=style.EXACT, markersize=4)
    if kept["flat"]:
        least = min(s.median for s in spreads)
        ax.axhspan(least, FLAT * least, color=style.GREY, alpha=0.12, linewidth=0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_title(kept["title"], fontsize=9)
    ax.set_xlabel(kept["quantity"], fontsize=9)
    ax.xaxis.set_major_locator(NullLocator())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(values, [f"{value:,g}" for value in values], fontsize=8)
    for level, size in caches.items():
        at = _fills(points, _bytes(size))
        if at is not None:
            ax.axvline(at, color=style.GREY, linestyle=":", linewidth=1)
            ax.text(
                at,
                0.98,
                f" {level} full ",
                transform=ax.get_xaxis_transform(),
                ha="right",
                va="top",
                rotation=90,
                fontsize=7,
                color=style.GREY,
            )


def draw(records: Mapping[str, Any], caches: Mapping[str, str], target: Path) -> None:
    """Write the figure as PNG and as SVG.

    All panels span the same ratio upward, so slopes can be compared.
    """
    from matplotlib import pyplot

    rows = -(-len(records) // COLUMNS)
    figure, axes = pyplot.subplots(
        rows,
        min(COLUMNS, len(records)),
        figsize=(11.5, 3.2 * rows),
        squeeze=False,
        layout="constrained",
    )
    panels = list(axes.flat)
    for ax, kept in zip(panels, records.values(), strict=False):
        _panel(ax, kept, caches)
    for ax in panels[len(records) :]:
        ax.set_visible(False)
    extents = [_extent(kept["points"]) for kept in records.values()]
    reach = max(LEAST_REACH, 1.5 * max(high / low for low, high in extents)) ** 0.5
    ticks = [m * 10.0**e for e in range(-3, 7) for m in (1, 2, 3, 5)]
    for k, (ax, (low, high)) in enumerate(zip(panels, extents, strict=False)):
        middle = (low * high) ** 0.5
        ax.set_ylim(middle / reach, middle * reach)
        ax.set_yticks([t for t in ticks if middle / reach <= t <= middle * reach])
        ax.yaxis.set_major_formatter(ScalarFormatter())
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.grid(axis="y", color=style.GREY, alpha=0.25, linewidth=0.6)
        ax.tick_params(labelsize=8)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        if k % COLUMNS == 0:
            ax.set_ylabel("ns a synaptic event", fontsize=9)
    for suffix in (".png", ".svg"):
        plot.save(figure, target.with_suffix(suffix), overwrite=True)
    pyplot.close(figure)
