r"""What sinabs writes into NIR files otherwise than NIR means it.

sinabs 3.1.3 writes IF nodes for IAF, LIF for LIF and LI for ExpLeak, with time constants in steps
and ``r = 1``. The factor of a step is :math:`\alpha = e^{-1 / \tau}`, rounded to float32, and a
spike moves the potential by its weight, or by :math:`1 - \alpha` of it with ``norm_input``. Which
of the two, ``tau_syn``, ``min_v_mem``, how many spikes a step may have and what a spike resets
are not written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from eventsim import checks
from eventsim.discrete.frameworks import sinabs as rules
from eventsim.errors import InvalidType
from eventsim.load.nir_file import Graph, Node
from eventsim.load.nir_options import Row, said_by
from eventsim.load.nir_rules import (
    demand,
    exact_only,
    neurons_of,
    positive,
    without_steps,
)
from eventsim.load.nir_twins import Corrected
from eventsim.step_rule import StepRule

__all__ = ["sinabs", "sinabs_rules"]

#: Type of a node -> layer.
KINDS = {"IF": "IAF", "LIF": "LIF", "LI": "ExpLeak"}


def sinabs(graph: Graph, given: dict[str, Any]) -> Corrected:
    """The graph of a file of sinabs as NIR would have it, the options, and what was corrected.

    Raises
    ------
    InvalidValue, InvalidType
        ``dt`` is missing, or ``reset``, ``multi_spike`` or ``norm_input`` where nodes need them;
        an option contradicts the exporter.
    UnsupportedNetwork
        The file is not as sinabs writes it.
    """
    dt = said_by("sinabs", given, "the seconds that a step stands for, as sinabs counts in steps")
    made = sinabs_rules(graph, given)
    nodes, rows = without_steps(graph)
    options = {**given, "dt": dt}
    kinds = {nodes[name].kind for name in made}
    own: list[Row] = [
        ("exporter", "sinabs", "given; what its files leave open follows"),
        ("unit of time", f"one step, {dt:g} s", "sinabs counts time constants in steps"),
        ("step", f"{dt:g} s", "given"),
        ("area of a spike", "one step", "a spike is an input of its weight in one step"),
        *rows,
    ]
    if kinds & {"LIF", "LI"}:
        said = given["norm_input"]
        value = (
            ", ".join(f"{k}: {v}" for k, v in said.items()) if isinstance(said, Mapping) else said
        )
        own += [
            ("time constants", "as they stand", "the factor of a step is exp(-1 / tau) in float32"),
            ("norm_input", str(value), "given, as it is not written"),
            ("r of LIF and LI nodes", "made anew", "written as 1, with norm_input and without"),
        ]
    if "IF" in kinds:
        own.append(("r of IF nodes", "1 / dt", "written as 1, for v += w"))
    if kinds & {"IF", "LIF"}:
        own += _spikes(given, options)
    return Corrected(replace(graph, nodes=nodes), options, own, made)


def sinabs_rules(graph: Graph, given: Mapping[str, Any]) -> dict[str, StepRule]:
    """What the layers of a file do in a step, by their nodes; biases are in the linear nodes.

    Parameters
    ----------
    graph : Graph
        What the file says.
    given : mapping
        The options of :func:`eventsim.load_nir`, of which ``reset``, ``multi_spike`` and
        ``norm_input`` say what the file does not.

    Raises
    ------
    InvalidValue, InvalidType
        One of them is missing or contradicts another.
    UnsupportedNetwork
        The file is not as sinabs writes it.
    """
    exact_only(given, "sinabs", "exp(-1 / tau)")
    nodes = neurons_of(graph, "sinabs", KINDS)
    for node in nodes.values():
        for field, value in (("r", 1.0), ("v_leak", 0.0), ("v_reset", 0.0)):
            demand(node, "sinabs", field, value)
    spikes: dict[str, Any] = {}
    if any(node.kind != "LI" for node in nodes.values()):
        spikes = _reset(given)
    normed = _norm_input([node for node in nodes.values() if node.kind != "IF"], given)
    made = {}
    for name, node in nodes.items():
        if node.kind == "IF":
            made[name] = rules.iaf(spike_threshold=positive(node, "v_threshold"), **spikes)
            continue
        tau = positive(node, "tau")
        if node.kind == "LIF":
            limit = positive(node, "v_threshold")
            made[name] = rules.lif(
                tau_mem=tau, spike_threshold=limit, norm_input=normed[name], **spikes
            )
        else:
            made[name] = rules.exp_leak(tau_mem=tau, norm_input=normed[name])
    return made


def _reset(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a rule is told of spikes and resets."""
    where = "load_nir"
    if given["reset"] not in ("subtract", "value"):
        raise checks.fail(
            where, "reset",
            "'subtract' (MembraneSubtract, the default of IAF and LIF) or 'value' (MembraneReset), "
            "as sinabs does not write which",
            None if given["reset"] is None else repr(given["reset"]),
        )  # fmt: skip
    if not isinstance(given["multi_spike"], bool | np.bool_):
        raise checks.fail(
            where, "multi_spike",
            "True (MultiSpike, the default of IAF and LIF) or False (SingleSpike), as sinabs does "
            "not write which; take a module with MaxSpike with from_torch",
            given["multi_spike"],
        )  # fmt: skip
    if given["multi_spike"] and given["reset"] == "value":
        raise checks.fail(
            where, "multi_spike",
            "False with reset='value', as several spikes of a step with one reset have no "
            "continuous form: multi_spike=False gives single ones", True,
        )  # fmt: skip
    return {"reset": given["reset"], "max_spikes": None if given["multi_spike"] else 1}


