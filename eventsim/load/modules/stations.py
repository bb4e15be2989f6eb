"""Stations of a graph, chains between them, and what the axes of the input are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.expressions import Expression, State, Unknown
from eventsim.load.modules.layers import Layer
from eventsim.load.modules.signals import Group, Map
from eventsim.projections import Shape

__all__ = [
    "Axes",
    "Chain",
    "Stage",
    "Station",
    "as_array",
    "check_constant",
    "features",
    "lead",
    "not_understood",
]

Array = NDArray[Any]


@dataclass(frozen=True)
class Axes:
    """Which axes of the sample input are steps and samples; None: there is no such axis.

    ``squeezed`` is the number of steps where the axis ``time`` holds samples and steps together.
    """

    time: int | None
    batch: int | None
    squeezed: int | None = None

    @property
    def batched(self) -> bool:
        """Whether there is an axis of samples."""
        return self.batch is not None or self.squeezed is not None

    def steps(self, shape: tuple[int, ...]) -> int:
        """Number of steps in an input of this shape."""
        return self.squeezed or (1 if self.time is None else shape[self.time])

    def samples(self, shape: tuple[int, ...]) -> int:
        """Number of samples in an input of this shape."""
        if self.squeezed is not None and self.time is not None:
            return shape[self.time] // self.squeezed
        return 1 if self.batch is None else shape[self.batch]


@dataclass(frozen=True)
class Stage:
    """A part of a chain: a map of units, or a layer; ``shape`` is what it reads."""

    key: Any
    shape: Shape
    map: Map | None = field(default=None, compare=False)
    layer: Layer | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Chain:
    """Spikes of a station, ``lag`` steps later, on their way through linear layers."""

    source: int
    lag: int
    stages: tuple[Stage, ...] = ()


@dataclass
class Station:
    """Input, neurons, max pooling, or (between stations) a linear layer or a fault.

    Attributes
    ----------
    kind : {"input", "neurons", "relay", "layer", "fault"}
    name : str
        Path of the module, or what is wrong.
    shape : tuple of int
        Arrangement of its units.
    reads : tuple of Group
        Of a layer or relay: what a row of its input is.
    chains : list of Chain
        Of neurons: what reaches them.
    bias, feedback_bias : array or None
        Of neurons: the constant charge of each step, without and with recurrence.
    """

    kind: str
    name: str
    shape: Shape
    reads: tuple[Group, ...] = ()
    layer: Layer | None = None
    entering: Shape = ()
    chains: list[Chain] = field(default_factory=list)
    bias: Array | None = None
    feedback_bias: Array | None = None

    @property
    def units(self) -> int:
        """Number of units."""
        return math.prod(self.shape)


def not_understood(where: str, known: Any, inputs: int) -> UnsupportedNetwork:
    """The error for neurons whose input has no rule; ``inputs`` is the size of the sample input."""
    if isinstance(known, Unknown):
        first = known.first()
        if isinstance(first, Unknown):
            return UnsupportedNetwork(
                f"{where}: input: expected sums of spikes through linear layers, got the result "
                f"of {first.function} in {first.place}: {_needed(first, inputs)}"
            )
        known = first
    assert isinstance(known, State)
    return UnsupportedNetwork(
        f"{where}: input: expected spikes, got a state variable of {known.path!r}: eventsim "
        "passes spikes between neurons and no potentials"
    )


def _needed(unknown: Unknown, inputs: int) -> str:
    """What would help against a function without a rule."""
    sources = unknown.sources
    name = unknown.function.rpartition(".")[2]
    if name.startswith(("max_pool", "adaptive_max_pool")):
        return (
            "max pooling passes spikes, and the largest of several sums has no counterpart: put it "
            "behind the neurons, or take an average pooling in its place"
        )
    if sources and all(
        isinstance(source, Expression)
        and not any(bool((term.labels > inputs).any()) for term in source.terms)
        for source in sources
    ):
        return (
            "it makes the input of the network from sample_input, as encoders do: hand over the "
            "part of the module that is behind it, and what it gives as sample_input"
        )
    return "what is needed is a linear layer, a pooling, or neurons that eventsim knows"


def check_constant(expected: Array, where: str, bias: Array, step: Array) -> None:
    """Rows of constants that are all as expected, or an error."""
    off = np.abs(bias - expected)
    if (off > 1e-9 * (1.0 + np.abs(expected).max(initial=0.0))).any():
        row, unit = np.unravel_index(int(np.argmax(off)), off.shape)
        raise UnsupportedNetwork(
            f"{where}: input in step {step[row]}: expected the same constant in all steps and "
            f"samples, got {bias[row, unit]:g} and {expected[unit]:g} for neuron {unit}: a bias "
            "that comes in some steps only, or numbers whose origin is not seen, as those of an "
            "autograd.Function, of numpy or of a random generator"
        )


def as_array(tensor: Any) -> Array:
    """A tensor's values."""
    array: Array = tensor.detach().cpu().numpy()
    return array


def features(shape: tuple[int, ...], axes: int) -> Shape:
    """The last axes of a shape."""
    return tuple(shape[len(shape) - axes :])


def lead(rule: Any, shape: tuple[int, ...], batched: bool) -> tuple[int, ...]:
    """The axes of neurons that are steps and samples."""
    if rule.sequence and not rule.squeezed:
        return shape[: 1 + batched]
    return shape[:1] if batched or rule.squeezed else ()
