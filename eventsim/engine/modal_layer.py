"""Layers with exponential receptors, as the layered engine takes them: all-to-all, not adaptive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.arrivals import Sources, operations
from eventsim.engine.batch import Batch, in_order
from eventsim.engine.compiled import compile_network
from eventsim.engine.dense_modes import BLOCK, run_dense_modes
from eventsim.engine.dense_receptor import run_dense_receptor
from eventsim.engine.layer import collect, sources_of
from eventsim.engine.modal_steps import DELTA, lay_out
from eventsim.network import Network
from eventsim.populations import Population
from eventsim.projections import Dense, Projection

__all__ = ["ModalLayer", "modal_layer", "why_not_modal"]

#: Other projections than all-to-all ones are written out when the weights are no more than this.
SMALL = 65_536


def why_not_modal(net: Network, p: Population) -> str | None:
    """Why a population with receptors or adaptation is none of these layers; None when it is."""
    if p.adapts:
        return f"population {p.name!r} adapts"
    for k, times in enumerate(p.receptor_times):
        if np.unique(times).size > 1:
            return f"population {p.name!r} has more than one tau_syn of receptor {k}"
    for link in net.projections:
        if link.target != p.name:
            continue
        if link.spread > 0.0:  # type: ignore[attr-defined]
            return f"population {p.name!r} has receptors and pulses"
        if not isinstance(link, Dense) and net[link.source].n * p.n > SMALL:
            return f"population {p.name!r} has receptors and is not reached all-to-all"
    return None


@dataclass(frozen=True)
class ModalLayer:
    """As kernels take them; currents of receptors are in volts per second."""

    sources: Sources
    units: NDArray[Any]
    modes: NDArray[Any]
    theta: NDArray[np.float64]  # of whole blocks
    weights: NDArray[np.float64]  # [block, row, lane], with a silent row after the others
    receptor: NDArray[np.int64]  # that each row reaches, or DELTA
    largest: NDArray[np.float64]  # weight of each row
    potential: float  # largest that occurs without input

    @property
    def one_receptor(self) -> bool:
        """Nothing but one receptor is reached."""
        return self.modes.shape[1] == 1 and not self.receptor.any()

    def spikes(
        self,
        spikes: dict[str, Batch],
        steps: NDArray[Any],
        step_at: NDArray[np.int64],
        interval: tuple[float, float],
        limit: int,
    ) -> Batch | None:
        """Spikes of the layer for all samples; None when there are more than ``limit``."""
        ops, pointer = operations(self.sources, spikes, steps, step_at)
        kernel = self._kernel(ops, pointer, steps, step_at, interval)
        out = collect(kernel, 4 * ops.size + 64 * self.units.size, limit)
        if out is None:
            return None
        times, senders, at = in_order(out, len(pointer) - 1, False)
        return Batch(times, senders, at[:-1])

    def _kernel(
        self,
        ops: NDArray[Any],
        pointer: NDArray[np.int64],
        step_rows: NDArray[Any],
        step_at: NDArray[np.int64],
        interval: tuple[float, float],
    ) -> Callable[[NDArray[Any]], int]:
        """What puts the spikes of a batch into a list: returns their number, FULL or STUCK."""
        if not (self.theta < np.inf).any():
            return lambda out: 0
        tau, changes = float(self.units["tau"][0]), np.abs(step_rows["value"])
        bias, gain = np.abs(self.units["bias"]).max(), np.abs(self.units["gain"]).max()
        drives = [
            bias + gain * changes[a:b].max(initial=0.0)
            for a, b in zip(step_at[:-1], step_at[1:], strict=True)
        ]
        steps = lay_out(
            ops,
            pointer,
            self.receptor,
            self.largest,
            tau,
            self.modes["tau"][0].copy(),
            self.potential,
            np.array(drives),
            *interval,
        )
        modes, table, t_start = self.modes.reshape(-1), self.weights, interval[0]
        if self.one_receptor and not changes.size and (tau < np.inf or bias == 0.0):
            return lambda out: run_dense_receptor(
                self.units, modes, self.theta, table, steps, t_start, out
            )
        return lambda out: run_dense_modes(
            self.units, modes, self.theta, table, steps, step_rows, step_at, t_start, out
        )


def _table(net: Network, links: Sequence[Projection], gain: NDArray[np.float64]) -> Any:
    """Weights [row, neuron], and the receptor of each row."""
    tables, receptors = [], []
    for link in links:
        source, target = net[link.source], net[link.target]
        if isinstance(link, Dense):
            table = np.asarray(link.weight, dtype=np.float64)
        else:
            rows = link.rows(source.shape, target.shape)
            table = np.zeros((source.n, target.n))
            sender = np.repeat(np.arange(source.n), np.diff(rows.indptr))
            np.add.at(table, (sender, rows.post), rows.weight)
        receptor = getattr(link, "receptor", None)
        tables.append(table if receptor is None else table * gain)
        receptors.append(np.full(source.n, DELTA if receptor is None else receptor))
    if not tables:
        return np.zeros((0, gain.size)), np.zeros(0, dtype=np.int64)
    return np.concatenate(tables), np.concatenate(receptors)


def modal_layer(net: Network, links: Sequence[Projection], units: NDArray[Any]) -> ModalLayer:
    """The layer of one population, from the projections into it and its units."""
    n, n_modes, at = units.size, units["n_modes"][0], units["mode_at"][0]
    all_modes = compile_network(net).modes
    assert all_modes is not None
    modes = all_modes[at : at + n * n_modes].reshape(n, n_modes).copy()
    modes["gain"] = 1.0
    table, receptor = _table(net, links, units["gain"])
    n_blocks = -(-n // BLOCK)
    wide = np.zeros((table.shape[0] + 1, n_blocks * BLOCK))
    wide[:-1, :n] = table
    theta = np.full(n_blocks * BLOCK, np.inf)
    theta[:n] = units["theta"]
    rest = np.where(np.isinf(units["tau"]), 0.0, units["tau"]) * units["bias"]
    high = np.where(theta[:n] < np.inf, theta[:n], 0.0)
    levels = np.abs([units["x"], units["reset"], high, rest]).sum(axis=0)
    return ModalLayer(
        sources_of(net, links),
        units,
        modes,
        theta,
        np.ascontiguousarray(wide.reshape(-1, n_blocks, BLOCK).transpose(1, 0, 2)),
        receptor.astype(np.int64),
        np.abs(table).max(axis=1, initial=0.0),
        float(levels.max()),
    )
