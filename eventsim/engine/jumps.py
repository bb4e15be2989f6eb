"""The loop for networks of delta neurons that rest below threshold: windows, slices, jumps.

:mod:`.jump_tables` has the network as arrays, :mod:`.jump_windows` what happens from window to
window, :mod:`.jump_slices` what happens to the neurons in one. A Poisson source that one neuron
hears alone is drawn where that neuron is handled, and no event of it is ever put anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import inf
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.calendar import new_calendar
from eventsim.engine.jump_slices import STUCK, Arrivals, Work, new_work, visit_blocks
from eventsim.engine.jump_tables import (
    drive_of,
    new_cells,
    paths_of,
    places_of,
    streams_of,
    why_not,
    width_of,
)
from eventsim.engine.jump_windows import (
    CLOCK,
    HEAVY,
    close_visit,
    collect,
    new_buffers,
    run_jumps,
)
from eventsim.engine.pieces import ENDLESS, PieceRun
from eventsim.engine.poisson import Drives, following
from eventsim.engine.visits import visiting_order
from eventsim.jit import njit
from eventsim.network import Network
from eventsim.recording import SpikeTrain

__all__ = ["JumpRun", "why_not"]

#: A visit of more arrivals is shared among threads: it takes ten times as long as to share it.
HEAVY_VISIT = 200_000

#: Neurons of a block, at most: their potentials stay in the second cache.
BLOCK = 32_768


@njit
def _sent_before(keys, rates, times, drawn, end, counts):
    """How many spikes sources have sent before ``end``, whose arrivals may be still to come."""
    for k in range(keys.size):
        time, n = times[k], drawn[k]
        while time < end:
            time = following(keys[k], n, rates[k], time)
            n += 1
        counts[k] = max(n - 1, 0)


class JumpRun(PieceRun):
    """One run of a network of delta neurons."""

    def __init__(
        self,
        net: Network,
        inputs: Mapping[str, SpikeTrain],
        t_start: float,
        t_stop: float,
        *,
        keep: Collection[str],
        drives: Drives,
        threads: int = 1,
        width: float | None = None,
    ) -> None:
        fused = {
            name: k for name, k in drive_of(net).items() if net.projections[k].source not in keep
        }
        skip = tuple(sorted(fused.values()))
        clock = np.zeros(1, dtype=CLOCK)
        clock["window"] = clock["visit"] = -1
        clock["now"] = t_start
        others = drives.without({net.projections[k].source for k in skip})
        super().__init__(net, inputs, t_start, t_stop, keep=keep, drives=others, clock=clock)
        self._t_start, self._threads, self._fused = t_start, threads, fused
        self._pool = ThreadPoolExecutor(max(threads - 1, 1))
        names = [p.name for p in net.populations]
        order, _ = visiting_order(net)
        self._order = np.array([names.index(name) for name in order], dtype=np.int64)
        largest = max(p.n for p in net.populations)
        blocks = -(-largest // BLOCK)
        blocks = threads * -(-blocks // threads)
        self._paths, self._bounds = paths_of(net, skip, blocks)
        self._places, self._cells = places_of(net, keep, t_start), new_cells(net)
        self._streams = streams_of(net, drives, self._fused, self._places)
        self._calendar, entries = new_calendar(
            t_start, width or width_of(net), float(self._paths.delay.max(initial=0.0))
        )
        self._buffers = new_buffers(entries)
        self._work = [new_work(int(np.diff(self._bounds).max())) for _ in range(threads)]

    def run(self, max_events: int, interrupted: Callable[[], bool] = lambda: False) -> bool | None:
        """As all runs; the threads end with it."""
        with self._pool:
            return super().run(max_events, interrupted)

    def _advance(self, end: float, max_events: int) -> int:
        self._clock["effort"] = 0
        reason = HEAVY
        while reason == HEAVY:
            reason, arrivals, self._buffers, self._work[0] = run_jumps(
                self._clock,
                self._order,
                self._places,
                self._paths,
                self._cells,
                self._streams,
                self._bounds,
                self._calendar,
                self._buffers,
                self._work[0],
                self._feed,
                self._t_start,
                end,
                end == self.t_stop,
                max_events,
                HEAVY_VISIT if self._threads > 1 else np.iinfo(np.int64).max,
            )
            if reason == HEAVY and not self._share(arrivals):
                return ENDLESS
        return int(reason)

    def _share(self, arrivals: Arrivals) -> bool:
        """One visit, its blocks shared among threads; False when a neuron is stuck."""
        which = self._order[self._clock["visit"][0]]
        share = (self._bounds.shape[1] - 1) // self._threads
        start = self._t_start if self._clock["window"][0] == 0 else inf

        def visit(k: int) -> Work:
            network = self._places, which, self._paths, self._cells, self._streams
            blocks = self._bounds, k * share, (k + 1) * share
            return cast(Work, visit_blocks(*network, arrivals, *blocks, start, self._work[k]))

        others = [self._pool.submit(visit, k) for k in range(1, self._threads)]
        self._work = [visit(0), *(job.result() for job in others)]
        n = 0
        for work in self._work:
            if work.tally[STUCK]:
                return False
            self._buffers, n = collect(self._clock, self._buffers, n, work)
        self._buffers = close_visit(
            self._clock,
            self._order,
            self._places,
            self._paths,
            self._cells,
            self._calendar,
            self._buffers,
            arrivals,
            n,
        )
        return True

    @property
    def _log(self) -> NDArray[Any]:
        return self._buffers.log

    @property
    def now(self) -> float:
        """How far the kernel has come; it may be running."""
        return float(self._clock["now"][0])

    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Spikes of each unit so far."""
        places = {p.name: row for p, row in zip(self.net.populations, self._places, strict=True)}
        counts = {
            name: self._cells.spikes[row["offset"] : row["stop"]].copy()
            for name, row in places.items()
        }
        for name, k in self._fused.items():
            link, part = (
                self.net.projections[k],
                slice(places[name]["offset"], places[name]["stop"]),
            )
            source = self.net[link.source]
            rows = link.rows(source.shape, self.net[name].shape)
            pre = np.repeat(np.arange(source.n), np.diff(rows.indptr))
            sent, s = np.zeros(pre.size, dtype=np.int64), self._streams
            _sent_before(
                s.key[part][rows.post],
                s.rate[part][rows.post],
                s.time[part][rows.post],
                s.drawn[part][rows.post],
                self.t_reached,
                sent,
            )
            counts[link.source][pre] = sent
        return counts
