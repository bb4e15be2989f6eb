"""Some of the samples, what all plans share on them, and the plainest plans.

What is random belongs to a sample, a run and a layer, and not to a plan: the spike that a neuron
has in some step is placed at the same time within it in every plan. So two plans differ in what
the second one changes, and not in another draw.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.analog import analog_currents
from eventsim.discretization import Discretization
from eventsim.encode import encode, to_spike_trains
from eventsim.errors import EventsimError, IncompleteRunWarning
from eventsim.fidelity.potentials import exact_scores, twin_scores
from eventsim.fidelity.sums import Found
from eventsim.fidelity.task import Task
from eventsim.network import Network
from eventsim.populations import Population
from eventsim.recording import Results, SpikeTrain
from eventsim.simulate import simulate

__all__ = ["Samples", "coarse", "continuous", "exact", "second_draw", "stepped_by"]

Array = NDArray[Any]
Trains = list[SpikeTrain]


class Samples:
    """Some of the samples, with what all rungs share: input spikes and the coarse run.

    Parameters
    ----------
    task : Task
        What is compared.
    ids : array of int
        Which samples.
    threads : int
        Cores to use; no effect on results.
    """

    def __init__(self, task: Task, ids: NDArray[np.int64], threads: int) -> None:
        self.task, self.ids, self.threads = task, ids, threads
        self.x = encode(task.pixels[ids], task.disc, seed=task.seed, sample_ids=ids)
        self.spikes = self.twin(self.x)
        self.counts = self.counted(self.spikes)
        self.currents: list[Any] = [None] * len(ids)
        if task.analog:
            self.currents = analog_currents(task.net, task.disc, self.x)
        self._inputs: dict[int, Trains] = {}
        #: What several plans need and one of them made.
        self.memory: dict[Any, Any] = {}

    def twin(self, x: Array) -> dict[str, Array]:
        """Spikes in steps [sample, step, n] of every population of the coarse model."""
        spikes = self.task.disc.run(self.task.net, x, layers=True, threads=self.threads)
        assert isinstance(spikes, dict)
        return spikes

    @cached_property
    def scores(self) -> Array | None:
        """What decides the class in the coarse run, where the output does not spike."""
        return twin_scores(self.task, self.x, self.threads)

    def drawn_again(self, run: int) -> Array:
        """Another draw of the input."""
        task = self.task
        seed = (task.seed, run + 1)
        return encode(task.pixels[self.ids], task.disc, seed=seed, sample_ids=self.ids)

    def counted(self, spikes: Mapping[str, Array]) -> dict[str, NDArray[np.int64]]:
        """Counts [sample, n] of every layer from spikes in steps [sample, step, n]."""
        first = self.task.settle
        return {
            name: spikes[name][:, first:].sum(axis=1, dtype=np.int64) for name in self.task.layers
        }

    def inputs(self, run: int) -> dict[str, Trains]:
        """The input spikes at their times within the steps; the same in every rung."""
        task = self.task
        if isinstance(task.entry, Population):
            return {}
        if task.analog:
            return {task.entry.name: [SpikeTrain([], [])] * len(self.ids)}
        if run not in self._inputs:
            seed = task.seed if run == 0 else (task.seed, run)
            self._inputs[run] = to_spike_trains(
                self.x, task.disc.dt, jitter=task.jitter, phase=task.phase, seed=seed,
                sample_ids=self.ids,
            )  # fmt: skip
        return {task.entry.name: self._inputs[run]}

    def place(self, name: str, spikes: Array, run: int) -> Trains:
        """Spikes in steps [sample, step, n] of a layer, each at a uniform time within its step.

        A neuron without a refractory period may spike more than once in a step; the further
        spikes have times of their own.
        """
        trains = self._placed(name, spikes > 0, run, 0)
        for copy in range(1, int(spikes.max(initial=0))):
            more = self._placed(name, spikes > copy, run, copy)
            trains = [
                SpikeTrain.sorted(
                    np.concatenate([a.times, b.times]), np.concatenate([a.senders, b.senders])
                )
                for a, b in zip(trains, more, strict=True)
            ]
        return trains

    def places(self, name: str, run: int) -> NDArray[np.float64]:
        """Where :meth:`place` puts the first spike of each step, [sample, step, n]."""
        steps, n = self.task.disc.steps, self.task.net[name].n
        every = np.ones((len(self.ids), steps, n), dtype=np.uint8)
        times = np.empty(every.shape)
        for sample, train in enumerate(self._placed(name, every, run, 0)):
            # Sorted by time, so stably sorted by sender the steps of each neuron are in order.
            of_neurons = train.times[np.argsort(train.senders, kind="stable")]
            times[sample] = of_neurons.reshape(n, steps).T
        return times

    def _placed(self, name: str, spikes: Array, run: int, copy: int) -> Trains:
        layer = [p.name for p in self.task.net.populations].index(name)
        seed = (self.task.seed, run, layer, copy)
        return to_spike_trains(spikes, self.task.disc.dt, seed=seed, sample_ids=self.ids)


def coarse(samples: Samples, run: int) -> Found:
    """The twin on the input of all plans."""
    return Found(samples.counts, samples.scores)


def second_draw(samples: Samples, run: int) -> Found:
    """The twin on another draw of the input."""
    x = samples.drawn_again(run)
    counts = samples.counted(samples.twin(x))
    return Found(counts, twin_scores(samples.task, x, samples.threads))


def stepped_by(disc: Discretization) -> Callable[[Samples, int], Found]:
    """The twin under other rules, on the input of all plans."""

    def run_samples(samples: Samples, run: int) -> Found:
        spikes = disc.run(samples.task.net, samples.x, layers=True, threads=samples.threads)
        assert isinstance(spikes, dict)
        scores = twin_scores(samples.task, samples.x, samples.threads, disc)
        return Found(samples.counted(spikes), scores)

    return run_samples


def continuous(net: Network, window: float) -> Callable[[Samples, int], Found]:
    """The exact simulation of a network, over so many seconds."""

    def run_samples(samples: Samples, run: int) -> Found:
        task, begin = samples.task, samples.task.settle * samples.task.disc.dt
        record = task.layers if begin else "counts"
        found = exact(net, samples, samples.inputs(run), window, samples.currents, record)
        counts = {name: found.counts[name] for name in task.layers}
        if begin:
            counts = {name: counts_from(found, name, task.net[name].n, begin) for name in counts}
        return Found(counts, exact_scores(task, found, window), events=found.n_events)

    return run_samples


def counts_from(results: Results, name: str, n: int, begin: float) -> NDArray[np.int64]:
    """Counts [sample, n] of a layer without the spikes before ``begin``."""
    trains = [result.spikes[name] for result in results]
    return np.stack([np.bincount(t.senders[t.times >= begin], minlength=n) for t in trains])


def exact(
    net: Network,
    samples: Samples,
    inputs: dict[str, Trains],
    window: float,
    currents: list[Any],
    record: str | list[str],
    engine: str = "auto",
    record_v: Mapping[str, Any] | None = None,
) -> Results:
    """Exact runs that all reached the end of the window, with the potentials that decide."""
    kept = {name: of for name, of in samples.task.potentials.items() if name in net}
    kept |= record_v or {}
    with warnings.catch_warnings():
        # An incomplete run becomes an error below.
        warnings.simplefilter("ignore", IncompleteRunWarning)
        results = simulate(
            net, inputs, window, currents=currents, record=record, record_v=kept or None,
            engine=engine, threads=samples.threads,
        )  # fmt: skip
    assert isinstance(results, Results)
    for sample, result in zip(samples.ids, results, strict=True):
        if result.complete:
            continue
        if "interrupted" in result.stop_reason:
            raise KeyboardInterrupt
        raise EventsimError(
            f"{samples.task.where}: sample {sample}: expected a run to the end of the window, "
            f"got: {result.stop_reason}"
        )
    return results
