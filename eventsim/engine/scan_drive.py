"""Poisson sources that one neuron hears alone, drawn some windows ahead of the loop.

A source whose only synapse has no delay need not send its spikes through the calendar: they are
drawn apart (:mod:`eventsim.engine.scan_ahead`), with what they add to the neuron. In a window a
neuron hears its own source up to the arrival of a segment before the segment is added to it, so
that its sums are in the order (time, projection), as they would be with spikes that are sent. No
bit tells the two ways apart.
"""

from __future__ import annotations

from collections.abc import Collection
from math import ceil, inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.dynamics.exponentials import MARGIN
from eventsim.engine.intervals import STEP
from eventsim.engine.jump_tables import drive_of
from eventsim.engine.poisson import Drives
from eventsim.engine.scan_arrivals import note
from eventsim.engine.scan_bounds import response_within
from eventsim.engine.scan_state import Cells
from eventsim.jit import inlined, inner
from eventsim.network import Network
from eventsim.populations import Poisson
from eventsim.projections import Sparse

__all__ = ["Drive", "Sources", "crowd", "drive_for", "fused_links", "hear_before", "hear_rest"]

Floats = NDArray[np.float64]

#: With more spikes in a window than this they are sent, which takes them one by one.
_MOST = 2_000_000
#: Room for the spikes of a window: their mean and so many standard deviations.
_DEVIATIONS = 12.0
#: Instead of the unit that hears a spike: it was heard.
HEARD = -1


class Drive(NamedTuple):
    """The sources that neurons hear alone, and what they give in a block of windows."""

    link: NDArray[np.int64]  # [group] projection; -1: none has a source
    row: NDArray[np.int64]  # [group] that it adds to
    weight: Floats  # [unit]
    source: NDArray[np.int64]  # [unit] that spikes
    begin: int  # first window of the block
    parts: NDArray[np.int64]  # [window, group, part, 2] where their spikes begin and end
    starts: NDArray[np.int32]  # [window, unit] first of its spikes that it did not hear yet
    stops: NDArray[np.int32]
    who: NDArray[np.int32]  # [spike] unit that hears it
    time: Floats  # [spike]
    first: Floats  # [spike] what a unit of weight adds to row 0
    own: Floats  # [spike] and to its row


class Sources(NamedTuple):
    """Where the streams of those sources are, as in :mod:`eventsim.engine.poisson`."""

    state: NDArray[np.uint64]  # [unit] the next number to mix
    rate: Floats  # [unit] spikes a second; 0: without a source, or one that never spikes
    mean: Floats  # [unit] seconds between two spikes
    time: Floats  # [unit] of the next spike


def crowd(rate: float, duration: float) -> int:
    """More spikes than sources with that rate in all will give in so many seconds."""
    mean = rate * duration
    return ceil(mean + _DEVIATIONS * sqrt(mean)) + 100 if mean > 0.0 else 0


def fused_links(net: Network, keep: Collection[str], width: float) -> tuple[int, ...]:
    """Projections whose sources are drawn in the loop.

    Each source has one synapse, without delay, which excites; and it is not recorded.
    """
    sources = [p for p in net.populations if isinstance(p, Poisson)]
    if crowd(sum(float(p.rates.sum()) for p in sources), width) > _MOST:
        return ()
    links = ((k, net.projections[k]) for k in drive_of(net).values())
    return tuple(
        sorted(
            k
            for k, link in links
            if isinstance(link, Sparse)
            and net.synapses(link) == net[link.source].n
            and link.source not in keep
            and not np.any(link.delay)
        )
    )


