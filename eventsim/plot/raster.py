"""Spikes of a network over time, layer above layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from eventsim import checks
from eventsim.plot import style
from eventsim.recording import Result, SpikeTrain

__all__ = ["raster"]

WHERE = "plot.raster"

_Side = Literal["bottom", "center", "top"]

#: A block is at least this part of an even share, so that ten outputs beside 784 inputs show.
SMALLEST_SHARE = 0.4
#: Half the length of a tick: at least and at most this part of the whole height.
SHORTEST_TICK, LONGEST_TICK = 0.004, 0.06
#: Beside layers drawn in pixels, one with this part of ``max_ticks`` or less keeps its ticks.
FEW = 0.1
#: Inches that a neuron's index needs beside the axis.
LABEL_HEIGHT = 0.17
#: Cells of a density image per inch.
CELLS_PER_INCH = 60


class _Block(NamedTuple):
    """A layer's place on the y axis; neuron ``i`` stands at ``low + (i + 1/2) step``."""

    name: str
    n: int
    low: float
    high: float
    color: Any

    @property
    def step(self) -> float:
        return (self.high - self.low) / self.n

    def y(self, neuron: NDArray[Any] | int) -> Any:
        return self.low + (neuron + 0.5) * self.step


def raster(
    result: Result,
    *,
    populations: Sequence[str] | None = None,
    ax: Axes | None = None,
    t_unit: str = "ms",
    t_range: tuple[float, float] | None = None,
    dt: float | None = None,
    colors: Mapping[str, Any] | None = None,
    max_ticks: int = 50_000,
    max_pixels: int = 200_000,
) -> Axes:
    """Spikes over time: neurons upward, each layer a block with its own colour.

    Few spikes are drawn as ticks, more as pixels (layers with few of them still as ticks), and
    many as an image of the mean rate of the neurons in each cell. These marks are rasterized
    inside SVG and PDF. The height of a block grows with the square root of its number of
    neurons, so a small layer stays readable; the y axis runs from 0 to 1 over all blocks, and
    neuron indices stand on the right.

    Parameters
    ----------
    result : Result
        One run with recorded spikes.
    populations : sequence of str, optional
        Which layers, from below. Default all, inputs at the bottom.
    ax : Axes, optional
        Where to draw. Default a new figure.
    t_unit : {"ms", "s", "us"}
        Unit of the time axis.
    t_range : (float, float), optional
        Show only spikes in ``[start, stop)``, in seconds. Default the whole run.
    dt : float, optional
        Rules at every step of a discrete model, in seconds from ``t_start``. Default none.
    colors : mapping of str to colour, optional
        Colour of each population; those left out keep :func:`layer_colors` of the network.
    max_ticks : int
        Ticks up to so many spikes, pixels above.
    max_pixels : int
        Pixels up to so many spikes, a density image above.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue, InvalidType
        A batch, a run without recorded spikes, an unknown population, a bad range or unit.

    Examples
    --------
    >>> import eventsim as es
    >>> from eventsim import plot
    >>> net = es.Network([es.Input("image", 3)])
    >>> result = es.Result(
    ...     net, {"image": es.SpikeTrain([1e-3, 2e-3], [0, 2])}, {"image": [1, 0, 1]},
    ...     t_start=0.0, t_stop=4e-3, t_reached=4e-3)
    >>> ax = plot.raster(result)
    >>> ax.get_xlabel()
    'time (ms)'
    """
    result = style.one_result(WHERE, result)
    scale, label = style.time_unit(WHERE, t_unit)
    start, stop = style.time_range(WHERE, result, t_range)
    if dt is not None and not checks.scalar(WHERE, "dt", dt) > 0:
        raise checks.fail(WHERE, "dt", "a number > 0", dt)
    spikes = {
        name: train.between(start, stop)
        for name, train in style.recorded_spikes(WHERE, result, populations).items()
    }
    palette = {**style.layer_colors(result.network.order), **(colors or {})}
    sizes = [result.network[name].n for name in spikes]
    blocks = _stack(list(spikes), sizes, palette)
    width, height = 7.5, _figure_height(sizes)
    ax = style.one_axes(WHERE, ax, width, height)
    inches = ax.get_window_extent().height / ax.figure.dpi

    total = sum(map(len, spikes.values()))
    if total <= max_ticks:
        for block in blocks:
            _ticks(ax, block, spikes[block.name], scale, total)
    elif total <= max_pixels:
        for block in blocks:
            train = spikes[block.name]
            if len(train) <= max_ticks * FEW:
                _ticks(ax, block, train, scale, total)
            else:
                _pixels(ax, block, train, scale)
    else:
        _density(ax, blocks, spikes, (start, stop), scale, inches)
    if not total:
        ax.text(
            0.5,
            0.5,
            "no spikes",
            transform=ax.transAxes,
            ha="center",
            va="center",
            color=style.GREY,
        )

    if dt is not None:
        _steps(ax, result.t_start, dt, (start, stop), scale)
    if result.t_reached < stop:
        style.not_simulated(ax, max(start, result.t_reached) * scale, stop * scale)
    _frame(ax, blocks, inches)
    margin = 0.005 * (stop - start)  # keeps a tick at t_start whole
    ax.set_xlim((start - margin) * scale, (stop + margin) * scale)
    ax.set_xlabel(label)
    return ax


def _figure_height(sizes: Sequence[int]) -> float:
    """Inches: more for more layers, little for a handful of neurons."""
    return float(np.clip(1.2 + 0.7 * len(sizes) + 0.1 * min(sum(sizes), 20), 1.8, 10.0))


