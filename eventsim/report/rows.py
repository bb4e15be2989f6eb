"""What of a close-up is drawn: some steps, and in each layer the units that tell most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.fidelity.closeup import CloseUp, LayerSpikes

__all__ = ["BETWEEN", "Shown", "choose", "row_height"]

Index = NDArray[np.int64]

#: Steps that are drawn at most; of these so many before the first diverging spike.
SPAN, BEFORE = 16, 4
#: Rows of all layers together, and cells (row, step) of all, which bounds the size of the page.
ROWS, CELLS = 64, 720

#: Heights in units of the drawing: of a row, of one in a layer with few, between layers; and the
#: most of all together, so that a close-up fits on a printed page.
THIN, THICK, FEW, BETWEEN, TALLEST = 6.0, 11.0, 12, 8.0, 520.0


@dataclass(frozen=True, eq=False)
class Shown:
    """What is drawn of a sample.

    Attributes
    ----------
    start, stop : float
        Drawn time in steps.
    units : dict of str to array
        Layer -> units that have a row, ascending.
    active : dict of str to int
        Layer -> units that spike in this time in either model.
    """

    start: float
    stop: float
    units: dict[str, Index]
    active: dict[str, int]


def choose(closeup: CloseUp) -> Shown:
    """The steps around the first diverging spike, and rows for each layer.

    Rows go first to the units of the membranes, then to those with most spikes that have no
    counterpart, then to those with most spikes. A layer that needs fewer rows than its share
    leaves them to the others.
    """
    whole = closeup.window / closeup.dt
    start, stop = 0.0, whole
    if whole > SPAN:
        first = 0 if closeup.first is None else closeup.first.step
        start = float(min(max(first - BEFORE, 0), int(np.ceil(whole)) - SPAN))
        stop = min(start + SPAN, whole)
    ranked = {layer.name: _ranked(closeup, layer, start, stop) for layer in closeup.layers}
    wanted = {name: units.size for name, units in ranked.items()}
    rows = _fitting(wanted, min(ROWS, int(CELLS / (stop - start))))
    return Shown(
        start,
        stop,
        {name: np.sort(units[: rows[name]]) for name, units in ranked.items()},
        {name: int(units.size) for name, units in ranked.items()},
    )


def row_height(rows: int) -> float:
    """Height of each row of a layer with so many."""
    return THICK if rows <= FEW else THIN


def _fitting(wanted: dict[str, int], most: int) -> dict[str, int]:
    """Rows of each layer, as many as fit into the height there is."""
    for total in range(most, 0, -1):
        rows = _share_out(wanted, total)
        height = sum(n * row_height(n) + BETWEEN for n in rows.values())
        if height <= TALLEST:
            break
    return rows


def _ranked(closeup: CloseUp, layer: LayerSpikes, start: float, stop: float) -> Index:
    """Units that spike in this time, the most telling first."""
    time = layer.time / closeup.dt
    steps, times = (layer.step >= start) & (layer.step < stop), (time >= start) & (time < stop)

    def count(units: Index) -> Index:
        return np.bincount(units, minlength=layer.n).astype(np.int64)

    spikes = count(layer.unit[steps]) + count(layer.sender[times])
    alone = count(layer.unit[steps & layer.missing]) + count(layer.sender[times & layer.extra])
    chosen = np.zeros(layer.n, dtype=bool)
    chosen[[m.spike.unit for m in closeup.membranes if m.spike.layer == layer.name]] = True
    units = np.flatnonzero(spikes + chosen)
    return units[np.lexsort((units, -spikes[units], -alone[units], ~chosen[units]))]


def _share_out(wanted: dict[str, int], rows: int) -> dict[str, int]:
    """Rows of each layer: as many as it wants, or an even share of those that are left.

    >>> _share_out({"hidden": 107, "out": 4}, 50)
    {'hidden': 46, 'out': 4}
    """
    given, left = {}, rows
    for k, name in enumerate(sorted(wanted, key=lambda name: wanted[name])):
        given[name] = min(wanted[name], max(left // (len(wanted) - k), 1))
        left -= given[name]
    return {name: given[name] for name in wanted}
