r"""What Norse writes into NIR files otherwise than NIR means it.

Norse 1.1.0 writes ``tau = dt / tau_inv``, the time constant times the step, ``r = 1`` in every
node and ``w_in = 1`` in every CubaLIF node. Its neurons make Euler steps of a factor
:math:`1 - dt / \tau`, and a spike moves the current of a LIFCell and the potential of an IAFCell by
its weight. Neither the kind of reset nor its potential is written.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.discrete.frameworks import norse as rules
from eventsim.errors import UnsupportedNetwork
from eventsim.load.nir_file import Graph, Node
from eventsim.load.nir_options import Row, said_by
from eventsim.load.nir_twins import Corrected, NodeRule, euler_decay
from eventsim.load.nir_written import found

__all__ = ["norse"]

Array = NDArray[Any]

#: Type of a node -> rule, fields with time constants and the rates they are written for, and
#: other fields with the names that they have in the rule.
CLASSES: dict[str, tuple[Any, dict[str, str], dict[str, str]]] = {
    "LIF": (rules.lif_box, {"tau": "tau_mem_inv"}, {"v_leak": "v_leak", "v_threshold": "v_th"}),
    "LI": (rules.li_box, {"tau": "tau_mem_inv"}, {"v_leak": "v_leak"}),
    "CubaLIF": (
        rules.lif,
        {"tau_mem": "tau_mem_inv", "tau_syn": "tau_syn_inv"},
        {"v_leak": "v_leak", "v_threshold": "v_th"},
    ),
    "IF": (rules.iaf, {}, {"v_threshold": "v_th"}),
}


def norse(graph: Graph, given: dict[str, Any]) -> Corrected:
    """What a file of Norse means.

    Raises
    ------
    InvalidValue
        ``dt`` is missing, or ``reset`` where a file has LIF nodes; an option is given twice.
    UnsupportedNetwork
        The file is not as Norse writes it.
    """
    dt = said_by("norse", given, "the seconds of a step, as it was given to the exporter")
    kinds = {node.kind for node in graph.nodes.values()}
    if "LIF" in kinds and given["reset"] not in ("value", "subtract"):
        raise checks.fail(
            "load_nir", "reset",
            "'value' (reset_value) or 'subtract' (reset_subtract), as Norse does not write which",
            given["reset"],
        )  # fmt: skip
    if given["reset"] == "subtract" and kinds & {"CubaLIF", "IF"}:
        raise UnsupportedNetwork(
            f"{graph.file}: reset: expected 'value', as Norse's LIFCell and IAFCell reset to a "
            "value, got 'subtract': take the module itself with from_torch"
        )
    times = _times(graph)
    scale, how = _scale(graph, times, dt)
    options = {**given, "decay": "exact"}
    rows: list[Row] = [
        ("exporter", "norse", "given; what its files say otherwise than NIR means it follows"),
        ("unit of time", "s", how),
        ("step", f"{dt:g} s", "given; the exporter's and the modules' own have to be the same"),
        ("area of a spike", "one step", "a spike is a current of its weight for a step"),
    ]
    if times.size:
        made = "as they stand" if given["decay"] == "exact" else "-dt / ln(1 - dt / tau)"
        rows.append(("time constants", made, "Norse makes Euler steps; decay='exact' keeps tau"))
        rows.append(("r of LIF and CubaLIF nodes", "made anew", "written as 1"))
    if "CubaLIF" in kinds:
        rows.append(("w_in of CubaLIF nodes", "tau_syn / dt", "written as 1, for I += w"))
    if "IF" in kinds:
        rows.append(("r of IF nodes", "1 / dt", "written as 1, for v += w"))
    if kinds & {"LIF", "CubaLIF", "IF"}:
        kind = {"subtract": "v_threshold is subtracted"}.get(str(given["reset"]), "to 0")
        rows.append(("reset", kind, "neither the kind of reset nor v_reset is written"))
    made_of = {
        name: _rule(node, dt, scale, given, rows)
        for name, node in graph.nodes.items()
        if node.kind in CLASSES
    }
    return Corrected(graph, options, rows, made_of, euler_decay(given))


def _times(graph: Graph) -> Array:
    """All time constants of a file."""
    parts = [
        np.ravel(node.numbers(name)).astype(np.float64)
        for node in graph.nodes.values()
        if node.kind in CLASSES
        for name in CLASSES[node.kind][1]
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _scale(graph: Graph, times: Array, dt: float) -> tuple[float, str]:
    """What the inverse of a rate was multiplied by where it was written.

    An Euler step is shorter than its time constant. What is written is the time constant times
    the step, below a step where the time constant is below a second.
    """
    if (times > dt).all():
        return 1.0, "time constants above a step, so that they are seconds"
    if (times > 0).all() and (times < dt).all() and (times > dt * dt).all():
        return dt, "time constants are written times the step"
    raise UnsupportedNetwork(
        f"{graph.file}: time constants: expected numbers between dt^2 and dt, as Norse writes "
        f"tau dt, or all above dt = {dt:g}, got {times.min():g} to {times.max():g}: is dt the step "
        "that was given to the exporter?"
    )


def _rule(node: Node, dt: float, scale: float, given: dict[str, Any], rows: list[Row]) -> NodeRule:
    for name in ("r", "w_in"):
        value = node.fields.get(name)
        if value is not None and (np.asarray(value) != 1.0).any():
            raise UnsupportedNetwork(
                f"{node.where}: {name}: expected 1, as Norse writes it, got {value}: leave "
                "exporter='norse' out for a file of another framework"
            )
    make, times, others = CLASSES[node.kind]
    numbers = {argument: node.numbers(name) for name, argument in others.items()}
    for name, rate in times.items():
        numbers[rate], sure = _rate(node.numbers(name), scale)
        if not sure:
            why = "rounded in the file, where more than one number is written so: the shortest one"
            rows.append((f"{rate} of {node.name}", "within rounding", why))
    words = {"dt": dt} if times else {}
    if node.kind == "LIF":
        words["reset"] = given["reset"]
    return NodeRule(make, numbers, words)


def _rate(written: Array, scale: float) -> tuple[Array, bool]:
    """The rates of which a field is made: the inverse, and then the product by ``scale``."""
    real = np.dtype(np.float32 if written.dtype == np.float32 else np.float64)

    def fits(rate: Array) -> Array:
        rate = rate.astype(real)
        twice = real.type(1) / rate * real.type(scale)
        return np.asarray((twice == written) | (real.type(scale) / rate == written))

    return found(scale / written.astype(np.float64), fits, (real,), inverse=True)
