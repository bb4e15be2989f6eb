"""What readers of NIR files share that make step rules of the nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import UnsupportedNetwork
from eventsim.load.nir_file import Graph, Node
from eventsim.load.nir_neurons import NEURONS, own_shape
from eventsim.load.nir_options import Row

__all__ = ["demand", "exact_only", "neurons_of", "per_neuron", "positive", "without_steps"]

Array = NDArray[np.float64]


def per_neuron(node: Node, name: str) -> Any:
    """A field as a step rule takes it: one number, or one for each neuron in a row."""
    array = node.numbers(name)
    return array.reshape(-1) if array.size > 1 else array.reshape(())


def positive(node: Node, name: str) -> Any:
    """The same of numbers above 0."""
    value = per_neuron(node, name)
    if (value <= 0.0).any():
        raise node.wrong(name, "numbers > 0", float(np.min(value)))
    return value


def neurons_of(graph: Graph, framework: str, kinds: Mapping[str, str]) -> dict[str, Node]:
    """The neuron nodes of a graph, all of the types that the framework writes.

    Parameters
    ----------
    graph : Graph
        What the file says.
    framework : str
        Name of the exporter.
    kinds : mapping
        Type of node -> layer of the framework, as messages name it.
    """
    nodes = {name: node for name, node in graph.nodes.items() if node.kind in NEURONS}
    for node in nodes.values():
        if node.kind not in kinds:
            known = ", ".join(f"{kind} ({layer})" for kind, layer in kinds.items())
            raise UnsupportedNetwork(
                f"{node.where}: type: expected one of {known} from {framework}, got {node.kind}, "
                f"whose steps are not known: leave exporter={framework!r} out to read it as NIR "
                "means it"
            )
    return nodes


def demand(node: Node, framework: str, field: str, value: float) -> None:
    """Refuse a node whose field, where it has one, is not the number that the framework writes."""
    if node.fields.get(field) is None:
        return
    array = node.numbers(field)
    if (array != value).any():
        raise UnsupportedNetwork(
            f"{node.where}: {field}: expected {value:g}, as {framework} writes it, got "
            f"{float(array[array != value].flat[0]):g}: leave exporter={framework!r} out for a "
            "file of another framework"
        )


def exact_only(given: Mapping[str, Any], framework: str, factor: str) -> None:
    """Refuse ``decay="euler"`` where the factors of a step are exponentials."""
    if given["decay"] not in (None, "exact"):
        raise checks.fail(
            "load_nir", "decay",
            f"None or 'exact', as the factor of a step of {framework} is {factor}",
            repr(given["decay"]),
        )  # fmt: skip


def without_steps(graph: Graph) -> tuple[dict[str, Node], list[Row]]:
    """The nodes, their Inputs without the axes of samples and steps, and rows that say so.

    What an Input leads into says how many neurons it has, where that is a matrix or a row of
    neurons.
    """
    nodes, rows = dict(graph.nodes), []
    for name, node in graph.nodes.items():
        shape = node.shape("shape") if node.kind == "Input" else None
        if shape is None or len(shape) < 2:
            continue
        taken = {_row(graph.nodes[b]) for a, b in graph.edges if a == name}
        if taken == {shape[-1]}:
            nodes[name] = replace(node, fields={**node.fields, "shape": np.array(shape[-1:])})
            why = f"{shape} in the file, with the samples and steps of the export"
            rows.append((f"shape of {name}", str(shape[-1:]), why))
    return nodes, rows


def _row(node: Node) -> int | None:
    """Length of the one axis that a node reads; None where it is another shape."""
    if node.kind in ("Linear", "Affine"):
        return int(np.shape(node.fields["weight"])[-1])
    if node.kind in NEURONS:
        shape = own_shape(node)
        return shape[0] if shape is not None and len(shape) == 1 else None
    return None
