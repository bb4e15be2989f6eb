"""A single sample in both models, spike by spike, to see where they begin to differ.

The first diverging spike is the first one without a counterpart in the other model
(:mod:`eventsim.fidelity.counterparts`), in the order in which the coarse model goes: by step,
within a step by layer from the input to the output, within a layer by time, then by unit. The step
of a continuous spike is the one in which it falls. A coarse spike has the time at which the
threshold is tested, the end of its step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks, decode
from eventsim.fidelity.counterparts import Counterparts, Paired
from eventsim.fidelity.potentials import exact_scores, resting
from eventsim.fidelity.samples import Samples, exact
from eventsim.fidelity.task import Task
from eventsim.populations import Population
from eventsim.recording import Result, Results
from eventsim.trace import Trace

__all__ = ["CloseUp", "Divergence", "LayerSpikes", "Membrane", "closeups"]

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

#: Evenly spaced points of a potential in each step, besides both sides of every event.
POINTS_PER_STEP = 96


@dataclass(frozen=True)
class Divergence:
    """A spike that the other model has no counterpart of.

    Attributes
    ----------
    layer, unit : str, int
        Where.
    step : int
        Its step; for a continuous spike the one it falls in.
    time : float
        In seconds; for a coarse spike the end of its step, when the threshold is tested.
    coarse : bool
        Whether it is the coarse model that has it.
    """

    layer: str
    unit: int
    step: int
    time: float
    coarse: bool


@dataclass(frozen=True, eq=False)
class LayerSpikes(Paired):
    """Spikes of one layer in both models.

    Attributes
    ----------
    name, n : str, int
        Population and its number of units.
    step, unit : array of int64
        The coarse spikes, in order of (step, unit).
    time : array of float64
        Times of the continuous spikes in seconds, ascending.
    sender : array of int64
        Their units.
    partner : array of int64
        For each coarse spike the index of its counterpart in ``time``; -1 where it has none.
    """

    name: str
    n: int
    step: Index
    unit: Index
    time: Floats
    sender: Index
    partner: Index


@dataclass(frozen=True, eq=False)
class Membrane:
    """Potential of the unit of a diverging spike in both models.

    Attributes
    ----------
    spike : Divergence
        The spike that is shown.
    t, v : array of float64
        The exact curve: times in seconds, ascending, and potentials. Both sides of an event share
        its time; a spike stands at the threshold between them.
    threshold : float
        In the unit of the potential.
    refractory : array of float64 [span, 2]
        Beginning and end of the refractory periods, in seconds.
    coarse : array of float64 [step]
        Potential of the coarse model at the end of each step, before any reset.
    """

    spike: Divergence
    t: Floats
    v: Floats
    threshold: float
    refractory: Floats
    coarse: Floats


@dataclass(frozen=True, eq=False)
class CloseUp:
    """One sample in both models.

    Attributes
    ----------
    sample, label : int
        Which one, and its class.
    coarse_class, continuous_class : int
        What the models make of it.
    coarse_counts, continuous_counts : array of int64 or float64 [class]
        Output spikes, or what potentials give where these decide.
    layers : tuple of LayerSpikes
        From input to output; an Input, whose spikes are the same in both, is left out, and so is
        an output without spikes.
    first : Divergence or None
        The first diverging spike; None where each spike has a counterpart.
    membranes : tuple of Membrane
        Of the first diverging spike of a unit that has a potential (a max pooling has none), and
        of the first one of the output, where this is another.
    steps, dt, window : int, float, float
        Steps of the coarse model and their length in seconds; simulated seconds.
    synapse : str
        The synapse of the continuous network, in words.
    """

    sample: int
    label: int
    coarse_class: int
    continuous_class: int
    coarse_counts: NDArray[Any]
    continuous_counts: NDArray[Any]
    layers: tuple[LayerSpikes, ...]
    first: Divergence | None
    membranes: tuple[Membrane, ...] = field(repr=False)
    steps: int
    dt: float
    window: float
    synapse: str


def closeups(
    task: Task, samples: Sequence[int], *, threads: int = 1, engine: str = "auto"
) -> tuple[CloseUp, ...]:
    """Some samples in both models, with the draws of run 0 of :func:`eventsim.validate`.

    Parameters
    ----------
    task : Task
        What is compared; the continuous network has the first of its pulse widths.
    samples : sequence of int
        Which samples, such as those of the first disagreements of a report.
    threads : int
        Cores to use; no effect on results. Default 1.
    engine : {"auto", "layered", "windowed", "queue"}
        As in :func:`eventsim.simulate`. No effect on results.

    Returns
    -------
    tuple of CloseUp
        In the order of ``samples``; none of a network whose only layer does not spike.

    Raises
    ------
    InvalidValue, InvalidType
        No index of a sample.
    EventsimError
        A run exceeded its event budget.

    Examples
    --------
    >>> from eventsim import Dense, Discretization, Input, Network
    >>> from eventsim.fidelity.task import check_task
    >>> net = Network([Input("image", 1), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("image", "out", [[1.2, 1.05]])])
    >>> disc = Discretization(dt=1e-3, steps=3, spread=0.0)
    >>> one, = closeups(check_task(net, disc, [[1.0], [1.0]], [0, 0]), [0])
    >>> one.coarse_counts, one.continuous_counts
    (array([2, 1]), array([3, 3]))
    >>> first = one.first  # by its weight unit 1 spikes at the first arrival, but not in steps
    >>> first.layer, first.unit, first.step, first.coarse
    ('out', 1, 0, False)
    """
    ids = checks.index_array("closeups", "samples", list(samples))
    if ids.size and ids.max() >= task.samples:
        raise checks.fail("closeups", "samples", f"indices below {task.samples}", int(ids.max()))
    if not ids.size or not task.layers:
        return ()
    some = Samples(task, ids, threads)
    net = task.net.with_spread(task.spreads[0])

    def run(**record: Any) -> Results:
        return exact(net, some, some.inputs(0), task.window, some.currents, engine=engine, **record)

    results = run(record=task.layers)
    layers = [
        tuple(_layer(task, name, some.spikes[name][k], result) for name in task.layers)
        for k, result in enumerate(results)
    ]
    shown = [_to_show(task, of_sample) for of_sample in layers]
    units: dict[str, list[int]] = {}
    for item in (item for of_sample in shown for item in of_sample):
        if item.unit not in units.setdefault(item.layer, []):
            units[item.layer].append(item.unit)
    traced = run(record="counts", record_v=units)
    potentials = task.disc.run(
        task.net, some.x, layers=True, record="potential", threads=threads
    )  # fmt: skip
    assert isinstance(potentials, dict)
    exact_output = exact_scores(task, results, task.window)
    if some.scores is None or exact_output is None:
        name = task.output.name
        outputs = (task.by_class(some.counts[name]), task.by_class(results.counts[name]))
    else:
        outputs = (some.scores, exact_output)
    coarse_class, continuous_class = map(decode.classes, outputs)
    return tuple(
        CloseUp(
            sample=sample,
            label=int(task.labels[sample]),
            coarse_class=int(coarse_class[k]),
            continuous_class=int(continuous_class[k]),
            coarse_counts=outputs[0][k],
            continuous_counts=outputs[1][k],
            layers=layers[k],
            first=_first(task, layers[k]),
            membranes=tuple(
                _membrane(task, item, traced[k].v[item.layer], layers[k], potentials, k)
                for item in shown[k]
            ),
            steps=task.disc.steps,
            dt=task.disc.dt,
            window=task.window,
            synapse=task.synapse,
        )
        for k, sample in enumerate(ids.tolist())
    )


def _layer(task: Task, name: str, spikes: NDArray[Any], result: Result) -> LayerSpikes:
    train = result.spikes[name]
    pairs = Counterparts.of(spikes[None], [train], task.disc.dt)
    return LayerSpikes(
        name, task.net[name].n, pairs.step, pairs.unit, train.times, train.senders, pairs.partner
    )


def _first(task: Task, layers: Iterable[LayerSpikes]) -> Divergence | None:
    """The first diverging spike of some layers, which are in order from input to output."""
    dt, best, found = task.disc.dt, None, None
    ends = dt * np.arange(1, int(np.ceil(task.window / dt)) + 1)
    for layer in layers:
        missing, extra = layer.missing, layer.extra
        falls = np.searchsorted(ends, layer.time, side="right")
        step = np.concatenate([layer.step[missing], falls[extra]])
        time = np.concatenate([(layer.step[missing] + 1) * dt, layer.time[extra]])
        unit = np.concatenate([layer.unit[missing], layer.sender[extra]])
        if not step.size:
            continue
        i = int(np.lexsort((unit, time, step))[0])
        if best is None or step[i] < best:
            best = int(step[i])
            coarse = i < int(missing.sum())
            found = Divergence(layer.name, int(unit[i]), best, float(time[i]), coarse)
    return found


def _to_show(task: Task, layers: Sequence[LayerSpikes]) -> list[Divergence]:
    """The first diverging spike of a unit with a potential, and the first one of the output."""
    neurons = [layer for layer in layers if isinstance(task.net[layer.name], Population)]
    output = [layer for layer in neurons if layer.name == task.output.name]
    found = [_first(task, some) for some in (neurons, output)]
    return list(dict.fromkeys(item for item in found if item is not None))


def _membrane(
    task: Task,
    spike: Divergence,
    trace: Trace,
    layers: Sequence[LayerSpikes],
    potentials: dict[str, NDArray[Any]],
    sample: int,
) -> Membrane:
    layer = next(item for item in layers if item.name == spike.layer)
    column = int(np.flatnonzero(trace.neurons == spike.unit)[0])
    rest = resting(task.net, task.disc, spike.layer)[spike.unit]
    coarse = potentials[spike.layer][sample, :, spike.unit]
    threshold = float(trace.v_threshold[column])
    t, v = _curve(trace, column, layer.time[layer.sender == spike.unit], len(coarse), threshold)
    return Membrane(spike, t, v, threshold, trace.refractory(column), coarse + rest)


def _curve(
    trace: Trace, column: int, spikes: Floats, steps: int, threshold: float
) -> tuple[Floats, Floats]:
    """The exact potential on a grid and at both sides of every event.

    What a jump that fires a neuron summed up to is reset at once. It was at least the threshold,
    which therefore stands between the two sides of a spike. (An adaptive threshold has no coarse
    model.)
    """
    knots = trace.knots(column)
    knots = knots[(knots > trace.t_start) & (knots < trace.t_end)]
    # A spike is an event; engines may give its time with another rounding.
    later = spikes[spikes > trace.t_start]
    spikes = np.unique([knots[np.argmin(np.abs(knots - time))] for time in later])
    points = POINTS_PER_STEP * steps + 1
    even = np.linspace(trace.t_start, trace.t_end, points)
    ends = trace.refractory(column)[:, 1]  # where the potential begins to move
    grid = np.setdiff1d(np.concatenate([even, ends]), knots)
    t = np.concatenate([grid, knots, spikes, knots])
    v = np.concatenate([
        trace.at(grid)[:, column],
        trace.before(knots)[:, column],
        np.full(spikes.size, threshold),
        trace.at(knots)[:, column],
    ])  # fmt: skip
    order = np.argsort(t, kind="stable")
    return t[order], v[order]
