"""Exact potentials of recorded neurons, evaluated at any time after the run.

A run stores, for each recorded neuron, its state after every instant that touched it. Between two
of them the potential has a closed form (:mod:`eventsim.dynamics`), which is evaluated here:
nothing is interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.dynamics.potentials import potential_with

__all__ = ["Trace"]

Floats = NDArray[np.float64]


class Trace:
    """Potentials of some neurons of one population.

    Made by :func:`eventsim.simulate` with ``record_v``; ``result.v["out"]`` is a Trace.

    Parameters
    ----------
    neurons : array of int
        Indices of the recorded neurons, in the order in which they were asked for.
    knots : sequence of arrays [k, 4 + mode]
        For each neuron the rows (time, potential above v_leak, drive in V/s, end of
        refractoriness, modes) after each instant that touched it, in order of time. The modes
        are what decays: the currents of the receptors in order, the spike-triggered current, the
        adaptation of the threshold, as far as the population has them.
    tau_mem, v_leak, v_threshold : array
        Parameters of each recorded neuron.
    t_start, t_end : float
        The interval in which potentials are known.
    modes : array [neuron, mode, 3], optional
        For each mode its time constant, the drive in V/s and the rise of the threshold in V that
        a unit of it gives.
    """

    def __init__(
        self,
        neurons: ArrayLike,
        knots: Sequence[Floats],
        tau_mem: ArrayLike,
        v_leak: ArrayLike,
        v_threshold: ArrayLike,
        t_start: float,
        t_end: float,
        modes: ArrayLike | None = None,
    ) -> None:
        self.neurons = checks.read_only(np.array(neurons, dtype=np.int64))
        self.tau_mem = checks.read_only(np.array(tau_mem, dtype=np.float64))
        self.v_leak = checks.read_only(np.array(v_leak, dtype=np.float64))
        self.v_threshold = checks.read_only(np.array(v_threshold, dtype=np.float64))
        self.t_start, self.t_end = float(t_start), float(t_end)
        given = np.zeros((self.neurons.size, 0, 3)) if modes is None else modes
        self.modes = checks.read_only(np.array(given, dtype=np.float64))
        columns = 4 + self.modes.shape[1]
        self._knots = [np.asarray(k, dtype=np.float64).reshape(-1, columns) for k in knots]

    def at(self, t: ArrayLike) -> Floats:
        """Potentials [time, neuron] at times ``t``, right-continuous: after the instant."""
        return self._evaluate(t, "right")

    def before(self, t: ArrayLike) -> Floats:
        """Potentials [time, neuron] just before times ``t``: the limits from the left."""
        return self._evaluate(t, "left")

    def threshold_at(self, t: ArrayLike) -> Floats:
        """Thresholds [time, neuron] at times ``t``, right-continuous.

        ``v_threshold``, and with an adaptive threshold what the neuron's spikes have added to it.
        """
        times = self._times(t)
        theta = np.broadcast_to(self.v_threshold, (times.size, self.neurons.size)).copy()
        for i, knots in enumerate(self._knots):
            last = np.maximum(np.searchsorted(knots[:, 0], times, side="right") - 1, 0)
            h = np.maximum(times - knots[last, 0], 0.0)
            for (tau, _, lift), value in zip(self.modes[i], knots[last, 4:].T, strict=True):
                theta[:, i] += lift * value * np.exp(-h / tau)
        return theta

    def _times(self, t: ArrayLike) -> Floats:
        times = np.atleast_1d(checks.real_array("Trace", "t", t)).astype(np.float64)
        if times.ndim > 1:
            raise checks.fail("Trace", "t", "one time, or one axis of them", f"shape {times.shape}")
        if times.size and not (times.min() >= self.t_start and times.max() <= self.t_end):
            raise checks.fail(
                "Trace",
                "t",
                f"times in [{self.t_start:g}, {self.t_end:g}] s",
                f"{times.min():g} to {times.max():g}",
            )
        return times

    def _evaluate(self, t: ArrayLike, side: Any) -> Floats:
        times = self._times(t)
        v = np.empty((times.size, self.neurons.size))
        for i, knots in enumerate(self._knots):
            last = np.maximum(np.searchsorted(knots[:, 0], times, side=side) - 1, 0)
            time, x, drive, ref_until = knots[last, :4].T
            start = np.clip(ref_until, time, np.maximum(times, time))
            h = np.maximum(times - start, 0.0)
            v[:, i] = self.v_leak[i] + potential_with(
                x, drive, h, float(self.tau_mem[i]), self.modes[i], knots[last, 4:]
            )
        return v

    def knots(self, i: int) -> Floats:
        """Times of the instants that touched the ``i``-th recorded neuron, ascending."""
        return np.unique(self._knots[i][:, 0])

    def refractory(self, i: int) -> Floats:
        """Refractory spans [k, (start, end)] of the ``i``-th recorded neuron."""
        time, ref_until = self._knots[i][:, [0, 3]].T
        ends, first = np.unique(ref_until[ref_until > time], return_index=True)
        starts = time[ref_until > time][first]
        return np.column_stack([starts, np.minimum(ends, self.t_end)])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as plain arrays, for files; :meth:`from_arrays` reads it back."""
        return {
            "neurons": self.neurons,
            "tau_mem": self.tau_mem,
            "v_leak": self.v_leak,
            "v_threshold": self.v_threshold,
            "modes": self.modes,
            "interval": np.array([self.t_start, self.t_end]),
            "pointer": np.cumsum([0, *(len(k) for k in self._knots)], dtype=np.int64),
            "knots": np.concatenate([np.zeros((0, 4 + self.modes.shape[1])), *self._knots]),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Trace:
        """The trace that :meth:`to_arrays` wrote."""
        pointer = arrays["pointer"]
        knots = [arrays["knots"][a:b] for a, b in zip(pointer[:-1], pointer[1:], strict=True)]
        t_start, t_end = map(float, arrays["interval"])
        return cls(
            arrays["neurons"],
            knots,
            arrays["tau_mem"],
            arrays["v_leak"],
            arrays["v_threshold"],
            t_start,
            t_end,
            arrays.get("modes"),
        )

    def __repr__(self) -> str:
        knots = sum(map(len, self._knots))
        return f"Trace(neurons {self.neurons.tolist()}, {knots} knots)"
