"""Sums over samples of what a rung of the ladder did, which can be kept in a file and added up.

All of them are integers, so parts add up to the same whole however the samples were cut.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import decode
from eventsim.fidelity import metrics
from eventsim.fidelity.ladder import Rung, RungLayer
from eventsim.fidelity.metrics import CountSums
from eventsim.fidelity.task import Task

__all__ = ["RungSums"]

Counts = Mapping[str, NDArray[np.int64]]


class RungSums:
    """Output counts of each sample, and sums over the units of each layer.

    Parameters
    ----------
    task : Task
        What is compared.
    runs : int
        Number of runs.

    Examples
    --------
    Parts are plain, and add up:

    >>> from eventsim import Dense, Discretization, Input, Network, Population
    >>> from eventsim.fidelity.task import check_task
    >>> net = Network([Input("in", 1), Population("out", 1, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("in", "out", [[0.6]])])
    >>> task = check_task(net, Discretization(dt=1e-3, steps=8), [[0.5], [1.0]], [0, 0],
    ...                   steps=None, jitter_seeds=1, spread=None, spreads=(), extend=0.0, seed=0)
    >>> part = RungSums(task, runs=1)
    >>> part.count(0, {"out": np.array([[2], [3]])}, {"out": np.array([[2], [4]])})
    >>> whole = RungSums(task, runs=1)
    >>> whole.add(part.to_dict())
    >>> whole.to_dict()["outputs"], whole.counts.shape
    ([[[2], [4]]], (1, 2, 1))
    """

    def __init__(self, task: Task, runs: int) -> None:
        self.task = task
        self._outputs: list[list[list[int]]] = [[] for _ in range(runs)]
        self._layers = {
            name: (CountSums(), 0, 0) for name in task.net.order if name not in task.net.inputs
        }

    def count(self, run: int, coarse: Counts, counts: Counts) -> None:
        """Add the counts [sample, n] of every layer in one run, beside those of the coarse run."""
        self._outputs[run] += counts[self.task.output.name].tolist()
        for name, (sums, silent, saturated) in self._layers.items():
            here = counts[name]
            self._layers[name] = (
                sums + CountSums.of(coarse[name], here),
                silent + int((here == 0).sum()),
                saturated + int((here >= self.task.disc.steps).sum()),
            )

    def add(self, part: Mapping[str, Any]) -> None:
        """Add what :meth:`to_dict` gave for the samples that follow."""
        for outputs, more in zip(self._outputs, part["outputs"], strict=True):
            outputs += more
        for name, (sums, silent, saturated) in self._layers.items():
            more = part["layers"][name]
            self._layers[name] = (
                sums + CountSums(**more["counts"]),
                silent + more["silent"],
                saturated + more["saturated"],
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as for JSON."""
        return {
            "outputs": self._outputs,
            "layers": {
                name: {
                    "counts": dataclasses.asdict(sums), "silent": silent, "saturated": saturated
                }
                for name, (sums, silent, saturated) in self._layers.items()
            },
        }  # fmt: skip

    @property
    def counts(self) -> NDArray[np.int64]:
        """Output counts [run, sample, n]."""
        return np.array(self._outputs, dtype=np.int64)

    @property
    def classes(self) -> list[NDArray[np.int64]]:
        """Class of each sample in each run."""
        return [decode.classes(counts) for counts in self.counts]

    def right(self) -> NDArray[np.float64]:
        """Share of the runs that give each sample its label."""
        return np.mean([classes == self.task.labels for classes in self.classes], axis=0)

    def rung(
        self,
        name: str,
        kind: str,
        what: str,
        window: float,
        coarse: RungSums,
        reference: tuple[str, RungSums] | None,
        second_draw: RungSums | None,
    ) -> Rung:
        """The numbers of the rung, with the coarse run, the rung before, and the yardstick."""
        labels, first = self.task.labels, coarse.classes[0]
        change = mcnemar = from_coarse = agreement = None
        if reference is not None:
            before = reference[1]
            change = metrics.paired_difference(before.right(), self.right())
            mcnemar = metrics.mcnemar(before.classes[0] == labels, self.classes[0] == labels)
            from_coarse = metrics.paired_difference(coarse.right(), self.right())
            agreement = tuple(metrics.agreement(first, classes) for classes in self.classes)
        return Rung(
            name=name,
            kind=kind,
            reference=None if reference is None else reference[0],
            what=what,
            window=window,
            accuracy=tuple(metrics.accuracy(labels, classes) for classes in self.classes),
            agreement=agreement,
            ties=tuple(metrics.tie_share(counts) for counts in self.counts),
            change=change,
            mcnemar=mcnemar,
            from_coarse=from_coarse,
            beyond_noise=None
            if second_draw is None or self in (coarse, second_draw)
            else metrics.paired_difference(second_draw._changed(first), self._changed(first)),
            layers=tuple(self._layer(layer, window, self is coarse) for layer in self._layers),
            counts=self.counts,
        )

    def _changed(self, reference: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of the runs in which each sample has another class."""
        return np.mean([classes != reference for classes in self.classes], axis=0)

    def _layer(self, name: str, window: float, same: bool) -> RungLayer:
        sums, silent, saturated = self._layers[name]
        return RungLayer(
            name=name,
            n=self.task.net[name].n,
            rate=sums.y / sums.n / window,
            silent=silent / sums.n,
            saturated=saturated / sums.n,
            bias=None if same else sums.bias,
            mae=None if same else sums.mae,
            correlation=None if same else sums.correlation,
        )
