"""The network and the discretization of a graph of modules."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.convolution import Conv2d
from eventsim.discrete.counterpart import Options, counterpart
from eventsim.discrete.frameworks.readout import summed_spikes
from eventsim.discretization import Discretization
from eventsim.errors import EventsimError, InvalidValue, UnsupportedNetwork
from eventsim.load import nir_maps
from eventsim.load.modules.graph import Graph
from eventsim.load.modules.layers import Layer
from eventsim.load.modules.readouts import Readout, readouts
from eventsim.load.modules.rules import NamedRule
from eventsim.load.modules.stations import Chain, Station
from eventsim.load.nir_maps import Path
from eventsim.network import Network
from eventsim.pooling import MaxPool2d, SumPool2d
from eventsim.populations import Input, Population, Relay
from eventsim.projections import Shape, Sparse
from eventsim.step_rule import StepRule

__all__ = ["Built", "build"]

Array = NDArray[Any]
Row = tuple[str, str, str]


@dataclass
class _Neurons:
    """A population, and how charges reach it."""

    population: Population
    gain: Any = 1.0
    receptor: int | None = None
    spread: float = 0.0


@dataclass
class Built:
    """A network with its discretization; ``names`` gives the population of each station.

    ``readouts`` are those of the last layers without neurons.
    """

    network: Network
    discretization: Discretization
    names: dict[int, str]
    readouts: dict[str, Readout]
    rows: list[Row] = field(default_factory=list)


def build(graph: Graph, dt: float, options: Options, given: dict[str, Any], dtype: str) -> Built:
    """Make the network of a graph.

    Parameters
    ----------
    graph : Graph
        Stations and chains.
    dt : float
        Seconds of a step.
    options : Options
        Conventions of the continuous neurons.
    given : dict
        Fields of the Discretization that were given.
    dtype : {"float32", "float64"}
        Arithmetic of the module.
    """
    return _Builder(graph, dt, options, dtype).built(given)


class _Builder:
    def __init__(self, graph: Graph, dt: float, options: Options, dtype: str) -> None:
        self.graph, self.dt, self.options, self.dtype = graph, dt, options, dtype
        self.rows: list[Row] = []
        self.cells: dict[str, StepRule] = {}
        self.rules: dict[str, str] = {}
        self.readouts = readouts(graph, self.rows)
        self.used = self._used()
        self.names = self._names()
        self.shapes = self._shapes()

    def built(self, given: dict[str, Any]) -> Built:
        """Everything together."""
        populations: list[Any] = []
        projections: list[Any] = []
        for number in (k for k in self.graph.order if k in self.used):
            station = self.graph.stations[number]
            name, shape = self.names[number], self.shapes[number]
            if station.kind == "input":
                populations.append(Input(name, shape))
            elif station.kind == "relay":
                populations.append(Relay(name, shape))
                projections.append(self._pooling(number, station))
            else:
                made = self._neurons(number, station, shape)
                populations.append(made.population)
                projections += self._arrivals(station.chains, made)
        named: dict[str, Readout] = {}
        for readout in self.readouts:
            name = self._free(readout.name)
            named[name] = readout
            populations.append(self._readout(name, readout, projections))
        net = Network(populations, projections)
        return Built(net, self._discretization(given), self.names, named, self.rows)

    def _used(self) -> set[int]:
        """Stations that lead to neurons or a readout, and all neurons."""
        stations = self.graph.stations
        used = {0} | {k for k, s in enumerate(stations) if s.kind == "neurons"}
        waiting = [c.source for k in used for c in stations[k].chains]
        waiting += [c.source for readout in self.readouts for c in readout.chains]
        while waiting:
            number = waiting.pop()
            if number not in used:
                used.add(number)
                waiting += [group.source for group in stations[number].reads]
        return used

    def _names(self) -> dict[int, str]:
        names: dict[int, str] = {}
        order = sorted(self.used, key=lambda k: self.graph.stations[k].kind != "neurons")
        for number in order:
            station = self.graph.stations[number]
            name = station.name or "neurons"
            while name in names.values():
                name += "_"
            names[number] = name
        return names

    def _free(self, name: str) -> str:
        taken = {*self.names.values(), *self.cells}
        while name in taken:
            name += "_"
        return name

    # Shapes

    def _shapes(self) -> dict[int, Shape]:
        """Arrangement of the units, that of an image where image maps read or reach them."""
        stations = self.graph.stations
        shapes = {k: _tidy(stations[k].shape) for k in self.used}
        wanted: dict[int, Shape] = {}
        every = [c for k in self.used for c in stations[k].chains]
        every += [c for readout in self.readouts for c in readout.chains]
        for number in self.used:
            station = stations[number]
            if station.kind == "relay":
                wanted.setdefault(station.reads[0].source, nir_maps.image(station.entering))
                shapes[number] = nir_maps.image(station.shape)
        for chain in every:
            first = chain.stages[:2]
            if len(first) == 2 and first[0].map is not None and first[0].map.plain:
                layer = first[1].layer
                if layer is not None and layer.axes > 1:
                    wanted.setdefault(chain.source, nir_maps.image(first[1].shape))
        for number in self.used:
            for chain in stations[number].chains:
                for stage in chain.stages[-2:-1]:
                    if stage.layer is not None and stage.layer.axes > 1:
                        shape = nir_maps.image(stage.shape)
                        made = stage.layer.output(shape, self._linear(stage.layer, shape))
                        wanted.setdefault(number, made)
        for number, shape in wanted.items():
            if number in shapes and math.prod(shape) == math.prod(shapes[number]):
                if stations[number].kind != "relay":
                    shapes[number] = shape
        return shapes

    # Populations

    def _neurons(self, number: int, station: Station, shape: Shape) -> _Neurons:
        trace = self.graph.trace
        rule, where = trace.neurons[station.name].rule, trace.where[station.name]
        name = self.names[number]
        bias = np.zeros(station.units) if station.bias is None else station.bias
        try:
            if callable(rule):
                rule = rule(station.shape)
            if isinstance(rule, NamedRule):
                bias = _sum(bias, station.feedback_bias)
                self.rules[name] = rule.name
                population = rule.population(name, shape, self.dt, bias)
                if rule.t_ref_steps:
                    self.rows.append((f"t_ref of {name}", f"{self.dt:g} s", "one step"))
                return _Neurons(population, spread=self.dt)
            own = rule.feedback
            if trace.neurons[station.name].recurrent is None:
                own = "summed"  # what comes back has been added to the input by the module
            rule = replace(
                rule, bias=bias + np.asarray(rule.bias), feedback=own,
                feedback_bias=_sum(rule.feedback_bias, station.feedback_bias),
            )  # fmt: skip
            self.cells[name] = rule
            made = counterpart(rule, name, shape, self.dt, self.options)
        except EventsimError as error:
            text = str(error)
            for prefix in (where, f"{name} ({getattr(rule, 'label', '')})"):
                text = text.removeprefix(f"{prefix}: ")
            raise type(error)(f"{where}: {text}") from error
        self.rows += made.rows
        if trace.neurons[station.name].readout:
            why = "their potentials are what the module gives"
            self.rows.append((f"readout {name}", "neurons without threshold", why))
        return _Neurons(made.population, made.gain, made.receptor)

    def _readout(self, name: str, readout: Readout, projections: list[Any]) -> Population:
        rule = summed_spikes(0.0 if readout.bias is None else readout.bias)
        self.cells[name] = rule
        made = counterpart(rule, name, _tidy(readout.shape), self.dt, self.options)
        projections += self._arrivals(readout.chains, _Neurons(made.population))
        self.rows.append(
            (
                f"readout {name}",
                "neurons without leak and threshold",
                "the last layer has none; its sum over the steps is the potential",
            )
        )
        return made.population

    # Projections

    def _pooling(self, number: int, station: Station) -> MaxPool2d:
        assert station.layer is not None
        source = station.reads[0].source
        shape = nir_maps.image(station.entering)
        if self.shapes[source] != shape:
            raise UnsupportedNetwork(
                f"{station.layer.where}: input: expected spikes arranged as {shape}, got "
                f"{self.shapes[source]}, as another layer reads them so"
            )
        self.rows.append(
            (
                f"max pooling {self.names[number]}",
                "first_spike",
                "the first spike of a window in a step passes; in training OR over a step",
            )
        )
        found = station.layer.projection(shape)
        assert isinstance(found, MaxPool2d)
        return replace(found, source=self.names[source], target=self.names[number], window=self.dt)

    def _arrivals(self, chains: list[Chain], made: _Neurons) -> list[Any]:
        done = []
        for chain in chains:
            projection = self._projection(chain, made)
            if projection is not None:
                done.append(projection)
        return done

    def _path(self, chain: Chain) -> Path:
        """The linear layers of a chain as one map."""
        shape = self.shapes[chain.source]
        path = Path(self.names[chain.source], shape, shape)
        for stage in chain.stages:
            reads = nir_maps.image(stage.shape) if stage.layer else _tidy(stage.shape)
            if stage.map is not None:
                if stage.map.one_to_one:
                    path = replace(path, shape=path.shape)
                    if not stage.map.plain:
                        path = nir_maps.scaled(path, stage.map.weight)
                    continue
                units = stage.map
                op: Any = Sparse("in", "map", units.pre, units.post, units.weight)
                path = nir_maps.composed(path, "map", op, (units.size,))
                continue
            layer = stage.layer
            assert layer is not None
            if layer.axes == 1:
                reads = (math.prod(stage.shape),)
            op = self._linear(layer, reads)
            after = layer.output(reads, op)
            if layer.axes > 1 and path.shape != reads:
                # Arranged in another way than it is in the source: no image map fits.
                if path.link is not None:
                    path = nir_maps.written_out(path)
                else:
                    op = nir_maps.written_out(Path("in", reads, after, op)).link
            path = nir_maps.composed(replace(path, shape=reads), layer.name, op, after)
        return path

    def _linear(self, layer: Layer, reads: Shape) -> Any:
        try:
            return layer.projection(reads)
        except InvalidValue as error:
            field = str(error).partition(": ")[2]
            raise InvalidValue(f"{layer.where}: {field}") from error

    def _projection(self, chain: Chain, made: _Neurons) -> Any:
        target, shape = made.population.name, made.population.shape
        path = nir_maps.scaled(self._path(chain), made.gain)
        link = nir_maps.one_to_one(path) if path.link is None else path.link
        if isinstance(link, Conv2d | SumPool2d):
            if link.output_shape(path.source_shape) != nir_maps.image(shape):
                link = nir_maps.written_out(path).link
        elif not np.any(link.weight):
            self.rows.append((f"{path.source} -> {target}", "left out", "all its weights are 0"))
            return None
        if len(path.nodes) > 1:
            way = " -> ".join(path.nodes)
            self.rows.append(
                (f"{path.source} -> {target}", f"one {type(link).__name__}", f"{way}, composed")
            )
        if chain.lag:
            steps = f"{chain.lag} step" + ("s" if chain.lag > 1 else "")
            self.rows.append((f"delay {path.source} -> {target}", steps, "as in the module"))
        return replace(
            link, source=path.source, target=target, delay=chain.lag * self.dt,
            spread=made.spread if made.receptor is None else 0.0, receptor=made.receptor,
        )  # fmt: skip

    # Discretization

    def _discretization(self, given: dict[str, Any]) -> Discretization:
        rule = next(reversed(self.rules.values()), "framework")
        encoder = "constant" if self.graph.static else "bernoulli"
        if "encoder" not in given and not self.graph.static:
            why = "assumed: how spikes are made of images is not seen; encoder=... says it"
            self.rows.append(("encoder", encoder, why))
        fields = {
            "rule": rule,
            "dt": self.dt,
            "steps": self.graph.steps,
            "encoder": encoder,
            "variants": {name: other for name, other in self.rules.items() if other != rule},
            "spread": self.dt if self.rules else 0.0,
            "cells": self.cells,
            "dtype": self.dtype,
        }
        return Discretization(**{**fields, **given})


def _sum(first: Any, second: Array | None) -> Any:
    return first if second is None else np.asarray(first) + second


def _tidy(shape: Shape) -> Shape:
    """A shape without leading axes of one entry, where it is that of no image."""
    while len(shape) > 1 and len(shape) != 3 and shape[0] == 1:
        shape = shape[1:]
    return shape or (1,)
