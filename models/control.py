"""Spiking policies trained by reinforcement with the coarse model, through surrogate gradients.

The algorithm is REINFORCE (R. J. Williams, Machine Learning 8, 229, 1992) with a learned
baseline. An iteration plays some whole episodes side by side, drawing actions with the
probabilities ``softmax(gain * votes)``. Each action is then made more or less likely by how much
better the episode went on than the baseline had expected, with one step of Adam. With ``passes``
above 1 several steps are made with the same episodes, and the change of a probability is cut as
in PPO (J. Schulman et al., arXiv:1707.06347).

The state of the network is carried from one environment step to the next, as when it plays.
Gradients run through the steps of one environment step, not into those before.

The baseline is an ordinary network of continuous units. It is only used in training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import eventsim as es
from eventsim.errors import InvalidValue
from eventsim.gym import PopulationCode, SpikingPolicy, Votes
from models.cell import CoarseLIF, State

__all__ = [
    "DEFAULTS",
    "TASKS",
    "Actor",
    "ControlSettings",
    "ControlTrainer",
    "Task",
    "to_policy",
]

DT = 1e-3
"""Length of a step in seconds; the trained network itself knows only steps."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Task:
    """An environment, and the range of each observation that is told apart.

    Ranges are those that a fair controller visits; beyond them an observation is cut.
    """

    environment: str
    observations: tuple[str, ...]
    actions: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


TASKS = {
    "cartpole": Task(
        "CartPole-v1",
        ("cart (m)", "cart speed (m/s)", "pole (rad)", "pole speed (rad/s)"),
        ("push left", "push right"),
        (-2.4, -2.5, -0.21, -2.5),
        (2.4, 2.5, 0.21, 2.5),
    ),
    "acrobot": Task(
        "Acrobot-v1",
        ("cos 1", "sin 1", "cos 2", "sin 2", "speed 1 (rad/s)", "speed 2 (rad/s)"),
        ("torque -1", "torque 0", "torque +1"),
        (-1.0, -1.0, -1.0, -1.0, -6.0, -12.0),
        (1.0, 1.0, 1.0, 1.0, 6.0, 12.0),
    ),
}


@dataclass(frozen=True)
class ControlSettings:
    """Everything that decides the bits of a training run (for one PyTorch version and CPU)."""

    name: str
    seed: int = 0
    iterations: int = 100
    episodes: int = 16
    passes: int = 1
    steps: int = 4
    neurons: int = 8
    width: float = 1.0
    hidden: int = 32
    voters: int = 8
    gain: float = 0.25
    tau: float = 4.0
    beta: float = 5.0
    init_gain: float = 2.0
    lr: float = 5e-3
    discount: float = 0.99
    trace: float = 1.0
    entropy: float = 0.01

    def check(self) -> None:
        """Raise InvalidValue for a value out of range."""
        if self.name not in TASKS:
            raise InvalidValue(f"train: name: expected one of {list(TASKS)}, got {self.name!r}")
        for field in ("iterations", "episodes", "passes", "steps", "hidden", "voters"):
            if getattr(self, field) < 1:
                raise InvalidValue(
                    f"train: {field}: expected an int >= 1, got {getattr(self, field)}"
                )
        for field in ("width", "gain", "tau", "beta", "init_gain", "lr"):
            if not 0 < getattr(self, field) < math.inf:
                raise InvalidValue(
                    f"train: {field}: expected a number > 0, got {getattr(self, field)}"
                )
        for field in ("discount", "trace", "entropy"):
            if not 0 <= getattr(self, field) <= 1:
                raise InvalidValue(
                    f"train: {field}: expected a number from 0 to 1, got {getattr(self, field)}"
                )
        if not 0 <= self.seed < 2**31:
            raise InvalidValue(f"train: seed: expected an int >= 0, got {self.seed}")


#: What each task is trained with unless told otherwise.
DEFAULTS = {
    "cartpole": ControlSettings("cartpole", iterations=60),
    "acrobot": ControlSettings("acrobot", iterations=120, passes=4, hidden=64, gain=0.5),
}


