"""Runs a sweep."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from eventsim import checks
from eventsim.discretization import Discretization
from eventsim.errors import UnsupportedNetwork
from eventsim.fidelity import metrics
from eventsim.fidelity.measured import rung
from eventsim.fidelity.plans import PlanJob, run_plans
from eventsim.fidelity.shards import How, Progress
from eventsim.fidelity.sums import Sums
from eventsim.fidelity.sweep.inputs import JITTER, PHASE, SETTLING, STEPS, WINDOW
from eventsim.fidelity.sweep.kinds import Sweep
from eventsim.fidelity.sweep.outputs import POOLING, READOUT, THRESHOLD
from eventsim.fidelity.sweep.remedies import MEMBRANE, REMEDIES
from eventsim.fidelity.sweep.report import Point, SweepReport
from eventsim.fidelity.sweep.synapses import DELAY, PULSE_WIDTH, RANDOM_DELAY, TAU_SYN
from eventsim.fidelity.sweep.time_step import EXACT, TIME_STEP
from eventsim.fidelity.task import Task, check_task
from eventsim.network import Network

__all__ = ["SWEEPS", "sweep", "sweep_job", "sweep_report"]

#: Every sweep by its name. A new one is a line here.
SWEEPS: Mapping[str, Sweep] = {
    found.name: found
    for found in (
        PULSE_WIDTH, TAU_SYN, STEPS, TIME_STEP, JITTER, PHASE, DELAY, RANDOM_DELAY, POOLING,
        READOUT, SETTLING, WINDOW, THRESHOLD, REMEDIES,
    )
}  # fmt: skip


def sweep(
    name: str,
    net: Network,
    disc: Discretization,
    images: ArrayLike,
    labels: ArrayLike,
    values: Sequence[Any] | None = None,
    *,
    steps: int | None = None,
    jitter_seeds: int = 1,
    spread: float | None = None,
    seed: int = 0,
    decoder: str | None = None,
    n_classes: int | None = None,
    threads: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> SweepReport:
    """Run the continuous network over a range of values of one property.

    ================ ==============================================================================
    ``pulse-width``  width of the pulses, in steps; 0 are deltas
    ``tau-syn``      time constant of exponential synapses of the same charge, in steps
    ``steps``        length of the trains in steps; the coarse network gets the same
    ``time-step``    clock-driven runs of the same continuous network, by exponential integration
                     and forward Euler, with a time step in steps of the training; spikes and
                     counts are compared with the exact run
    ``jitter``       part of the step over which input spikes spread, from its start
    ``phase``        all input spikes of a step at this time within it
    ``delay``        a delay of every layer, in steps
    ``random-delay`` a fixed delay for each neuron, uniform up to this one, in steps
    ``pooling``      rules of max pooling
    ``readout``      class by spike count, by highest potential at the end of output neurons that
                     do not spike, or by first spike
    ``settling``     steps of input before the counted ones, in both models
    ``window``       steps by which spikes are counted for longer than the input lasts
    ``threshold``    factor on all thresholds, measured from rest
    ``remedies``     what helps delta synapses: each by itself, against deltas
    ================ ==============================================================================

    Parameters
    ----------
    name : str
        One of these.
    net, disc, images, labels, steps, jitter_seeds, seed
        As in :func:`eventsim.validate`.
    values : sequence of float or str, optional
        Default: a range that shows the effect.
    spread : float, optional
        Pulse width in seconds where it is not what varies. Default ``disc.spread``.
    decoder, n_classes : optional
        As in :func:`eventsim.validate`.
    threads, workers, scheduler, progress
        As in :func:`eventsim.validate`.
    out : str or Path, optional
        Folder for finished shards and, at the end, ``sweep.json``. A call with the same arguments
        goes on where one was stopped, and ends with the same bytes.

    Returns
    -------
    SweepReport

    Raises
    ------
    InvalidValue, InvalidType, UnsupportedNetwork
        As :func:`eventsim.validate`; another name, or a value out of range; a network that has not
        what varies.
    FileError
        ``out`` holds something else, or cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from eventsim import Dense, Input, Population
    >>> net = Network([Input("image", 2), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("image", "out", [[1.2, 0.0], [0.0, 1.2]])])
    >>> images = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> disc = Discretization(dt=1e-3, steps=8)
    >>> found = sweep("pulse-width", net, disc, images, [0, 1], [0.0, 0.5, 1.0])
    >>> [point.value for point in found.points]
    [0.0, 0.5, 1.0]
    >>> found["1"].accuracy.value
    1.0
    """
    if name not in SWEEPS:
        raise checks.fail("sweep", "name", f"one of {', '.join(SWEEPS)}", repr(name))
    kind = SWEEPS[name]
    task = check_task(
        net, disc, images, labels, where="sweep", steps=steps, jitter_seeds=jitter_seeds,
        spread=spread, seed=seed, decoder=decoder, n_classes=n_classes,
    )  # fmt: skip
    chosen = kind.check(values)
    if kind.needs is not None:
        kind.needs(task)
    if task.reads_potentials:
        chosen = _without_spikes(kind, chosen, asked=values is not None)
    how = How.check("sweep", threads, out, workers, scheduler, progress)
    job = sweep_job(name, task, chosen)
    report = sweep_report(name, job, run_plans(job, how))
    if out is not None:
        report.to_json(Path(out) / "sweep.json", overwrite=True)
    return report


def _without_spikes(kind: Sweep, values: tuple[Any, ...], asked: bool) -> tuple[Any, ...]:
    """Values that a network has whose output does not spike.

    Raises
    ------
    UnsupportedNetwork
        It has none of the sweep, or not one that was asked for.
    """
    if kind is TIME_STEP:
        raise UnsupportedNetwork(
            "sweep: net: expected for 'time-step' an output that spikes, as clock-driven runs keep "
            "no potentials, got one without threshold"
        )
    if kind is READOUT:
        raise UnsupportedNetwork(
            "sweep: net: expected for 'readout' an output that spikes, got one without threshold: "
            "decoder='last', 'mean' or 'max' says how its potentials give the class"
        )
    if kind is REMEDIES and MEMBRANE in values:
        if asked:
            raise UnsupportedNetwork(
                f"sweep: net: expected for {MEMBRANE!r} an output that spikes, got one that is "
                "such a readout"
            )
        return tuple(value for value in values if value != MEMBRANE)
    return values


def sweep_job(name: str, task: Task, values: tuple[Any, ...]) -> PlanJob:
    """The job of a sweep over checked values."""
    return PlanJob(task, _Build(name, values), f"sweep {name}")


class _Build:
    """Makes the groups of a sweep by its name, so that it can be sent to other processes."""

    def __init__(self, name: str, values: tuple[Any, ...]) -> None:
        self.name, self.values = name, values

    def __call__(self, task: Task) -> list[Any]:
        return SWEEPS[self.name].build(task, self.values)


def sweep_report(name: str, job: PlanJob, sums: Mapping[str, Sums]) -> SweepReport:
    """The points from what the plans of a sweep gave."""
    kind, task = SWEEPS[name], job.task
    points: list[Point] = []
    coarse = second = None
    exact = sums.get(EXACT)
    for group in job.groups:
        for plan in group.plans:
            here = sums[plan.name]
            if plan.kind == "coarse":
                coarse, second = here, None
                coarse_rung = rung(plan, here, here, None, None)
                second_rung = None
                continue
            assert coarse is not None
            if plan.kind == "yardstick":
                second = here
                second_rung = rung(plan, here, coarse, coarse, here)
                continue
            reference = sums[plan.reference] if plan.reference else None
            points.append(
                Point(
                    label=plan.name,
                    rung=rung(plan, here, coarse, reference, second),
                    coarse=coarse_rung,
                    second_draw=second_rung,
                    errors=here.details["errors"].numbers() if here.details else None,
                    as_exact=None
                    if exact is None
                    else tuple(
                        metrics.agreement(a, b)
                        for a, b in zip(exact.classes, here.classes, strict=True)
                    ),
                )
            )
    return SweepReport(
        name=kind.name,
        title=kind.title,
        xlabel=kind.xlabel,
        categories=bool(kind.choices),
        log=kind.log,
        points=tuple(points),
        settings={**task.settings(), "synapse": task.synapse, "spread": task.spreads[0]},
        provenance=task.provenance(),
    )
