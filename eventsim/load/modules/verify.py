"""Whether the discrete twin gives the spikes that the module gave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.discrete.charge import link
from eventsim.discretization import Discretization
from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.build import Built
from eventsim.load.modules.graph import Graph
from eventsim.load.modules.outputs import compared_outputs, compared_potentials
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.populations import Population

__all__ = ["Comparison", "compare"]

Array = NDArray[Any]

#: A sum of charges may come out on the other side of the threshold when it is added up in another
#: order, within so many roundings of the sum of their absolute values.
ROUNDINGS = 16


class Comparison(NamedTuple):
    """Spikes that were compared, the places at which rounding decided, and numbers of readouts."""

    steps: int
    spikes: int
    ties: int
    numbers: int


def compare(graph: Graph, built: Built, x: Array) -> Comparison:
    """Run the twin on the sample input and compare all spikes.

    From the first step on in which rounding alone decides, the rest of a sample is left out.

    Raises
    ------
    UnsupportedNetwork
        A spike differs that rounding does not explain; the message names the first one.
    """
    net, disc = built.network, built.discretization
    if not (disc.cells or graph.static or np.isin(x, (0, 1)).all()):
        raise UnsupportedNetwork(
            f"from_torch: sample_input: expected spikes of 0 and 1, as the rule {disc.rule!r} "
            "takes no analog numbers in steps, got others"
        )
    twin = disc.run(net, x, layers=True)
    pairs = []
    for number in graph.order:
        station = graph.stations[number]
        if station.kind != "neurons":
            continue
        theirs = graph.spikes[station.name]
        if graph.trace.neurons[station.name].readout:
            continue
        _check_whole(graph, station.name, theirs)
        pairs.append((station.name, built.names[number], theirs, twin[built.names[number]]))
    differs = np.zeros((graph.samples, graph.steps), dtype=bool)
    for _, _, theirs, ours in pairs:
        differs |= (theirs != ours).any(axis=2)
    until = np.where(differs.any(axis=1), differs.argmax(axis=1), graph.steps)
    ties = 0
    if differs.any():
        ties = _explained(graph, built, x, pairs, until)
    spikes = 0
    for _, _, theirs, _ in pairs:
        spikes += sum(int(theirs[k, :n].sum()) for k, n in enumerate(until))
    numbers = compared_outputs(graph, built, x, until) + compared_potentials(graph, built, x, until)
    return Comparison(int(until.sum()), spikes, ties, numbers)


def _check_whole(graph: Graph, path: str, spikes: Array) -> None:
    odd = spikes != np.rint(spikes)
    if odd.any():
        sample, step, neuron = np.argwhere(odd)[0]
        raise UnsupportedNetwork(
            f"{graph.trace.where[path]}: output: expected spikes of 0 and 1, got "
            f"{spikes[sample, step, neuron]:g} of neuron {neuron} in step {step} of sample "
            f"{sample}, as where a potential is exactly at the threshold"
        )


def _explained(
    graph: Graph, built: Built, x: Array, pairs: list[tuple[str, str, Array, Array]], until: Array
) -> int:
    """Number of samples in which rounding explains the first difference; an error for others."""
    net, disc = built.network, built.discretization
    twin: Any = disc.run(net, x, layers=True)
    first = sorted((int(until[k]), k) for k in range(graph.samples) if until[k] < graph.steps)
    for step, sample in first:
        path, name, theirs, ours = next(
            pair for pair in pairs if (pair[2][sample, step] != pair[3][sample, step]).any()
        )
        off = np.flatnonzero(theirs[sample, step] != ours[sample, step])
        before = {key: values[sample, : step + 1] for key, values in twin.items()}
        threshold = _threshold(built, name)
        margin = _magnitude(net, disc, name, before) + np.abs(threshold)
        margin *= ROUNDINGS * float(np.finfo(disc.dtype).eps)
        low, high = (
            _moved(built, x[sample : sample + 1], name, threshold + sign * margin)[step, off]
            for sign in (-1.0, 1.0)
        )
        given = theirs[sample, step, off]
        wrong = np.flatnonzero((given < high) | (given > low))
        if wrong.size:
            k = int(wrong[0])
            raise UnsupportedNetwork(
                f"{graph.trace.where[path]}: spikes: expected those of the discrete twin, but "
                f"neuron {off[k]} in step {step} of sample {sample} gave {given[k]:g} in the "
                f"module and {ours[sample, step, off[k]]:g} in the twin"
                f"{_missed(built, x, name, sample, step, int(off[k]))}, and rounding explains at "
                f"most {margin[off[k]]:.2g}: the module does something in its steps that its "
                "type does not say, or it did not start at rest (reset its state first)"
            )
    return len(first)


def _threshold(built: Built, name: str) -> Array:
    population = built.network[name]
    assert isinstance(population, Population)
    cell = built.discretization.cells.get(name)
    if cell is not None:
        return cell.array("v_threshold", population.n)
    return population.array("v_threshold")


def _moved(built: Built, x: Array, name: str, threshold: Array) -> Array:
    """Spikes [step, n] of one sample, with other thresholds of one population."""
    net, disc = built.network, built.discretization
    cell = disc.cells.get(name)
    if cell is not None:
        disc = replace(disc, cells={**disc.cells, name: replace(cell, v_threshold=threshold)})
    else:
        net = net.replace(name, v_threshold=threshold)
    moved: Array = disc.run(net, x, layers=True)[name][0]
    return moved


def _missed(built: Built, x: Array, name: str, sample: int, step: int, neuron: int) -> str:
    """How far the potential was from the threshold, where a reset has not changed it since."""
    net, disc = built.network, built.discretization
    here = x[sample : sample + 1]
    cell = disc.cells.get(name)
    fired = disc.run(net, here, layers=True)[name][0, step, neuron]
    if fired and cell is not None and cell.reset_time != "next":
        return ""
    v = disc.run(net, here, layers=True, record="potential")[name][0, step, neuron]
    off = float(v) - float(_threshold(built, name)[neuron])
    return f", {abs(off):.4g} {'above' if off > 0 else 'below'} the threshold"


def _magnitude(net: Network, disc: Discretization, name: str, spikes: dict[str, Array]) -> Array:
    """The largest sum of absolute charges that each neuron got in a step.

    Rounding errors of a sum are so many parts of this, and not of the sum itself.
    """
    population = net[name]
    charge = np.zeros((len(next(iter(spikes.values()))), population.n))
    for projection in net.projections:
        if projection.target != name or isinstance(projection, MaxPool2d):
            continue
        weighted: Any = projection
        absolute = replace(weighted, weight=np.abs(weighted.weight), delay=0.0)
        cell = disc.cells.get(name)
        made = link(net, absolute, np.float64, 1.0 if cell is None else np.abs(cell.weight_gain))
        arriving = np.abs(spikes[projection.source]).astype(np.float64)
        late = round(float(np.max(weighted.delay, initial=0.0)) / disc.dt)
        made.add(np.ascontiguousarray(arriving[: len(charge) - late]), charge[late:])
    largest: Array = charge.max(axis=0)
    return largest