class Actor(nn.Module):
    """One hidden layer and the voters, both of coarse LIF neurons."""

    def __init__(self, n_in: int, n_out: int, settings: ControlSettings) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_in, settings.hidden)
        self.action = nn.Linear(settings.hidden, n_out)
        self.cells = nn.ModuleList(CoarseLIF(settings.tau, beta=settings.beta) for _ in range(2))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(settings.init_gain)

    def start(self, n: int) -> list[State]:
        """State of both layers at the start of ``n`` episodes."""
        sizes = (self.hidden.out_features, self.action.out_features)
        return [(torch.zeros(n, size), torch.zeros(n, size)) for size in sizes]

    def forward(self, x: Tensor, state: list[State]) -> tuple[Tensor, list[State]]:
        """Spike counts [sample, voter] over the steps of ``x`` [sample, step, n], and the state."""
        inner, outer = state
        counts = torch.zeros_like(outer[0])
        for drive in self.hidden(x).unbind(dim=1):
            spikes, inner = self.cells[0](drive, inner)
            spikes, outer = self.cells[1](self.action(spikes), outer)
            counts = counts + spikes
        return counts, [inner, outer]


@dataclass
class _Played:
    """Environment steps of some episodes, one row each, and what became of the episodes."""

    scaled: Tensor
    x: Tensor
    state: list[State]
    actions: Tensor
    advantages: Tensor
    targets: Tensor
    returns: Array


