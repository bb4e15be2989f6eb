"""What a NIR file holds: nodes with their fields, and edges; nested graphs are written out flat.

Only plain datasets are read (:mod:`eventsim.load.hdf5`), and nothing in a file is ever executed
or unpickled. A node of a nested graph gets the name ``outer.inner``; the inner Input and Output
nodes become nodes that pass on what they get.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import EventsimError, FileError
from eventsim.load import hdf5

__all__ = ["NOTE", "Graph", "Node", "flatten", "is_nir", "is_nir_data", "read_raw"]

#: What eventsim writes into the metadata of a graph or node begins with this.
NOTE = "eventsim_"

#: Types of nodes that NIR defines, besides the graph itself.
TYPES = (
    "Affine", "AvgPool2d", "Conv1d", "Conv2d", "CubaLI", "CubaLIF", "Delay", "Flatten", "I", "IF",
    "Input", "LI", "LIF", "Linear", "Output", "Scale", "SumPool2d", "Threshold",
)  # fmt: skip
_NEURONS = ("CubaLI", "CubaLIF", "I", "IF", "LI", "LIF", "Threshold")

#: Graphs inside graphs; a file in which a group holds itself has no end.
_DEEPEST = 32


@dataclass(frozen=True)
class Node:
    """One node; ``fields`` are numbers (arrays), texts, or None where the file has none."""

    file: str
    name: str
    kind: str
    fields: Mapping[str, Any]
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """How messages name this node."""
        return f"{self.file}: node {self.name!r} ({self.kind})"

    def wrong(self, name: str, expected: str, got: Any) -> FileError:
        """The error for a field that is not as it has to be."""
        return FileError(f"{self.where}: {name}: expected {expected}, got {got}")

    def numbers(self, name: str, finite: bool = True) -> NDArray[Any]:
        """The real numbers of a field; without NaN, and finite unless told."""
        value = self.fields.get(name)
        if value is None or isinstance(value, str | Mapping):
            raise self.wrong(name, "numbers", "nothing" if value is None else type(value).__name__)
        if hasattr(value, "detach"):  # a tensor in a graph in memory, perhaps one that is trained
            value = value.detach()
        try:
            array = checks.real_array(self.where, name, value)
            checks.finite(
                self.where, name, array if finite else np.where(np.isinf(array), 0, array)
            )
        except EventsimError as error:
            raise FileError(str(error)) from error
        return array

    def whole(self, name: str, minimum: int = 0) -> tuple[int, ...]:
        """The integers of a field, each at least ``minimum``."""
        array = self.numbers(name)
        if array.ndim > 1 or (array != np.round(array)).any() or (array < minimum).any():
            raise self.wrong(name, f"integers >= {minimum}", array.tolist())
        return tuple(int(v) for v in array.reshape(-1))

    def pair(self, name: str, minimum: int = 0) -> tuple[int, int]:
        """One or two integers (vertical, horizontal)."""
        values = self.whole(name, minimum)
        if len(values) not in (1, 2):
            raise self.wrong(name, "one or two integers", list(values))
        return values[0], values[-1]

    def shape(self, name: str) -> tuple[int, ...] | None:
        """A field that is a shape; None where the file does not say it."""
        return None if self.fields.get(name) is None else self.whole(name, 1)


@dataclass
class Graph:
    """All nodes of a file by name, and edges in the order of the file."""

    file: str
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


def is_nir(file: h5py.File) -> bool:
    """Whether an open HDF5 file is a NIR graph, perhaps a damaged one."""
    return "format" not in file.attrs and ("node" in file or "version" in file)


def is_nir_data(file: h5py.File) -> bool:
    """Whether an open HDF5 file holds spikes in the form of NIRData."""
    return bool(file.attrs.get("__type__") == "NIRGraphData")


def read_raw(file: h5py.File) -> dict[str, Any]:
    """The root node of an open file as nested dicts, as ``nir.NIRNode.to_dict()`` gives them."""
    return _raw(hdf5.child(file, "node"), 0)


def _raw(group: h5py.Group, depth: int) -> dict[str, Any]:
    where = f"{group.file.filename}: {group.name}"
    if depth > _DEEPEST:
        raise FileError(f"{where}: nodes: expected at most {_DEEPEST} nested graphs, got more")
    raw: dict[str, Any] = {"type": hdf5.text(group, "type")}
    for name in group:
        if name in ("nodes", "metadata"):
            inner = hdf5.child(group, name)
            raw[name] = (
                {key: _raw(hdf5.child(inner, key), depth + 1) for key in inner}
                if name == "nodes"
                else _metadata(inner)
            )
        elif name == "edges":
            raw[name] = _edges(group)
        elif name != "type":
            raw[name] = _value(group, name)
    return raw


def _value(group: h5py.Group, name: str) -> Any:
    dataset = hdf5.child(group, name, h5py.Dataset)
    if dataset.shape is None:
        return None
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return hdf5.text(group, name)
    return hdf5.array(group, name)


def _edges(group: h5py.Group) -> list[tuple[str, str]]:
    dataset = hdf5.child(group, "edges", h5py.Dataset)
    where = f"{group.file.filename}: {group.name}/edges"
    if dataset.shape is None or dataset.size == 0:
        return []
    text = h5py.check_string_dtype(dataset.dtype) is not None
    if not text or dataset.ndim != 2 or dataset.shape[1] != 2:
        raise FileError(
            f"{where}: expected pairs of names, got {dataset.dtype} of shape {dataset.shape}"
        )
    return [(str(a), str(b)) for a, b in dataset.asstr()[()]]


def _metadata(group: h5py.Group) -> dict[str, Any]:
    """Eventsim's own entries; what others have left there is of no meaning here."""
    return {name: _value(group, name) for name in group if name.startswith(NOTE)}


