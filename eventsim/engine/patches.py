"""Layers that a spike reaches in part (convolution, sparse rows): what their kernels share.

Neurons are lanes of arrays, arranged so that what one spike reaches lies in few runs
(:mod:`eventsim.engine.lane_runs`). Nothing decays from event to event: with
:math:`s = e^{(t - t_0) / \\tau}` a potential is kept as :math:`v s`, which arrivals change and time
does not (:mod:`eventsim.engine.patch_deltas`, and with drive
:mod:`eventsim.engine.patch_driven`). So an arrival touches its own lanes only, and one exponential
serves the layer in an instant. A refractory lane stands at minus infinity and waits on a wheel for
the end of its period.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.jit import inlined, inner, maker
from eventsim.vectors import BLOCK, add, blend, load, store

__all__ = [
    "BIAS",
    "BITS",
    "GAIN",
    "HIGH",
    "LINES",
    "LOW",
    "Lanes",
    "RESET",
    "SPAN",
    "SPARE",
    "START",
    "THETA",
    "T_REF",
    "Wheel",
    "accumulate",
    "clear",
    "due",
    "new_wheel",
    "on_lines",
    "some",
    "touch",
    "wait",
]

#: Potentials are brought to a new t_0 after so many time constants.
SPAN = 8.0

#: Lanes after the last, which vector loops may look at, as they take whole blocks.
SPARE = BLOCK

#: The lanes of a block at threshold are bits of an integer; above them stands the first lane.
BITS = (1 << BLOCK) - 1


#: Rows of `Lanes.values`: parameters of a lane.
THETA, RESET, T_REF, START, BIAS, GAIN = range(6)


class Lanes(NamedTuple):
    """Parameters of a layer, in the order of lanes; those of the record are the same for all.

    Few arrays with many rows, because to pass an array to a function takes seven words.
    """

    values: NDArray[np.float64]  # [parameter, lane], with SPARE lanes that never spike
    unit_of: NDArray[np.int32]
    record: NDArray[Any]  # one entry of UNIT
    tau: float
    uniform: bool  # threshold, reset and refractory period are the same for all
    plain: bool  # reset to a value


#: Places on the wheel for one refractory period, the longest.
PLACES = 256


class Wheel(NamedTuple):
    """Refractory lanes by the end of their period, in a ring of lists: a timing wheel.

    Order within a place does not matter, and a lane is put and taken in constant time, also where
    crossings are not found in their order.
    """

    until: NDArray[np.float64]
    links: NDArray[np.int64]  # next lane in the list, of each lane and then of each place; -1: none
    clock: NDArray[np.int64]  # place reached, lanes on the wheel
    pace: float  # places a second
    origin: float


#: Rows of what the deltas of an instant reach: in each line from LOW to HIGH (0: nothing); LINES
#: lists those lines.
LOW, HIGH, LINES = range(3)


@maker
def new_wheel(t_ref, origin):
    """An empty wheel."""
    n, longest = t_ref.size, 0.0
    for t in t_ref:
        longest = max(longest, t)
    links, clock = np.empty(n + 2 * PLACES, np.int64), np.zeros(2, np.int64)
    # The bound keeps places within integers; then more lanes share a place.
    return Wheel(np.empty(n), links, clock, min(PLACES / max(longest, 1e-300), 1e9), origin)


@inner
def clear(wheel):
    """Take all lanes away."""
    wheel.links[:] = -1
    wheel.clock[:] = 0


@inner
def wait(wheel, time, lane):
    """Put a lane on the wheel."""
    place = np.int64((time - wheel.origin) * wheel.pace) & (2 * PLACES - 1)
    head = np.uintp(wheel.until.size + place)
    wheel.until[np.uintp(lane)] = time
    wheel.links[np.uintp(lane)] = wheel.links[head]
    wheel.links[head] = lane
    wheel.clock[1] += 1


@inner
def due(wheel, now):
    """Take a lane that is released by ``now``; -1: there is none."""
    last = np.int64((now - wheel.origin) * wheel.pace)
    while wheel.clock[1] > 0:
        at = np.uintp(wheel.until.size + (wheel.clock[0] & (2 * PLACES - 1)))
        lane = wheel.links[at]
        while lane >= 0:
            if wheel.until[np.uintp(lane)] <= now:
                wheel.links[at] = wheel.links[np.uintp(lane)]
                wheel.clock[1] -= 1
                return lane
            at = np.uintp(lane)
            lane = wheel.links[at]
        if wheel.clock[0] >= last:
            return lane
        wheel.clock[0] += 1
    wheel.clock[0] = last
    return np.int64(-1)


@maker
def on_lines(n):
    """So many numbers, not set yet, where a cache line begins."""
    room = np.empty(n + 8)
    first = np.int64(-room.ctypes.data % 64 // 8)
    return room[first : first + n]


@inlined
def some(n, a, b):
    """``a`` in the first ``n`` lanes of a block, and ``b`` in the others."""
    return a if n >= BLOCK else blend((1 << n) - 1, a, b)


@inlined
def accumulate(sums, weights, to, at, n):
    """Add a run of weights."""
    for j in range(0, n, BLOCK):
        before = load(sums, to + j)
        after = add(before, load(weights, at + j))
        store(sums, to + j, some(n - j, after, before))


@inlined
def touch(touched, n_touched, line, begin, stop):
    """Note that lanes of a line are reached; the number of such lines."""
    if touched[HIGH, line] == 0:
        touched[LINES, n_touched] = line
        n_touched += 1
        touched[LOW, line] = begin
        touched[HIGH, line] = stop
    else:
        touched[LOW, line] = min(touched[LOW, line], begin)
        touched[HIGH, line] = max(touched[HIGH, line], stop)
    return n_touched
