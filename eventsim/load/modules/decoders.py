"""How the potentials of a module's last layer give a class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.load.modules.build import Built
from eventsim.load.modules.graph import Graph
from eventsim.load.modules.outputs import CLOSE
from eventsim.populations import Population

__all__ = ["decoder"]

Array = NDArray[Any]


def decoder(graph: Graph, built: Built) -> tuple[str, str, str] | None:
    """The row that says which decoder a network gets that ends in potentials; None for others.

    A sum over the steps is read at the end. Of other potentials it is the reduction over the
    steps whose numbers the module returned on the sample input, where it returned one.
    """
    outputs = built.network.outputs
    last = built.network[outputs[0]] if len(outputs) == 1 else None
    if not isinstance(last, Population) or np.isfinite(last.array("v_threshold")).any():
        return None
    if last.name in built.readouts:
        return "decoder", "last", "assumed: the sum of the last layer over all steps"
    stations = {built.names[k]: s for k, s in enumerate(graph.stations) if k in built.names}
    potentials = graph.spikes[stations[last.name].name]
    values = [np.asarray(values) for _, values in graph.trace.outputs]
    found = {name for array in values for name in _reductions(array, potentials)}
    if len(found) > 1 or any(_has_steps(array, potentials) for array in values):
        found.discard("last")  # as a state beside the output, or the last of all steps
    if len(found) == 1:
        return "decoder", found.pop(), "what the module returned is this of its potentials"
    why = "assumed: how a class is made of the potentials is not seen; decoder=... says it"
    return "decoder", "mean", why


def _reductions(values: Array, potentials: Array) -> list[str]:
    """Decoders whose scores [sample, n] are these values, but for a number for each sample.

    A logarithm of softmax subtracts such a number, which changes no class.
    """
    samples, steps, n = potentials.shape
    if values.size != samples * n or steps == 1 or n == 1:
        return []
    given = _centred(values.reshape(samples, n).astype(np.float64))
    v = potentials.astype(np.float64)
    scores = {"last": [v[:, -1]], "mean": [v.mean(axis=1), v.sum(axis=1)], "max": [v.max(axis=1)]}

    def same(score: Array) -> bool:
        expected = _centred(score)
        return bool(np.abs(expected - given).max() <= CLOSE * (1.0 + np.abs(score).max()))

    return [name for name, every in scores.items() if any(map(same, every))]


def _has_steps(values: Array, potentials: Array) -> bool:
    """Whether these are the potentials of all steps, or of one before the last."""
    samples, steps, n = potentials.shape
    if values.size == potentials.size:
        return True
    return values.size == samples * n and any(
        np.array_equal(values.reshape(samples, n), potentials[:, k]) for k in range(steps - 1)
    )


def _centred(scores: Array) -> Array:
    return scores - scores.mean(axis=1, keepdims=True)
