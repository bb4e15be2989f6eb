"""How the rungs of the ladder run: each takes some samples and gives the counts of every layer.

What is random belongs to a sample, a run and a layer, and not to a rung: the spike that a neuron
has in some step is placed at the same time within it in every rung. So two rungs differ in what
the second one changes, and not in another draw.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.discrete.charge import link as charge_link
from eventsim.discrete.endcheck import EndCheck
from eventsim.encode import encode, to_currents, to_spike_trains, to_steps
from eventsim.errors import EventsimError, IncompleteRunWarning
from eventsim.fidelity.task import Task
from eventsim.fidelity.variants import feed_forward_order
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.populations import Input, Population, Relay
from eventsim.recording import Results, SpikeTrain
from eventsim.simulate import simulate
from eventsim.workers import Job, run_jobs

__all__ = ["Cascade", "Samples", "coarse", "continuous", "second_draw"]

Array = NDArray[Any]
Counts = dict[str, NDArray[np.int64]]
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
        self.counts = _counts(self, self.spikes)
        self.currents: list[Any] = [None] * len(ids)
        if isinstance(task.entry, Population):
            self.currents = to_currents(self.x, task.disc, task.entry)
        self._inputs: dict[int, Trains] = {}

    def twin(self, x: Array) -> dict[str, Array]:
        """Spikes in steps [sample, step, n] of every population of the coarse model."""
        spikes = self.task.disc.run(self.task.net, x, layers=True, threads=self.threads)
        assert isinstance(spikes, dict)
        return spikes

    def inputs(self, run: int) -> dict[str, Trains]:
        """The input spikes at their times within the steps; the same in every rung."""
        task = self.task
        if isinstance(task.entry, Population):
            return {}
        if run not in self._inputs:
            seed = task.seed if run == 0 else (task.seed, run)
            self._inputs[run] = to_spike_trains(
                self.x, task.disc.dt, seed=seed, sample_ids=self.ids
            )
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


def coarse(samples: Samples, run: int) -> Counts:
    """The twin on the input of all rungs."""
    return samples.counts


def second_draw(samples: Samples, run: int) -> Counts:
    """The twin on another draw of the input."""
    task, ids = samples.task, samples.ids
    x = encode(task.pixels[ids], task.disc, seed=(task.seed, run + 1), sample_ids=ids)
    return _counts(samples, samples.twin(x))


def continuous(net: Network, window: float) -> Callable[[Samples, int], Counts]:
    """The exact simulation of a network, over so many seconds."""

    def run_samples(samples: Samples, run: int) -> Counts:
        found = _simulate(net, samples, samples.inputs(run), window, samples.currents, "counts")
        return {name: found.counts[name] for name in _layers(samples.task)}

    return run_samples


class Cascade:
    """The rungs between coarse and continuous, which go layer by layer.

    Parameters
    ----------
    task : Task
        What is compared. Its first pulse width is that of all synapses.

    Raises
    ------
    UnsupportedNetwork
        The network is recurrent.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.net = task.net.with_spread(task.spreads[0])
        self._order = [
            name for name in feed_forward_order(self.net) if not isinstance(self.net[name], Input)
        ]
        self._sources = {link.source for link in self.net.projections}
        self._tests = {
            name: EndCheck(self.net, name, task.disc.dt)
            for name in self._order
            if isinstance(self.net[name], Population)
        }
        self._alone = {name: _alone(self.net, name) for name in self._order}

    def endcheck(self, samples: Samples, run: int) -> Counts:
        """True arrival times and refractory phase, the threshold tested at ends of steps."""
        return self._climb(samples, run, self._tested)

    def isolated(self, samples: Samples, run: int) -> Counts:
        """Each layer continuous, fed with the coarse spikes of the layers before it."""
        return self._climb(samples, run, self._exact, fed=samples.spikes)

    def rejit(self, samples: Samples, run: int) -> Counts:
        """Each layer continuous, its spikes placed anew within their steps for the next."""
        return self._climb(samples, run, self._exact)

    def pooling(self, samples: Samples, run: int) -> Counts:
        """As rejit, and max pooling by its continuous rule."""
        return self._climb(samples, run, self._exact, pools=self._exact)

    def delayed(self, delay: float) -> Callable[[Samples, int], Counts]:
        """The exact simulation with so many seconds of delay before every layer of neurons.

        Without recurrence, layer after layer with later inputs is the same as delays in the
        network, and much faster.
        """

        def run_samples(samples: Samples, run: int) -> Counts:
            trains, counts = samples.inputs(run), {}
            for name in self._order:
                late = delay if isinstance(self.net[name], Population) else 0.0
                inputs = {
                    source: [SpikeTrain.sorted(t.times + late, t.senders) for t in trains[source]]
                    for source in self._alone[name].inputs
                }
                results = self._simulated(samples, name, inputs)
                counts[name] = results.counts[name]
                trains[name] = [r.spikes[name] for r in results]
            return {name: counts[name] for name in _layers(self.task)}

        return run_samples

    def _climb(
        self,
        samples: Samples,
        run: int,
        layer: Callable[..., Array],
        fed: Mapping[str, Array] | None = None,
        pools: Callable[..., Array] | None = None,
    ) -> Counts:
        """Layer after layer; ``fed`` replaces what earlier layers did as the input of later ones.

        Max pooling takes the OR over a step, as in the coarse model, unless ``pools`` is given.
        """
        found: dict[str, Array] = {}
        given: dict[str, Array] = {} if isinstance(samples.task.entry, Population) else {
            samples.task.entry.name: samples.x
        }  # fmt: skip
        trains = samples.inputs(run)
        for name in self._order:
            if isinstance(self.net[name], Relay) and pools is None:
                found[name] = self._or(name, given)
            else:
                run_layer = layer if isinstance(self.net[name], Population) else pools
                assert run_layer is not None
                found[name] = run_layer(samples, name, trains, run)
            given[name] = found[name] if fed is None else fed[name]
            if name in self._sources:
                trains[name] = samples.place(name, given[name], run)
        return _counts(samples, found)

    def _or(self, name: str, given: Mapping[str, Array]) -> Array:
        """Max pooling of spikes in steps, as in the coarse model."""
        pool = next(link for link in self.net.projections if link.target == name)
        spikes = given[pool.source]
        samples, steps, n = spikes.shape
        late = round(pool.min_delay / self.task.disc.dt)
        out = np.zeros((samples, steps + late, self.net[name].n), dtype=np.uint8)
        passed = np.zeros((samples * steps, self.net[name].n), dtype=np.uint8)
        charge_link(self.net, pool, np.uint8).add(spikes.reshape(-1, n), passed)
        out[:, late:] = passed.reshape(samples, steps, -1)
        return out[:, :steps]

    def _tested(self, samples: Samples, name: str, trains: dict[str, Trains], run: int) -> Array:
        """Spikes in steps of one layer whose threshold is tested at the ends of steps."""
        test, times = self._tests[name], samples.places(name, run)
        spikes = np.zeros(times.shape, dtype=np.uint8)

        def one(sample: int, interrupted: Callable[[], bool]) -> bool:
            current = None
            if steps := (samples.currents[sample] or {}).get(name):
                current = np.zeros(test.n)
                for _, neuron, value in steps:
                    current[neuron] = value
            here = {source: of_samples[sample] for source, of_samples in trains.items()}
            spikes[sample] = test.run(here, times[sample], current)
            return True

        jobs = [Job(sample, 1) for sample in range(len(samples.ids))]
        if not all(done is True for done in run_jobs(jobs, one, samples.threads)):
            raise KeyboardInterrupt
        return spikes

    def _exact(self, samples: Samples, name: str, trains: dict[str, Trains], run: int) -> Array:
        """Spikes in steps of one layer that is simulated by itself."""
        disc, n = self.task.disc, self.net[name].n
        results = self._simulated(samples, name, trains)
        return np.stack([to_steps(r.spikes[name], n, disc.dt, disc.steps) for r in results])

    def _simulated(self, samples: Samples, name: str, trains: dict[str, Trains]) -> Results:
        """One layer by itself, over the window of the coarse model."""
        net, entry = self._alone[name], self.task.entry
        currents = samples.currents if name == entry.name else [None] * len(samples.ids)
        inputs = {source: trains[source] for source in net.inputs}
        return _simulate(net, samples, inputs, self.task.disc.duration, currents, [name])


