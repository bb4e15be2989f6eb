"""A continuous network on a time grid: the factors of a tick, and times in ticks.

:func:`eventsim.discrete.stepped.stepped` says what is computed.
"""

from __future__ import annotations

import graphlib
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.discrete import grid_kernel as kernel
from eventsim.discrete.coarse import STEP_TOLERANCE
from eventsim.discrete.grid_kernel import CELL, GROUP, PART, Ticking
from eventsim.engine.compiled import (
    INPUT,
    NEURONS,
    RELAY,
    CompiledNetwork,
    Records,
    compile_network,
)
from eventsim.errors import UnsupportedNetwork
from eventsim.network import Network

__all__ = ["Grid", "ticks_after", "ticks_of", "whole_ticks"]

Float = NDArray[np.float64]
Index = NDArray[np.int64]


def _ticks(times: ArrayLike, dt: float, between: Callable[[Float], Float]) -> Index:
    """Ticks of times; one that only rounding parts from a tick is on it."""
    exact = np.asarray(times, dtype=np.float64) / dt
    near = np.rint(exact)
    on_it = np.abs(exact - near) <= np.maximum(STEP_TOLERANCE, 1e-14 * exact)
    return np.where(on_it, near, between(exact)).astype(np.int64)


def ticks_after(times: ArrayLike, dt: float) -> Index:
    """First ticks that are not before the times.

    >>> ticks_after([0.0, 0.1, 0.3, 0.31], dt=0.1)
    array([0, 1, 3, 4])
    """
    return _ticks(times, dt, np.ceil)


def whole_ticks(time: float, dt: float) -> int:
    """The last tick that is not after a time.

    >>> whole_ticks(0.3, dt=0.1), whole_ticks(0.35, dt=0.1)
    (3, 3)
    """
    return int(_ticks(time, dt, np.floor))


def ticks_of(durations: ArrayLike, dt: float, least: int = 0) -> Index:
    """Durations in ticks, rounded; at least so many where the duration is not 0.

    >>> ticks_of([0.0, 0.04, 0.26], dt=0.1, least=1)
    array([0, 1, 3])
    """
    length = np.asarray(durations, dtype=np.float64)
    return np.where(length > 0.0, np.maximum(np.rint(length / dt), least), 0).astype(np.int64)


class Grid:
    """A network on the grid of multiples of ``dt``.

    Parameters
    ----------
    net : Network
        What to run.
    dt : float
        Seconds from tick to tick.
    euler : bool
        True: forward Euler; False: exact integration from tick to tick.

    Raises
    ------
    UnsupportedNetwork
        A cycle of projections whose delays are all rounded to zero.
    """

    def __init__(self, net: Network, dt: float, *, euler: bool) -> None:
        self.net, self.dt = net, dt
        arrays = compile_network(net)
        kinds = arrays.populations["kind"][arrays.units["population"]]
        neurons = arrays.units[kinds == NEURONS]
        groups = _groups(arrays, dt)
        parts, indptr = _parts(arrays, groups, dt)
        cells = np.zeros(neurons.size, dtype=CELL)
        for field in ("theta", "reset", "bias", "gain"):
            cells[field] = neurons[field]
        cells["hold"] = ticks_of(neurons["t_ref"], dt, least=1)
        decay, grow = _factors(neurons["tau"], dt, euler)
        windows = int(np.count_nonzero(kinds == RELAY))
        relayed = groups["kind"][arrays.links["target"]] == RELAY
        self.start = Ticking(
            groups=groups,
            order=_order(net, groups, parts, dt),
            parts=parts,
            links=arrays.links,
            weight=arrays.tables.weight,
            indptr=indptr,
            post=arrays.tables.post,
            cells=cells,
            decay=decay,
            grow=grow,
            x=neurons["x"].copy(),
            drive=cells["bias"].copy(),
            pulse=np.zeros(cells.size),
            acc=np.zeros(cells.size),
            push=np.zeros(cells.size),
            level=cells["theta"].copy(),
            held=np.zeros(cells.size, dtype=np.int64),
            modes=_modes(arrays, decay, neurons, dt, euler),
            closed=np.zeros(windows, dtype=np.int64),
            best=np.zeros(windows, dtype=np.int64),
            mark=np.full(windows, -1, dtype=np.int64),
            heard=np.zeros(int(groups["n"][arrays.links["source"][relayed]].sum()), np.int64),
            counts=np.zeros(arrays.units.size, dtype=np.int64),
            reach=np.zeros(
                (2, int(np.max(arrays.links["k_y"] * arrays.links["k_x"], initial=1))), np.int64
            ),
            control=np.zeros(6, dtype=np.int64),
        )


