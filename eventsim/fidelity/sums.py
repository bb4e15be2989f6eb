"""Sums over samples of what a plan gave, which can be kept in a file and added up.

Counts add up as integers, and details sample by sample, so the result does not depend on how the
samples were cut.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from eventsim import decode
from eventsim.fidelity import metrics
from eventsim.fidelity.metrics import CountSums
from eventsim.fidelity.task import Task

__all__ = ["Counts", "Details", "Found", "LayerSums", "Sums"]

Counts = Mapping[str, NDArray[np.int64]]


class Details(Protocol):
    """Something about samples that adds up and can be written as plain types."""

    def __add__(self, other: Self) -> Self: ...

    def to_dict(self) -> dict[str, Any]: ...

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self: ...


@dataclass(frozen=True)
class Found:
    """What a plan gives for some samples.

    Attributes
    ----------
    counts : mapping of str to array of int64 [sample, n]
        Spikes of every layer that spikes.
    scores : array [sample, class] or None
        What decides the class, where it is not the counts of the output.
    details : mapping of str to Details
        More that adds up, of the classes that the plan names.
    events : int
        Synaptic arrivals.
    """

    counts: Counts
    scores: NDArray[Any] | None = None
    details: Mapping[str, Details] = field(default_factory=dict)
    events: int = 0


@dataclass(frozen=True)
class LayerSums:
    """Counts of a layer beside those of the coarse run, and its units at the ends of the scale.

    ``silent`` and ``saturated`` are numbers of units, once for each sample and run.
    """

    counts: CountSums = CountSums()
    silent: int = 0
    saturated: int = 0

    @classmethod
    def of(cls, coarse: NDArray[np.int64], here: NDArray[np.int64], steps: int) -> LayerSums:
        """From counts [sample, n]; saturated units have as many spikes as there are steps."""
        return cls(CountSums.of(coarse, here), int((here == 0).sum()), int((here >= steps).sum()))

    def __add__(self, other: LayerSums) -> LayerSums:
        return LayerSums(
            self.counts + other.counts,
            self.silent + other.silent,
            self.saturated + other.saturated,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LayerSums:
        """What ``dataclasses.asdict`` gave."""
        return cls(CountSums(**values["counts"]), values["silent"], values["saturated"])

    def numbers(self, window: float, same: bool) -> dict[str, Any]:
        """Rate over so many seconds, shares, and comparison with the coarse run if it is not it."""
        sums = self.counts
        return {
            "rate": sums.y / sums.n / window,
            "silent": self.silent / sums.n,
            "saturated": self.saturated / sums.n,
            "bias": None if same else sums.bias,
            "mae": None if same else sums.mae,
            "correlation": None if same else sums.correlation,
        }


class Sums:
    """Output of each sample, sums over the units of each layer, and details.

    Parameters
    ----------
    task : Task
        What is compared.
    runs : int
        Number of runs.
    details : mapping of str to type
        Classes of the details.

    Examples
    --------
    Parts are plain, and add up:

    >>> from eventsim import Dense, Discretization, Input, Network, Population
    >>> from eventsim.fidelity.task import check_task
    >>> net = Network([Input("in", 1), Population("out", 1, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("in", "out", [[0.6]])])
    >>> task = check_task(net, Discretization(dt=1e-3, steps=8), [[0.5], [1.0]], [0, 0])
    >>> part = Sums(task, runs=1)
    >>> part.count(0, {"out": np.array([[2], [3]])}, Found({"out": np.array([[2], [4]])}))
    >>> whole = Sums(task, runs=1)
    >>> whole.add(part.to_dict())
    >>> whole.to_dict()["outputs"], whole.outputs.shape
    ([[[2], [4]]], (1, 2, 1))
    """

    def __init__(
        self, task: Task, runs: int, details: Mapping[str, type[Details]] | None = None
    ) -> None:
        self.task = task
        self._outputs: list[list[list[Any]]] = [[] for _ in range(runs)]
        self.layers = {name: LayerSums() for name in task.layers}
        self._classes = details or {}
        self.details: dict[str, Any] = {}
        self.events = 0

    def count(self, run: int, coarse: Counts, found: Found) -> None:
        """Add what a run gave for some samples, beside the counts of the coarse run."""
        scores = found.scores
        if scores is None:
            scores = self.task.by_class(found.counts[self.task.output.name])
        self._outputs[run] += scores.tolist()
        steps = self.task.counted_steps
        for name, sums in self.layers.items():
            self.layers[name] = sums + LayerSums.of(coarse[name], found.counts[name], steps)
        for name, detail in found.details.items():
            self._add_detail(name, detail)
        self.events += found.events

    def add(self, part: Mapping[str, Any]) -> None:
        """Add what :meth:`to_dict` gave for the samples that follow."""
        for outputs, more in zip(self._outputs, part["outputs"], strict=True):
            outputs += more
        for name, sums in self.layers.items():
            self.layers[name] = sums + LayerSums.from_dict(part["layers"][name])
        for name, values in part["details"].items():
            self._add_detail(name, self._classes[name].from_dict(values))
        self.events += part["events"]

    def _add_detail(self, name: str, detail: Any) -> None:
        before = self.details.get(name)
        self.details[name] = detail if before is None else before + detail

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as for JSON."""
        return {
            "outputs": self._outputs,
            "layers": {name: dataclasses.asdict(sums) for name, sums in self.layers.items()},
            "details": {name: detail.to_dict() for name, detail in self.details.items()},
            "events": self.events,
        }

    @property
    def outputs(self) -> NDArray[Any]:
        """What decides the class, counts or other scores, [run, sample, class]."""
        return np.array(self._outputs)

    @property
    def classes(self) -> list[NDArray[np.int64]]:
        """Class of each sample in each run: the largest output, the first of equal ones."""
        return [decode.classes(outputs) for outputs in self.outputs]

    def right(self) -> NDArray[np.float64]:
        """Share of the runs that give each sample its label."""
        return np.mean([classes == self.task.labels for classes in self.classes], axis=0)

    def changed(self, reference: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of the runs in which each sample has another class."""
        return np.mean([classes != reference for classes in self.classes], axis=0)

    def against(self, reference: Sums) -> metrics.Difference:
        """Accuracy minus that of another plan on the same samples."""
        return metrics.paired_difference(reference.right(), self.right())

    def mcnemar(self, reference: Sums) -> metrics.McNemar:
        """Test of the same for the first run of both."""
        labels = self.task.labels
        return metrics.mcnemar(reference.classes[0] == labels, self.classes[0] == labels)

    def beyond_noise(self, coarse: Sums, second_draw: Sums | None) -> metrics.Difference | None:
        """Share of samples with another class, minus the share that a second draw changes."""
        if second_draw is None or self is coarse or self is second_draw:
            return None
        first = coarse.classes[0]
        return metrics.paired_difference(second_draw.changed(first), self.changed(first))
