"""The two models that can play: the coarse network step by step, and the continuous one exactly.

A backend carries many environments at once. Its state is a value: ``advance`` leaves the one it
is given as it was and returns another, so an environment can be tried again from any point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from eventsim.discrete.stepper import Stepper, StepperState
from eventsim.discretization import Discretization
from eventsim.errors import UnsupportedNetwork
from eventsim.network import Network
from eventsim.session import Session, Snapshot

__all__ = ["BACKENDS", "Backend", "Coarse", "Continuous", "Drive"]

Array = NDArray[Any]

#: Name -> what it runs.
BACKENDS = {
    "coarse": "the discrete twin, as it was trained",
    "continuous": "the exact simulation in continuous time",
}


class Drive:
    """Input of some environments during one environment step.

    Attributes
    ----------
    x : array of uint8 [environment, step, n]
        Spikes in steps.
    trains : list of (times, senders)
        The same spikes in continuous time, sorted, in seconds since the start of the episode.
    stops : array of float [environment]
        End of the environment step, in seconds since the start of the episode.
    """

    def __init__(self, x: Array, trains: Sequence[tuple[Array, Array]], stops: Array) -> None:
        self.x, self.trains, self.stops = x, trains, stops


class _Moment(NamedTuple):
    """A session's state, and the spikes of each output neuron until then."""

    snapshot: Snapshot
    counts: Array


class Backend(Protocol):
    """A network that carries its state from one environment step to the next."""

    timed: bool
    """Whether it needs spike times."""

    def start(self, n: int) -> Any:
        """State of ``n`` environments whose episode begins."""

    def restart(self, state: Any, rows: Array) -> Any:
        """The same, with the environments where ``rows`` is True at the beginning."""

    def take(self, state: Any, rows: Array) -> Any:
        """The state of some environments alone."""

    def advance(self, state: Any, drive: Drive) -> tuple[Array, Any]:
        """Spike counts [environment, n] of the output in this step, and the new state."""


class Coarse:
    """The discrete twin; its state is that of a :class:`~eventsim.discrete.stepper.Stepper`."""

    timed = False

    def __init__(self, net: Network, disc: Discretization, output: str) -> None:
        self._stepper, self._output = Stepper(net, disc), output

    def start(self, n: int) -> StepperState:
        return self._stepper.start(n)

    def restart(self, state: StepperState, rows: Array) -> StepperState:
        return self._stepper.restart(state, rows)

    def take(self, state: StepperState, rows: Array) -> StepperState:
        return state.take(rows)

    def advance(self, state: StepperState, drive: Drive) -> tuple[Array, StepperState]:
        spikes, state = self._stepper.advance(state, drive.x)
        return spikes[self._output].sum(axis=1, dtype=np.int64), state


class Continuous:
    """Sessions in continuous time; the state of an environment is a snapshot of one.

    Each place in the batch has a session, which need not go back to a snapshot that it has just
    given: so a snapshot is copied once in an environment step and not twice.
    """

    timed = True

    def __init__(self, net: Network, source: str, output: str) -> None:
        self._net, self._source, self._output = net, source, output
        self._places: list[tuple[Session, Snapshot]] = []
        session = self._session()
        self._rest = _Moment(session.snapshot(), session.counts[output])

    def start(self, n: int) -> tuple[_Moment, ...]:
        return (self._rest,) * n

    def restart(self, state: tuple[_Moment, ...], rows: Array) -> tuple[_Moment, ...]:
        return tuple(
            self._rest if again else moment for moment, again in zip(state, rows, strict=True)
        )

    def take(self, state: tuple[_Moment, ...], rows: Array) -> tuple[_Moment, ...]:
        return tuple(state[k] for k in np.arange(len(state))[rows])

    def advance(
        self, state: tuple[_Moment, ...], drive: Drive
    ) -> tuple[Array, tuple[_Moment, ...]]:
        while len(self._places) < len(state):
            session = self._session()
            self._places.append((session, session.snapshot()))
        counts, after = [], []
        for k, moment in enumerate(state):
            session, here = self._places[k]
            if here is not moment.snapshot:
                session.restore(moment.snapshot)
            session.inject(self._source, *drive.trains[k])
            if not session.run_until(float(drive.stops[k])):
                raise UnsupportedNetwork(f"SpikingPolicy: net: {session.result().stop_reason}")
            moved = _Moment(session.snapshot(), session.counts[self._output])
            self._places[k] = session, moved.snapshot
            counts.append(moved.counts - moment.counts)
            after.append(moved)
        return np.array(counts), tuple(after)

    def _session(self) -> Session:
        return self._net.session(record="counts")
