r"""What snnTorch writes into NIR files otherwise than NIR means it.

snnTorch 1.0.0 writes a step of 0.0001 s into every file, and with the factors ``beta`` and
``alpha`` of a step ``tau = dt / (1 - beta)`` and ``r = tau / dt``, for a current also
``w_in = tau_syn / dt``. It writes ``v_reset = 0`` for every ``reset_mechanism``, and nothing of
``reset_delay``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.discrete.frameworks import snntorch as rules
from eventsim.errors import InvalidType, UnsupportedNetwork
from eventsim.load.nir_file import Graph, Node
from eventsim.load.nir_options import Row, said_by
from eventsim.load.nir_twins import Corrected, NodeRule, euler_decay
from eventsim.load.nir_written import found
from eventsim.step_rule import StepRule

__all__ = ["snntorch"]

Array = NDArray[Any]

#: Step that snnTorch writes, whatever the training meant.
STEP = 1e-4
#: Two float32 numbers of a file that were computed from each other are as close as this.
_CLOSE = 1e-5
#: Type of a node, and whether its spikes come back to it -> rule.
CLASSES: dict[tuple[str, bool], Callable[..., StepRule]] = {
    ("LIF", False): rules.leaky,
    ("LIF", True): rules.rleaky,
    ("CubaLIF", False): rules.synaptic,
    ("CubaLIF", True): rules.rsynaptic,
}
#: Type of a node -> fields with a time constant, the gain written with it, and the factor's name.
FIELDS = {
    "LIF": (("tau", "r", "beta"),),
    "CubaLIF": (("tau_syn", "w_in", "alpha"), ("tau_mem", "r", "beta")),
}
MECHANISMS = {"value": "zero", "subtract": "subtract"}


def snntorch(graph: Graph, given: dict[str, Any]) -> Corrected:
    """What a file of snnTorch means.

    Raises
    ------
    InvalidValue, InvalidType
        ``dt`` or ``reset`` is missing, or an option is of no use here.
    UnsupportedNetwork
        The file is not as snnTorch writes it.
    """
    asked = (
        f"the seconds that a step stands for, as the {STEP:g} s in a file of snnTorch is a "
        "constant of its exporter"
    )
    dt = said_by("snntorch", given, asked)
    neurons = [node for node in graph.nodes.values() if node.kind in FIELDS]
    if neurons and given["reset"] not in MECHANISMS:
        raise checks.fail(
            "load_nir", "reset",
            "'subtract' or 'value' (reset_mechanism='zero'), as snnTorch writes v_reset = 0 for "
            "each of them", given["reset"],
        )  # fmt: skip
    late = given["reset_delay"]
    if late is not None and not isinstance(late, bool | np.bool_):
        raise InvalidType(f"load_nir: reset_delay: expected True, False or None, got {late!r}")
    rows: list[Row] = []
    made = {node.name: _rule(graph, node, given, rows) for node in neurons}
    # What its times are in, where no rule needs them.
    options = {**given, "time_unit": dt / STEP, "decay": "exact"}
    return Corrected(graph, options, _rows(graph, given, dt) + rows, made, euler_decay(given))


def _rule(graph: Graph, node: Node, given: dict[str, Any], rows: list[Row]) -> NodeRule:
    numbers, unsure = {}, []
    for tau, gain, name in FIELDS[node.kind]:
        _check_ratio(node, tau, gain)
        numbers[name], sure = _factor(node, tau)
        unsure += [] if sure else [name]
    for name in ("v_leak", "v_reset"):
        if node.fields.get(name) is not None and node.numbers(name).any():
            raise UnsupportedNetwork(
                f"{node.where}: {name}: expected 0, as snnTorch writes it, got "
                f"{node.fields[name]}: leave exporter='snntorch' out for a file of another "
                "framework"
            )
    if unsure:
        why = "rounded in the file, where more than one number is written so: the shortest one"
        rows.append((f"{' and '.join(unsure)} of {node.name}", "within rounding", why))
    recurrent = _recurrent(graph, node.name)
    numbers["threshold"] = node.numbers("v_threshold")
    delay = given["reset_delay"] is not False
    words = {"reset_mechanism": MECHANISMS[given["reset"]], "reset_delay": delay}
    return NodeRule(CLASSES[node.kind, recurrent], numbers, words)


def _recurrent(graph: Graph, name: str) -> bool:
    """Whether a linear node leads from the spikes of a node back to it."""
    after = {b for a, b in graph.edges if a == name}
    return any(a in after for a, b in graph.edges if b == name)


def _check_ratio(node: Node, tau: str, gain: str) -> None:
    """Refuse a file that snnTorch did not write."""
    if node.fields.get(gain) is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.asarray(node.numbers(tau) / node.numbers(gain), dtype=np.float64)
        if (np.abs(steps / STEP - 1.0) <= _CLOSE).all():
            return
    raise UnsupportedNetwork(
        f"{node.where}: {gain}: expected {tau} / {STEP:g}, as snnTorch writes it, got "
        f"{node.fields.get(gain)}: leave exporter='snntorch' out for a file of another framework"
    )


def _factor(node: Node, name: str) -> tuple[Array, bool]:
    """The factor of a step that is written as a time constant, and whether it is the only one."""
    written = node.numbers(name)
    tau = written.astype(np.float64)
    if (tau <= STEP).any():
        raise UnsupportedNetwork(
            f"{node.where}: {name}: expected more than {STEP:g}, a decay factor above 0 and below "
            f"1 in each step, got {float(tau.min()):g}"
        )
    real = np.dtype(np.float32 if written.dtype == np.float32 else np.float64)

    def fits(factor: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(real.type(STEP) / (real.type(1) - factor.astype(real)) == written)

    kinds = (np.float32,) if real == np.float32 else (np.float32, np.float64)
    return found(1.0 - STEP / tau, fits, kinds)


def _rows(graph: Graph, given: dict[str, Any], dt: float) -> list[Row]:
    kinds = {node.kind for node in graph.nodes.values()}
    rows: list[Row] = [
        ("exporter", "snntorch", "given; what its files say otherwise than NIR means it follows"),
        (
            "unit of time",
            f"{STEP:g} in the file is a step",
            "a constant of the exporter, whatever the training meant",
        ),
        ("step", f"{dt:g} s", "given"),
        ("area of a spike", "one step", "a spike adds its weight"),
    ]
    if kinds & set(FIELDS):
        why = "written as dt / (1 - factor); decay='exact' keeps it"
        if given["decay"] == "exact":
            why = "given; the factor per step was 1 - dt / tau"
        made = "as they stand" if given["decay"] == "exact" else "-dt / ln(factor)"
        rows.append(("time constants", made, why))
        rows.append(("r of LIF and CubaLIF nodes", "made anew", "written as tau_mem / dt"))
        reset = {"value": "to v_reset", "subtract": "v_threshold is subtracted"}
        why = "given; v_reset = 0 is written for every reset_mechanism"
        rows.append(("reset", reset[given["reset"]], why))
        steps = "in its own step" if given["reset_delay"] is False else "in the next step"
        why = "given" if given["reset_delay"] is not None else (
            "assumed, as reset_delay=True is the default; reset_delay=... says it, no file does"
        )  # fmt: skip
        rows.append(("time of the reset in training", steps, why))
    if "CubaLIF" in kinds:
        why = "written as tau_syn / dt; a spike and a bias bring the charge of the training"
        rows.append(("w_in of CubaLIF nodes", "made anew", why))
    if "AvgPool2d" in kinds:
        rows.append(("padding of AvgPool2d nodes", "0", "written so, whatever the module has"))
    return rows
