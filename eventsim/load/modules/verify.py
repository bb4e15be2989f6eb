"""Whether the discrete twin gives the spikes that the module gave."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.build import Built
from eventsim.load.modules.graph import Graph
from eventsim.populations import Population

__all__ = ["Comparison", "compare"]

Array = NDArray[Any]

#: Roundings, of the largest number that meets the threshold, within which a sum may come out on
#: its other side when it is added up in another order.
ROUNDINGS = 16


class Comparison(NamedTuple):
    """Spikes that were compared, and the places at which rounding decided."""

    steps: int
    spikes: int
    ties: int


def compare(graph: Graph, built: Built, x: Array) -> Comparison:
    """Run the twin on the sample input and compare all spikes.

    From the first step on in which rounding alone decides, the rest of a sample is left out.

    Raises
    ------
    UnsupportedNetwork
        A spike differs that rounding does not explain; the message names the first one.
    """
    net, disc = built.network, built.discretization
    twin = disc.run(net, x, layers=True)
    places = {number: name for number, name in built.names.items()}
    pairs = []
    for number in graph.order:
        station = graph.stations[number]
        if station.kind != "neurons":
            continue
        theirs = graph.spikes[station.name]
        _check_whole(graph, station.name, theirs)
        pairs.append((station.name, places[number], theirs, twin[places[number]]))
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
    return Comparison(int(until.sum()), spikes, ties)


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
    potential = disc.run(net, x, layers=True, record="potential")
    drive = disc.run(net, x, layers=True, record="drive")
    eps = float(np.finfo(disc.dtype).eps)
    first = sorted((int(until[k]), k) for k in range(graph.samples) if until[k] < graph.steps)
    for step, sample in first:
        for path, name, theirs, ours in pairs:
            off = np.flatnonzero(theirs[sample, step] != ours[sample, step])
            if not off.size:
                continue
            population = net[name]
            assert isinstance(population, Population)
            threshold = population.array("v_threshold")[off]
            v = potential[name][sample, step, off]
            largest = np.abs(drive[name][sample, : step + 1, off]).max(axis=-1)
            missed = np.abs(v - threshold)
            allowed = ROUNDINGS * eps * (np.abs(threshold) + np.abs(v) + largest)
            for k in np.flatnonzero(missed > allowed):
                raise UnsupportedNetwork(
                    f"{graph.trace.where[path]}: spikes: expected those of the discrete twin, but "
                    f"neuron {off[k]} in step {step} of sample {sample} gave "
                    f"{theirs[sample, step, off[k]]:g} in the module and "
                    f"{ours[sample, step, off[k]]:g} in the twin, whose potential is "
                    f"{v[k]:g} at the threshold {threshold[k]:g}: the module does something in "
                    "its steps that its type does not say, or it did not start at rest (reset "
                    "its state first)"
                )
            break
    return len(first)
