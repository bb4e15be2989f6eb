"""Layers that a spike reaches in part (convolution, sparse rows): what their kernels share.

Neurons are lanes of arrays, arranged so that what one spike reaches lies in few runs
(:mod:`eventsim.engine.runs`). Nothing decays from event to event: with :math:`s = e^{(t - t_0) /
\\tau}` a potential is kept as :math:`v s`, which arrivals change and time does not
(:mod:`eventsim.engine.patch_deltas`, and with drive :mod:`eventsim.engine.patch_driven`). So an
arrival touches its own lanes only, and one exponential serves the layer in an instant. A refractory
lane stands at minus infinity and waits on a wheel for the end of its period.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.jit import inlined, inner, maker

__all__ = [
    "BIAS",
    "GAIN",
    "HIGH",
    "HIT",
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
    "touch",
    "wait",
]

#: Potentials are brought to a new t_0 after so many time constants.
SPAN = 8.0

#: A pass returns the number of lanes at threshold times HIT plus the sum of their places.
HIT = 1 << 32

#: Lanes after the last, which the search for the last of some lanes may look at.
SPARE = 8


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
    uniform: bool  # one threshold for all
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
    n, longest = t_ref.size, t_ref.max()
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


@inlined
def accumulate(sums, weights, to, at, n):
    """Add a run of weights."""
    into, run = sums[to : to + n], weights[at : at + n]
    for j in range(n):
        into[j] += run[j]


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