def _norm_input(nodes: list[Node], given: Mapping[str, Any]) -> dict[str, bool]:
    """``norm_input`` of each LIF and LI node."""
    said = given["norm_input"]
    where, names = "load_nir", [node.name for node in nodes]
    if isinstance(said, bool | np.bool_):
        return dict.fromkeys(names, bool(said))
    if isinstance(said, Mapping):
        if set(said) != set(names):
            raise checks.fail(where, "norm_input", f"a value for each of {names}", dict(said))
        for name, value in said.items():
            if not isinstance(value, bool | np.bool_):
                raise InvalidType(
                    f"{where}: norm_input: expected True or False for {name!r}, got {value!r}"
                )
        return {name: bool(said[name]) for name in names}
    if said is not None:
        raise InvalidType(f"{where}: norm_input: expected a bool or a mapping, got {said!r}")
    if names:
        raise checks.fail(
            where, "norm_input",
            "True (the default of LIF) or False (that of ExpLeak), or a mapping with a value for "
            f"each of {names}, as sinabs does not write it and an input counts 1 - exp(-1 / tau) "
            "with it", None,
        )  # fmt: skip
    return {}


def _spikes(given: Mapping[str, Any], options: dict[str, Any]) -> list[Row]:
    """Rows of reset and spikes; the threshold test goes into the options."""
    several = bool(given["multi_spike"])
    subtracts = given["reset"] == "subtract"
    value = "v_threshold is subtracted" if subtracts else "to 0"
    count = ("several at one time", "given: MultiSpike") if several else ("one", "given")
    rows = [
        ("reset", value, "given, as it is not written"),
        ("spikes in a step", count[0], f"{count[1]}; it is not written"),
    ]
    if subtracts:
        rows.append(("amount of the reset", "v_threshold", "subtract_value is not written"))
    if subtracts and not several:
        why = "in training in the next step"
        rows.append(("residue of a reset", "tested at the next arrival", why))
    if given["fires_at_equality"] is None:
        options["fires_at_equality"] = True
        rows.append(("threshold test", "v >= v_threshold", "as the layers do; NIR has v >"))
    why = "not written: take a module that has it with from_torch"
    rows += [("tau_syn", "none", why), ("min_v_mem", "none", why)]
    return rows
