"""All-to-all layers without receptors, as the layered engine builds and runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.arrivals import (
    Sources,
    arrivals,
    delta_arrivals,
    frees,
    operations,
    pulse_arrivals,
    returns,
)
from eventsim.engine.batch import Batch, in_order
from eventsim.engine.dense import run_dense
from eventsim.engine.layer import collect, scaled, sources_of
from eventsim.engine.state import STEP
from eventsim.engine.volley_steps import lane_steps
from eventsim.engine.volleys import VOLLEY, run_volleys, spikes_of
from eventsim.network import Network
from eventsim.projections import Projection
from eventsim.vectors import BLOCK, on_cache_lines

__all__ = ["DenseLayer", "dense_layer"]

#: Refractory periods of more time constants than this have no factor in float64.
MAX_GROWTH = 500.0


@dataclass(frozen=True)
class DenseLayer:
    """A population and the all-to-all projections into it, as the kernel takes them."""

    sources: Sources
    units: NDArray[Any]
    spread: NDArray[np.float64]  # of each row
    weights: NDArray[np.float64]  # [block, row, lane], flat
    theta: NDArray[np.float64]  # filled to blocks

    @cached_property
    def quiet(self) -> bool:
        """Nothing happens between arrivals: no pulses, no bias, thresholds above rest."""
        return bool(
            not self.spread.any() and not self.units["bias"].any() and (self.theta > 0).all()
        )

    @cached_property
    def plain(self) -> bool:
        """Spikes happen at arrivals only, and neurons are refractory for the same time."""
        units = self.units
        return bool(
            not (self.spread.any() or units["subtract"].any())
            and (np.isfinite(self.rest) & (self.rest < units["theta"])).all()
            and (units["t_ref"] == units["t_ref"][0]).all()
            and (units["x"] < units["theta"]).all()
            and units["t_ref"][0] < MAX_GROWTH * units["tau"][0]
        )

    @cached_property
    def rest(self) -> NDArray[np.float64]:
        """Where the drive alone leads; it is infinite where there is no leak."""
        bias = self.units["bias"]
        return np.multiply(bias, self.units["tau"], out=np.zeros(bias.size), where=bias != 0.0)

    def spikes(
        self,
        spikes: dict[str, Batch],
        steps: NDArray[Any],
        step_at: NDArray[np.int64],
        interval: tuple[float, float],
        limit: int,
    ) -> Batch | None:
        """Spikes of the layer for all samples; None when there are more than ``limit``."""
        if self.plain:
            deltas = self._deltas(spikes, step_at.size - 1)
            n_blocks = self.theta.size // BLOCK
            changes, change_at, fit = lane_steps(
                steps, step_at, deltas.times, deltas.bounds, self.units, n_blocks
            )
            if fit:
                return self._volleys(deltas, changes, change_at, interval[0], limit)
        driven = not self.quiet or steps.size > 0
        source, _, spread = self.sources[0] if self.sources else ("", 0, 0.0)
        tau = float(self.units["tau"][0])
        if len(self.sources) == 1 and spread > 0.0 and steps.size == 0:
            table, bounds = pulse_arrivals(spikes[source], spread, tau, *interval)
        else:
            ops, pointer = operations(self.sources, spikes, steps, step_at)
            table, bounds = arrivals(ops, pointer, tau, *interval, driven)
        t_ref, free = self.units["t_ref"], np.zeros(0, dtype=np.int32)
        if not driven and t_ref[0] > 0.0 and (t_ref == t_ref[0]).all():
            free = frees(table["time"].copy(), bounds, t_ref[0])
        fixed = (self.units, self.theta, self.weights, self.spread)
        rest = (table, free, bounds, steps, step_at, driven, interval[0])
        room = 4 * table.size + 64 * self.units.size
        out = collect(lambda out: run_dense(*fixed, *rest, out), room, limit)
        if out is None:
            return None
        at_start = bool((self.units["x"] >= self.units["theta"]).any())
        times, senders, at = in_order(out, len(table), not (driven or at_start))
        return Batch(times, senders, at[bounds])

    def _deltas(self, spikes: dict[str, Batch], samples: int) -> Batch:
        """What reaches a layer of deltas: times and rows."""
        if len(self.sources) == 1 and self.sources[0][1] == 0:
            return spikes[self.sources[0][0]]
        none = np.zeros(0, dtype=STEP)
        ops, bounds = operations(self.sources, spikes, none, np.zeros(samples + 1, dtype=np.int64))
        return Batch(ops["time"].copy(), ops["row"].astype(np.int64), bounds)

    def _volleys(
        self,
        deltas: Batch,
        changes: NDArray[Any],
        change_at: NDArray[np.int64],
        t_start: float,
        limit: int,
    ) -> Batch | None:
        """As :meth:`spikes`, of a plain layer whose rests stay below threshold."""
        units, rest, bounds = self.units, self.rest, deltas.bounds
        table = delta_arrivals(deltas, units["tau"][0], t_start)
        free = frees(deltas.times, bounds, units["t_ref"][0])
        start, resets, limits = (
            np.zeros(self.theta.size),
            np.zeros(self.theta.size),
            self.theta.copy(),
        )
        start[: units.size] = units["x"] - rest
        resets[: units.size] = units["reset"] - rest
        limits[: units.size] -= rest
        # A strict neuron fires from the next number on.
        strict = np.flatnonzero(~units["inclusive"])
        limits[strict] = np.nextafter(limits[strict], np.inf)
        factors = np.zeros(0)
        if resets.any() or changes.size:
            factors = returns(deltas.times, bounds, free, units["t_ref"][0], units["tau"][0])
        at = np.zeros((self.theta.size // BLOCK, bounds.size), dtype=np.int64)
        fixed = (start, limits, resets, self.weights, self.spread.size, table, free, factors)
        moving = (deltas.times, float(units["t_ref"][0]), changes, change_at, bounds)
        room = 4 * table.size + 64 * units.size
        volleys = collect(lambda out: run_volleys(*fixed, *moving, out, at), room, limit, VOLLEY)
        if volleys is None:
            return None
        times, senders, begins = spikes_of(volleys, at, deltas.times, bounds, limit)
        return Batch(times, senders, begins) if begins[-1] <= limit else None


def dense_layer(net: Network, links: Sequence[Projection], units: NDArray[Any]) -> DenseLayer:
    """The layer of one population, from the projections into it and its units."""
    sources = sources_of(net, links)
    sizes = [net[link.source].n for link in links]
    n_blocks = -(-units.size // BLOCK)
    theta = np.full(n_blocks * BLOCK, np.inf)
    theta[: units.size] = units["theta"]
    blocked = on_cache_lines(n_blocks, sum(sizes), BLOCK)
    for link, (_, at, spread), n in zip(links, sources, sizes, strict=True):
        weight = scaled(link.weight, spread)  # type: ignore[attr-defined]
        for k in range(n_blocks):
            part = weight[:, k * BLOCK : (k + 1) * BLOCK]
            blocked[k, at : at + n, : part.shape[1]] = part
    spread_of_rows = np.repeat([spread for _, _, spread in sources], sizes).astype(np.float64)
    return DenseLayer(sources, units, spread_of_rows, blocked.reshape(-1), theta)
