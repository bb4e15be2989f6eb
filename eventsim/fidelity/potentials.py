"""Classes from the potentials of an output that does not spike, in steps and in continuous time.

Both models are read at the same instants, the ends of the steps, as a clocked readout on hardware
would read them: the coarse model's potentials after each step, the exact potentials at these times.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.discretization import Discretization
from eventsim.fidelity.task import Task
from eventsim.network import Network
from eventsim.populations import Population
from eventsim.recording import Results

__all__ = ["exact_scores", "reduced", "resting", "step_ends", "twin_scores"]

Floats = NDArray[np.float64]


def reduced(potentials: NDArray[Any], decoder: str) -> Floats:
    """Potentials [sample, instant, n] as scores [sample, n].

    >>> v = np.array([[[0.0, 1.0], [3.0, 1.0], [0.0, 2.5]]])
    >>> reduced(v, "last"), reduced(v, "mean"), reduced(v, "max")
    (array([[0. , 2.5]]), array([[1. , 1.5]]), array([[3. , 2.5]]))
    """
    values = np.asarray(potentials, dtype=np.float64)
    if decoder == "last":
        return values[:, -1]
    return np.asarray(values.mean(axis=1) if decoder == "mean" else values.max(axis=1))


def step_ends(task: Task, window: float) -> Floats:
    """Seconds at which potentials are read: ends of counted steps up to the end of the window.

    For ``"last"`` it is the end of the window alone.
    """
    if task.disc.decoder == "last":
        return np.array([window])
    dt = task.disc.dt
    # A window of whole steps may miss the last one by rounding.
    steps = int(np.floor(window / dt * (1 + 1e-12)))
    return np.minimum(dt * np.arange(task.settle + 1, max(steps, task.settle + 1) + 1), window)


def twin_scores(
    task: Task, x: NDArray[Any], threads: int, disc: Discretization | None = None
) -> Floats | None:
    """Scores [sample, class] of the twin, of other rules if given; None where spikes decide."""
    if not task.reads_potentials:
        return None
    potentials = (disc or task.disc).run(task.net, x, record="potential", threads=threads)
    assert isinstance(potentials, np.ndarray)
    rest = resting(task.net, task.disc, task.output.name)
    return task.by_class(reduced(potentials[:, task.settle :] + rest, task.disc.decoder))


def resting(net: Network, disc: Discretization, name: str) -> NDArray[Any]:
    """What the twin's potentials of a population are measured from.

    Rules of frameworks have it in their potentials, the coarse rules have not.
    """
    population = net[name]
    assert isinstance(population, Population)
    return np.zeros(population.n) if name in disc.cells else population.array("v_leak")


def exact_scores(task: Task, results: Results, window: float) -> Floats | None:
    """Scores [sample, class] of exact runs that kept the output's potentials; else None."""
    if not task.reads_potentials:
        return None
    times = step_ends(task, window)
    potentials = np.stack([result.v[task.output.name].at(times) for result in results])
    return task.by_class(reduced(potentials, task.disc.decoder))
