"""In which order populations are visited in a window, and how long a window may be."""

from __future__ import annotations

from functools import lru_cache
from math import inf

from eventsim.network import Network

__all__ = ["visiting_order"]


@lru_cache(maxsize=8)
def visiting_order(net: Network) -> tuple[list[str], float]:
    """Names in the order of visits, and how long a window may be at most, in seconds.

    Zero-delay projections always lead forward. Others do as far as there is no cycle; those that
    lead back, or from a population to itself, bound the window by their smallest delay.
    """
    every: dict[str, set[str]] = {name: set() for name in net.order}
    zero: dict[str, set[str]] = {name: set() for name in net.order}
    for p in net.projections:
        if p.source != p.target:
            every[p.target].add(p.source)
        if p.min_delay == 0.0:
            zero[p.target].add(p.source)
    order: list[str] = []
    waiting = list(net.order)
    while waiting:
        left = set(waiting)
        free = [n for n in waiting if not every[n] & left] or [
            next(n for n in waiting if not zero[n] & left)
        ]
        order += free
        waiting = [n for n in waiting if n not in set(free)]
    place = {name: k for k, name in enumerate(order)}
    back = [p.min_delay for p in net.projections if place[p.target] <= place[p.source]]
    return order, min(back, default=inf)
