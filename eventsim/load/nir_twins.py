"""Neurons of a NIR file as the framework steps them that wrote it.

An exporter gives a :class:`NodeRule` for each node of neurons. The rule of a step is made of it,
and the population as for a module, by :func:`eventsim.discrete.counterpart.counterpart`.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.discretization import Discretization
from eventsim.errors import EventsimError, FileError
from eventsim.load.nir_file import Graph, Node
from eventsim.load.nir_neurons import Made, spread
from eventsim.load.nir_options import Options, Row
from eventsim.step_rule import StepRule

if TYPE_CHECKING:
    from eventsim.discrete.counterpart import Counterpart

__all__ = [
    "OF_ONE",
    "TRAINING",
    "Corrected",
    "NodeRule",
    "Rules",
    "check_training",
    "discretization",
    "euler_decay",
    "noted",
]

Array = NDArray[Any]

#: Where a row about a module goes on to say which option to take.
_OTHER_WAY = re.compile(r"; (decay|jump)=\S+ is the other way$")

#: Options of a call that belong to the discrete model alone.
TRAINING = ("steps", "encoder", "encoder_scale")
#: Options that go with one exporter only.
OF_ONE = {"reset_delay": "snntorch", "norm_input": "sinabs"}


@dataclass(frozen=True)
class NodeRule:
    """What a framework does in a step with the neurons of a node.

    Attributes
    ----------
    make : callable
        A function of :mod:`eventsim.discrete.frameworks`.
    numbers : mapping of str to array
        Its arguments that are one number, or one for each neuron.
    words : mapping
        Its other arguments.
    """

    make: Callable[..., StepRule]
    numbers: Mapping[str, Array]
    words: Mapping[str, Any] = field(default_factory=dict)

    def rule(self, node: Node, shape: tuple[int, ...]) -> StepRule:
        """The rule of neurons arranged in ``shape``."""
        each = {name: spread(node, name, array, shape) for name, array in self.numbers.items()}
        return self.make(**each, **self.words)


class Corrected(NamedTuple):
    """What an exporter makes of a file: the graph and the options as NIR would have them.

    ``table`` has a row for each correction, and ``rules`` the rule of each node of neurons whose
    steps are known; ``decay`` is the convention of their time constants
    (:class:`eventsim.discrete.counterpart.Options`).
    """

    graph: Graph
    options: dict[str, Any]
    table: list[Row]
    rules: Mapping[str, StepRule | NodeRule] = {}
    decay: str = "exact"


def euler_decay(given: Mapping[str, Any]) -> str:
    """The convention of time constants that were written as ``dt / (1 - factor)``.

    ``decay="exact"`` of a call keeps them as they stand, which are those of Euler's steps.
    """
    return "euler" if given["decay"] == "exact" else "exact"


class Rules:
    """Makes the populations of the nodes whose rule is known, and keeps their rules."""

    def __init__(self, found: Corrected, options: Options) -> None:
        self._found, self._options = found, options
        self.cells: dict[str, StepRule] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._found.rules

    def made(
        self, node: Node, shape: tuple[int, ...], bias: Array | None, feedback_bias: Array | None,
        rows: list[Row],
    ) -> Made:  # fmt: skip
        """The population of a node; ``rows`` gets what was assumed and what is lost."""
        try:
            rule = self._found.rules[node.name]
            if isinstance(rule, NodeRule):
                rule = rule.rule(node, shape)
            own = {"bias": bias, "feedback_bias": feedback_bias}
            given: dict[str, Any] = {
                name: value for name, value in own.items() if value is not None
            }
            return self._counterpart(node.name, dataclasses.replace(rule, **given), shape, rows)
        except FileError:
            raise
        except EventsimError as error:
            raise type(error)(f"{node.where}: {error}") from error

    def summed(self, node: Node, shape: tuple[int, ...], bias: Array | None) -> Made:
        """Neurons without leak and threshold: the sum of the weighted spikes of an Output."""
        from eventsim.discrete.frameworks.readout import summed_spikes

        return self._counterpart(node.name, summed_spikes(0.0 if bias is None else bias), shape, [])

    def _counterpart(
        self, name: str, rule: StepRule, shape: tuple[int, ...], rows: list[Row]
    ) -> Made:
        # Imported here because it brings the compiler with it.
        from eventsim.discrete import counterpart

        options = self._options
        assert options.dt is not None
        how = counterpart.Options(decay=self._found.decay, t_ref=options.t_ref or 0.0)
        self.cells[name] = rule
        found = counterpart.counterpart(rule, name, shape, options.dt, how)
        # Options of the same names mean other things for a file.
        rows += [(what, value, _OTHER_WAY.sub("", why)) for what, value, why in found.rows]
        return Made(self._chosen(found, rows), found.gain, found.receptor)

    def _chosen(self, made: Counterpart, rows: list[Row]) -> Any:
        """The population with what the call says of continuous neurons besides."""
        population = made.population
        if np.isinf(population.array("v_threshold")).all():
            return population
        changes: dict[str, Any] = {}
        for name in ("multi_spike", "fires_at_equality"):
            value = getattr(self._options, name)
            if value is not None and value != getattr(population, name):
                changes[name] = bool(value)
                rows.append((f"{name} of {population.name}", str(value), "given"))
        return dataclasses.replace(population, **changes) if changes else population


def discretization(
    graph: Graph, rules: Rules, populations: list[str], given: Mapping[str, Any], options: Options,
    rows: list[Row],
) -> Discretization | None:  # fmt: skip
    """The discrete model; None where the steps of a population are not known.

    Parameters
    ----------
    graph : Graph
        For the arithmetic of the weights.
    rules : Rules
        Those of the populations.
    populations : list of str
        Names of all populations of neurons.
    given : mapping
        Options of the call.
    options : Options
        For the step.
    rows : list of tuple of str
        Gets what was assumed.
    """
    unknown = [name for name in populations if name not in rules.cells]
    if unknown or not populations:
        why = f"the steps of {', '.join(unknown)} are not known" if unknown else "no neurons"
        rows.append(("discrete model", "none", why))
        return None
    weights = [node.fields.get("weight") for node in graph.nodes.values()]
    wide = any(np.asarray(weight).dtype == np.float64 for weight in weights if weight is not None)
    dtype = "float64" if wide else "float32"
    rows.append(("arithmetic of the steps", dtype, "that of the weights in the file"))
    if given["steps"] is None:
        why = "a file does not say it; steps=... is needed where it counts"
        rows.append(("steps of a presentation", "not known", why))
    if given["encoder"] is None:
        why = "assumed: a file does not say how spikes are made of images; encoder=... says it"
        rows.append(("encoder", "bernoulli", why))
    rows.append(("comparison with the framework", "none", "a file holds no spikes to compare with"))
    scale = given["encoder_scale"]
    assert options.dt is not None
    notes = tuple(f"{name}: {value} ({why})" for name, value, why in rows)
    return Discretization(
        "framework", dt=options.dt, steps=given["steps"],
        encoder=given["encoder"] or "bernoulli", encoder_scale=1.0 if scale is None else scale,
        spread=0.0, cells=rules.cells, dtype=dtype, notes=notes,
    )  # fmt: skip


def noted(graph: Graph, rows: list[Row]) -> Discretization | None:
    """The discrete model that eventsim noted in a file; ``rows`` gets a row that says so.

    Raises
    ------
    FileError
        The note is damaged.
    """
    text = graph.notes.get("discretization")
    if text is None:
        return None
    try:
        disc = Discretization.from_dict(json.loads(text))
    except (TypeError, json.JSONDecodeError, EventsimError) as error:
        raise FileError(
            f"{graph.file}: metadata eventsim_discretization: expected what save_nir wrote, got: "
            f"{error}"
        ) from error
    rows.append(("discrete model", f"step of {disc.dt:g} s", "as eventsim noted in the file"))
    return disc


def check_training(given: Mapping[str, Any]) -> None:
    """Refuse options of a discrete model that there will not be."""
    for name in (*TRAINING, *OF_ONE):
        if given[name] is not None:
            which = f"exporter={OF_ONE[name]!r}" if name in OF_ONE else "exporter=..."
            raise checks.fail(
                "load_nir", name, f"None without {which}, as only that says how a step goes",
                repr(given[name]),
            )  # fmt: skip
