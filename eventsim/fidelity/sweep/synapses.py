"""Sweeps over how a spike arrives: width of pulses, time constants, delays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from eventsim.fidelity.plans import Group
from eventsim.fidelity.rungs import Cascade
from eventsim.fidelity.samples import continuous
from eventsim.fidelity.sweep.kinds import Run, Sweep, group, point
from eventsim.fidelity.task import Task
from eventsim.fidelity.variants import feed_forward_order, with_exponentials
from eventsim.populations import Population

__all__ = [
    "DELAY",
    "PULSE_WIDTH",
    "RANDOM_DELAY",
    "TAU_SYN",
    "deltas",
    "feeds_forward",
    "random_delays",
]


def deltas(task: Task) -> Task:
    """The task with delta synapses."""
    return dataclasses.replace(task, spreads=(0.0,))


def _widths(task: Task, values: Sequence[float]) -> list[Group]:
    points = [
        point(task, f"{w:g}", continuous(task.net.with_spread(w * task.disc.dt), task.window))
        for w in values
    ]
    return [group(task, points)]


def _time_constants(task: Task, values: Sequence[float]) -> list[Group]:
    points = [point(task, f"{tau:g}", _exponential(task, tau * task.disc.dt)) for tau in values]
    return [group(task, points)]


def _exponential(task: Task, tau_syn: float) -> Run:
    """Exponential synapses; without a time constant they are deltas."""
    net = with_exponentials(task.net, tau_syn) if tau_syn else task.net.with_spread(0.0)
    return continuous(net, task.window)


def _delays(task: Task, values: Sequence[float]) -> list[Group]:
    climb = Cascade(task)

    def late(delay: float) -> Callable[[str, str], float]:
        return lambda _, target: delay if isinstance(task.net[target], Population) else 0.0

    return [
        group(task, [point(task, f"{d:g}", climb.delayed(late(d * task.disc.dt))) for d in values])
    ]


def random_delays(task: Task, longest: float) -> Run:
    """A fixed delay from 0 to ``longest`` seconds for the spikes of each neuron, drawn once."""
    delays: dict[str, float | NDArray[np.float64]] = {}
    for k, population in enumerate(task.net.populations):
        keys = np.random.SeedSequence(task.seed, spawn_key=(2, k))
        draw = np.random.Generator(np.random.PCG64(keys)).random(population.n)
        delays[population.name] = longest * draw if isinstance(population, Population) else 0.0
    return Cascade(task).delayed(lambda source, _: delays[source])


def _random_delays(task: Task, values: Sequence[float]) -> list[Group]:
    points = [point(task, f"{d:g}", random_delays(task, d * task.disc.dt)) for d in values]
    return [group(task, points)]


def feeds_forward(task: Task) -> None:
    """Refuse recurrent networks, which cannot be run layer by layer."""
    feed_forward_order(task.net)


PULSE_WIDTH = Sweep(
    "pulse-width",
    "How wide must the pulses of the synapses be?",
    "pulse width (steps)",
    (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0),
    _widths,
)

TAU_SYN = Sweep(
    "tau-syn",
    "How slow must exponential synapses be?",
    "synaptic time constant (steps)",
    (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0),
    _time_constants,
)

DELAY = Sweep(
    "delay",
    "What does a delay in every layer cost?",
    "delay of each layer (steps)",
    (0.0, 0.1, 0.25, 0.5, 1.0, 2.0),
    _delays,
    needs=feeds_forward,
)

RANDOM_DELAY = Sweep(
    "random-delay",
    "Do fixed random delays of the neurons help?",
    "longest random delay of a neuron (steps)",
    (0.0, 0.25, 0.5, 1.0, 1.5, 2.0),
    _random_delays,
    needs=feeds_forward,
)
