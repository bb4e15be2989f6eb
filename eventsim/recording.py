"""Records: spike trains in and out, and what a run returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.errors import InvalidType

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from eventsim.network import Network
    from eventsim.trace import Trace

__all__ = ["Result", "Results", "SpikeTrain"]


@dataclass(frozen=True, eq=False, repr=False)
class SpikeTrain:
    """Spikes of one population, sorted by (time, sender).

    Parameters
    ----------
    times : array of float
        Seconds, finite, >= 0, in ascending order.
    senders : array of int
        Index of the unit that spiked; ascending among equal times, no spike twice.

    Examples
    --------
    >>> train = SpikeTrain(times=[0.001, 0.002, 0.002], senders=[4, 0, 4])
    >>> train
    SpikeTrain(3 spikes, 0.001 to 0.002 s)
    >>> train.counts(5)
    array([1, 0, 0, 0, 2])
    """

    times: NDArray[np.float64]
    senders: NDArray[np.int64]

    def __init__(self, times: ArrayLike, senders: ArrayLike) -> None:
        where = "SpikeTrain"
        t = checks.real_array(where, "times", times).astype(np.float64)
        s = checks.index_array(where, "senders", senders)
        if t.ndim != 1:
            raise checks.fail(where, "times", "a one-dimensional array", f"shape {t.shape}")
        if t.shape != s.shape:
            raise checks.fail(where, "senders", f"{t.size} entries as times", s.size)
        checks.finite(where, "times", t)
        checks.non_negative(where, "times", t)
        falls = np.flatnonzero(np.diff(t) < 0)
        if falls.size:
            k = int(falls[0]) + 1
            raise checks.fail(where, f"times[{k}]", f"a time >= {t[k - 1]} (sorted)", t[k])
        ties = np.flatnonzero((np.diff(t) == 0) & (np.diff(s) <= 0))
        if ties.size:
            k = int(ties[0]) + 1
            raise checks.fail(
                where,
                f"senders[{k}]",
                f"a sender above {s[k - 1]} at the same time {t[k]} s (sorted, no duplicate)",
                s[k],
            )
        self._store(t, s)

    def _store(self, times: NDArray[np.float64], senders: NDArray[np.int64]) -> None:
        object.__setattr__(self, "times", checks.read_only(times))
        object.__setattr__(self, "senders", checks.read_only(senders))

    @classmethod
    def trusted(cls, times: NDArray[np.float64], senders: NDArray[np.int64]) -> SpikeTrain:
        """A train from an engine: sorted already; one neuron may repeat a time (multi_spike)."""
        train = cls.__new__(cls)
        train._store(times, senders)
        return train

    @classmethod
    def sorted(cls, times: ArrayLike, senders: ArrayLike) -> SpikeTrain:
        """A train from spikes in any order.

        >>> SpikeTrain.sorted([0.2, 0.1], [0, 1]).senders
        array([1, 0])
        """
        t = checks.real_array("SpikeTrain", "times", times)
        s = checks.index_array("SpikeTrain", "senders", senders)
        if t.shape != s.shape:
            return cls(t, s)
        order = np.lexsort((s, t))
        return cls(t[order], s[order])

    def __len__(self) -> int:
        return int(self.times.size)

    def counts(self, n: int) -> NDArray[np.int64]:
        """Spikes of each of the ``n`` units."""
        n = checks.whole("SpikeTrain", "n", n, 0)
        if len(self) and self.senders.max() >= n:
            raise checks.fail("SpikeTrain", "senders", f"indices below {n}", self.senders.max())
        return np.bincount(self.senders, minlength=n).astype(np.int64)

    def between(self, t0: float, t1: float) -> SpikeTrain:
        """Spikes in the half-open interval ``[t0, t1)``."""
        if len(self) and t0 <= self.times[0] and self.times[-1] < t1:
            return self
        part = slice(*np.searchsorted(self.times, [t0, t1], side="left"))
        return SpikeTrain.trusted(self.times[part].copy(), self.senders[part].copy())

    def of(self, sender: int) -> NDArray[np.float64]:
        """Spike times of one unit."""
        return self.times[self.senders == sender]

    def __repr__(self) -> str:
        if not len(self):
            return "SpikeTrain(no spikes)"
        return f"SpikeTrain({len(self)} spikes, {self.times[0]:g} to {self.times[-1]:g} s)"


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What one run of one sample gave.

    Attributes
    ----------
    spikes : mapping of str to SpikeTrain
        Spikes of each recorded population (empty with ``record="counts"``).
    counts : mapping of str to array [n]
        Number of spikes of each unit, for every population.
    v : mapping of str to Trace
        Exact potentials of the neurons of ``record_v``.
    t_start, t_stop : float
        The interval ``[t_start, t_stop)`` in seconds; where a run stopped early, ``t_stop`` is
        what was asked and ``t_reached`` how far it came.
    complete : bool
        False when the run stopped before ``t_stop``; ``stop_reason`` says why.
    n_events : int
        Synaptic arrivals that were delivered: each spike counts once per synapse it reaches.
    """

    network: Network
    spikes: Mapping[str, SpikeTrain]
    counts: Mapping[str, NDArray[np.int64]]
    t_start: float
    t_stop: float
    t_reached: float
    v: Mapping[str, Trace] = field(default_factory=dict)
    complete: bool = True
    stop_reason: str = "reached t_stop"
    n_events: int = 0
    engine: str = ""
    wall_s: float = 0.0
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write to ``path``: SONATA-valid HDF5, or npz where the name ends in ``.npz``."""
        from eventsim.save import save_result

        return save_result(self, path, overwrite=overwrite)

    def to_pandas(self) -> pd.DataFrame:
        """All recorded spikes as a table with columns time, population, sender."""
        from eventsim.save import to_pandas

        return to_pandas(self)

    def __repr__(self) -> str:
        spikes = ", ".join(f"{name}: {int(c.sum())}" for name, c in self.counts.items())
        state = "" if self.complete else f"; INCOMPLETE: {self.stop_reason}"
        return (
            f"Result({self.t_start:g} to {self.t_reached:g} s; spikes {spikes}; "
            f"{self.n_events:,} synaptic events{state})"
        )


class Results(Sequence[Result]):
    """Results of a batch of samples, in order; indexing gives a :class:`Result`."""

    def __init__(self, items: Sequence[Result], wall_s: float = 0.0) -> None:
        if not items:
            raise checks.fail("Results", "items", "at least one result", 0)
        if not all(isinstance(item, Result) for item in items):
            raise InvalidType("Results: items: expected Result objects")
        self._items = tuple(items)
        self.wall_s = wall_s

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: int | slice) -> Result | Results:
        if isinstance(index, slice):
            return Results(self._items[index])
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Result]:
        return iter(self._items)

    @property
    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Spike counts [sample, n] of each population."""
        return {
            name: np.stack([item.counts[name] for item in self._items])
            for name in self._items[0].counts
        }

    @property
    def n_events(self) -> int:
        """Synaptic arrivals of all samples."""
        return sum(item.n_events for item in self._items)

    @property
    def complete(self) -> bool:
        """Whether every sample reached t_stop."""
        return all(item.complete for item in self._items)

    def __repr__(self) -> str:
        state = "" if self.complete else "; INCOMPLETE"
        return f"Results({len(self)} samples; {self.n_events:,} synaptic events{state})"
