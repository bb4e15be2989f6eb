"""Whether the readouts of the twin give the numbers that the module returned."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.build import Built
from eventsim.load.modules.expressions import Expression
from eventsim.load.modules.graph import Graph
from eventsim.load.modules.signals import ANY
from eventsim.load.modules.stations import as_array

__all__ = ["compared_outputs", "compared_potentials"]

Array = NDArray[Any]

#: Numbers of float32 sums agree within this part of the largest of them.
CLOSE = 1e-4


def compared_outputs(graph: Graph, built: Built, x: Array, until: Array) -> int:
    """Compare what the module returned with the same sums of what the twin gives.

    Parameters
    ----------
    until : array of int [sample]
        Steps of each sample in which the twin's spikes are the module's.

    Returns
    -------
    int
        How many numbers were compared; what is behind functions that are not understood, and
        what is made of spikes alone, is not among them.
    """
    names = {k: name for name, readout in built.readouts.items() for k in readout.stations}
    if not names:
        return 0
    net, disc = built.network, built.discretization
    drive: Any = disc.run(net, x, layers=True, record="drive")
    given = {k: drive[name].astype(np.float64) for k, name in names.items()}
    for number in given:
        bias = built.readouts[names[number]].bias
        given[number] -= 0.0 if bias is None else bias
    for number, station in enumerate(graph.stations):
        if station.kind == "neurons" and not graph.trace.neurons[station.name].readout:
            given[number] = graph.spikes[station.name]
    count = 0
    for known, values in graph.trace.outputs:
        if isinstance(known, Expression) and known.terms:
            count += _compared(graph, known, values, given, names, until)
    return count


def _compared(
    graph: Graph, known: Expression, values: Array, given: dict[int, Array],
    names: dict[int, str], until: Array,
) -> int:  # fmt: skip
    """Compare the elements of one tensor of which all terms are known."""
    total = np.zeros(values.shape)
    if known.constant is not None:
        total += as_array(known.constant.broadcast_to(values.shape))
    clear, weighted = np.ones(values.shape, bool), np.zeros(values.shape, bool)
    places = graph.places
    for term in known.terms:
        labels = as_array(term.labels)
        factor: Any = term.coefficient
        if not isinstance(factor, float):
            factor = as_array(factor)
        factor = np.broadcast_to(factor, labels.shape)
        for number in np.unique(places.source[labels[labels > 0]]).tolist():
            here = (labels > 0) & (places.source[labels] == number)
            at = labels[here]
            step, sample, unit = places.step[at], places.sample[at], places.unit[at]
            fixed = bool((step == ANY).any() or (graph.samples > 1 and (sample == ANY).any()))
            if number not in given or fixed:
                clear[here] = False
                continue
            sample = np.maximum(sample, 0)
            total[here] += factor[here] * given[number][sample, step, unit]
            clear[here] &= step < until[sample]
            weighted[here] |= number in names
    checked = clear & weighted
    scale = np.abs(values[checked]).max(initial=0.0)
    off = np.abs(total - values) * checked
    if off.size and off.max() > CLOSE * (1.0 + scale):
        where = np.unravel_index(int(np.argmax(off)), off.shape)
        raise UnsupportedNetwork(
            f"module: output{list(map(int, where))}: expected {total[where]:g} as from the twin's "
            f"readouts {sorted(set(names.values()))}, got {values[where]:g}: the module does "
            "something behind its last layer that was not seen"
        )
    return int(checked.sum())


def compared_potentials(graph: Graph, built: Built, x: Array, until: Array) -> int:
    """Compare what neurons without spikes gave with the potentials of the twin's.

    ``until`` and the result are as in :func:`compared_outputs`.
    """
    neurons = graph.trace.neurons
    kept = [s for s in graph.stations if s.kind == "neurons" and neurons[s.name].readout]
    if not kept:
        return 0
    twin: Any = built.discretization.run(built.network, x, layers=True, record="potential")
    count = 0
    for station in kept:
        theirs = graph.spikes[station.name]
        ours = twin[built.names[graph.stations.index(station)]].astype(np.float64)
        equal_spikes = np.arange(graph.steps)[None, :] < until[:, None]
        off = np.abs(ours - theirs) * equal_spikes[:, :, None]
        if off.max() > CLOSE * (1.0 + np.abs(theirs).max()):
            sample, step, neuron = np.unravel_index(int(np.argmax(off)), off.shape)
            raise UnsupportedNetwork(
                f"{graph.trace.where[station.name]}: output: expected the potentials of the "
                f"twin, but neuron {neuron} in step {step} of sample {sample} gave "
                f"{theirs[sample, step, neuron]:g} in the module and "
                f"{ours[sample, step, neuron]:g} in the twin: the module does something in its "
                "steps that its type does not say, or it did not start at rest"
            )
        count += int(equal_spikes.sum()) * station.units
    return count
