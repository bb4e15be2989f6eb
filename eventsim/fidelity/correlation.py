"""Correlation of two models in time: in bins, and over time differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.encode import to_steps
from eventsim.fidelity.activity import count_correlation
from eventsim.fidelity.trains import both_trains, by_neuron
from eventsim.jit import njit
from eventsim.recording import SpikeTrain

__all__ = ["CrossCorrelogram", "correlation_coefficient", "cross_correlation_histogram", "latency"]

Float = NDArray[np.float64]
Index = NDArray[np.int64]
Train = SpikeTrain | ArrayLike


@dataclass(frozen=True, eq=False)
class CrossCorrelogram:
    """Pairs of spikes by their time difference.

    Attributes
    ----------
    lags : array of float64 [bin]
        Middles of the bins in seconds; above 0 where the second train is later.
    counts : array of int64 [bin]
        Pairs in each bin.
    sums : array of float64 [bin]
        Sum of the time differences in each bin, in seconds.
    """

    lags: Float
    counts: Index
    sums: Float


def correlation_coefficient(
    first: Train, second: Train, *, bin_size: float, bins: int, n: int | None = None
) -> float | None:
    """Pearson's r of the spike counts in bins, over all bins and neurons.

    Parameters
    ----------
    first, second : SpikeTrain, or array
        The same population in two models; or spike times of one neuron in seconds, ascending.
    bin_size : float
        Length of a bin in seconds, > 0. Bin k counts times in
        ``[k bin_size, (k + 1) bin_size)``.
    bins : int
        Number of bins, the first of which begins at 0.
    n : int, optional
        Neurons of the population, needed for a SpikeTrain since silent neurons count too.

    Returns
    -------
    float or None
        Without unit. None where one side has the same count in each bin of each neuron.

    Raises
    ------
    InvalidValue, InvalidType
        Spikes outside the bins (``SpikeTrain.between`` cuts a train), a sender that is no neuron,
        no ``n`` for a SpikeTrain, one train and one array.

    Examples
    --------
    >>> round(correlation_coefficient([0.1, 1.2, 1.7], [0.2, 1.1], bin_size=0.5, bins=4), 4)
    0.5774

    Notes
    -----
    Elephant's function of the same name gives the matrix of the neurons of one record. D. H.
    Perkel, G. L. Gerstein and G. P. Moore, Biophys. J. 7, 419 (1967), for what it measures.
    """
    where = "correlation_coefficient"
    a, b = both_trains(where, first, second)
    if n is None:
        if isinstance(first, SpikeTrain):
            raise checks.fail(where, "n", "the number of neurons", "None")
        n = 1
    return count_correlation(to_steps(a, n, bin_size, bins), to_steps(b, n, bin_size, bins))


def cross_correlation_histogram(
    first: Train, second: Train, *, bin_size: float, max_lag: float
) -> CrossCorrelogram:
    """Histogram of time differences between spikes of the same neuron in two models.

    Parameters
    ----------
    first, second : SpikeTrain, or array
        The same population in two models; or spike times of one neuron in seconds, ascending.
    bin_size : float
        Length of a bin in seconds, > 0. Bins are centred on multiples of it, and hold their left
        edge.
    max_lag : float
        Largest middle of a bin in seconds, >= 0.

    Returns
    -------
    CrossCorrelogram

    Raises
    ------
    InvalidValue, InvalidType
        Times that are not finite or do not ascend, one train and one array, or a length out of
        range.

    Examples
    --------
    >>> found = cross_correlation_histogram([0.0, 1.0], [0.25, 1.25], bin_size=0.25, max_lag=0.5)
    >>> found.lags
    array([-0.5 , -0.25,  0.  ,  0.25,  0.5 ])
    >>> found.counts
    array([0, 0, 0, 2, 0])

    Notes
    -----
    D. H. Perkel, G. L. Gerstein and G. P. Moore, Biophys. J. 7, 419 (1967). Elephant's function
    of the same name takes trains that are in bins already.
    """
    where = "cross_correlation_histogram"
    a, b = both_trains(where, first, second)
    width = checks.positive(where, "bin_size", bin_size)
    limit = checks.scalar(where, "max_lag", max_lag)
    if limit < 0:
        raise checks.fail(where, "max_lag", "seconds >= 0", limit)
    side = int(limit / width * (1 + 1e-12))
    n = 1 + int(max(a.senders.max(initial=-1), b.senders.max(initial=-1)))
    x, y = by_neuron(where, "first", a, n), by_neuron(where, "second", b, n)
    counts, sums = _histogram(x.times, x.start, y.times, y.start, width, side)
    return CrossCorrelogram(width * np.arange(-side, side + 1.0), counts, sums)


def latency(first: Train, second: Train, *, bin_size: float, max_lag: float) -> float | None:
    """Time by which the second model is late: the peak of the cross-correlogram.

    Parameters
    ----------
    first, second : SpikeTrain, or array
        The same population in two models; or spike times of one neuron in seconds, ascending.
    bin_size : float
        Length of a bin in seconds, > 0.
    max_lag : float
        Largest middle of a bin in seconds, >= 0.

    Returns
    -------
    float or None
        In seconds; below 0 where the second model is early. The mean of the time differences in
        the fullest bin of :func:`cross_correlation_histogram`; of equally full bins the one
        nearest to 0, and of two equally near the later one. None without a pair of spikes.

    Raises
    ------
    InvalidValue, InvalidType
        As :func:`cross_correlation_histogram`.

    Examples
    --------
    >>> round(latency([0.010, 0.031], [0.012, 0.033], bin_size=0.001, max_lag=0.01), 6)
    0.002

    Notes
    -----
    D. H. Perkel, G. L. Gerstein and G. P. Moore, Biophys. J. 7, 419 (1967).
    """
    found = cross_correlation_histogram(first, second, bin_size=bin_size, max_lag=max_lag)
    most = found.counts.max()
    if not most:
        return None
    side = len(found.counts) // 2
    peak = min(np.flatnonzero(found.counts == most), key=lambda k: (abs(k - side), k < side))
    return float(found.sums[peak] / most)


@njit
def _histogram(
    x: Float, x_start: Index, y: Float, y_start: Index, width: float, side: int
) -> tuple[Index, Float]:
    """Pairs of the same neuron whose bin is at most ``side`` away from the middle one."""
    counts, sums = np.zeros(2 * side + 1, np.int64), np.zeros(2 * side + 1)
    for neuron in range(x_start.size - 1):
        first, stop = y_start[neuron], y_start[neuron + 1]
        for i in range(x_start[neuron], x_start[neuron + 1]):
            while first < stop and np.floor((y[first] - x[i]) / width + 0.5) < -side:
                first += 1
            for j in range(first, stop):
                lag = np.floor((y[j] - x[i]) / width + 0.5)
                if lag > side:
                    break
                counts[int(lag) + side] += 1
                sums[int(lag) + side] += y[j] - x[i]
    return counts, sums
