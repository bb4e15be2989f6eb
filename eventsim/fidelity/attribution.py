"""The ladder: the way from the coarse network to the continuous one, one change at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eventsim import checks
from eventsim.discretization import Discretization
from eventsim.errors import InvalidType
from eventsim.fidelity.ladder import Effect, LadderReport
from eventsim.fidelity.measured import rung
from eventsim.fidelity.plans import Group, Plan, PlanJob, run_plans
from eventsim.fidelity.rule_variants import changed_networks, changed_rules
from eventsim.fidelity.rungs import Cascade
from eventsim.fidelity.samples import Samples, coarse, continuous, second_draw, stepped_by
from eventsim.fidelity.shards import How, Progress
from eventsim.fidelity.sums import Found, Sums
from eventsim.fidelity.task import Task, check_task, in_steps
from eventsim.fidelity.variants import depth, feeds_forward, with_exponentials
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.populations import Population

__all__ = ["attribute", "ladder_plans", "ladder_report"]

#: What each rung changes, in words that go before "costs 1.2 points".
CAUSES = {
    "second draw": "another draw of the input",
    "endcheck": "taking arrivals and refractory periods at their times inside the step",
    "isolated": "testing the threshold inside the step",
    "rejit": "handing the changed spikes of a layer on to the next",
    "pooling": "max pooling by its continuous rule in place of an OR over the step",
    "continuous": "keeping the spike times inside the step from layer to layer",
}
#: The same where the rungs between coarse and continuous are left out.
AT_ONCE = "continuous time, all of it at once"


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
    decoder: str | None = None,
    n_classes: int | None = None,
    threads: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
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

    A network of a training framework (:attr:`Discretization.cells`) has further variants: of the
    coarse run with other rules (when and how a spike resets, one spike a step), and of the
    continuous one (the other convention of time constants, one spike an instant, a refractory
    period of one step, recurrent delays). Rungs that its neurons cannot have are left out:
    endcheck for neurons with receptors, adaptation or subtraction; all between coarse and
    continuous for a recurrent network. An output without threshold has no spikes to test, and is
    continuous in all rungs but the coarse ones.

    Parameters
    ----------
    net : Network
        As in :func:`eventsim.validate`.
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
    decoder, n_classes : optional
        As in :func:`eventsim.validate`.
    threads, workers, scheduler, progress
        As in :func:`eventsim.validate`.
    out : str or Path, optional
        Folder for finished shards and, at the end, ``ladder.json``. A call with the same arguments
        goes on where one was stopped, and ends with the same bytes.

    Returns
    -------
    LadderReport

    Raises
    ------
    InvalidValue, InvalidType, UnsupportedNetwork
        As :func:`eventsim.validate`; a variant that the network cannot have.
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
        net, disc, images, labels, where="attribute", steps=steps, jitter_seeds=jitter_seeds,
        spread=spread, spreads=(0.0,) if spreads is None else spreads, seed=seed,
        decoder=decoder, n_classes=n_classes,
    )  # fmt: skip
    how = How.check("attribute", threads, out, workers, scheduler, progress)
    dt = disc.dt
    plain = not any(isinstance(p, Population) and p.n_receptors for p in net.populations)
    layers = depth(net) if feeds_forward(net) else 1
    build = partial(
        ladder_plans,
        tau_syns=_times("tau_syns", tau_syns, (0.5 * dt,) if plain else ()),
        delays=_times("delays", delays, (0.5 * dt,) if feeds_forward(net) else ()),
        extends=_times("extends", extends, (0.5 * dt, dt, layers * dt)),
    )
    job = PlanJob(task, build, "ladder")
    report = ladder_report(job, run_plans(job, how))
    if out is not None:
        report.to_json(Path(out) / "ladder.json", overwrite=True)
    return report


def ladder_plans(
    task: Task, tau_syns: Sequence[float], delays: Sequence[float], extends: Sequence[float]
) -> list[Group]:
    """The rungs, then the variants."""
    climb = Cascade(task) if feeds_forward(task.net) else None
    variants = _variants(task, climb, tau_syns, delays, extends)
    return [Group(task, _ladder(task, climb) + variants + _rule_variants(task))]


def _ladder(task: Task, climb: Cascade | None) -> list[Plan]:
    """From coarse to continuous; at once where the network is recurrent."""
    length = task.disc.duration
    plans = [Plan("coarse", "rung", None, "", 1, length, coarse)]

    def add(name: str, runs: int, run: Callable[[Samples, int], Found]) -> None:
        reference = [plan.name for plan in plans if plan.kind == "rung"][-1]
        kind = "yardstick" if name == "second draw" else "rung"
        cause = CAUSES[name]
        if name == "isolated" and reference == "coarse":
            cause = "each layer in continuous time, fed with the coarse spikes"
        elif name == "continuous" and reference == "coarse":
            cause = AT_ONCE
        plans.append(Plan(name, kind, reference, cause, runs, length, run))

    if task.draws:
        add("second draw", task.draws, second_draw)
    if climb is not None:
        if climb.tests:
            add("endcheck", task.jitter_seeds, climb.endcheck)
        add("isolated", task.jitter_seeds, climb.isolated)
        add("rejit", task.jitter_seeds, climb.rejit)
        if any(isinstance(link, MaxPool2d) for link in task.net.projections):
            add("pooling", task.jitter_seeds, climb.pooling)
    add("continuous", task.runs, continuous(_spread(task), length))
    return plans


def _spread(task: Task) -> Network:
    """The continuous network that the verdict is about."""
    return task.net.with_spread(task.spreads[0])


def _rule_variants(task: Task) -> list[Plan]:
    """What a framework's rule decides: other rules in steps, other conventions without."""
    length, plans = task.disc.duration, []
    for change in changed_rules(task.disc):
        run = stepped_by(change.value)
        plans.append(Plan(change.name, "variant", "coarse", change.what, 1, length, run))
    for change in changed_networks(_spread(task), task.disc):
        run = continuous(change.value, length)
        plans.append(
            Plan(change.name, "variant", "continuous", change.what, task.runs, length, run)
        )
    return plans


