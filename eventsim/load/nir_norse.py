r"""What Norse writes into NIR files otherwise than NIR means it.

Norse 1.1.0 writes ``tau = dt / tau_inv``, the time constant times the step, ``r = 1`` in every
node and ``w_in = 1`` in every CubaLIF node. Its neurons make Euler steps, so the factor of a step
is :math:`1 - dt / \tau`, and a spike moves a current by its weight and an IF neuron by its weight,
which in NIR are ``w_in = tau_syn / dt`` and ``r = 1 / dt``. Neither the kind of reset nor its
potential is written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import UnsupportedNetwork
from eventsim.load.nir_file import Graph, Node
from eventsim.load.nir_options import Row

__all__ = ["euler_times", "norse", "said_by"]

Array = NDArray[np.float64]

#: Type of a node -> the fields that hold its time constants.
TIMES: dict[str, tuple[str, ...]] = {
    "LIF": ("tau",), "LI": ("tau",), "CubaLIF": ("tau_mem", "tau_syn"),
}  # fmt: skip
NEURONS = (*TIMES, "IF")


def said_by(
    exporter: str,
    given: dict[str, Any],
    step: str = "the seconds of a step, as it was given to the exporter",
) -> float:
    """The step in seconds, which is needed; what the exporter says must not be given."""
    for name in ("time_unit", "spike_area"):
        if given[name] is not None:
            raise checks.fail(
                "load_nir", name, f"None, as exporter={exporter!r} says it", repr(given[name])
            )
    if given["dt"] is None:
        raise checks.fail("load_nir", "dt", step, None)
    return checks.positive("load_nir", "dt", given["dt"])


def euler_times(tau: Array, dt: float, decay: str | None) -> Array:
    """Time constants of neurons that were stepped with factors ``1 - dt / tau``."""
    return tau if decay == "exact" else -dt / np.log1p(-dt / tau)


def norse(graph: Graph, given: dict[str, Any]) -> tuple[Graph, dict[str, Any], list[Row]]:
    """The graph of a file of Norse as NIR would have it, the options, and what was corrected.

    Raises
    ------
    InvalidValue
        ``dt`` is missing, or ``reset`` where a file has LIF nodes; an option is given twice.
    UnsupportedNetwork
        The file is not as Norse writes it.
    """
    dt = said_by("norse", given)
    kinds = {node.kind for node in graph.nodes.values()}
    if "LIF" in kinds and given["reset"] is None:
        raise checks.fail(
            "load_nir", "reset",
            "'value' (reset_value) or 'subtract' (reset_subtract), as Norse does not write which",
            None,
        )  # fmt: skip
    if given["reset"] == "subtract" and kinds & {"CubaLIF", "IF"}:
        raise UnsupportedNetwork(
            f"{graph.file}: reset: expected 'value', as Norse's LIFCell and IAFCell reset to a "
            "value, got 'subtract': take the module itself with from_torch"
        )
    times = _times(graph)
    scale, how = _scale(graph, times, dt)
    nodes = {
        name: _node(node, dt, scale, given["decay"]) if node.kind in NEURONS else node
        for name, node in graph.nodes.items()
    }
    options = {**given, "decay": "exact", "dt": dt}
    rows: list[Row] = [
        ("exporter", "norse", "given; what its files say otherwise than NIR means it follows"),
        ("unit of time", "s", how),
        ("step", f"{dt:g} s", "given"),
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
    return replace(graph, nodes=nodes), options, rows


def _times(graph: Graph) -> Array:
    """All time constants of a file."""
    parts = [
        np.ravel(node.numbers(name)).astype(np.float64)
        for node in graph.nodes.values()
        for name in TIMES.get(node.kind, ())
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _scale(graph: Graph, times: Array, dt: float) -> tuple[float, str]:
    """What time constants are multiplied by to be seconds.

    An Euler step is shorter than its time constant. What is written is the time constant times
    the step, below a step where the time constant is below a second.
    """
    if (times > dt).all():
        return 1.0, "time constants above a step, so that they are seconds"
    if (times > 0).all() and (times < dt).all() and (times > dt * dt).all():
        return 1.0 / dt, "time constants are written times the step"
    raise UnsupportedNetwork(
        f"{graph.file}: time constants: expected numbers between dt^2 and dt, as Norse writes "
        f"tau dt, or all above dt = {dt:g}, got {times.min():g} to {times.max():g}: is dt the step "
        "that was given to the exporter?"
    )


def _node(node: Node, dt: float, scale: float, decay: str | None) -> Node:
    """The node with the times, r and w_in that give the effects of Norse's spikes and biases."""
    for name in ("r", "w_in"):
        value = node.fields.get(name)
        if value is not None and (np.asarray(value) != 1.0).any():
            raise UnsupportedNetwork(
                f"{node.where}: {name}: expected 1, as Norse writes it, got {value}: leave "
                "exporter='norse' out for a file of another framework"
            )
    ones = np.ones_like(node.numbers("r"), dtype=np.float64)
    if node.kind == "IF":
        return replace(node, fields={**node.fields, "r": ones / dt})
    written = [node.numbers(name).astype(np.float64) * scale for name in TIMES[node.kind]]
    exact = [euler_times(tau, dt, decay) for tau in written]
    fields: dict[str, Any] = dict(zip(TIMES[node.kind], exact, strict=True))
    fields["r"] = ones * exact[0] / written[0]
    if node.kind == "CubaLIF":
        # In all a spike moves v by its weight times the sum of the currents in the steps.
        fields["r"] = fields["r"] * written[1] / exact[1]
        fields["w_in"] = exact[1] / dt
    return replace(node, fields={**node.fields, **fields})
