"""Shares of samples with their intervals, and the test of two models on the same samples.

``scipy.stats`` has the interval and the test used here, but takes a second to import, a third of a
short comparison; they are written out on the standard library and tested against it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks

__all__ = [
    "LEVEL", "Difference", "McNemar", "Share", "mcnemar", "mean_share", "paired_difference",
    "share",
]  # fmt: skip

Array = NDArray[Any]

#: Coverage of intervals unless told otherwise.
LEVEL = 0.95


@dataclass(frozen=True)
class Share:
    """A share of samples with its Wilson score interval.

    Attributes
    ----------
    count, total : int
        Samples that have the property, and all samples.
    value : float or None
        ``count / total``; None when ``total`` is 0.
    low, high : float
        Ends of the interval; 0 and 1 when ``total`` is 0, for nothing is known.
    """

    count: int
    total: int
    value: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A mean paired difference of shares with its interval, each between -1 and 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class McNemar:
    """Samples that only one of two models gets right, and McNemar's exact test.

    Attributes
    ----------
    lost, gained : int
        Samples that only the first, or only the second model gets right.
    p_value : float
        Two-sided probability of a split at least as uneven if both were equally good; 1 when
        there are no such samples.
    """

    lost: int
    gained: int
    p_value: float


def _quantile(level: float) -> float:
    """Half width, in standard deviations, of the interval that holds ``level`` of a normal."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def share(mask: ArrayLike, level: float = LEVEL) -> Share:
    """Share of true entries with the Wilson score interval.

    Parameters
    ----------
    mask : array of bool
        One entry for each sample.
    level : float
        Coverage of the interval, between 0 and 1. Default 0.95.

    Returns
    -------
    Share

    Examples
    --------
    >>> s = share([True, True, False, True])
    >>> s.value, round(s.low, 3), round(s.high, 3)
    (0.75, 0.301, 0.954)
    >>> share([])
    Share(count=0, total=0, value=None, low=0.0, high=1.0)

    Notes
    -----
    E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927). With the share p of n samples and the normal
    quantile z the ends are (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n).
    """
    values = np.asarray(mask, dtype=bool)
    count, total = int(values.sum()), int(values.size)
    if total == 0:
        return Share(0, 0, None, 0.0, 1.0)
    return Share(count, total, count / total, *_wilson(count / total, total, level))


def mean_share(shares: Sequence[Share], level: float = LEVEL) -> Share:
    """Mean share of several runs on the same samples, with the interval of a single run.

    Runs on the same samples say nothing about other samples, so the interval is no narrower than
    that of one.

    Parameters
    ----------
    shares : sequence of Share
        At least one, all of as many samples.
    level : float
        Coverage of the interval. Default 0.95.

    Returns
    -------
    Share
        Its count is rounded. Its value is None without samples.

    Examples
    --------
    >>> mean_share([share([True, False]), share([True, True])]).value
    0.75
    """
    total = shares[0].total
    if total == 0:
        return shares[0]
    value = math.fsum(s.value or 0.0 for s in shares) / len(shares)
    return Share(round(value * total), total, value, *_wilson(value, total, level))


def _wilson(value: float, total: int, level: float) -> tuple[float, float]:
    """Ends of the score interval of a share."""
    z2 = _quantile(level) ** 2 / total
    middle = (value + z2 / 2) / (1 + z2)
    half = math.sqrt(z2 * (value * (1 - value) + z2 / 4)) / (1 + z2)
    # The ends may miss a share of 0 or 1 by a rounding error.
    return max(0.0, min(middle - half, value)), min(1.0, max(middle + half, value))


def mcnemar(first: ArrayLike, second: ArrayLike) -> McNemar:
    """McNemar's exact test of two models on the same samples.

    Parameters
    ----------
    first, second : array of bool [sample]
        Which samples each model gets right.

    Returns
    -------
    McNemar

    Raises
    ------
    InvalidValue
        Arrays of different lengths.

    Examples
    --------
    >>> mcnemar([1, 1, 1, 1, 0, 1], [1, 0, 0, 0, 1, 1])
    McNemar(lost=3, gained=1, p_value=0.625)
    >>> mcnemar([], [])
    McNemar(lost=0, gained=0, p_value=1.0)

    Notes
    -----
    Q. McNemar, Psychometrika 12, 153 (1947): a binomial test of the discordant pairs.
    """
    a, b = two_samples("mcnemar", np.asarray(first, dtype=bool), np.asarray(second, dtype=bool))
    lost, gained = int((a & ~b).sum()), int((b & ~a).sum())
    if lost + gained == 0:
        return McNemar(0, 0, 1.0)
    pairs = lost + gained
    ways = tail = 1
    for k in range(min(lost, gained)):
        ways = ways * (pairs - k) // (k + 1)
        tail += ways
    return McNemar(lost, gained, min(1.0, 2 * tail / 2**pairs))


def paired_difference(first: ArrayLike, second: ArrayLike, level: float = LEVEL) -> Difference:
    r"""Mean of ``second - first`` over the same samples, with its interval.

    With :math:`d_i` between -1 and 1 the difference of sample i, and one pseudo-observation of
    0.5 in each cell of the two-by-two table,

    .. math:: \tilde d = \frac{\sum d_i}{n + 2}, \qquad
        \tilde d \pm z \sqrt{\frac{(\sum d_i^2 + 1)/(n + 2) - \tilde d^2}{n + 2}}

    so that the interval has a width even when no sample differs.

    Parameters
    ----------
    first, second : array of bool or float [sample]
        For each sample whether a model has the property, or its share of runs that have it.
    level : float
        Coverage of the interval. Default 0.95.

    Returns
    -------
    Difference
        ``value`` is the plain mean; 0 in the interval -1 to 1 without samples.

    Raises
    ------
    InvalidValue
        Arrays of different lengths.

    Examples
    --------
    >>> d = paired_difference([1] * 80 + [0] * 20, [1] * 76 + [0] * 24)
    >>> round(d.value, 3), round(d.low, 3), round(d.high, 3)
    (-0.04, -0.082, 0.003)

    Notes
    -----
    A. Agresti and Y. Min, Statistics in Medicine 24, 729 (2005). SciPy has no interval for
    paired shares.
    """
    where = "paired_difference"
    a, b = two_samples(
        where, np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    )
    n = a.size
    if n == 0:
        return Difference(0.0, -1.0, 1.0)
    d = b - a
    total = math.fsum(d)
    middle = total / (n + 2)
    variance = (math.fsum(d * d) + 1) / (n + 2) - middle**2
    half = _quantile(level) * math.sqrt(max(variance, 0.0) / (n + 2))
    value = total / n
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    return Difference(value, min(low, value), max(high, value))


def two_samples(where: str, first: Array, second: Array) -> tuple[Array, Array]:
    """The same arrays, which have one entry for each sample."""
    if first.ndim != 1 or first.shape != second.shape:
        raise checks.fail(
            where, "arrays", "two of one axis and equal length",
            f"shapes {first.shape} and {second.shape}",
        )  # fmt: skip
    return first, second