def flatten(raw: Mapping[str, Any], file: str) -> Graph:
    """All nodes of nested dicts, those of inner graphs under ``outer.inner``.

    Raises
    ------
    FileError
        An edge to a node that does not exist, an unknown type, an inner graph without a clear
        entry or exit.
    """
    graph = Graph(file, notes=_notes(raw))
    if raw.get("type") != "NIRGraph":
        name = str(raw.get("type")).lower()
        raw = {"type": "NIRGraph", "nodes": {name: raw}, "edges": []}
    _add(graph, raw, "", 0)
    return graph


def _notes(raw: Mapping[str, Any]) -> dict[str, Any]:
    metadata = raw.get("metadata")
    items = metadata.items() if isinstance(metadata, Mapping) else ()
    return {key[len(NOTE) :]: value for key, value in items if key.startswith(NOTE)}


def _add(graph: Graph, raw: Mapping[str, Any], prefix: str, depth: int) -> None:
    """Add the nodes and edges of one graph, inner graphs first."""
    where = f"{graph.file}: {f'graph {prefix[:-1]!r}' if prefix else 'graph'}"
    if depth > _DEEPEST:
        raise FileError(f"{where}: nodes: expected at most {_DEEPEST} nested graphs, got more")
    for part, kind in (("nodes", Mapping), ("edges", Collection)):
        if not isinstance(raw.get(part), kind):
            raise FileError(f"{where}: {part}: expected them, got none")
    inner: dict[str, str] = {}
    for key, item in raw["nodes"].items():
        name = prefix + (key.replace("/", ".").lstrip(".") or "node")
        if item.get("type") == "NIRGraph":
            inner[key] = name
            _add(graph, item, f"{name}.", depth + 1)
        elif name in graph.nodes:
            raise FileError(f"{where}: nodes: expected unique names, got {name!r} twice")
        else:
            graph.nodes[name] = _node(graph.file, name, item, nested=bool(prefix))
    listed = set(graph.edges)
    known = {key.replace("/", ".").lstrip(".") for key in raw["nodes"]}
    for k, (a, b) in enumerate(raw["edges"]):
        ends = []
        for end, port in ((a, "Output"), (b, "Input")):
            if end in inner:
                ends.append(_port(graph, inner[end], port))
                continue
            plain = end.replace("/", ".").lstrip(".")
            if prefix + plain not in graph.nodes:
                raise FileError(
                    f"{where}: edges[{k}]: expected one of {sorted(known)}, got {end!r}"
                )
            ends.append(prefix + plain)
        edge = (ends[0], ends[1])
        if edge in listed:
            raise FileError(f"{where}: edges[{k}]: expected each edge once, got {(a, b)} twice")
        listed.add(edge)
        graph.edges.append(edge)


def _node(file: str, name: str, raw: Mapping[str, Any], nested: bool) -> Node:
    kind = raw.get("type")
    if kind not in TYPES:
        raise FileError(f"{file}: node {name!r}: type: expected one of {list(TYPES)}, got {kind!r}")
    fields = {key: value for key, value in raw.items() if key not in ("type", "metadata")}
    if nested and kind in ("Input", "Output"):
        fields["port"], kind = kind, "Pass"
    return Node(file, name, str(kind), fields, _notes(raw))


def _port(graph: Graph, name: str, port: str) -> str:
    """The one node of an inner graph where it is entered or left."""
    inside = [node for node in graph.nodes.values() if node.name.startswith(f"{name}.")]
    found = [node.name for node in inside if node.fields.get("port") == port]
    if not found:
        found = [node.name for node in inside if node.kind in _NEURONS]
    if len(found) != 1:
        raise FileError(
            f"{graph.file}: graph {name!r}: {port}: expected one such node, got {found}"
        )
    return found[0]
