"""A spiking network that plays: observations in, actions out, its state carried in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.discretization import Discretization
from eventsim.encode import encode, to_spike_trains
from eventsim.errors import InvalidType, UnsupportedNetwork
from eventsim.gym.backends import BACKENDS, Backend, Coarse, Continuous, Drive
from eventsim.gym.coding import PopulationCode, Votes
from eventsim.network import Network
from eventsim.recording import SpikeTrain

__all__ = ["PolicyState", "SpikingPolicy"]

Array = NDArray[Any]
WHERE = "SpikingPolicy"

# Beside the streams of eventsim.encode: which action is drawn.
_ACTION = 2


@dataclass(frozen=True, eq=False)
class PolicyState:
    """What a policy carries from one environment step to the next, for each environment.

    Attributes
    ----------
    network : object
        State of the network: potentials and spikes of the discrete twin, or snapshots of the
        continuous session.
    stream, episode, step : array of int [environment]
        What keys the random numbers of the environment's next step: its own number, its episodes
        before this one, and the steps of this one so far.
    """

    network: Any
    stream: NDArray[np.int64]
    episode: NDArray[np.int64]
    step: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of environments."""
        return len(self.stream)


class SpikingPolicy:
    """A network with encoder and decoder, played in steps or in continuous time.

    An environment step lasts ``disc.steps`` steps of the network. The code turns the observation
    into intensities, ``disc.encoder`` turns these into input spikes, and the votes of the output
    neurons in this time give the action. The network is not reset between environment steps,
    only at the start of an episode.

    Both backends get the same input spikes. In continuous time each arrives at a time drawn
    uniformly in its step.

    Parameters
    ----------
    net : Network
        With one Input of ``code.n`` units and one output of ``votes.n`` neurons.
    disc : Discretization
        Rules, length and number of steps; encoder ``"bernoulli"`` or ``"periodic"``.
    code : PopulationCode
        Observation to intensities.
    votes : Votes
        Spike counts to action.
    backend : {"coarse", "continuous"}
        Which model plays. Default the coarse one, as it was trained.
    spread : float, optional
        Width of the pulses in continuous time, in seconds; 0: deltas. Default ``disc.spread``.
    jitter : float
        Part of the step over which input spikes spread in continuous time, 0 to 1.
    seed : int
        Seed, >= 0, of input spikes, of their times, and of actions that are drawn. What is drawn
        depends on the seed and on environment, episode and step alone.
    environment : str, optional
        Id of the environment that it was made for, such as ``"CartPole-v1"``.

    Raises
    ------
    InvalidValue, InvalidType, UnsupportedNetwork
        Parts that do not fit together, or an argument of the wrong type or range.

    Examples
    --------
    Two observations, each seen by three neurons; the output is to say which is larger.

    >>> from eventsim import Dense, Input, Population
    >>> net = Network(
    ...     [Input("in", 6), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...     [Dense("in", "out", [[0, 1], [0, 0], [1, 0], [1, 0], [0, 0], [0, 1]])])
    >>> policy = SpikingPolicy(
    ...     net, Discretization(dt=1e-3, steps=8), PopulationCode([0, 0], [1, 1], 3), Votes(2))
    >>> action, state = policy.predict([[0.9, 0.1], [0.1, 0.9]], episode_start=[True, True])
    >>> action
    array([0, 1])
    >>> action, state = policy.predict([[0.2, 0.8], [0.1, 0.9]], state)
    >>> action
    array([1, 1])
    >>> exact = policy.replace(backend="continuous")
    >>> action, state = exact.predict([0.9, 0.1])
    >>> int(action)
    0
    """

    def __init__(
        self,
        net: Network,
        disc: Discretization,
        code: PopulationCode,
        votes: Votes,
        *,
        backend: str = "coarse",
        spread: float | None = None,
        jitter: float = 1.0,
        seed: int = 0,
        environment: str | None = None,
    ) -> None:
        for field, value, kind in (
            ("net", net, Network),
            ("disc", disc, Discretization),
            ("code", code, PopulationCode),
            ("votes", votes, Votes),
        ):
            if not isinstance(value, kind):
                raise InvalidType(
                    f"{WHERE}: {field}: expected a {kind.__name__}, got {type(value).__name__}"
                )
        if backend not in BACKENDS:
            raise checks.fail(WHERE, "backend", f"one of {list(BACKENDS)}", repr(backend))
        if environment is not None and not isinstance(environment, str):
            raise InvalidType(f"{WHERE}: environment: expected an id, got {environment!r}")
        self.source, self.output = _ends(net, disc, code, votes)
        self.disc, self.code, self.votes = disc, code, votes
        self.backend, self.environment = backend, environment
        self.seed = checks.whole(WHERE, "seed", seed, 0)
        self.jitter = checks.scalar(WHERE, "jitter", jitter)
        if not 0.0 <= self.jitter <= 1.0:
            raise checks.fail(WHERE, "jitter", "a number from 0 to 1", jitter)
        self.spread = disc.spread if spread is None else checks.scalar(WHERE, "spread", spread)
        self.net = net.with_spread(self.spread)
        self._player: Backend = (
            Coarse(self.net, disc, self.output)
            if backend == "coarse"
            else Continuous(self.net, self.source, self.output)
        )

    def replace(self, **changes: Any) -> SpikingPolicy:
        """The same policy with some arguments changed, such as ``backend`` or ``seed``."""
        arguments: dict[str, Any] = {
            "net": self.net,
            "disc": self.disc,
            "code": self.code,
            "votes": self.votes,
            "backend": self.backend,
            "spread": self.spread,
            "jitter": self.jitter,
            "seed": self.seed,
            "environment": self.environment,
        }
        unknown = sorted(set(changes) - set(arguments))
        if unknown:
            raise checks.fail(WHERE, "replace", f"some of {list(arguments)}", unknown)
        return SpikingPolicy(**{**arguments, **changes})

    @property
    def duration(self) -> float:
        """Time of the network that one environment step takes, in seconds."""
        return self.disc.duration

    def start(self, streams: ArrayLike | int) -> PolicyState:
        """State at the start of an episode, for so many environments or for these numbers."""
        numbers = np.arange(streams) if isinstance(streams, int | np.integer) else streams
        ids = checks.index_array(WHERE, "streams", numbers)
        if not ids.size:
            raise checks.fail(WHERE, "streams", "at least one environment", 0)
        nothing = np.zeros(ids.size, dtype=np.int64)
        return PolicyState(self._player.start(ids.size), ids, nothing, nothing)

    def take(self, state: PolicyState, rows: ArrayLike) -> PolicyState:
        """The state of some environments: those of these indices, or where a mask is True."""
        chosen = np.asarray(rows)
        return PolicyState(
            self._player.take(state.network, chosen),
            state.stream[chosen],
            state.episode[chosen],
            state.step[chosen],
        )

    def predict(
        self,
        observation: ArrayLike,
        state: PolicyState | None = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[Any, PolicyState]:
        """Actions for observations, in the form that stable-baselines3 uses.

        Parameters
        ----------
        observation : array [environment, quantity] or [quantity]
            Observations of several environments, or of one.
        state : PolicyState, optional
            From the call before. Default: all environments begin an episode.
        episode_start : array of bool [environment], optional
            Environments whose episode begins with this observation: their network starts anew.
        deterministic : bool
            True: the action of most votes, ties to the lowest. False: an action drawn with the
            probabilities of the votes. (With the Bernoulli encoder the input spikes are random
            in any case, but the same for the same seed.)

        Returns
        -------
        action : array of int64 [environment], or one number for one observation
        state : PolicyState
            For the next call. The one that was given can be used again.

        Raises
        ------
        InvalidValue, InvalidType
            Observations that do not fit the code or the state.
        UnsupportedNetwork
            The continuous network ran away.
        """
        votes, state = self.advance(observation, state, episode_start)
        actions = self.act(votes, state, deterministic)
        return (actions[0] if np.ndim(observation) == 1 else actions), state

    def act(
        self, votes: Array, state: PolicyState, deterministic: bool = True
    ) -> NDArray[np.int64]:
        """Actions of votes that :meth:`advance` gave with this state."""
        return self.votes.choose(votes) if deterministic else self._drawn(votes, state)

    def advance(
        self,
        observation: ArrayLike,
        state: PolicyState | None = None,
        episode_start: ArrayLike | None = None,
    ) -> tuple[NDArray[np.int64], PolicyState]:
        """As :meth:`predict`, but the votes [environment, action] instead of the actions."""
        seen = np.asarray(observation)
        intensities = self.code.intensities(seen[None] if seen.ndim == 1 else seen)
        if state is None:
            state = self.start(len(intensities))
        if not isinstance(state, PolicyState):
            raise InvalidType(f"{WHERE}: state: expected a PolicyState, got {type(state).__name__}")
        if len(state) != len(intensities):
            raise checks.fail(
                WHERE, "observation", f"those of {len(state)} environments", len(intensities)
            )
        if episode_start is not None:
            state = self._restarted(state, episode_start)
        drive = self.drive(intensities, state.stream, state.episode, state.step)
        counts, network = self._player.advance(state.network, drive)
        after = PolicyState(network, state.stream, state.episode, state.step + 1)
        return self.votes.count(counts), after

    def drive(self, intensities: Array, stream: Array, episode: Array, step: Array) -> Drive:
        """Input spikes of an environment step, for each environment with its own numbers."""
        n, steps, dt = len(intensities), self.disc.steps, self.disc.dt
        x = np.zeros((n, steps, self.code.n), dtype=np.uint8)
        trains: list[tuple[Array, Array]] = [(np.zeros(0), np.zeros(0, dtype=np.int64))] * n
        # Environments in the same step of their episode are encoded together.
        pairs, group = np.unique(np.stack([episode, step]), axis=1, return_inverse=True)
        for k, (count, at) in enumerate(pairs.T):
            rows = np.flatnonzero(group.ravel() == k)
            seed = (self.seed, int(count), int(at))
            ids = stream[rows]
            x[rows] = encode(intensities[rows], self.disc, seed=seed, sample_ids=ids)
            if self._player.timed:
                inside = to_spike_trains(x[rows], dt, self.jitter, seed, ids)
                for row, train in zip(rows, inside, strict=True):
                    trains[row] = self._moved(train, int(at))
        return Drive(x, trains, (step + 1) * steps * dt)

    def _moved(self, train: SpikeTrain, step: int) -> tuple[Array, Array]:
        """A train of one environment step, at its place in the episode."""
        start, stop = (k * self.disc.steps * self.disc.dt for k in (step, step + 1))
        # Rounding must not carry a spike into the next environment step, nor change the order.
        times = np.clip(train.times + start, start, np.nextafter(stop, -np.inf))
        order = np.lexsort((train.senders, times))
        return times[order], train.senders[order]

    def _restarted(self, state: PolicyState, episode_start: ArrayLike) -> PolicyState:
        begins = np.asarray(episode_start)
        if begins.dtype != bool or begins.shape != (len(state),):
            raise checks.fail(
                WHERE, "episode_start", f"{len(state)} of True and False", episode_start
            )
        # A state that has not been used is at the start of its episode already.
        again = begins & (state.step > 0)
        if not again.any():
            return state
        return PolicyState(
            self._player.restart(state.network, again),
            state.stream,
            state.episode + again,
            np.where(again, 0, state.step),
        )

    def _drawn(self, votes: Array, state: PolicyState) -> NDArray[np.int64]:
        """Actions with the probabilities of the votes; ``state`` is that after the step."""
        shares = np.cumsum(self.votes.probabilities(votes), axis=1)
        keys = zip(state.stream, state.episode, state.step - 1, strict=True)
        draws = [
            np.random.Generator(
                np.random.PCG64(
                    np.random.SeedSequence(
                        [self.seed, int(episode), int(step)], spawn_key=(_ACTION, int(stream))
                    )
                )
            ).random()
            for stream, episode, step in keys
        ]
        # The last share may be rounded to below 1.
        chosen = (shares <= np.array(draws)[:, None]).sum(axis=1)
        return np.minimum(chosen, self.votes.actions - 1).astype(np.int64)

    def __repr__(self) -> str:
        layers = " -> ".join(f"{name} {self.net[name].n}" for name in self.net.order)
        return f"SpikingPolicy({layers}; {self.backend}, {self.disc.steps} steps an action)"


def _ends(
    net: Network, disc: Discretization, code: PopulationCode, votes: Votes
) -> tuple[str, str]:
    """Names of the input and of the output, which fit code and decoder."""
    disc.known_steps(WHERE)
    if disc.encoder == "constant":
        raise checks.fail(WHERE, "disc.encoder", "'bernoulli' or 'periodic'", "'constant'")
    ends = []
    for kind, names, n, partner in (
        ("Input", net.inputs, code.n, "code"),
        ("output", net.outputs, votes.n, "votes"),
    ):
        if len(names) != 1:
            raise UnsupportedNetwork(f"{WHERE}: net: expected one {kind}, got {list(names)}")
        if net[names[0]].n != n:
            raise checks.fail(
                WHERE, f"net[{names[0]!r}]", f"{n} units, as the {partner} has", net[names[0]].n
            )
        ends.append(names[0])
    return ends[0], ends[1]
