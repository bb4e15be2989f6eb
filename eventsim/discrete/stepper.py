"""A discrete twin that goes on from where it stopped, as a session does in continuous time.

:meth:`Discretization.run` starts each sample from rest. In a closed loop the input of the next
steps depends on the spikes of the last ones, so the state has to be carried from call to call:
one run in pieces gives the same bits as the run in one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.discrete.coarse import CELLS
from eventsim.discrete.twin import Twin, TwinState
from eventsim.discretization import Discretization
from eventsim.errors import InvalidType
from eventsim.network import Network

__all__ = ["Stepper", "StepperState"]

Array = NDArray[Any]
WHERE = "Stepper"


class StepperState:
    """Samples between two steps. It is never changed; :meth:`Stepper.advance` gives a new one."""

    def __init__(self, inner: TwinState) -> None:
        self._inner = inner

    def __len__(self) -> int:
        """Number of samples."""
        return len(next(iter(self._inner.past.values()))[0])

    @property
    def potentials(self) -> dict[str, Array]:
        """Potential of each neuron relative to rest, [sample, n] by population."""
        return {name: cell[0].copy() for name, cell in self._inner.cells.items()}

    def take(self, samples: ArrayLike) -> StepperState:
        """The state of some samples, in the order of these indices, or where a mask is True."""
        return StepperState(_taken(self._inner, np.asarray(samples)))

    def __repr__(self) -> str:
        return f"StepperState({len(self)} samples of {list(self._inner.past)})"


class Stepper:
    """The discrete twin of a network, advanced piece by piece.

    Parameters
    ----------
    net : Network
        As for :meth:`Discretization.run`.
    disc : Discretization
        Rules, step, encoder.
    dtype : float64 or float32
        Arithmetic of the twin. Default float64.

    Raises
    ------
    UnsupportedNetwork, InvalidType, InvalidValue
        As :meth:`Discretization.run`.

    Examples
    --------
    >>> from eventsim import Dense, Input, Population
    >>> net = Network([Input("in", 1), Population("out", 1, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("in", "out", [[0.8]])])
    >>> stepper = Stepper(net, Discretization(dt=1e-3, steps=4))
    >>> first, state = stepper.advance(stepper.start(1), [[[1], [1]]])
    >>> then, state = stepper.advance(state, [[[1], [1]]])
    >>> first["out"][0, :, 0], then["out"][0, :, 0]
    (array([0, 1], dtype=uint8), array([0, 0], dtype=uint8))
    """

    def __init__(self, net: Network, disc: Discretization, dtype: Any = np.float64) -> None:
        if not isinstance(net, Network):
            raise InvalidType(f"{WHERE}: net: expected a Network, got {type(net).__name__}")
        if not isinstance(disc, Discretization):
            raise InvalidType(f"{WHERE}: disc: expected a Discretization, got {disc!r}")
        self._twin = Twin(net, disc, CELLS, dtype)
        self.net, self.disc = net, disc

    def start(self, samples: int) -> StepperState:
        """The state of so many samples before their first step."""
        return StepperState(self._twin.start(checks.whole(WHERE, "samples", samples, 1)))

    def restart(self, state: StepperState, samples: ArrayLike) -> StepperState:
        """The same state, but with these samples (indices or a mask) at their start again."""
        inner = _taken(state._inner, np.arange(len(state)))
        fresh = self._twin.start(len(state))
        chosen = np.asarray(samples)
        for mine, new in zip(_arrays(inner), _arrays(fresh), strict=True):
            mine[chosen] = new[chosen]
        return StepperState(inner)

    def advance(self, state: StepperState, x: Any) -> tuple[dict[str, Array], StepperState]:
        """Some more steps.

        Parameters
        ----------
        state : StepperState
            From :meth:`start`, or from the call before.
        x : array [sample, step, n_input] of 0 and 1
            Input of these steps, as for :meth:`Discretization.run`.

        Returns
        -------
        spikes : dict of str to array of uint8 [sample, step, n]
            Of every population; an analog image keeps the twin's arithmetic.
        state : StepperState
            After these steps. The one that was given is as before.

        Raises
        ------
        InvalidValue, InvalidType
            ``x`` does not fit the network, or has not the samples of the state.
        """
        if not isinstance(state, StepperState):
            raise InvalidType(
                f"{WHERE}: state: expected a StepperState, got {type(state).__name__}"
            )
        inputs, samples, steps = self._twin.checked_inputs(x)
        if samples != len(state):
            raise checks.fail(WHERE, "x", f"{len(state)} samples, as in the state", samples)
        inner = _taken(state._inner, np.arange(samples))
        spikes: dict[str, Array] = {
            name: np.zeros((samples, steps, self.net[name].n), self._twin.kind(name))
            for name in self.net.order
        }
        for step in range(steps):
            for name, active in self._twin.advance(inner, inputs, step).items():
                spikes[name][:, step] = active
        return spikes, StepperState(inner)


def _taken(state: TwinState, samples: Array) -> TwinState:
    """Copies of the arrays of some samples."""
    return TwinState(
        {name: tuple(part[samples] for part in cell) for name, cell in state.cells.items()},
        {name: [spikes[samples] for spikes in past] for name, past in state.past.items()},
    )


def _arrays(state: TwinState) -> list[Array]:
    cells = [array for pair in state.cells.values() for array in pair]
    return cells + [array for past in state.past.values() for array in past]
