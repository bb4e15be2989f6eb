"""Which contenders a workload has."""

from __future__ import annotations

from collections.abc import Iterator

import eventsim as es
from benchmarks import brian_peer, coarse_peer, nest_peer
from benchmarks.contender import Contender
from benchmarks.engines import engine, why_not
from benchmarks.roofline import roofline
from benchmarks.workloads import Workload

__all__ = ["contenders", "missing", "names"]

_MAKERS = {
    "layered": lambda work: engine(work, "layered", work.samples),
    "windowed": lambda work: engine(work, "windowed", work.samples),
    "queue": lambda work: engine(work, "queue", work.queue_samples),
    "roofline": lambda work: roofline(work, work.samples),
    "coarse": lambda work: coarse_peer.coarse(work, work.samples),
    "nest": nest_peer.nest_precise,
    "brian": brian_peer.brian_grid,
}
_PEERS = {"coarse": coarse_peer, "nest": nest_peer, "brian": brian_peer}


def _applicable(work: Workload) -> list[str]:
    """Names of all contenders that fit a workload, installed or not."""
    if why_not(work, "layered") is None:  # layer after layer, each step of a coarse model fits
        receptors = any(isinstance(p, es.Population) and p.n_receptors for p in work.net)
        return ["layered", "queue", "roofline", *([] if receptors else ["coarse"])]
    engines = [name for name in ("windowed", "queue") if why_not(work, name) is None]
    return [*engines, "nest", "brian"]


def names(work: Workload, peers: bool) -> list[str]:
    """Short names of the contenders; peers only where they are installed."""
    return [
        name
        for name in _applicable(work)
        if name not in _PEERS or (peers and _PEERS[name].available())
    ]


def missing(work: Workload) -> list[str]:
    """Peers of a workload that are not installed, by the packages that they need."""
    absent = [_PEERS[name] for name in _applicable(work) if name in _PEERS]
    return [peer.NEEDS for peer in absent if not peer.available()]


def contenders(work: Workload, peers: bool, only: str | None = None) -> Iterator[Contender]:
    """The contenders of a workload; the first is what the others are compared with."""
    for name in names(work, peers):
        if only in (None, name):
            yield _MAKERS[name](work)
