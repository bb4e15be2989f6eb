r"""What SpikingJelly writes into NIR files otherwise than NIR means it.

SpikingJelly 2.0.0 writes ``tau dt`` with the time constant in steps, ``r = 1`` for
``decay_input=True`` and ``r = tau`` (in steps) for False, and ``r = 1 / dt`` for IF. A spike has
then its effect, and only the factor of a step, :math:`1 - 1 / \tau`, is not that of NIR's
equation. That neurons fire at the threshold is not written. This version writes no node that
subtracts its threshold; older ones wrote ``v_reset = 0`` for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from eventsim import checks
from eventsim.errors import UnsupportedNetwork
from eventsim.load.nir_file import Graph, Node
from eventsim.load.nir_norse import euler_times, said_by
from eventsim.load.nir_options import Row

__all__ = ["spikingjelly"]

#: Numbers of a file that were computed from each other are as close as this.
_CLOSE = 1e-5


def spikingjelly(graph: Graph, given: dict[str, Any]) -> tuple[Graph, dict[str, Any], list[Row]]:
    """The graph of a file of SpikingJelly as NIR would have it, the options, and the corrections.

    Raises
    ------
    InvalidValue
        ``dt`` or ``reset`` is missing, or an option is given twice.
    UnsupportedNetwork
        The file is not as SpikingJelly writes it with this step.
    """
    dt = said_by("spikingjelly", given)
    kinds = {node.kind for node in graph.nodes.values()}
    spiking = bool(kinds & {"LIF", "IF"})
    if spiking and given["reset"] is None:
        raise checks.fail(
            "load_nir", "reset",
            "'value', or 'subtract' where v_reset was None, for which older versions wrote 0",
            None,
        )  # fmt: skip
    nodes = {name: _node(node, dt, given["decay"]) for name, node in graph.nodes.items()}
    options = {**given, "decay": "exact", "dt": dt}
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
            options["fires_at_equality"] = True
            rows.append(("threshold test", "v >= v_threshold", "as the nodes do; NIR has v >"))
        kind = {"subtract": "v_threshold is subtracted"}.get(given["reset"], "to v_reset")
        rows.append(("reset", kind, "given; older versions wrote 0 for a reset that subtracts"))
    return replace(graph, nodes=nodes), options, rows


def _node(node: Node, dt: float, decay: str | None) -> Node:
    """The node, with the time constant of its factor per step."""
    if node.kind in ("CubaLIF", "CubaLI", "LI", "I"):
        raise UnsupportedNetwork(
            f"{node.where}: type: expected LIF or IF from SpikingJelly, got {node.kind}, whose "
            "steps are not known: leave exporter='spikingjelly' out to read it as NIR means it"
        )
    if node.kind not in ("LIF", "IF"):
        return node
    r = node.numbers("r").astype(np.float64)
    if node.kind == "IF":
        _check(node, np.abs(r * dt - 1.0) <= _CLOSE, "r", f"1 / dt = {1 / dt:g}", r)
        return node
    tau = node.numbers("tau").astype(np.float64)
    _check(node, tau > dt, "tau", f"more than a step of {dt:g}", tau)
    whole = np.abs(r * dt / tau - 1.0) <= _CLOSE
    _check(node, (r == 1.0) | whole, "r", "1 or tau / dt", r)
    exact = euler_times(tau, dt, decay)
    return replace(node, fields={**node.fields, "tau": exact, "r": r * exact / tau})


def _check(node: Node, good: Any, field: str, expected: str, got: Any) -> None:
    if not np.all(good):
        raise UnsupportedNetwork(
            f"{node.where}: {field}: expected {expected}, as SpikingJelly writes it, got "
            f"{float(np.ravel(got)[np.argmin(np.ravel(good))]):g}: is dt the step that was given "
            "to the exporter?"
        )
