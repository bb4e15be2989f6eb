"""Sweeps over the presentation: number of steps, times within a step, settling, window."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from eventsim import checks
from eventsim.errors import UnsupportedNetwork
from eventsim.fidelity.plans import Group
from eventsim.fidelity.samples import continuous
from eventsim.fidelity.sweep.kinds import Sweep, group, point, references
from eventsim.fidelity.task import Task
from eventsim.populations import Population

__all__ = ["JITTER", "PHASE", "SETTLING", "STEPS", "WINDOW", "with_steps"]


def with_steps(task: Task, steps: int, **changes: Any) -> Task:
    """The task with trains of so many steps."""
    return dataclasses.replace(task, disc=dataclasses.replace(task.disc, steps=steps), **changes)


def _each(
    task: Task, values: Sequence[Any], changed: Callable[[Any], Task], own: bool = True
) -> list[Group]:
    """A group for each value; with coarse runs of their own where the value changes these."""
    groups: list[Group] = []
    for value in values:
        here, label = changed(value), f"{value:g}"
        net = here.net.with_spread(here.spreads[0])
        name = f"coarse, {label}" if own else "coarse"
        plan = point(here, label, continuous(net, here.window), reference=name)
        first = references(here, label) if own else references(here) if not groups else []
        groups.append(Group(here, [*first, plan]))
    return groups


def _steps(task: Task, values: Sequence[int]) -> list[Group]:
    return _each(task, values, lambda steps: with_steps(task, steps))


def _settling(task: Task, values: Sequence[int]) -> list[Group]:
    counted = task.disc.steps
    return _each(task, values, lambda first: with_steps(task, counted + first, settle=first))


def _jitter(task: Task, values: Sequence[float]) -> list[Group]:
    return _each(task, values, lambda width: dataclasses.replace(task, jitter=width), own=False)


def _phase(task: Task, values: Sequence[float]) -> list[Group]:
    return _each(
        task, values, lambda phase: dataclasses.replace(task, jitter=0.0, phase=phase), own=False
    )


def _window(task: Task, values: Sequence[float]) -> list[Group]:
    net, length = task.net.with_spread(task.spreads[0]), task.disc.duration
    points = []
    for extra in values:
        window = length + extra * task.disc.dt
        points.append(point(task, f"{extra:g}", continuous(net, window), window=window))
    return [group(task, points)]


def _has_spikes(task: Task) -> None:
    if isinstance(task.entry, Population):
        raise UnsupportedNetwork(
            f"sweep: net: expected an Input whose spikes have times within a step, got the analog "
            f"images of the encoder {task.disc.encoder!r}"
        )


def _can_settle(task: Task) -> None:
    if task.extend:
        raise checks.fail("sweep", "extend", "0 with settling", task.extend)


STEPS = Sweep(
    "steps",
    "How long must the spike trains be?",
    "steps of a presentation",
    (1, 2, 4, 8, 16),
    _steps,
    low=1,
    whole=True,
    log=True,
)

JITTER = Sweep(
    "jitter",
    "Must input spikes spread over their step?",
    "part of the step over which input spikes spread",
    (0.0, 0.1, 0.25, 0.5, 0.75, 1.0),
    _jitter,
    high=1.0,
    needs=_has_spikes,
)

PHASE = Sweep(
    "phase",
    "Does it matter when in their step all input spikes arrive?",
    "time of the input spikes within their step (steps)",
    (0.0, 0.25, 0.5, 0.75, 1.0),
    _phase,
    high=1.0,
    needs=_has_spikes,
)

SETTLING = Sweep(
    "settling",
    "Does it help to let the network settle before spikes are counted?",
    "steps before the counted ones",
    (0, 1, 2, 4),
    _settling,
    whole=True,
    needs=_can_settle,
)

WINDOW = Sweep(
    "window",
    "Does it help to count spikes for longer than the input lasts?",
    "steps by which the window is longer",
    (0.0, 0.5, 1.0, 1.5, 2.0, 3.0),
    _window,
)
