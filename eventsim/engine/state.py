"""The state of a run of the queue engine: arrays only, so it can be copied and resumed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.compiled import RELAY, CompiledNetwork
from eventsim.engine.heap import PENDING

__all__ = ["FEED", "LOG", "STEP", "State", "TRACE", "copy_state", "grow", "new_state"]

Records = NDArray[np.void]

#: Places in `State.control`: number of the instant, synaptic arrivals, all work (arrivals, ends of
#: pulses, spikes), entries of log and trace, input spikes and steps done, a unit that is stuck,
#: sizes of the two heaps and of this instant's list of deliveries, instants in a row at one time.
(
    INSTANT,
    EVENTS,
    WORK,
    N_LOG,
    N_TRACE,
    FED,
    STEPPED,
    BLAMED,
    N_INDEX,
    N_PENDING,
    N_ARRIVALS,
    N_SAME,
) = range(12)

LOG = np.dtype([("time", np.float64), ("unit", np.int64), ("times", np.int64)])
TRACE = np.dtype(
    [
        ("time", np.float64),
        ("unit", np.int64),
        ("x", np.float64),
        ("drive", np.float64),
        ("ref_until", np.float64),
    ]
)
#: Input spikes of all populations, by (time, unit).
FEED = np.dtype([("time", np.float64), ("unit", np.int64)])
#: Steps of external currents, by (time, unit).
STEP = np.dtype([("time", np.float64), ("unit", np.int64), ("value", np.float64)])


class State(NamedTuple):
    """All that changes during a run."""

    units: Records
    modes: Records | None
    populations: Records
    heap: NDArray[np.int64]  # units by the time of their own next event
    pending: Records  # heap of deliveries under way
    arrivals: Records  # deliveries of this instant
    order: NDArray[np.int64]  # their order, for one population
    touched: NDArray[np.int64]
    due: NDArray[np.int64]  # units whose own event this instant is
    heard: NDArray[np.int64]  # spikes of each source of a Relay
    reach: NDArray[np.int64]  # targets of a spike into a convolution, while they are walked
    log: Records
    trace: Records
    trace_modes: NDArray[np.float64]  # modes of the unit, for each entry of trace
    control: NDArray[np.int64]
    clock: NDArray[np.float64]  # time of the last instant


def new_state(
    net: CompiledNetwork,
    t_start: float,
    *,
    logged: NDArray[np.bool_],
    traced: NDArray[np.int64],
) -> State:
    """State at ``t_start``, with the populations that are logged and the units that are traced."""
    n = net.units.size
    units = net.units.copy()
    units["t_last"] = t_start
    units["traced"][traced] = True
    sizes = net.populations["stop"] - net.populations["offset"]
    heard = sum(
        sizes[link["source"]]
        for link in net.links
        if net.populations["kind"][link["target"]] == RELAY
    )
    populations = net.populations.copy()
    populations["logged"] = logged
    control = np.zeros(12, dtype=np.int64)
    control[BLAMED] = -1
    return State(
        units=units,
        modes=None if net.modes is None else net.modes.copy(),
        populations=populations,
        heap=np.zeros(n, dtype=np.int64),
        pending=np.zeros(64, dtype=PENDING),
        arrivals=np.zeros(64, dtype=PENDING),
        order=np.zeros(64, dtype=np.int64),
        touched=np.zeros(n, dtype=np.int64),
        due=np.zeros(n, dtype=np.int64),
        heard=np.zeros(heard, dtype=np.int64),
        reach=np.zeros((2, int(np.max(net.links["k_y"] * net.links["k_x"], initial=1))), np.int64),
        log=np.zeros(max(64, 4 * n) if logged.any() else 0, dtype=LOG),
        trace=np.zeros(64 * traced.size, dtype=TRACE),
        trace_modes=np.zeros((64 * traced.size, int(max(units["n_modes"][traced], default=0)))),
        control=control,
        clock=np.full(1, t_start),
    )


def room(n_units: int, fan: int, n_pending: int) -> tuple[int, int]:
    """Entries that the worst instant adds to `pending`, and puts into `arrivals`.

    In that instant every unit spikes, and everything under way arrives and leaves both a rest of
    its row and an end of its pulse.
    """
    arriving = n_pending + n_units * fan
    return n_units * fan + 2 * arriving, arriving


def grow(net: CompiledNetwork, state: State) -> State:
    """The same state with buffers large enough for the next instant, and spare room."""
    n = state.units.size
    fan = int(np.max(net.populations["out_stop"] - net.populations["out_first"]))
    n_pending = int(state.control[N_PENDING])
    more, arriving = room(n, fan, n_pending)

    def larger(buffer: NDArray, used: int, wanted: int) -> NDArray:
        if len(buffer) > used + wanted:
            return buffer
        new = np.zeros((2 * (used + wanted) + 64, *buffer.shape[1:]), dtype=buffer.dtype)
        new[:used] = buffer[:used]
        return new

    log, trace = state.log, state.trace
    return state._replace(
        pending=larger(state.pending, n_pending, more),
        arrivals=larger(state.arrivals, 0, arriving),
        order=larger(state.order, 0, arriving),
        log=larger(log, int(state.control[N_LOG]), n) if log.size else log,
        trace=larger(trace, int(state.control[N_TRACE]), n) if trace.size else trace,
        trace_modes=larger(state.trace_modes, int(state.control[N_TRACE]), n)
        if trace.size
        else state.trace_modes,
    )


def copy_state(state: State) -> State:
    """An independent copy, for snapshots."""
    arrays: Any = [None if array is None else array.copy() for array in state]
    return State(*arrays)
