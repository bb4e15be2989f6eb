r"""What frameworks write into NIR files otherwise than NIR means it, put right.

An entry of :data:`EXPORTERS` gets the graph and the options of :func:`eventsim.load_nir` and
gives back both as NIR would have them, with a row for each thing that it corrected. Nothing of
this happens unless the user names the exporter.

snnTorch 1.0.0 writes a step of 0.0001 s into every file, and with the factors ``beta`` and
``alpha`` of a step ``tau = dt / (1 - beta)`` and ``r = tau / dt``, so that a spike adds its
weight to v; for a current ``w_in = tau_syn / dt``. Here the times become
:math:`-dt / \ln \beta`, ``r`` and ``w_in`` such that a spike and a bias do in continuous time
what :func:`eventsim.from_torch` lets them do. The others have files of their own:
:mod:`~eventsim.load.nir_norse`, :mod:`~eventsim.load.nir_spikingjelly`,
:mod:`~eventsim.load.nir_sinabs` and :mod:`~eventsim.load.nir_rockpool`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import UnsupportedNetwork
from eventsim.load.nir_file import Graph, Node
from eventsim.load.nir_neurons import SPIKING
from eventsim.load.nir_norse import norse
from eventsim.load.nir_options import Row
from eventsim.load.nir_rockpool import rockpool
from eventsim.load.nir_sinabs import sinabs
from eventsim.load.nir_spikingjelly import spikingjelly

__all__ = ["EXPORTERS", "corrected", "merged"]

Array = NDArray[np.float64]
Corrected = tuple[Graph, dict[str, Any], list[Row]]

#: Step that snnTorch writes, whatever the training meant.
SNNTORCH_STEP = 1e-4
#: Two float32 numbers of a file that were computed from each other are as close as this.
_CLOSE = 1e-5


def corrected(exporter: str, graph: Graph, given: Mapping[str, Any]) -> Corrected:
    """The graph, the options, and the rows of what was corrected.

    Parameters
    ----------
    exporter : str
        One of :data:`EXPORTERS`.
    graph : Graph
        What the file says.
    given : mapping
        The options of the call.

    Raises
    ------
    InvalidValue, InvalidType
        The exporter is unknown, or an option that goes with it is missing.
    UnsupportedNetwork
        The file is not as the exporter writes it.
    """
    if exporter not in EXPORTERS:
        raise checks.fail("load_nir", "exporter", f"one of {list(EXPORTERS)}", repr(exporter))
    return EXPORTERS[exporter](graph, dict(given))


def merged(rows: list[Row], own: list[Row]) -> list[Row]:
    """The table with the rows of the exporter, which take the place of those of their names."""
    if not own:
        return rows
    names = {name for name, _, _ in own}
    left = [row for row in rows if row[0] not in names and not row[0].startswith("gain of ")]
    return own + left


def _snntorch(graph: Graph, given: dict[str, Any]) -> Corrected:
    where, step = "load_nir", SNNTORCH_STEP
    for name in ("time_unit", "spike_area"):
        if given[name] is not None:
            raise checks.fail(
                where, name, "None, as exporter='snntorch' says it", repr(given[name])
            )
    if given["dt"] is None:
        raise checks.fail(
            where, "dt",
            f"the seconds that a step stands for, as the {step:g} s in a file of snnTorch is a "
            "constant of its exporter", None,
        )  # fmt: skip
    dt = checks.positive(where, "dt", given["dt"])
    kinds = {node.kind for node in graph.nodes.values()}
    if kinds & set(SPIKING) and given["reset"] is None:
        raise checks.fail(
            where, "reset",
            "'subtract' or 'value' (reset_mechanism='zero'), as snnTorch writes v_reset = 0 for "
            "each of them", None,
        )  # fmt: skip
    stands = given["decay"] == "exact"
    nodes = {name: _snntorch_node(node, stands) for name, node in graph.nodes.items()}
    options = {**given, "time_unit": dt / step, "spike_area": "dt", "decay": "exact"}
    return replace(graph, nodes=nodes), options, _snntorch_rows(kinds, given, dt, stands)


def _snntorch_node(node: Node, stands: bool) -> Node:
    """The node with times, r and w_in for which a spike adds its weight."""
    if node.kind not in ("LIF", "CubaLIF"):
        return node
    membrane = "tau" if node.kind == "LIF" else "tau_mem"
    _check_ratio(node, membrane, "r")
    _, tau_mem = _snntorch_times(node, membrane, stands)
    fields: dict[str, Any] = {membrane: tau_mem}
    if node.kind == "LIF":
        fields["r"] = tau_mem / SNNTORCH_STEP
    else:
        _check_ratio(node, "tau_syn", "w_in")
        alpha, tau_syn = _snntorch_times(node, "tau_syn", stands)
        fields["tau_syn"], fields["w_in"] = tau_syn, tau_syn / SNNTORCH_STEP
        # In all a spike moves v by its weight times the sum of the currents in the steps.
        fields["r"] = tau_mem / (tau_syn * (1.0 - alpha))
    return replace(node, fields={**node.fields, **fields})


def _check_ratio(node: Node, tau: str, gain: str) -> None:
    """Refuse a file that snnTorch did not write."""
    if node.fields.get(gain) is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.asarray(node.numbers(tau) / node.numbers(gain), dtype=np.float64)
        if (np.abs(steps / SNNTORCH_STEP - 1.0) <= _CLOSE).all():
            return
    raise UnsupportedNetwork(
        f"{node.where}: {gain}: expected {tau} / {SNNTORCH_STEP:g}, as snnTorch writes it, got "
        f"{node.fields.get(gain)}: leave exporter='snntorch' out for a file of another framework"
    )


def _snntorch_times(node: Node, name: str, stands: bool) -> tuple[Array, Array]:
    """Decay factor of a step, and the time constant, in the file's unit of time."""
    written = node.numbers(name)
    tau = written.astype(np.float64)
    if (tau <= SNNTORCH_STEP).any():
        raise UnsupportedNetwork(
            f"{node.where}: {name}: expected more than {SNNTORCH_STEP:g}, a decay factor above 0 "
            f"and below 1 in each step, got {float(tau.min()):g}"
        )
    factor = 1.0 - SNNTORCH_STEP / tau
    # The factor of the module, where the file's rounding is all that lies between.
    near = factor.astype(np.float32).astype(np.float64)
    rounding = 4.0 * float(np.finfo(written.dtype).eps) * (1.0 - factor)
    factor = np.where(np.abs(near - factor) <= rounding, near, factor)
    return factor, tau if stands else -SNNTORCH_STEP / np.log(factor)


