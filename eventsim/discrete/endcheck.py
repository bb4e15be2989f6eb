r"""A neuron in continuous time whose threshold is tested at the ends of steps alone.

The twin that stands between the coarse model and the exact neuron. Arrivals come at their own
times, the membrane decays in continuous time, and the refractory period has a begin and an end.
What it keeps of the coarse model is the test: once a step, at its end, ``v > v_threshold``, so a
peak inside a step is missed and there is at most one spike a step.

A test says only that there was a spike in its step. The time of it is an argument, as in the
derivation of the coarse coefficients, where it is uniform over the step: from it the refractory
period runs, and a spike of the step before leaves the neuron free for the rest of this one alone.

Between tests the potential is linear in the weights. An arrival of weight 1 at time t, which the
neuron has been free to take since f, adds at the end T of the step

.. math::

    e^{-(T-t)/\tau} \ \text{ if } t \ge f \text{ (delta)}, \qquad
    \frac{1}{s} \int_{\max(t, f)}^{\min(t+s, T)} e^{-(T-u)/\tau} \, du \ \text{ (pulse of width } s)

so the potentials at the ends of steps are sums of these, and nothing in between is needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import UnsupportedNetwork
from eventsim.jit import inner, njit
from eventsim.network import Network, Units
from eventsim.populations import Population
from eventsim.projections import Projection
from eventsim.recording import SpikeTrain

__all__ = ["EndCheck", "can_check"]

Array = NDArray[Any]
Float = NDArray[np.float64]


def can_check(units: Units) -> bool:
    """Whether neurons have deltas or pulses, reset to a value and do not adapt.

    >>> can_check(Population("p", 1, tau_mem=4e-3))
    True
    >>> can_check(Population("p", 1, tau_mem=4e-3, tau_syn=1e-3))
    False
    """
    return (
        isinstance(units, Population)
        and units.reset == "value"
        and not units.n_receptors
        and not units.adapts
    )


class EndCheck:
    """One population of a network, tested at the ends of steps.

    Parameters
    ----------
    net : Network
        Network of delta and pulse synapses, with any delays.
    name : str
        Population of it that resets to a value and does not adapt.
    dt : float
        Length of a step in seconds.

    Examples
    --------
    The first two spikes together are above the threshold when the step ends. The third arrives in
    the refractory period, which began at the time given for the spike.

    >>> from eventsim import Dense, Input
    >>> net = Network([Input("in", 1), Population("out", 1, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("in", "out", [[0.6]])])
    >>> train = SpikeTrain([0.2e-3, 0.4e-3, 1.3e-3, 1.7e-3], [0, 0, 0, 0])
    >>> times = np.array([[0.5e-3], [1.5e-3], [2.5e-3]])
    >>> EndCheck(net, "out", 1e-3).run({"in": train}, times)[:, 0]
    array([1, 0, 0], dtype=uint8)
    """

    def __init__(self, net: Network, name: str, dt: float) -> None:
        population = net[name]
        if not isinstance(population, Population):
            raise checks.fail("EndCheck", "name", "a Population", repr(population))
        if not can_check(population):
            raise checks.fail(
                "EndCheck", "name", "a population that resets to a value, without receptors and "
                "adaptation", repr(population),
            )  # fmt: skip
        self.name, self.dt, self.n = name, dt, population.n
        leak, tau = population.array("v_leak"), population.array("tau_mem")
        self._gain = population.array("r") / np.where(np.isinf(tau), 1.0, tau)
        self._bias = population.array("i_bias")
        self._neuron = (
            population.array("v_init") - leak,
            population.array("v_reset") - leak,
            population.array("v_threshold") - leak,
            tau,
            population.array("t_ref"),
        )
        links = [link for link in net.projections if link.target == name]
        rows = [link.rows(net[link.source].shape, population.shape) for link in links]
        self._sources = [
            (link.source, _delay(link), getattr(link, "spread", 0.0), r.indptr.size - 1)
            for link, r in zip(links, rows, strict=True)
        ]
        # One table of fan-outs: the units of a source follow those of the one before.
        counts = np.concatenate([np.zeros(0, np.int64), *(np.diff(r.indptr) for r in rows)])
        self._table = (
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.concatenate([np.zeros(0, np.int32), *(r.post for r in rows)]),
            np.concatenate([np.zeros(0), *(r.weight for r in rows)]),
        )

    def run(
        self, trains: Mapping[str, SpikeTrain], times: Float, current: Float | None = None
    ) -> NDArray[np.uint8]:
        """Spikes of each step, for one sample.

        Parameters
        ----------
        trains : mapping of str to SpikeTrain
            Spikes of all sources of the population.
        times : array [step, n]
            When in its step a neuron spikes if it does, in seconds.
        current : array [n], optional
            A constant current besides ``i_bias``.

        Returns
        -------
        array of uint8 [step, n]
        """
        spikes = np.zeros((len(times), self.n), dtype=np.uint8)
        slope = self._gain * (self._bias if current is None else self._bias + current)
        _run(
            self.dt, np.ascontiguousarray(times), *self._arrivals(trains), *self._table,
            *self._neuron, slope, spikes,
        )  # fmt: skip
        return spikes

    def _arrivals(self, trains: Mapping[str, SpikeTrain]) -> tuple[Float, Float, Array]:
        """Arrival times in order, widths of the pulses, and rows of the table of fan-outs."""
        time, width, row, first = [np.zeros(0)], [np.zeros(0)], [np.zeros(0, np.int64)], 0
        for source, delay, spread, n in self._sources:
            train = trains[source]
            time.append(train.times + delay)
            width.append(np.full(len(train), spread))
            row.append(train.senders + first)
            first += n
        times = np.concatenate(time)
        order = np.argsort(times, kind="stable")
        return times[order], np.concatenate(width)[order], np.concatenate(row)[order]


def _delay(link: Projection) -> float:
    delays = np.unique(link.delay)  # type: ignore[attr-defined]
    if delays.size > 1:
        raise UnsupportedNetwork(
            f"{link.where}: delay: expected one for all synapses, got {delays[:3]} s"
        )
    return float(delays.sum())


@inner
def _charge(begin: float, end: float, high: float, tau: float) -> float:
    """What a slope of 1 during ``[begin, end)`` has added by the time ``high``."""
    if math.isinf(tau):
        return end - begin
    return -tau * math.exp(-(high - end) / tau) * math.expm1(-(end - begin) / tau)


@inner
def _worth(time: float, width: float, free: float, high: float, tau: float) -> float:
    """What an arrival of weight 1 at a neuron that is free from ``free`` on has added by ``high``.

    Earlier steps have what it added before ``free``.
    """
    if width == 0.0:
        return math.exp(-(high - time) / tau) if time >= free else 0.0
    begin, end = max(time, free), min(time + width, high)
    return _charge(begin, end, high, tau) / width if begin < end else 0.0


@inner
def _step(
    low: float, high: float, chosen: Array, free: Float, v: Float,
    time: Float, width: Float, row: Array, indptr: Array, post: Array, weight: Array,
    tau: Float, slope: Float, alike: bool,
) -> None:  # fmt: skip
    """Potentials of the chosen neurons at the end of a step, from those where they are free."""
    for j in range(v.size):
        begin = max(low, free[j])
        if chosen[j] and begin < high:
            v[j] *= math.exp(-(high - begin) / tau[j])
            v[j] += slope[j] * _charge(begin, high, high, tau[j])
    for k in range(time.size):
        if time[k] >= high:
            break
        if time[k] < low and time[k] + width[k] <= low:
            continue
        shared = _worth(time[k], width[k], low, high, tau[0])
        for i in range(indptr[row[k]], indptr[row[k] + 1]):
            j = post[i]
            if not chosen[j]:
                continue
            if alike and free[j] <= low:
                v[j] += weight[i] * shared
            else:
                v[j] += weight[i] * _worth(time[k], width[k], max(low, free[j]), high, tau[j])


@njit
def _run(
    dt: float, times: Float, time: Float, width: Float, row: Array,
    indptr: Array, post: Array, weight: Array,
    v_init: Float, v_reset: Float, threshold: Float, tau: Float, t_ref: Float, slope: Float,
    spikes: Array,
) -> None:  # fmt: skip
    v = v_init.copy()
    free = np.full(v.size, -np.inf)
    everyone = np.ones(v.size, np.bool_)
    again = np.zeros(v.size, np.bool_)
    alike = bool((tau == tau[0]).all())
    for step in range(times.shape[0]):
        low, high = step * dt, (step + 1) * dt
        _step(
            low, high, everyone, free, v, time, width, row, indptr, post, weight, tau, slope, alike
        )
        repeat = False
        for j in range(v.size):
            again[j] = False
            if v[j] > threshold[j]:
                spikes[step, j] = 1
                v[j] = v_reset[j]
                free[j] = times[step, j] + t_ref[j]
                # A refractory period that ends in the same step leaves a rest of it.
                again[j] = free[j] < high
                repeat = repeat or again[j]
        if repeat:
            _step(
                low, high, again, free, v, time, width, row, indptr, post, weight, tau, slope, alike
            )
