"""Poisson sources that one neuron hears alone, drawn where they are heard.

A source whose only synapse has no delay need not send its spikes through the calendar: they are
drawn in the loop over windows. A neuron hears its own source up to the arrival of a segment before
the segment is added to it, so that its sums are in the order (time, projection), as they would be
with spikes that are sent. No bit tells the two ways apart.
"""

from __future__ import annotations

from collections.abc import Collection
from math import ceil, exp, inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.jump_tables import drive_of
from eventsim.engine.poisson import Drives, following
from eventsim.engine.scan_arrivals import note
from eventsim.engine.scan_bounds import response_within
from eventsim.engine.scan_state import Cells
from eventsim.jit import inlined, inner
from eventsim.network import Network
from eventsim.populations import Poisson
from eventsim.projections import Sparse

__all__ = ["Drive", "drive_for", "fused_links", "hear_before", "hear_rest"]

#: With more spikes in a window than this they are sent, which takes them one by one.
_MOST = 2_000_000
#: Room for the spikes of a window: their mean and so many standard deviations.
_DEVIATIONS = 12.0


class Drive(NamedTuple):
    """The source of each neuron that has one of its own."""

    link: NDArray[np.int64]  # [group] projection; -1: none has
    row: NDArray[np.int64]  # [group] that it adds to
    key: NDArray[np.uint64]  # [unit]
    rate: NDArray[np.float64]
    time: NDArray[np.float64]  # of its next spike; infinite without a source
    drawn: NDArray[np.int64]
    weight: NDArray[np.float64]
    source: NDArray[np.int64]  # unit that spikes


def _crowd(rate: float, width: float) -> int:
    """More spikes than sources with that rate in all will give in a window."""
    mean = rate * width
    return ceil(mean + _DEVIATIONS * sqrt(mean)) + 100 if mean > 0.0 else 0


def fused_links(net: Network, keep: Collection[str], width: float) -> tuple[int, ...]:
    """Projections whose sources are drawn in the loop.

    Each source has one synapse, without delay, which excites; and it is not recorded.
    """
    sources = [p for p in net.populations if isinstance(p, Poisson)]
    if _crowd(sum(float(p.rates.sum()) for p in sources), width) > _MOST:
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
    net: Network, cells: Cells, drives: Drives, links: tuple[int, ...], width: float
) -> tuple[Drive, int]:
    """The sources of these projections; room for what they give in one window."""
    n, groups = cells.group.size, cells.first.size
    drive = Drive(
        link=np.full(groups, -1, dtype=np.int64),
        row=np.zeros(groups, dtype=np.int64),
        key=np.zeros(n, dtype=np.uint64),
        rate=np.ones(n),
        time=np.full(n, inf),
        drawn=np.zeros(n, dtype=np.int64),
        weight=np.zeros(n),
        source=np.zeros(n, dtype=np.int64),
    )
    total = 0.0
    for k in links:
        link, g = net.projections[k], cells.group_of[k]
        source = net[link.source]
        rows = link.rows(source.shape, net[link.target].shape)
        pre = np.repeat(np.arange(source.n), np.diff(rows.indptr))
        post, sources = cells.first[g] + rows.post, drives.sources[link.source][pre]
        drive.link[g], drive.row[g] = k, cells.row_of[k]
        drive.key[post], drive.weight[post] = sources["key"], rows.weight
        drive.rate[post] = np.where(sources["rate"] > 0.0, sources["rate"], 1.0)
        drive.time[post], drive.drawn[post] = sources["time"], sources["drawn"]
        drive.source[post] = sources["unit"]
        total += float(sources["rate"].sum())
    return drive, _crowd(total, width)


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
def _hear(cells, scan, drive, shares, arrived, g, unit, end, t_stop, n):
    """Add the next spike of a neuron's source, and draw the one after it."""
    clock, row = scan.clock[0], drive.row[g]
    time, weight = drive.time[unit], drive.weight[unit]
    drive.time[unit] = following(drive.key[unit], drive.drawn[unit], drive.rate[unit], time)
    drive.drawn[unit] += 1
    past, own = time - clock.frame, 0.0
    first = exp(past * cells.rate[g, 0])
    if row > 0:
        first *= -cells.scale[g, row]
        own = cells.scale[g, row] * exp(past * cells.rate[g, row])
    left = scan.slack[unit] - weight * response_within(cells, g, row, clock.until - time)
    scan.slack[unit] = left
    if left <= 0.0:
        n = _note(scan, cells, shares, arrived, g, row, time, first, own, unit, weight, end, n)
    scan.x[0, unit] += weight * first
    scan.x[row, unit] += weight * own
    if time < t_stop:
        clock.events += 1
        clock.work += 2
        scan.fired[drive.source[unit]] += 1
    return n


@inner
def hear_before(cells, scan, drive, shares, arrived, link, time, post, end, t_stop, n):
    """Let the targets of a segment hear their sources up to it; the arrivals in lists.

    At one instant the projection that comes first in the network is added first.
    """
    g = cells.group_of[link]
    until = time if drive.link[g] > link else np.nextafter(time, inf)
    for k in range(post.size):
        unit = np.int64(post[k])
        while drive.time[unit] < until:
            n = _hear(cells, scan, drive, shares, arrived, g, unit, end, t_stop, n)
    return n


@inner
def hear_rest(cells, scan, drive, shares, arrived, g, end, t_stop, n):
    """Let all neurons of a group hear the rest of a window; the arrivals in lists."""
    before = scan.clock[0].work
    for unit in range(cells.first[g], cells.stop[g]):
        while drive.time[unit] < end:
            n = _hear(cells, scan, drive, shares, arrived, g, unit, end, t_stop, n)
    scan.clock[0].effort += cells.stop[g] - cells.first[g] + 5 * (scan.clock[0].work - before)
    return n
