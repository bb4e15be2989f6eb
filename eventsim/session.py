"""A run that is fed and advanced piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.engine.driver import QueueRun
from eventsim.engine.poisson import Drives
from eventsim.errors import InvalidType
from eventsim.inputs import check_currents, check_record, check_record_v, check_spreads, check_train
from eventsim.network import Network
from eventsim.provenance import run_provenance
from eventsim.recording import Result

__all__ = ["DEFAULT_MAX_EVENTS", "Session", "Snapshot"]

#: Events (spikes, arrivals, ends of pulses) after which a run is taken for a runaway.
DEFAULT_MAX_EVENTS = 2_000_000_000


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The state of a session at time ``t``, for :meth:`Session.restore`.

    ``made_for`` tells which sessions it fits: those of the same network, start and records.
    """

    t: float
    made_for: Any
    state: Any

    def __repr__(self) -> str:
        return f"Snapshot(t={self.t:g} s)"


class Session:
    """Carry a network's state through time: inject spikes, run, look, go back.

    ``run_until(t)`` handles every instant before ``t`` and none at ``t``: a spike injected at
    ``t`` afterwards belongs to the instant ``t``. So a run in pieces gives the same bits as a run
    in one. Sessions use the queue engine.

    Parameters
    ----------
    net : Network
        What to run.
    t_start : float
        First instant, seconds.
    record : {"spikes", "counts"}
        Keep all spikes, or only their number (constant memory).
    record_v : mapping of str to list of int
        Neurons whose potential is recorded.
    currents : mapping of str to list of (time, neuron, value)
        Steps of external currents; more can follow with :meth:`inject_current`.
    max_events : int
        Budget of events (spikes, arrivals, ends of pulses) of the whole session.
    seed : int
        Of the Poisson populations.

    Examples
    --------
    >>> from eventsim import Dense, Input, Network, Population
    >>> net = Network([Input("in", 1), Population("out", 1, tau_mem=10e-3)],
    ...               [Dense("in", "out", weight=[[0.6]])])
    >>> session = net.session()
    >>> session.inject("in", times=[0.001, 0.002], senders=[0, 0])
    >>> session.run_until(0.0015)
    True
    >>> session.counts["out"]
    array([0])
    >>> session.run_until(0.01)
    True
    >>> session.result().spikes["out"].times
    array([0.002])
    """

    def __init__(
        self,
        net: Network,
        *,
        t_start: float = 0.0,
        record: str = "spikes",
        record_v: Mapping[str, Any] | None = None,
        currents: Mapping[str, Any] | None = None,
        max_events: int = DEFAULT_MAX_EVENTS,
        seed: int = 0,
    ) -> None:
        if not isinstance(net, Network):
            raise InvalidType(f"Session: net: expected a Network, got {type(net).__name__}")
        if not isinstance(record, str) or record not in ("spikes", "counts"):
            raise checks.fail("Session", "record", "'spikes' or 'counts'", repr(record))
        self.net = net
        self.t_start = checks.scalar("Session", "t_start", t_start)
        if self.t_start < 0:
            raise checks.fail("Session", "t_start", "a number >= 0", self.t_start)
        self.max_events = checks.whole("Session", "max_events", max_events, 1)
        self.seed = checks.whole("Session", "seed", seed, 0)
        self._log = record == "spikes"
        self._record_v = check_record_v(net, record_v)
        self._currents = check_currents(net, currents, self.t_start)
        self.reset()

    def reset(self) -> None:
        """Back to ``t_start``, without the spikes and currents that were injected."""
        self._run = QueueRun(
            self.net,
            self.t_start,
            keep=check_record(self.net, "spikes" if self._log else "counts"),
            record_v=self._record_v,
            currents=self._currents,
            drives=Drives(self.net, self.seed, 0, self.t_start),
        )

    @property
    def t(self) -> float:
        """Every instant before this time has been handled."""
        return self._run.t_reached

    def inject(self, name: str, times: ArrayLike, senders: ArrayLike) -> None:
        """Add spikes of the Input ``name``, none before :attr:`t`."""
        train = check_train(self.net, name, (times, senders), self.t)
        self._run.feed({name: train})

    def inject_current(self, name: str, steps: ArrayLike) -> None:
        """Add steps (time, neuron, value) of the external current, none before :attr:`t`."""
        self._run.step_currents(check_currents(self.net, {name: steps}, self.t))

    def run_until(self, t: float) -> bool:
        """Handle every instant before ``t``; False when the run had to stop early."""
        stop = checks.scalar("Session.run_until", "t", t)
        if stop == self.t:
            return True
        if stop < self.t:
            raise checks.fail("Session.run_until", "t", f"a time >= {self.t:g} s", stop)
        check_spreads(self.net, stop)
        return self._run.advance(stop, self.max_events)

    @property
    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Spikes of each unit since ``t_start``."""
        return self._run.counts()

    def snapshot(self) -> Snapshot:
        """The state as it is now, for :meth:`restore`; independent of what follows."""
        return Snapshot(self.t, self._made_for(), self._run.snapshot())

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot of this session; it can be restored any number of times.

        A snapshot of another session fits too if network, start and records are the same.
        """
        if not isinstance(snapshot, Snapshot):
            raise InvalidType(
                "Session.restore: snapshot: expected what snapshot() gave, "
                f"got {type(snapshot).__name__}"
            )
        if snapshot.made_for != self._made_for():
            raise checks.fail(
                "Session.restore",
                "snapshot",
                "one of a session with this network, start and records",
                "one of another session",
            )
        self._run.restore(snapshot.state)

    def _made_for(self) -> Any:
        recorded = {name: neurons.tolist() for name, neurons in self._record_v.items()}
        return self.net.fingerprint(), self.t_start, self._log, self.seed, recorded

    def result(self) -> Result:
        """Everything from ``t_start`` to now as a :class:`~eventsim.Result`."""
        run = self._run
        return Result(
            network=self.net,
            spikes=run.spikes(),
            counts=run.counts(),
            t_start=self.t_start,
            t_stop=run.t_reached,
            t_reached=run.t_reached,
            v=run.traces(),
            complete=run.stop_reason == "reached t_stop",
            stop_reason=run.stop_reason,
            n_events=run.n_events,
            engine="queue",
            provenance=run_provenance(self.net),
        )

    def __repr__(self) -> str:
        return f"Session({self.net!r}; at {self.t:g} s)"
