"""Cycles of a NIR graph that have no delay.

Every time-stepped simulator gives such a cycle one step. Here the projections that lead no
further away from the inputs get it, which leaves no cycle without.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from eventsim.errors import UnsupportedNetwork
from eventsim.load.nir_options import Options, Row

__all__ = ["delay_cycles"]


def delay_cycles(
    file: str, projections: list[Any], options: Options, table: list[Row]
) -> list[Any]:
    """The projections, with a delay on those that close a cycle without one."""
    parts = _parts([(p.source, p.target) for p in projections if p.min_delay == 0.0])
    far = _distances([(p.source, p.target) for p in projections])
    done = []
    for projection in projections:
        a, b = projection.source, projection.target
        cyclic = a == b or (a in parts and parts[a] == parts.get(b))
        if not cyclic or projection.min_delay > 0.0 or far.get(a, 0) < far.get(b, 0):
            done.append(projection)
            continue
        delay = options.recurrent_delay if options.recurrent_delay is not None else options.dt
        if delay is None:
            raise UnsupportedNetwork(
                f"{file}: node {b!r}: recurrent_delay: expected recurrent_delay=... or dt=... "
                f"(seconds), as the cycle through {a!r} has no Delay node, got neither"
            )
        why = "given" if options.recurrent_delay is not None else "one step"
        table.append((f"delay of {a} -> {b}", f"{delay:g} s", f"{why}: a cycle without Delay node"))
        old = np.asarray(projection.delay)
        late = np.where(old == 0.0, delay, old) if old.ndim else delay
        done.append(replace(projection, delay=late))
    return done


def _parts(edges: list[tuple[str, str]]) -> dict[str, int]:
    """Number of the strongly connected part of each name."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = sorted({name for edge in edges for name in edge})
    if not names:
        return {}
    place = {name: k for k, name in enumerate(names)}
    rows, columns = [place[a] for a, _ in edges], [place[b] for _, b in edges]
    size = (len(names), len(names))
    matrix = coo_array((np.ones(len(edges)), (rows, columns)), size)
    _, labels = connected_components(matrix, directed=True, connection="strong")
    return {name: int(label) for name, label in zip(names, labels, strict=True)}


def _distances(edges: list[tuple[str, str]]) -> dict[str, int]:
    """Projections on the shortest way from where nothing else leads in."""
    names = list(dict.fromkeys(name for edge in edges for name in edge))
    targets = {b for a, b in edges if a != b}
    far = {name: 0 for name in names if name not in targets} or {name: 0 for name in names[:1]}
    waiting = list(far)
    for name in waiting:
        for a, b in edges:
            if a == name and b not in far:
                far[b] = far[a] + 1
                waiting.append(b)
    return far
