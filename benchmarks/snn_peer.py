"""The same layers in snnTorch: `Leaky` neurons with a step of t_ref, reset to zero.

Another model: ``v = (1 - s) exp(-1 / tau) v + x``, without a refractory period. It finds in which
steps a neuron spikes. Input spikes are binned beforehand, weights are float32.
"""

from __future__ import annotations

import importlib.util
import math
from typing import Any

from benchmarks.coarse_peer import coarse_runner
from benchmarks.contender import Contender
from benchmarks.workloads import Workload

__all__ = ["NEEDS", "Cell", "available", "snn"]

NEEDS = "snntorch with torch"


def available() -> bool:
    """Whether snnTorch and torch are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "snntorch"))


class Cell:
    """A layer of neurons with the time constant ``tau``, in steps, and threshold 1."""

    def __init__(self, tau: float) -> None:
        from snntorch import Leaky

        self._leaky = Leaky(beta=math.exp(-1.0 / tau), threshold=1.0, reset_mechanism="zero")
        self._potential: Any = None

    def __call__(self, x: Any, init: bool) -> Any:
        if init:
            self._potential = self._leaky.reset_mem()
        spikes, self._potential = self._leaky(x, self._potential)
        return spikes


def snn(work: Workload, samples: int) -> Contender:
    """Contender for a chain of layers; torch is held to one thread."""
    import torch

    torch.set_num_threads(1)
    runner = coarse_runner(work, samples, Cell)

    def run() -> None:
        runner()

    return Contender(f"snnTorch Leaky, batch {samples}", samples, run)
