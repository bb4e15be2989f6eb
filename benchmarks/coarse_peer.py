"""The same network in PyTorch with spikingtorch's CoarseLIF: a step of t_ref, all samples at once.

Another model: it finds in which steps a neuron spikes, and its spikes differ from the exact ones.
Input spikes are binned before the clock starts. Weights are float32, as trained ones are.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

import eventsim as es
from benchmarks.contender import Contender
from benchmarks.workloads import T_REF, TAU, Workload

__all__ = ["NEEDS", "available", "coarse", "coarse_runner"]

NEEDS = "spikingtorch with torch"


def available() -> bool:
    """Whether spikingtorch and torch are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "spikingtorch"))


def _binned(work: Workload, samples: int) -> np.ndarray:
    """Input of each step, [step, sample, neuron], 1 where there is any spike."""
    x = np.zeros((work.steps, samples, work.net[work.net.inputs[0]].n), dtype=np.float32)
    for s, train in enumerate(work.trains[:samples]):
        x[np.minimum((train.times / T_REF).astype(int), work.steps - 1), s, train.senders] = 1.0
    return x


def coarse_runner(work: Workload, samples: int, cell: Callable[[float], Any]) -> Callable[[], Any]:
    """Function that runs the net of ``cell(tau in steps)`` and returns output spike counts."""
    import torch
    from torch.nn import functional

    net = work.net
    x = torch.from_numpy(_binned(work, samples))
    cells = {p.name: cell(TAU / T_REF) for p in net.populations if isinstance(p, es.Population)}
    weights = {
        id(link): torch.from_numpy(np.array(link.weight, dtype=np.float32))
        for link in net.projections
        if isinstance(link, (es.Dense, es.Conv2d))
    }
    shape = {p.name: p.shape for p in net.populations}

    def run() -> Any:
        total: Any = 0
        with torch.no_grad():
            for step in range(work.steps):
                spikes = x[step]
                for link in net.projections:
                    if isinstance(link, es.Dense):
                        charge = spikes.reshape(samples, -1) @ weights[id(link)]
                    elif isinstance(link, es.Conv2d):
                        image = spikes.reshape(samples, *shape[link.source])
                        charge = functional.conv2d(image, weights[id(link)], padding=link.padding)
                    elif isinstance(link, es.MaxPool2d):
                        spikes = functional.max_pool2d(spikes, link.kernel_size)
                        continue
                    else:
                        raise ValueError(f"{link.where}: no coarse form here")
                    spikes = cells[link.target](charge, init=step == 0)
                total = total + spikes
        return total

    return run


def coarse(work: Workload, samples: int) -> Contender:
    """Contender for a chain of layers; torch is held to one thread."""
    import torch
    from spikingtorch.layers import CoarseLIF

    torch.set_num_threads(1)
    runner = coarse_runner(work, samples, CoarseLIF)

    def run() -> None:
        runner()

    return Contender(f"spikingtorch CoarseLIF, batch {samples}", samples, run)
