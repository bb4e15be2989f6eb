"""All-to-all layers without receptors, as the layered engine builds and runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.arrivals import Sources, arrivals, delta_arrivals, frees, operations
from eventsim.engine.batch import Batch, in_order
from eventsim.engine.dense import run_dense
from eventsim.engine.layer import collect, scaled, sources_of
from eventsim.network import Network
from eventsim.projections import Projection
from eventsim.vectors import BLOCK, on_cache_lines

__all__ = ["DenseLayer", "dense_layer"]


@dataclass(frozen=True)
class DenseLayer:
    """A population and the all-to-all projections into it, as the kernel takes them."""

    sources: Sources
    units: NDArray[Any]
    spread: NDArray[np.float64]  # of each row
    weights: NDArray[np.float64]  # [block, row, lane], flat
    theta: NDArray[np.float64]  # filled to blocks

    @property
    def quiet(self) -> bool:
        """Nothing happens between arrivals: no pulses, no bias, thresholds above rest."""
        return bool(
            not self.spread.any() and not self.units["bias"].any() and (self.theta > 0).all()
        )

    def spikes(
        self,
        spikes: dict[str, Batch],
        steps: NDArray[Any],
        step_at: NDArray[np.int64],
        interval: tuple[float, float],
        limit: int,
    ) -> Batch | None:
        """Spikes of the layer for all samples; None when there are more than ``limit``."""
        tau = float(self.units["tau"][0])
        driven = not self.quiet or steps.size > 0
        if not driven and len(self.sources) == 1:
            source, first, _ = self.sources[0]
            table, bounds = delta_arrivals(spikes[source], first, tau, *interval)
        else:
            ops, pointer = operations(self.sources, spikes, steps, step_at)
            table, bounds = arrivals(ops, pointer, tau, *interval, driven)
        fixed = (self.units, self.theta, self.weights, self.spread)
        t_ref = self.units["t_ref"]
        alike = not driven and t_ref[0] > 0.0 and bool((t_ref == t_ref[0]).all())
        free = frees(table, bounds, t_ref[0]) if alike else np.zeros(0, dtype=np.int64)
        rest = (table, free, bounds, steps, step_at, driven, interval[0])
        room = 4 * table.size + 64 * self.units.size
        out = collect(lambda out: run_dense(*fixed, *rest, out), room, limit)
        if out is None:
            return None
        at_start = bool((self.units["x"] >= self.units["theta"]).any())
        times, senders, at = in_order(out, len(table), not (driven or at_start))
        return Batch(times, senders, at[bounds])


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
