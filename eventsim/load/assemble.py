"""A network from an architecture description and named tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.convolution import Conv2d, image_shape
from eventsim.discretization import Discretization
from eventsim.errors import EventsimError, FileError, UnsupportedNetwork
from eventsim.load.architecture import CLASSES, Architecture, Layer
from eventsim.load.folding import TilingPool, fold_conv2d, fold_linear
from eventsim.load.framework_cells import FrameworkCells
from eventsim.load.neurons import Neurons
from eventsim.load.tensors import Tensors
from eventsim.network import Network
from eventsim.pooling import AvgPool2d, MaxPool2d, SumPool2d
from eventsim.populations import Input, Population, Relay
from eventsim.projections import Dense

__all__ = ["assemble"]

Array = NDArray[Any]

_LINEAR_AXES = "[out, in]"
_CONV_AXES = "[out, in / groups, kernel_y, kernel_x]"


def assemble(
    architecture: Architecture, tensors: Mapping[str, Array], file: str
) -> tuple[Network, Discretization]:
    """Build the network that a description makes of a file's tensors.

    Parameters
    ----------
    architecture : Architecture
        From :func:`eventsim.load.architecture.read_architecture`.
    tensors : mapping of str to array
        The tensors of the file, in torch's layout: linear [out, in], convolution
        [out, in / groups, kernel_y, kernel_x].
    file : str
        The file of the tensors, for messages.

    Returns
    -------
    (Network, Discretization)
        Every assumption made is listed in ``Discretization.notes``.

    Raises
    ------
    FileError
        A tensor is missing, is not used, or has another shape than its layer needs; the message
        names file, layer, tensor, the expected and found shape, and the order of the axes.
    UnsupportedNetwork
        A layer without neurons in a place where it cannot be folded into the next one.
    """
    builder = _Builder(architecture, tensors, file)
    for layer in architecture.layers:
        with _located(file, layer.where):
            getattr(builder, layer.kind)(layer)
    return builder.finish()


@contextmanager
def _located(file: str, place: str = "") -> Iterator[None]:
    """Errors of the library's classes become FileErrors that name file and layer."""
    try:
        yield
    except (FileError, UnsupportedNetwork):
        raise
    except EventsimError as error:
        # Errors of the loader name the layer already, those of the classes name their own.
        known = not place or str(error).startswith(place)
        raise FileError(f"{file}: {'' if known else f'{place}: '}{error}") from error


