r"""Clock-driven simulation: the continuous network advanced with a fixed time step.

What nearly every other simulator does, and :func:`eventsim.simulate` does not: time is a grid
:math:`t_k = k h`, and whatever happens, happens at a grid time. :func:`stepped` runs the same
:class:`~eventsim.Network` that way, so that one can see what a step of a given length costs. The
first grid time is 0, where initial potentials are tested.

**From grid time to grid time.** With :math:`x = v - v_\mathrm{leak}` and the drive D in volts per
second, which is constant in between (currents and bias :math:`r i / \tau`, pulses),

.. math::

    \text{exponential: } & x_{k+1} = x_k e^{-h/\tau} + D_k \tau (1 - e^{-h/\tau})
        + \sum_j g_j y_{j,k} \varphi_j(h) \\
    \text{Euler: } & x_{k+1} = x_k + h \bigl( -x_k / \tau + D_k + \sum_j g_j y_{j,k} \bigr)

(:math:`x_k + h D_k` and so on without leak). The :math:`y_j` are the currents of receptors, the
spike-triggered current and the adaptation of the threshold; in both methods they decay exactly,
:math:`y_{j,k+1} = y_{j,k} e^{-h/\tau_j}`. Exact integration takes what they add within the step,
:math:`\varphi_j`, from :mod:`eventsim.dynamics.exponentials`. A neuron that is refractory keeps
its potential.

**At a grid time**, neurons having moved:

1. Steps of currents are applied, and hold from here on.
2. Populations are visited in the order of the projections whose delay is zero steps. What has
   arrived in :math:`(t_{k-1}, t_k]` acts now: deltas are added to the potential, unless the neuron
   is refractory; currents of receptors rise; pulses begin, or end.
3. Each neuron is tested once, spikes at :math:`t_k` and is reset. A spike without delay reaches
   the populations visited after in the same instant.

**Durations become whole steps.** Delays: rounded, to zero too. Refractory periods, the width of
pulses and the closure of pooled windows: rounded, but at least one step where they are not zero. A
pulse of n steps adds :math:`w / (n h)` to dv/dt, so that its charge is w whatever h. (Halves are
rounded to even numbers.) A neuron that spikes at :math:`t_k` and is refractory for n steps moves
again from :math:`t_{k+n}` on, and takes what arrives there.

So each layer adds an error of up to a step for the arrival and a step for the spike, crossings
between grid times that do not last until the next one are missed, and arrivals of one step meet
though they came one after the other. Only where all times are on the grid and only arrivals make
spikes is a clock-driven run exact.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from eventsim import checks
from eventsim.discrete.grid import Grid, whole_ticks
from eventsim.discrete.grid_run import GridRun
from eventsim.errors import IncompleteRunWarning, InvalidType
from eventsim.inputs import (
    check_currents,
    check_interval,
    check_no_drives,
    check_record,
    check_trains,
    samples,
)
from eventsim.network import Network
from eventsim.provenance import run_provenance
from eventsim.recording import Result, Results, SpikeTrain
from eventsim.session import DEFAULT_MAX_EVENTS
from eventsim.workers import Job, run_jobs

__all__ = ["METHODS", "stepped"]

METHODS = ("exponential", "euler")

#: More steps than this are not counted exactly by a float64.
MAX_TICKS = 2**53


def stepped(
    net: Network,
    inputs: Mapping[str, Any],
    t_stop: float,
    dt: float,
    method: str = "exponential",
    *,
    currents: Any = None,
    record: str | Sequence[str] = "spikes",
    threads: int | None = None,
    max_events: int = DEFAULT_MAX_EVENTS,
    progress: Callable[[int, int], None] | None = None,
) -> Result | Results:
    """Run a network on a time grid, from 0 up to and with the last grid time until ``t_stop``.

    The module says what happens in a step. All neuron models and projections of
    :class:`~eventsim.Network` run. Arguments and results are those of :func:`eventsim.simulate`,
    so every metric takes both.

    Parameters
    ----------
    net : Network
        What to run.
    inputs : mapping of str to SpikeTrain, (times, senders), or a list of them
        Spikes of the Inputs, at any times in seconds; they act, and are reported, at the next grid
        time. With lists, one entry for each sample, the run is a batch.
    t_stop : float
        Seconds. The last grid time is the last multiple of ``dt`` that is not after it.
    dt : float
        The step h in seconds, at most ``t_stop``.
    method : {"exponential", "euler"}
        Exact integration from grid time to grid time (default), or forward Euler.
    currents : mapping of str to list of (time, neuron, value), or a list of such mappings
        Steps of external currents; each holds from the next grid time on.
    record : {"spikes", "counts"} or names
        Keep all spikes, only their numbers, or the spikes of some populations. Numbers are always
        kept.
    threads : int, optional
        Samples run on so many cores; default all. Any number gives the same bits.
    max_events : int
        A run with more spikes and arrivals than this stops and is marked incomplete.
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
        The delays in a cycle of projections are all rounded to zero: the step is too long for it.

    Warns
    -----
    IncompleteRunWarning
        A run stopped early. What it had done is returned.

    Examples
    --------
    Two spikes add up to the threshold. On a grid of 0.5 ms the second one acts 0.2 ms late.

    >>> from eventsim import Dense, Input, Population, simulate
    >>> net = Network(
    ...     [Input("in", 1), Population("out", 1, tau_mem=10e-3, t_ref=2e-3)],
    ...     [Dense("in", "out", weight=[[0.6]])],
    ... )
    >>> train = SpikeTrain([0.0010, 0.0018], [0, 0])
    >>> simulate(net, {"in": train}, t_stop=0.01).spikes["out"].times
    array([0.0018])
    >>> stepped(net, {"in": train}, t_stop=0.01, dt=0.5e-3).spikes["out"].times
    array([0.002])
    """
    if not isinstance(net, Network):
        raise InvalidType(f"stepped: net: expected a Network, got {type(net).__name__}")
    check_no_drives("stepped", net)
    _, t_stop = check_interval(0.0, t_stop)
    dt = checks.positive("stepped", "dt", dt)
    if not t_stop / MAX_TICKS <= dt <= t_stop:
        raise checks.fail("stepped", "dt", f"a step between t_stop / 2**53 and {t_stop:g} s", dt)
    if method not in METHODS:
        raise checks.fail("stepped", "method", f"one of {METHODS}", repr(method))
    n = samples(inputs, currents)
    trains = check_trains(net, inputs, n, 0.0)
    per_sample = currents if isinstance(currents, list) else [currents] * len(trains)
    steps = [check_currents(net, c, 0.0) for c in per_sample]
    keep = check_record(net, record)
    max_events = checks.whole("stepped", "max_events", max_events, 1)
    if threads is not None:
        threads = checks.whole("stepped", "threads", threads, 1)
    if progress is not None and not callable(progress):
        raise InvalidType(f"stepped: progress: expected a callable, got {type(progress).__name__}")
    grid = Grid(net, dt, euler=method == "euler")
    provenance = run_provenance(net, engine="stepped", method=method, dt=dt)
    running: list[GridRun] = []

    def job(i: int, interrupted: Callable[[], bool]) -> Result:
        began = time.perf_counter()
        run = GridRun(grid, trains[i], steps[i], whole_ticks(t_stop, dt), keep)
        running[:] = [run]
        complete = run.run(max_events, interrupted)
        return Result(
            network=net,
            spikes=run.spikes(t_stop),
            counts=run.counts(),
            t_start=0.0,
            t_stop=t_stop,
            t_reached=t_stop if complete else run.now,
            complete=complete,
            stop_reason=run.stop_reason,
            n_events=run.n_events,
            engine="stepped",
            wall_s=time.perf_counter() - began,
            provenance=provenance,
        )

    def tick() -> None:
        if progress is not None and running:
            progress(int(1000 * min(1.0, running[0].now / t_stop)), 1000)

    began = time.perf_counter()
    watched = tick if progress is not None and len(trains) == 1 else None
    jobs = [Job(i, 1) for i in range(len(trains))]
    done = run_jobs(jobs, job, threads or os.cpu_count() or 1, progress, watched)
    results = [
        r if isinstance(r, Result) else _nothing(net, keep, t_stop, provenance, r) for r in done
    ]
    late = [r for r in results if not r.complete]
    if late:
        warnings.warn(
            f"{len(late)} of {len(results)} runs are incomplete: {late[0].stop_reason}",
            IncompleteRunWarning,
            stacklevel=2,
        )
    return results[0] if n is None else Results(results, wall_s=time.perf_counter() - began)


def _nothing(
    net: Network, keep: set[str], t_stop: float, provenance: dict[str, Any], state: str
) -> Result:
    """The result of a sample that an interrupt left without any."""
    return Result(
        network=net,
        spikes={name: SpikeTrain([], []) for name in keep},
        counts={p.name: np.zeros(p.n, dtype=np.int64) for p in net.populations},
        t_start=0.0,
        t_stop=t_stop,
        t_reached=0.0,
        complete=False,
        stop_reason=f"interrupted: {state}",
        engine="stepped",
        provenance=provenance,
    )
