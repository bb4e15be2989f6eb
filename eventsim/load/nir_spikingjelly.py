r"""What SpikingJelly writes into NIR files otherwise than NIR means it.

SpikingJelly 2.0.0 writes ``tau dt`` with the time constant in steps, ``r = 1`` for
``decay_input=True`` and ``r = tau`` (in steps) for False, and ``r = 1 / dt`` for IF. The factor of
a step is :math:`1 - 1 / \tau`. That neurons fire at the threshold is not written, nor whether a
LIFNode divides by ``tau`` or a ParametricLIFNode multiplies by ``1 / tau``, which rounds otherwise.
This version writes no node that subtracts its threshold; older ones wrote ``v_reset = 0`` for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsim import checks
from eventsim.discrete.frameworks import spikingjelly as rules
from eventsim.errors import UnsupportedNetwork
from eventsim.load.nir_file import Graph, Node
from eventsim.load.nir_options import Row, said_by
from eventsim.load.nir_twins import Corrected, NodeRule, euler_decay
from eventsim.load.nir_written import found, shortest

__all__ = ["spikingjelly"]

#: Numbers of a file that were computed from each other are as close as this.
_CLOSE = 1e-5
#: Time constants with at most so many digits may have been chosen by a person.
_CHOSEN = 9


def spikingjelly(graph: Graph, given: dict[str, Any]) -> Corrected:
    """What a file of SpikingJelly means.

    Raises
    ------
    InvalidValue
        ``dt`` or ``reset`` is missing, or an option is given twice.
    UnsupportedNetwork
        The file is not as SpikingJelly writes it with this step.
    """
    dt = said_by("spikingjelly", given, "the seconds of a step, as it was given to the exporter")
    for node in graph.nodes.values():
        if node.kind in ("CubaLIF", "CubaLI", "LI", "I"):
            raise UnsupportedNetwork(
                f"{node.where}: type: expected LIF or IF from SpikingJelly, got {node.kind}, whose "
                "steps are not known: leave exporter='spikingjelly' out to read it as NIR means it"
            )
    kinds = {node.kind for node in graph.nodes.values()}
    spiking = bool(kinds & {"LIF", "IF"})
    if spiking and given["reset"] not in ("value", "subtract"):
        raise checks.fail(
            "load_nir", "reset",
            "'value', or 'subtract' where v_reset was None, for which older versions wrote 0",
            given["reset"],
        )  # fmt: skip
    rows: list[Row] = [
        ("exporter", "spikingjelly", "given; what its files leave open follows"),
        ("unit of time", "s", "time constants are written as steps times dt"),
        ("step", f"{dt:g} s", "given; it agrees with r of the nodes that show it"),
        ("area of a spike", "one step", "a spike is a current of its weight for a step"),
    ]
    if "LIF" in kinds:
        made = "as they stand" if given["decay"] == "exact" else "-dt / ln(1 - dt / tau)"
        why = "the factor of a step is 1 - 1 / tau; decay='exact' keeps tau"
        rows.append(("time constants", made, why))
    if spiking:
        if given["fires_at_equality"] is None:
            rows.append(("threshold test", "v >= v_threshold", "as the nodes do; NIR has v >"))
        kind = {"subtract": "v_threshold is subtracted"}.get(given["reset"], "to v_reset")
        rows.append(("reset", kind, "given; older versions wrote 0 for a reset that subtracts"))
    made_of = {
        name: rule
        for name, node in graph.nodes.items()
        if (rule := _rule(node, dt, given, rows)) is not None
    }
    options = {**given, "decay": "exact"}
    return Corrected(graph, options, rows, made_of, euler_decay(given))


def _rule(node: Node, dt: float, given: dict[str, Any], rows: list[Row]) -> NodeRule | None:
    """The rule of a node; None for one without neurons."""
    if node.kind not in ("LIF", "IF"):
        return None
    r = node.numbers("r").astype(np.float64)
    equality = True if given["fires_at_equality"] is None else bool(given["fires_at_equality"])
    words: dict[str, Any] = {
        "v_threshold": _single(node, "v_threshold"),
        "v_reset": _v_reset(node, given["reset"]),
        "fires_at_equality": equality,
    }
    if node.kind == "IF":
        _check(node, np.abs(r * dt - 1.0) <= _CLOSE, "r", f"1 / dt = {1 / dt:g}", r)
        return NodeRule(rules.if_node, {}, words)
    tau = node.numbers("tau").astype(np.float64)
    _check(node, tau > dt, "tau", f"more than a step of {dt:g}", tau)
    whole = np.abs(r * dt / tau - 1.0) <= _CLOSE
    _check(node, (r == 1.0) | whole, "r", "1 or tau / dt", r)
    words["decay_input"] = _single(node, "r") == 1.0
    written = np.array(_single(node, "tau"))
    steps = found(written / dt, lambda tau: tau * dt == written, (np.float64,))
    rate = found(
        dt / written, lambda q: 1.0 / q.astype(np.float64) * dt == written, (np.float32, np.float64)
    )
    tau_steps, q = float(steps.numbers), float(rate.numbers)
    single, chosen = rate.numbers.dtype == np.float32, shortest(tau_steps) <= _CHOSEN
    parametric = single and not chosen
    if not np.log2(q).is_integer():  # there both round the same
        row = ("LIFNode", "as 1 / tau is no float32 number")
        if chosen:
            row = ("LIFNode", f"as tau = {tau_steps:g}; a ParametricLIFNode may round otherwise")
        if parametric:
            row = ("ParametricLIFNode", "as 1 / tau is a float32 number, and tau has many digits")
        rows.append((f"class of {node.name}", *row))
    if parametric:
        return NodeRule(rules.parametric_lif_node, {}, {"q": q, **words})
    return NodeRule(rules.lif_node, {}, {"tau": tau_steps, **words})


def _v_reset(node: Node, reset: str) -> float | None:
    """The reset potential, which is the resting potential too; None for a reset that subtracts."""
    value = _single(node, "v_reset") if node.fields.get("v_reset") is not None else 0.0
    rest = value if reset == "value" else 0.0
    if node.kind == "LIF":
        leak = node.numbers("v_leak")
        _check(node, leak == rest, "v_leak", f"{rest:g}, the potential after a reset", leak)
    _check(node, np.array(value == rest), "v_reset", "0 with reset='subtract'", np.array(value))
    return value if reset == "value" else None


def _single(node: Node, field: str) -> float:
    """A field with one number for all neurons."""
    array = node.numbers(field).astype(np.float64)
    _check(node, array == array.flat[0], field, "one number for all neurons", array)
    return float(array.flat[0])


def _check(node: Node, good: Any, field: str, expected: str, got: Any) -> None:
    if not np.all(good):
        raise UnsupportedNetwork(
            f"{node.where}: {field}: expected {expected}, as SpikingJelly writes it, got "
            f"{float(np.ravel(got)[np.argmin(np.ravel(good))]):g}: is dt the step that was given "
            "to the exporter?"
        )