class ControlTrainer:
    """One training run.

    Parameters
    ----------
    settings : ControlSettings

    Attributes
    ----------
    actor : Actor
    iteration, played : int
        Iterations and environment steps that are done.
    history : list of float
        Mean return of the episodes of each iteration, with actions drawn.
    """

    def __init__(self, settings: ControlSettings) -> None:
        settings.check()
        self.settings, self.task = settings, TASKS[settings.name]
        task = self.task
        self.code = PopulationCode(
            task.low, task.high, settings.neurons, settings.width, task.observations
        )
        self.votes = Votes(len(task.actions), settings.voters, settings.gain, task.actions)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.actor = Actor(self.code.n, self.votes.n, settings)
            self.critic = nn.Sequential(
                nn.Linear(len(task.low), 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(),
                nn.Linear(64, 1),
            )  # fmt: skip
        self._optimizer = torch.optim.Adam(self.actor.parameters(), lr=settings.lr)
        self._critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr=3e-3)
        self._envs = [gymnasium.make(task.environment) for _ in range(settings.episodes)]
        self.iteration = self.played = 0
        self.history: list[float] = []

    def run_iteration(self) -> float:
        """Play, learn; the mean return of the episodes."""
        draws = np.random.default_rng([self.settings.seed, self.iteration])
        threads = torch.get_num_threads()
        # One thread, so that sums are rounded alike on any machine; these networks are too small
        # for more. Surrogate gradients far from threshold are subnormal, and slow to compute with.
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
        try:
            played = self._play(draws)
            self._learn(played, draws)
        finally:
            torch.set_flush_denormal(False)
            torch.set_num_threads(threads)
        self.iteration += 1
        self.played += len(played.actions)
        self.history.append(float(played.returns.mean()))
        return self.history[-1]

    def _scaled(self, observations: Array) -> Tensor:
        """Observations from -1 to 1 within their ranges, for the baseline."""
        low, high = self.code.low, self.code.high
        return torch.from_numpy((2 * (observations - low) / (high - low) - 1).astype(np.float32))

    def _logits(self, counts: Tensor) -> Tensor:
        groups = counts.reshape(len(counts), self.votes.actions, self.votes.neurons)
        return self.settings.gain * groups.sum(dim=2)

    @torch.no_grad()
    def _play(self, draws: np.random.Generator) -> _Played:
        """Whole episodes side by side, actions drawn."""
        n, steps = len(self._envs), self.settings.steps
        seeds = draws.integers(2**31, size=n)
        seen = np.array(
            [env.reset(seed=int(s))[0] for env, s in zip(self._envs, seeds, strict=True)]
        )
        alive, state = np.arange(n), self.actor.start(n)
        rows: list[tuple[Any, ...]] = []
        rewards: list[Array] = []
        after = np.zeros(n)
        while alive.size:
            chance = self.code.intensities(seen)
            x = draws.random((alive.size, steps, self.code.n)) < chance[:, None]
            spikes = torch.from_numpy(x.astype(np.float32))
            counts, new = self.actor(spikes, state)
            odds = torch.softmax(self._logits(counts).double(), dim=1).numpy()
            actions = (odds.cumsum(axis=1) <= draws.random(alive.size)[:, None]).sum(axis=1)
            actions = np.minimum(actions, self.votes.actions - 1)
            rows.append((alive, seen, spikes, state, actions))
            earned, goes, after_seen = np.zeros(n), np.ones(alive.size, dtype=bool), seen.copy()
            for k, env in enumerate(alive):
                after_seen[k], earned[env], ended, cut, _ = self._envs[env].step(int(actions[k]))
                goes[k] = not (ended or cut)
                if cut and not ended:
                    # A time limit ends the episode, not what could still be earned.
                    after[env] = float(self.critic(self._scaled(after_seen[k][None])))
            rewards.append(earned)
            alive, seen = alive[goes], after_seen[goes]
            state = [(v[goes], s[goes]) for v, s in new]
        return self._judged(rows, np.array(rewards), after)

    def _judged(self, rows: list[tuple[Any, ...]], rewards: Array, after: Array) -> _Played:
        """Advantage of each action: what came, less what the baseline expected."""
        s = self.settings
        scaled = self._scaled(np.concatenate([row[1] for row in rows]))
        expected = self.critic(scaled)[:, 0].double().numpy()
        lengths = [len(row[0]) for row in rows]
        values = np.split(expected, np.cumsum(lengths)[:-1])
        following, running = after.copy(), np.zeros(len(after))
        advantages = [np.zeros(0)] * len(rows)
        for k in reversed(range(len(rows))):
            alive = rows[k][0]
            surprise = rewards[k, alive] + s.discount * following[alive] - values[k]
            running[alive] = surprise + s.discount * s.trace * running[alive]
            following[alive] = values[k]
            advantages[k] = running[alive]
        gained = np.concatenate(advantages)
        return _Played(
            scaled=scaled,
            x=torch.cat([row[2] for row in rows]),
            state=[
                (
                    torch.cat([row[3][k][0] for row in rows]),
                    torch.cat([row[3][k][1] for row in rows]),
                )
                for k in range(2)
            ],
            actions=torch.from_numpy(np.concatenate([row[4] for row in rows])),
            advantages=torch.from_numpy(
                ((gained - gained.mean()) / (gained.std() + 1e-6)).astype(np.float32)
            ),
            targets=torch.from_numpy((gained + expected).astype(np.float32)),
            returns=rewards.sum(axis=0),
        )

    def _learn(self, played: _Played, draws: np.random.Generator) -> None:
        n = len(played.actions)
        for _ in range(10):
            for part in np.array_split(draws.permutation(n), max(1, n // 512)):
                loss = ((self.critic(played.scaled[part])[:, 0] - played.targets[part]) ** 2).mean()
                self._critic_optimizer.zero_grad()
                loss.backward()
                self._critic_optimizer.step()
        if self.settings.passes == 1:
            self._step(played, np.arange(n), None)
            return
        with torch.no_grad():
            before = self._chances(played, np.arange(n))[0]
        for _ in range(self.settings.passes):
            for part in np.array_split(draws.permutation(n), max(1, n // 1024)):
                self._step(played, part, before[part])

    def _chances(self, played: _Played, part: Array) -> tuple[Tensor, Tensor]:
        """Logarithm of the probability of the actions taken, and the mean entropy."""
        state = [(v[part], s[part]) for v, s in played.state]
        counts, _ = self.actor(played.x[part], state)
        logs = torch.log_softmax(self._logits(counts), dim=1)
        taken = logs.gather(1, played.actions[part][:, None])[:, 0]
        return taken, -(logs.exp() * logs).sum(dim=1).mean()

    def _step(self, played: _Played, part: Array, before: Tensor | None) -> None:
        taken, entropy = self._chances(played, part)
        advantages = played.advantages[part]
        if before is None:
            gain = (taken * advantages).mean()
        else:
            ratio = (taken - before).exp()
            gain = torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()
        loss = -gain - self.settings.entropy * entropy
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.actor.parameters(), 1.0)
        self._optimizer.step()


def to_policy(trainer: ControlTrainer, seed: int = 0) -> SpikingPolicy:
    """The trained policy, coarse, with pulses of one step in its continuous form.

    Biases are charges of one step, so they become constant currents.
    """
    settings, actor = trainer.settings, trainer.actor
    tau_mem = settings.tau * DT
    populations: list[Any] = [es.Input("observation", trainer.code.n)]
    projections = []
    for source, name in (("observation", "hidden"), ("hidden", "action")):
        layer = getattr(actor, name)
        bias = layer.bias.detach().numpy().astype(np.float64)
        populations.append(
            es.Population(name, len(bias), tau_mem=tau_mem, t_ref=DT, i_bias=tau_mem * bias / DT)
        )
        weight = np.ascontiguousarray(layer.weight.detach().numpy().T)
        projections.append(es.Dense(source, name, weight=weight, spread=DT))
    return SpikingPolicy(
        es.Network(populations, projections),
        es.Discretization(dt=DT, steps=settings.steps),
        trainer.code,
        trainer.votes,
        seed=seed,
        environment=trainer.task.environment,
    )