def _stack(names: Sequence[str], sizes: Sequence[int], palette: Mapping[str, Any]) -> list[_Block]:
    shares = np.sqrt(sizes)
    shares = np.maximum(shares / shares.sum(), SMALLEST_SHARE / len(sizes))
    edges = np.concatenate([[0.0], np.cumsum(shares) / shares.sum()])
    return [
        _Block(name, n, float(edges[k]), float(edges[k + 1]), palette[name])
        for k, (name, n) in enumerate(zip(names, sizes, strict=True))
    ]


def _ticks(ax: Axes, block: _Block, train: SpikeTrain, scale: float, total: int) -> None:
    half = float(np.clip(0.4 * block.step, SHORTEST_TICK, LONGEST_TICK))
    y = block.y(train.senders)
    # One line with gaps is drawn five times faster than as many lines. NaN makes the gap.
    x = np.repeat(train.times * scale, 3)
    ends = np.stack(
        [
            np.maximum(y - half, block.low),
            np.minimum(y + half, block.high),
            np.full(len(y), np.nan),
        ],
        axis=1,
    )
    ax.plot(
        x,
        ends.ravel(),
        color=block.color,
        solid_capstyle="butt",
        rasterized=True,
        linewidth=1.2 if total < 2_000 else 0.8 if total < 10_000 else 0.5,
        label=block.name,
    )


def _pixels(ax: Axes, block: _Block, train: SpikeTrain, scale: float) -> None:
    ax.plot(
        train.times * scale,
        block.y(train.senders),
        ",",
        color=block.color,
        rasterized=True,
        label=block.name,
    )


def _density(
    ax: Axes,
    blocks: Sequence[_Block],
    spikes: Mapping[str, SpikeTrain],
    interval: tuple[float, float],
    scale: float,
    inches: float,
) -> None:
    """Mean rate of the neurons of each cell, in one scale for all layers."""
    start, stop = interval
    columns = int(CELLS_PER_INCH * ax.get_window_extent().width / ax.figure.dpi) + 1
    images = []
    for block in blocks:
        train = spikes[block.name]
        rows = min(block.n, int(CELLS_PER_INCH * inches * (block.high - block.low)) + 1)
        row = train.senders * rows // block.n
        column = np.minimum((train.times - start) * (columns / (stop - start)), columns - 1)
        cells = np.bincount(row * columns + column.astype(np.int64), minlength=rows * columns)
        neurons = np.bincount(np.arange(block.n) * rows // block.n, minlength=rows)
        seconds = (stop - start) / columns
        images.append(cells.reshape(rows, columns) / (neurons[:, None] * seconds))
    busy = np.concatenate([image[image > 0] for image in images])
    top = float(np.quantile(busy, 0.995))
    # The square root keeps cells of a quiet layer visible beside a busy one.
    norm = PowerNorm(0.5, vmin=0.0, vmax=top)
    for block, image in zip(blocks, images, strict=True):
        ax.imshow(
            image,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            norm=norm,
            cmap=style.lightness_map(block.color),
            label=block.name,
            extent=(start * scale, stop * scale, block.low, block.high),
        )
    ax.figure.colorbar(
        ScalarMappable(norm, style.lightness_map("black")),
        ax=ax,
        pad=0.02,
        aspect=40,
        label="rate of a neuron (1/s)",
        extend="max" if busy.max() > top else "neither",
    )


def _steps(ax: Axes, origin: float, dt: float, interval: tuple[float, float], scale: float) -> None:
    start, stop = interval
    if (stop - start) / dt > 200:
        return  # rules would hide the spikes
    first, last = np.ceil((start - origin) / dt), np.floor((stop - origin) / dt)
    for k in np.arange(first, last + 1):
        ax.axvline((origin + k * dt) * scale, color="0.85", linewidth=0.6, zorder=0)


def _frame(ax: Axes, blocks: Sequence[_Block], inches: float) -> None:
    """Rules between blocks, names on the left, neuron indices on the right."""
    for block in blocks[1:]:
        ax.axhline(block.low, color=style.GREY, linewidth=0.8)
    ax.set_ylim(0.0, 1.0)
    ax.set_yticks([0.5 * (b.low + b.high) for b in blocks], [b.name for b in blocks])
    ax.tick_params(axis="y", length=0)
    for label, block in zip(ax.get_yticklabels(), blocks, strict=True):
        label.set_color(style.text_color(block.color))
        label.set_fontweight("bold")

    places, texts, sides = [], [], []
    for block in blocks:
        for neuron, side in _indices(block, inches):
            places.append(float(block.y(neuron)))
            texts.append(str(neuron))
            sides.append(side)
    right = ax.secondary_yaxis("right")
    right.set_yticks(places, texts)  # smaller digits are hinted into another shape
    for label, side in zip(right.get_yticklabels(), sides, strict=True):
        label.set_verticalalignment(side)
    right.set_ylabel("neuron")


def _indices(block: _Block, inches: float) -> list[tuple[int, _Side]]:
    """Neurons whose index is written, and where its text stands so that none overlap."""
    height = inches * (block.high - block.low)
    if block.n == 1:
        return [(0, "center")]
    if height < 2 * LABEL_HEIGHT:
        return []
    # The outermost indices stand inside their block, clear of those of the next one.
    marks: list[tuple[int, _Side]] = [(0, "bottom"), (block.n - 1, "top")]
    candidates = MaxNLocator(max(1, int(height / 0.4)), integer=True, steps=[1, 2, 5, 10])
    for neuron in candidates.tick_values(0, block.n - 1):
        gap = min(neuron, block.n - 1 - neuron) * block.step * inches
        if gap > 1.6 * LABEL_HEIGHT:
            marks.append((int(neuron), "center"))
    return sorted(marks)
