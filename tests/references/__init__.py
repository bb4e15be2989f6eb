"""Spikes of other simulators, kept for comparison; README.md says how they were made."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import eventsim as es

FOLDER = Path(__file__).parent


class Reference(NamedTuple):
    """Spikes sorted by (time, sender), and the network they belong to."""

    times: NDArray[np.float64]  # ms
    senders: NDArray[np.int64]
    network: str  # its digest


def digest(net: es.Network) -> str:
    """SHA-256 of what is drawn at random: the synapses and the initial potentials."""
    found = hashlib.sha256()
    for cells in net.populations:
        found.update(cells.array("v_init").tobytes())
    for link in net.projections:
        found.update(link.pre.astype("<i8").tobytes() + link.post.astype("<i8").tobytes())
    return found.hexdigest()


def read(name: str) -> Reference:
    """A stored reference."""
    with np.load(FOLDER / f"{name}.npz") as file:
        senders = file["senders"].astype(np.int64)
        return Reference(file["times"], senders, str(file["network"]))


def write(
    name: str, net: es.Network, times: NDArray[np.float64], senders: NDArray[np.int64]
) -> None:
    """Store the spikes of ``net``, in any order, times in ms."""
    order = np.lexsort((senders, times))
    np.savez_compressed(
        FOLDER / f"{name}.npz",
        times=times[order],
        senders=senders[order].astype(np.uint16),
        network=digest(net),
    )