class _Builder:
    """The network so far. Each kind of layer has a method of its name."""

    def __init__(self, architecture: Architecture, tensors: Mapping[str, Array], file: str) -> None:
        self.architecture, self.file = architecture, file
        self.tensors = Tensors(file, tensors)
        self.neurons = Neurons(architecture, self.tensors, self.note)
        self.dt = architecture.discretization.dt
        # Imported here because it brings the compiler with it.
        from eventsim.discrete.counterpart import Options

        self.cells = FrameworkCells(
            self.tensors, self.dt, Options(**architecture.conventions), self.note
        )
        self.spread = architecture.discretization.spread
        self.populations: list[Any] = []
        self.projections: list[Any] = []
        self.facts: dict[str, None] = {}
        self.flat = False
        self.pool: TilingPool | None = None
        self.pool_where = ""
        if architecture.layers[0].kind != "analog":
            self.populations.append(Input(architecture.input_name, architecture.input_shape))

    @property
    def source(self) -> Any:
        """The population that the next layer reads."""
        return self.populations[-1]

    def note(self, fact: str) -> None:
        """Remember an assumption, once."""
        self.facts.setdefault(fact)

    # Layers

    def flatten(self, layer: Layer) -> None:
        self.flat = True
        self.note("images are flattened in the order (channel, y, x), x fastest")

    def analog(self, layer: Layer) -> None:
        self.note("the analog image is the drive of the first layer, which has no weights")
        self.populations.append(self._population(layer, self.architecture.input_shape))

    def linear(self, layer: Layer) -> None:
        entering = self.source.n
        if self.pool is not None:
            image = image_shape(layer.where, "input", self.source.shape)
            entering = prod(self.pool.of(image))
        name = layer.values.get("weight", f"{layer.name}.weight")
        weight = self.tensors.get(layer, name)
        if weight.ndim != 2 or weight.shape[1] != entering:
            hint = ""
            if weight.ndim == 2 and weight.shape[0] == entering:
                hint = " (it looks transposed)"
            raise self.tensors.wrong(layer, name, f"(any, {entering}) {_LINEAR_AXES}", weight, hint)
        if self.pool is not None:
            weight = fold_linear(weight, self.pool, image)
            self._folded(layer)
        self.note("weights of linear layers are [out, in] in the file and [pre, post] here")
        shape = (len(weight),)
        population, weight = self._population(layer, shape), self._scaled(layer, weight, shape)
        # Contiguous, so that the row of a source unit is one run of memory.
        weight = np.ascontiguousarray(weight.T)
        self._add(population, Dense(self.source.name, layer.name, weight, **self._timing(layer)))
        back = self.cells.recurrent(layer) if layer.name in self.cells.made else None
        if back is not None:
            timing = {**self._timing(layer), "delay": self.dt}
            weight = np.ascontiguousarray(self._scaled(layer, back, shape).T)
            self.projections.append(Dense(layer.name, layer.name, weight, **timing))
            self.note("recurrent spikes arrive one step (dt) late")
        self.flat = False

    def conv2d(self, layer: Layer) -> None:
        shape = self._image(layer)
        name = layer.values.get("weight", f"{layer.name}.weight")
        weight = self.tensors.get(layer, name)
        options = {
            key: layer.values[key]
            for key in ("stride", "padding", "dilation", "groups")
            if key in layer.values
        }
        groups = checks.whole("Conv2d", "groups", options.get("groups", 1), 1)
        if weight.ndim != 4 or weight.shape[1] * groups != shape[0]:
            per_group = f"{shape[0]} / {groups}" if shape[0] % groups else shape[0] // groups
            expected = f"(any, {per_group}, any, any) {_CONV_AXES}"
            raise self.tensors.wrong(layer, name, expected, weight)
        timing = self._timing(layer)
        conv = Conv2d(self.source.name, layer.name, weight, **options, **timing)
        target = conv.output_shape(self.pool.of(shape) if self.pool else shape)
        if self.pool is not None:
            folded, stride, padding = fold_conv2d(
                f"{self.file}: {layer.where}",
                weight,
                conv.stride,
                conv.padding,
                conv.dilation,
                self.pool,
                shape[1:],
            )
            conv = dataclasses.replace(conv, weight=folded, stride=stride, padding=padding)
            self._folded(layer)
        population = self._population(layer, target)
        scaled = self._scaled(layer, np.asarray(conv.weight), target)
        self._add(population, dataclasses.replace(conv, weight=scaled, **self._timing(layer)))

    def avgpool2d(self, layer: Layer) -> None:
        self._linear_pool(layer, AvgPool2d)

    def sumpool2d(self, layer: Layer) -> None:
        self._linear_pool(layer, SumPool2d)

    def maxpool2d(self, layer: Layer) -> None:
        self._no_pool_before(layer)
        shape, source = self._image(layer), self.source
        values = dict(layer.values)
        spikes_once = isinstance(source, Population) and source.array("t_ref").max() > 0
        if values.get("rule", "first_spike") == "first_spike" and not spikes_once:
            values.setdefault("window", self.dt)
        pool = MaxPool2d(source.name, layer.name, **values)
        self.note(
            f"max pooling passes spikes by the rule {pool.rule!r}; in the discrete model it is OR "
            "over a step"
        )
        self._add(Relay(layer.name, pool.output_shape(shape)), pool)

    def _linear_pool(self, layer: Layer, kind: Any) -> None:
        shape = self._image(layer)
        values = dict(layer.values)
        window = {key: values[key] for key in ("kernel_size", "stride", "padding") if key in values}
        gain = checks.scalar(layer.where, "gain", values.get("gain", 1.0))
        pool = kind(self.source.name, layer.name, **window, weight=gain)
        if layer.own_neurons:
            self._no_pool_before(layer)
            population = self._population(layer, pool.output_shape(shape))
            gain = self.cells.made[layer.name].gain if layer.name in self.cells.made else 1.0
            if np.ndim(gain):
                raise FileError(f"{self.file}: {layer.where}: cell: expected one number for all")
            pool = dataclasses.replace(pool, weight=pool.weight * gain, **self._timing(layer))
            self._add(population, pool)
            return
        where = f"{self.file}: {layer.where}"
        if pool.stride != pool.kernel_size or pool.padding != (0, 0):
            raise UnsupportedNetwork(
                f"{where}: windows: expected stride equal to kernel_size and no padding, as a "
                f"pooling without neurons is folded into the next layer, got kernel_size "
                f"{pool.kernel_size}, stride {pool.stride}, padding {pool.padding}"
            )
        for key in ("delay", "spread"):
            if key in values:
                raise FileError(f"{where}: {key}: expected it at the next layer, which has neurons")
        here = TilingPool(pool.kernel_size, pool.gain)
        self.pool = here if self.pool is None else here.after(self.pool)
        pool.output_shape(shape)
        if min(self.pool.of(shape)) < 1:
            raise checks.fail(
                layer.where, "kernel_size", f"a window that fits {shape}", pool.kernel_size
            )
        self.pool_where = layer.where

    # Parts of layers

    def _population(self, layer: Layer, shape: tuple[int, ...]) -> Population:
        """The neurons of a layer: of a framework, or by a coarse rule."""
        common = self.architecture.neuron
        label = layer.values.get("neuron", common.get("neuron"))
        if label not in CLASSES:
            return self.neurons.population(layer, shape)
        values = {"neuron": label, "cell": common.get("cell", {}), **layer.values}
        whole = dataclasses.replace(layer, values=values)
        made: Population = self.cells.population(whole, shape)
        return made

    def _scaled(self, layer: Layer, weight: Array, shape: tuple[int, ...]) -> Array:
        """Weights [out, ...] in the unit of the layer's potential or current."""
        return self.cells.weight(layer, weight, shape) if layer.name in self.cells.made else weight

    def _image(self, layer: Layer) -> tuple[int, int, int]:
        if self.flat:
            raise FileError(
                f"{self.file}: {layer.where}: input: expected an image, got a flattened one"
            )
        return image_shape(layer.where, "input", self.source.shape)

    def _no_pool_before(self, layer: Layer) -> None:
        if self.pool is not None:
            raise UnsupportedNetwork(
                f"{self.file}: {layer.where}: input: expected spikes, got the output of "
                f"{self.pool_where}, which has no neurons (give it some, with neuron = ...)"
            )

    def _folded(self, layer: Layer) -> None:
        self.note(f"{self.pool_where} has no neurons and is folded into {layer.where}")
        self.pool = None

    def _add(self, population: Any, projection: Any) -> None:
        self.projections.append(projection)
        self.populations.append(population)

    def _timing(self, layer: Layer) -> dict[str, Any]:
        made = self.cells.made.get(layer.name)
        spread = self.spread
        if made is not None and not self.architecture.spread_given:
            spread = 0.0
        timing = {"delay": layer.values.get("delay", 0.0), "receptor": made and made.receptor}
        return {**timing, "spread": layer.values.get("spread", spread)}

    def finish(self) -> tuple[Network, Discretization]:
        """The network, once every layer has been built and every tensor used."""
        architecture = self.architecture
        if self.pool is not None:
            raise UnsupportedNetwork(
                f"{self.file}: {self.pool_where}: neurons: expected some in the last layer, "
                "got none (neuron = ...)"
            )
        unused = self.tensors.unused(architecture.ignore)
        if unused:
            raise FileError(
                f"{self.file}: tensors: expected that {architecture.where} uses all of them or "
                f"lists them under ignore, got unused {unused}"
            )
        if self.neurons.rules or architecture.spread_given:
            why = "as given" if architecture.spread_given else "one step (dt), as no other is given"
            self.note(f"pulses are {self.spread:g} s wide, {why}")
        else:
            self.note("synapses are deltas or as the neurons' currents are, as no spread is given")
        self.note("neurons start at v_leak unless v_init is given")
        with _located(self.file):
            net = Network(self.populations, self.projections)
            rules = self.neurons.rules
            rule = next(reversed(rules.values()), architecture.discretization.rule)
            if self.cells.rules and not rules:
                rule = "framework"
            disc = dataclasses.replace(
                architecture.discretization,
                rule=rule,
                variants={name: other for name, other in rules.items() if other != rule},
                notes=tuple(self.facts),
                cells=self.cells.rules,
                dtype=self.tensors.dtype if self.cells.rules else "float64",
                spread=0.0 if self.cells.rules and not architecture.spread_given else self.spread,
            )
        return net, disc
