"""What a comparison keeps of the spike trains of each layer: sums that can be written and added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.fidelity.intervals import Moments
from eventsim.fidelity.order import fired, neuron_order
from eventsim.recording import SpikeTrain

__all__ = ["Intervals", "step_intervals", "train_intervals"]


class Intervals:
    """Moments of the interspike intervals of each layer, sample by sample.

    They are added up in the order of the samples, so that the result does not depend on how these
    were cut.

    Parameters
    ----------
    rows : mapping of str to list of Moments
        Layer -> one entry for each sample.

    Examples
    --------
    >>> a, b = (Intervals.of({"out": [np.array(values)]}) for values in ([1.0], [2.0, 3.0]))
    >>> (a + b).moments("out").mean
    2.0
    >>> Intervals.from_dict((a + b).to_dict()).moments("out") == (a + b).moments("out")
    True
    """

    def __init__(self, rows: Mapping[str, list[Moments]]) -> None:
        self._rows = dict(rows)

    @classmethod
    def of(cls, layers: Mapping[str, Iterable[NDArray[np.float64]]]) -> Intervals:
        """From the intervals in seconds of each layer, one array for each sample."""
        return cls({name: [Moments.of(v) for v in samples] for name, samples in layers.items()})

    def __add__(self, other: Intervals) -> Intervals:
        return Intervals({name: rows + other._rows[name] for name, rows in self._rows.items()})

    def moments(self, name: str) -> Moments:
        """Those of a layer in all samples."""
        return reduce(add, self._rows[name], Moments())

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            name: [(row.n, row.middle, row.squares) for row in rows]
            for name, rows in self._rows.items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Intervals:
        """What :meth:`to_dict` gave."""
        return cls({name: [Moments(*row) for row in rows] for name, rows in values.items()})


def step_intervals(spikes: NDArray[np.uint8], dt: float) -> list[NDArray[np.float64]]:
    """Interspike intervals in seconds of the spikes in steps [sample, step, n] of each sample.

    >>> step_intervals(np.array([[[1, 0], [0, 1], [1, 1]]], dtype=np.uint8), dt=0.5)
    [array([1. , 0.5])]
    """
    samples, _, n = spikes.shape
    sample, unit, step = fired(spikes.transpose(0, 2, 1))
    same = np.diff(sample * n + unit) == 0
    return _by_sample(np.diff(step)[same] * dt, sample[1:][same], samples)


def train_intervals(trains: Sequence[SpikeTrain], n: int) -> list[NDArray[np.float64]]:
    """Interspike intervals in seconds of a layer of n units, in each of some samples.

    As :func:`~eventsim.fidelity.metrics.isi` of each train, for all of them together.

    >>> train_intervals([SpikeTrain([0.0, 1.0, 1.5], [0, 1, 0]), SpikeTrain([2.0], [1])], 2)
    [array([1.5]), array([], dtype=float64)]
    """
    times = np.concatenate([np.zeros(0), *(train.times for train in trains)])
    senders = np.concatenate([np.zeros(0, np.int64), *(train.senders for train in trains)])
    sample = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    neuron = sample * n + senders
    order = neuron_order(neuron, len(trains) * n)
    same = np.diff(neuron[order]) == 0
    return _by_sample(np.diff(times[order])[same], sample[order][1:][same], len(trains))


def _by_sample(
    values: NDArray[np.float64], sample: NDArray[np.int64], samples: int
) -> list[NDArray[np.float64]]:
    """Values in order of their samples, cut into one array for each."""
    bounds = np.searchsorted(sample, np.arange(samples + 1)).tolist()
    return [values[a:b] for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