def _layers(task: Task) -> list[str]:
    return [name for name in task.net.order if name not in task.net.inputs]


def _counts(samples: Samples, spikes: Mapping[str, Array]) -> Counts:
    return {name: spikes[name].sum(axis=1, dtype=np.int64) for name in _layers(samples.task)}


def _alone(net: Network, name: str) -> Network:
    """One layer with its sources as Inputs."""
    links, sources = [], {}
    for link in net.projections:
        if link.target != name:
            continue
        source = net[link.source]
        sources[source.name] = Input(source.name, source.shape)
        if isinstance(link, MaxPool2d) and link.window is None and isinstance(source, Population):
            # An Input has no refractory period, which the window is by default.
            link = dataclasses.replace(link, window=float(source.array("t_ref").max()))
        links.append(link)
    return Network([*sources.values(), net[name]], links)


def _simulate(
    net: Network,
    samples: Samples,
    inputs: dict[str, Trains],
    window: float,
    currents: list[Any],
    record: str | list[str],
) -> Results:
    """Exact runs that all reached the end of the window."""
    with warnings.catch_warnings():
        # An incomplete run becomes an error below.
        warnings.simplefilter("ignore", IncompleteRunWarning)
        results = simulate(
            net, inputs, window, currents=currents, record=record, threads=samples.threads
        )
    assert isinstance(results, Results)
    for sample, result in zip(samples.ids, results, strict=True):
        if result.complete:
            continue
        if "interrupted" in result.stop_reason:
            raise KeyboardInterrupt
        raise EventsimError(
            f"attribute: sample {sample}: expected a run to the end of the window, "
            f"got: {result.stop_reason}"
        )
    return results
