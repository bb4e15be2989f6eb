"""The fast engine for feed-forward networks without delay: layer after layer, no queue.

Each layer consumes the sorted spikes of the layers before it, for several samples at a time, and
gives its own. Within a layer neurons do not see each other, so nothing else has to be kept in
order. All-to-all layers run in :mod:`eventsim.engine.dense`, others in
:mod:`eventsim.engine.conv_layer`, max pooling in :mod:`eventsim.engine.pool`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.arrivals import Sources, arrivals, delta_arrivals, operations
from eventsim.engine.batch import Batch, in_order
from eventsim.engine.compiled import compile_network
from eventsim.engine.conv_layer import PatchLayer, patch_layer
from eventsim.engine.dense import run_dense
from eventsim.engine.lanes import FULL, SPIKE
from eventsim.engine.pool import pool_spikes
from eventsim.engine.rows import current_rows
from eventsim.engine.state import STEP
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.populations import Input, Population, Relay
from eventsim.projections import Dense
from eventsim.recording import SpikeTrain
from eventsim.vectors import BLOCK, on_cache_lines

__all__ = ["SAMPLES_PER_CALL", "Sample", "run", "why_not"]

#: Samples that go through a layer together: enough to use each weight several times.
SAMPLES_PER_CALL = 32

#: A layer with more spikes than this, in one call, is left to the queue engine and its budget.
MAX_SPIKES = 20_000_000

_NO_STEPS = np.zeros(0, dtype=STEP)


def why_not(net: Network) -> str | None:
    """Why this engine cannot run a network; None when it can."""
    for link in net.projections:
        if np.max(link.delay, initial=0.0) > 0.0:  # type: ignore[attr-defined]
            return f"{link.where} has a delay"
    for p in net.populations:
        if not isinstance(p, Population):
            continue
        if p.reset == "subtract" and not p.multi_spike:
            return f"population {p.name!r} resets by subtraction without multi_spike"
        if p.n_receptors or p.adapts:
            return f"population {p.name!r} has receptors or adapts"
        if np.unique(p.array("tau_mem")).size > 1:
            return f"population {p.name!r} has more than one tau_mem"
    return None


@dataclass(frozen=True)
class Sample:
    """What one sample gave."""

    spikes: dict[str, SpikeTrain]
    counts: dict[str, NDArray[np.int64]]
    n_events: int


@dataclass(frozen=True)
class _Layer:
    """A population and the all-to-all projections into it, as the kernel takes them."""

    name: str
    sources: Sources
    units: NDArray[Any]
    spread: NDArray[np.float64]  # of each row
    weights: NDArray[np.float64]
    blocked_theta: NDArray[np.float64]  # filled to blocks

    @property
    def theta(self) -> NDArray[np.float64]:
        return self.units["theta"]

    @property
    def quiet(self) -> bool:
        """Nothing happens between arrivals: no pulses, no bias, thresholds above rest."""
        return bool(
            not self.spread.any() and not self.units["bias"].any() and (self.theta > 0).all()
        )


def _scaled(weight: NDArray[Any], spread: float) -> NDArray[np.float64]:
    """Deltas in volts, pulses in volts per second."""
    wide = np.asarray(weight, dtype=np.float64)
    return wide / spread if spread > 0.0 else wide


def _layer(net: Network, name: str) -> _Layer | PatchLayer:
    links = [link for link in net.projections if link.target == name]
    if not all(isinstance(link, Dense) for link in links):
        return patch_layer(net, name, links)
    arrays = compile_network(net)
    index = [p.name for p in net.populations].index(name)
    row = arrays.populations[index]
    units = arrays.units[row["offset"] : row["stop"]].copy()
    sizes = [net[link.source].n for link in links]
    spreads = [link.spread for link in links]  # type: ignore[attr-defined]
    starts = np.cumsum([0, *sizes])
    n_blocks = -(-units.size // BLOCK)
    theta = np.full(n_blocks * BLOCK, np.inf)
    theta[: units.size] = units["theta"]
    blocked = on_cache_lines(n_blocks, int(starts[-1]), BLOCK)
    for link, at, n in zip(links, starts, sizes, strict=False):
        weight = _scaled(link.weight, link.spread)  # type: ignore[attr-defined]
        for k in range(n_blocks):
            part = weight[:, k * BLOCK : (k + 1) * BLOCK]
            blocked[k, at : at + n, : part.shape[1]] = part
    return _Layer(
        name=name,
        sources=tuple(
            (link.source, int(at), float(w))
            for link, at, w in zip(links, starts, spreads, strict=False)
        ),
        units=units,
        spread=np.repeat(np.array(spreads, dtype=np.float64), sizes),
        weights=blocked.reshape(-1),
        blocked_theta=theta,
    )


@lru_cache(maxsize=8)
def _plan(
    net: Network,
) -> tuple[dict[str, _Layer | PatchLayer], dict[str, tuple[MaxPool2d, Any, float]]]:
    """Layers and pools of a network; kept for the last few networks, which are immutable."""
    arrays = compile_network(net)
    layers, pools = {}, {}
    for k, p in enumerate(net.populations):
        if isinstance(p, Population):
            layers[p.name] = _layer(net, p.name)
        elif isinstance(p, Relay):
            for link in net.projections:
                if isinstance(link, MaxPool2d) and link.target == p.name:
                    rows = link.rows(net[link.source].shape, p.shape)
                    pools[p.name] = (link, rows, float(arrays.populations[k]["window"]))
    return layers, pools


def _found(kernel: Callable[[NDArray[Any]], int], room: int, limit: int) -> NDArray[np.void] | None:
    """Spikes that a kernel puts into a list with room for them; None when there are too many."""
    limit = min(limit, MAX_SPIKES)
    while True:
        out = np.empty(min(room, limit), dtype=SPIKE)
        found = kernel(out)
        if found >= 0:
            return out[:found]
        if found != FULL or room >= limit:
            return None
        room *= 4


def _dense_spikes(
    layer: _Layer,
    spikes: dict[str, Batch],
    steps: NDArray[Any],
    step_at: NDArray[np.int64],
    interval: tuple[float, float],
    limit: int,
) -> Batch | None:
    """Spikes of an all-to-all layer for all samples; None when there are too many."""
    tau = float(layer.units["tau"][0])
    driven = not layer.quiet or steps.size > 0
    if not driven and len(layer.sources) == 1:
        source, first, _ = layer.sources[0]
        table, bounds = delta_arrivals(spikes[source], first, tau, *interval)
    else:
        ops, pointer = operations(layer.sources, spikes, steps, step_at)
        table, bounds = arrivals(ops, pointer, tau, *interval, driven)
    out = _found(
        lambda out: run_dense(
            layer.units,
            layer.blocked_theta,
            layer.weights,
            layer.spread,
            table,
            bounds,
            steps,
            step_at,
            driven,
            interval[0],
            out,
        ),
        4 * table.size + 64 * layer.units.size,
        limit,
    )
    if out is None:
        return None
    at_start = bool((layer.units["x"] >= layer.theta).any())
    times, senders, at = in_order(out, len(table), not (driven or at_start))
    return Batch(times, senders, at[bounds])


def _pooled(link: MaxPool2d, rows: Any, n: int, window: float, batch: Batch) -> Batch:
    """Spikes that pass a max pooling, for all samples."""
    rule = MaxPool2d.RULES.index(link.rule)
    return Batch(
        *pool_spikes(
            batch.times, batch.senders, batch.bounds, rows.indptr, rows.post, n, rule, window
        )
    )


@lru_cache(maxsize=8)
def _fan_out(net: Network) -> dict[str, NDArray[np.int64]]:
    """Number of synapses of each unit of each population."""
    fans = {p.name: np.zeros(p.n, dtype=np.int64) for p in net.populations}
    for link in net.projections:
        source, target = net[link.source].shape, net[link.target].shape
        fans[link.source] += link.fan_outs(source, target)
    return fans


def run(
    net: Network,
    trains: list[dict[str, SpikeTrain]],
    currents: list[dict[str, NDArray[np.float64]]],
    t_start: float,
    t_stop: float,
    keep: set[str],
    max_events: int,
) -> list[Sample | None]:
    """Results of some samples; None for each when one of them has too many spikes."""
    layers, pools = _plan(net)
    n = len(trains)
    silent = SpikeTrain([], [])
    spikes: dict[str, Batch] = {}
    for name in net.order:
        if isinstance(net[name], Input):
            spikes[name] = Batch.of([s.get(name, silent).between(t_start, t_stop) for s in trains])
        elif name in pools:
            link, rows, window = pools[name]
            spikes[name] = _pooled(link, rows, net[name].n, window, spikes[link.source])
        else:
            steps = _steps(net, name, currents)
            layer, interval = layers[name], (t_start, t_stop)
            if isinstance(layer, PatchLayer):
                found = layer.spikes(spikes, *steps, interval, min(max_events, MAX_SPIKES))
            else:
                found = _dense_spikes(layer, spikes, *steps, interval, max_events)
            if found is None:
                return [None] * n
            spikes[name] = found
    fans = _fan_out(net)
    counts = {p.name: spikes[p.name].counts(p.n) for p in net.populations}
    events = np.sum([counts[name] @ fans[name] for name in counts], axis=0)
    return [
        Sample(
            {name: spikes[name][s] for name in spikes if name in keep},
            {name: each[s].copy() for name, each in counts.items()},
            int(events[s]),
        )
        if events[s] <= max_events
        else None
        for s in range(n)
    ]


def _steps(
    net: Network, name: str, currents: list[dict[str, NDArray[np.float64]]]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Steps of one population, numbered within it, sample after sample; where samples begin."""
    bounds = np.zeros(len(currents) + 1, dtype=np.int64)
    if not any(name in sample for sample in currents):
        return _NO_STEPS, bounds
    none = np.zeros((0, 3))
    parts = [current_rows(net, {name: sample.get(name, none)}) for sample in currents]
    np.cumsum([len(part) for part in parts], out=bounds[1:])
    rows = np.concatenate(parts)
    names = [p.name for p in net.populations]
    rows["unit"] -= compile_network(net).populations["offset"][names.index(name)]
    return rows, bounds
