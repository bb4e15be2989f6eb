"""A layer that a spike reaches in part, as the layered engine builds and runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.convolution import Conv2d
from eventsim.engine.arrivals import Sources, operations
from eventsim.engine.batch import Batch, in_order
from eventsim.engine.compiled import compile_network
from eventsim.engine.lane_runs import Reach, conv_layout, conv_reach, rows_reach
from eventsim.engine.layer import collect, scaled, sources_of
from eventsim.engine.patch_deltas import run_deltas
from eventsim.engine.patch_driven import run_driven
from eventsim.engine.patches import BIAS, SPARE, START, THETA, Lanes
from eventsim.network import Network
from eventsim.projections import Projection, Rows

__all__ = ["PatchLayer", "patch_layer"]

#: How much the threshold of a strict neuron is raised where only sums of deltas are tested: the
#: smallest amount that a scaled potential tells from the threshold.
STRICT = 1.0 + 2.0**-50


@dataclass(frozen=True)
class PatchLayer:
    """A population and the projections into it, as kernels take them."""

    sources: Sources
    lanes: Lanes
    reach: Reach

    @property
    def quiet(self) -> bool:
        """Nothing happens before or between arrivals, and neurons are reset to a value."""
        pulses = any(spread > 0.0 for _, _, spread in self.sources)
        values = self.lanes.values
        above = (values[THETA] > np.maximum(values[START], 0.0)).all()
        return bool(self.lanes.plain and not pulses and not values[BIAS].any() and above)

    def spikes(
        self,
        spikes: dict[str, Batch],
        steps: NDArray[Any],
        step_at: NDArray[np.int64],
        interval: tuple[float, float],
        limit: int,
    ) -> Batch | None:
        """Spikes of the layer for all samples; None when there are more than ``limit``."""
        ops, bounds = operations(self.sources, spikes, steps, step_at)
        at = np.zeros(bounds.size, np.int64)
        room = 4 * ops.size + 64 * self.lanes.unit_of.size
        if self.quiet and not steps.size:
            return self._after_deltas(ops, bounds, at, interval, room, limit)
        lanes, values = self.lanes, self.lanes.values
        at_start = bool((values[START] >= values[THETA]).any())
        lane_of = np.argsort(lanes.unit_of)

        def kernel(out: NDArray[Any]) -> int:
            return run_driven(
                self.reach,
                lanes,
                lane_of,
                ops,
                bounds,
                steps,
                step_at,
                at_start,
                *interval,
                out,
                at,
            )

        out = collect(kernel, room, limit)
        if out is None:
            return None
        times, units, first = in_order(out, bounds.size - 1, False)
        return Batch(times, units, first[:-1])

    def _after_deltas(
        self,
        ops: NDArray[Any],
        bounds: NDArray[np.int64],
        at: NDArray[np.int64],
        interval: tuple[float, float],
        room: int,
        limit: int,
    ) -> Batch | None:
        """Spikes of a quiet layer, which are found in their order."""
        lanes = self.lanes
        if not lanes.record[0]["inclusive"]:
            values = lanes.values.copy()
            values[THETA] *= STRICT
            lanes = lanes._replace(values=values)
        while True:
            # Room that is not used is never touched, so it takes no memory.
            times = np.empty(min(room, limit))
            senders = np.empty(times.size, np.int64)
            found = run_deltas(self.reach, lanes, ops, bounds, *interval, times, senders, at)
            if found >= 0:
                return Batch(times[:found], senders[:found], at)
            if room >= limit:
                return None
            room *= 4


def _lanes(units: NDArray[Any], layout: NDArray[np.int64]) -> Lanes:
    mine = units[layout]
    same = (mine[name] == mine[name][:1] for name in ("theta", "reset", "t_ref"))
    values = np.zeros((6, layout.size + SPARE))
    values[:, : layout.size] = [mine[k] for k in ("theta", "reset", "t_ref", "x", "bias", "gain")]
    values[THETA, layout.size :] = np.inf
    return Lanes(
        values=values,
        unit_of=layout.astype(np.int32),
        record=units[:1].copy(),
        tau=float(units["tau"][0]),
        uniform=bool(np.all([each.all() for each in same])),
        plain=not units["subtract"].any(),
    )


def patch_layer(net: Network, links: Sequence[Projection], units: NDArray[Any]) -> PatchLayer:
    """The layer of one population, from the projections into it and its units."""
    sources = sources_of(net, links)
    spreads = [spread for _, _, spread in sources]
    if len(links) == 1 and isinstance(links[0], Conv2d):
        which = [i for i, link in enumerate(net.projections) if link is links[0]][0]
        geometry = compile_network(net).links[which]
        weight = scaled(links[0].weight, spreads[0])
        return PatchLayer(
            sources, _lanes(units, conv_layout(geometry)), conv_reach(geometry, weight)
        )
    parts = [link.rows(net[link.source].shape, net[link.target].shape) for link in links]
    ends = np.cumsum([0, *(part.indptr[-1] for part in parts)])
    rows = Rows(
        np.concatenate(
            [part.indptr[:-1] + at for part, at in zip(parts, ends, strict=False)] + [ends[-1:]]
        ),
        np.concatenate([part.post for part in parts]),
        np.concatenate(
            [scaled(part.weight, spread) for part, spread in zip(parts, spreads, strict=True)]
        ),
        np.zeros(1),
    )
    return PatchLayer(sources, _lanes(units, np.arange(units.size)), rows_reach(rows))
