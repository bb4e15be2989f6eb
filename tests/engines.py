"""The engines that tests go through, and what each of them cannot run."""

from __future__ import annotations

from collections.abc import Callable

import eventsim as es
from eventsim.engine import layered, windowed

#: For each engine a function that says why it cannot run a network; None when it can.
ENGINES: dict[str, Callable[[es.Network], str | None]] = {
    "queue": lambda net: None,
    "layered": layered.why_not,
    "windowed": windowed.why_not,
}


def engines(net: es.Network) -> list[str]:
    """Names of the engines that run a network."""
    return [name for name, why_not in ENGINES.items() if why_not(net) is None]
