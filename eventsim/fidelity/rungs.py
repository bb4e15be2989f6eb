"""The rungs of the ladder between coarse and continuous, which go layer by layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from eventsim.discrete.charge import link as charge_link
from eventsim.discrete.endcheck import EndCheck, can_check
from eventsim.encode import to_steps
from eventsim.fidelity.potentials import exact_scores
from eventsim.fidelity.samples import Array, Samples, Trains, exact
from eventsim.fidelity.sums import Found
from eventsim.fidelity.task import Task
from eventsim.fidelity.variants import feed_forward_order
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.populations import Input, Population, Relay
from eventsim.recording import Results, SpikeTrain
from eventsim.workers import Job, run_jobs

__all__ = ["Cascade"]


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
        neurons = [name for name in self._order if isinstance(self.net[name], Population)]
        neurons = [name for name in neurons if not self._decides(name)]
        #: Whether the rung endcheck exists for these neurons.
        self.tests = bool(neurons) and all(can_check(self.net[name]) for name in neurons)
        self._tests = {
            name: EndCheck(self.net, name, task.disc.dt) for name in neurons if self.tests
        }
        self._alone = {name: _alone(self.net, name) for name in self._order}

    def endcheck(self, samples: Samples, run: int) -> Found:
        """True arrival times and refractory phase, the threshold tested at ends of steps."""
        return self._climb(samples, run, self._tested)

    def isolated(self, samples: Samples, run: int) -> Found:
        """Each layer continuous, fed with the coarse spikes of the layers before it."""
        return self._climb(samples, run, self._exact, fed=samples.spikes)

    def rejit(self, samples: Samples, run: int) -> Found:
        """Each layer continuous, its spikes placed anew within their steps for the next."""
        return self._climb(samples, run, self._exact)

    def pooling(self, samples: Samples, run: int) -> Found:
        """As rejit, and max pooling by its continuous rule."""
        return self._climb(samples, run, self._exact, pools=self._exact)

    def delayed(self, late: Callable[[str, str], float | Array]) -> Callable[..., Found]:
        """The exact simulation with ``late(source, target)`` seconds of delay between populations.

        One number, or one for each unit of the source. Without recurrence, layer after layer with
        later inputs is the same as delays in the network, and much faster.
        """

        def run_samples(samples: Samples, run: int) -> Found:
            trains, counts, events = samples.inputs(run), {}, 0
            scores = None
            for name in self._order:
                inputs = {}
                for source in self._alone[name].inputs:
                    delay = np.broadcast_to(late(source, name), self.net[source].n)
                    inputs[source] = [
                        SpikeTrain.sorted(t.times + delay[t.senders], t.senders)
                        for t in trains[source]
                    ]
                results = self._simulated(samples, name, inputs)
                if self._decides(name):
                    scores = exact_scores(self.task, results, self.task.disc.duration)
                    events += results.n_events
                    continue
                counts[name] = results.counts[name]
                trains[name] = [r.spikes[name] for r in results]
                events += results.n_events
            return Found(counts, scores, events=events)

        return run_samples

    def _climb(
        self,
        samples: Samples,
        run: int,
        layer: Callable[..., Array],
        fed: Mapping[str, Array] | None = None,
        pools: Callable[..., Array] | None = None,
    ) -> Found:
        """Layer after layer; ``fed`` replaces what earlier layers did as the input of later ones.

        Max pooling takes the OR over a step, as in the coarse model, unless ``pools`` is given.
        """
        found: dict[str, Array] = {}
        given: dict[str, Array] = {} if isinstance(samples.task.entry, Population) else {
            samples.task.entry.name: samples.x
        }  # fmt: skip
        trains, scores = samples.inputs(run), None
        for name in self._order:
            if self._decides(name):
                results = self._simulated(samples, name, trains)
                scores = exact_scores(self.task, results, self.task.disc.duration)
                continue
            if isinstance(self.net[name], Relay) and pools is None:
                found[name] = self._or(name, given)
            else:
                run_layer = layer if isinstance(self.net[name], Population) else pools
                assert run_layer is not None
                found[name] = run_layer(samples, name, trains, run)
            given[name] = found[name] if fed is None else fed[name]
            if name in self._sources:
                trains[name] = samples.place(name, given[name], run)
        return Found(samples.counted(found), scores)

    def _decides(self, name: str) -> bool:
        """Whether a layer is one without spikes, whose exact potentials give the class."""
        return name in self.task.potentials

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
        net = self._alone[name]
        currents = [{name: of_sample[name]} if of_sample and name in of_sample else None
                    for of_sample in samples.currents]  # fmt: skip
        inputs = {source: trains[source] for source in net.inputs}
        record = "counts" if self._decides(name) else [name]
        return exact(net, samples, inputs, self.task.disc.duration, currents, record)


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
