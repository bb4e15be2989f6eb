"""The ladder: the way from the coarse network to the continuous one, one change at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.discretization import Discretization
from eventsim.errors import InvalidType
from eventsim.fidelity import metrics
from eventsim.fidelity.ladder import Effect, LadderReport
from eventsim.fidelity.parts import Parts
from eventsim.fidelity.rungs import Cascade, Counts, Samples, coarse, continuous, second_draw
from eventsim.fidelity.sums import RungSums
from eventsim.fidelity.task import Task, check_task
from eventsim.fidelity.variants import depth, with_exponentials
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.provenance import run_provenance

__all__ = ["attribute"]

#: Samples of one part. Whatever their number, results are the same.
PART_SAMPLES = 64

#: What each rung changes, in words that go before "costs 1.2 points".
CAUSES = {
    "second draw": "another draw of the input",
    "endcheck": "taking arrivals and refractory periods at their times inside the step",
    "isolated": "testing the threshold inside the step",
    "rejit": "handing the changed spikes of a layer on to the next",
    "pooling": "max pooling by its continuous rule in place of an OR over the step",
    "continuous": "keeping the spike times inside the step from layer to layer",
}

Progress = Callable[[int, int], None]


def attribute(
    net: Network,
    disc: Discretization,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    steps: int | None = None,
    jitter_seeds: int = 1,
    spread: float | None = None,
    spreads: Sequence[float] | None = None,
    tau_syns: Sequence[float] | None = None,
    delays: Sequence[float] | None = None,
    extends: Sequence[float] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    out: str | os.PathLike[str] | None = None,
) -> LadderReport:
    """Find what the gap between the coarse network and the continuous one consists of.

    The rungs of the ladder lead from the coarse run to the continuous one, each with one change:

    ============== ============================================================================
    coarse         the discrete twin; then, as yardstick, its ``second draw`` of the input
    endcheck       arrivals and refractory periods at their true times, decay in continuous time;
                   the threshold is still tested at the ends of steps alone
    isolated       each layer continuous, fed with the coarse spikes of the layers before it
    rejit          each layer continuous, fed with the spikes of the layer before it, which are
                   placed at new uniform times within their steps
    pooling        only with max pooling, which until here is the OR over a step: its own rule
    continuous     the exact simulation, spikes passed on at the times they have
    ============== ============================================================================

    Variants of the last rung follow: other pulse widths, exponential synapses, delays, longer
    windows. All rungs get the same input spikes, at the same times.

    Parameters
    ----------
    net : Network
        As in :func:`eventsim.validate`, and without recurrent projections.
    disc : Discretization
        How the network was trained.
    images, labels
        As in :func:`eventsim.validate`.
    steps : int, optional
        Steps of a presentation, where it is not ``disc.steps``.
    jitter_seeds : int
        Runs of each rung with other times of the spikes within their steps; also the number of
        further draws. Default 1.
    spread : float, optional
        Pulse width in seconds of every synapse from endcheck to continuous, 0 for deltas.
        Default ``disc.spread``, the continuous counterpart of the coarse model.
    spreads, tau_syns, delays, extends : sequence of float, optional
        Variants of continuous, in seconds: pulse widths; time constants of exponential synapses
        of the same charge; a delay of every weight layer; times by which the window is longer.
        Defaults: deltas; half a step; half a step; half a step, one step, one step for each
        layer of neurons. Empty: none of these.
    seed : int
        Seed of all draws, >= 0, used as in :func:`eventsim.validate`: both give the same numbers
        for coarse, second draw and continuous.
    threads : int, optional
        Default all cores. No effect on results.
    progress : callable, optional
        Called with (sample runs done, sample runs in all).
    out : str or Path, optional
        Folder for finished parts and, at the end, ``ladder.json``. A call with the same arguments
        goes on where one was stopped, and ends with the same bytes.

    Returns
    -------
    LadderReport

    Raises
    ------
    InvalidValue, InvalidType, UnsupportedNetwork
        As :func:`eventsim.validate`; a recurrent network; a variant that the network cannot have.
    FileError
        ``out`` holds something else, or cannot be written.
    EventsimError
        A run exceeded its event budget.

    Examples
    --------
    >>> from eventsim import Dense, Input, Population
    >>> net = Network([Input("image", 2), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("image", "out", [[1.2, 0.0], [0.0, 1.2]])])
    >>> images = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> report = attribute(net, Discretization(dt=1e-3, steps=8), images, [0, 1], extends=[])
    >>> [rung.name for rung in report.rungs if rung.kind == "variant"]
    ['deltas', 'exponential, 0.5 steps', 'delay of 0.5 steps']
    """
    task = check_task(
        net, disc, images, labels, steps=steps, jitter_seeds=jitter_seeds, spread=spread,
        spreads=(0.0,) if spreads is None else spreads, extend=0.0, seed=seed,
    )  # fmt: skip
    cores = os.cpu_count() or 1 if threads is None else checks.whole(
        "attribute", "threads", threads, 1
    )  # fmt: skip
    climb = Cascade(task)
    plans = _ladder(task, climb) + _variants(task, climb, tau_syns, delays, extends)
    parts = Parts(out, _job(task, plans))
    each = sum(plan.runs for plan in plans)
    sums = {plan.name: RungSums(task, plan.runs) for plan in plans}
    for first in range(0, task.samples, PART_SAMPLES):
        ids = np.arange(first, min(first + PART_SAMPLES, task.samples))
        name = f"samples-{ids[0]:06}-{ids[-1]:06}"
        done = first * each
        part = parts.get(name)
        if part is None:
            samples = Samples(task, ids, cores)
            part = {}
            for plan in plans:
                one = RungSums(task, plan.runs)
                for run in range(plan.runs):
                    one.count(run, samples.counts, plan.run(samples, run))
                    done += len(ids)
                    if progress is not None and done < first * each + len(ids) * each:
                        progress(done, task.samples * each)
                part[plan.name] = one.to_dict()
            parts.put(name, part)
        for plan in plans:
            sums[plan.name].add(part[plan.name])
        if progress is not None:
            progress((first + len(ids)) * each, task.samples * each)
    report = _report(task, plans, sums)
    if parts.folder is not None:
        report.to_json(parts.folder / "ladder.json", overwrite=True)
    return report


@dataclass(frozen=True)
class _Plan:
    """A rung before it is run; ``run`` gives the counts of every layer for some samples."""

    name: str
    kind: str
    reference: str | None
    what: str
    runs: int
    window: float
    run: Callable[[Samples, int], Counts]


def _ladder(task: Task, climb: Cascade) -> list[_Plan]:
    """From coarse to continuous."""
    length = task.disc.duration
    plans = [_Plan("coarse", "rung", None, "", 1, length, coarse)]

    def add(name: str, runs: int, run: Callable[[Samples, int], Counts]) -> None:
        reference = [plan.name for plan in plans if plan.kind == "rung"][-1]
        kind = "yardstick" if name == "second draw" else "rung"
        plans.append(_Plan(name, kind, reference, CAUSES[name], runs, length, run))

    if task.draws:
        add("second draw", task.draws, second_draw)
    add("endcheck", task.jitter_seeds, climb.endcheck)
    add("isolated", task.jitter_seeds, climb.isolated)
    add("rejit", task.jitter_seeds, climb.rejit)
    if any(isinstance(link, MaxPool2d) for link in task.net.projections):
        add("pooling", task.jitter_seeds, climb.pooling)
    add("continuous", task.runs, continuous(climb.net, length))
    return plans


def _variants(task: Task, climb: Cascade, tau_syns: Any, delays: Any, extends: Any) -> list[_Plan]:
    """Other ways to be continuous."""
    dt, length = task.disc.dt, task.disc.duration
    plans: list[_Plan] = []

    def add(name: str, what: str, window: float, run: Callable[[Samples, int], Counts]) -> None:
        if name not in [plan.name for plan in plans]:
            plans.append(_Plan(name, "variant", "continuous", what, task.runs, window, run))

    for width in task.spreads[1:]:
        name = f"pulses of {_steps(width, dt)}" if width else "deltas"
        how = f"in {name}" if width else "at once (deltas)"
        run = continuous(task.net.with_spread(width), length)
        add(name, f"delivering the charge {how}", length, run)
    for tau in _times("tau_syns", tau_syns, (0.5 * dt,)):
        checks.positive("attribute", "tau_syns", tau)
        what = f"delivering the charge by exponential synapses of {_steps(tau, dt)}"
        run = continuous(with_exponentials(task.net, tau), length)
        add(f"exponential, {_steps(tau, dt)}", what, length, run)
    for delay in _times("delays", delays, (0.5 * dt,)):
        what = f"delaying every layer by {_steps(delay, dt)}"
        add(f"delay of {_steps(delay, dt)}", what, length, climb.delayed(delay))
    layers = depth(task.net)
    for extra in _times("extends", extends, (0.5 * dt, dt, layers * dt)):
        what = f"extending the window by {_steps(extra, dt)}"
        if extends is None and extra > dt:
            what += ", one for each layer"
        add(
            f"window + {_steps(extra, dt)}",
            what,
            length + extra,
            continuous(climb.net, length + extra),
        )
    return plans


def _times(field: str, values: Any, default: tuple[float, ...]) -> list[float]:
    """Times in seconds, >= 0."""
    if values is None:
        return list(default)
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
        raise InvalidType(f"attribute: {field}: expected a list of seconds, got {values!r}")
    times = [checks.scalar("attribute", f"{field}[{k}]", v) for k, v in enumerate(values)]
    for k, time in enumerate(times):
        if time < 0:
            raise checks.fail("attribute", f"{field}[{k}]", "seconds >= 0", time)
    return times


def _steps(seconds: float, dt: float) -> str:
    """A time in steps.

    >>> _steps(0.5e-3, 1e-3), _steps(1e-3, 1e-3)
    ('0.5 steps', '1 step')
    """
    text = f"{seconds / dt:.6g}"
    return f"{text} step" if text == "1" else f"{text} steps"


def _settings(task: Task) -> dict[str, Any]:
    width = task.spreads[0]
    return {
        "samples": task.samples,
        "steps": task.disc.steps,
        "dt": task.disc.dt,
        "encoder": task.disc.encoder,
        "synapse": f"pulses of {_steps(width, task.disc.dt)}" if width else "delta synapses",
        "spread": width,
        "jitter_seeds": task.jitter_seeds,
        "draws": task.draws,
        "seed": task.seed,
        "output": task.output.name,
        "tie_rule": "lowest index",
        "level": metrics.LEVEL,
    }


def _provenance(task: Task) -> dict[str, Any]:
    return run_provenance(
        task.net,
        images=_digest(task.pixels),
        labels=_digest(task.labels),
        discretization=task.disc.to_dict(),
    )


def _job(task: Task, plans: list[_Plan]) -> dict[str, Any]:
    """All that decides the result, but for the command line."""
    rungs = [[plan.name, plan.runs, plan.window] for plan in plans]
    made = {key: value for key, value in _provenance(task).items() if key != "command"}
    return {"rungs": rungs, "part": PART_SAMPLES, **_settings(task), **made}


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()


def _report(task: Task, plans: list[_Plan], sums: dict[str, RungSums]) -> LadderReport:
    first, second = sums["coarse"], sums.get("second draw")
    rungs = tuple(
        sums[plan.name].rung(
            plan.name, plan.kind, plan.what, plan.window, first,
            None if plan.reference is None else (plan.reference, sums[plan.reference]), second,
        )
        for plan in plans
    )  # fmt: skip

    def effect(cause: str, before: str, after: str, part: bool) -> Effect:
        change = metrics.paired_difference(sums[before].right(), sums[after].right())
        return Effect(cause, before, after, part, change)

    effects = [
        effect(plan.what, plan.reference, plan.name, plan.kind == "rung")
        for plan in plans
        if plan.reference is not None
    ]
    # Both are cascades of layers, so that this one is a single change as well.
    whole = f"{CAUSES['isolated']}, in all layers at once (endcheck to rejit),"
    effects.append(effect(whole, "endcheck", "rejit", False))
    effects.sort(key=lambda e: (not e.part, e.within_noise, -abs(e.change.value)))
    return LadderReport(
        rungs=rungs,
        effects=tuple(effects),
        gap=effect("all changes together", "coarse", "continuous", False),
        settings=_settings(task),
        provenance=_provenance(task),
    )