def _snntorch_rows(kinds: set[str], given: dict[str, Any], dt: float, stands: bool) -> list[Row]:
    rows: list[Row] = [
        ("exporter", "snntorch", "given; what its files say otherwise than NIR means it follows"),
        (
            "unit of time",
            f"{SNNTORCH_STEP:g} in the file is a step",
            "a constant of the exporter, whatever the training meant",
        ),
        ("step", f"{dt:g} s", "given"),
        ("area of a spike", "one step", "a spike adds its weight"),
    ]
    if kinds & {"LIF", "CubaLIF"}:
        why = "written as dt / (1 - factor); decay='exact' keeps it"
        if stands:
            why = "given; the factor per step was 1 - dt / tau"
        made = "as they stand" if stands else "-dt / ln(factor)"
        rows.append(("time constants", made, why))
        rows.append(("r of LIF and CubaLIF nodes", "made anew", "written as tau_mem / dt"))
    if "CubaLIF" in kinds:
        why = "written as tau_syn / dt; a spike and a bias bring the charge of the training"
        rows.append(("w_in of CubaLIF nodes", "made anew", why))
    if kinds & set(SPIKING):
        reset = {"value": "to v_reset", "subtract": "v_threshold is subtracted"}
        why = "given; v_reset = 0 is written for every reset_mechanism"
        rows.append(("reset", reset.get(str(given["reset"]), ""), why))
        late = "in training one step later, unless reset_delay=False, which is not written"
        rows.append(("time of the reset", "at once", late))
    if "AvgPool2d" in kinds:
        rows.append(("padding of AvgPool2d nodes", "0", "written so, whatever the module has"))
    return rows


#: Name -> what puts its files right: (graph, options) -> (graph, options, rows).
EXPORTERS: dict[str, Callable[[Graph, dict[str, Any]], Corrected]] = {
    "snntorch": _snntorch,
    "norse": norse,
    "spikingjelly": spikingjelly,
    "sinabs": sinabs,
    "rockpool": rockpool,
}
