"""From the nodes and edges of a NIR graph to populations and projections."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.convolution import Conv2d
from eventsim.errors import FileError, UnsupportedNetwork
from eventsim.load import nir_maps
from eventsim.load.nir_cycles import delay_cycles
from eventsim.load.nir_file import Graph, Node
from eventsim.load.nir_linear import LINEAR, Step, step
from eventsim.load.nir_maps import Path
from eventsim.load.nir_neurons import ANALOG, NEURONS, SPIKING, Made, accumulator, make, own_shape
from eventsim.load.nir_options import Options, Row
from eventsim.load.nir_twins import Rules
from eventsim.network import Network
from eventsim.pooling import SumPool2d
from eventsim.populations import Input
from eventsim.projections import Shape

__all__ = ["Walk"]

#: Ways from spikes to one node; parallel paths in series multiply.
MOST_PATHS = 1000

Array = NDArray[np.float64]


@dataclass
class _Out:
    """What leaves a node: spikes on their paths, and a constant (None: nothing)."""

    paths: list[Path] = field(default_factory=list)
    constant: Array | None = None


class Walk:
    """Builds the network of a graph; ``ports`` and ``table`` are filled by :meth:`network`."""

    def __init__(self, graph: Graph, options: Options, rules: Rules) -> None:
        self.graph, self.options, self.rules = graph, options, rules
        self.ports: dict[str, tuple[str, ...]] = {}
        self._before: dict[str, list[str]] = {name: [] for name in graph.nodes}
        self._after: dict[str, list[str]] = {name: [] for name in graph.nodes}
        for a, b in graph.edges:
            self._before[b].append(a)
            self._after[a].append(b)
        self._shapes: dict[str, Shape | None] = {}
        self._steps: dict[str, Step] = {}
        self._outs: dict[str, _Out] = {}
        self._walked: set[str] = set()
        self.rows: list[Row] = []
        self._images = any(node.kind == "Conv1d" for node in graph.nodes.values())

    def network(self) -> Network:
        """The network, and on the way the ports and the rows of the table."""
        order = self._order()
        if not any(self.graph.nodes[name].kind in (*NEURONS, "Input") for name in order):
            raise FileError(f"{self.graph.file}: nodes: expected an Input or neurons, got {order}")
        for _ in range(2):  # a second time for what a cycle had left open
            for name in order:
                self._shape(name)
        for name in order:
            node = self.graph.nodes[name]
            if node.kind in LINEAR and name not in self._steps:
                self._steps[name] = step(node, None)
        self._check_analog()
        made: dict[str, Made] = {}
        populations: dict[str, Any] = {}
        for name in order:
            node = self.graph.nodes[name]
            if node.kind == "Input":
                populations[name] = Input(name, self._arranged(name))
            elif node.kind in NEURONS or (node.kind == "Output" and self._needs_neurons(node)):
                incoming = self._incoming(name)
                shape = self._population_shape(name, incoming.paths)
                made[name] = self._made(node, shape, incoming)
                populations[name] = made[name].population
        projections = [
            projection
            for a, b in self.graph.edges
            if b in made
            for path in self._out(a).paths
            if (projection := self._projection(path, b, made[b])) is not None
        ]
        first = self._noted_order()
        listed = sorted(populations, key=lambda name: first.get(name, len(first)))
        projections = delay_cycles(self.graph.file, projections, self.options, self.rows)
        return Network([populations[name] for name in listed], projections)

    def _made(self, node: Node, shape: Shape, incoming: _Out) -> Made:
        """The population of a node."""
        if node.name in self.rules:
            bias, feedback_bias = self._biases(node.name)
            return self.rules.made(node, shape, bias, feedback_bias, self.rows)
        if node.kind == "Output" and self.rules.cells:
            return self.rules.summed(node, shape, incoming.constant)
        self._note_bias(node, incoming.constant)
        if node.kind == "Output":
            return accumulator(node, shape, incoming.constant, self.options)
        fed = bool(incoming.paths)
        return make(node, shape, incoming.constant, fed, self.options, self.graph)

    def _biases(self, name: str) -> tuple[Array | None, Array | None]:
        """Constants into neurons, and those that come with their own spikes."""
        bias: Array | None = None
        feedback_bias: Array | None = None
        for a in self._before[name]:
            out = self._out(a)
            if out.paths and all(path.source == name for path in out.paths):
                feedback_bias = _sum(feedback_bias, out.constant)
            else:
                bias = _sum(bias, out.constant)
        return bias, feedback_bias

    def _order(self) -> list[str]:
        """All nodes, by their distance from the Inputs, then in the order of the file."""
        nodes = self.graph.nodes
        order = [name for name, node in nodes.items() if node.kind == "Input"]
        seen = set(order)
        for name in order:
            new = [after for after in self._after[name] if after not in seen]
            order += new
            seen |= set(new)
        return order + [name for name in nodes if name not in seen]

    def _noted_order(self) -> dict[str, int]:
        """Places of the populations in the network that eventsim wrote."""
        text = self.graph.notes.get("populations")
        if text is None:
            return {}
        try:
            return {str(name): k for k, name in enumerate(json.loads(text))}
        except (TypeError, json.JSONDecodeError) as error:
            raise FileError(
                f"{self.graph.file}: metadata eventsim_populations: expected a JSON list, "
                f"got {text!r}"
            ) from error

    # Shapes

    def _shape(self, name: str) -> Shape | None:
        """Arrangement of what leaves a node; None while a cycle leaves it open."""
        if name in self._shapes:
            return self._shapes[name]
        node = self.graph.nodes[name]
        own = None
        if node.kind == "Input":
            own = _squeezed(node.shape("shape") or (1,))
        elif node.kind in NEURONS and (given := own_shape(node)) is not None:
            own = _squeezed(given)
        # Found again on the way around a cycle, this much is known.
        self._shapes[name] = own
        before = self._shape_before(name) if node.kind != "Input" else None
        if node.kind in NEURONS:
            self._shapes[name] = self._neurons_shape(node, own, before)
        elif node.kind == "Output":
            self._shapes[name] = before
        elif node.kind in LINEAR:
            if before is None and self._before[name]:
                # Open for now; a matrix says its own size.
                del self._shapes[name]
                return step(node, None).shape if node.kind in ("Linear", "Affine") else None
            self._steps[name] = step(node, before)
            self._shapes[name] = _squeezed(self._steps[name].shape)
        return self._shapes[name]

    def _shape_before(self, name: str) -> Shape | None:
        found: tuple[str, Shape] | None = None
        for a in self._before[name]:
            shape = self._shape(a)
            if shape is None:
                continue
            if found is not None and math.prod(found[1]) != math.prod(shape):
                raise FileError(
                    f"{self.graph.nodes[name].where}: edges: expected inputs of one shape, got "
                    f"{found[1]} from {found[0]!r} and {shape} from {a!r}"
                )
            if found is None or len(shape) > len(found[1]):
                found = (a, shape)
        return found[1] if found else None

    def _neurons_shape(self, node: Node, own: Shape | None, before: Shape | None) -> Shape:
        if own is None or before is None:
            return own or before or (1,)
        if math.prod(own) == math.prod(before):
            if len(own) == len(before) and own != before:
                raise node.wrong("fields", f"shape {before} as what leads into it", own)
            return own
        try:
            if np.broadcast_shapes(own, before) == before:
                return before
        except ValueError:
            pass
        raise node.wrong("fields", f"shape {before} as what leads into it", f"shape {own}")

    def _arranged(self, name: str) -> Shape:
        shape = self._shapes[name] or (1,)
        node = self.graph.nodes[name]
        if "shape" in node.notes:
            noted = replace(node, fields=node.notes).shape("shape")
            if noted is not None and math.prod(noted) == math.prod(shape):
                return noted
        return nir_maps.image(shape) if self._images else shape

    def _population_shape(self, name: str, paths: list[Path]) -> Shape:
        """The shape of a population: that of an image where a convolution leads into it."""
        shape = self._arranged(name)
        if len(shape) != 3:
            for path in paths:
                if isinstance(path.link, Conv2d | SumPool2d):
                    return path.link.output_shape(nir_maps.image(path.source_shape))
        return shape

    # Paths

    def _out(self, name: str) -> _Out:
        """Spikes and constants that leave a node."""
        node = self.graph.nodes[name]
        if node.kind in ANALOG or node.kind == "Output":
            return _Out()
        if node.kind in SPIKING or node.kind == "Input":
            shape = self._shapes[name] or (1,)
            return _Out([Path(name, shape, shape)])
        if name not in self._outs:
            if name in self._walked:
                raise UnsupportedNetwork(
                    f"{node.where}: edges: expected neurons in every cycle, got a cycle of linear "
                    "nodes only"
                )
            self._walked.add(name)
            incoming = self._incoming(name)
            if not self._before[name]:
                raise node.wrong("edges", "a node that leads into it", "none")
            self._outs[name] = self._passed(node, incoming)
        return self._outs[name]

    def _incoming(self, name: str) -> _Out:
        """The sum of all that leads into a node."""
        total = _Out()
        for a in self._before[name]:
            out = self._out(a)
            total.paths += out.paths
            total.constant = _sum(total.constant, out.constant)
        if len(total.paths) > MOST_PATHS:
            raise UnsupportedNetwork(
                f"{self.graph.nodes[name].where}: edges: expected at most {MOST_PATHS} ways from "
                f"spikes to here, got {len(total.paths)}"
            )
        return total

    def _passed(self, node: Node, incoming: _Out) -> _Out:
        """What a linear node makes of what leads into it."""
        done = self._steps[node.name]
        if "spread" in node.notes:
            noted = replace(node, fields=node.notes).numbers("spread")
            spread = float(noted.reshape(-1)[0])
            incoming.paths = [replace(path, spread=spread) for path in incoming.paths]
        if done.delay is not None:
            delay = done.delay * self.options.unit
            late = [nir_maps.delayed(path, node.name, delay) for path in incoming.paths]
            return _Out(late, incoming.constant)
        if done.scale is not None:
            paths = [nir_maps.scaled(path, done.scale, node.name) for path in incoming.paths]
            constant = incoming.constant
            return _Out(paths, None if constant is None else constant * done.scale)
        shape = self._shapes[node.name] or (1,)
        if done.op is None:
            return _Out([replace(path, shape=shape) for path in incoming.paths], incoming.constant)
        paths = [nir_maps.composed(path, node.name, done.op, shape) for path in incoming.paths]
        constant = incoming.constant
        if constant is not None:
            source = self._shape_before(node.name) or (constant.size,)
            constant = nir_maps.applied(done.op, constant, source, shape, node.name)
        return _Out(paths, _sum(constant, done.bias))

    def _projection(self, path: Path, target: str, made: Made) -> Any:
        """The projection of one path; None where it adds nothing."""
        shape = made.population.shape
        path = nir_maps.scaled(path, made.gain)
        link = path.link
        if link is None:
            link = nir_maps.one_to_one(path)
        if isinstance(link, Conv2d | SumPool2d):
            if link.output_shape(nir_maps.image(path.source_shape)) != nir_maps.image(shape):
                link = nir_maps.written_out(path).link
        elif not np.any(link.weight):
            self.rows.append((f"{path.source} -> {target}", "left out", "all its weights are 0"))
            return None
        if len(path.nodes) > 1:
            self.rows.append(
                (
                    f"{path.source} -> {target}",
                    f"one {type(link).__name__}",
                    f"{' -> '.join(path.nodes)}, composed in float64",
                )
            )
        delay = link.delay + path.delay
        return replace(
            link,
            source=path.source,
            target=target,
            delay=delay,
            spread=path.spread,
            receptor=made.receptor,
        )

    # Outputs

    def _needs_neurons(self, node: Node) -> bool:
        """Whether an Output gets weighted spikes; the others name the populations they show."""
        incoming = self._incoming(node.name)
        if any(p.link is not None or p.delay for p in incoming.paths) or (
            incoming.constant is not None
        ):
            self.ports[node.name] = (node.name,)
            self.rows.append(
                (
                    f"output {node.name}",
                    "neurons without leak and threshold",
                    "NIR gives weighted spikes here; their sum over time is the potential",
                )
            )
            return True
        self.ports[node.name] = tuple(dict.fromkeys(self._shown(node.name)))
        return False

    def _shown(self, name: str) -> list[str]:
        """Populations that lead into a node with nothing but a change of shape between."""
        shown = []
        for a in self._before[name]:
            kind = self.graph.nodes[a].kind
            shown += [a] if kind in NEURONS or kind == "Input" else self._shown(a)
        return shown

    def _check_analog(self) -> None:
        """Potentials can be read, and go nowhere else."""
        for name, node in self.graph.nodes.items():
            waiting = list(self._after[name]) if node.kind in ANALOG else []
            for after in waiting:
                target = self.graph.nodes[after]
                if target.kind in ("Flatten", "Pass"):
                    waiting += [b for b in self._after[after] if b not in waiting]
                elif target.kind != "Output":
                    raise UnsupportedNetwork(
                        f"{node.where}: edges: expected it to lead to Output nodes only, as "
                        "eventsim passes spikes between neurons and no potentials, got an edge to "
                        f"{after!r} ({target.kind}): end the graph at {name!r}, or make it spike"
                    )

    # Rows of the table

    def _note_bias(self, node: Node, constant: Array | None) -> None:
        if constant is None or not constant.any():
            return
        if node.kind.startswith("Cuba"):
            why = "w_in times the bias, as if the synapse had settled before the start"
        elif node.kind == "Threshold":
            why = "taken off the threshold"
        else:
            why = "the bias of the linear nodes before it"
        self.rows.append((f"constant current of {node.name}", "from the bias", why))


def _sum(a: Array | None, b: Array | None) -> Array | None:
    """The sum of two constants, of which None adds nothing."""
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _squeezed(shape: Shape) -> Shape:
    """A shape without leading axes of one entry, where it has more than (channel, y, x)."""
    while len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    return shape or (1,)
