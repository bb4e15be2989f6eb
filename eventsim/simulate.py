"""Simulate a network: one sample or a batch, on all cores."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eventsim.errors import IncompleteRunWarning, InvalidType
from eventsim.inputs import check_currents, check_trains, samples
from eventsim.network import Network
from eventsim.recording import Result, Results
from eventsim.runs import cores, prepare
from eventsim.session import DEFAULT_MAX_EVENTS, Session
from eventsim.workers import Job, run_jobs

__all__ = ["Session", "simulate"]


def simulate(
    net: Network,
    inputs: Mapping[str, Any],
    t_stop: float,
    *,
    t_start: float = 0.0,
    currents: Any = None,
    record: str | Sequence[str] = "spikes",
    record_v: Mapping[str, Any] | None = None,
    engine: str = "auto",
    threads: int | None = None,
    max_events: int = DEFAULT_MAX_EVENTS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Result | Results:
    """Run a network exactly, from ``t_start`` up to but not including ``t_stop``.

    Spike times carry no time step: between instants each potential has a closed form, and every
    upward crossing is found from it (:mod:`eventsim.dynamics`).

    Parameters
    ----------
    net : Network
        What to run.
    inputs : mapping of str to SpikeTrain, (times, senders), or a list of them
        Spikes of the Inputs. With lists, one entry for each sample, the run is a batch. An Input
        that is not named is silent. Spikes at or after ``t_stop`` are not reached.
    t_stop, t_start : float
        Seconds; ``0 <= t_start < t_stop``.
    currents : mapping of str to list of (time, neuron, value), or a list of such mappings
        Steps of external currents: the value holds from ``time`` on, 0 before the first. A list
        has one mapping for each sample.
    record : {"spikes", "counts"} or names
        Keep all spikes but those of Poisson populations, only their numbers (constant memory), or
        the spikes of the populations that are named. Numbers are always kept.
    record_v : mapping of str to list of int
        Neurons whose exact potential can be asked for after the run.
    engine : {"auto", "queue", "layered", "windowed"}
        The loop to use; it never changes a result. ``"auto"`` takes ``"layered"`` where it can,
        else ``"windowed"`` unless delays are very short.
    threads : int, optional
        Samples run on so many cores; default all. Any number gives the same bits.
    max_events : int
        A run that needs more events (spikes, arrivals, ends of pulses) stops, is marked
        incomplete, and says which population ran away.
    seed : int
        Of the Poisson populations. Sample ``k`` of a batch draws the streams of (seed, k).
    progress : callable, optional
        Called with (samples done, samples in all); while a single sample runs, with (thousandths
        of its time that are done, 1000).

    Returns
    -------
    Result or Results
        Of one sample, or of the batch.

    Raises
    ------
    InvalidValue, InvalidType
        An argument does not fit; the message names it.
    UnsupportedNetwork
        The engine that was asked for cannot run this network; the message says why.

    Warns
    -----
    IncompleteRunWarning
        A run stopped early. What it had done is returned.

    Examples
    --------
    Two spikes add up to the threshold; the third arrives in the refractory period and is lost.

    >>> from eventsim import Dense, Input, Network, Population, SpikeTrain, simulate
    >>> net = Network(
    ...     [Input("in", 1), Population("out", 1, tau_mem=10e-3, t_ref=2e-3)],
    ...     [Dense("in", "out", weight=[[0.6]])],
    ... )
    >>> result = simulate(net, {"in": SpikeTrain([0.001, 0.002, 0.003], [0, 0, 0])}, t_stop=0.01)
    >>> result.spikes["out"].times
    array([0.002])
    """
    run = prepare(net, t_start, t_stop, record, record_v, engine, max_events, seed)
    n = samples(inputs, currents)
    trains = check_trains(net, inputs, n, run.t_start)
    if isinstance(currents, list):
        steps = [check_currents(net, each, run.t_start) for each in currents]
    else:
        steps = [check_currents(net, currents, run.t_start)] * len(trains)
    threads = cores("simulate", threads)
    if progress is not None and not callable(progress):
        raise InvalidType(f"simulate: progress: expected a callable, got {type(progress).__name__}")
    #: What is left when each sample has a core.
    run.threads = max(1, threads // len(trains))
    # Samples that go through layers together share their weights, but no core shall be idle: there
    # are as many parts for each.
    rounds = -(-len(trains) // (run.samples_per_call * threads))
    size = -(-len(trains) // (rounds * threads))
    parts = [range(i, min(i + size, len(trains))) for i in range(0, len(trains), size)]

    def job(part: range, interrupted: Callable[[], bool]) -> list[Result]:
        return run([run.sample(i, trains[i], steps[i]) for i in part], interrupted)

    began = time.perf_counter()

    def tick() -> None:
        if progress is not None:
            done = (run.reached() - run.t_start) / (run.t_stop - run.t_start)
            progress(int(1000 * done), 1000)

    jobs = [Job(part, len(part)) for part in parts]
    watched = tick if progress is not None and len(trains) == 1 else None
    done = run_jobs(jobs, job, threads, progress, watched)
    results = [
        result
        for part, items in zip(parts, done, strict=True)
        for result in (items if isinstance(items, list) else [run.nothing(items) for _ in part])
    ]
    batch = Results(results, wall_s=time.perf_counter() - began)
    late = [r for r in results if not r.complete]
    if late:
        warnings.warn(
            f"{len(late)} of {len(results)} runs are incomplete: {late[0].stop_reason}",
            IncompleteRunWarning,
            stacklevel=2,
        )
    return batch[0] if n is None else batch
