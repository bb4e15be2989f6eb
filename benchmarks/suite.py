"""Which contenders a workload has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType

from benchmarks import brian_peer, coarse_peer, nest_peer, neuron_peer, snn_peer
from benchmarks.contender import Contender
from benchmarks.engines import engine, why_not
from benchmarks.roofline import roofline
from benchmarks.scatter import scatter
from benchmarks.workloads import Workload

__all__ = ["PEERS", "contenders", "missing", "names"]

_MAKERS: dict[str, Callable[[Workload], Contender]] = {
    "layered": lambda work: engine(work, "layered", work.samples),
    "windowed": lambda work: engine(work, "windowed", work.samples),
    "queue": lambda work: engine(work, "queue", work.queue_samples),
    "roofline": lambda work: roofline(work, work.samples),
    "scatter": scatter,
    "coarse": lambda work: coarse_peer.coarse(work, work.samples),
    "snn_batch": lambda work: snn_peer.snn(work, work.samples),
    "snn_one": lambda work: snn_peer.snn(work, 1),
    "nest": nest_peer.nest_precise,
    "nest_grid": nest_peer.nest_grid,
    "brian": brian_peer.brian_grid,
    "neuron": neuron_peer.int_fire,
}
#: Other simulators, by the names of their contenders.
PEERS: dict[str, ModuleType] = {
    "coarse": coarse_peer,
    "snn_batch": snn_peer,
    "snn_one": snn_peer,
    "nest": nest_peer,
    "nest_grid": nest_peer,
    "brian": brian_peer,
    "neuron": neuron_peer,
}
_SIMULATORS = ("nest", "nest_grid", "brian")
#: Workload -> peers that can run it as it is, or as what their model makes of it.
_PEERS_OF = {
    "W1": ("coarse", "snn_batch", "snn_one", *_SIMULATORS, "neuron"),
    "W1p": ("coarse",),
    "W1x": _SIMULATORS,
    "W2": _SIMULATORS,
    "W3": _SIMULATORS,
    "W4": ("coarse",),
}


def _applicable(work: Workload) -> list[str]:
    """Names of all contenders that fit a workload, installed or not; an engine comes first."""
    special = "windowed" if why_not(work, "layered") else "layered"
    engines = [name for name in (special, "queue") if why_not(work, name) is None]
    limit = "scatter" if work.recurrent else "roofline"
    every = [*engines, limit, *_PEERS_OF.get(work.name, ())]
    return [name for name in every if work.rounds.get(name) != 0]


def names(work: Workload, peers: bool) -> list[str]:
    """Short names of the contenders; peers only where they are installed."""
    return [
        name
        for name in _applicable(work)
        if name not in PEERS or (peers and PEERS[name].available())
    ]


def missing(work: Workload) -> list[str]:
    """Peers of a workload that are not installed, by the packages that they need."""
    absent = [PEERS[name] for name in _applicable(work) if name in PEERS]
    return list(dict.fromkeys(peer.NEEDS for peer in absent if not peer.available()))


def contenders(work: Workload, peers: bool, only: str | None = None) -> Iterator[Contender]:
    """The contenders of a workload; the first is what the others are compared with."""
    for name in names(work, peers):
        if only in (None, name):
            made = _MAKERS[name](work)
            yield replace(made, rounds=work.rounds.get(name, made.rounds))
