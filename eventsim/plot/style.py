"""What all plots share: colours, units of time, new figures, and writing them to files."""

from __future__ import annotations

import colorsys
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure, FigureBase
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType, InvalidValue
from eventsim.recording import Result, SpikeTrain
from eventsim.save.files import check_new, new_file

__all__ = [
    "BLACK",
    "COARSE",
    "EXACT",
    "GREY",
    "PALE",
    "checked_axes",
    "layer_colors",
    "lightness_map",
    "new_axes",
    "not_simulated",
    "one_axes",
    "one_result",
    "recorded_spikes",
    "save",
    "text_color",
    "time_range",
    "time_unit",
]

#: Lines and text; what is absent; the exact simulation; the discrete model and its spikes.
BLACK = "#222222"
GREY = "#888888"
PALE = "#F3CDB4"
EXACT = "#0072B2"
COARSE = "#D55E00"

#: Colours of Okabe and Ito (2008), which the colour-blind can tell apart; grey stands for their
#: yellow, which thin marks on white do not carry.
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#888888",
    "#000000",
)

#: Unit -> (units in a second, how it is written).
TIME_UNITS = {"s": (1.0, "s"), "ms": (1e3, "ms"), "us": (1e6, "µs")}
FORMATS = (".png", ".svg", ".pdf")
DPI = 150


def layer_colors(names: Iterable[str]) -> dict[str, str]:
    """One colour for each population, in order; after eight they repeat.

    Parameters
    ----------
    names : iterable of str
        Names of populations.

    Returns
    -------
    dict of str to str
        Name -> colour as ``#rrggbb``.

    Examples
    --------
    >>> layer_colors(["image", "out"])
    {'image': '#0072B2', 'out': '#D55E00'}
    """
    return {name: PALETTE[k % len(PALETTE)] for k, name in enumerate(names)}


