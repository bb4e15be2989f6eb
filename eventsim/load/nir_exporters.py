"""What frameworks write into NIR files otherwise than NIR means it, put right.

An entry of :data:`EXPORTERS` gets the graph and the options of :func:`eventsim.load_nir` and
gives back both as NIR would have them, a row for each thing that it corrected, and the rule of a
step of each node of neurons (:class:`~eventsim.load.nir_twins.NodeRule`), of which the population
and the discrete twin are made. Nothing of this happens unless the user names the exporter.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from eventsim import checks
from eventsim.load.nir_file import Graph
from eventsim.load.nir_options import Row
from eventsim.load.nir_twins import OF_ONE, Corrected

__all__ = ["EXPORTERS", "corrected", "merged"]

#: Name -> module with a function of that name, which puts its files right. Rules of steps bring the
#: compiler, so the module is imported when it is asked for.
EXPORTERS = {
    name: f"eventsim.load.nir_{name}"
    for name in ("snntorch", "norse", "spikingjelly", "sinabs", "rockpool")
}

#: Rows about all neurons; with rules there are rows for each population instead.
_GENERAL = ("time constants", "reset", "threshold test", "refractory period", "start")


def corrected(exporter: str, graph: Graph, given: Mapping[str, Any]) -> Corrected:
    """The graph and the options of a file, with what was corrected and the rules of its neurons.

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
    for name, home in OF_ONE.items():
        if exporter != home and given[name] is not None:
            expected = f"None without exporter={home!r}"
            raise checks.fail("load_nir", name, expected, repr(given[name]))
    module = importlib.import_module(EXPORTERS[exporter])
    correct: Callable[[Graph, dict[str, Any]], Corrected] = getattr(module, exporter)
    return correct(graph, dict(given))


def merged(rows: list[Row], found: Corrected) -> list[Row]:
    """The table with the rows of the exporter, which take the place of those of their names."""
    if not found.table:
        return rows
    names = {name for name, _, _ in found.table}
    if found.rules:
        names.update(_GENERAL)
    left = [row for row in rows if row[0] not in names and not row[0].startswith("gain of ")]
    return found.table + left
