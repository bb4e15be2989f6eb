"""The same layers in NEURON with its artificial cells `IntFire1`, which are solved exactly.

NEURON handles arrivals one by one and tests after each of them, also those of one instant, in an
order of its own: a neuron behind the first layer, which hears many spikes at one instant, may
therefore fire where their sum would not. In the first layer spikes are the same.
"""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

import eventsim as es
from benchmarks.contender import Contender
from benchmarks.workloads import Workload

__all__ = ["NEEDS", "Layers", "available", "int_fire"]

NEEDS = "neuron"
ROUNDS = 3


def available() -> bool:
    """Whether NEURON is installed."""
    return importlib.util.find_spec("neuron") is not None


@dataclass
class _Recorded:
    times: Any
    senders: Any


class Layers:
    """All-to-all layers of delta neurons with threshold 1, reset 0 and no bias."""

    def __init__(self, net: es.Network) -> None:
        from neuron import h

        self._h = h
        cells = {p.name: [self._cell(p) for _ in range(p.n)] for p in net.populations}
        self._kept: list[Any] = [cells]  # what no Python object holds is removed from NEURON
        for link in net.projections:
            assert isinstance(link, es.Dense)
            targets = cells[link.target]
            for source, row in zip(cells[link.source], link.weight.tolist(), strict=True):
                for target, weight in zip(targets, row, strict=True):
                    self._kept.append(h.NetCon(source, target, 0.0, 0.0, weight))
        (name,) = net.inputs
        self._starts = [h.NetCon(None, cell, 0.0, 0.0, 2.0) for cell in cells[name]]
        self._recorded = {name: self._record(group) for name, group in cells.items()}
        self._solver = h.CVode()
        self._solver.active(1)

    def _cell(self, population: Any) -> Any:
        """A neuron, or a unit that passes on, at once, what is sent to it."""
        cell = self._h.IntFire1()
        cell.tau, cell.refrac = 1e9, 0.0
        if isinstance(population, es.Population):
            cell.tau, cell.refrac = 1e3 * population.tau_mem, 1e3 * population.t_ref
        return cell

    def _record(self, cells: list[Any]) -> _Recorded:
        seen = _Recorded(self._h.Vector(), self._h.Vector())
        for k, cell in enumerate(cells):
            watch = self._h.NetCon(cell, None)
            watch.record(seen.times, seen.senders, k)
            self._kept.append(watch)
        return seen

    def run(self, train: es.SpikeTrain, t_stop: float) -> float:
        """Run one sample from the start; CPU seconds without the hand-over of input spikes."""
        self._h.finitialize()
        times = (1e3 * train.times).tolist()
        for t, sender in zip(times, train.senders.tolist(), strict=True):
            self._starts[sender].event(t)
        began = time.process_time()
        self._solver.solve(1e3 * t_stop)
        return time.process_time() - began

    def spikes(self) -> dict[str, es.SpikeTrain]:
        """Spikes of the last run."""
        return {
            name: es.SpikeTrain.sorted(
                1e-3 * seen.times.as_numpy(), seen.senders.as_numpy().astype(np.int64)
            )
            for name, seen in self._recorded.items()
        }


def int_fire(work: Workload) -> Contender:
    """Contender that counts the solver alone; built once, before the first round."""
    layers = Layers(work.net)
    used = 0.0

    def run() -> None:
        nonlocal used
        used += layers.run(work.trains[0], work.t_stop)

    return Contender("NEURON IntFire1", 1, run, clock=lambda: used, rounds=ROUNDS)
