"""Spikes of two models matched one to one in time, neuron by neuron."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.fidelity.trains import Grouped, both_trains, by_neuron
from eventsim.jit import inner, njit
from eventsim.recording import SpikeTrain

__all__ = ["Matches", "coincidence_f1", "match_grouped", "match_spikes", "time_error"]

Float = NDArray[np.float64]
Index = NDArray[np.int64]
Train = SpikeTrain | ArrayLike

#: What the best matching does with two last spikes: leave out that of x or of y, or pair them.
SKIP_X, SKIP_Y, PAIR = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Matches:
    """Spikes of two trains that were matched, and how many there were.

    Attributes
    ----------
    first, second : array of int64 [match]
        Indices of matched spikes in the two trains, neuron after neuron, ascending in each.
    errors : array of float64 [match]
        Time of the second less that of the first, in seconds.
    total_first, total_second : int
        Spikes of the trains, matched or not.
    """

    first: Index
    second: Index
    errors: Float
    total_first: int
    total_second: int

    @property
    def f1(self) -> float:
        """As :func:`coincidence_f1`."""
        total = self.total_first + self.total_second
        return 2 * self.errors.size / total if total else 1.0

    def time_error(self, quantile: float = 0.5) -> float | None:
        """As :func:`time_error`."""
        share = checks.scalar("time_error", "quantile", quantile)
        if not 0 <= share <= 1:
            raise checks.fail("time_error", "quantile", "a number from 0 to 1", share)
        return float(np.quantile(np.abs(self.errors), share)) if self.errors.size else None


def match_spikes(first: Train, second: Train, *, window: float) -> Matches:
    """Match the spikes of each neuron in two models one to one.

    A spike matches at most one spike of the same neuron, at most ``window`` away. Of all such
    matchings those with most pairs are taken, and of these the one with the least sum of time
    differences (taking the nearest spike first, or the first in time, may miss both).

    Parameters
    ----------
    first, second : SpikeTrain, or array
        The same population in two models; or spike times of one neuron in seconds, ascending.
    window : float
        Largest time difference in seconds, >= 0; it still matches.

    Returns
    -------
    Matches

    Raises
    ------
    InvalidValue, InvalidType
        One train and one array; times that are not finite or do not ascend; a negative window.

    Examples
    --------
    >>> found = match_spikes([0.000, 0.010, 0.020], [0.009, 0.012, 0.050], window=0.010)
    >>> found.first, found.second
    (array([1, 2]), array([0, 1]))
    >>> found = match_spikes([0.000, 0.010], [0.009], window=0.010)
    >>> found.first, found.second
    (array([1]), array([0]))

    Notes
    -----
    Pairs of an optimal matching on a line need not cross, so a recursion over the spikes in their
    order finds one, in time and memory that grow with the pairs within the window.
    """
    where = "match_spikes"
    a, b = both_trains(where, first, second)
    limit = checks.scalar(where, "window", window)
    if limit < 0:
        raise checks.fail(where, "window", "seconds >= 0", limit)
    n = 1 + int(max(a.senders.max(initial=-1), b.senders.max(initial=-1)))
    x, y = by_neuron(where, "first", a, n), by_neuron(where, "second", b, n)
    i, j = match_grouped(x, y, limit)
    errors = y.times[j] - x.times[i]
    return Matches(x.order[i], y.order[j], errors, len(a), len(b))


def coincidence_f1(first: Train, second: Train, *, window: float) -> float:
    r"""Share of spikes that coincide in two models: the F1 score of matched spikes.

    .. math:: F_1 = \frac{2 m}{n_1 + n_2}

    with m matches of :func:`match_spikes` among n1 and n2 spikes, of all neurons together. It is
    the harmonic mean of the shares of either train's spikes that have a match.

    Parameters
    ----------
    first, second : SpikeTrain, or array
        The same population in two models; or spike times of one neuron in seconds, ascending.
    window : float
        Largest time difference in seconds, >= 0.

    Returns
    -------
    float
        Without unit, from 0 to 1. 1 for two empty trains, which agree.

    Raises
    ------
    InvalidValue, InvalidType
        As :func:`match_spikes`.

    Examples
    --------
    >>> coincidence_f1([0.010, 0.020, 0.030], [0.011, 0.045], window=0.002)
    0.4

    Notes
    -----
    C. J. van Rijsbergen, Information Retrieval, 2nd ed. (1979), chapter 7. The coincidence factor
    of W. M. Kistler, W. Gerstner and J. L. van Hemmen, Neural Comput. 9, 1015 (1997), is made of
    the same counts, with chance coincidences subtracted, which is not done here.
    """
    return match_spikes(first, second, window=window).f1


def time_error(
    first: Train, second: Train, *, window: float, quantile: float = 0.5
) -> float | None:
    """How far matched spikes are apart in time: a quantile of the absolute difference.

    Parameters
    ----------
    first, second : SpikeTrain, or array
        The same population in two models; or spike times of one neuron in seconds, ascending.
    window : float
        Largest time difference of a match in seconds, >= 0; the error cannot be larger.
    quantile : float
        0.5 for the median (default), 0.95 for the error that 95 % of the matches keep within.
        Interpolated linearly between matches.

    Returns
    -------
    float or None
        In seconds. None without a match.

    Raises
    ------
    InvalidValue, InvalidType
        As :func:`match_spikes`; a quantile outside 0 to 1.

    Examples
    --------
    >>> round(time_error([0.010, 0.020], [0.011, 0.017], window=0.005), 6)
    0.002
    """
    return match_spikes(first, second, window=window).time_error(quantile)


def match_grouped(x: Grouped, y: Grouped, window: float) -> tuple[Index, Index]:
    """Pairs of :func:`match_spikes`, as places in the grouped times, neuron after neuron."""
    low, high = _bands(x.times, x.start, y.times, y.start, window)
    # Row i of a neuron holds the best matching of its spikes up to i with those of the other
    # train up to low[i] - 1, low[i], ..., high[i] - 1; beyond these nothing changes.
    row = np.concatenate([[0], np.cumsum(high - low + 1)])
    return _best(x.times, x.start, y.times, y.start, low, high, row)


@njit
def _bands(
    x: Float, x_start: Index, y: Float, y_start: Index, window: float
) -> tuple[Index, Index]:
    """For each spike of x the first spike of y in its window, and the first one beyond."""
    low, high = np.empty(x.size, np.int64), np.empty(x.size, np.int64)
    for neuron in range(x_start.size - 1):
        first = last = y_start[neuron]
        stop = y_start[neuron + 1]
        for i in range(x_start[neuron], x_start[neuron + 1]):
            while first < stop and x[i] - y[first] > window:
                first += 1
            last = max(first, last)
            while last < stop and y[last] - x[i] <= window:
                last += 1
            low[i], high[i] = first, last
    return low, high


@inner
def _better(count: int, cost: float, than_count: int, than_cost: float) -> bool:
    return count > than_count or (count == than_count and cost < than_cost)


@njit
def _best(
    x: Float, x_start: Index, y: Float, y_start: Index, low: Index, high: Index, row: Index
) -> tuple[Index, Index]:
    """Fill the rows of every neuron, then walk back through the choices."""
    counts, costs = np.zeros(row[-1], np.int64), np.zeros(row[-1])
    choice = np.full(row[-1], SKIP_X, np.int8)
    i_found, j_found = np.empty(x.size, np.int64), np.empty(x.size, np.int64)
    found = 0
    for neuron in range(x_start.size - 1):
        begin, end = x_start[neuron], x_start[neuron + 1]
        for i in range(begin, end):
            above = row[i - 1] - low[i - 1] + 1  # column j of the row before is at above + j
            for j in range(low[i] - 1, high[i]):
                here = row[i] + j - low[i] + 1
                count, cost = 0, 0.0
                if i > begin:
                    k = above + min(j, high[i - 1] - 1)
                    count, cost = counts[k], costs[k]
                if j >= low[i]:
                    k = here - 1
                    if _better(counts[k], costs[k], count, cost):
                        count, cost, choice[here] = counts[k], costs[k], SKIP_Y
                    pair_count, pair_cost = 1, abs(x[i] - y[j])
                    if i > begin:
                        k = above + min(j, high[i - 1]) - 1
                        pair_count, pair_cost = pair_count + counts[k], pair_cost + costs[k]
                    if _better(pair_count, pair_cost, count, cost):
                        count, cost, choice[here] = pair_count, pair_cost, PAIR
                counts[here], costs[here] = count, cost
        first, i, j = found, end - 1, y_start[neuron + 1]
        while i >= begin:
            j = min(j, high[i] - 1)
            chosen = choice[row[i] + max(j - low[i] + 1, 0)]
            if chosen == PAIR:
                i_found[found], j_found[found] = i, j
                found += 1
            i -= chosen != SKIP_Y
            j -= chosen != SKIP_X
        for k in range((found - first) // 2):
            front, back = first + k, found - 1 - k
            i_found[front], i_found[back] = i_found[back], i_found[front]
            j_found[front], j_found[back] = j_found[back], j_found[front]
    return i_found[:found], j_found[:found]
