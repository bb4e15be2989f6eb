"""Distances of two spike trains of one neuron that have a time scale to choose."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.fidelity.trains import spike_times
from eventsim.jit import njit

__all__ = ["van_rossum_distance", "victor_purpura_distance"]

Float = NDArray[np.float64]


def victor_purpura_distance(first: ArrayLike, second: ArrayLike, *, cost_factor: float) -> float:
    r"""Victor-Purpura distance, the least cost of turning one train into the other.

    To add or remove a spike costs 1, to move one from t to t' costs
    :math:`q \, |t - t'|` with the ``cost_factor`` q. Spikes further apart than 2 / q are never
    moved onto each other.

    Parameters
    ----------
    first, second : array
        Spike times of one neuron in seconds, ascending.
    cost_factor : float
        q in 1/s, >= 0. At 0 the distance is the difference of the counts; at ``inf`` the number
        of spikes that have no twin at the same time. (Elephant's at ``inf`` counts these too.)

    Returns
    -------
    float
        In units of one added spike; 0 for two empty trains. A metric: symmetric, 0 only for
        equal trains where q > 0, and the triangle inequality holds.

    Raises
    ------
    InvalidValue, InvalidType
        Times that are not finite or do not ascend; a negative cost.

    Examples
    --------
    >>> victor_purpura_distance([0.010, 0.020], [0.012], cost_factor=100.0)
    1.2

    Notes
    -----
    :math:`D^\mathrm{spike}[q]` of J. D. Victor and K. P. Purpura, J. Neurophysiol. 76, 1310
    (1996), and Network 8, 127 (1997), whose recursion is used: time and memory grow with the
    product and the length of the trains.
    """
    where = "victor_purpura_distance"
    x, y = spike_times(where, "first", first), spike_times(where, "second", second)
    if isinstance(cost_factor, float) and cost_factor == math.inf:
        return float(x.size + y.size - 2 * _twins(x, y))
    cost = checks.scalar(where, "cost_factor", cost_factor)
    if cost < 0:
        raise checks.fail(where, "cost_factor", "a number >= 0 in 1/s", cost)
    # The same order of the operations whichever train comes first.
    return float(_least_cost(*((x, y) if x.size >= y.size else (y, x)), cost))


def van_rossum_distance(first: ArrayLike, second: ArrayLike, *, time_constant: float) -> float:
    r"""Van Rossum distance: the trains filtered by a decaying exponential, and their difference.

    .. math::

        D^2 = \frac{1}{t_c} \int_{-\infty}^\infty (f(t) - g(t))^2 \, dt, \qquad
        f(t) = \sum_{t_i \le t} e^{-(t - t_i) / t_c}

    A train of one spike is :math:`\sqrt{1/2}` away from an empty one.

    Parameters
    ----------
    first, second : array
        Spike times of one neuron in seconds, ascending.
    time_constant : float
        :math:`t_c` in seconds, > 0.

    Returns
    -------
    float
        D, without unit; 0 for two empty trains. A metric.

    Raises
    ------
    InvalidValue, InvalidType
        Times that are not finite or do not ascend; a time constant that is not above 0.

    Examples
    --------
    >>> round(van_rossum_distance([0.010], [], time_constant=0.005) ** 2, 12)
    0.5
    >>> van_rossum_distance([0.010], [0.010], time_constant=0.005)
    0.0

    Notes
    -----
    M. C. W. van Rossum, Neural Comput. 13, 751 (2001), with the normalization of that paper.
    Elephant's function of the same name leaves its 1/2 out and is :math:`\sqrt 2` times as large.
    The integral is summed from spike to spike in closed form, so that nothing cancels.
    """
    where = "van_rossum_distance"
    x, y = spike_times(where, "first", first), spike_times(where, "second", second)
    return math.sqrt(_squared_area(x, y, checks.positive(where, "time_constant", time_constant)))


@njit
def _least_cost(x: Float, y: Float, cost: float) -> float:
    """The recursion over the first i spikes of x and the first j of y, row by row."""
    row = np.arange(y.size + 1.0)
    for i in range(x.size):
        corner, row[0] = row[0], i + 1.0
        for j in range(y.size):
            moved = corner + cost * abs(x[i] - y[j])
            corner = row[j + 1]
            row[j + 1] = min(moved, min(corner, row[j]) + 1.0)
    return row[-1]


@njit
def _twins(x: Float, y: Float) -> int:
    """Pairs of spikes at the same time."""
    i = j = found = 0
    while i < x.size and j < y.size:
        if x[i] == y[j]:
            found, i, j = found + 1, i + 1, j + 1
        elif x[i] < y[j]:
            i += 1
        else:
            j += 1
    return found


@njit
def _squared_area(x: Float, y: Float, tau: float) -> float:
    """Integral of the squared difference over tau: between spikes it decays from its height."""
    i = j = 0
    area = height = t = 0.0
    while i < x.size or j < y.size:
        mine = j == y.size or (i < x.size and x[i] <= y[j])
        spike = x[i] if mine else y[j]
        if height != 0.0:
            area -= height * height * np.expm1(-2.0 * (spike - t) / tau)
            height *= np.exp(-(spike - t) / tau)
        t = spike
        if j < y.size and i < x.size and x[i] == y[j]:  # they cancel without a rounding error
            i, j = i + 1, j + 1
        elif mine:
            height, i = height + 1.0, i + 1
        else:
            height, j = height - 1.0, j + 1
    return 0.5 * (area + height * height)
