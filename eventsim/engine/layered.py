"""The fast engine for feed-forward networks without delay: layer after layer, no queue.

Each layer consumes the sorted spikes of the layers before it, for several samples at a time, and
gives its own. Within a layer neurons do not see each other, so nothing else has to be kept in
order. All-to-all layers run in :mod:`eventsim.engine.dense`, others in
:mod:`eventsim.engine.patches`, max pooling in :mod:`eventsim.engine.pool`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.convolution import Conv2d
from eventsim.engine.compiled import LINK, compile_network
from eventsim.engine.dense import BLOCK, instants, run_dense
from eventsim.engine.lanes import DELTA, END, FULL, OP, PULSE, SPIKE, STEP_OP, merge
from eventsim.engine.patches import Lanes, run_patches
from eventsim.engine.pool import pool_spikes
from eventsim.engine.rows import current_rows
from eventsim.engine.state import STEP
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.populations import Input, Population, Relay
from eventsim.projections import Dense, Projection, Rows
from eventsim.recording import SpikeTrain

__all__ = ["SAMPLES_PER_CALL", "Sample", "run", "why_not"]

Trains = list[SpikeTrain]

#: Samples that go through a layer together: enough to use each weight several times.
SAMPLES_PER_CALL = 32

#: A layer with more spikes than this, in one call, is left to the queue engine and its budget.
MAX_SPIKES = 20_000_000

_NO_ROWS = Rows(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0), np.zeros(0))
_NO_STEPS = np.zeros(0, dtype=STEP)
_NO_CONVOLUTION = np.ones(1, dtype=LINK)[0]


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
    """A population and the projections into it, as kernels take them."""

    name: str
    sources: tuple[tuple[str, int, float], ...]  # population, first row, spread
    units: NDArray[Any]
    spread: NDArray[np.float64]  # of each row
    weights: NDArray[np.float64]
    lanes: Lanes | None = None  # None: all-to-all
    link: Any = None  # of a convolution
    rows: Rows = _NO_ROWS

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


def _rows_layer(net: Network, name: str, links: list[Projection], shared: dict[str, Any]) -> _Layer:
    parts = [link.rows(net[link.source].shape, net[link.target].shape) for link in links]
    starts = np.cumsum([0, *(p.indptr[-1] for p in parts)])
    rows = Rows(
        np.concatenate(
            [p.indptr[:-1] + at for p, at in zip(parts, starts, strict=False)] + [starts[-1:]]
        ),
        np.concatenate([p.post for p in parts]),
        np.concatenate(
            [
                _scaled(p.weight, link.spread)  # type: ignore[attr-defined]
                for p, link in zip(parts, links, strict=True)
            ]
        ),
        np.zeros(1),
    )
    lanes = _lanes(shared["units"], np.arange(net[name].n), 1)
    return _Layer(**shared, weights=rows.weight, lanes=lanes, link=_NO_CONVOLUTION, rows=rows)


def _lanes(units: NDArray[Any], layout: NDArray[np.int64], size: int) -> Lanes:
    return Lanes(
        theta=units["theta"][layout].copy(),
        layout=layout,
        lane_of=np.argsort(layout),
        size=size,
        tau=float(units["tau"][0]),
    )


def _layer(net: Network, name: str) -> _Layer:
    arrays = compile_network(net)
    index = [p.name for p in net.populations].index(name)
    row = arrays.populations[index]
    units = arrays.units[row["offset"] : row["stop"]].copy()
    links = [link for link in net.projections if link.target == name]
    sizes = [net[link.source].n for link in links]
    spreads = [link.spread for link in links]  # type: ignore[attr-defined]
    starts = np.cumsum([0, *sizes])
    shared: dict[str, Any] = {
        "name": name,
        "sources": tuple(
            (link.source, int(at), float(w))
            for link, at, w in zip(links, starts, spreads, strict=False)
        ),
        "units": units,
        "spread": np.repeat(np.array(spreads, dtype=np.float64), sizes),
    }
    if all(isinstance(link, Dense) for link in links):
        n_blocks = -(-units.size // BLOCK)
        table = np.zeros((int(starts[-1]), n_blocks * BLOCK))
        for link, at, n in zip(links, starts, sizes, strict=False):
            weight = link.weight  # type: ignore[attr-defined]
            table[at : at + n, : units.size] = _scaled(weight, link.spread)  # type: ignore
        blocked = table.reshape(-1, n_blocks, BLOCK).transpose(1, 0, 2)
        return _Layer(**shared, weights=np.ascontiguousarray(blocked))
    if len(links) == 1 and isinstance(links[0], Conv2d):
        which = [i for i, link in enumerate(net.projections) if link is links[0]][0]
        channels, height, width = links[0].output_shape(net[links[0].source].shape)
        layout = np.arange(units.size).reshape(channels, height * width).T.reshape(-1).copy()
        kernel = links[0].weight.transpose(2, 3, 1, 0)
        return _Layer(
            **{**shared, "units": units[layout]},
            weights=np.ascontiguousarray(_scaled(kernel, links[0].spread)).reshape(-1),
            lanes=_lanes(units, layout, channels // links[0].groups),
            link=arrays.links[which],
        )
    return _rows_layer(net, name, links, shared)


@lru_cache(maxsize=8)
def _plan(net: Network) -> tuple[dict[str, _Layer], dict[str, tuple[MaxPool2d, Any, float]]]:
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


def _operations(
    layer: _Layer, trains: dict[str, Trains], steps: NDArray[Any], sample: int
) -> NDArray[Any]:
    """Everything that reaches a layer in one sample, sorted by time and row."""
    ops = np.zeros(len(steps), dtype=OP)
    ops["time"], ops["row"], ops["kind"] = steps["time"], np.arange(len(steps)), STEP_OP
    for source, first, spread in layer.sources:
        train = trains[source][sample]
        arriving = np.zeros(len(train), dtype=OP)
        arriving["time"] = train.times
        arriving["row"] = train.senders + first
        arriving["kind"] = PULSE if spread > 0.0 else DELTA
        ops = merge(ops, arriving) if ops.size else arriving
        if spread > 0.0:
            ending = arriving.copy()
            ending["time"] += spread
            ending["kind"] = END
            ops = merge(ops, ending)
    return ops


def _spikes(
    layer: _Layer,
    trains: dict[str, Trains],
    steps: list[NDArray[Any]],
    interval: tuple[float, float],
    limit: int,
) -> NDArray[Any] | None:
    """Spikes of a layer for all samples; None when there are too many."""
    n = len(steps)
    per_sample = [_operations(layer, trains, steps[s], s) for s in range(n)]
    ops = np.concatenate(per_sample)
    pointer = np.cumsum([0, *map(len, per_sample)], dtype=np.int64)
    step_rows = np.concatenate(steps)
    step_at = np.cumsum([0, *map(len, steps)], dtype=np.int64)
    at_start = bool((layer.units["x"] >= layer.theta).any())
    tau = float(layer.units["tau"][0])
    table, bounds = instants(ops, pointer, tau, *interval, at_start)
    driven = not layer.quiet or step_rows.size > 0
    room = 4 * ops.size + 64 * layer.units.size
    limit = min(limit, MAX_SPIKES)
    while True:
        out = np.zeros(min(room, limit), dtype=SPIKE)
        if layer.lanes is None:
            theta = np.full(layer.weights.shape[0] * BLOCK, np.inf)
            theta[: layer.units.size] = layer.theta
            found = run_dense(
                layer.units,
                theta,
                layer.weights,
                layer.spread,
                table,
                bounds,
                ops,
                step_rows,
                step_at,
                driven,
                interval[0],
                out,
            )
        else:
            found = run_patches(
                layer.units,
                layer.lanes,
                layer.link,
                layer.rows.indptr,
                layer.rows.post,
                layer.weights,
                table,
                bounds,
                ops,
                step_rows,
                step_at,
                driven,
                at_start,
                interval[0],
                out,
            )
        if found >= 0:
            return out[:found]
        if found != FULL or room >= limit:
            return None
        room *= 4


def _trains(out: NDArray[Any], n: int) -> Trains:
    """Spikes of each sample, sorted by (time, sender)."""
    if (out["times"] > 1).any():
        out = np.repeat(out, out["times"])
    bounds = np.cumsum([0, *np.bincount(out["sample"], minlength=n)])
    # Sorting small integers takes linear time. The spikes of one sample then come as one run for
    # each block of lanes, which a stable sort merges; mostly that leaves ties in order of senders.
    by_sample = np.argsort(out["sample"].astype(np.uint16), kind="stable")
    times, senders = out["time"][by_sample], out["unit"][by_sample].astype(np.int64)
    trains = []
    for a, b in zip(bounds[:-1], bounds[1:], strict=True):
        order = a + np.argsort(times[a:b], kind="stable")
        if ((np.diff(times[order]) == 0) & (np.diff(senders[order]) < 0)).any():
            order = a + np.lexsort((senders[a:b], times[a:b]))
        trains.append(SpikeTrain.trusted(times[order], senders[order]))
    return trains


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
    spikes: dict[str, Trains] = {}
    for name in net.order:
        if isinstance(net[name], Input):
            spikes[name] = [s.get(name, silent).between(t_start, t_stop) for s in trains]
        elif name in pools:
            link, rows, window = pools[name]
            spikes[name] = [
                SpikeTrain.trusted(
                    *pool_spikes(
                        train.times,
                        train.senders,
                        rows.indptr,
                        rows.post,
                        net[name].n,
                        MaxPool2d.RULES.index(link.rule),
                        window,
                    )
                )
                for train in spikes[link.source]
            ]
        else:
            steps = [_steps(net, name, s) for s in currents]
            out = _spikes(layers[name], spikes, steps, (t_start, t_stop), max_events)
            if out is None:
                return [None] * n
            spikes[name] = _trains(out, n)
    fans = _fan_out(net)
    results: list[Sample | None] = []
    for s in range(n):
        counts = {p.name: spikes[p.name][s].counts(p.n) for p in net.populations}
        events = sum(int(counts[name] @ fans[name]) for name in counts)
        mine = {name: spikes[name][s] for name in spikes if name in keep}
        results.append(Sample(mine, counts, events) if events <= max_events else None)
    return results


def _steps(net: Network, name: str, currents: dict[str, NDArray[np.float64]]) -> NDArray[Any]:
    """Steps of one population, with units numbered within it."""
    if name not in currents:
        return _NO_STEPS
    rows = current_rows(net, {k: v for k, v in currents.items() if k == name})
    names = [p.name for p in net.populations]
    rows["unit"] -= compile_network(net).populations["offset"][names.index(name)]
    return rows
