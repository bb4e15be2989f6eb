"""A run of a network on a time grid: inputs in, spikes out, reasons for stopping."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from eventsim.discrete import grid_kernel as kernel
from eventsim.discrete.grid import Grid, ticks_after
from eventsim.discrete.grid_kernel import SPIKE, STEP, run_ticks
from eventsim.engine.compiled import INPUT, Records
from eventsim.engine.neurons import MAX_REPEATS
from eventsim.engine.rows import MAX_SPIKES, most_active
from eventsim.recording import SpikeTrain

__all__ = ["GridRun"]

Float = NDArray[np.float64]
Index = NDArray[np.int64]

#: Work between two returns to Python: some tens of milliseconds.
WORK_PER_CALL = 20_000_000

#: What a run changes; the rest belongs to the grid.
STATE = (
    "groups", "parts", "x", "drive", "pulse", "acc", "push", "level", "held", "modes",
    "closed", "best", "mark", "heard", "counts", "reach", "control",
)  # fmt: skip


class GridRun:
    """One run on a grid, from start to end.

    Parameters
    ----------
    grid : Grid
        The network.
    inputs : mapping of str to SpikeTrain
        Input spikes.
    currents : mapping of str to array [k, (time, neuron, value)]
        Steps of external currents, sorted by time.
    last : int
        The last tick.
    keep : set of str
        Populations whose spikes are asked for.
    """

    def __init__(
        self,
        grid: Grid,
        inputs: Mapping[str, SpikeTrain],
        currents: Mapping[str, Float],
        last: int,
        keep: set[str],
    ) -> None:
        self.grid, self.last, self.keep = grid, last, keep
        self.stop_reason = "reached t_stop"
        self._names = [p.name for p in grid.net.populations]
        self._t = grid.start._replace(**{name: getattr(grid.start, name).copy() for name in STATE})
        groups = self._t.groups
        fed = {k: self._fed(inputs[name]) for k, name in enumerate(self._names) if name in inputs}
        groups["room"] = np.where(groups["kind"] == INPUT, 0, 64 + 2 * groups["n"])
        for k, spikes in fed.items():
            groups["room"][k] = groups["n_log"][k] = spikes.size
        groups["log_at"] = np.cumsum(groups["room"]) - groups["room"]
        self._log = np.zeros(int(groups["room"].sum()), dtype=SPIKE)
        for k, spikes in fed.items():
            self._log[groups["log_at"][k] :][: spikes.size] = spikes
        self._steps = self._stepped(currents)

    def _fed(self, train: SpikeTrain) -> Records:
        """Spikes of an Input by (tick, sender); two of a sender at one tick remain two."""
        spikes = np.zeros(len(train), dtype=SPIKE)
        spikes["tick"], spikes["unit"] = ticks_after(train.times, self.grid.dt), train.senders
        spikes["times"] = 1
        spikes = spikes[np.lexsort((spikes["unit"], spikes["tick"]))]
        return spikes[spikes["tick"] <= self.last]

    def _stepped(self, currents: Mapping[str, Float]) -> Records:
        """Steps of currents; of several of a neuron at one tick the last one counts."""
        rows = [np.zeros(0, dtype=STEP)]
        for name, given in currents.items():
            part = np.zeros(len(given), dtype=STEP)
            part["tick"] = ticks_after(given[:, 0], self.grid.dt)
            first = self._t.groups["first"][self._names.index(name)]
            part["cell"], part["value"] = first + given[:, 1].astype(np.int64), given[:, 2]
            rows.append(part)
        steps = np.concatenate(rows)
        return steps[np.argsort(steps["tick"], kind="stable")]

    def run(self, max_events: int, interrupted: Callable[[], bool]) -> bool:
        """Run to the end; False when it had to stop."""
        control = self._t.control
        while True:
            reason = run_ticks(
                self._t, self._log, self._steps, self.last,
                control[kernel.WORK] + WORK_PER_CALL, max_events,
            )  # fmt: skip
            if reason == kernel.REACHED:
                return True
            if reason == kernel.ENDLESS:
                name = self._names[control[kernel.BLAMED]]
                return self._stop(
                    f"a neuron of population {name!r} fires over {MAX_REPEATS:,} times at one tick"
                )
            if control[kernel.EVENTS] + control[kernel.SPIKES] >= max_events:
                return self._stop(f"max_events = {max_events:,} used up")
            if self.keep and control[kernel.SPIKES] >= MAX_SPIKES:
                return self._stop(f"{MAX_SPIKES:,} spikes are recorded")
            if reason == kernel.GROW:
                self._make_room()
            elif interrupted():
                return self._stop("interrupted")

    def _stop(self, reason: str) -> bool:
        most = most_active(self.grid.net, self.counts())
        self.stop_reason = f"{reason}; {most}, at t = {self.now:g} s"
        return False

    def _make_room(self) -> None:
        """A longer log, without what is neither asked for nor still to arrive."""
        groups, parts, old = self._t.groups, self._t.parts, self._log
        begins = groups["log_at"].copy()
        for k, name in enumerate(self._names):
            mine = parts["source"] == k
            if name not in self.keep and groups["kind"][k] != INPUT:
                done = np.where(parts["width"] > 0, parts["ended"], parts["begun"])[mine]
                drop = int(min(done, default=groups["n_log"][k]))
                begins[k] += drop
                groups["n_log"][k] -= drop
                for field in ("begun", "ended"):
                    parts[field][mine] -= drop
        more = (groups["kind"] != INPUT) * (64 + groups["n"] + groups["n_log"])
        groups["room"] = groups["n_log"] + more
        groups["log_at"] = np.cumsum(groups["room"]) - groups["room"]
        self._log = np.zeros(int(groups["room"].sum()), dtype=SPIKE)
        for group, begin in zip(groups, begins, strict=True):
            n = int(group["n_log"])
            self._log[group["log_at"] :][:n] = old[begin : begin + n]

    @property
    def now(self) -> float:
        """How far the kernel has come; it may be running."""
        return float(max(0, self._t.control[kernel.TICK] - 1) * self.grid.dt)

    @property
    def n_events(self) -> int:
        """Synaptic arrivals so far."""
        return int(self._t.control[kernel.EVENTS])

    def counts(self) -> dict[str, Index]:
        """Spikes of each unit so far."""
        counts = {}
        for k, p in enumerate(self.grid.net.populations):
            group = self._t.groups[k]
            counts[p.name] = self._t.counts[group["counted"] :][: p.n].copy()
            if group["kind"] == INPUT:
                counts[p.name] += np.bincount(self._spikes(k)["unit"], minlength=p.n)
        return counts

    def spikes(self, t_stop: float) -> dict[str, SpikeTrain]:
        """Recorded spikes by population, sorted by (time, sender)."""
        trains = {}
        for k, name in enumerate(self._names):
            if name in self.keep:
                spikes = np.repeat(self._spikes(k), self._spikes(k)["times"])
                # The last tick may stand at t_stop, and its product beyond it by a rounding error.
                times = np.minimum(spikes["tick"] * self.grid.dt, t_stop)
                trains[name] = SpikeTrain.trusted(times, spikes["unit"].copy())
        return trains

    def _spikes(self, k: int) -> Records:
        """What the log has of a population, up to the last tick that is done."""
        group = self._t.groups[k]
        mine = self._log[group["log_at"] :][: group["n_log"]]
        return mine[mine["tick"] < self._t.control[kernel.TICK]]
