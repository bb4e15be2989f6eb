"""Whether the discrete twin gives the spikes that the module gave."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.build import Built
from eventsim.load.modules.graph import Graph
from eventsim.load.modules.outputs import compared_outputs, compared_potentials
from eventsim.load.modules.ties import check_ties

__all__ = ["Comparison", "compare"]

Array = NDArray[Any]


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
    twin: Any = disc.run(net, x, layers=True)
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
        ties = check_ties(graph, built, x, pairs, twin, until)
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
