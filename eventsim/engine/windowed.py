"""The engine for networks with delays, recurrent or not: window after window.

:mod:`eventsim.engine.windows` has the kernels, :mod:`eventsim.engine.visits` the order in which
populations are visited and how long a window may be.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from eventsim.engine import jumps
from eventsim.engine.alone import ARRIVAL
from eventsim.engine.compiled import RELAY, compile_network
from eventsim.engine.heap import PENDING
from eventsim.engine.poisson import Drives
from eventsim.engine.rows import (
    MAX_SPIKES,
    counts_of,
    current_rows,
    feed_rows,
    merged,
    most_active,
    spikes_of,
)
from eventsim.engine.scan import ScanRun
from eventsim.engine.scan import why_not as why_no_scan
from eventsim.engine.state import LOG
from eventsim.engine.visits import visiting_order
from eventsim.engine.windows import (
    PAUSED,
    REACHED,
    WINDOW,
    Windows,
    run_windows,
    start_windows,
)
from eventsim.network import Network
from eventsim.recording import SpikeTrain

__all__ = ["WindowedRun", "begin_run", "visiting_order", "why_not"]

#: Work between two returns to Python: some tens of milliseconds.
WORK_PER_CALL = 1_000_000

#: More windows times neurons than this, and looking at each neuron in each window takes longer
#: than a queue of events.
MAX_LOOKS = 3_000_000_000


def why_not(net: Network, duration: float = 0.0) -> str | None:
    """Why this engine is a bad choice for a network; None when it is a good one."""
    if why_no_scan(net, {}, duration) is None:
        return None  # it looks at all neurons in a fraction of the time
    _, longest = visiting_order(net)
    units = sum(p.n for p in net.populations)
    if duration / longest * units > MAX_LOOKS:
        return f"the delay of {longest:g} s is short for {units} units over {duration:g} s"
    return None


class WindowedRun:
    """One run of the windowed engine, from start to end."""

    def __init__(
        self,
        net: Network,
        inputs: Mapping[str, SpikeTrain],
        currents: Mapping[str, NDArray[np.float64]],
        t_start: float,
        t_stop: float,
        *,
        keep: Collection[str],
        drives: Drives,
    ) -> None:
        self.net, self.t_stop, self.t_reached = net, t_stop, t_start
        self.stop_reason = "reached t_stop"
        arrays = compile_network(net)
        names = [p.name for p in net.populations]
        order, self._longest = visiting_order(net)
        units = arrays.units.copy()
        units["t_last"] = t_start
        populations = arrays.populations.copy()
        populations["logged"] = [name in keep for name in names]
        self._net = arrays._replace(
            units=units,
            populations=populations,
            modes=None if arrays.modes is None else arrays.modes.copy(),
            tables=arrays.tables._replace(
                order=np.array([names.index(name) for name in order], dtype=np.int64)
            ),
        )
        window = np.zeros(1, dtype=WINDOW)
        window["now"] = t_start
        # Short at first: it doubles while little happens.
        window["span"] = min(self._longest, (t_stop - t_start) / 65536)
        sizes = arrays.populations["stop"] - arrays.populations["offset"]
        relayed = arrays.populations["kind"][arrays.links["target"]] == RELAY
        self._state = Windows(
            window=window,
            heap=np.zeros(units.size, np.int64),
            due=np.zeros(units.size, np.int64),
            heads=np.full(units.size, -1, dtype=np.int32),
            tails=np.full(units.size, -1, dtype=np.int32),
            reach=np.zeros(
                (2, int(np.max(arrays.links["k_y"] * arrays.links["k_x"], initial=1))), np.int64
            ),
            heard=np.zeros(int(sizes[arrays.links["source"][relayed]].sum()), np.int64),
            mixed=np.zeros(units.size, dtype=bool),
            touched=np.zeros(int(sizes.max()), np.int64),
        )
        dtypes = (PENDING, LOG, LOG, ARRIVAL, PENDING)
        self._buffers = tuple(np.zeros(64, dtype=dtype) for dtype in dtypes)
        self._feed = feed_rows(net, inputs)
        self._steps = current_rows(net, currents)
        self._drives, self._pieces = drives, drives.slices(t_start, t_stop)
        self._keep = keep
        start_windows(self._net, self._state, t_start)

    def run(self, max_events: int, interrupted: Callable[[], bool] = lambda: False) -> bool | None:
        """Run to the end. False when it had to stop; None when another engine has to find out.

        That is where one window needs more than the whole budget.
        """
        for end in self._pieces:
            if self._drives:
                self._draw_until(end)
            if not (went_on := self._run_until(end, max_events, interrupted)):
                return went_on
        self.t_reached = self.t_stop
        return True

    def _draw_until(self, end: float) -> None:
        """Add what the Poisson sources give before ``end`` to the input that still waits."""
        window = self._state.window[0]
        waiting = self._feed[window["fed"] :]
        self._feed = merged(waiting, self._drives.until(end))
        window["fed"] = 0

    def _run_until(
        self, end: float, max_events: int, interrupted: Callable[[], bool]
    ) -> bool | None:
        window = self._state.window
        while True:
            reason, self._buffers = run_windows(
                self._net,
                self._state,
                self._buffers,
                self._feed,
                self._steps,
                end,
                self._longest,
                min(int(window["work"][0]) + WORK_PER_CALL, max_events),
                max_events,
                bool(self._keep),
            )
            if reason == REACHED:
                return True
            if reason != PAUSED:
                return None
            self.t_reached = float(window["now"][0])
            if window["work"][0] >= max_events:
                return self._stop(f"max_events = {max_events:,} used up")
            if window["n_log"][0] >= MAX_SPIKES:
                return self._stop(f"{MAX_SPIKES:,} spikes are recorded")
            if interrupted():
                return self._stop("interrupted")

    def _stop(self, reason: str) -> bool:
        most = most_active(self.net, self.counts())
        self.stop_reason = f"{reason}; {most}, at t = {self.t_reached:g} s"
        return False

    @property
    def now(self) -> float:
        """How far the kernel has come; it may be running."""
        return float(self._state.window["now"][0])

    @property
    def n_events(self) -> int:
        """Synaptic arrivals so far."""
        return int(self._state.window["events"][0])

    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Spikes of each unit so far."""
        return counts_of(self.net, self._net.units)

    def spikes(self) -> dict[str, SpikeTrain]:
        """Spikes so far of the populations to keep, sorted by (time, sender)."""
        log = self._buffers[1][: int(self._state.window["n_log"][0])]
        return spikes_of(self.net, log, self._keep)


def begin_run(
    net: Network,
    inputs: Mapping[str, SpikeTrain],
    currents: Mapping[str, NDArray[np.float64]],
    t_start: float,
    t_stop: float,
    *,
    keep: Collection[str],
    drives: Drives,
    threads: int = 1,
) -> WindowedRun | jumps.JumpRun | ScanRun:
    """The run of the fastest loop that fits a network.

    ``keep`` names the populations whose spikes are recorded, ``threads`` is how many cores this
    one run may use.
    """
    if jumps.why_not(net, driven=any(map(len, currents.values()))) is None:
        return jumps.JumpRun(
            net, inputs, t_start, t_stop, keep=keep, drives=drives, threads=threads
        )
    if why_no_scan(net, currents, t_stop - t_start) is None:
        return ScanRun(net, inputs, t_start, t_stop, keep=keep, drives=drives)
    return WindowedRun(net, inputs, currents, t_start, t_stop, keep=keep, drives=drives)
