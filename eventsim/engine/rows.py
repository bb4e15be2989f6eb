"""What goes into a run and comes out of it, as rows with one numbering of all units."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.compiled import population_table
from eventsim.engine.state import FEED, STEP
from eventsim.network import Network
from eventsim.recording import SpikeTrain

__all__ = [
    "MAX_SPIKES",
    "counts_of",
    "current_rows",
    "feed_rows",
    "merged",
    "most_active",
    "spikes_of",
]

#: A record of more spikes would fill the memory; counting them takes none.
MAX_SPIKES = 100_000_000


def current_rows(net: Network, currents: Mapping[str, NDArray[np.float64]]) -> NDArray[np.void]:
    """Steps of all populations as records (time, global unit, value) by (time, unit)."""
    offset = population_table(net)["offset"]
    names = [p.name for p in net.populations]
    rows = np.zeros(sum(len(steps) for steps in currents.values()), dtype=STEP)
    begin = 0
    for name, steps in currents.items():
        part = rows[begin : begin + len(steps)]
        part["time"], part["value"] = steps[:, 0], steps[:, 2]
        part["unit"] = steps[:, 1].astype(np.int64) + offset[names.index(name)]
        begin += len(steps)
    return rows if len(currents) == 1 else merged(rows)  # those of one population are sorted


def feed_rows(net: Network, inputs: Mapping[str, SpikeTrain]) -> NDArray[np.void]:
    """Input spikes of all populations as records (time, global unit) by (time, unit)."""
    offset = population_table(net)["offset"]
    names = [p.name for p in net.populations]
    parts = [np.zeros(0, dtype=FEED)]
    for name, train in inputs.items():
        part = np.zeros(len(train), dtype=FEED)
        part["time"] = train.times
        part["unit"] = train.senders + offset[names.index(name)]
        parts.append(part)
    return merged(*parts)


def merged(*parts: NDArray[np.void]) -> NDArray[np.void]:
    """Records of all parts by (time, unit)."""
    filled = [part for part in parts if part.size]
    rows = np.concatenate(filled or parts[:1])
    return rows[np.lexsort((rows["unit"], rows["time"]))]


def spikes_of(net: Network, log: NDArray[np.void], keep: Collection[str]) -> dict[str, SpikeTrain]:
    """The spikes of a log by population, of those in ``keep``, sorted by (time, sender)."""
    populations = population_table(net)
    log = np.repeat(log, log["times"])
    which = np.searchsorted(populations["stop"], log["unit"], side="right")
    trains = {}
    for k, p in enumerate(net.populations):
        if p.name not in keep:
            continue
        mine = log[which == k]
        mine = mine[np.lexsort((mine["unit"], mine["time"]))]
        senders = mine["unit"] - populations["offset"][k]
        trains[p.name] = SpikeTrain.trusted(mine["time"], senders)
    return trains


def counts_of(net: Network, units: NDArray[np.void]) -> dict[str, NDArray[np.int64]]:
    """Spikes of each unit so far."""
    populations = population_table(net)
    return {
        p.name: units["count"][row["offset"] : row["stop"]].copy()
        for p, row in zip(net.populations, populations, strict=True)
    }


def most_active(net: Network, counts: Mapping[str, NDArray[np.int64]]) -> str:
    """In words, which population spiked most; an Input only where there is nothing else."""
    totals = {name: int(c.sum()) for name, c in counts.items()}
    own = [name for name in totals if name not in net.inputs]
    name = max(own or totals, key=totals.__getitem__)
    return f"population {name!r} spiked most, {totals[name]:,} times"
