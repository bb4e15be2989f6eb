"""Drives the queue kernel in pieces: inputs in, spikes and traces out, reasons for stopping."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.engine.compiled import compile_network
from eventsim.engine.neurons import MAX_REPEATS
from eventsim.engine.poisson import Drives
from eventsim.engine.queue import GROW, PAUSED, REACHED, run, start
from eventsim.engine.replay import trace_of
from eventsim.engine.rows import (
    MAX_SPIKES,
    counts_of,
    current_rows,
    feed_rows,
    merged,
    most_active,
    spikes_of,
)
from eventsim.engine.state import (
    BLAMED,
    EVENTS,
    FED,
    FEED,
    N_LOG,
    N_TRACE,
    STEPPED,
    WORK,
    State,
    copy_state,
    grow,
    new_state,
)
from eventsim.network import Network
from eventsim.populations import Population
from eventsim.recording import SpikeTrain
from eventsim.trace import Trace

__all__ = ["QueueRun"]

#: Work between two returns to Python: some milliseconds, so that Ctrl-C is answered at once.
WORK_PER_CALL = 200_000

#: State, input spikes, steps and sources that wait, time reached, reason to stop.
Snapshot = tuple[State, NDArray[np.void], NDArray[np.void], Drives, float, str]


class QueueRun:
    """One run of the queue engine that can be fed and advanced piece by piece."""

    def __init__(
        self,
        net: Network,
        t_start: float,
        *,
        keep: Collection[str] | None = None,
        record_v: Mapping[str, NDArray[np.int64]] | None = None,
        currents: Mapping[str, NDArray[np.float64]] | None = None,
        drives: Drives | None = None,
    ) -> None:
        self.net = net
        self.t_start = self.t_reached = t_start
        self.stop_reason = "reached t_stop"
        self._arrays = compile_network(net)
        self._offset = np.append(self._arrays.populations["offset"], self._arrays.units.size)
        self._record_v = dict(record_v or {})
        names = [p.name for p in net.populations]
        self._keep = names if keep is None else keep
        traced = [self._offset[names.index(k)] + v for k, v in self._record_v.items()]
        self._state = new_state(
            self._arrays,
            t_start,
            logged=np.array([name in self._keep for name in names]),
            traced=np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *traced])),
        )
        self._feed = np.zeros(0, dtype=FEED)
        self._steps = current_rows(net, currents or {})
        self._drives = drives or Drives(net, 0, 0, t_start)
        start(self._arrays, self._state, t_start)

    def feed(self, inputs: Mapping[str, SpikeTrain]) -> None:
        """Add input spikes to those that still wait."""
        waiting = self._feed[self._state.control[FED] :]
        feed = merged(waiting, feed_rows(self.net, inputs))
        self._refuse_twice(feed, "inputs", "each spike once")
        self._feed = feed
        self._state.control[FED] = 0

    def step_currents(self, currents: Mapping[str, NDArray[np.float64]]) -> None:
        """Add steps of currents to those that still wait."""
        waiting = self._steps[self._state.control[STEPPED] :]
        steps = merged(waiting, current_rows(self.net, currents))
        self._refuse_twice(steps, "currents", "one step of a neuron at one time")
        self._steps = steps
        self._state.control[STEPPED] = 0

    def _refuse_twice(self, rows: NDArray[np.void], field: str, expected: str) -> None:
        """Refuse rows, sorted by (time, unit), of which two are of one unit and time."""
        twice = (np.diff(rows["time"]) == 0) & (np.diff(rows["unit"]) == 0)
        if twice.any():
            row = rows[np.argmax(twice)]
            name, unit = self._place(int(row["unit"]))
            raise checks.fail(name, field, expected, f"two of unit {unit} at {row['time']:g} s")

    def _place(self, unit: int) -> tuple[str, int]:
        """Population of a global unit, and its index there."""
        k = int(np.searchsorted(self._offset, unit, side="right")) - 1
        return self.net.populations[k].name, unit - int(self._offset[k])

    def advance(
        self, t_stop: float, max_events: int, interrupted: Callable[[], bool] = lambda: False
    ) -> bool:
        """Handle every instant before ``t_stop``; False when the run had to stop early."""
        for end in self._drives.slices(self.t_reached, t_stop):
            if self._drives:
                waiting = self._feed[self._state.control[FED] :]
                self._feed = merged(waiting, self._drives.until(end))
                self._state.control[FED] = 0
            if not self._advance(end, max_events, interrupted):
                return False
        return True

    def _advance(self, t_stop: float, max_events: int, interrupted: Callable[[], bool]) -> bool:
        while True:
            target = min(int(self._state.control[WORK]) + WORK_PER_CALL, max_events)
            try:
                reason = run(self._arrays, self._state, self._feed, self._steps, t_stop, target)
            except KeyboardInterrupt:  # raised between kernel and loop: the state is whole
                self._stop("interrupted")
                raise
            if reason == REACHED:
                self.t_reached, self.stop_reason = t_stop, "reached t_stop"
                return True
            if reason == GROW:
                if self._state.control[N_LOG] >= MAX_SPIKES:
                    return self._stop(self._blame(f"{MAX_SPIKES:,} spikes are recorded"))
                self._state = grow(self._arrays, self._state)
            elif reason == PAUSED:
                if self._state.control[WORK] >= max_events:
                    return self._stop(self._blame(f"max_events = {max_events:,} used up"))
                if interrupted():
                    return self._stop("interrupted")
            else:
                return self._stop(self._stuck())

    def _stop(self, reason: str) -> bool:
        self.t_reached = float(self._state.clock[0])
        self.stop_reason = f"{reason}, at t = {self.t_reached:g} s"
        return False

    def _blame(self, reason: str) -> str:
        return f"{reason}; {most_active(self.net, self.counts())}"

    def _stuck(self) -> str:
        name, unit = self._place(int(self._state.control[BLAMED]))
        return (
            f"neuron {unit} of population {name!r} fires faster than float64 time can resolve, "
            f"or over {MAX_REPEATS:,} times in one instant"
        )

    @property
    def now(self) -> float:
        """How far the kernel has come; it may be running."""
        return float(self._state.clock[0])

    @property
    def n_events(self) -> int:
        """Synaptic arrivals so far."""
        return int(self._state.control[EVENTS])

    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Spikes of each unit so far."""
        return counts_of(self.net, self._state.units)

    def spikes(self) -> dict[str, SpikeTrain]:
        """Spikes so far of the populations to keep, sorted by (time, sender)."""
        return spikes_of(self.net, self._state.log[: self._state.control[N_LOG]], self._keep)

    def traces(self) -> dict[str, Trace]:
        """Traces of the neurons of ``record_v``."""
        rows = self._state.trace[: self._state.control[N_TRACE]]
        columns = np.column_stack([rows[f] for f in ("time", "x", "drive", "ref_until")])
        modes = self._state.trace_modes[: self._state.control[N_TRACE]]
        names = [p.name for p in self.net.populations]
        traces = {}
        for name, neurons in self._record_v.items():
            population, offset = self.net[name], int(self._offset[names.index(name)])
            assert isinstance(population, Population)
            count = int(self._arrays.units["n_modes"][offset])
            knots = np.hstack([columns, modes[:, :count]])
            traces[name] = trace_of(
                self._arrays,
                population,
                offset,
                neurons,
                [knots[rows["unit"] == offset + i] for i in neurons],
                self.t_start,
                self.t_reached,
            )
        return traces

    def snapshot(self) -> Snapshot:
        """Everything that a later :meth:`restore` needs."""
        return (
            copy_state(self._state),
            self._feed,
            self._steps,
            self._drives.copy(),
            self.t_reached,
            self.stop_reason,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot of this run."""
        state, self._feed, self._steps, drives, self.t_reached, self.stop_reason = snapshot
        self._state, self._drives = copy_state(state), drives.copy()
