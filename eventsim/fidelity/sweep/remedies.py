"""What can be done about delta synapses, the ones that transfer badly, without training anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eventsim.fidelity.plans import Group, Plan
from eventsim.fidelity.samples import continuous
from eventsim.fidelity.sweep.inputs import with_steps
from eventsim.fidelity.sweep.kinds import Run, Sweep, point, references
from eventsim.fidelity.sweep.outputs import readout, with_thresholds
from eventsim.fidelity.sweep.synapses import deltas, feeds_forward, random_delays
from eventsim.fidelity.task import Task
from eventsim.fidelity.variants import with_exponentials

__all__ = ["MEMBRANE", "NOTHING", "REMEDIES"]

#: The network that is to be helped.
NOTHING = "deltas, as they are"
#: Output neurons without threshold, read at the end.
MEMBRANE = "membrane readout"


def _pulses(task: Task) -> Run:
    return continuous(task.net.with_spread(task.disc.dt), task.window)


def _exponentials(task: Task) -> Run:
    return continuous(with_exponentials(task.net, 0.5 * task.disc.dt), task.window)


def _random(task: Task) -> Run:
    return random_delays(task, task.disc.dt)


def _membrane(task: Task) -> Run:
    return readout(task, "membrane")


def _higher(factor: float) -> Callable[[Task], Run]:
    return lambda task: continuous(with_thresholds(task.net.with_spread(0.0), factor), task.window)


def _nothing(task: Task) -> Run:
    return continuous(task.net.with_spread(0.0), task.window)


#: Each by its name: what it makes of the task, and how it runs.
_REMEDIES: dict[str, tuple[Callable[[Task], Task], Callable[[Task], Run]]] = {
    NOTHING: (lambda task: task, _nothing),
    "pulses of 1 step": (lambda task: task, _pulses),
    "exponential, 0.5 steps": (lambda task: task, _exponentials),
    "random delays up to 1 step": (lambda task: task, _random),
    MEMBRANE: (lambda task: task, _membrane),
    "thresholds x 1.25": (lambda task: task, _higher(1.25)),
    "thresholds x 1.5": (lambda task: task, _higher(1.5)),
    "trains twice as long": (lambda task: with_steps(task, 2 * task.disc.steps), _nothing),
    "trains four times as long": (lambda task: with_steps(task, 4 * task.disc.steps), _nothing),
}


def _build(task: Task, values: Sequence[str]) -> list[Group]:
    """Each remedy against delta synapses; a longer train has a coarse run of its own."""
    task = deltas(task)
    groups: dict[int, tuple[Task, list[Plan]]] = {}
    for name in dict.fromkeys([NOTHING, *values]):
        change, run = _REMEDIES[name]
        here = change(task)
        own = here.disc.steps != task.disc.steps
        tail = f"{here.disc.steps} steps" if own else ""
        if here.disc.steps not in groups:
            groups[here.disc.steps] = (here, references(here, tail))
        reference = "coarse" if name == NOTHING else NOTHING
        groups[here.disc.steps][1].append(point(here, name, run(here), reference=reference))
    return [Group(here, plans) for here, plans in groups.values()]


REMEDY_NAMES = tuple(name for name in _REMEDIES if name != NOTHING)

REMEDIES = Sweep(
    "remedies",
    "What helps a network with delta synapses, without training anew?",
    "remedy",
    REMEDY_NAMES,
    _build,
    choices=REMEDY_NAMES,
    needs=feeds_forward,
)
