"""Runs of one network: what is checked once, which loop is chosen, and samples through it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.engine import layered
from eventsim.engine.driver import QueueRun
from eventsim.engine.poisson import Drives
from eventsim.engine.replay import replay
from eventsim.errors import InvalidType, UnsupportedNetwork
from eventsim.inputs import check_interval, check_record, check_record_v, check_spreads
from eventsim.network import Network
from eventsim.provenance import run_provenance
from eventsim.recording import Result, SpikeTrain
from eventsim.trace import Trace

__all__ = ["Runs", "Sample", "Work", "cores", "prepare"]

ENGINES = ("auto", "queue", "layered", "windowed")

#: With more recorded potentials than this the queue engine, which records as it goes, is faster
#: than the others, after which each neuron is run again.
MAX_REPLAYED = 16

Currents = dict[str, NDArray[np.float64]]
Sample = tuple[dict[str, SpikeTrain], Currents, Drives]
Work = list[Sample]


class _Run(Protocol):
    """What the runs of one sample tell when they end, whatever loop they take."""

    @property
    def t_reached(self) -> float: ...
    @property
    def stop_reason(self) -> str: ...
    @property
    def n_events(self) -> int: ...
    def counts(self) -> dict[str, NDArray[np.int64]]: ...


def cores(where: str, threads: Any) -> int:
    """The threads that a caller chose, else as many as there are cores."""
    return (os.cpu_count() or 1) if threads is None else checks.whole(where, "threads", threads, 1)


def prepare(
    net: Network,
    t_start: Any,
    t_stop: Any,
    record: Any,
    record_v: Any,
    engine: Any,
    max_events: Any,
    seed: Any,
) -> Runs:
    """Check what all samples of a call share, and choose the loop."""
    if not isinstance(net, Network):
        raise InvalidType(f"simulate: net: expected a Network, got {type(net).__name__}")
    t_start, t_stop = check_interval(t_start, t_stop)
    check_spreads(net, t_stop)
    if engine not in ENGINES:
        raise checks.fail("simulate", "engine", f"one of {ENGINES}", repr(engine))
    keep = check_record(net, record)
    neurons = check_record_v(net, record_v)
    max_events = checks.whole("simulate", "max_events", max_events, 1)
    seed = checks.whole("simulate", "seed", seed, 0)
    chosen = _choose(net, engine, sum(map(len, neurons.values())), t_stop - t_start)
    return Runs(net, t_start, t_stop, keep, neurons, max_events, chosen, seed)


def _choose(net: Network, engine: str, traced: int, duration: float) -> str:
    """The loop to use, or why the one asked for cannot be."""
    reason = layered.why_not(net)
    if engine == "auto":
        if traced > MAX_REPLAYED:
            return "queue"
        if not reason:
            return "layered"
        from eventsim.engine import windowed  # many kernels, for networks that need them

        return "queue" if windowed.why_not(net, duration) else "windowed"
    if engine == "layered" and reason:
        raise UnsupportedNetwork(f"simulate: engine: 'layered' cannot run this: {reason}")
    return engine


class Runs:
    """What all samples of a call share: called with some of them, it runs these.

    Attributes
    ----------
    samples_per_call : int
        So many samples are best run together.
    threads : int
        Cores for each sample.
    """

    def __init__(
        self,
        net: Network,
        t_start: float,
        t_stop: float,
        keep: set[str],
        record_v: dict[str, NDArray[np.int64]],
        max_events: int,
        engine: str,
        seed: int,
    ) -> None:
        self.net, self.t_start, self.t_stop = net, t_start, t_stop
        self.keep, self.record_v = keep, record_v
        self.max_events, self.provenance = max_events, run_provenance(net, engine=engine)
        self.seed, self.threads = seed, 1
        loops = {"queue": self._each(self._queue), "windowed": self._each(self._windowed)}
        self._loop = {**loops, "layered": self._layered}[engine]
        self.samples_per_call = layered.SAMPLES_PER_CALL if engine == "layered" else 1
        #: How far the last run that began has come.
        self.reached: Callable[[], float] = lambda: t_start

    def sample(self, number: int, trains: dict[str, SpikeTrain], steps: Currents) -> Sample:
        """A sample as it is run; its number seeds what is drawn inside the network."""
        return trains, steps, Drives(self.net, self.seed, number, self.t_start)

    def __call__(self, work: Work, interrupted: Callable[[], bool]) -> list[Result]:
        """Results of some samples."""
        return self._loop(work, interrupted)

    @staticmethod
    def _each(one: Callable[..., Result]) -> Callable[[Work, Callable[[], bool]], list[Result]]:
        return lambda work, interrupted: [one(*sample, interrupted) for sample in work]

    def _queue(
        self,
        trains: dict[str, SpikeTrain],
        steps: Currents,
        drives: Drives,
        interrupted: Callable[[], bool],
    ) -> Result:
        began = time.perf_counter()
        run = QueueRun(
            self.net,
            self.t_start,
            keep=self.keep,
            record_v=self.record_v,
            currents=steps,
            drives=drives,
        )
        self.reached = lambda: run.now
        run.feed(trains)
        complete = run.advance(self.t_stop, self.max_events, interrupted)
        return self._result(run, "queue", began, complete, run.spikes(), run.traces())

    def _windowed(
        self,
        trains: dict[str, SpikeTrain],
        steps: Currents,
        drives: Drives,
        interrupted: Callable[[], bool],
    ) -> Result:
        from eventsim.engine import windowed

        began = time.perf_counter()
        needed, again = self._needed(), drives.copy()
        run = windowed.begin_run(
            self.net,
            trains,
            steps,
            self.t_start,
            self.t_stop,
            keep=needed,
            drives=drives,
            threads=self.threads,
        )
        self.reached = lambda: run.now
        complete = run.run(self.max_events, interrupted)
        if complete is None:
            return self._queue(trains, steps, again, interrupted)
        spikes = run.spikes()
        kept = {name: train for name, train in spikes.items() if name in self.keep}
        traces = self._replayed(spikes, steps, run.t_reached)
        return self._result(run, "windowed", began, complete, kept, traces)

    def _result(
        self,
        run: _Run,
        engine: str,
        began: float,
        complete: bool,
        spikes: dict[str, SpikeTrain],
        traces: dict[str, Trace],
    ) -> Result:
        """What a run of one sample gave."""
        return Result(
            network=self.net,
            spikes=spikes,
            counts=run.counts(),
            t_start=self.t_start,
            t_stop=self.t_stop,
            t_reached=run.t_reached,
            v=traces,
            complete=complete,
            stop_reason=run.stop_reason,
            n_events=run.n_events,
            engine=engine,
            wall_s=time.perf_counter() - began,
            provenance=self.provenance,
        )

    def _replayed(
        self, spikes: Mapping[str, SpikeTrain], steps: Currents, t_reached: float
    ) -> dict[str, Trace]:
        """Potentials that were asked for, from the spikes of all their sources."""
        none = np.zeros((0, 3))
        return {
            name: replay(
                self.net, name, neurons, spikes, steps.get(name, none), self.t_start, t_reached
            )
            for name, neurons in self.record_v.items()
        }

    def _layered(self, work: Work, interrupted: Callable[[], bool]) -> list[Result]:
        began = time.perf_counter()
        again = [drives.copy() for _, _, drives in work]
        outcome = layered.run(
            self.net,
            [{**trains, **drives.trains(self.t_stop)} for trains, _, drives in work],
            [w[1] for w in work],
            self.t_start,
            self.t_stop,
            self._needed(),
            self.max_events,
        )
        wall = (time.perf_counter() - began) / len(work)
        results = []
        for (trains, steps, _), drives, sample in zip(work, again, outcome, strict=True):
            if sample is None:
                # Too many spikes for a loop that goes layer by layer: the queue engine stops
                # such a run in time and keeps what it has.
                results.append(self._queue(trains, steps, drives, interrupted))
                continue
            results.append(
                Result(
                    network=self.net,
                    counts=sample.counts,
                    v=self._replayed(sample.spikes, steps, self.t_stop),
                    spikes={k: v for k, v in sample.spikes.items() if k in self.keep},
                    t_start=self.t_start,
                    t_stop=self.t_stop,
                    t_reached=self.t_stop,
                    n_events=sample.n_events,
                    engine="layered",
                    wall_s=wall,
                    provenance=self.provenance,
                )
            )
        return results

    def _needed(self) -> set[str]:
        """Populations whose spikes are kept, or lead to a recorded potential."""
        links = self.net.projections
        return self.keep | {link.source for link in links if link.target in self.record_v}

    def nothing(self, state: str) -> Result:
        """The result of a sample that an interrupt left without any."""
        return Result(
            network=self.net,
            spikes={name: SpikeTrain([], []) for name in self.keep},
            counts={p.name: np.zeros(p.n, dtype=np.int64) for p in self.net.populations},
            t_start=self.t_start,
            t_stop=self.t_stop,
            t_reached=self.t_start,
            complete=False,
            stop_reason=f"interrupted: {state}",
            provenance=self.provenance,
        )
