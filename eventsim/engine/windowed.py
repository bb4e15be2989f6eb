"""The engine for networks with delays, recurrent or not: window after window.

:mod:`eventsim.engine.windows` has the kernels, :mod:`eventsim.engine.visits` the order in which
populations are visited and how long a window may be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.engine import jumps
from eventsim.engine.alone import ARRIVAL
from eventsim.engine.compiled import RELAY, compile_network
from eventsim.engine.heap import PENDING
from eventsim.engine.pieces import PieceRun
from eventsim.engine.poisson import Drives
from eventsim.engine.rows import counts_of, current_rows
from eventsim.engine.scan import ScanRun
from eventsim.engine.scan import why_not as why_no_scan
from eventsim.engine.state import LOG
from eventsim.engine.visits import visiting_order
from eventsim.engine.windows import WINDOW, Windows, run_windows, start_windows
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


class WindowedRun(PieceRun):
    """One run of the windowed engine."""

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
        window = np.zeros(1, dtype=WINDOW)
        super().__init__(net, inputs, t_start, t_stop, keep=keep, drives=drives, clock=window)
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
        self._steps = current_rows(net, currents)
        start_windows(self._net, self._state, t_start)

    def _advance(self, end: float, max_events: int) -> int:
        reason, self._buffers = run_windows(
            self._net,
            self._state,
            self._buffers,
            self._feed,
            self._steps,
            end,
            self._longest,
            min(int(self._clock["work"][0]) + WORK_PER_CALL, max_events),
            max_events,
            bool(self._keep),
        )
        return int(reason)

    @property
    def _log(self) -> NDArray[Any]:
        return self._buffers[1]

    @property
    def now(self) -> float:
        """How far the kernel has come; it may be running."""
        return float(self._clock["now"][0])

    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Spikes of each unit so far."""
        return counts_of(self.net, self._net.units)


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
) -> PieceRun:
    """The run of the fastest loop that fits a network.

    ``keep`` names the populations whose spikes are recorded, ``threads`` is how many cores this
    one run may use.
    """
    if jumps.why_not(net, driven=any(map(len, currents.values()))) is None:
        return jumps.JumpRun(
            net, inputs, t_start, t_stop, keep=keep, drives=drives, threads=threads
        )
    if why_no_scan(net, currents, t_stop - t_start) is None:
        return ScanRun(net, inputs, t_start, t_stop, keep=keep, drives=drives, threads=threads)
    return WindowedRun(net, inputs, currents, t_start, t_stop, keep=keep, drives=drives)
