"""Which contenders a workload has."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import coarse_peer
from benchmarks.contender import Contender
from benchmarks.engines import engine
from benchmarks.roofline import roofline
from benchmarks.workloads import Workload

__all__ = ["contenders", "names"]

_MAKERS = {
    "layered": lambda work: engine(work, "layered", len(work.trains)),
    "queue": lambda work: engine(work, "queue", work.queue_samples),
    "roofline": lambda work: roofline(work, len(work.trains)),
    "coarse": lambda work: coarse_peer.coarse(work, len(work.trains)),
}


def names(peers: bool) -> list[str]:
    """Short names of the contenders; peers only where they are installed."""
    with_peer = peers and coarse_peer.available()
    return [name for name in _MAKERS if name != "coarse" or with_peer]


def contenders(work: Workload, peers: bool, only: str | None = None) -> Iterator[Contender]:
    """The contenders of a workload, the layered engine first."""
    for name in names(peers):
        if only in (None, name):
            yield _MAKERS[name](work)
