"""The engine for recurrent networks with exponential receptors: a scan, and few searches.

:mod:`eventsim.engine.scan_windows` has the kernel. Here it is decided which networks it fits, and
how long its windows are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from math import ceil, floor, inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.dynamics.exponentials import MARGIN, MODE, highest_response
from eventsim.engine.calendar import new_calendar
from eventsim.engine.pieces import ENDLESS, REACHED, PieceRun
from eventsim.engine.poisson import Drives
from eventsim.engine.scan_ahead import Ahead
from eventsim.engine.scan_drive import crowd, drive_for, fused_links
from eventsim.engine.scan_state import CLOCK, Cells, Scan, new_buffers
from eventsim.engine.scan_windows import run_scan
from eventsim.engine.synapses import synapses
from eventsim.network import Network
from eventsim.populations import Input, Population
from eventsim.projections import Dense, Sparse
from eventsim.random_links import Random
from eventsim.recording import SpikeTrain
from eventsim.vectors import BLOCK as LANES
from eventsim.vectors import on_cache_lines

__all__ = ["ScanRun", "cannot", "why_not", "width_of"]

Floats = NDArray[np.float64]

#: Effort between two returns to Python: some tens of milliseconds.
EFFORT_PER_CALL = 10_000_000
#: A window is no longer than this part of the shortest time constant, so that chords bound well.
_PART = 0.25
#: Between two frames the fastest exponential grows by this exponent at most: more would cost
#: digits in the exponents, less costs time.
_GROWTH = 4.0
#: The largest K / r (:mod:`eventsim.engine.scan_state`): what cancels costs as many roundings.
_MAX_RATIO = 8.0
#: More windows than this in one refractory period, or in a run, are too many to walk through.
_MAX_SLOTS = 1_000_000
_MAX_WINDOWS = 3_000_000
#: With fewer neurons a window has so few arrivals that its own costs count.
_FEWEST = 500


def _neurons(net: Network) -> list[Population]:
    return [p for p in net.populations if isinstance(p, Population)]


def _uniform(values: Floats) -> bool:
    return bool(np.all(values == values.flat[0]))


def _misfit(p: Population) -> str | None:
    """Why a population does not fit; None when it does."""
    tau, r = p.array("tau_mem"), p.array("r")
    if not (_uniform(tau) and _uniform(r) and all(_uniform(t) for t in p.receptor_times)):
        return "time constants or gains differ within it"
    if tau.flat[0] == inf:
        return "it has no leak"
    if p.adapts or p.reset != "value" or not p.fires_at_equality:
        return "it adapts, resets by subtraction or fires above the threshold only"
    for t in p.receptor_times[:, 0]:
        if abs(t - tau.flat[0]) * _MAX_RATIO < t:
            return "a receptor is about as slow as its membrane"
    return None


def width_of(net: Network) -> float:
    """Seconds of a window: shorter than each delay of a neuron and than the dynamics."""
    neurons = _neurons(net)
    names = {p.name for p in neurons}
    delays = [p.min_delay for p in net.projections if p.source in names]
    fastest = min(min([p.array("tau_mem").min(), *p.receptor_times.flat]) for p in neurons)
    # A little shorter, so that no rounding of an end can reach a delay.
    return float(min(min(delays, default=inf) * (1.0 - 2.0**-20), _PART * fastest))


def cannot(net: Network, currents: Mapping[str, NDArray[np.float64]]) -> str | None:
    """Why this engine cannot run a network; None when it can."""
    neurons = _neurons(net)
    if not any(p.n_receptors for p in neurons):
        return "no population has exponential receptors"
    if any(not isinstance(p, Population | Input) for p in net.populations):
        return "it has Relays"
    if any(len(steps) for steps in currents.values()):
        return "currents are stepped"
    for p in neurons:
        if reason := _misfit(p):
            return f"population {p.name!r}: {reason}"
    for link in net.projections:
        if not isinstance(link, Dense | Sparse | Random) or link.spread > 0.0:
            return f"{link.where}: neither all-to-all nor sparse, or with pulses"
    return None if width_of(net) > 0.0 else "a delay is zero"


def why_not(
    net: Network, currents: Mapping[str, NDArray[np.float64]], duration: float
) -> str | None:
    """Why this engine cannot, or should not, run a network; None when it should."""
    if reason := cannot(net, currents):
        return reason
    neurons, width = _neurons(net), width_of(net)
    if sum(p.n for p in neurons) < _FEWEST:
        return f"fewer than {_FEWEST} neurons are followed faster one by one"
    held = max(float(p.array("t_ref").max()) for p in neurons)
    if held / width > _MAX_SLOTS or duration / width > _MAX_WINDOWS:
        return f"a window of {width:g} s is short"
    return None


def _cells(net: Network, keep: Collection[str]) -> Cells:
    """What kernels take of a network."""
    neurons = _neurons(net)
    rows = 1 + max(p.n_receptors for p in neurons)
    sizes = [p.n for p in net.populations]
    offsets = dict(zip((p.name for p in net.populations), np.cumsum([0, *sizes]), strict=False))
    groups, n = len(neurons), sum(sizes)
    cells = Cells(
        first=np.array([offsets[p.name] for p in neurons], dtype=np.int64),
        stop=np.array([offsets[p.name] + p.n for p in neurons], dtype=np.int64),
        rows=np.array([1 + p.n_receptors for p in neurons], dtype=np.int64),
        rate=np.zeros((groups, rows)),
        scale=np.ones((groups, rows)),
        gain=np.zeros(groups),
        peak=np.zeros((groups, rows)),
        row_of=np.zeros(len(net.projections), dtype=np.int64),
        group_of=np.zeros(len(net.projections), dtype=np.int64),
        group=np.full(n, -1, dtype=np.int64),
        theta=np.full(n, inf),
        reset=np.zeros(n),
        t_ref=np.zeros(n),
        logged=np.zeros(n, dtype=np.bool_),
    )
    for p in net.populations:
        cells.logged[offsets[p.name] : offsets[p.name] + p.n] = p.name in keep
    for g, p in enumerate(neurons):
        units = slice(cells.first[g], cells.stop[g])
        tau, r = p.array("tau_mem")[0], p.array("r")[0]
        rest = p.array("v_leak") + r * p.array("i_bias")
        cells.group[units] = g
        cells.theta[units] = p.array("v_threshold") - rest
        cells.reset[units] = p.array("v_reset") - rest
        cells.t_ref[units] = p.array("t_ref")
        cells.gain[g] = r / tau
        cells.rate[g, 0] = 1.0 / tau
        taus = p.receptor_times[:, 0]
        cells.rate[g, 1 : 1 + taus.size] = 1.0 / taus
        cells.scale[g, 1 : 1 + taus.size] = r * taus / (taus - tau)
        cells.peak[g, 1 : 1 + taus.size] = highest_response(np.full(taus.size, tau), taus)
    names = [p.name for p in neurons]
    for k, link in enumerate(net.projections):
        cells.group_of[k] = names.index(link.target)
        receptor = getattr(link, "receptor", None)
        cells.row_of[k] = 0 if receptor is None else 1 + receptor
    return cells


def _begin(net: Network, cells: Cells, t_start: float, width: float) -> Scan:
    """The state at the start. Who stands at threshold is released there, and tested."""
    n, rows = cells.group.size, cells.rate.shape[1]
    clock = np.zeros(1, dtype=CLOCK)
    clock["frame"], clock["every"] = t_start, 1
    clock["renew"] = max(1, floor(_GROWTH / (width * cells.rate.max())))
    turn = cells.rate * width * (1.0 + MARGIN)
    spiking = np.where(np.isinf(cells.theta), 0.0, cells.theta)
    room = -(-n // LANES) * LANES + LANES
    scan = Scan(
        clock=clock,
        x=on_cache_lines(rows, room),
        high=on_cache_lines(room),
        slack=on_cache_lines(room),
        resume=cells.reset.copy(),
        release=np.full(n, -inf),
        due=np.full(ceil(cells.t_ref.max() / width) + 3, -1, dtype=np.int32),
        later=np.full(n, -1, dtype=np.int32),
        place=np.full(n, -1, dtype=np.int32),
        fired=np.zeros(n, dtype=np.int64),
        who=np.zeros(n, dtype=np.int32),
        fine=np.zeros(n),
        since=np.zeros(n),
        near=np.zeros((n, rows)),
        heads=np.full(n, -1, dtype=np.int32),
        tails=np.full(n, -1, dtype=np.int32),
        fade=np.exp(-turn),
        bend=0.125 * turn**2 + MARGIN,
        begun=np.zeros_like(turn),
        left=np.zeros(rows),
        to_end=np.zeros((2, rows)),
        modes=np.zeros(rows, dtype=MODE),
    )
    scan.high[:n] = np.where(np.isinf(cells.theta), inf, spiking - MARGIN * np.abs(spiking))
    scan.slack[:] = inf
    for p, first, stop in zip(_neurons(net), cells.first, cells.stop, strict=True):
        rest = p.array("v_leak") + p.array("r") * p.array("i_bias")
        scan.x[0, first:stop] = p.array("v_init") - rest
    above = np.flatnonzero(scan.x[0, :n] >= cells.theta)
    scan.resume[above], scan.high[above], scan.release[above] = scan.x[0, above], inf, t_start
    scan.later[above[1:]] = above[:-1]
    if above.size:
        scan.due[0] = above[-1]
    return scan


class ScanRun(PieceRun):
    """One run of the scanning engine."""

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
    ) -> None:
        width = width_of(net)
        fused = fused_links(net, keep, width)
        self._cells = _cells(net, keep)
        self._scan = _begin(net, self._cells, t_start, width)
        super().__init__(
            net,
            inputs,
            t_start,
            t_stop,
            keep=keep,
            drives=drives.without({net.projections[k].source for k in fused}),
            clock=self._scan.clock,
        )
        self._table = synapses(net, fused)
        longest = float(self._table.delay.max(initial=width))
        self._calendar, entries = new_calendar(t_start, width, longest)
        self._renewal = int(self._scan.clock["renew"][0])
        self._scan.clock["renew"] = self._renewal
        self._buffers = new_buffers(entries)
        self._last = self._window_at(t_stop)
        self._drive, sources = drive_for(net, self._cells, drives, fused)
        self._scan.clock["crowd"] = crowd(float(sources.rate.sum()), width)
        self._ahead: Ahead | None = None
        if fused:
            self._ahead = Ahead(
                self._cells,
                self._drive,
                sources,
                self._calendar.ring,
                self._renewal,
                self._last,
                threads,
            )

    def run(self, max_events: int, interrupted: Callable[[], bool] = lambda: False) -> bool | None:
        """As all runs; threads that draw end with it."""
        with self._ahead or nullcontext():
            return super().run(max_events, interrupted)

    def _window_at(self, t: float) -> int:
        """The first window that begins at ``t`` or later."""
        ring = self._calendar.ring[0]
        k = ceil((t - ring["start"]) / ring["width"]) + 1
        while self._begin_of(k - 1) >= t:
            k -= 1
        return k

    def _begin_of(self, k: int) -> float:
        ring = self._calendar.ring[0]
        return float(ring["start"] + k * ring["width"])

    def _needs_input_to(self, end: float) -> float:
        return self._begin_of(self._window_at(end))

    def _advance(self, end: float, max_events: int) -> int:
        last, effort = self._window_at(end), int(self._clock["effort"][0]) + EFFORT_PER_CALL
        while True:
            drawn = last
            if self._ahead is not None:
                if self._clock["window"][0] == self._ahead.end < last:
                    drive = self._ahead.next_block()
                    if drive is None:
                        return ENDLESS
                    self._drive = drive
                drawn = min(last, self._ahead.end)
            reason, self._buffers = run_scan(
                self._cells,
                self._scan,
                self._drive,
                self._table,
                self._calendar,
                self._buffers,
                self._feed,
                drawn,
                self._renewal,
                self.t_stop,
                self._begin_of(self._last),
                effort,
                max_events,
            )
            if reason != REACHED or drawn == last:
                return int(reason)

    @property
    def _log(self) -> NDArray[Any]:
        return self._buffers.log

    @property
    def now(self) -> float:
        """How far the kernel has come; it may be running."""
        return min(self._begin_of(int(self._clock["window"][0])), self.t_stop)

    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Spikes of each unit so far."""
        parts = np.split(self._scan.fired, np.cumsum([p.n for p in self.net.populations])[:-1])
        return {p.name: part.copy() for p, part in zip(self.net.populations, parts, strict=True)}
