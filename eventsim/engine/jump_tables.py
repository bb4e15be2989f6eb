"""A network whose potentials only jump and decay, as arrays for :mod:`eventsim.engine.jumps`.

Nothing but deltas reach its neurons, they rest below their thresholds, and so they fire at
arrivals only.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.convolution import Conv2d
from eventsim.engine.compiled import population_table, unit_table
from eventsim.engine.poisson import Drives
from eventsim.engine.synapses import synapses
from eventsim.engine.visits import visiting_order
from eventsim.jit import njit
from eventsim.network import Network
from eventsim.pooling import AvgPool2d, MaxPool2d, SumPool2d
from eventsim.populations import Poisson, Population, Relay
from eventsim.random_links import Normal

__all__ = [
    "Cells",
    "GUARD",
    "LEAST_SLICES",
    "Paths",
    "Streams",
    "drive_of",
    "new_cells",
    "paths_of",
    "places_of",
    "streams_of",
    "why_not",
    "width_of",
]

Floats = NDArray[np.float64]

#: A potential below its threshold by more than this part of it stays below whatever the order of a
#: sum.
GUARD = 1e-12

#: A slice of a window is at most this part of a membrane's time constant: one over it.
LEAST_SLICES = 16.0

#: A window holds about so many spikes of one Poisson source, at most.
_SPIKES_OF_A_DRIVE = 64.0
#: More windows than this from the sending of a spike to its arrival are too many to keep.
_MAX_WINDOWS = 1_000_000

#: A population: parameters, then state.
PLACE = np.dtype(
    [
        ("offset", np.int64),
        ("stop", np.int64),
        ("rate", np.float64),  # 1 / tau_mem
        ("height", np.float64),  # its lowest threshold
        ("delay", np.float64),  # of its drive
        ("drive", np.int64),  # projection that its drive comes by, -1 none
        ("expected", np.float64),  # drive arrivals a second
        ("push", np.float64),  # their weights
        ("subtract", np.bool_),
        ("multi", np.bool_),
        ("inclusive", np.bool_),
        ("logged", np.bool_),
        ("neurons", np.bool_),
        ("base", np.float64),  # time to which its potentials belong
        ("wake", np.float64),  # first test at an end of refractoriness without an arrival
    ]
)


class Cells(NamedTuple):
    """Of each unit: parameters, then state."""

    theta: Floats  # threshold above v_leak
    low: Floats  # below this none fires, whatever rounding does
    reset: Floats
    t_ref: Floats
    u: Floats  # potential at the base time of its population; -inf while refractory
    before: Floats  # at the begin of a slice
    held: Floats  # while refractory
    ref_until: Floats
    spikes: NDArray[np.int64]  # so far


class Streams(NamedTuple):
    """Of each unit: the Poisson source that drives it alone."""

    key: NDArray[np.uint64]
    rate: Floats  # 1 where there is none
    weight: Floats
    time: Floats  # the next spike of the source
    drawn: NDArray[np.int64]


class Paths(NamedTuple):
    """Synapses by segments, and what is known of each segment and each projection."""

    row: NDArray[np.int64]
    delay: Floats
    link: NDArray[np.int32]
    first: NDArray[np.int64]
    post: NDArray[np.int32]
    weight: NDArray[Any]
    cut: NDArray[np.int64]  # [segment, block - 1] where the next block's synapses begin
    push: Floats  # [segment] sum of positive weights
    flat: Floats  # [projection] weight of all synapses; NaN where they differ
    target: NDArray[np.int64]  # [projection] place of the target


def why_not(net: Network, driven: bool = False) -> str | None:
    """Why the loop does not fit a network; None when it does."""
    if driven:
        return "currents are given"
    for p in net.populations:
        if isinstance(p, Relay):
            return f"{p.name}: a Relay"
        if isinstance(p, Population):
            reason = _not_alone(p)
            if reason:
                return f"{p.name}: {reason}"
    for link in net.projections:
        if isinstance(link, Conv2d | MaxPool2d | SumPool2d | AvgPool2d):
            return f"{link.where}: its synapses are not written out"
        if link.spread > 0.0:  # type: ignore[attr-defined]
            return f"{link.where}: pulses"
    width = width_of(net)
    if not any(isinstance(p, Population) for p in net.populations):
        return "no neurons"
    furthest = max((_max_delay(link) for link in net.projections), default=0.0)
    if furthest / width > _MAX_WINDOWS:
        return f"the delay of {width:g} s is short beside one of {furthest:g} s"
    return None


def _not_alone(p: Population) -> str | None:
    """Why something else than arrivals may raise a potential."""
    if p.n_receptors:
        return "exponential receptors"
    if p.adapts:
        return "adaptation"
    if np.any(p.i_bias):
        return "a bias"
    if np.any(p.array("v_threshold") <= p.array("v_leak")):
        return "it rests at its threshold"
    if np.ptp(1.0 / p.array("tau_mem")) > 0.0:
        return "several membrane time constants"
    return None


def _max_delay(link: Any) -> float:
    """The longest delay of a projection, or a bound."""
    if isinstance(link.delay, Normal):
        return min(link.delay.high, link.delay.mean + 40.0 * link.delay.std)
    return float(np.max(link.delay, initial=0.0))


@lru_cache(maxsize=8)
def drive_of(net: Network) -> dict[str, int]:
    """Of each population the projection by which each neuron has a Poisson source of its own.

    Such a source sends nothing elsewhere, and excites.
    """
    found: dict[str, int] = {}
    for k, link in enumerate(net.projections):
        source, target = net[link.source], net[link.target]
        if not isinstance(source, Poisson) or link.target in found:
            continue
        alone = sum(q.source == link.source for q in net.projections) == 1
        if not alone or link.n_synapses(source.shape, target.shape) > min(source.n, target.n):
            continue
        rows = link.rows(source.shape, target.shape)
        if rows.delay.size > 1 and np.ptp(rows.delay) > 0.0:
            continue
        single = np.diff(rows.indptr).max(initial=0) <= 1 and np.unique(rows.post).size
        if single == rows.post.size and np.all(rows.weight >= 0.0):
            found[link.target] = k
    return found


def width_of(net: Network) -> float:
    """Length of a window: a little less than the shortest delay that leads back."""
    _, longest = visiting_order(net)
    taus = [float(p.array("tau_mem")[0]) for p in net.populations if isinstance(p, Population)]
    rates = [float(p.rates.max()) for p in net.populations if isinstance(p, Poisson)]
    bounds = [longest, *(tau / 4.0 for tau in taus)]
    bounds += [_SPIKES_OF_A_DRIVE / rate for rate in rates if rate > 0.0]
    return min([b for b in bounds if isfinite(b)], default=1.0) * (1.0 - 1e-9)


def places_of(net: Network, keep: Any, t_start: float) -> NDArray[np.void]:
    """The populations."""
    table = population_table(net)
    places = np.zeros(len(net.populations), dtype=PLACE)
    places["offset"], places["stop"] = table["offset"], table["stop"]
    places["drive"], places["base"], places["wake"] = -1, t_start, inf
    for place, p in zip(places, net.populations, strict=True):
        place["logged"] = p.name in keep
        if not isinstance(p, Population):
            continue
        place["neurons"] = True
        place["rate"] = 1.0 / p.array("tau_mem")[0]
        place["height"] = np.min(p.array("v_threshold") - p.array("v_leak"))
        place["subtract"], place["multi"] = p.reset == "subtract", p.multi_spike
        place["inclusive"] = p.fires_at_equality
        if np.any(p.array("v_init") >= p.array("v_threshold")):
            place["wake"] = t_start
    return places


def new_cells(net: Network) -> Cells:
    """All units at the start."""
    units = unit_table(net)
    theta = units["theta"].copy()
    return Cells(
        theta=theta,
        low=theta * (1.0 - GUARD),
        reset=units["reset"].copy(),
        t_ref=units["t_ref"].copy(),
        u=units["x"].copy(),
        before=np.zeros(units.size),
        held=np.zeros(units.size),
        ref_until=np.full(units.size, -inf),
        spikes=np.zeros(units.size, dtype=np.int64),
    )


def streams_of(
    net: Network, drives: Drives, fused: dict[str, int], places: NDArray[np.void]
) -> Streams:
    """The sources of ``drives`` that a neuron hears alone; ``places`` learn of them."""
    n = int(places["stop"][-1])
    streams = Streams(
        np.zeros(n, np.uint64), np.ones(n), np.zeros(n), np.full(n, inf), np.zeros(n, np.int64)
    )
    names = [p.name for p in net.populations]
    for name, k in fused.items():
        link, place = net.projections[k], places[names.index(name)]
        source = net[link.source]
        rows = link.rows(source.shape, net[name].shape)
        pre = np.repeat(np.arange(source.n), np.diff(rows.indptr))
        post, sources = place["offset"] + rows.post, drives.sources[link.source][pre]
        streams.key[post] = sources["key"]
        streams.rate[post] = np.where(sources["rate"] > 0.0, sources["rate"], 1.0)
        streams.time[post], streams.drawn[post] = sources["time"], sources["drawn"]
        streams.weight[post] = rows.weight
        place["drive"] = k
        place["delay"] = float(rows.delay[0]) if rows.delay.size else 0.0
        place["expected"] = float(sources["rate"].sum())
        place["push"] = float((sources["rate"] * rows.weight).sum())
    return streams


@njit
def _cut_rows(first, post, link, target, bounds, cut):
    """Where in each segment the synapses of each block of its target begin, but for the first."""
    for k in range(first.size - 1):
        ends = bounds[target[link[k]]]
        at, stop = first[k], first[k + 1]
        for b in range(cut.shape[1]):
            low, high = at, stop
            while low < high:
                middle = (low + high) // 2
                if post[middle] < ends[b + 1]:
                    low = middle + 1
                else:
                    high = middle
            cut[k, b] = at = low


@njit
def _weigh(first, weight, link, flat, push):
    """The sum of positive weights of each segment."""
    for k in range(first.size - 1):
        same = flat[link[k]]
        if same == same:
            push[k] = max(same, 0.0) * (first[k + 1] - first[k])
            continue
        total = 0.0
        for i in range(first[k], first[k + 1]):
            total += max(np.float64(weight[i]), 0.0)
        push[k] = total


def _same_weight(link: Any) -> float:
    """The weight of all synapses, NaN where they differ."""
    if isinstance(link.weight, Normal):
        return np.nan
    weight = np.asarray(link.weight)
    if not weight.size:
        return 0.0
    first = weight.flat[0]
    return float(first) if np.all(weight == first) else np.nan


@lru_cache(maxsize=4)
def _weighed(net: Network, skip: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Of each segment the sum of positive weights; of each projection its one weight."""
    table = synapses(net, skip)
    flat = np.array([_same_weight(link) for link in net.projections], dtype=np.float64)
    push = np.zeros(table.delay.size)
    _weigh(table.first, table.weight, table.link, flat, push)
    return push, flat


@lru_cache(maxsize=4)
def paths_of(net: Network, skip: tuple[int, ...], blocks: int) -> tuple[Paths, NDArray[np.int64]]:
    """Synapses without those of some projections, and the ends of the blocks of each place."""
    table = synapses(net, skip)
    names = [p.name for p in net.populations]
    target = np.array([names.index(link.target) for link in net.projections], dtype=np.int64)
    places = population_table(net)
    sizes = places["stop"] - places["offset"]
    share = np.arange(blocks + 1)
    bounds = places["offset"][:, None] + sizes[:, None] * share // blocks
    cut = np.zeros((table.delay.size, blocks - 1), dtype=np.int64)
    _cut_rows(table.first, table.post, table.link, target, bounds, cut)
    push, flat = _weighed(net, skip)
    paths = Paths(
        table.row, table.delay, table.link, table.first, table.post, table.weight,
        cut, push, flat, target,
    )  # fmt: skip
    return paths, bounds
