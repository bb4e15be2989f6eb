"""The limit of this machine for a recurrent network: weights added where synapses lead.

Each spike that the exact run has is one pass ``v[post] += w``, ``v[post] >= theta`` over its row
of synapses, in the tables that engines use (:mod:`eventsim.engine.synapses`): no queue, no spikes,
no delays, no draws. Spikes of Poisson sources come in random order.

Where there are exponential currents, every neuron is moved on once in each window of the shortest
delay, ``v = a v + b I``, ``I = d I``, and compared: what a simulator on a grid of that delay
does at least. It is a yardstick, no bound: an engine that proves that a neuron will not fire can
leave it where it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from benchmarks.contender import Contender
from benchmarks.workloads import Workload
from eventsim.engine.synapses import Synapses, synapses
from eventsim.jit import njit

__all__ = ["scatter"]


@njit
def _add(senders, row, first, post, weight, v, theta):
    high = 0
    for k in range(senders.size):
        unit = senders[k]
        for s in range(first[row[unit]], first[row[unit + 1]]):
            x = v[post[s]] + weight[s]
            v[post[s]] = x
            high += x >= theta
    return high


@njit
def _move(v, currents, decay, gains, fades, theta, windows):
    high = 0
    for _ in range(windows):
        for i in range(v.size):
            v[i] *= decay
        for k in range(currents.shape[0]):
            for i in range(v.size):
                v[i] += gains[k] * currents[k, i]
                currents[k, i] *= fades[k]
        for i in range(v.size):
            high += v[i] >= theta
    return high


def _senders(work: Workload, shortest: float) -> NDArray[np.int64]:
    """Source units of spikes that arrive, numbered through the network; from outside first.

    Of neurons' spikes those that not even the shortest delay brings to an arrival are left out;
    of sources outside only numbers are known, and all count.
    """
    result = es.simulate(work.net, work.inputs(1), work.t_stop)
    one = result[0] if isinstance(result, es.Results) else result
    offsets = np.cumsum([0, *(p.n for p in work.net.populations)])
    driven, own, times = [], [], []
    for p, first in zip(work.net.populations, offsets, strict=False):
        if isinstance(p, es.Input):
            driven.append(first + np.repeat(np.arange(p.n), one.counts[p.name]))
        else:
            train = one.spikes[p.name]
            arriving = train.times + shortest < work.t_stop
            own.append(first + train.senders[arriving])
            times.append(train.times[arriving])
    outside = np.random.default_rng(0).permutation(np.concatenate([*driven, np.zeros(0, int)]))
    return np.concatenate([outside, np.concatenate(own)[np.argsort(np.concatenate(times))]])


def _handled(table: Synapses, senders: NDArray[np.int64]) -> int:
    """Synaptic events of these spikes."""
    return int((table.first[table.row[senders + 1]] - table.first[table.row[senders]]).sum())


def scatter(work: Workload) -> Contender:
    """Contender for a recurrent network; the exact run that it needs comes first."""
    shortest = min(link.min_delay for link in work.net.projections if link.min_delay > 0.0)
    senders, table = _senders(work, shortest), synapses(work.net)
    v = np.zeros(sum(p.n for p in work.net.populations))
    cells = [p for p in work.net.populations if isinstance(p, es.Population)]
    receptors = max(p.n_receptors for p in cells)
    moved = np.zeros(sum(p.n for p in cells))
    currents = np.zeros((receptors, moved.size))
    windows = round(work.t_stop / shortest) if receptors else 0
    gains, fades = np.full(receptors, 1e-3), np.full(receptors, 0.99)

    def run() -> int:
        v[:] = 0.0
        _add(senders, table.row, table.first, table.post, table.weight, v, 1e300)
        moved[:] = 0.0
        currents[:] = 1.0
        _move(moved, currents, 0.999, gains, fades, 1e300, windows)
        return _handled(table, senders)

    return Contender("scatter roofline", 1, run)
