"""What metrics take: the spike times of one neuron, or a population neuron by neuron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.fidelity.order import neuron_order, neuron_starts
from eventsim.recording import SpikeTrain

__all__ = ["Grouped", "both_trains", "by_neuron", "per_neuron", "spike_times", "within"]

Float = NDArray[np.float64]
Index = NDArray[np.int64]


class Grouped(NamedTuple):
    """Spikes of neuron 0, of neuron 1, ...

    Attributes
    ----------
    times : array of float64
        Seconds, ascending for each neuron.
    start : array of int64 [n + 1]
        The spikes of neuron i are ``times[start[i] : start[i + 1]]``.
    order : array of int64
        Where each spike is in the train.
    """

    times: Float
    start: Index
    order: Index


def per_neuron(
    metric: Callable[..., float | None],
    first: SpikeTrain,
    second: SpikeTrain,
    n: int,
    **options: Any,
) -> Float:
    """A metric of two trains of one neuron, for each neuron of a population.

    Parameters
    ----------
    metric : callable
        Takes the spike times of a neuron in both records, such as
        :func:`~eventsim.fidelity.metrics.spike_distance`.
    first, second : SpikeTrain
        Spikes of the same population in two models.
    n : int
        Neurons of the population.
    **options
        Passed on to the metric.

    Returns
    -------
    array of float64 [n]
        In the unit of the metric. NaN where the metric of a neuron is None.

    Raises
    ------
    InvalidValue, InvalidType
        A sender that is no neuron, or what the metric refuses.

    Examples
    --------
    >>> from eventsim.fidelity.metrics import victor_purpura_distance
    >>> first = SpikeTrain([0.001, 0.002], [0, 1])
    >>> second = SpikeTrain([0.001, 0.004], [0, 1])
    >>> per_neuron(victor_purpura_distance, first, second, n=3, cost_factor=250.0)
    array([0. , 0.5, 0. ])
    """
    where = "per_neuron"
    n = checks.whole(where, "n", n, 0)
    a, b = (
        by_neuron(where, field, train, n) for field, train in (("first", first), ("second", second))
    )
    values = np.empty(n)
    silent = (np.diff(a.start) == 0) & (np.diff(b.start) == 0)
    if silent.any():  # one call for all of them: most neurons of a layer may be silent
        values[silent] = _number(metric(np.empty(0), np.empty(0), **options))
    for i in np.flatnonzero(~silent):
        x, y = (g.times[g.start[i] : g.start[i + 1]] for g in (a, b))
        values[i] = _number(metric(x, y, **options))
    return values


def spike_times(where: str, field: str, times: Any) -> Float:
    """Spike times of one neuron: finite, ascending, the same time as often as given."""
    if isinstance(times, SpikeTrain):
        raise InvalidType(
            f"{where}: {field}: expected spike times of one neuron, got a SpikeTrain (take one "
            "with .of(neuron), or all with per_neuron)"
        )
    array = checks.real_array(where, field, times).astype(np.float64)
    if array.ndim != 1:
        raise checks.fail(where, field, "a one-dimensional array", f"shape {array.shape}")
    checks.finite(where, field, array)
    falls = array[1:] < array[:-1]
    if falls.any():
        k = int(np.argmax(falls)) + 1
        raise checks.fail(where, f"{field}[{k}]", f"a time >= {array[k - 1]} (sorted)", array[k])
    return array


def both_trains(where: str, first: Any, second: Any) -> tuple[SpikeTrain, SpikeTrain]:
    """Two populations as they are, or spike times of one neuron as populations of one."""
    if isinstance(first, SpikeTrain) != isinstance(second, SpikeTrain):
        raise InvalidType(
            f"{where}: second: expected a {type(first).__name__} as first, "
            f"got a {type(second).__name__}"
        )
    a, b = (_train(where, field, train) for field, train in (("first", first), ("second", second)))
    return a, b


def by_neuron(where: str, field: str, train: SpikeTrain, n: int) -> Grouped:
    """The spikes of a population of ``n``, neuron after neuron."""
    if not isinstance(train, SpikeTrain):
        raise InvalidType(f"{where}: {field}: expected a SpikeTrain, got {type(train).__name__}")
    if len(train) and train.senders.max() >= n:
        raise checks.fail(where, field, f"senders below n = {n}", int(train.senders.max()))
    order = neuron_order(train.senders, n)  # each neuron's stay in order of time
    return Grouped(train.times[order], neuron_starts(train.senders, n), order)


def within(where: str, field: str, times: Float, t_start: float, t_stop: float) -> None:
    """Refuse spikes outside a window, both ends of which belong to it."""
    if times.size and (times[0] < t_start or times[-1] > t_stop):  # they ascend
        k = int(np.argmax((times < t_start) | (times > t_stop)))
        raise checks.fail(where, f"{field}[{k}]", f"a time in [{t_start}, {t_stop}] s", times[k])


def _train(where: str, field: str, train: Any) -> SpikeTrain:
    if isinstance(train, SpikeTrain):
        return train
    times = spike_times(where, field, train)
    return SpikeTrain.trusted(times, np.zeros(times.size, dtype=np.int64))


def _number(value: float | None) -> float:
    return np.nan if value is None else value
