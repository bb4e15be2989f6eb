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
from eventsim.vectors import BLOCK, at_least, first_lane, load, splat

__all__ = [
    "ARRIVAL",
    "CLEAR",
    "DELTA_ARRIVAL",
    "FRESH",
    "KIND",
    "STOP",
    "Sources",
    "arrivals",
    "delta_arrivals",
    "frees",
    "operations",
    "pulse_arrivals",
    "returns",
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

#: A delta where there is nothing else. Neurons are tested after the last of an instant, whose mask
#: is -1; that of others is 0.
DELTA_ARRIVAL = np.dtype([("decay", np.float64), ("row", np.int32), ("last", np.int32)])

#: More kinds than in :mod:`eventsim.engine.lanes`: the last pulse under way ends; the run ends.
#: FRESH is added to the kind of an instant's last arrival when afterwards the sum of pulses is to
#: be taken afresh.
CLEAR, STOP, FRESH = STEP_OP + 1, STEP_OP + 2, 8
KIND = FRESH - 1

#: After so many begins and ends of pulses their sum is taken afresh, which bounds what rounding
#: can leave in it.
REFRESH = 4096

#: A factor of zero would turn the minus infinity of refractory lanes into NaN.
LEAST = 1e-300

#: Arrivals for which the end of a refractory period is looked up from one guess.
GROUP = 8


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
def _listed_pulses(times, rows, bounds, spread, t_start, t_stop):
    """As :func:`_listed`, of pulses equally wide and their ends, which come in the same order."""
    n_samples = bounds.size - 1
    table = np.empty(2 * times.size + n_samples, ARRIVAL)
    apart, begin = np.empty(table.size), np.empty(n_samples + 1, np.int64)
    n = 0
    for sample in range(n_samples):
        begin[sample] = n
        last = t_start
        active, changes = 0, 0
        i, end = bounds[sample], bounds[sample + 1]
        j = i  # the pulse that ends next
        while True:
            starts = times[i] if i < end else np.inf
            ends = times[j] + spread if j < end else np.inf
            now = min(starts, ends)
            if changes >= REFRESH and now != last:
                table[n - 1].kind += FRESH
                changes = 0
            entry = table[n]
            if not now < t_stop:
                entry.time, entry.row, entry.kind = t_stop, 0, STOP
                apart[n] = t_stop - last
                n += 1
                break
            # Of an instant rows ascend, and of a row the end comes first.
            ending = ends < starts or (ends == starts and rows[j] <= rows[i])
            entry.time, entry.row = now, rows[j if ending else i]
            entry.kind = END if ending else PULSE
            apart[n] = now - last
            last = now
            n += 1
            i, j = i + (not ending), j + ending
            active += -1 if ending else 1
            changes += 1
            if ending and active == 0:
                entry.kind = CLEAR
                changes = 0
    begin[n_samples] = n
    return table[:n], begin, apart[:n]


@njit
def _fill(table, decays, gains, scale):
    for i in range(table.size):
        entry = table[i]
        entry.decay = max(decays[i], LEAST)
        if gains.size > 0:
            entry.gain = scale * gains[i]


def _move(table: NDArray[np.void], apart: NDArray[np.float64], tau: float, driven: bool) -> None:
    """Fill in how potentials move in ``apart`` seconds, which are used up."""
    gains, scale = np.zeros(0), 1.0
    if driven and tau == np.inf:
        gains = apart.copy()
    apart /= -tau
    if driven and tau < np.inf:
        gains, scale = np.expm1(apart), -tau
    _fill(table, np.exp(apart, out=apart), gains, scale)


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


def pulse_arrivals(
    pulses: Batch, spread: float, tau: float, t_start: float, t_stop: float
) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """As :func:`arrivals` of the :func:`operations` of one source of pulses, in one go."""
    table, begin, apart = _listed_pulses(
        pulses.times, pulses.senders, pulses.bounds, spread, t_start, t_stop
    )
    _move(table, apart, tau, True)
    return table, begin


@njit
def _exponents(times, bounds, tau, t_start):
    """Of the decay from one arrival to the next."""
    exponents = np.empty(times.size)
    for sample in range(bounds.size - 1):
        last = t_start
        for i in range(bounds[sample], bounds[sample + 1]):
            exponents[i] = (times[i] - last) / -tau
            last = times[i]
    return exponents


@njit
def _deltas(times, rows, bounds, decays):
    table = np.empty(times.size, DELTA_ARRIVAL)
    for i in range(times.size):
        entry = table[i]
        entry.decay, entry.row = max(decays[i], LEAST), rows[i]
        entry.last = -np.int32(i + 1 == times.size or times[i + 1] != times[i])
    for sample in range(bounds.size - 1):
        if bounds[sample] < bounds[sample + 1]:
            table[bounds[sample + 1] - 1].last = np.int32(-1)
    return table


def delta_arrivals(batch: Batch, tau: float, t_start: float) -> NDArray[np.void]:
    """Arrivals of deltas, whose rows of weights are the senders of a batch."""
    decays = _exponents(batch.times, batch.bounds, tau, t_start)
    np.exp(decays, out=decays)
    return _deltas(batch.times, batch.senders, batch.bounds, decays)


@njit
def _early(times, bounds, free, t_ref, tau):
    """How long before it decays a neuron is put back, over its time constant."""
    early = np.zeros(times.size)
    for sample in range(bounds.size - 1):
        end = bounds[sample + 1]
        for i in range(bounds[sample], end):
            if free[i] < end:
                before = times[np.uint64(free[i] - 1)]
                early[i] = max(times[i] + t_ref - before, 0.0) / tau
    return early


def returns(
    times: NDArray[np.float64],
    bounds: NDArray[np.int64],
    free: NDArray[np.int32],
    t_ref: float,
    tau: float,
) -> NDArray[np.float64]:
    """Factors by which what a neuron is reset to is multiplied when it is put back.

    After a spike at arrival ``i`` a neuron stands at its reset up to the end of its period, and
    then decays. It is put back just after the arrival before ``free[i]``, as if it decayed from
    there on.
    """
    early = _early(times, bounds, free, t_ref, tau)
    return np.exp(early, out=early)


@njit
def frees(times, bounds, t_ref):
    """For each arrival a later one: the first after the refractory period of a spike at its time.

    Where there is none it is the end of the sample. The lanes of a block are so many times that
    follow each other, and the first that is late enough is found at once.
    """
    ahead = np.full(times.size + BLOCK, np.inf)
    for i in range(times.size):  # as a slice it would compile numba's message for wrong shapes
        ahead[i] = times[i]
    found = np.empty(times.size, np.int32)
    for sample in range(bounds.size - 1):
        k, end = bounds[sample], bounds[sample + 1]
        for group in range(bounds[sample], end, GROUP):
            guess, near = k, load(ahead, k)
            for i in range(group, min(group + GROUP, end)):
                until = ahead[np.uint64(i)] + t_ref
                late = at_least(near, splat(until))
                if late != 0:
                    k = guess + first_lane(late)
                else:
                    k = guess + BLOCK
                    while k < end and ahead[np.uint64(k)] < until:
                        k += 1
                k = max(min(k, end), i + 1)
                found[np.uint64(i)] = k
    return found
