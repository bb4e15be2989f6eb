"""Small charts of comparisons: counts against counts, rates, accuracies with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.plot import style
from eventsim.recording import Result

__all__ = ["accuracy_bars", "accuracy_curve", "counts_scatter", "rates"]

#: Cells along an axis of counts_scatter, at most.
COUNT_CELLS = 60


def rates(
    result: Result,
    *,
    populations: Sequence[str] | None = None,
    bins: int = 50,
    ax: Axes | None = None,
    t_unit: str = "ms",
    colors: Mapping[str, Any] | None = None,
) -> Axes:
    """Mean rate of the neurons of each layer over time.

    The rate of a bin of width w is the layer's spikes in it divided by ``n w``, in spikes per
    second and neuron.

    Parameters
    ----------
    result : Result
        One run with recorded spikes.
    populations : sequence of str, optional
        Which layers. Default all.
    bins : int
        Bins over the simulated time. Default 50.
    ax : Axes, optional
        Where to draw. Default a new figure.
    t_unit : {"ms", "s", "us"}
        Unit of the time axis.
    colors : mapping of str to colour, optional
        Colour of each population; those left out keep :func:`layer_colors` of the network.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue, InvalidType
        A batch, a run without recorded spikes, an unknown population, a bad unit or bin number.

    Examples
    --------
    >>> import eventsim as es
    >>> from eventsim import plot
    >>> result = es.Result(
    ...     es.Network([es.Input("image", 3)]), {"image": es.SpikeTrain([1e-3, 2e-3], [0, 2])},
    ...     {"image": [1, 0, 1]}, t_start=0.0, t_stop=4e-3, t_reached=4e-3)
    >>> ax = plot.rates(result, bins=4)
    >>> ax.get_ylabel()
    'rate of a neuron (1/s)'
    """
    where = "plot.rates"
    result = style.one_result(where, result)
    scale, label = style.time_unit(where, t_unit)
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise checks.fail(where, "bins", "an int >= 1", bins)
    spikes = style.recorded_spikes(where, result, populations)
    palette = {**style.layer_colors(result.network.order), **(colors or {})}
    ax = style.one_axes(where, ax, 7.5, 3.0)
    stop = result.t_reached if result.t_reached > result.t_start else result.t_stop
    edges = np.linspace(result.t_start, stop, int(bins) + 1)
    for name, train in spikes.items():
        counts, _ = np.histogram(train.times, edges)
        ax.stairs(
            counts / (result.network[name].n * np.diff(edges)),
            edges * scale,
            baseline=None,
            color=palette[name],
            label=name,
            linewidth=1.4,
        )
    ax.set_xlim(edges[0] * scale, edges[-1] * scale)
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel(label)
    ax.set_ylabel("rate of a neuron (1/s)")
    _open_frame(ax)
    ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(spikes))
    return ax


def counts_scatter(
    coarse: ArrayLike,
    continuous: ArrayLike,
    *,
    ax: Axes | None = None,
    labels: tuple[str, str] = ("coarse", "continuous"),
) -> Axes:
    """Spike counts of two models of the same neurons: how many pairs have which counts.

    Counts are whole numbers, so points would hide one another. A cell's shade is the number of
    pairs in it, on a logarithmic scale; equal counts lie on the dashed diagonal. The title
    gives Pearson's r and the mean difference, second model minus first.

    Parameters
    ----------
    coarse, continuous : array of int or float
        Counts of the same neurons and samples, of equal shape.
    ax : Axes, optional
        Where to draw. Default a new figure.
    labels : (str, str)
        Names of the two models.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue, InvalidType
        Shapes that differ, no counts, or counts that are negative or not finite.

    Examples
    --------
    >>> from eventsim import plot
    >>> ax = plot.counts_scatter([0, 1, 2], [0, 2, 3])
    >>> ax.get_title()
    '3 pairs, r = 0.98, mean difference +0.67'
    """
    where = "plot.counts_scatter"
    x, y = (
        checks.real_array(where, field, value).astype(np.float64)
        for field, value in (("coarse", coarse), ("continuous", continuous))
    )
    if x.shape != y.shape:
        raise checks.fail(where, "continuous", f"shape {x.shape} as coarse", f"shape {y.shape}")
    if not x.size:
        raise checks.fail(where, "coarse", "at least one count", 0)
    for field, array in (("coarse", x), ("continuous", y)):
        checks.finite(where, field, array)
        checks.non_negative(where, field, array)
    ax = style.one_axes(where, ax, 4.6, 4.2)

    top = max(1.0, float(x.max()), float(y.max()))
    width = max(1.0, np.ceil((top + 1.0) / COUNT_CELLS))
    edges = np.arange(np.floor((top + 0.5) / width) + 2.0) * width - 0.5
    cells, _, _ = np.histogram2d(y.ravel(), x.ravel(), bins=(edges, edges))
    # Clear of white, so that a single pair shows, and of black.
    shades = style.lightness_map(style.EXACT)(np.linspace(0.15, 0.85, 256))
    image = ax.pcolormesh(
        edges,
        edges,
        np.ma.masked_equal(cells, 0.0),
        norm=LogNorm(1.0, max(10.0, cells.max())),
        cmap=ListedColormap(shades),
        rasterized=True,
    )
    ax.figure.colorbar(image, ax=ax, label="pairs", pad=0.03, fraction=0.05)
    ax.axline((0.0, 0.0), slope=1.0, color=style.COARSE, linestyle="--", linewidth=0.9)
    ax.set_aspect("equal")
    ax.locator_params(integer=True, nbins=7)
    ax.set_xlabel(f"spikes, {labels[0]}")
    ax.set_ylabel(f"spikes, {labels[1]}")
    varies = np.ptp(x) > 0.0 and np.ptp(y) > 0.0
    r = f"{np.corrcoef(x.ravel(), y.ravel())[0, 1]:.2f}" if varies else "undefined"
    ax.set_title(
        f"{x.size:,} pairs, r = {r}, mean difference {np.mean(y - x):+.2f}", fontsize="medium"
    )
    return ax


def accuracy_bars(
    names: Sequence[str],
    values: ArrayLike,
    lows: ArrayLike,
    highs: ArrayLike,
    reference: float | None = None,
    *,
    ax: Axes | None = None,
    label: str = "accuracy (%)",
    reference_label: str = "reference",
    colors: Sequence[Any] | None = None,
) -> Axes:
    """Shares of correct (or equal) answers as bars with their intervals, the first on top.

    Parameters
    ----------
    names : sequence of str
        What each bar is.
    values, lows, highs : array of float
        Share and ends of its interval, each from 0 to 1; shown in percent.
    reference : float, optional
        A share to mark by a dashed line.
    ax : Axes, optional
        Where to draw. Default a new figure.
    label : str
        Label of the axis.
    reference_label : str
        What the reference is.
    colors : sequence of colours, optional
        One for each bar. Default one blue.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue, InvalidType
        Lengths that differ, or not ``0 <= low <= value <= high <= 1``.

    Examples
    --------
    >>> from eventsim import plot
    >>> ax = plot.accuracy_bars(["coarse", "pulses"], [0.81, 0.80], [0.77, 0.76], [0.84, 0.83])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['coarse', 'pulses']
    """
    where = "plot.accuracy_bars"
    value, low, high = _shares(where, len(names), values, lows, highs)
    percent = _reference(where, reference)
    if colors is not None and len(colors) != len(names):
        raise checks.fail(where, "colors", f"{len(names)} colours", len(colors))
    ax = style.one_axes(where, ax, 6.5, 1.1 + 0.36 * len(names))
    rows = np.arange(len(names))
    ax.barh(rows, value, height=0.62, color=style.EXACT if colors is None else list(colors))
    ax.errorbar(
        value,
        rows,
        xerr=[value - low, high - value],
        fmt="none",
        ecolor=style.BLACK,
        elinewidth=1.2,
        capsize=3.0,
    )
    for row in rows:
        ax.annotate(
            f"{value[row]:.1f}",
            (high[row], row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
        )
    _mark(ax, ax.axvline, percent, reference_label)
    ax.set_yticks(rows, list(names))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0.0, 112.0)  # room for the number beside a bar of 100 %
    ax.set_xticks(np.arange(0, 101, 20))
    ax.set_xlabel(label)
    _open_frame(ax)
    return ax


def accuracy_curve(
    x: ArrayLike,
    values: ArrayLike,
    lows: ArrayLike,
    highs: ArrayLike,
    reference: float | None = None,
    *,
    xlabel: str,
    ax: Axes | None = None,
    label: str = "accuracy (%)",
    reference_label: str = "reference",
) -> Axes:
    """Shares against a quantity, with their intervals: accuracy against the pulse width, say.

    Parameters
    ----------
    x : array of float
        The quantity, ascending.
    values, lows, highs : array of float
        Share and ends of its interval, each from 0 to 1; shown in percent.
    reference : float, optional
        A share to mark by a dashed line.
    xlabel : str
        The quantity and its unit.
    ax, label, reference_label
        As in :func:`accuracy_bars`.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue, InvalidType
        Lengths that differ, ``x`` out of order, or not ``0 <= low <= value <= high <= 1``.

    Examples
    --------
    >>> from eventsim import plot
    >>> ax = plot.accuracy_curve([0, 0.5, 1], [0.44, 0.7, 0.8], [0.4, 0.66, 0.76],
    ...                          [0.48, 0.74, 0.83], xlabel="pulse width (refractory periods)")
    >>> ax.get_ylabel()
    'accuracy (%)'
    """
    where = "plot.accuracy_curve"
    at = checks.real_array(where, "x", x)
    checks.finite(where, "x", at)
    if at.ndim != 1 or not at.size or (np.diff(at) <= 0).any():
        raise checks.fail(where, "x", "ascending numbers", at.tolist())
    value, low, high = _shares(where, at.size, values, lows, highs)
    percent = _reference(where, reference)
    ax = style.one_axes(where, ax, 5.5, 3.4)
    ax.errorbar(
        at,
        value,
        yerr=[value - low, high - value],
        color=style.EXACT,
        marker="o",
        markersize=4.5,
        linewidth=1.4,
        elinewidth=1.0,
        capsize=3.0,
    )
    _mark(ax, ax.axhline, percent, reference_label)
    ax.set_ylim(0.0, 100.0)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(label)
    _open_frame(ax)
    return ax


def _shares(where: str, n: int, *given: ArrayLike) -> list[NDArray[np.float64]]:
    """Values and intervals in percent."""
    if not n:
        raise checks.fail(where, "names", "at least one", 0)
    found = []
    for field, value in zip(("values", "lows", "highs"), given, strict=True):
        array = checks.real_array(where, field, value).astype(np.float64)
        if array.shape != (n,):
            raise checks.fail(where, field, f"{n} numbers", f"shape {array.shape}")
        checks.finite(where, field, array)
        found.append(array)
    value, low, high = found
    wrong = ~((low >= 0.0) & (low <= value) & (value <= high) & (high <= 1.0))
    if wrong.any():
        k = int(np.argmax(wrong))
        raise checks.fail(
            where,
            f"values[{k}]",
            "0 <= low <= value <= high <= 1",
            f"low {low[k]:g}, value {value[k]:g}, high {high[k]:g}",
        )
    return [100.0 * array for array in found]


def _reference(where: str, reference: float | None) -> float | None:
    """The reference in percent."""
    if reference is None:
        return None
    share = checks.scalar(where, "reference", reference)
    if not 0.0 <= share <= 1.0:
        raise checks.fail(where, "reference", "a share from 0 to 1", share)
    return 100.0 * share


def _mark(ax: Axes, line: Any, percent: float | None, label: str) -> None:
    """A dashed line at the reference, with its key above the frame."""
    if percent is None:
        return
    line(percent, color=style.BLACK, linestyle="--", linewidth=1.0, label=f"{label}: {percent:.1f}")
    ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.1)


def _open_frame(ax: Axes) -> None:
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
