"""The comparison: coarse twin, second draw of its input, and exact runs on the same spikes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks, decode
from eventsim.discretization import Discretization
from eventsim.fidelity import metrics
from eventsim.fidelity.details import Intervals, step_intervals, train_intervals
from eventsim.fidelity.histograms import Histograms
from eventsim.fidelity.measured import variant
from eventsim.fidelity.plans import Group, Plan, PlanJob, run_plans
from eventsim.fidelity.potentials import exact_scores, twin_scores
from eventsim.fidelity.result import Disagreement, FidelityReport
from eventsim.fidelity.samples import Samples, exact
from eventsim.fidelity.shards import How, Progress
from eventsim.fidelity.sums import Details, Found, Sums
from eventsim.fidelity.task import Task, check_task, in_steps
from eventsim.network import Network

__all__ = ["validate"]

#: Disagreeing samples whose pictures a report carries.
PICTURES = 24

#: Why a report on potentials has no clock-driven runs.
CLOCKED = "Clock-driven runs (time-step) are left out, as they keep no potentials to decide by."

Run = Callable[[Samples, int], Found]


def validate(
    net: Network,
    disc: Discretization,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    steps: int | None = None,
    jitter_seeds: int = 1,
    spread: float | None = None,
    spreads: Sequence[float] = (),
    extend: float | bool = False,
    ladder: bool = False,
    time_steps: Sequence[float] | None = None,
    closeups: int = 0,
    seed: int = 0,
    decoder: str | None = None,
    n_classes: int | None = None,
    engine: str = "auto",
    threads: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> FidelityReport:
    """Compare the continuous network with the coarse one, on the same input spikes.

    The images are encoded once. The coarse twin runs on these spikes in steps. The exact
    simulation runs on the same spikes, each placed at a uniform time within its step, once for
    each jitter seed and pulse width. Since the coarse model's own answer depends on the draw of
    its input, its agreement with itself on as many further draws is the yardstick.

    Parameters
    ----------
    net : Network
        One Input and one output population. For the encoder ``"constant"``: no Input, and the
        population without arriving projections takes the image as constant currents.
    disc : Discretization
        How the network was trained.
    images : array [sample, ...]
        At least two. Floats from 0 to 1, or uint8 bytes, which are divided by 255.
    labels : array of int [sample]
        True classes, indices of output neurons or of their groups.
    steps : int, optional
        Steps of a presentation, where it is not ``disc.steps``.
    jitter_seeds : int
        Continuous runs of each variant, with other times of the input spikes within their steps;
        also the number of further draws of the coarse network. Default 1.
    spread : float, optional
        Pulse width in seconds of every synapse, 0 for deltas. Default ``disc.spread``. The
        verdict is about this one.
    spreads : sequence of float
        More widths to run.
    extend : float or bool
        Seconds by which the continuous window is longer, so that deep layers see the last input.
        True: one step. Default none.
    ladder : bool
        Climb the ladder of :func:`eventsim.attribute` as well, which says what the gap consists
        of. Default False.
    time_steps : sequence of float, optional
        Run the network clock-driven as well, with these time steps in steps of the training, as
        ``eventsim.sweep("time-step", ...)`` does with one placement of the spikes. Default none.
        Left out, with a word in the notes, for an output that does not spike.
    closeups : int
        Keep all spikes of so many of the samples that change class, those with the largest
        margins first, and the potential of the neuron that differs first. Default 0.
    seed : int
        Seed of all draws, >= 0. Run 0 takes ``encode(images, disc, seed=seed)`` and
        ``to_spike_trains(x, disc.dt, seed=seed)``; further draw or placement k takes the seed
        ``(seed, k)``.
    decoder : {"count", "last", "mean", "max"}, optional
        How the output gives the class, where it is not ``disc.decoder``. For an output without
        threshold: by its potentials at the end of the window, or their mean or maximum over the
        ends of the steps, in both models. Without one said, it is ``"mean"`` for such an output.
    n_classes : int, optional
        Number of classes of a population code, in which neuron i of n belongs to class
        ``i // (n / n_classes)``; the scores of its neurons are added up. Default: each output
        neuron is a class.
    engine : {"auto", "layered", "windowed", "queue"}
        As in :func:`eventsim.simulate`. No effect on results.
    threads : int, optional
        Cores to use in one process. Default all, shared among the workers. Like all that follow
        without effect on results.
    workers : int, optional
        Run on so many processes of this computer. Needs ``eventsim[dask]``.
    scheduler : str, optional
        Address of a running Dask scheduler, such as ``"tcp://10.0.0.1:8786"``; run on its workers,
        with one thread each. Needs ``eventsim[dask]``.
    out : str or Path, optional
        Folder for finished shards and, at the end, ``report.json``. A call with the same arguments
        goes on where one was stopped, and ends with the same bytes.
    progress : callable, optional
        Called with (sample runs done, sample runs in all).

    Returns
    -------
    FidelityReport

    Raises
    ------
    InvalidValue, InvalidType
        Labels that do not fit, images of another size or range, fewer than two samples, no
        Discretization, or an option out of range.
    UnsupportedNetwork
        Several Inputs or outputs, an output of which some neurons have no threshold, an analog
        image that passes weights, or what the twin or the engine cannot express.
    FileError
        ``out`` holds something else, or cannot be written; no scheduler answers.
    MissingExtra
        ``workers`` or ``scheduler`` without dask.distributed.
    EventsimError
        A run exceeded its event budget.

    Examples
    --------
    >>> from eventsim import Dense, Input, Population
    >>> net = Network([Input("image", 2), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("image", "out", [[1.2, 0.0], [0.0, 1.2]])])
    >>> images = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> report = validate(net, Discretization(dt=1e-3, steps=8), images, [0, 1], spreads=[0.0])
    >>> [variant.name for variant in report.continuous]
    ['continuous, pulses of 1 step', 'continuous, deltas']
    >>> report.coarse.accuracy.value
    1.0

    Notes
    -----
    The tie rule is that of :func:`eventsim.decode.classes`: the lowest index wins.
    """
    task = check_task(
        net, disc, images, labels, steps=steps, jitter_seeds=jitter_seeds, spread=spread,
        spreads=spreads, extend=extend, seed=seed, decoder=decoder, n_classes=n_classes,
    )  # fmt: skip
    how = How.check("validate", threads, out, workers, scheduler, progress)
    shown = checks.whole("validate", "closeups", closeups, 0)
    jobs = {"": PlanJob(task, partial(comparison, engine=engine), "comparison")}
    makers: dict[str, Callable[[PlanJob, Mapping[str, Sums]], Any]] = {}
    main = dataclasses.replace(task, spreads=task.spreads[:1], extend=0.0)
    # What is not asked for is not loaded, which takes longer than a short comparison.
    if ladder:
        from eventsim.fidelity.attribution import ladder_plans, ladder_report

        extends = (task.extend,) if task.extend else ()
        build = partial(ladder_plans, tau_syns=(), delays=(), extends=extends)
        jobs["ladder"], makers["ladder"] = PlanJob(main, build, "ladder"), ladder_report
    clocked = time_steps is not None and not task.reads_potentials
    if clocked:
        from eventsim.fidelity.sweep.run import SWEEPS, sweep_job, sweep_report

        once = dataclasses.replace(main, jitter_seeds=1)
        chosen = SWEEPS["time-step"].check(time_steps)
        jobs["time_steps"] = sweep_job("time-step", once, chosen)
        makers["time_steps"] = partial(sweep_report, "time-step")
    sums = _run_all(jobs, how)
    report = _report(task, jobs[""], sums[""], engine)
    more = {name: make(jobs[name], sums[name]) for name, make in makers.items()}
    if worst := [item.sample for item in report.disagreements[:shown]]:
        from eventsim.fidelity.closeup import closeups as look_closely

        more["closeups"] = look_closely(task, worst, threads=how.threads, engine=engine)
    if time_steps is not None and not clocked:
        notes = [*report.settings["notes"], CLOCKED]
        more["settings"] = {**report.settings, "notes": notes}
    report = dataclasses.replace(report, **more)
    if out is not None:
        report.to_json(Path(out) / "report.json", overwrite=True)
    return report


def _run_all(jobs: Mapping[str, PlanJob], how: How) -> dict[str, dict[str, Sums]]:
    """Jobs one after the other, under one progress, each in a folder of its own."""
    total = sum(job.samples * job.weight for job in jobs.values())
    before, sums = 0, {}
    for name, job in jobs.items():

        def tell(done: int, _: int, before: int = before) -> None:
            if how.progress is not None:
                how.progress(before + done, total)

        folder = None if how.out is None else Path(how.out) / name
        sums[name] = run_plans(job, dataclasses.replace(how, out=folder, progress=tell))
        before += job.samples * job.weight
    return sums


def comparison(task: Task, engine: str) -> list[Group]:
    """The coarse run, further draws, and the exact runs."""
    length = task.disc.duration

    def plan(name: str, kind: str, runs: int, window: float, run: Run) -> Plan:
        reference = None if kind == "coarse" else "coarse"
        details = {"intervals": Intervals, "histograms": Histograms}
        return Plan(name, kind, reference, "", runs, window, run, details)

    plans = [plan("coarse", "coarse", 1, length, _coarse)]
    if task.draws:
        further = "second draw" if task.draws == 1 else f"{task.draws} further draws"
        plans.append(plan(f"coarse, {further}", "second draw", task.draws, length, _second_draw))
    for width in task.spreads:
        run = _exact(task.net.with_spread(width), task.window, engine)
        plans.append(plan(_name(task, width), "continuous", task.runs, task.window, run))
    return [Group(task, plans)]


def _coarse(samples: Samples, run: int) -> Found:
    return _in_steps(samples, run, samples.spikes, samples.scores)


def _second_draw(samples: Samples, run: int) -> Found:
    x = samples.drawn_again(run)
    return _in_steps(samples, run, samples.twin(x), twin_scores(samples.task, x, samples.threads))


def _in_steps(
    samples: Samples, run: int, spikes: Mapping[str, NDArray[Any]], scores: NDArray[Any] | None
) -> Found:
    details: dict[str, Details] = {}
    if run == 0:
        dt, length = samples.task.disc.dt, samples.task.disc.duration
        layers = {name: spikes[name] for name in samples.task.layers}
        details["intervals"] = Intervals.of(
            {name: step_intervals(of_layer, dt) for name, of_layer in layers.items()}
        )
        details["histograms"] = Histograms.of(layers, dt=dt, window=length)
    return Found(samples.counted(spikes), scores, details=details)


def _exact(net: Network, window: float, engine: str) -> Run:
    """An exact run; spikes are kept only where intervals are taken from them."""

    def run_samples(samples: Samples, run: int) -> Found:
        layers = samples.task.layers
        details: dict[str, Details] = {}
        found = exact(
            net, samples, samples.inputs(run), window, samples.currents,
            layers if run == 0 else "counts", engine,
        )  # fmt: skip
        if run == 0:
            trains = {name: [result.spikes[name] for result in found] for name in layers}
            details["intervals"] = Intervals.of(
                {name: train_intervals(trains[name], net[name].n) for name in layers}
            )
            details["histograms"] = Histograms.of(
                {name: samples.spikes[name] for name in layers}, trains,
                dt=samples.task.disc.dt, window=window,
            )  # fmt: skip
        scores = exact_scores(samples.task, found, window)
        counts = {n: found.counts[n] for n in layers}
        return Found(counts, scores, details=details, events=found.n_events)

    return run_samples


def _report(task: Task, job: PlanJob, sums: Mapping[str, Sums], engine: str) -> FidelityReport:
    """The numbers of all plans."""
    plans = job.groups[0].plans
    coarse, main = sums["coarse"], sums[_name(task, task.spreads[0])]
    second = next((sums[plan.name] for plan in plans if plan.kind == "second draw"), None)
    spreads = {_name(task, width): width for width in task.spreads}
    variants = [
        variant(plan, sums[plan.name], coarse, second, spreads.get(plan.name)) for plan in plans
    ]
    disagreements = _disagreements(task, coarse, main)
    pictures = {}
    if task.pictures is not None:
        pictures = {d.sample: task.pictures[d.sample] for d in disagreements[:PICTURES]}
    return FidelityReport(
        coarse=variants[0],
        second_draw=None if second is None else variants[1],
        continuous=tuple(v for v in variants if v.kind == "continuous"),
        disagreements=disagreements,
        settings={
            **task.settings(),
            "window": task.window,
            "extend": task.extend,
            "spreads": list(task.spreads),
        },
        assumptions=task.assumptions(),
        provenance=task.provenance(engine=engine),
        timing=dict(job.seconds),
        pictures=pictures,
        histograms={plan.name: sums[plan.name].details["histograms"] for plan in plans},
    )


def _name(task: Task, spread: float) -> str:
    if spread == 0:
        return f"continuous, {task.at_once}"
    return f"continuous, pulses of {in_steps(spread, task.disc.dt)}"


def _disagreements(task: Task, coarse: Sums, other: Sums) -> tuple[Disagreement, ...]:
    """Samples that change class in the first run, the firmest first, then in order."""
    a, b = coarse.outputs[0], other.outputs[0]
    first, second = decode.classes(a), decode.classes(b)
    margin = metrics.margins(a, first, second) + metrics.margins(b, second, first)
    samples = np.flatnonzero(first != second)
    ranked = samples[np.argsort(-margin[samples], kind="stable")]
    return tuple(
        Disagreement(
            sample=int(i),
            label=int(task.labels[i]),
            coarse=int(first[i]),
            continuous=int(second[i]),
            margin=margin[i].item(),
            coarse_counts=tuple(a[i].tolist()),
            continuous_counts=tuple(b[i].tolist()),
        )
        for i in ranked
    )
