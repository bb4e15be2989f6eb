"""Distributions of times in two models: interspike intervals, or first spikes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.recording import SpikeTrain

__all__ = [
    "KolmogorovSmirnov",
    "first_spike_times",
    "kolmogorov_smirnov",
    "wasserstein_distance",
]

Float = NDArray[np.float64]

#: So many values of either side and fewer: the exact distribution; else the asymptotic one.
EXACT = 1000


@dataclass(frozen=True)
class KolmogorovSmirnov:
    """The two-sample test of Kolmogorov and Smirnov.

    Attributes
    ----------
    statistic : float or None
        Largest difference of the two distribution functions, 0 to 1; None without values on
        either side.
    p_value : float or None
        Probability of at least this difference if both sides were drawn independently from one
        distribution. Intervals of a train, and trains on the same input, are not independent:
        take it as a guide.
    """

    statistic: float | None
    p_value: float | None


def first_spike_times(train: SpikeTrain) -> Float:
    """Time of the first spike of each neuron that spiked.

    Parameters
    ----------
    train : SpikeTrain
        Spikes of one population in one sample.

    Returns
    -------
    array of float64
        In seconds, in the order of the neurons. Silent neurons have no entry
        (:func:`~eventsim.fidelity.metrics.silent_share` tells how many there are).

    Raises
    ------
    InvalidType
        Anything but a SpikeTrain.

    Examples
    --------
    >>> first_spike_times(SpikeTrain([0.1, 0.2, 0.3], [4, 1, 4]))
    array([0.2, 0.1])
    """
    if not isinstance(train, SpikeTrain):
        raise InvalidType(
            f"first_spike_times: train: expected a SpikeTrain, got {type(train).__name__}"
        )
    return train.times[np.unique(train.senders, return_index=True)[1]]


def kolmogorov_smirnov(first: ArrayLike, second: ArrayLike) -> KolmogorovSmirnov:
    r"""Kolmogorov-Smirnov distance of two samples of times, with its test.

    .. math:: D = \max_t |F(t) - G(t)|

    with the shares F and G of values up to t.

    Parameters
    ----------
    first, second : array
        Interspike intervals (:func:`~eventsim.fidelity.metrics.isi`), first-spike times
        (:func:`first_spike_times`) or any other numbers of two models, in any order.

    Returns
    -------
    KolmogorovSmirnov
        Without unit. The p-value is exact up to 1,000 values on either side, else asymptotic.

    Raises
    ------
    InvalidValue, InvalidType
        Entries that are not finite numbers.

    Examples
    --------
    >>> kolmogorov_smirnov([0.001, 0.002, 0.003], [0.002, 0.003, 0.004]).statistic
    0.3333333333333333
    >>> kolmogorov_smirnov([], [0.001])
    KolmogorovSmirnov(statistic=None, p_value=None)

    Notes
    -----
    By ``scipy.stats.ks_2samp``. N. Smirnov, Ann. Math. Stat. 19, 279 (1948).
    """
    where = "kolmogorov_smirnov"
    x, y = _values(where, "first", first), _values(where, "second", second)
    if not x.size or not y.size:
        return KolmogorovSmirnov(None, None)
    from scipy.stats import ks_2samp  # takes most of a second to import

    method = "exact" if max(x.size, y.size) <= EXACT else "asymp"
    with warnings.catch_warnings():
        # Where its exact p-value is rounded to above 1, SciPy says so and takes the other.
        warnings.simplefilter("ignore", RuntimeWarning)
        found = ks_2samp(x, y, method=method)
    return KolmogorovSmirnov(float(found.statistic), float(found.pvalue))


def wasserstein_distance(first: ArrayLike, second: ArrayLike) -> float | None:
    r"""Wasserstein distance of two samples of times: how far values must be moved on average.

    .. math:: W = \int_{-\infty}^\infty |F(t) - G(t)| \, dt

    with the shares F and G of values up to t.

    Parameters
    ----------
    first, second : array
        As for :func:`kolmogorov_smirnov`.

    Returns
    -------
    float or None
        In the unit of the values. None without values on either side.

    Raises
    ------
    InvalidValue, InvalidType
        Entries that are not finite numbers.

    Examples
    --------
    >>> wasserstein_distance([0.0, 1.0, 3.0], [5.0, 6.0, 8.0])
    5.0

    Notes
    -----
    Of order 1, also called the earth mover's distance, by ``scipy.stats.wasserstein_distance``.
    L. N. Vaserstein, Probl. Peredachi Inf. 5 (3), 64 (1969).
    """
    where = "wasserstein_distance"
    x, y = _values(where, "first", first), _values(where, "second", second)
    if not x.size or not y.size:
        return None
    from scipy.stats import wasserstein_distance as distance

    return float(distance(x, y))


def _values(where: str, field: str, values: ArrayLike) -> Float:
    array = checks.real_array(where, field, values).astype(np.float64).ravel()
    checks.finite(where, field, array)
    return array