def _variants(
    task: Task, climb: Cascade | None, tau_syns: Any, delays: Any, extends: Any
) -> list[Plan]:
    """Other ways to be continuous."""
    dt, length = task.disc.dt, task.disc.duration
    plans: list[Plan] = []

    def add(name: str, what: str, window: float, run: Callable[[Samples, int], Found]) -> None:
        if name not in [plan.name for plan in plans]:
            plans.append(Plan(name, "variant", "continuous", what, task.runs, window, run))

    for width in task.spreads[1:] if task.at_once == "deltas" else ():
        name = f"pulses of {in_steps(width, dt)}" if width else "deltas"
        how = f"in {name}" if width else "at once (deltas)"
        run = continuous(task.net.with_spread(width), length)
        add(name, f"delivering the charge {how}", length, run)
    for tau in tau_syns:
        what = f"delivering the charge by exponential synapses of {in_steps(tau, dt)}"
        run = continuous(with_exponentials(task.net, tau), length)
        add(f"exponential, {in_steps(tau, dt)}", what, length, run)
    for delay in delays:
        if climb is None:
            raise checks.fail("attribute", "delays", "none for a recurrent network", list(delays))
        what = f"delaying every layer by {in_steps(delay, dt)}"
        run = climb.delayed(_layers_late(task, delay))
        add(f"delay of {in_steps(delay, dt)}", what, length, run)
    for extra in extends:
        what = f"extending the window by {in_steps(extra, dt)}"
        if climb is not None and extra == depth(task.net) * dt > dt:
            what += ", one for each layer"
        window = length + extra
        add(f"window + {in_steps(extra, dt)}", what, window, continuous(_spread(task), window))
    return plans


def _layers_late(task: Task, delay: float) -> Callable[[str, str], float]:
    """So many seconds before every layer of neurons, and none before a max pooling."""
    return lambda source, target: delay if isinstance(task.net[target], Population) else 0.0


def _times(field: str, values: Any, default: tuple[float, ...]) -> tuple[float, ...]:
    """Times in seconds, >= 0; time constants are not 0."""
    if values is None:
        return default
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
        raise InvalidType(f"attribute: {field}: expected a list of seconds, got {values!r}")
    times = tuple(checks.scalar("attribute", f"{field}[{k}]", v) for k, v in enumerate(values))
    for k, time in enumerate(times):
        if time < 0:
            raise checks.fail("attribute", f"{field}[{k}]", "seconds >= 0", time)
        if field == "tau_syns":
            checks.positive("attribute", field, time)
    return times


def _settings(task: Task) -> dict[str, Any]:
    return {**task.settings(), "synapse": task.synapse, "spread": task.spreads[0]}


def ladder_report(job: PlanJob, sums: Mapping[str, Sums]) -> LadderReport:
    """The rungs and effects from what the plans of :func:`ladder_plans` gave."""
    task, plans = job.task, job.groups[0].plans
    first, second = sums["coarse"], sums.get("second draw")
    rungs = tuple(
        rung(plan, sums[plan.name], first, sums.get(plan.reference or ""), second) for plan in plans
    )

    def effect(cause: str, before: str, after: str, part: bool) -> Effect:
        return Effect(cause, before, after, part, sums[after].against(sums[before]))

    effects = [
        effect(plan.what, plan.reference, plan.name, plan.kind == "rung")
        for plan in plans
        if plan.reference is not None
    ]
    if "endcheck" in sums:
        # Both are cascades of layers, so that this one is a single change as well.
        whole = f"{CAUSES['isolated']}, in all layers at once (endcheck to rejit),"
        effects.append(effect(whole, "endcheck", "rejit", False))
    effects.sort(key=lambda e: (not e.part, e.within_noise, -abs(e.change.value)))
    return LadderReport(
        rungs=rungs,
        effects=tuple(effects),
        gap=effect("all changes together", "coarse", "continuous", False),
        settings=_settings(task),
        provenance=task.provenance(),
    )
