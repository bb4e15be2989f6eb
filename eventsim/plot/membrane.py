"""Potentials of chosen neurons: the exact curve, and the discrete model's steps over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.plot import style
from eventsim.populations import Population
from eventsim.recording import Result

if TYPE_CHECKING:
    from eventsim.trace import Trace

__all__ = ["membrane"]

WHERE = "plot.membrane"

#: Points of the curve besides both sides of every event: about two per pixel.
SAMPLES = 2_000
#: Above so many spikes of a neuron the lines are thinner.
CROWD = 60


class _Steps(NamedTuple):
    """The discrete model of one neuron, aligned with ``t_start``."""

    dt: float
    v: NDArray[np.float64] | None
    spikes: NDArray[np.bool_] | None


def membrane(
    result: Result,
    population: str,
    neurons: int | Sequence[int],
    *,
    ax: Axes | Sequence[Axes] | None = None,
    discrete: Mapping[str, Any] | None = None,
    t_unit: str = "ms",
    t_range: tuple[float, float] | None = None,
) -> Axes | NDArray[Any]:
    """Exact potential of recorded neurons, one row each, over a shared time axis.

    The curve is evaluated, not interpolated: at a dense grid and at both sides of every event,
    so jumps are vertical. The threshold is dashed, where it adapts as a curve that is evaluated
    at the same times; refractory spans are shaded, and spikes stand as strokes above the curves.
    The jump of a spike passes through the threshold as it was at that time, the least that the
    potential had before it was reset.

    Parameters
    ----------
    result : Result
        A run with ``record_v`` of these neurons.
    population : str
        Their population.
    neurons : int or sequence of int
        Indices within the population.
    ax : Axes or sequence of Axes, optional
        One for each neuron. Default a new figure.
    discrete : mapping, optional
        The discrete model of the same sample: ``"dt"`` in seconds and any of ``"v"``, its
        potential relative to rest at the end of each step, and ``"spikes"``, 0 or 1. Both are
        [step, n] over the whole population, as ``disc.run`` gives for one sample, or [step] for
        a single neuron. Step k is drawn over ``[k dt, (k+1) dt)`` from ``t_start``; its spikes
        are bars as wide as the step, behind the exact ones.
    t_unit : {"ms", "s", "us"}
        Unit of the time axis.
    t_range : (float, float), optional
        Interval to show, in seconds. Default the whole run.

    Returns
    -------
    Axes, or array of Axes
        One Axes for an int, an array with one per neuron for a sequence.

    Raises
    ------
    InvalidValue, InvalidType
        A neuron whose potential was not recorded, Axes of another number, or a discrete model
        of another shape.

    Examples
    --------
    >>> import eventsim as es
    >>> from eventsim import plot
    >>> net = es.Network(
    ...     [es.Input("in", 1), es.Population("out", 1, tau_mem=4e-3, t_ref=1e-3)],
    ...     [es.Dense("in", "out", [[0.7]])])
    >>> train = es.SpikeTrain([1e-3, 2e-3, 6e-3], [0, 0, 0])
    >>> result = es.simulate(net, {"in": train}, t_stop=8e-3, record_v={"out": [0]})
    >>> ax = plot.membrane(result, "out", 0)
    >>> ax.get_ylabel()
    'v of out 0'
    """
    result = style.one_result(WHERE, result)
    scale, label = style.time_unit(WHERE, t_unit)
    if population not in result.v:
        raise checks.fail(
            WHERE,
            "population",
            f"one with recorded potentials, {list(result.v)}",
            f"{population!r}; simulate with record_v={{{population!r}: [...]}}",
        )
    chosen, columns = _columns(result.v[population], neurons)
    steps = _discrete(discrete, chosen, result.network[population].n)
    start, stop = style.time_range(WHERE, result, t_range)
    if max(start, result.t_start) >= min(stop, result.t_reached):
        raise checks.fail(
            WHERE,
            "t_range",
            f"a part of the run, {result.t_start:g} to {result.t_reached:g} s",
            f"{start:g} to {stop:g} s",
        )
    axes = _axes(ax, len(chosen))

    for row, neuron, column, coarse in zip(axes, chosen, columns, steps, strict=True):
        _one(row, result, population, neuron, column, coarse, (start, stop), scale)
        row.set_xlim(start * scale, stop * scale)
        row.set_ylabel(f"v of {population} {neuron}")
    axes[-1].set_xlabel(label)
    axes[0].figure.align_ylabels(axes)
    _legend(axes)
    return axes[0] if isinstance(neurons, int | np.integer) else axes


def _columns(trace: Trace, neurons: Any) -> tuple[list[int], list[int]]:
    """Indices within the population, and their columns in the trace."""
    single = isinstance(neurons, int | np.integer)
    chosen = checks.index_array(WHERE, "neurons", [neurons] if single else neurons).tolist()
    if not chosen:
        raise checks.fail(WHERE, "neurons", "at least one", 0)
    recorded = {int(neuron): column for column, neuron in enumerate(trace.neurons)}
    for neuron in chosen:
        if neuron not in recorded:
            known = ", ".join(map(str, list(recorded)[:8])) + (", ..." if len(recorded) > 8 else "")
            raise checks.fail(WHERE, "neurons", f"recorded ones ({known})", neuron)
    return chosen, [recorded[neuron] for neuron in chosen]


def _axes(ax: Any, rows: int) -> NDArray[Any]:
    if ax is None:
        return style.new_axes(rows, 7.5, 1.2 + 1.6 * rows)
    axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    for item in axes:
        style.checked_axes(WHERE, item)
    if len(axes) != rows:
        raise checks.fail(WHERE, "ax", f"{rows} Axes, one for each neuron", len(axes))
    return axes


def _discrete(discrete: Any, chosen: list[int], n: int) -> list[_Steps | None]:
    if discrete is None:
        return [None] * len(chosen)
    if not isinstance(discrete, Mapping):
        raise InvalidType(
            f"{WHERE}: discrete: expected a mapping with 'dt' and 'v' or 'spikes', "
            f"got {type(discrete).__name__}"
        )
    if "dt" not in discrete or not {"dt"} < set(discrete) <= {"dt", "v", "spikes"}:
        raise checks.fail(WHERE, "discrete", "'dt' and any of 'v', 'spikes'", sorted(discrete))
    dt = checks.scalar(WHERE, "discrete['dt']", discrete["dt"])
    if not dt > 0:
        raise checks.fail(WHERE, "discrete['dt']", "a number > 0", dt)
    fields: dict[str, NDArray[Any]] = {}
    for field in ("v", "spikes"):
        if field not in discrete:
            continue
        where = f"discrete[{field!r}]"
        array = checks.real_array(WHERE, where, discrete[field]).astype(np.float64)
        if array.ndim == 1 and len(chosen) == 1:
            array = array[:, None]
        elif array.ndim == 2 and array.shape[1] == n:
            array = array[:, chosen]
        else:
            raise checks.fail(WHERE, where, f"axes [step, {n}]", f"shape {array.shape}")
        if not array.size:
            raise checks.fail(WHERE, where, "at least one step", 0)
        fields[field] = array
    return [
        _Steps(
            dt,
            fields["v"][:, k] if "v" in fields else None,
            fields["spikes"][:, k] > 0 if "spikes" in fields else None,
        )
        for k in range(len(chosen))
    ]


class _Curves(NamedTuple):
    """Potential and threshold of one neuron; both sides of an event share their time."""

    t: NDArray[np.float64]
    v: NDArray[np.float64]
    threshold: NDArray[np.float64]


def _curves(
    trace: Trace, column: int, interval: tuple[float, float], spikes: NDArray[np.float64]
) -> _Curves:
    """The exact curves.

    What a jump that fires a neuron summed up to is reset at once. It was at least the threshold,
    which therefore stands between the two sides of a spike.
    """
    start, stop = interval
    knots = trace.knots(column)
    knots = knots[(knots > start) & (knots < stop)]
    spikes = np.unique(spikes[(spikes > start) & (spikes < stop)])
    grid = np.setdiff1d(np.linspace(start, stop, SAMPLES), knots)
    # A threshold jumps at spikes only; one float before them is the limit from the left.
    grid_theta, early_theta, reached, late_theta = (
        trace.threshold_at(times)[:, column]
        for times in (grid, np.nextafter(knots, start), np.nextafter(spikes, start), knots)
    )
    t = np.concatenate([grid, knots, spikes, knots])
    v = np.concatenate(
        [
            trace.at(grid)[:, column],
            trace.before(knots)[:, column],
            reached,
            trace.at(knots)[:, column],
        ]
    )
    theta = np.concatenate([grid_theta, early_theta, reached, late_theta])
    order = np.argsort(t, kind="stable")
    return _Curves(t[order], v[order], theta[order])


def _one(
    ax: Axes,
    result: Result,
    population: str,
    neuron: int,
    column: int,
    coarse: _Steps | None,
    interval: tuple[float, float],
    scale: float,
) -> None:
    start, stop = interval
    trace = result.v[population]
    parameters = result.network[population]
    assert isinstance(parameters, Population)  # only these have a membrane
    rest = float(parameters.array("v_leak")[neuron])
    first, last = max(start, result.t_start), min(stop, result.t_reached)

    spans = np.asarray(trace.refractory(column), dtype=np.float64).reshape(-1, 2)
    spans = np.clip(spans[(spans[:, 1] > start) & (spans[:, 0] < stop)], start, stop)
    if len(spans):
        _bars(ax, spans * scale, (0.0, 1.0), "0.9", "refractory", ax.get_xaxis_transform(), gap=0.0)
    times = np.empty(0)
    if population in result.spikes:
        times = result.spikes[population].of(neuron)
        times = times[(times >= start) & (times < stop)]
    t, v, threshold = _curves(trace, column, (first, last), times)
    crowded = len(times) > CROWD
    ax.plot(
        t * scale,
        v,
        color=style.EXACT,
        linewidth=0.7 if crowded else 1.1,
        label="exact",
        zorder=2.2,
    )
    shown = [v]
    if np.isfinite(threshold[0]):
        look: dict[str, Any] = {"color": style.BLACK, "linestyle": "--", "linewidth": 0.9}
        if np.ptp(threshold):
            ax.plot(t * scale, threshold, **look, label="threshold", zorder=2.1)
        else:
            ax.axhline(threshold[0], **look, label="threshold")
        shown.append(threshold)
    if coarse is not None and coarse.v is not None:
        edges = (result.t_start + coarse.dt * np.arange(len(coarse.v) + 1)) * scale
        ax.stairs(
            rest + coarse.v,
            edges,
            baseline=None,
            color=style.COARSE,
            linewidth=1.3,
            label="discrete",
            zorder=2.5,
        )
        seen = (edges[1:] > start * scale) & (edges[:-1] < stop * scale)
        shown.append(rest + coarse.v[seen])
    if result.t_reached < stop:
        style.not_simulated(ax, last * scale, stop * scale)

    low, high = (float(f(np.concatenate(shown))) for f in (np.min, np.max))
    size = (high - low) or 1.0
    strip = (high + 0.08 * size, 0.16 * size)
    if coarse is not None and coarse.spikes is not None:
        left = result.t_start + np.flatnonzero(coarse.spikes) * coarse.dt
        left = left[(left + coarse.dt > start) & (left < stop)]
        steps = np.stack([left, left + coarse.dt], axis=1) * scale
        _bars(ax, steps, strip, style.PALE, "discrete spike", ax.transData, gap=0.8)
    if times.size:
        ax.vlines(
            times * scale,
            strip[0],
            sum(strip),
            color=style.BLACK,
            linewidth=0.7 if crowded else 1.2,
            label="spike",
            zorder=3,
        )
    ax.set_ylim(low - 0.06 * size, high + 0.28 * size)


def _bars(
    ax: Axes,
    spans: NDArray[Any],
    y: tuple[float, float],
    color: str,
    label: str,
    transform: Any,
    gap: float,
) -> None:
    """Spans of time as boxes of one colour; ``gap`` in points keeps neighbours apart."""
    if len(spans):
        ax.broken_barh(
            [(a, b - a) for a, b in spans],
            y,
            transform=transform,
            facecolor=color,
            edgecolor="white",
            linewidth=gap,
            label=label,
            zorder=0.5,
        )


def _legend(axes: NDArray[Any]) -> None:
    """One key above the first row, with what occurs in any row."""
    seen: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            seen.setdefault(label, handle)
    order = ["exact", "discrete", "threshold", "spike", "discrete spike", "refractory"]
    names = [name for name in order if name in seen]
    if "spike" in seen:  # upright in the key too
        seen["spike"] = Line2D([], [], color=style.BLACK, linestyle="", marker="|", markersize=8)
    axes[0].legend(
        [seen[name] for name in names],
        names,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=len(names),
        frameon=False,
        fontsize="small",
        borderaxespad=0.2,
        columnspacing=1.2,
        handlelength=1.5,
    )
