"""The fast engine for feed-forward networks without delay: layer after layer, no queue.

Each layer consumes the sorted spikes of the layers before it, for several samples at a time, and
gives its own. Within a layer neurons do not see each other, so nothing else has to be kept in
order. A population is a :class:`~eventsim.engine.layer.Layer`: all-to-all
(:mod:`eventsim.engine.dense_layer`), with receptors (:mod:`eventsim.engine.modal_layer`), or
reached in part, as by a convolution (:mod:`eventsim.engine.conv_layer`). Max pooling is
in :mod:`eventsim.engine.pool`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.batch import Batch
from eventsim.engine.compiled import compile_network
from eventsim.engine.dense_layer import dense_layer
from eventsim.engine.layer import Layer
from eventsim.engine.pool import pool_spikes
from eventsim.engine.state import STEP
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.populations import Input, Population, Relay
from eventsim.projections import Dense
from eventsim.recording import SpikeTrain

__all__ = ["SAMPLES_PER_CALL", "Sample", "run", "why_not"]

#: Samples that go through a layer together: enough to use each weight several times.
SAMPLES_PER_CALL = 32

#: A layer with more spikes than this, in one call, is left to the queue engine and its budget.
MAX_SPIKES = 20_000_000

_NO_STEPS = np.zeros(0, dtype=STEP)
_SILENT = SpikeTrain([], [])


@lru_cache(maxsize=8)
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
            from eventsim.engine.modal_layer import why_not_modal

            if reason := why_not_modal(net, p):
                return reason
        if np.unique(p.array("tau_mem")).size > 1:
            return f"population {p.name!r} has more than one tau_mem"
    return None


@dataclass(frozen=True)
class Sample:
    """What one sample gave."""

    spikes: dict[str, SpikeTrain]
    counts: dict[str, NDArray[np.int64]]
    n_events: int


def _layer(net: Network, name: str) -> Layer:
    """One layer of a network. Only the loop that it runs in is loaded: each has many kernels."""
    links = [link for link in net.projections if link.target == name]
    arrays = compile_network(net)
    row = arrays.populations[[p.name for p in net.populations].index(name)]
    units = arrays.units[row["offset"] : row["stop"]].copy()
    if units["n_modes"].any():
        from eventsim.engine.modal_layer import modal_layer

        return modal_layer(net, links, units)
    if all(isinstance(link, Dense) for link in links):
        return dense_layer(net, links, units)
    from eventsim.engine.conv_layer import patch_layer

    return patch_layer(net, links, units)


@lru_cache(maxsize=8)
def _plan(net: Network) -> tuple[dict[str, Layer], dict[str, tuple[MaxPool2d, Any, float]]]:
    """Layers and pools of a network; kept for the last few networks, which are immutable."""
    arrays = compile_network(net)
    layers: dict[str, Layer] = {}
    pools = {}
    for k, p in enumerate(net.populations):
        if isinstance(p, Population):
            layers[p.name] = _layer(net, p.name)
        elif isinstance(p, Relay):
            for link in net.projections:
                if isinstance(link, MaxPool2d) and link.target == p.name:
                    rows = link.rows(net[link.source].shape, p.shape)
                    pools[p.name] = (link, rows, float(arrays.populations[k]["window"]))
    return layers, pools


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
    spikes: dict[str, Batch] = {}
    for name in net.order:
        if isinstance(net[name], Input):
            spikes[name] = Batch.of([s.get(name, _SILENT).between(t_start, t_stop) for s in trains])
        elif name in pools:
            link, rows, window = pools[name]
            spikes[name] = _pooled(link, rows, net[name].n, window, spikes[link.source])
        else:
            steps = _steps(net, name, currents)
            limit = min(max_events, MAX_SPIKES)
            found = layers[name].spikes(spikes, *steps, (t_start, t_stop), limit)
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
    parts = [sample.get(name, none) for sample in currents]
    np.cumsum([len(part) for part in parts], out=bounds[1:])
    rows = np.empty(bounds[-1], dtype=STEP)
    rows["time"], rows["unit"], rows["value"] = np.concatenate(parts).T
    return rows, bounds
