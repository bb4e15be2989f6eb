"""Last layers without neurons: what of the module's output is no spike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.load.modules.expressions import Expression, Unknown
from eventsim.load.modules.graph import Graph
from eventsim.load.modules.stations import Chain
from eventsim.projections import Shape

__all__ = ["Readout", "readouts"]

Array = NDArray[Any]


@dataclass
class Readout:
    """A linear layer that leads to the output: what reaches it in each step, and its bias.

    ``stations`` are the numbers of its stations; there are none where it is applied to a sum over
    all steps, of which each step has its share here.
    """

    name: str
    shape: Shape
    chains: list[Chain]
    bias: Array | None
    stations: tuple[int, ...]


def readouts(graph: Graph, rows: list[tuple[str, str, str]]) -> list[Readout]:
    """The last layers of a module; ``rows`` gets one for each that is left out."""
    labels = _shown([known for known, _ in graph.trace.outputs])
    numbers: Any = np.unique(graph.places.source[labels]) if labels.size else []
    by_layer: dict[Any, list[int]] = {}
    for number in map(int, numbers):
        station = graph.stations[number]
        if station.kind == "fault":
            rows.append(("a readout", "left out", station.name))
        if station.kind == "layer" and station.layer is not None:
            by_layer.setdefault(station.layer.key, []).append(number)
    found = []
    for stations in by_layer.values():
        layer = graph.stations[stations[0]].layer
        assert layer is not None
        steps = {
            number: graph.places.step[labels[graph.places.source[labels] == number]]
            for number in stations
        }
        every = dict.fromkeys(c for number in stations for c in graph.chains(number))
        chains, share = _collapsed(list(every), graph.steps)
        agree = share > 1 or all(
            chain in graph.chains(number) or chain.lag > steps[number].max()
            for number in stations
            for chain in every
        )
        bias = graph.constant(stations[-1])
        if not agree:
            why = "what it reads is not the same in all steps"
            rows.append((f"readout {layer.name}", "left out", why))
            continue
        if bias is not None:
            bias = bias / share
        shape = graph.stations[stations[0]].shape
        kept = tuple(stations) if share == 1 else ()
        found.append(Readout(layer.name, shape, chains, bias, kept))
    return found


def _collapsed(chains: list[Chain], steps: int) -> tuple[list[Chain], int]:
    """Chains of a sum over all steps, without their lags, and the number of steps in it."""
    plain = dict.fromkeys(replace(chain, lag=0) for chain in chains)
    lags = {chain.lag for chain in chains}
    if steps > 1 and len(chains) == steps * len(plain) and lags == set(range(steps)):
        return list(plain), steps
    return chains, 1


def _shown(values: list[Any]) -> Array:
    """Labels that lead to the output, through functions that are not understood as well."""
    labels, waiting, seen = [], list(values), set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Unknown):
            waiting += value.sources
        elif isinstance(value, Expression):
            labels += [term.labels.cpu().numpy().reshape(-1) for term in value.terms]
    if not labels:
        return np.zeros(0, dtype=np.int64)
    every = np.unique(np.concatenate(labels))
    return every[every > 0]
