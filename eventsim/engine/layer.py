"""What the layers of the layered engine have in common: one method, and some steps to make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.arrivals import Sources
from eventsim.engine.batch import Batch
from eventsim.engine.lanes import FULL, SPIKE
from eventsim.network import Network
from eventsim.projections import Projection

__all__ = ["Layer", "collect", "scaled", "sources_of"]


class Layer(Protocol):
    """A population and the projections into it, arranged for its kernel."""

    def spikes(
        self,
        spikes: dict[str, Batch],
        steps: NDArray[Any],
        step_at: NDArray[np.int64],
        interval: tuple[float, float],
        limit: int,
    ) -> Batch | None:
        """Spikes of the layer for all samples; None when there are more than ``limit``.

        ``spikes`` are those of its sources, ``steps`` the steps of its currents, which begin at
        ``step_at`` in each sample.
        """


def scaled(weight: NDArray[Any], spread: float) -> NDArray[np.float64]:
    """Deltas in volts, pulses in volts per second."""
    wide = np.asarray(weight, dtype=np.float64)
    return wide / spread if spread > 0.0 else wide


def sources_of(net: Network, links: Sequence[Projection]) -> Sources:
    """The sources of a layer; their rows of weights stand one below the other."""
    starts = np.cumsum([0, *(net[link.source].n for link in links)])
    return tuple(
        (link.source, int(at), float(getattr(link, "spread", 0.0)))
        for link, at in zip(links, starts, strict=False)
    )


def collect(
    kernel: Callable[[NDArray[Any]], int], room: int, limit: int, kind: Any = SPIKE
) -> NDArray[np.void] | None:
    """What a kernel puts into a list with room for it; None when there is too much."""
    while True:
        out = np.empty(min(room, limit), dtype=kind)
        found = kernel(out)
        if found >= 0:
            return out[:found]
        if found != FULL or room >= limit:
            return None
        room *= 4
