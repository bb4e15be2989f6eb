r"""State of the scanning engine: membranes in closed form, and what is kept to prove them quiet.

The potential of a neuron above the one it rests at is a sum of exponentials,

.. math::
    v(t) - v_\infty = \sum_r X_r e^{-\rho_r (t - t_0)},

one for the membrane (row 0, :math:`\rho_0 = 1/\tau`) and one for each receptor
(:math:`\rho_k = 1/\tau_k`). An arrival of weight :math:`w` at receptor :math:`k` at :math:`t` is
two additions,

.. math::
    X_k \mathrel{+}= K_k w e^{\rho_k (t - t_0)}, \quad
    X_0 \mathrel{-}= K_k w e^{\rho_0 (t - t_0)}, \quad
    K_k = r \tau_k / (\tau_k - \tau),

and a delta one addition to row 0. So its exponentials are taken once for a spike, not once for
each target, and nothing decays: :math:`t_0`, the *frame*, is renewed every few time constants.
The sums are those of `eventsim.dynamics.exponentials`; the two terms of a receptor cancel where
its time constant comes near the membrane's, by the factor :math:`|K_k / r|`, which
`eventsim.engine.scan` bounds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.calendar import UNDER_WAY
from eventsim.engine.state import LOG

__all__ = ["ARRIVED", "Buffers", "CLOCK", "Cells", "SHARE", "Scan", "new_buffers"]

Floats = NDArray[np.float64]

#: How far a run has come.
CLOCK = np.dtype(
    [
        ("window", np.int64),  # the next one
        ("now", np.float64),  # its begin, once it is open
        ("frame", np.float64),  # t_0
        ("renew", np.int64),  # window in which the frame is renewed
        ("look", np.int64),  # window in which all neurons are looked at again
        ("every", np.int64),  # windows between two such looks
        ("until", np.float64),  # end of the time that `slack` is about
        ("events", np.int64),  # synaptic arrivals
        ("work", np.int64),  # arrivals and spikes
        ("effort", np.int64),  # the same and looks, in about nanoseconds
        ("searches", np.int64),  # for crossings
        ("n_watched", np.int64),
        ("n_log", np.int64),
        ("fed", np.int64),  # input spikes that are done
        ("stage", np.int64),  # of the window, see `eventsim.engine.scan_windows`
        ("n_sent", np.int64),  # spikes that wait to be sent on
        ("handled", np.int64),  # watched neurons that are done in this window
        ("spikes", np.int64),  # spikes of this window
        ("limit", np.int64),  # more of them are too many
        ("crowd", np.int64),  # room for arrivals that are drawn in a window
        ("crowded", np.int64),  # whether it was too little
        ("n_shares", np.int64),  # shares of this window
    ]
)

#: A segment that arrives in a window: what a unit of weight adds to its row and to row 0, and by
#: how much it can raise a potential within the window.
SHARE = np.dtype(
    [
        ("time", np.float64),
        ("first", np.float64),
        ("own", np.float64),
        ("raises", np.float64),
        ("row", np.int64),
    ]
)

#: An arrival at a neuron that is watched. ``next`` leads to the one after it, -1 ends.
ARRIVED = np.dtype([("weight", np.float64), ("share", np.int32), ("next", np.int32)])


class Cells(NamedTuple):
    """What does not change: of groups of neurons that share time constants, and of each unit."""

    first: NDArray[np.int64]  # [group] units
    stop: NDArray[np.int64]
    rows: NDArray[np.int64]  # [group] exponentials
    rate: Floats  # [group, row] 1/s; row 0 is the membrane
    scale: Floats  # [group, row] K of a receptor; 1 for row 0
    gain: Floats  # [group] V/s that a unit of current gives
    peak: Floats  # [group, row] largest response to a unit of drive, s
    row_of: NDArray[np.int64]  # [projection] row that it adds to; 0: a delta
    group_of: NDArray[np.int64]  # [projection] group of its target
    group: NDArray[np.int64]  # [unit] -1: no neuron
    theta: Floats  # [unit] threshold above the resting potential
    reset: Floats  # [unit]
    t_ref: Floats  # [unit]
    logged: NDArray[np.bool_]  # [unit]


class Buffers(NamedTuple):
    """What grows."""

    entries: NDArray[np.void]  # of the calendar
    log: NDArray[np.void]
    sent: NDArray[np.void]  # spikes that wait to be sent on: some at a time
    shares: NDArray[np.void]  # of the segments of a window
    arrived: NDArray[np.void]  # arrivals at watched neurons
    found: NDArray[np.void]  # segments of a window, and room to sort them
    other: NDArray[np.void]
    ends: NDArray[np.int64]


class Scan(NamedTuple):
    """What changes, beside buffers that grow."""

    clock: NDArray[np.void]  # one record
    x: Floats  # [row, unit], with room for a block at the end, as the next two
    high: Floats  # [unit] threshold, less a margin; infinite where no spike can be
    slack: Floats  # [unit] room below the threshold, at least, up to `until`; -inf: watched
    resume: Floats  # [unit] potential with which it comes out of refractoriness
    release: Floats  # [unit] when it does
    due: NDArray[np.int32]  # [window % size] first unit that is released there
    later: NDArray[np.int32]  # [unit] the next one of that window
    place: NDArray[np.int32]  # [unit] place among the watched, -1: none
    fired: NDArray[np.int64]  # [unit] spikes
    who: NDArray[np.int32]  # [watched] unit
    fine: Floats  # [watched] room below the threshold, at least, in this window
    since: Floats  # [watched] time up to which it has been followed
    near: Floats  # [watched, row] its rows then, if there are arrivals
    heads: NDArray[np.int32]  # [watched] first and last of its arrivals in this window; -1: none
    tails: NDArray[np.int32]
    fade: Floats  # [group, row] factors of one window: what is left of an exponential at its end
    bend: Floats  # [group, row] and how far it bends away from its chord
    begun: Floats  # [group, row] what is left of it at the begin of this window
    left: Floats  # [row] of a neuron that is followed: what is left at some instant
    to_end: Floats  # [2, row] what is left at the end of a look, and how far it bends
    modes: NDArray[np.void]  # room for a search


def new_buffers(entries: NDArray[np.void]) -> Buffers:
    """Small ones, and those of the calendar."""

    def some(kind: Any) -> NDArray[Any]:
        return np.zeros(1024, dtype=kind)

    return Buffers(
        entries=entries,
        log=some(LOG),
        sent=some(LOG),
        shares=some(SHARE),
        arrived=some(ARRIVED),
        found=some(UNDER_WAY),
        other=some(UNDER_WAY),
        ends=some(np.int64),
    )