def drive_for(
    net: Network, cells: Cells, drives: Drives, links: tuple[int, ...]
) -> tuple[Drive, Sources]:
    """The sources of these projections; nothing is drawn yet."""
    n, groups = cells.group.size, cells.first.size
    none, nowhere = np.zeros(0), np.zeros((0, n), dtype=np.int32)
    drive = Drive(
        link=np.full(groups, -1, dtype=np.int64),
        row=np.zeros(groups, dtype=np.int64),
        weight=np.zeros(n),
        source=np.zeros(n, dtype=np.int64),
        begin=0,
        parts=np.zeros((0, groups, 0, 2), dtype=np.int64),
        starts=nowhere,
        stops=nowhere,
        who=np.zeros(0, dtype=np.int32),
        time=none,
        first=none,
        own=none,
    )
    streams = Sources(
        state=np.zeros(n, dtype=np.uint64),
        rate=np.zeros(n),
        mean=np.ones(n),
        time=np.full(n, inf),
    )
    for k in links:
        link, g = net.projections[k], cells.group_of[k]
        source = net[link.source]
        rows = link.rows(source.shape, net[link.target].shape)
        pre = np.repeat(np.arange(source.n), np.diff(rows.indptr))
        post, sources = cells.first[g] + rows.post, drives.sources[link.source][pre]
        drive.link[g], drive.row[g] = k, cells.row_of[k]
        drive.weight[post], drive.source[post] = rows.weight, sources["unit"]
        streams.state[post] = sources["key"] + (sources["drawn"] + 1).astype(np.uint64) * STEP
        streams.rate[post], streams.time[post] = sources["rate"], sources["time"]
        streams.mean[post] = 1.0 / np.where(sources["rate"] > 0.0, sources["rate"], 1.0)
    return drive, streams


@inner
def _note(scan, cells, shares, arrived, g, row, time, first, own, unit, weight, end, n):
    """Put a spike into the list of a neuron; the number of arrivals in lists."""
    clock = scan.clock[0]
    s = clock.n_shares
    if s >= shares.size or n >= arrived.size:
        clock.crowded = 1
        return n
    share = shares[s]
    share.time, share.row, share.first, share.own = time, row, first, own
    share.raises = response_within(cells, g, row, end - time)
    note(scan, unit, weight, shares, s, arrived, n)
    clock.n_shares += 1
    return n + 1


@inlined
def _hear(cells, scan, drive, shares, arrived, g, row, unit, i, takes, end, t_stop, n):
    """Add spike ``i`` of a neuron's source; a unit of weight takes so much of the slack."""
    time, weight, first, own = drive.time[i], drive.weight[unit], drive.first[i], drive.own[i]
    left = scan.slack[unit] - weight * takes
    scan.slack[unit] = left
    if left <= 0.0:
        n = _note(
            scan, cells, shares, arrived, g, row, time, first, own, np.int64(unit), weight, end, n
        )
    scan.x[0, unit] += weight * first
    scan.x[row, unit] += weight * own
    scan.fired[drive.source[unit]] += time < t_stop
    return n


@inner
def hear_before(cells, scan, drive, shares, arrived, link, time, post, end, t_stop, n):
    """Let the targets of a segment hear their sources up to it; the arrivals in lists.

    At one instant the projection that comes first in the network is added first.
    """
    g, k = cells.group_of[link], scan.clock[0].window - drive.begin
    row, open_until = drive.row[g], scan.clock[0].until
    until = time if drive.link[g] > link else np.nextafter(time, inf)
    for s in range(post.size):
        unit = np.uint64(post[s])
        i, stop = np.uint64(drive.starts[k, unit]), np.uint64(drive.stops[k, unit])
        while i < stop and drive.time[i] < until:
            takes = response_within(cells, g, row, open_until - drive.time[i])
            n = _hear(cells, scan, drive, shares, arrived, g, row, unit, i, takes, end, t_stop, n)
            drive.who[i] = HEARD
            i += np.uint64(1)
            drive.starts[k, unit] = i
    return n


@inner
def hear_rest(cells, scan, drive, shares, arrived, g, end, t_stop, n):
    """Let all neurons of a group hear the rest of a window; the arrivals in lists.

    Spike after spike, not neuron after neuron: how many a neuron has, no processor guesses.
    """
    clock, k, row, heard = scan.clock[0], scan.clock[0].window - drive.begin, drive.row[g], 0
    until, gain, peak = clock.until, cells.gain[g] * (1.0 + MARGIN), cells.peak[g, row]
    for part in range(drive.parts.shape[2]):
        first, stop = drive.parts[k, g, part, 0], drive.parts[k, g, part, 1]
        for i in range(np.uint64(first), np.uint64(stop)):
            if drive.who[i] == HEARD:
                continue
            unit = np.uint64(drive.who[i])
            takes = gain * min(until - drive.time[i], peak) if row > 0 else 1.0
            n = _hear(cells, scan, drive, shares, arrived, g, row, unit, i, takes, end, t_stop, n)
        heard += stop - first
        if end > t_stop:
            for i in range(first, stop):
                heard -= drive.time[i] >= t_stop
    clock.events += heard
    clock.work += 2 * heard
    clock.effort += cells.stop[g] - cells.first[g] + 10 * heard
    return n
