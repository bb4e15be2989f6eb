r"""What Rockpool writes into NIR files otherwise than NIR means it.

Rockpool 3.1.0 writes a CubaLIF node for LIFTorch, with :math:`r = \tau e^{-dt / \tau} / dt` of the
membrane and ``w_in`` left at 1, where a spike adds its weight to the current before that decays.
The same ``r`` stands in the LI node of ExpSynTorch, where it is right. Neither the bias nor the
recurrent weights of LIFTorch are written, and of a Residual only the path through its modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.discrete.frameworks import rockpool as rules
from eventsim.errors import UnsupportedNetwork
from eventsim.load.nir_file import Graph
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

__all__ = ["rockpool", "rockpool_rules", "rockpool_step"]

#: Type of a node -> module.
KINDS = {"CubaLIF": "LIFTorch", "LI": "ExpSynTorch"}
#: Two float32 numbers of a file that were computed from each other are as close as this.
_CLOSE = 1e-5


def rockpool(graph: Graph, given: dict[str, Any]) -> Corrected:
    """The graph of a file of Rockpool as NIR would have it, the options, and the corrections.

    Raises
    ------
    InvalidValue
        An option contradicts the exporter.
    UnsupportedNetwork
        The file is not as Rockpool writes it, or has lost what can be seen to be missing.
    """
    dt = said_by("rockpool", {**given, "dt": rockpool_step(graph, given)}, "the seconds of a step")
    made = rockpool_rules(graph, given)
    nodes, rows = without_steps(graph)
    options = {**given, "dt": dt}
    kinds = {nodes[name].kind for name in made}
    how = "found in r" if given["dt"] is None else "given; it agrees with r"
    own: list[Row] = [
        ("exporter", "rockpool", "given; what its files say otherwise than NIR means it follows"),
        ("unit of time", "s", "as in Rockpool"),
        ("step", f"{dt:g} s", how if kinds else "given"),
        ("area of a spike", "one step", "a spike is an input of its weight in one step"),
        *rows,
    ]
    if kinds:
        why = "the factor of a step is exp(-dt / tau) in float32"
        own.append(("time constants", "as they stand", why))
    if "CubaLIF" in kinds:
        lost = "never written: take a module that has it with from_torch"
        charge = "a spike and a bias bring the charge of the training"
        own += [
            ("w_in of CubaLIF nodes", "tau_syn / dt", "left at 1, for I += w"),
            ("r of CubaLIF nodes", "made anew", f"written as tau exp(-dt / tau) / dt; {charge}"),
            ("reset", "v_threshold is subtracted", "as LIFTorch does; it is not written"),
            ("spikes in a step", "several at one time", "max_spikes_per_dt is not written"),
            ("bias of LIFTorch", "0", lost),
            ("w_rec of LIFTorch", "none", lost),
            ("noise_std", "0", "not written"),
        ]
        options |= {"reset": "subtract", "multi_spike": True}
        if given["fires_at_equality"] is None:
            options["fires_at_equality"] = True
            own.append(("threshold test", "v >= v_threshold", "as LIFTorch does; NIR has v >"))
    return Corrected(replace(graph, nodes=nodes), options, own, made)


def rockpool_rules(graph: Graph, given: Mapping[str, Any]) -> dict[str, StepRule]:
    """What the modules of a file do in a step, by their nodes; biases are in the linear nodes.

    Parameters
    ----------
    graph : Graph
        What the file says.
    given : mapping
        The options of :func:`eventsim.load_nir`.

    Raises
    ------
    InvalidValue
        ``reset``, ``multi_spike`` or ``decay`` is another than that of Rockpool.
    UnsupportedNetwork
        The file is not as Rockpool writes it.
    """
    exact_only(given, "Rockpool", "exp(-dt / tau)")
    for option, value in (("reset", "subtract"), ("multi_spike", True)):
        if given[option] not in (None, value):
            raise checks.fail(
                "load_nir", option, f"None or {value!r}, as LIFTorch has no other",
                repr(given[option]),
            )  # fmt: skip
    for node in graph.nodes.values():
        if "TorchResidual" in node.name:
            raise UnsupportedNetwork(
                f"{node.where}: edges: expected no Residual, as its direct path is not written, "
                "got one by the name of the node: take the module itself with from_torch"
            )
    nodes, dt = neurons_of(graph, "rockpool", KINDS), rockpool_step(graph, given)
    made = {}
    for name, node in nodes.items():
        for field, number in (("w_in", 1.0), ("v_leak", 0.0), ("v_reset", 0.0)):
            demand(node, "rockpool", field, number)
        if node.kind == "LI":
            made[name] = rules.exp_syn(tau=positive(node, "tau"), dt=dt)
        else:
            made[name] = rules.lif(
                tau_mem=positive(node, "tau_mem"),
                tau_syn=positive(node, "tau_syn"),
                threshold=positive(node, "v_threshold"),
                dt=dt,
            )
    return made


def rockpool_step(graph: Graph, given: Mapping[str, Any]) -> Any:
    r"""Seconds of a step: as given, else what ``r`` of the nodes says, else None.

    With :math:`u = dt / \tau`, :math:`u e^u = 1 / r`.

    Raises
    ------
    UnsupportedNetwork
        ``r`` is not as Rockpool writes it with this step, or with any one step.
    """
    from scipy.special import lambertw

    dt = given["dt"] if given["dt"] is None else checks.positive("load_nir", "dt", given["dt"])
    for node in neurons_of(graph, "rockpool", KINDS).values():
        tau = np.asarray(positive(node, "tau" if node.kind == "LI" else "tau_mem"), np.float64)
        r = np.asarray(positive(node, "r"), np.float64)
        steps: NDArray[np.float64] = np.ravel(tau * np.real(lambertw(1.0 / r)))
        if dt is None:
            dt = float(f"{np.median(steps):.6g}")
        far = np.abs(steps / dt - 1.0)
        if far.size and far.max() > _CLOSE:
            raise UnsupportedNetwork(
                f"{node.where}: r: expected tau exp(-dt / tau) / dt with dt = {dt:g} in all "
                f"neurons, as Rockpool writes it, got one for a step of "
                f"{float(steps[np.argmax(far)]):g}: is dt that of the modules?"
            )
    return dt
