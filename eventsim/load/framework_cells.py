"""Neurons of training frameworks in an architecture description.

A layer names the class and gives its arguments, as numbers or as names of tensors::

    [[layer]]
    name = "hidden"
    kind = "linear"
    weight = "fc1.weight"
    bias = "fc1.bias"
    neuron = "snntorch.RLeaky"
    cell = { beta = "lif1.beta", threshold = 1.0, reset_mechanism = "subtract" }
    recurrent = "lif1.recurrent.weight"         # [out, in], one step late
    recurrent_bias = "lif1.recurrent.bias"

What the class does in a step is said by :mod:`eventsim.discrete.frameworks`, what it is in
continuous time by :mod:`eventsim.discrete.counterpart`.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import EventsimError, FileError, InvalidType
from eventsim.load.architecture import CLASSES, Layer
from eventsim.load.tensors import Tensors
from eventsim.step_rule import StepRule

if TYPE_CHECKING:
    from eventsim.discrete.counterpart import Counterpart, Options

__all__ = ["FrameworkCells"]


class FrameworkCells:
    """Makes the populations of layers whose neurons are those of a framework.

    Parameters
    ----------
    tensors : Tensors
        For arguments that were trained.
    dt : float
        Seconds of a step.
    options : Options
        Conventions of the continuous neurons.
    note : callable
        Takes each assumption, as a sentence.
    """

    def __init__(
        self, tensors: Tensors, dt: float, options: Options, note: Callable[[str], None]
    ) -> None:
        self._tensors, self._dt, self._options, self._note = tensors, dt, options, note
        #: Rule and continuous form of each layer made so far.
        self.rules: dict[str, StepRule] = {}
        self.made: dict[str, Counterpart] = {}

    def population(self, layer: Layer, shape: tuple[int, ...]) -> Any:
        """The neurons of one layer, arranged in ``shape``."""
        # Imported here because it brings the compiler with it.
        from eventsim.discrete.counterpart import counterpart

        where = f"{self._tensors.file}: {layer.where}"
        bias: dict[str, Any] = {
            field: self._per_channel(layer, layer.values[key], shape)
            for field, key in (("bias", "bias"), ("feedback_bias", "recurrent_bias"))
            if key in layer.values
        }
        try:
            rule = dataclasses.replace(self._rule(layer, shape, where), **bias)
            made = counterpart(rule, layer.name, shape, self._dt, self._options)
        except FileError:
            raise
        except EventsimError as error:
            raise type(error)(f"{where}: {error}") from error
        self.rules[layer.name], self.made[layer.name] = rule, made
        for name, value, why in made.rows:
            self._note(f"{name}: {value} ({why})")
        return made.population

    def weight(self, layer: Layer, weight: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """A framework's weights, first axis the target's, as those of the network."""
        gain = np.asarray(self.made[layer.name].gain)
        if (gain == 1.0).all():
            return weight
        if gain.ndim == 0:
            return weight.astype(np.float64) * gain
        by_target = gain.reshape(len(weight), -1)
        if (by_target != by_target[:, :1]).any():
            raise FileError(
                f"{self._tensors.file}: {layer.where}: cell: expected the same numbers for all "
                "neurons of a channel, which share weights"
            )
        return weight.astype(np.float64) * by_target[:, 0].reshape(-1, *[1] * (weight.ndim - 1))

    def recurrent(self, layer: Layer) -> NDArray[Any] | None:
        """Weights [out, in] of the layer's own spikes, where it has some."""
        if "recurrent" not in layer.values:
            return None
        name, n = layer.values["recurrent"], self.made[layer.name].population.n
        weight = self._tensors.get(layer, name)
        if weight.shape != (n, n):
            raise self._tensors.wrong(layer, name, f"({n}, {n}) [out, in]", weight)
        return weight

    def _rule(self, layer: Layer, shape: tuple[int, ...], where: str) -> StepRule:
        label = layer.values["neuron"]
        module, function = CLASSES[label].split(".")
        make = getattr(importlib.import_module(f"eventsim.discrete.frameworks.{module}"), function)
        known = inspect.signature(make).parameters
        cell = layer.values.get("cell", {})
        if unknown := sorted(set(cell) - set(known)):
            raise FileError(
                f"{where}: cell: expected arguments of {label}, some of {sorted(known)}, "
                f"got {unknown}"
            )
        given = {
            key: self._argument(layer, key, value, shape, known[key].default)
            for key, value in cell.items()
        }
        try:
            rule: StepRule = make(**given)
        except TypeError as error:
            if isinstance(error, InvalidType):
                raise
            raise FileError(
                f"{where}: cell: expected the arguments of {label}, got {sorted(cell)} ({error})"
            ) from error
        return rule

    def _argument(
        self, layer: Layer, key: str, value: Any, shape: tuple[int, ...], default: Any
    ) -> Any:
        """A number, or the tensor of this name; words stay words."""
        if not isinstance(value, str) or isinstance(default, str):
            return value
        return self._tensors.per_unit(layer, value, shape)

    def _per_channel(self, layer: Layer, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        bias = self._tensors.get(layer, name).astype(np.float64)
        if bias.shape != (shape[0],):
            raise self._tensors.wrong(layer, name, f"({shape[0]},) [out]", bias)
        return np.repeat(bias, prod(shape) // shape[0])
