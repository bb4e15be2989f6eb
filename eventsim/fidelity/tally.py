"""Sums over samples of what a variant did, so that no spikes need to be kept.

Counts add up as integers and the moments of intervals are added sample by sample, so the result
does not depend on how the samples were cut into chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import decode
from eventsim.fidelity import metrics
from eventsim.fidelity.metrics import CountSums, Moments
from eventsim.fidelity.result import Layer, Run, Variant
from eventsim.fidelity.task import Task

__all__ = ["Tally", "step_intervals"]

Counts = Mapping[str, NDArray[Any]]


class Tally:
    """Sums of one variant, over all its runs.

    Parameters
    ----------
    task : Task
        What is compared.
    name, kind, spread
        As in :class:`~eventsim.fidelity.result.Variant`.
    runs : int
        Number of runs.
    window : float
        Seconds over which spikes are counted.
    """

    def __init__(
        self, task: Task, name: str, kind: str, spread: float | None, runs: int, window: float
    ) -> None:
        self.task, self.name, self.kind, self.spread = task, name, kind, spread
        self.window = window
        self.layers = [name for name in task.net.order if name not in task.net.inputs]
        self.outputs = [
            np.zeros((task.samples, task.output.n), dtype=np.int64) for _ in range(runs)
        ]
        self._sums = dict.fromkeys(self.layers, CountSums())
        self._silent = dict.fromkeys(self.layers, 0)
        self._saturated = dict.fromkeys(self.layers, 0)
        self._moments = dict.fromkeys(self.layers, Moments())
        self.events = 0
        self.seconds = 0.0

    def add_counts(self, run: int, ids: NDArray[np.int64], coarse: Counts, counts: Counts) -> None:
        """Add the counts [sample, n] of every layer, beside those of the coarse run."""
        for name in self.layers:
            self._sums[name] += CountSums.of(coarse[name], counts[name])
            self._silent[name] += int((counts[name] == 0).sum())
            self._saturated[name] += int((counts[name] >= self.task.disc.steps).sum())
        self.outputs[run][ids] = counts[self.task.output.name]

    def add_intervals(self, name: str, samples: Iterable[NDArray[np.float64]]) -> None:
        """Add the interspike intervals of a layer, one array for each sample, in seconds."""
        for intervals in samples:
            self._moments[name] += Moments.of(intervals)

    def variant(self, coarse: Tally, second_draw: Tally | None = None) -> Variant:
        """The numbers, with the coarse run and the second draw as references."""
        labels = self.task.labels
        reference = decode.classes(coarse.outputs[0])
        runs = tuple(
            _run(labels, counts, None if self is coarse else reference) for counts in self.outputs
        )
        same = self is coarse
        correct = [run.classes == labels for run in runs]
        changed = self._changed(reference)
        return Variant(
            name=self.name,
            kind=self.kind,
            spread=self.spread,
            runs=runs,
            layers=tuple(self._layer(name, same) for name in self.layers),
            classes=metrics.per_class(labels, reference, runs[0].classes, self.task.output.n),
            change=None if same else metrics.paired_difference(
                reference == labels, np.mean(correct, axis=0)
            ),
            mcnemar=None if same else metrics.mcnemar(reference == labels, correct[0]),
            beyond_noise=None if second_draw is None else metrics.paired_difference(
                second_draw._changed(reference), changed
            ),
            events=self.events,
        )  # fmt: skip

    def _changed(self, reference: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of runs in which each sample has another class."""
        return np.mean([decode.classes(counts) != reference for counts in self.outputs], axis=0)

    def _layer(self, name: str, same: bool) -> Layer:
        sums, moments, n = self._sums[name], self._moments[name], self.task.net[name].n
        return Layer(
            name=name,
            n=n,
            spikes=sums.y * n / sums.n,
            rate=sums.y / sums.n / self.window,
            silent=self._silent[name] / sums.n,
            saturated=self._saturated[name] / sums.n,
            isi_mean=moments.mean,
            isi_cv=moments.cv,
            isi_n=moments.n,
            bias=None if same else sums.bias,
            mae=None if same else sums.mae,
            correlation=None if same else sums.correlation,
        )


def step_intervals(spikes: NDArray[np.uint8], dt: float) -> NDArray[np.float64]:
    """Interspike intervals in seconds of the spikes in steps [step, n] of one sample.

    >>> step_intervals(np.array([[1, 0], [0, 1], [1, 1]], dtype=np.uint8), dt=0.5)
    array([1. , 0.5])
    """
    unit, step = np.nonzero(spikes.T)
    return np.diff(step)[np.diff(unit) == 0] * dt


def _run(
    labels: NDArray[np.int64], counts: NDArray[np.int64], reference: NDArray[np.int64] | None
) -> Run:
    classes = decode.classes(counts)
    expected = metrics.expected_accuracy(labels, counts)
    return Run(
        accuracy=metrics.accuracy(labels, classes),
        agreement=None if reference is None else metrics.agreement(reference, classes),
        ties=metrics.tie_share(counts),
        silent=metrics.share(decode.silent(counts)),
        expected_accuracy=0.0 if expected is None else expected,
        counts=counts,
        classes=classes,
    )
