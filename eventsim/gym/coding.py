"""From observations to the intensities that spikes are drawn from, from spike counts to actions.

An observation is a vector of numbers; each is represented by a group of neurons with bell-shaped
tuning curves. The output neurons of a policy stand in groups too, one for each action, and each
spike is a vote for the action of its group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks, decode
from eventsim.errors import InvalidType

__all__ = ["PopulationCode", "Votes"]

Array = NDArray[Any]


class PopulationCode:
    r"""Observations as intensities between 0 and 1 of neurons with Gaussian tuning curves.

    The ``neurons`` of a quantity have centres :math:`c_k` evenly from ``low`` to ``high``, both
    included. At the value x, cut to that range, the intensity is

    .. math:: \exp\left( -\frac{(x - c_k)^2}{2 \, (w \Delta)^2} \right)

    with the distance :math:`\Delta` of neighbouring centres and the ``width`` w.

    Parameters
    ----------
    low, high : sequence of float
        Range of each quantity, in its own unit.
    neurons : int
        Neurons for each quantity, >= 2.
    width : float
        Standard deviation of the curves in distances of their centres, > 0.
    names : sequence of str, optional
        What the quantities are, for pictures.

    Raises
    ------
    InvalidValue, InvalidType
        Ranges of different lengths or without extent, or another argument out of its range.

    Examples
    --------
    >>> code = PopulationCode(low=[-1.0, 0.0], high=[1.0, 5.0], neurons=3)
    >>> code.n
    6
    >>> code.intensities([[0.0, 9.0]]).round(2)
    array([[0.61, 1.  , 0.61, 0.14, 0.61, 1.  ]])
    """

    def __init__(
        self,
        low: ArrayLike,
        high: ArrayLike,
        neurons: int = 8,
        width: float = 1.0,
        names: Sequence[str] | None = None,
    ) -> None:
        where = "PopulationCode"
        self.low, self.high = (
            checks.real_array(where, field, value).astype(np.float64)
            for field, value in (("low", low), ("high", high))
        )
        for field, array in (("low", self.low), ("high", self.high)):
            if array.ndim != 1 or not array.size:
                raise checks.fail(where, field, "one number for each quantity", array.shape)
            checks.finite(where, field, array)
        if self.low.shape != self.high.shape:
            raise checks.fail(where, "high", f"{self.low.size} numbers as low", self.high.size)
        if not (self.low < self.high).all():
            k = int(np.argmin(self.low < self.high))
            raise checks.fail(where, f"high[{k}]", f"a number > {self.low[k]:g}", self.high[k])
        self.neurons = checks.whole(where, "neurons", neurons, 2)
        self.width = checks.positive(where, "width", width)
        plain = [f"observation {k}" for k in range(self.low.size)] if names is None else names
        self.names = _names(where, plain, self.low.size)

    @property
    def n(self) -> int:
        """Number of neurons."""
        return self.low.size * self.neurons

    def intensities(self, observations: ArrayLike) -> NDArray[np.float64]:
        """Intensities [sample, n] of observations [sample, quantity], quantity after quantity.

        Raises
        ------
        InvalidValue, InvalidType
            Another number of quantities, or numbers that are not finite.
        """
        where = "PopulationCode"
        x = checks.real_array(where, "observations", observations).astype(np.float64)
        if x.ndim != 2 or x.shape[1] != self.low.size:
            raise checks.fail(
                where, "observations", f"shape [sample, {self.low.size}]", f"shape {x.shape}"
            )
        checks.finite(where, "observations", x)
        # In units of the distance between two centres, counted from the first.
        place = np.clip((x - self.low) / (self.high - self.low), 0.0, 1.0) * (self.neurons - 1)
        away = (place[:, :, None] - np.arange(self.neurons)) / self.width
        return np.exp(-0.5 * away**2).reshape(len(x), -1)

    def to_dict(self) -> dict[str, Any]:
        """The arguments as plain types, as for JSON."""
        return {
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "neurons": self.neurons,
            "width": self.width,
            "names": list(self.names),
        }

    def __repr__(self) -> str:
        return f"PopulationCode({self.low.size} quantities, {self.neurons} neurons each)"


class Votes:
    """Actions from the spike counts of groups of neurons: each spike is a vote.

    Neurons ``0 ... neurons - 1`` vote for action 0, the next ``neurons`` for action 1, and so on.
    The action of most votes is taken; ties go to the lowest action. Actions can also be drawn,
    with probabilities ``softmax(gain * votes)``.

    Parameters
    ----------
    actions : int
        Number of actions, >= 2.
    neurons : int
        Neurons for each action, >= 1. With more there are fewer ties.
    gain : float
        What a vote adds to the logarithm of the odds when actions are drawn, > 0.
    names : sequence of str, optional
        What the actions are, for pictures.

    Raises
    ------
    InvalidValue, InvalidType
        An argument is of the wrong type or range.

    Examples
    --------
    >>> votes = Votes(actions=2, neurons=3)
    >>> count = votes.count([[1, 0, 0, 2, 0, 1], [1, 0, 1, 0, 2, 0]])
    >>> count
    array([[1, 3],
           [2, 2]])
    >>> votes.choose(count), votes.probabilities(count)[0].round(2)
    (array([1, 0]), array([0.12, 0.88]))
    """

    def __init__(
        self,
        actions: int,
        neurons: int = 1,
        gain: float = 1.0,
        names: Sequence[str] | None = None,
    ) -> None:
        where = "Votes"
        self.actions = checks.whole(where, "actions", actions, 2)
        self.neurons = checks.whole(where, "neurons", neurons, 1)
        self.gain = checks.positive(where, "gain", gain)
        plain = [f"action {k}" for k in range(self.actions)] if names is None else names
        self.names = _names(where, plain, self.actions)

    @property
    def n(self) -> int:
        """Number of neurons."""
        return self.actions * self.neurons

    def count(self, spikes: ArrayLike) -> NDArray[np.int64]:
        """Votes [sample, action] from the spike counts [sample, neuron]."""
        counts = np.asarray(spikes)
        if counts.ndim != 2 or counts.shape[1] != self.n:
            raise checks.fail(
                "Votes", "spikes", f"shape [sample, {self.n}]", f"shape {counts.shape}"
            )
        return counts.reshape(len(counts), self.actions, self.neurons).sum(axis=2, dtype=np.int64)

    def choose(self, votes: ArrayLike) -> NDArray[np.int64]:
        """Action of most votes for each sample; ties go to the lowest action."""
        return decode.classes(votes)

    def probabilities(self, votes: ArrayLike) -> NDArray[np.float64]:
        """Probability of each action [sample, action] when actions are drawn."""
        logits = self.gain * np.asarray(votes, dtype=np.float64)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def to_dict(self) -> dict[str, Any]:
        """The arguments as plain types, as for JSON."""
        return {
            "actions": self.actions,
            "neurons": self.neurons,
            "gain": self.gain,
            "names": list(self.names),
        }

    def __repr__(self) -> str:
        return f"Votes({self.actions} actions, {self.neurons} neurons each)"


def _names(where: str, names: Sequence[str], count: int) -> tuple[str, ...]:
    found = checks.sequence(where, "names", names, "names")
    if not all(isinstance(name, str) for name in found):
        raise InvalidType(f"{where}: names: expected names, got {names!r}")
    if len(found) != count:
        raise checks.fail(where, "names", f"{count} names", len(found))
    return found
