"""Reading networks and results from files."""

from __future__ import annotations

import os

from eventsim.discretization import Discretization
from eventsim.load.native import load_network
from eventsim.network import Network

__all__ = ["load"]


def load(path: str | os.PathLike[str]) -> tuple[Network, Discretization | None]:
    """Read a network file; see :func:`eventsim.load.native.load_network`."""
    return load_network(path)
