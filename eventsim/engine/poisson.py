"""Poisson sources: every unit draws its next spike from a stream of random numbers of its own.

The k-th number of a stream is a function of the stream's key and of k alone (SplitMix64, a Weyl
sequence and a mixing function, see :mod:`eventsim.engine.intervals`). A key follows from the seed
of the run, the number of the sample, the name of the population and the index of the unit. So it
does not matter who draws a spike, when, or after whom.

The spikes of a unit are ``t_0 = t_start + x_0``, ``t_k = t_(k-1) + x_k`` with ``x_k`` exponential
numbers of mean ``1 / rate``, all in float64; two spikes of a unit never have the same time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.intervals import STEP, exponential, mix
from eventsim.engine.rows import merged
from eventsim.engine.state import FEED
from eventsim.jit import inner, njit
from eventsim.network import Network
from eventsim.populations import Poisson
from eventsim.recording import SpikeTrain

__all__ = ["SOURCE", "Drives", "following", "later"]

#: A unit that spikes by itself.
SOURCE = np.dtype(
    [
        ("key", np.uint64),
        ("rate", np.float64),  # spikes a second
        ("time", np.float64),  # its next spike
        ("drawn", np.int64),  # numbers drawn so far
        ("unit", np.int64),  # in the numbering of all units
    ]
)

#: Spikes that are drawn together, on average, where they have to be held.
_AT_ONCE = 500_000


@inner
def later(time, interval):
    """The float64 sum of a time and an interval; the next time where the interval is too short."""
    total = time + interval
    if total <= time:
        total = np.nextafter(time, np.inf)
    return total


@inner
def following(key, drawn, rate, time):
    """The spike after ``time`` of a stream of which ``drawn`` numbers are used up; rate > 0."""
    bits = mix(key + np.uint64(drawn + 1) * STEP)
    return later(time, exponential(bits) * (1.0 / rate))


@njit
def _begin(sources, key, t_start):
    for i in range(sources.size):
        s = sources[i]
        s.key = mix(key + np.uint64(i + 1) * STEP)
        s.drawn = 0
        s.time = np.inf
        if s.rate > 0.0:
            s.time = following(s.key, s.drawn, s.rate, t_start)
            s.drawn = 1


@njit
def _draw(sources, t_stop, out):
    """All spikes before ``t_stop``, unit after unit; their number, also when `out` is too short."""
    n = 0
    for i in range(sources.size):
        s = sources[i]
        time, drawn = s.time, s.drawn
        while time < t_stop:
            if n < out.size:
                out[n].time = time
                out[n].unit = s.unit
            n += 1
            time = following(s.key, drawn, s.rate, time)
            drawn += 1
        if n <= out.size:
            s.time, s.drawn = time, drawn
    return n


def _key(seed: int, sample: int, name: str) -> np.uint64:
    """The key of a population, from which those of its units follow."""
    said = f"{seed}/{sample}/{name}".encode()
    return np.uint64(int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "little"))


class Drives:
    """The Poisson sources of a network in one run: what they still have to give.

    Attributes
    ----------
    sources : dict of str to SOURCE array
        By population. An engine that draws by itself advances ``time`` and ``drawn``.
    """

    def __init__(self, net: Network, seed: int, sample: int, t_start: float) -> None:
        self.sources: dict[str, NDArray[np.void]] = {}
        self._t_start, offset = t_start, 0
        for p in net.populations:
            if isinstance(p, Poisson):
                rows = np.zeros(p.n, dtype=SOURCE)
                rows["rate"] = p.rates
                rows["unit"] = offset + np.arange(p.n)
                _begin(rows, _key(seed, sample, p.name), t_start)
                self.sources[p.name] = rows
            offset += p.n

    def __bool__(self) -> bool:
        return bool(self.sources)

    def until(self, t_stop: float) -> NDArray[np.void]:
        """All spikes before ``t_stop`` that were not given yet, by (time, unit)."""
        parts = [np.zeros(0, dtype=FEED)]
        for rows in self.sources.values():
            waiting = max(t_stop - self._t_start, 0.0) * rows["rate"].sum()
            room = int(waiting + 6.0 * np.sqrt(waiting) + 64)
            while True:
                before = rows.copy()
                out = np.zeros(room, dtype=FEED)
                n = _draw(rows, t_stop, out)
                if n <= room:
                    break
                rows[:], room = before, n
            parts.append(out[:n])
        self._t_start = max(self._t_start, t_stop)
        return merged(*parts)

    def without(self, names: Collection[str]) -> Drives:
        """The same sources, but for some populations, which another loop draws."""
        other = object.__new__(Drives)
        other._t_start = self._t_start
        other.sources = {name: rows for name, rows in self.sources.items() if name not in names}
        return other

    def trains(self, t_stop: float) -> dict[str, SpikeTrain]:
        """All spikes before ``t_stop``, by population."""
        found: dict[str, SpikeTrain] = {}
        if not self.sources:
            return found
        spikes = self.until(t_stop)
        for name, rows in self.sources.items():
            first = rows["unit"][0]
            mine = spikes[(spikes["unit"] >= first) & (spikes["unit"] < first + rows.size)]
            found[name] = SpikeTrain.trusted(mine["time"].copy(), mine["unit"] - first)
        return found

    def slices(self, t_from: float, t_stop: float) -> Iterator[float]:
        """Ends of the pieces of a run that each hold a bounded number of spikes."""
        total = sum(float(rows["rate"].sum()) for rows in self.sources.values())
        pieces = max(1, int(np.ceil((t_stop - t_from) * total / _AT_ONCE)))
        for k in range(1, pieces):
            end = t_from + (t_stop - t_from) * k / pieces
            if t_from < end < t_stop:
                yield end
        yield t_stop

    def copy(self) -> Drives:
        """An independent copy, for snapshots."""
        other = object.__new__(Drives)
        other._t_start = self._t_start
        other.sources = {name: rows.copy() for name, rows in self.sources.items()}
        return other
