"""Simulate samples one after the other, as many as there are, in constant memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from eventsim.errors import EventsimError, IncompleteRunWarning, InvalidType
from eventsim.inputs import check_currents, check_train
from eventsim.network import Network
from eventsim.recording import Result
from eventsim.runs import Runs, Sample, Work, cores, prepare
from eventsim.session import DEFAULT_MAX_EVENTS
from eventsim.workers import run_stream

__all__ = ["simulate_stream"]


def simulate_stream(
    net: Network,
    samples: Iterable[Any],
    t_stop: float,
    *,
    t_start: float = 0.0,
    record: str | Sequence[str] = "spikes",
    record_v: Mapping[str, Any] | None = None,
    engine: str = "auto",
    threads: int | None = None,
    max_events: int = DEFAULT_MAX_EVENTS,
    seed: int = 0,
) -> Iterator[Result]:
    """Run a network on any number of samples, in memory that does not grow with it.

    Samples are drawn from ``samples`` when they are needed, and their results are handed out in
    order, while others run. Only few are held: 32 for each thread and 32 more in feed-forward
    networks without delay, 1 for each thread and one more in others. The results have the bits of
    :func:`eventsim.simulate`.

    Parameters
    ----------
    net : Network
        What to run.
    samples : iterable of mapping, or of (mapping, mapping)
        For each sample the spikes of the Inputs, as ``inputs`` of :func:`eventsim.simulate`; or
        these and the steps of external currents, as ``currents`` there. A generator is best.
    t_stop, t_start, record, record_v, engine, threads, max_events, seed
        As in :func:`eventsim.simulate`.

    Yields
    ------
    Result
        Of each sample.

    Raises
    ------
    InvalidValue, InvalidType, UnsupportedNetwork
        An argument does not fit (at once), or a sample (after the results of those before it).

    Warns
    -----
    IncompleteRunWarning
        A run stopped early; said of the first one.

    Examples
    --------
    >>> from eventsim import Dense, Input, Network, Population
    >>> net = Network([Input("in", 1), Population("out", 1, tau_mem=5e-3)],
    ...               [Dense("in", "out", weight=[[0.6]])])
    >>> samples = ({"in": ([0.001, 0.001 * k], [0, 0])} for k in range(2, 5))
    >>> [result.counts["out"].tolist() for result in simulate_stream(net, samples, t_stop=0.01)]
    [[1], [1], [0]]

    Notes
    -----
    After Ctrl-C the samples under way are handed out with what they have, marked incomplete, and
    then KeyboardInterrupt is raised. :func:`eventsim.save_result` writes the results to a file as
    they come.
    """
    run = prepare(net, t_start, t_stop, record, record_v, engine, max_events, seed)
    if isinstance(samples, Mapping) or not isinstance(samples, Iterable):
        raise InvalidType(
            "simulate_stream: samples: expected an iterable of mappings, "
            f"got {type(samples).__name__}"
        )
    return _results(run, samples, cores("simulate_stream", threads))


def _results(run: Runs, samples: Iterable[Any], threads: int) -> Iterator[Result]:
    told = False
    for part, found in run_stream(_parts(run, samples), run, threads):
        for result in found if isinstance(found, list) else [run.nothing(found) for _ in part]:
            if not result.complete and not told:
                told = True
                warnings.warn(
                    f"a run is incomplete: {result.stop_reason}", IncompleteRunWarning, stacklevel=3
                )
            yield result


def _parts(run: Runs, samples: Iterable[Any]) -> Iterator[Work]:
    """Checked samples, as many together as are best run so."""
    part: Work = []
    try:
        for number, sample in enumerate(samples):
            part.append(_checked(run, number, sample))
            if len(part) == run.samples_per_call:
                yield part
                part = []
    except Exception:
        if part:
            yield part
        raise
    if part:
        yield part


def _checked(run: Runs, number: int, sample: Any) -> Sample:
    inputs, currents = sample if isinstance(sample, tuple) and len(sample) == 2 else (sample, None)
    if not isinstance(inputs, Mapping):
        raise InvalidType(
            f"simulate_stream: samples[{number}]: expected a mapping of names to spikes, "
            f"got {type(inputs).__name__}"
        )
    try:
        trains = {
            name: check_train(run.net, name, train, run.t_start) for name, train in inputs.items()
        }
        return run.sample(number, trains, check_currents(run.net, currents, run.t_start))
    except EventsimError as error:
        raise type(error)(f"samples[{number}]: {error}") from error
