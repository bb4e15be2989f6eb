"""What reaches a layer, in order, with how potentials move from one arrival to the next.

Where every arrival reaches every neuron, its place in time and the factors of the motion before it
hold for the whole layer: they are worked out once, not once for each block of neurons.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.batch import Batch, merge
from eventsim.engine.lanes import DELTA, END, OP, PULSE, STEP_OP
from eventsim.jit import njit

__all__ = [
    "ARRIVAL",
    "CLEAR",
    "FRESH",
    "KIND",
    "STOP",
    "Sources",
    "arrivals",
    "delta_arrivals",
    "frees",
    "operations",
]

#: The populations whose spikes reach a layer, with the first row of their weights and their spread.
Sources = tuple[tuple[str, int, float], ...]

#: An arrival. From the one before it potentials move by ``v decay + drive gain``; among those of
#: one instant there is no motion.
ARRIVAL = np.dtype(
    [
        ("time", np.float64),
        ("decay", np.float64),
        ("gain", np.float64),
        ("row", np.int32),
        ("kind", np.int32),
    ]
)

#: More kinds than in :mod:`eventsim.engine.lanes`: the last pulse under way ends; the run ends.
#: FRESH is added to the kind of an instant's last arrival when afterwards the sum of pulses is to
#: be taken afresh.
CLEAR, STOP, FRESH = STEP_OP + 1, STEP_OP + 2, 8
KIND = FRESH - 1

#: After so many begins and ends of pulses their sum is taken afresh, which bounds what rounding
#: can leave in it.
REFRESH = 4096


def operations(
    sources: Sources, spikes: dict[str, Batch], steps: NDArray[np.void], bounds: NDArray[np.int64]
) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Everything that reaches a layer, by time and row in each sample; where samples begin.

    Those of ``steps`` begin at ``bounds``.
    """
    ops = np.zeros(len(steps), dtype=OP)
    ops["time"], ops["kind"] = steps["time"], STEP_OP
    ops["row"] = np.arange(len(steps)) - np.repeat(bounds[:-1], np.diff(bounds))
    for source, first, spread in sources:
        batch = spikes[source]
        arriving = np.empty(len(batch.times), dtype=OP)
        arriving["time"] = batch.times
        arriving["row"] = batch.senders + first
        arriving["kind"] = PULSE if spread > 0.0 else DELTA
        if ops.size:
            ops, bounds = merge(ops, bounds, arriving, batch.bounds)
        else:
            ops, bounds = arriving, batch.bounds
        if spread > 0.0:
            ending = arriving.copy()
            ending["time"] += spread
            ending["kind"] = END
            ops, bounds = merge(ops, bounds, ending, batch.bounds)
    return ops, bounds


@njit
def _listed(ops, bounds, t_start, t_stop):
    """Arrivals, where each sample begins, and the seconds since the arrival before."""
    n_samples = bounds.size - 1
    table, apart = np.empty(ops.size + n_samples, ARRIVAL), np.empty(ops.size + n_samples)
    begin = np.empty(n_samples + 1, np.int64)
    n = 0
    for sample in range(n_samples):
        begin[sample] = n
        last = t_start
        active, changes = 0, 0
        i, end = bounds[sample], bounds[sample + 1]
        while True:
            entry = table[n]
            if i == end or not ops[i].time < t_stop:
                entry.time, entry.row, entry.kind = t_stop, 0, STOP
                apart[n] = t_stop - last
                n += 1
                break
            now, kind = ops[i].time, ops[i].kind
            entry.time, entry.row = now, ops[i].row
            apart[n] = now - last
            last = now
            i += 1
            n += 1
            if kind == PULSE:
                active += 1
                changes += 1
            elif kind == END:
                active -= 1
                changes += 1
                if active == 0:
                    kind = CLEAR
                    changes = 0
            if changes >= REFRESH and (i == end or ops[i].time != now):
                kind += FRESH
                changes = 0
            entry.kind = kind
    begin[n_samples] = n
    return table[:n], begin, apart[:n]


@njit
def _listed_deltas(times, senders, first_row, bounds, t_start, t_stop):
    """As :func:`_listed`, where all that arrives are deltas of one source."""
    n_samples = bounds.size - 1
    table, apart = np.empty(times.size + n_samples, ARRIVAL), np.empty(times.size + n_samples)
    begin = np.empty(n_samples + 1, np.int64)
    n = 0
    for sample in range(n_samples):
        begin[sample] = n
        last = t_start
        for i in range(bounds[sample], bounds[sample + 1]):
            entry = table[n]
            entry.time, entry.row, entry.kind = times[i], first_row + senders[i], DELTA
            apart[n] = times[i] - last
            last = times[i]
            n += 1
        entry = table[n]
        entry.time, entry.row, entry.kind = t_stop, 0, STOP
        apart[n] = t_stop - last
        n += 1
    begin[n_samples] = n
    return table, begin, apart


def _move(table: NDArray[np.void], apart: NDArray[np.float64], tau: float, driven: bool) -> None:
    """Fill in how potentials move in ``apart`` seconds, which are used up."""
    if driven:
        table["gain"] = apart if tau == np.inf else -tau * np.expm1(apart / -tau)
    apart /= -tau
    np.exp(apart, out=apart)
    # A factor of zero would turn the minus infinity of refractory lanes into NaN.
    table["decay"] = np.maximum(apart, 1e-300, out=apart)


def arrivals(
    ops: NDArray[np.void],
    bounds: NDArray[np.int64],
    tau: float,
    t_start: float,
    t_stop: float,
    driven: bool,
) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Operations before ``t_stop`` of each sample, and a STOP; and where each sample begins.

    Gains are worked out only for a ``driven`` layer.
    """
    table, begin, apart = _listed(ops, bounds, t_start, t_stop)
    _move(table, apart, tau, driven)
    return table, begin


def delta_arrivals(
    batch: Batch, first_row: int, tau: float, t_start: float, t_stop: float
) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """As :func:`arrivals`, for a layer that gets nothing but deltas of one source."""
    table, begin, apart = _listed_deltas(
        batch.times, batch.senders, first_row, batch.bounds, t_start, t_stop
    )
    _move(table, apart, tau, False)
    return table, begin


@njit
def frees(ops, bounds, t_ref):
    """For each arrival the first one after the refractory period of a spike at its time."""
    found = np.empty(ops.size, np.int64)
    for sample in range(bounds.size - 1):
        end = bounds[sample + 1] - 1
        k = bounds[sample]
        for i in range(bounds[sample], end + 1):
            until = ops[i].time + t_ref
            while k < end and ops[k].time < until:
                k += 1
            found[i] = k
    return found
