"""The picture of a sweep: accuracy, agreement and rates against what varies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from numpy.typing import NDArray

from eventsim.errors import InvalidType
from eventsim.plot import style

if TYPE_CHECKING:
    from eventsim.fidelity.metrics import Share
    from eventsim.fidelity.sweep.report import Point, SweepReport

__all__ = ["sweep"]

MARKERS = ("o", "s", "^", "D")
DASHES = ("-", "--", ":", "-.")


def sweep(report: SweepReport) -> NDArray[Any]:
    """Draw a sweep: accuracy and agreement with their intervals, and the rates of all layers.

    Dashed lines are the coarse network, and its agreement with itself on a second draw of the
    input. A sweep of the time step shows instead how far clock-driven runs are from the exact one:
    their classes, the spikes that they have in common, and the errors of the times of these.

    Parameters
    ----------
    report : SweepReport
        What :func:`eventsim.sweep` returned.

    Returns
    -------
    array of Axes

    Raises
    ------
    InvalidType
        Something else.

    Examples
    --------
    >>> import numpy as np
    >>> import eventsim as es
    >>> from eventsim import plot
    >>> net = es.Network(
    ...     [es.Input("image", 2), es.Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...     [es.Dense("image", "out", [[1.2, 0.0], [0.0, 1.2]])])
    >>> images = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> disc = es.Discretization(dt=1e-3, steps=8)
    >>> report = es.sweep("pulse-width", net, disc, images, [0, 1], [0.0, 1.0])
    >>> [ax.get_xlabel() for ax in plot.sweep(report)]
    ['pulse width (steps)', 'pulse width (steps)']
    """
    from eventsim.fidelity.sweep.report import SweepReport

    if not isinstance(report, SweepReport):
        raise InvalidType(
            f"plot.sweep: report: expected a SweepReport, got {type(report).__name__}"
        )
    if report.categories:
        return _named(report)
    return _clocked(report) if report.name == "time-step" else _numbers(report)


def _panels(report: SweepReport, count: int, height: float = 4.0) -> NDArray[Any]:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, count, figsize=(4.1 * count, height), layout="constrained", squeeze=False
    )
    figure.suptitle(report.title, x=0.01, ha="left", fontsize="medium", fontweight="bold")
    for ax in axes[0]:
        ax.spines[["top", "right"]].set_visible(False)
    return axes[0]


def _numbers(report: SweepReport) -> NDArray[Any]:
    """Against numbers: shares to the left, rates to the right."""
    axes = _panels(report, 2)
    points = list(report.points)
    at = np.array([point.value for point in points], dtype=np.float64)
    _shares(axes[0], at, [p.accuracy for p in points], style.EXACT, "o", "accuracy, continuous")
    _shares(
        axes[0], at, [p.agreement for p in points], style.PALETTE[2], "s", "same class as coarse"
    )
    _line(axes[0], at, [_percent(p.coarse, "accuracy") for p in points], style.EXACT,
          "accuracy, coarse")  # fmt: skip
    if all(p.second_draw is not None for p in points):
        again = [_percent(p.second_draw, "agreement") for p in points]
        _line(axes[0], at, again, style.PALETTE[2], "same class on a second draw")
    axes[0].set_ylabel("images (%)")
    _percent_axis(axes[0])
    names = [layer.name for layer in points[0].rung.layers]
    colors = style.layer_colors(names)
    for k, name in enumerate(names):
        rates = [p.rung.layers[k].rate for p in points]
        axes[1].plot(at, rates, color=colors[name], marker=MARKERS[k % 4], ms=4.5, label=name)
        _line(axes[1], at, [p.coarse.layers[k].rate for p in points], colors[name], None)
    axes[1].set_ylabel("rate of a neuron (1/s)")
    axes[1].set_ylim(bottom=0.0)
    axes[1].plot([], [], color=style.GREY, ls="--", label="coarse")
    for ax in axes:
        _axis(ax, report, at)
    _legends(axes)
    return axes


def _named(report: SweepReport) -> NDArray[Any]:
    """Against names, from top to bottom."""
    points = list(report.points)
    axes = _panels(report, 2, 1.5 + 0.36 * len(points))
    at = np.arange(len(points))[::-1].astype(np.float64)
    coarse = points[0].coarse
    second = points[0].second_draw
    columns: tuple[tuple[str, Callable[[Point], Share], Any, Any, str], ...] = (
        ("accuracy (%)", lambda p: p.accuracy, coarse, style.EXACT, "accuracy"),
        ("same class as coarse (%)", lambda p: p.agreement, second, style.PALETTE[2], "agreement"),
    )
    for ax, (label, take, reference, color, name) in zip(axes, columns, strict=True):
        shares = [take(point) for point in points]
        value = np.array([100 * (s.value or 0.0) for s in shares])
        ends = np.array(
            [[v - 100 * s.low, 100 * s.high - v] for v, s in zip(value, shares, strict=True)]
        )
        ax.errorbar(value, at, xerr=ends.T, fmt="o", color=color, ms=5, elinewidth=1.2, capsize=3)
        if reference is not None:
            x = _percent(reference, name)
            ax.axvline(x, color=style.GREY, ls="--", lw=1.1, zorder=0)
            text = "coarse" if name == "accuracy" else "second draw"
            ax.text(x, len(points) - 0.45, text, ha="center", va="bottom", color=style.GREY,
                    fontsize="small")  # fmt: skip
        ax.set_xlabel(label)
        ax.set_ylim(-0.6, len(points) - 0.4)
        ax.set_yticks(at, [point.label for point in points] if ax is axes[0] else [])
        ax.tick_params(axis="y", length=0)
    return axes


def _clocked(report: SweepReport) -> NDArray[Any]:
    """Clock-driven runs against the exact one."""
    axes = _panels(report, 3)
    series = list(dict.fromkeys(p.series for p in report.points if p.series))
    exact = next(p for p in report.points if not p.series)
    layers = list(exact.rung.layers)
    colors = style.layer_colors([layer.name for layer in layers])
    everywhere: list[float] = []
    for m, name in enumerate(series):
        points = [p for p in report.points if p.series == name]
        at = np.array([p.value for p in points])
        everywhere += at.tolist()
        # Not the colours of layers, which the other panels have.
        color = style.PALETTE[2 + m % 2]
        right = [_percent(p.rung, "accuracy") for p in points]
        axes[0].plot(at, right, color=color, marker=MARKERS[m], ms=4.5, label=f"accuracy, {name}")
        same = [100 * np.mean([s.value for s in p.as_exact or ()]) for p in points]
        axes[0].plot(at, same, color=color, ls=":", marker=MARKERS[m], mfc="white", ms=4.5,
                     label=f"same class as exact, {name}")  # fmt: skip
        for layer in layers:
            errors = [(p.errors or {})[layer.name] for p in points]
            look: dict[str, Any] = {
                "color": colors[layer.name],
                "ls": DASHES[m],
                "marker": MARKERS[m],
                "ms": 4,
            }
            label = f"{layer.name}, {name}"
            axes[1].plot(at, _column(errors, "matched", 100), label=label, **look)
            median = _column(errors, "time_error_median", 1 / report.settings["dt"])
            axes[2].plot(at, np.where(median > 0, median, np.nan), label=label, **look)
    _shares(axes[0], np.array([min(everywhere), max(everywhere)]), [exact.accuracy] * 2,
            style.BLACK, "", "accuracy, exact")  # fmt: skip
    axes[0].axhline(_percent(exact.coarse, "accuracy"), color=style.GREY, ls="--", lw=1.1,
                    zorder=0, label="accuracy, coarse")  # fmt: skip
    axes[0].set_ylabel("images (%)")
    axes[1].set_ylabel("exact spikes found again (%)")
    axes[2].set_ylabel("median error of their times (steps)")
    axes[2].set_yscale("log")
    axes[1].set_ylim(top=101)
    for ax in axes:
        _axis(ax, report, np.unique(everywhere))
    _legends(axes)
    return axes


def _column(rows: Sequence[Any], name: str, factor: float) -> NDArray[np.float64]:
    return np.array([np.nan if r[name] is None else factor * r[name] for r in rows])


def _shares(
    ax: Axes, at: NDArray[np.float64], shares: Sequence[Share], color: str, marker: str, label: str
) -> None:
    value, low, high = (
        100 * np.array([getattr(s, name) for s in shares]) for name in ("value", "low", "high")
    )
    ax.fill_between(at, low, high, color=color, alpha=0.14, lw=0)
    ax.plot(at, value, color=color, marker=marker, ms=4.5, lw=1.4, label=label)


def _line(
    ax: Axes, at: NDArray[np.float64], values: Sequence[float], color: str, label: str | None
) -> None:
    """A reference: dashed, across the axes where it is the same everywhere."""
    look: dict[str, Any] = {"color": color, "ls": "--", "lw": 1.1, "zorder": 0, "label": label}
    if len(set(values)) == 1:
        ax.axhline(values[0], **look)
    else:
        ax.plot(at, values, **look)


def _percent(rung: Any, name: str) -> float:
    return float(100 * rung.mean(name))


def _percent_axis(ax: Axes) -> None:
    """From a round number below all that is drawn to 100."""
    low = min(ax.get_ylim()[0], 90.0)
    ax.set_ylim(max(0.0, 10 * np.floor(low / 10)), 100.5)


def _axis(ax: Axes, report: SweepReport, at: NDArray[np.float64]) -> None:
    ax.set_xlabel(report.xlabel)
    if report.log and (at > 0).all():
        ax.set_xscale("log")
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
        shown = at if len(at) <= 6 else 10.0 ** np.arange(
            np.floor(np.log10(at[0])), np.ceil(np.log10(at[-1])) + 1
        )  # fmt: skip
        ax.xaxis.set_major_locator(FixedLocator(shown.tolist()))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


def _legends(axes: NDArray[Any]) -> None:
    """Below the panels, where they hide nothing."""
    for ax in axes:
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize="x-small",
            frameon=False,
        )  # fmt: skip
