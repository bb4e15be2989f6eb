"""A run that goes on piece by piece: what the engines that go from window to window share.

A piece is as much of a run as holds a bounded number of Poisson spikes. Its kernel is called again
and again, so that between two calls the budget can be looked at and the user can interrupt.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.poisson import Drives
from eventsim.engine.rows import MAX_SPIKES, feed_rows, merged, most_active, spikes_of
from eventsim.network import Network
from eventsim.recording import SpikeTrain

__all__ = ["ENDLESS", "PAUSED", "REACHED", "PieceRun"]

#: Why a kernel returned: the piece is done, its share of work is used up, or a neuron never ends
#: (or one window needs more than the whole budget). Kernels have other reasons of their own.
REACHED, PAUSED, ENDLESS = range(3)


class PieceRun(ABC):
    """One run, from start to end.

    ``drives`` are the Poisson sources whose spikes are drawn before each piece, ``clock`` is one
    record that says how far the kernel has come: ``fed`` input spikes are done, ``events``
    arrivals and ``n_log`` spikes were counted, ``work`` is what the budget limits.
    """

    def __init__(
        self,
        net: Network,
        inputs: Mapping[str, SpikeTrain],
        t_start: float,
        t_stop: float,
        *,
        keep: Collection[str],
        drives: Drives,
        clock: NDArray[np.void],
    ) -> None:
        self.net, self.t_stop, self.t_reached = net, t_stop, t_start
        self.stop_reason = "reached t_stop"
        self._keep, self._clock = keep, clock
        self._feed = feed_rows(net, inputs)
        self._drives, self._pieces = drives, drives.slices(t_start, t_stop)

    @abstractmethod
    def _advance(self, end: float, max_events: int) -> int:
        """Call the kernel, which goes on up to ``end`` or for a while; why it returned."""

    @property
    @abstractmethod
    def _log(self) -> NDArray[Any]:
        """Records of spikes, of which the first ``n_log`` are in use."""

    @property
    @abstractmethod
    def now(self) -> float:
        """How far the kernel has come; it may be running."""

    @abstractmethod
    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Spikes of each unit so far."""

    def _needs_input_to(self, end: float) -> float:
        """Up to when the input has to be known for a piece that ends at ``end``."""
        return end

    def run(self, max_events: int, interrupted: Callable[[], bool] = lambda: False) -> bool | None:
        """Run to the end. False when it had to stop; None when another engine has to find out.

        That is where a neuron never ends, or one window needs more than the whole budget.
        """
        for end in self._pieces:
            if self._drives:
                self._draw_until(self._needs_input_to(end))
            while (reason := self._advance(end, max_events)) != REACHED:
                if reason != PAUSED:
                    return None
                self.t_reached = self.now
                if stopped := self._has_to_stop(max_events, interrupted):
                    most = most_active(self.net, self.counts())
                    self.stop_reason = f"{stopped}; {most}, at t = {self.t_reached:g} s"
                    return False
        self.t_reached = self.t_stop
        return True

    def _draw_until(self, end: float) -> None:
        """Add what the Poisson sources give before ``end`` to the input that still waits."""
        clock = self._clock[0]
        self._feed = merged(self._feed[clock["fed"] :], self._drives.until(end))
        clock["fed"] = 0

    def _has_to_stop(self, max_events: int, interrupted: Callable[[], bool]) -> str | None:
        clock = self._clock[0]
        if clock["work"] >= max_events:
            return f"max_events = {max_events:,} used up"
        if clock["n_log"] >= MAX_SPIKES:
            return f"{MAX_SPIKES:,} spikes are recorded"
        return "interrupted" if interrupted() else None

    @property
    def n_events(self) -> int:
        """Synaptic arrivals so far."""
        return int(self._clock["events"][0])

    def spikes(self) -> dict[str, SpikeTrain]:
        """Spikes so far of the populations to keep, sorted by (time, sender)."""
        return spikes_of(self.net, self._log[: int(self._clock["n_log"][0])], self._keep)
