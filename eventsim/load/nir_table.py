"""The table of assumptions behind a network from NIR."""

from __future__ import annotations

import numpy as np

from eventsim.load.nir_file import Graph
from eventsim.load.nir_neurons import NEURONS, SPIKING
from eventsim.load.nir_options import Options, Row

__all__ = ["table"]

_GIVEN = "given"


def table(graph: Graph, options: Options, rows: list[Row]) -> list[Row]:
    """Rows (name, value, why): units and areas, rules of the neurons, then ``rows`` of nodes."""
    kinds = {node.kind for node in graph.nodes.values()}
    noted = any(node.notes for node in graph.nodes.values())
    done = list(options.table)
    if kinds & set(NEURONS):
        if options.decay == "euler":
            done.append(
                ("time constants", "-dt / ln(1 - dt / tau)", "given: tau = dt / (1 - decay)")
            )
        else:
            done.append(("time constants", "as they stand", "decay='euler' is the other way"))
    if kinds & set(SPIKING):
        done += _spiking(options, "as eventsim noted in the file, or else " if noted else "")
    if "Threshold" in kinds:
        why = "a spike counts as its weight, together with those of the very same time only"
        done.append(("Threshold nodes", "neurons without memory", why))
    if kinds & set(NEURONS):
        done.append(("start", "v = v_leak, no currents", "NIR does not say it"))
    done += [
        (f"average of {node.name}", "over the whole window", "its padding counts as silent inputs")
        for node in graph.nodes.values()
        if node.kind == "AvgPool2d" and np.any(node.fields.get("padding"))
    ]
    return done + rows


def _spiking(options: Options, noted: str) -> list[Row]:
    """Reset, threshold test and refractory period."""
    reset = options.reset
    resets = {"value": "to v_reset", "subtract": "v_threshold - v_reset is subtracted"}
    why = "NIR's definition; a framework may have meant reset='subtract'"
    first = ("reset", noted + resets["value"], why)
    if reset is not None:
        again = ", repeatedly" if options.multi_spike else ""
        first = ("reset", resets[reset] + again, _GIVEN)
    equal = options.fires_at_equality
    test = ("threshold test", f"{noted}v > v_threshold", "NIR's definition")
    if equal is not None:
        test = ("threshold test", "v >= v_threshold" if equal else "v > v_threshold", _GIVEN)
    rest = ("refractory period", f"{noted}0", "NIR has none")
    if options.t_ref is not None:
        rest = ("refractory period", f"{options.t_ref:g} s", _GIVEN)
    return [first, test, rest]
