"""The loop for networks of delta neurons that rest below threshold: windows, slices, jumps.

:mod:`.jump_tables` has the network as arrays, :mod:`.jump_windows` what happens from window to
window, :mod:`.jump_slices` what happens to the neurons in one. A Poisson source that one neuron
hears alone is drawn where that neuron is handled, and no event of it is ever put anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import inf

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.calendar import new_calendar
from eventsim.engine.jump_slices import STUCK, Arrivals, new_work, visit_blocks
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
    ENDLESS,
    HEAVY,
    REACHED,
    close_visit,
    collect,
    new_buffers,
    run_jumps,
)
from eventsim.engine.poisson import Drives, following
from eventsim.engine.rows import MAX_SPIKES, feed_rows, merged, most_active, spikes_of
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


class JumpRun:
    """One run of a network of delta neurons, from start to end."""

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
        self.net, self.t_stop, self.t_reached = net, t_stop, t_start
        self.stop_reason = "reached t_stop"
        self._t_start, self._keep, self._threads = t_start, keep, threads
        names = [p.name for p in net.populations]
        order, _ = visiting_order(net)
        self._order = np.array([names.index(name) for name in order], dtype=np.int64)
        self._fused = {
            name: k for name, k in drive_of(net).items() if net.projections[k].source not in keep
        }
        largest = max(p.n for p in net.populations)
        blocks = -(-largest // BLOCK)
        blocks = threads * -(-blocks // threads)
        skip = tuple(sorted(self._fused.values()))
        self._paths, self._bounds = paths_of(net, skip, blocks)
        self._places, self._cells = places_of(net, keep, t_start), new_cells(net)
        self._streams = streams_of(net, drives, self._fused, self._places)
        self._calendar, entries = new_calendar(
            t_start, width or width_of(net), float(self._paths.delay.max(initial=0.0))
        )
        self._buffers = new_buffers(entries)
        self._work = [new_work(int(np.diff(self._bounds).max())) for _ in range(threads)]
        self._clock = np.zeros(1, dtype=CLOCK)
        self._clock["window"] = self._clock["visit"] = -1
        self._clock["now"] = t_start
        self._feed = feed_rows(net, inputs)
        self._drives = drives.without({net.projections[k].source for k in skip})
        self._pieces = self._drives.slices(t_start, t_stop)

    def run(self, max_events: int, interrupted: Callable[[], bool] = lambda: False) -> bool | None:
        """Run to the end. False when it had to stop; None when another engine has to find out.

        That is where a neuron never ends.
        """
        with ThreadPoolExecutor(self._threads) as pool:
            for end in self._pieces:
                if self._drives:
                    waiting = self._feed[self._clock["fed"][0] :]
                    self._feed, self._clock["fed"] = merged(waiting, self._drives.until(end)), 0
                went_on = self._run_until(end, max_events, interrupted, pool)
                if not went_on:
                    return went_on
        self.t_reached = self.t_stop
        return True

    def _run_until(
        self,
        end: float,
        max_events: int,
        interrupted: Callable[[], bool],
        pool: ThreadPoolExecutor,
    ) -> bool | None:
        clock = self._clock[0]
        while True:
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
            if reason == REACHED:
                return True
            if reason == ENDLESS or (reason == HEAVY and not self._share(arrivals, pool)):
                return None
            if reason == HEAVY:
                continue
            self.t_reached = float(clock["now"])
            if clock["work"] >= max_events:
                return self._stop(f"max_events = {max_events:,} used up")
            if clock["n_log"] >= MAX_SPIKES:
                return self._stop(f"{MAX_SPIKES:,} spikes are recorded")
            if interrupted():
                return self._stop("interrupted")

    def _share(self, arrivals: Arrivals, pool: ThreadPoolExecutor) -> bool:
        """One visit, its blocks shared among threads; False when a neuron is stuck."""
        which = self._order[self._clock["visit"][0]]
        share = (self._bounds.shape[1] - 1) // self._threads
        start = self._t_start if self._clock["window"][0] == 0 else inf
        jobs = [
            pool.submit(
                visit_blocks,
                self._places,
                which,
                self._paths,
                self._cells,
                self._streams,
                arrivals,
                self._bounds,
                k * share,
                (k + 1) * share,
                start,
                work,
            )
            for k, work in enumerate(self._work)
        ]
        self._work = [job.result() for job in jobs]
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

    def _stop(self, reason: str) -> bool:
        most = most_active(self.net, self.counts())
        self.stop_reason = f"{reason}; {most}, at t = {self.t_reached:g} s"
        return False

    @property
    def now(self) -> float:
        """How far the kernel has come; it may be running."""
        return float(self._clock["now"][0])

    @property
    def n_events(self) -> int:
        """Synaptic arrivals so far."""
        return int(self._clock["events"][0])

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

    def spikes(self) -> dict[str, SpikeTrain]:
        """Spikes so far of the populations to keep, sorted by (time, sender)."""
        return spikes_of(self.net, self._buffers.log[: int(self._clock["n_log"][0])], self._keep)
