"""A network as plain arrays, in the form that kernels take.

Units of all populations share one global numbering, in the order of declaration. Potentials are
kept relative to ``v_leak``. Everything about a unit lies in one record, so that an event touches
few cache lines and kernels take few arguments; what decays with a time constant of its own lies
in the unit's modes (:mod:`eventsim.dynamics.exponentials`): its receptors in order, then what its
spikes leave behind. Weights of all projections lie in one float64
array; float32 weights are widened, which is exact.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.convolution import Conv2d, image_shape
from eventsim.dynamics.exponentials import MODE, highest_response
from eventsim.dynamics.lif import drive_scale
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.populations import Input, Poisson, Population, Relay
from eventsim.projections import Dense, Projection

__all__ = [
    "CompiledNetwork",
    "LINK",
    "POPULATION",
    "Tables",
    "UNIT",
    "compile_network",
    "population_table",
    "unit_table",
]

Records = NDArray[np.void]

#: Kinds of populations and projections and rules of max pooling, as kernels know them.
INPUT, NEURONS, RELAY = 0, 1, 2
DENSE, ROWS, CONV = 0, 1, 2
FIRST_SPIKE, EVERY_SPIKE, LEADER = 0, 1, 2

#: What the time of a unit's own next event is: a bound before which nothing happens, and at which
#: one has to look again; a time at which it has to be tested; the time of a crossing.
BOUND, TEST, CROSSING = 0, 1, 2

#: A unit: parameters, then state.
UNIT = np.dtype(
    [
        ("tau", np.float64),
        ("theta", np.float64),  # threshold above v_leak
        ("reset", np.float64),  # reset potential above v_leak
        ("t_ref", np.float64),
        ("bias", np.float64),  # drive of i_bias, V/s
        ("gain", np.float64),  # drive of a unit current, V/s
        ("x", np.float64),  # potential above v_leak at t_last
        ("t_last", np.float64),
        ("current", np.float64),  # drive of bias and stepped current, V/s
        ("pulse", np.float64),  # sum of active pulses, V/s
        ("pulse_low", np.float64),  # what rounding took from that sum
        ("ref_until", np.float64),  # end of refractoriness; of a Relay: end of closure
        ("acc", np.float64),  # deltas of this instant
        ("next_time", np.float64),  # time of the unit's own next event
        ("active", np.int64),  # number of active pulses
        ("mark", np.int64),  # last instant in which the unit was touched
        ("crossed", np.int64),  # last instant that is the unit's own event
        ("count", np.int64),  # spikes so far
        ("best", np.int64),  # of a Relay with the rule "leader": most spikes of one source
        ("where", np.int64),  # position in the heap of own events, -1 outside
        ("mode_at", np.int64),  # first of its modes
        ("n_modes", np.int64),
        ("population", np.int32),
        ("own", np.int8),  # what `next_time` is
        ("subtract", np.bool_),
        ("multi", np.bool_),
        ("inclusive", np.bool_),
        ("traced", np.bool_),
        ("alone", np.bool_),  # nothing reached it in the instant `mark`
    ]
)

POPULATION = np.dtype(
    [
        ("offset", np.int64),  # first unit, and the one after the last
        ("stop", np.int64),
        ("kind", np.int64),
        ("rule", np.int64),  # of a Relay: how its windows choose
        ("window", np.float64),  # of a Relay: how long a window stays closed
        ("out_first", np.int64),  # outgoing projections in `Tables.out`
        ("out_stop", np.int64),
        ("heard_at", np.int64),  # of a Relay: where the counts of its sources begin
        ("arrived", np.int64),  # state: deliveries and own events of this instant
        ("logged", np.int64),  # whether its spikes are recorded
    ]
)

_GEOMETRY = (
    "in_c",
    "in_y",
    "in_x",
    "out_c",
    "out_y",
    "out_x",
    "k_y",
    "k_x",
    "s_y",
    "s_x",
    "p_y",
    "p_x",
    "d_y",
    "d_x",
    "groups",
)

LINK = np.dtype(
    [
        ("kind", np.int64),
        ("source", np.int64),
        ("target", np.int64),
        ("spread", np.float64),
        ("receptor", np.int64),  # of the target; -1: delta or pulse
        ("delay", np.float64),  # uniform delay; NaN where each synapse has its own
        ("weight_at", np.int64),  # where the projection's part of each table begins
        ("row_at", np.int64),
        ("post_at", np.int64),
        ("delay_at", np.int64),
        ("n_post", np.int64),
        ("first_unit", np.int64),  # of the target
        *[(name, np.int64) for name in _GEOMETRY],
    ]
)


class Tables(NamedTuple):
    """Arrays that projections share, and the orders of projections and populations."""

    weight: NDArray[np.float64]
    indptr: NDArray[np.int64]
    post: NDArray[np.int32]
    delay: NDArray[np.float64]
    out: NDArray[np.int64]  # outgoing projections of each population, in network order
    order: NDArray[np.int64]  # populations in topological order of the zero-delay projections


class CompiledNetwork(NamedTuple):
    """The parts together."""

    units: Records
    modes: Records | None  # None where no unit has any
    populations: Records
    links: Records
    tables: Tables


def _geometry(conv: Conv2d, net: Network) -> tuple[int, ...]:
    source = image_shape(conv.where, "source", net[conv.source].shape)
    return (
        *source,
        *conv.output_shape(source),
        *conv.weight.shape[2:],
        *conv.stride,
        *conv.padding,
        *conv.dilation,
        conv.groups,
    )


def _units(net: Network) -> Records:
    units = np.zeros(sum(p.n for p in net.populations), dtype=UNIT)
    units["ref_until"] = -np.inf
    units["next_time"] = np.inf
    units["where"] = -1
    offset = 0
    for k, p in enumerate(net.populations):
        mine = units[offset : offset + p.n]
        offset += p.n
        mine["population"] = k
        if not isinstance(p, Population):
            continue
        tau, leak = p.array("tau_mem"), p.array("v_leak")
        mine["tau"] = tau
        mine["theta"] = p.array("v_threshold") - leak
        mine["reset"] = p.array("v_reset") - leak
        mine["t_ref"] = p.array("t_ref")
        mine["gain"] = drive_scale(tau, p.array("r"))
        mine["bias"] = mine["current"] = mine["gain"] * p.array("i_bias")
        mine["x"] = p.array("v_init") - leak
        mine["subtract"] = p.reset == "subtract"
        mine["multi"] = p.multi_spike
        mine["inclusive"] = p.fires_at_equality
    return units


def _modes(net: Network, units: Records) -> Records | None:
    """The modes of all units, which learn where theirs begin."""
    parts = []
    offset = begin = 0
    for p in net.populations:
        mine = units[offset : offset + p.n]
        offset += p.n
        if not isinstance(p, Population) or not (p.n_receptors or p.adapts):
            continue
        count = p.n_receptors + bool(np.any(p.ahp_jump)) + bool(np.any(p.adapt_beta))
        rows = np.zeros((p.n, count), dtype=MODE)
        rows["tau"][:, : p.n_receptors] = p.receptor_times.T
        rows["gain"][:, : p.n_receptors] = mine["gain"][:, None]
        k = p.n_receptors
        if np.any(p.ahp_jump):
            rows["tau"][:, k], rows["jump"][:, k] = p.array("tau_ahp"), p.array("ahp_jump")
            rows["gain"][:, k] = -mine["gain"]
            k += 1
        if np.any(p.adapt_beta):
            rows["tau"][:, k], rows["lift"][:, k] = p.array("tau_adapt"), p.array("adapt_beta")
            rows["jump"][:, k] = 1.0
        tau = mine["tau"][:, None]
        with np.errstate(invalid="ignore"):
            apart = (rows["tau"] - tau) / (tau * rows["tau"])
        rows["gap"] = np.where(np.isinf(tau), -1.0 / rows["tau"], apart)
        rows["peak"] = highest_response(np.broadcast_to(tau, rows.shape), rows["tau"])
        mine["mode_at"] = begin + count * np.arange(p.n)
        mine["n_modes"] = count
        begin += rows.size
        parts.append(rows.reshape(-1))
    return np.concatenate(parts) if parts else None


def _populations(net: Network) -> tuple[Records, NDArray[np.int64]]:
    names = [p.name for p in net.populations]
    table = np.zeros(len(names), dtype=POPULATION)
    sizes = np.array([p.n for p in net.populations])
    table["stop"] = np.cumsum(sizes)
    table["offset"] = table["stop"] - sizes
    kinds = {Input: INPUT, Poisson: INPUT, Population: NEURONS, Relay: RELAY}
    table["kind"] = [kinds[type(p)] for p in net.populations]
    heard = 0
    for link in net.projections:
        if isinstance(link, MaxPool2d):
            row, source = table[names.index(link.target)], net[link.source]
            row["rule"] = MaxPool2d.RULES.index(link.rule)
            row["heard_at"] = heard
            heard += source.n
            if link.window is not None:
                row["window"] = link.window
            elif isinstance(source, Population):
                row["window"] = source.array("t_ref").max()
    out = [[i for i, q in enumerate(net.projections) if q.source == name] for name in names]
    table["out_stop"] = np.cumsum([len(row) for row in out])
    table["out_first"] = table["out_stop"] - [len(row) for row in out]
    return table, np.array([i for row in out for i in row], dtype=np.int64)


def _delay_sorted(rows: Any) -> Any:
    """Rows whose synapses come in order of delay, so that one pass delivers them in time."""
    source = np.repeat(np.arange(rows.indptr.size - 1), np.diff(rows.indptr))
    order = np.lexsort((rows.post, rows.delay, source))
    return rows._replace(post=rows.post[order], weight=rows.weight[order], delay=rows.delay[order])


def _links(
    net: Network, first_units: NDArray[np.int64]
) -> tuple[Records, tuple[Any, Any, Any, Any]]:
    names = [p.name for p in net.populations]
    table = np.zeros(len(net.projections), dtype=LINK)
    weights, pointers, posts, delays = (
        [np.zeros(0, dtype=d)] for d in (np.float64, np.int64, np.int32, np.float64)
    )
    for row, link in zip(table, net.projections, strict=True):
        uniform = np.ndim(link.delay) == 0  # type: ignore[attr-defined]
        row["kind"] = _kind(link, uniform)
        row["source"], row["target"] = names.index(link.source), names.index(link.target)
        row["first_unit"] = first_units[row["target"]]
        row["n_post"] = net[link.target].n
        row["spread"] = getattr(link, "spread", 0.0)
        receptor = getattr(link, "receptor", None)
        row["receptor"] = -1 if receptor is None else receptor
        row["delay"] = link.delay if uniform else np.nan  # type: ignore[attr-defined]
        for field, parts in (
            ("weight_at", weights),
            ("row_at", pointers),
            ("post_at", posts),
            ("delay_at", delays),
        ):
            row[field] = sum(part.size for part in parts)
        if row["kind"] == ROWS:
            rows = link.rows(net[link.source].shape, net[link.target].shape)
            if not uniform:
                rows = _delay_sorted(rows)
                delays.append(rows.delay)
            pointers.append(rows.indptr)
            posts.append(rows.post)
            weight = rows.weight
        elif isinstance(link, Conv2d):
            for name, value in zip(_GEOMETRY, _geometry(link, net), strict=True):
                row[name] = value
            # [kernel_y, kernel_x, in / groups, out]: all outputs of one tap lie together.
            weight = link.weight.transpose(2, 3, 1, 0)
        else:
            weight = link.weight  # type: ignore[attr-defined]
        weights.append(np.asarray(weight, dtype=np.float64).reshape(-1))
    return table, (
        np.concatenate(weights),
        np.concatenate(pointers),
        np.concatenate(posts),
        np.concatenate(delays),
    )


def _kind(link: Projection, uniform: bool) -> int:
    if isinstance(link, Dense) and uniform:
        return DENSE
    return CONV if isinstance(link, Conv2d) else ROWS


@lru_cache(maxsize=8)
def population_table(net: Network) -> Records:
    """The populations alone, which cost nothing, however many synapses there are."""
    return checks.read_only(_populations(net)[0])


def unit_table(net: Network) -> Records:
    """The units alone, at the start."""
    return _units(net)


@lru_cache(maxsize=8)
def compile_network(net: Network) -> CompiledNetwork:
    """Arrays of a network; kept for the last few networks, which are immutable."""
    populations, out = _populations(net)
    links, tables = _links(net, populations["offset"])
    names = [p.name for p in net.populations]
    order = np.array([names.index(name) for name in net.order], dtype=np.int64)
    units = _units(net)
    return CompiledNetwork(
        units, _modes(net, units), populations, links, Tables(*tables, out, order)
    )