def _groups(arrays: CompiledNetwork, dt: float) -> Records:
    populations, units = arrays.populations, arrays.units
    groups = np.zeros(populations.size, dtype=GROUP)
    for field in ("kind", "rule", "heard_at"):
        groups[field] = populations[field]
    groups["counted"] = populations["offset"]
    groups["n"] = populations["stop"] - populations["offset"]
    groups["window"] = ticks_of(populations["window"], dt, least=1)
    for kind in (NEURONS, RELAY):
        mine = groups["kind"] == kind
        groups["first"][mine] = np.cumsum(groups["n"][mine]) - groups["n"][mine]
    one_of_each = units[populations["offset"]]
    for field in ("mode_at", "n_modes", "subtract", "multi", "inclusive"):
        groups[field] = one_of_each[field]
    return groups


def _parts(arrays: CompiledNetwork, groups: Records, dt: float) -> tuple[Records, Index]:
    """Synapses by target, projection and delay; the groups learn which are theirs."""
    tables, indptr = arrays.tables, [arrays.tables.indptr]
    parts: list[Records] = []
    for target, group in enumerate(groups):
        group["part_first"] = len(parts)
        for index in np.flatnonzero(arrays.links["target"] == target):
            link = arrays.links[index]
            own = bool(np.isnan(link["delay"]))
            delays = ticks_of(0.0 if own else link["delay"], dt).reshape(1)
            row_at, row_step = int(link["row_at"]), 1
            if own:
                at, first = int(link["row_at"]), int(link["delay_at"])
                rows = tables.indptr[at : at + groups["n"][link["source"]] + 1]
                each = ticks_of(tables.delay[first : first + rows[-1]], dt)
                delays, which = np.unique(each, return_inverse=True)
                # A row is sorted by delay, so the synapses of one delay lie together in it.
                row_step = max(1, delays.size)
                keys = np.repeat(np.arange(rows.size - 1), np.diff(rows)) * row_step + which
                row_at = sum(map(len, indptr))
                indptr.append(np.searchsorted(keys, np.arange((rows.size - 1) * row_step + 1)))
            for k, delay in enumerate(delays):
                part = np.zeros((), dtype=PART)
                for field in ("kind", "source", "receptor", "weight_at", "post_at"):
                    part[field] = link[field]
                part["link"], part["delay"] = index, delay
                part["row_at"], part["row_step"] = row_at + k, row_step
                if link["spread"] > 0.0:
                    part["width"] = ticks_of(link["spread"], dt, least=1)
                    part["slope"] = 1.0 / (part["width"] * dt)
                parts.append(part)
        group["part_stop"] = len(parts)
    return np.array(parts, dtype=PART), np.concatenate(indptr).astype(np.int64)


def _factors(tau: Float, dt: float, euler: bool) -> tuple[Float, Float]:
    """``decay`` and ``grow`` of the membranes."""
    if euler:
        return 1.0 - dt / tau, np.full(tau.size, dt)
    with np.errstate(invalid="ignore"):
        grow = np.where(np.isinf(tau), dt, -tau * np.expm1(-dt / tau))
    return np.exp(-dt / tau), grow


def _modes(
    arrays: CompiledNetwork, decay: Float, neurons: Records, dt: float, euler: bool
) -> Float:
    """Modes of all neurons; of a population, one mode of each neuron after the other."""
    if arrays.modes is None:
        return np.zeros((5, 0))
    given = arrays.modes
    fade, gap = np.exp(-dt / given["tau"]), np.abs(given["gap"])
    response = np.full(given.size, dt)
    if not euler:
        membrane = np.repeat(decay, neurons["n_modes"])
        with np.errstate(invalid="ignore"):
            grown = np.where(gap * dt == 0.0, dt, -np.expm1(-gap * dt) / gap)
        response = np.maximum(fade, membrane) * grown
    modes = np.zeros((5, given.size))
    modes[kernel.FADE], modes[kernel.PUSH] = fade, given["gain"] * response
    modes[kernel.LIFT], modes[kernel.JUMP] = given["lift"], given["jump"]
    for k, offset in enumerate(arrays.populations["offset"]):
        first, count = arrays.units[["mode_at", "n_modes"]][offset]
        mine = slice(first, first + count * int(arrays.populations["stop"][k] - offset))
        by_neuron = modes[:, mine].reshape(5, -1, max(1, count))
        modes[:, mine] = by_neuron.transpose(0, 2, 1).reshape(5, -1)
    return modes


def _order(net: Network, groups: Records, parts: Records, dt: float) -> Index:
    """Populations without the Inputs, each after those that reach it in the same instant."""
    names = [p.name for p in net.populations]
    before: dict[str, dict[str, None]] = {name: {} for name in names}
    for name, group in zip(names, groups, strict=True):
        for part in parts[group["part_first"] : group["part_stop"]]:
            if part["delay"] == 0:
                before[name][names[part["source"]]] = None
    try:
        order = list(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError as error:
        raise UnsupportedNetwork(
            f"stepped: dt: expected a step so short that no delay in the cycle "
            f"{' -> '.join(error.args[1])} is rounded to zero, got {dt:g} s"
        ) from error
    visited = [names.index(name) for name in order]
    return np.array([k for k in visited if groups["kind"][k] != INPUT], dtype=np.int64)
