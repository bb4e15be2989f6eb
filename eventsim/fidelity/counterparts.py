"""Which spike of the continuous network stands for which spike of the coarse one.

A coarse spike has a step and no time. Its counterpart is a spike of the same unit in the
continuous network, in that step or in a neighbouring one, since a pulse that arrives late in a
step brings most of its charge in the next. Each spike is the counterpart of one at most. Of all
ways to pair them those with most pairs are taken, and of these the one with the least distance
from the middles of the steps (:func:`~eventsim.fidelity.metrics.match_spikes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.fidelity.matching import match_grouped
from eventsim.fidelity.order import fired, neuron_order, neuron_starts
from eventsim.fidelity.trains import Grouped
from eventsim.recording import SpikeTrain

__all__ = ["REACH", "Counterparts", "Paired"]

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

#: How far a counterpart may be from the middle of the coarse step, in steps: its own step reaches
#: to 0.5, the neighbours to 1.5.
REACH = 1.5


class Paired:
    """Coarse spikes, and the places in ``time`` of their counterparts; -1 where there is none."""

    time: Floats
    partner: Index

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which coarse spikes have no counterpart."""
        return self.partner < 0

    @property
    def extra(self) -> NDArray[np.bool_]:
        """Which continuous spikes are no counterpart."""
        free = np.ones(self.time.size, dtype=bool)
        free[self.partner[self.partner >= 0]] = False
        return free


@dataclass(frozen=True, eq=False)
class Counterparts(Paired):
    """Spikes of one layer in both models, and how they pair.

    Attributes
    ----------
    sample, step, unit : array of int64
        The coarse spikes, in order of (step, sample, unit).
    partner : array of int64
        For each coarse spike the index of its counterpart below; -1 where it has none.
    other_sample, other_unit : array of int64
        Sample and unit of the continuous spikes, in order of (sample, time).
    time : array of float64
        Times of the continuous spikes, in steps.

    Examples
    --------
    Unit 0 spikes late; unit 1 spikes in the coarse model alone.

    >>> steps = np.array([[[1, 1], [0, 0]]])
    >>> found = Counterparts.of(steps, [SpikeTrain([1.2e-3], [0])], dt=1e-3)
    >>> found.partner, found.lateness, found.missing, found.extra
    (array([ 0, -1]), array([1.2]), array([False,  True]), array([False]))
    """

    sample: Index
    step: Index
    unit: Index
    partner: Index
    other_sample: Index
    other_unit: Index
    time: Floats

    @classmethod
    def of(cls, spikes: NDArray[Any], trains: Sequence[SpikeTrain], dt: float) -> Counterparts:
        """Pair the spikes of one layer.

        Parameters
        ----------
        spikes : array of 0 and 1 [sample, step, n]
            Those of the coarse model.
        trains : sequence of SpikeTrain
            Those of the continuous network, one for each sample.
        dt : float
            Length of a step in seconds.

        Raises
        ------
        InvalidValue
            As many trains as samples are needed.
        """
        samples, _, n = spikes.shape
        if len(trains) != samples:
            raise checks.fail(
                "Counterparts", "trains", f"{samples}, one for each sample", len(trains)
            )
        step, sample, unit = fired(spikes.transpose(1, 0, 2))
        time = np.concatenate([np.zeros(0), *(train.times for train in trains)]) / dt
        senders = np.concatenate([np.zeros(0, np.int64), *(train.senders for train in trains)])
        of_sample = np.repeat(np.arange(samples), [len(train) for train in trains])
        # A unit of each sample is a neuron of its own.
        first = _grouped(step.astype(np.float64) + 0.5, sample * n + unit, samples * n)
        second = _grouped(time, of_sample * n + senders, samples * n)
        i, j = match_grouped(first, second, REACH)
        partner = np.full(step.size, -1, dtype=np.int64)
        partner[first.order[i]] = second.order[j]
        return cls(sample, step, unit, partner, of_sample, senders, time)

    @property
    def lateness(self) -> Floats:
        """Time of each counterpart since the beginning of the coarse spike's step, in steps.

        From 0 to 1 it lies in that step; -1 is the beginning of the step before, 2 the end of the
        step after.
        """
        paired = self.partner >= 0
        return self.time[self.partner[paired]] - self.step[paired]


def _grouped(times: Floats, neuron: Index, n: int) -> Grouped:
    """Spikes of n neurons, of each in order of time, neuron after neuron."""
    order = neuron_order(neuron, n)
    return Grouped(times[order], neuron_starts(neuron, n), order)