def text_color(color: Any) -> tuple[float, float, float]:
    """The colour, darkened where it would be too pale for text on white."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*to_rgb(color))
    return colorsys.hls_to_rgb(hue, min(lightness, 0.4), saturation)


def lightness_map(color: Any) -> LinearSegmentedColormap:
    """Colours from white through ``color`` to almost black.

    The colour stands where its lightness belongs, so all these maps, and the grey one, darken
    alike: one grey colour bar is the key to the images of all layers.
    """
    rgb = to_rgb(color)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    luminance = float(np.dot([0.2126, 0.7152, 0.0722], linear))
    lightness = 1.16 * luminance ** (1 / 3) - 0.16 if luminance > 0.008856 else 9.033 * luminance
    dark = 0.08
    place = (1.0 - lightness) / (1.0 - dark)
    white, end = (1.0, 1.0, 1.0), (0.25 * rgb[0], 0.25 * rgb[1], 0.25 * rgb[2])
    if not 0.05 < place < 0.95:  # black and white themselves
        return LinearSegmentedColormap.from_list("layer", [(0.0, white), (1.0, (dark, dark, dark))])
    return LinearSegmentedColormap.from_list("layer", [(0.0, white), (place, rgb), (1.0, end)])


def time_unit(where: str, unit: str) -> tuple[float, str]:
    """Units in a second, and the label of a time axis."""
    if unit not in TIME_UNITS:
        raise checks.fail(where, "t_unit", f"one of {list(TIME_UNITS)}", repr(unit))
    scale, text = TIME_UNITS[unit]
    return scale, f"time ({text})"


def time_range(where: str, result: Result, given: Any) -> tuple[float, float]:
    """Interval to show in seconds; the whole run when none is given."""
    if given is None:
        return result.t_start, result.t_stop
    values = checks.real_array(where, "t_range", given)
    if values.shape != (2,):
        raise checks.fail(where, "t_range", "two times in seconds", f"shape {values.shape}")
    checks.finite(where, "t_range", values)
    if not values[0] < values[1]:
        raise checks.fail(where, "t_range", "start < stop", f"{values[0]:g}, {values[1]:g}")
    return float(values[0]), float(values[1])


def one_result(where: str, result: Any) -> Result:
    """Refuse a batch with a hint, and anything else that is not a run."""
    if isinstance(result, Sequence):
        raise InvalidType(
            f"{where}: result: expected one Result, got a batch of {len(result)}; "
            "choose a sample, as in results[0]"
        )
    if not isinstance(result, Result):
        raise InvalidType(f"{where}: result: expected a Result, got {type(result).__name__}")
    return result


def recorded_spikes(
    where: str, result: Result, populations: Sequence[str] | None
) -> Mapping[str, SpikeTrain]:
    """Name -> spikes of the populations asked for, or of all, from input to output."""
    if not result.spikes:
        raise checks.fail(where, "result", "recorded spikes", "none; simulate with record='spikes'")
    if populations is None:
        names = [name for name in result.network.order if name in result.spikes]
    else:
        names = [populations] if isinstance(populations, str) else list(populations)
    if not names or len(set(names)) < len(names):
        raise checks.fail(where, "populations", "at least one, and none twice", names)
    for name in names:
        if name not in result.spikes:
            raise checks.fail(where, "populations", f"some of {list(result.spikes)}", repr(name))
    return {name: result.spikes[name] for name in names}


def not_simulated(ax: Axes, start: float, stop: float) -> None:
    """Hatch the part of the time axis that a stopped run did not reach."""
    ax.axvspan(start, stop, facecolor="0.95", edgecolor="0.8", hatch="//", linewidth=0, zorder=0)
    ax.text(
        0.5 * (start + stop),
        0.5,
        "not simulated",
        transform=ax.get_xaxis_transform(),
        ha="center",
        va="center",
        color="0.35",
        fontsize="small",
        clip_on=True,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2.0},
    )


def new_axes(rows: int, width: float, height: float) -> NDArray[Any]:
    """Axes of a new figure, in ``rows`` rows that share the x axis."""
    from matplotlib import pyplot

    _, axes = pyplot.subplots(
        rows, 1, sharex=True, squeeze=False, figsize=(width, height), layout="constrained"
    )
    return axes[:, 0]


def one_axes(where: str, ax: Any, width: float, height: float) -> Axes:
    """The Axes given, or those of a new figure."""
    return new_axes(1, width, height)[0] if ax is None else checked_axes(where, ax)


def checked_axes(where: str, ax: Any) -> Axes:
    """Refuse what is not Axes, a Figure or an array of Axes for instance."""
    if not isinstance(ax, Axes):
        raise InvalidType(f"{where}: ax: expected Matplotlib Axes, got {type(ax).__name__}")
    return ax


def save(
    figure: Axes | FigureBase | NDArray[Any],
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    dpi: float = DPI,
) -> Path:
    """Write a figure as PNG, SVG or PDF; the same figure gives the same bytes.

    The file is written under a temporary name and then renamed, so nobody sees half of it.

    Parameters
    ----------
    figure : Axes, array of Axes, or Figure
        What a plot returned; its whole figure is written.
    path : str or Path
        Output file; ``.png``, ``.svg`` or ``.pdf`` decides the format.
    overwrite : bool
        Whether an existing file may be replaced. Default False.
    dpi : float
        Dots per inch of PNG, and of the rasterized marks inside SVG and PDF. Default 150.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InvalidValue, InvalidType
        Another suffix, or nothing that has a figure.
    FileError
        The file exists, or its folder does not, or it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from eventsim import plot
    >>> ax = plot.accuracy_bars(["coarse"], [0.8], [0.77], [0.83])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot.save(ax, f"{folder}/accuracy.svg").name
    'accuracy.svg'
    """
    where = "plot.save"
    target = check_new(path, overwrite)
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise checks.fail(where, "path", f"a name that ends in one of {FORMATS}", f"{path}")
    whole = _whole_figure(where, figure)
    # Times of writing and random names of SVG elements would make every file a new one.
    stamp = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[suffix]
    with mpl.rc_context({"svg.hashsalt": "eventsim"}), new_file(path, overwrite) as temporary:
        whole.savefig(temporary, format=suffix[1:], dpi=dpi, metadata=stamp)
    return Path(path)


def _whole_figure(where: str, figure: Any) -> Figure:
    item = figure
    if isinstance(item, np.ndarray | list | tuple):
        if not len(item):
            raise InvalidValue(f"{where}: figure: expected at least one Axes, got none")
        item = np.asarray(item, dtype=object).flat[0]
    if isinstance(item, Axes | FigureBase):
        whole = item.figure  # of Axes in a subfigure: the subfigure, whose own is the figure
        whole = whole.figure if whole is not None else None
        if isinstance(whole, Figure):
            return whole
    raise InvalidType(f"{where}: figure: expected Axes or a Figure, got {type(item).__name__}")
