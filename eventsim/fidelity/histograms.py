"""How intervals, spike counts and spike times are distributed in each layer.

Histograms hold whole numbers in fixed bins, so they add up: those of parts of the samples give
those of all, in any order. Times are in steps of the coarse model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.fidelity.counterparts import REACH, Counterparts
from eventsim.fidelity.order import fired, neuron_order
from eventsim.recording import SpikeTrain

__all__ = ["BINS_PER_STEP", "Histogram", "Histograms", "LayerHistograms"]

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

BINS_PER_STEP = 8

#: Part of a bin by which a value may be below an edge and still count as on it: the interval of a
#: neuron that fires as soon as it may is a refractory period, up to the rounding of a float sum.
ON_EDGE = 1e-6


@dataclass(frozen=True, eq=False)
class Histogram:
    """Numbers of values in bins of one width.

    Attributes
    ----------
    first, width : float
        Left edge of the first bin, and width of all, in the unit of the values. A bin holds its
        left edge; the last one holds its right edge too.
    counts : array of int64 [bin]
        Values in each bin.
    outside : int
        Values in none.

    Examples
    --------
    >>> a, b = (Histogram.of(values, 0.0, 1.0, 3) for values in ([0.5, 1.0], [1.5, 7.0]))
    >>> (a + b).counts, (a + b).outside
    (array([1, 2, 0]), 1)
    >>> Histogram.from_dict((a + b).to_dict()).counts
    array([1, 2, 0])
    """

    first: float
    width: float
    counts: Index
    outside: int = 0

    @classmethod
    def of(cls, values: ArrayLike, first: float, width: float, bins: int) -> Histogram:
        """Count values, in any order."""
        place = (np.asarray(values, dtype=np.float64).ravel() - first) / width + ON_EDGE
        bin_of = np.floor(place)
        bin_of[(bin_of == bins) & (place <= bins + 2 * ON_EDGE)] = bins - 1
        inside = (bin_of >= 0) & (bin_of < bins)
        counts = np.bincount(bin_of[inside].astype(np.int64), minlength=bins)
        return cls(first, width, counts.astype(np.int64), int((~inside).sum()))

    def __add__(self, other: Histogram) -> Histogram:
        mine, theirs = ((h.first, h.width, h.counts.size) for h in (self, other))
        if mine != theirs:
            raise checks.fail("Histogram", "bins", f"(first, width, number) {mine}", theirs)
        return Histogram(
            self.first, self.width, self.counts + other.counts, self.outside + other.outside
        )

    @property
    def edges(self) -> Floats:
        """Edges of the bins, one more than bins."""
        return self.first + self.width * np.arange(self.counts.size + 1, dtype=np.float64)

    @property
    def total(self) -> int:
        """Values counted, those outside too."""
        return int(self.counts.sum()) + self.outside

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "first": self.first,
            "width": self.width,
            "counts": self.counts.tolist(),
            "outside": self.outside,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Histogram:
        """What :meth:`to_dict` gave."""
        counts = np.array(values["counts"], dtype=np.int64)
        return cls(values["first"], values["width"], counts, values["outside"])


@dataclass(frozen=True, eq=False)
class LayerHistograms:
    """Distributions of one layer.

    Attributes
    ----------
    intervals : Histogram
        Interspike intervals of all units in steps, in eighths of a step up to the window.
    counts : Histogram
        Spikes of a unit in a presentation: 0, 1, ... up to twice the number of steps, where all
        above are counted too.
    lateness : Histogram or None
        Times of continuous spikes since the beginning of the step of the coarse spike whose
        counterparts they are, in eighths of a step, -1 to 2: in that step from 0 to 1. None for
        the coarse model itself.
    missing, extra : int
        Coarse spikes without a counterpart; continuous ones that are none.
    """

    intervals: Histogram
    counts: Histogram
    lateness: Histogram | None = None
    missing: int = 0
    extra: int = 0

    @classmethod
    def of(
        cls,
        spikes: NDArray[Any],
        trains: Sequence[SpikeTrain] | None = None,
        *,
        dt: float,
        window: float,
    ) -> LayerHistograms:
        """Those of a layer of the coarse model, or, with ``trains``, of the continuous one.

        Parameters
        ----------
        spikes : array of 0 and 1 [sample, step, n]
            Spikes of the coarse model.
        trains : sequence of SpikeTrain, optional
            Spikes of the continuous network, one train for each sample.
        dt : float
            Length of a step in seconds.
        window : float
            Simulated seconds.
        """
        samples, steps, n = spikes.shape
        bins = int(np.ceil(window / dt - ON_EDGE)) * BINS_PER_STEP
        if trains is None:
            sample, unit, time = fired(spikes.transpose(0, 2, 1))
            counted = spikes.sum(axis=1, dtype=np.int64).ravel()
            intervals = np.diff(time)[np.diff(sample * n + unit) == 0]
            return cls(_intervals(intervals, bins), _counts(counted, steps))
        pairs = Counterparts.of(spikes, trains, dt)
        neuron = pairs.other_sample * n + pairs.other_unit
        order = neuron_order(neuron, samples * n)  # in order of time within each neuron
        intervals = np.diff(pairs.time[order])[np.diff(neuron[order]) == 0]
        return cls(
            intervals=_intervals(intervals, bins),
            counts=_counts(np.bincount(neuron, minlength=samples * n), steps),
            lateness=Histogram.of(
                pairs.lateness, 0.5 - REACH, 1 / BINS_PER_STEP, int(2 * REACH * BINS_PER_STEP)
            ),
            missing=int(pairs.missing.sum()),
            extra=int(pairs.extra.sum()),
        )

    def __add__(self, other: LayerHistograms) -> LayerHistograms:
        late = None
        if self.lateness is not None and other.lateness is not None:
            late = self.lateness + other.lateness
        return LayerHistograms(
            self.intervals + other.intervals,
            self.counts + other.counts,
            late,
            self.missing + other.missing,
            self.extra + other.extra,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "intervals": self.intervals.to_dict(),
            "counts": self.counts.to_dict(),
            "lateness": None if self.lateness is None else self.lateness.to_dict(),
            "missing": self.missing,
            "extra": self.extra,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LayerHistograms:
        """What :meth:`to_dict` gave."""
        late = values["lateness"]
        return cls(
            Histogram.from_dict(values["intervals"]),
            Histogram.from_dict(values["counts"]),
            None if late is None else Histogram.from_dict(late),
            values["missing"],
            values["extra"],
        )


class Histograms(Mapping[str, LayerHistograms]):
    """Distributions of every layer of a variant: layer -> LayerHistograms.

    Examples
    --------
    >>> spikes = {"out": np.array([[[1, 0], [0, 0], [1, 1], [0, 0]]])}
    >>> coarse = Histograms.of(spikes, dt=1e-3, window=4e-3)
    >>> coarse["out"].counts.counts
    array([0, 1, 1, 0, 0, 0, 0, 0, 0])
    >>> trains = {"out": [SpikeTrain([0.5e-3, 2.75e-3, 3.25e-3], [0, 0, 1])]}
    >>> exact = Histograms.of(spikes, trains, dt=1e-3, window=4e-3)
    >>> exact["out"].missing, exact["out"].extra, (exact + exact)["out"].lateness.total
    (0, 0, 6)
    """

    def __init__(self, layers: Mapping[str, LayerHistograms]) -> None:
        self._layers = dict(layers)

    @classmethod
    def of(
        cls,
        spikes: Mapping[str, NDArray[Any]],
        trains: Mapping[str, Sequence[SpikeTrain]] | None = None,
        *,
        dt: float,
        window: float,
    ) -> Histograms:
        """From the spikes of each layer; arguments as of :meth:`LayerHistograms.of`."""
        return cls({
            name: LayerHistograms.of(
                of_layer, None if trains is None else trains[name], dt=dt, window=window
            )
            for name, of_layer in spikes.items()
        })  # fmt: skip

    def __getitem__(self, name: str) -> LayerHistograms:
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __add__(self, other: Histograms) -> Histograms:
        return Histograms({name: layer + other[name] for name, layer in self.items()})

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {name: layer.to_dict() for name, layer in self.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Histograms:
        """What :meth:`to_dict` gave."""
        return cls({name: LayerHistograms.from_dict(layer) for name, layer in values.items()})


def _intervals(steps: NDArray[Any], bins: int) -> Histogram:
    return Histogram.of(steps, 0.0, 1 / BINS_PER_STEP, bins)


def _counts(spikes: Index, steps: int) -> Histogram:
    """Each number of spikes is a bin of its own, the last one of all the larger ones."""
    return Histogram.of(np.minimum(spikes, 2 * steps), 0.0, 1.0, 2 * steps + 1)
