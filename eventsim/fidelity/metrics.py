"""From records to numbers: what two models of one network have in common.

Pure functions of arrays. None of them returns NaN: where data are missing, or a quotient has no
value, the result is None, and the function says when. Intervals cover 95 % unless told otherwise.

``scipy.stats`` has the intervals and the test used here, but takes a second to import, a third of a
short comparison; they are written out on the standard library and tested against it.

Rates, counts and intervals are in :mod:`eventsim.fidelity.activity` and are found here too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks, decode
from eventsim.fidelity.activity import (
    CountSums,
    Moments,
    cv,
    isi,
    rate,
    saturated_share,
    silent_share,
)

__all__ = [
    "ClassRow",
    "CountSums",
    "Difference",
    "McNemar",
    "Moments",
    "Share",
    "accuracy",
    "agreement",
    "cv",
    "expected_accuracy",
    "isi",
    "margins",
    "mcnemar",
    "paired_difference",
    "per_class",
    "rate",
    "share",
    "silent_share",
    "saturated_share",
    "tie_share",
]

Array = NDArray[Any]
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


@dataclass(frozen=True)
class ClassRow:
    """How the samples of one true class fare in two models."""

    label: int
    samples: int
    reference: float | None
    accuracy: float | None
    agreement: float | None
    predicted: int


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
    value = count / total
    z2 = _quantile(level) ** 2 / total
    middle = (value + z2 / 2) / (1 + z2)
    half = math.sqrt(z2 * (value * (1 - value) + z2 / 4)) / (1 + z2)
    # The ends may miss a share of 0 or 1 by a rounding error.
    return Share(
        count,
        total,
        value,
        max(0.0, min(middle - half, value)),
        min(1.0, max(middle + half, value)),
    )


def accuracy(labels: ArrayLike, predicted: ArrayLike) -> Share:
    """Share of samples whose predicted class is their label.

    >>> accuracy([0, 1, 2, 2], [0, 1, 1, 2]).value
    0.75
    """
    return share(_same("accuracy", labels, predicted))


def agreement(first: ArrayLike, second: ArrayLike) -> Share:
    """Share of samples to which two models give the same class, right or wrong.

    >>> agreement([0, 1, 1, 2], [0, 1, 0, 2]).value
    0.75
    """
    return share(_same("agreement", first, second))


def expected_accuracy(labels: ArrayLike, counts: ArrayLike) -> float | None:
    """Accuracy to be expected if ties for the largest count were broken by lot.

    Parameters
    ----------
    labels : array of int [sample]
        True classes.
    counts : array [sample, n]
        Output spike counts.

    Returns
    -------
    float or None
        None without samples.

    Examples
    --------
    Of three neurons that tie, one is right; the other sample has no tie.

    >>> expected_accuracy([0, 1], [[2, 2, 2], [0, 3, 1]])
    0.6666666666666666
    """
    scores = np.asarray(counts)
    true = checks.index_array("expected_accuracy", "labels", labels)
    if len(true) != len(scores):
        raise checks.fail("expected_accuracy", "labels", f"{len(scores)} labels", len(true))
    if not len(true):
        return None
    best = scores == scores.max(axis=1, keepdims=True)
    return float(np.mean(best[np.arange(len(true)), true] / best.sum(axis=1)))


def mcnemar(first: ArrayLike, second: ArrayLike) -> McNemar:
    """McNemar's exact test of two models on the same samples.

    Parameters
    ----------
    first, second : array of bool [sample]
        Which samples each model gets right.

    Returns
    -------
    McNemar

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
    a, b = _two("mcnemar", np.asarray(first, dtype=bool), np.asarray(second, dtype=bool))
    lost, gained = int((a & ~b).sum()), int((b & ~a).sum())
    if lost + gained == 0:
        return McNemar(0, 0, 1.0)
    pairs = lost + gained
    tail = sum(math.comb(pairs, k) for k in range(min(lost, gained) + 1)) / 2**pairs
    return McNemar(lost, gained, min(1.0, 2 * tail))


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
    a, b = _two(where, np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64))
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


def tie_share(counts: ArrayLike) -> Share:
    """Share of samples whose largest output count is that of several neurons.

    The class of such a sample hangs on the tie rule: the lowest index wins. A sample without any
    output spike is a tie of all neurons.

    >>> tie_share([[0, 2, 1], [3, 0, 3], [0, 0, 0], [1, 0, 0]]).value
    0.5
    """
    values = np.asarray(counts)
    return share(decode.ties(values) if len(values) else [])


def margins(counts: ArrayLike, chosen: ArrayLike, other: ArrayLike) -> NDArray[np.int64]:
    """Spikes by which one output neuron leads another, for each sample.

    >>> margins([[5, 2], [1, 1]], chosen=[0, 0], other=[1, 1])
    array([3, 0])
    """
    values, rows = np.asarray(counts), np.arange(len(np.asarray(counts)))
    lead = values[rows, np.asarray(chosen)] - values[rows, np.asarray(other)]
    return np.asarray(lead, dtype=np.int64)


def per_class(
    labels: ArrayLike, reference: ArrayLike, predicted: ArrayLike, n_classes: int
) -> tuple[ClassRow, ...]:
    """For each class: its samples, the accuracy of two models on them, and their agreement.

    Parameters
    ----------
    labels : array of int [sample]
        True classes.
    reference, predicted : array of int [sample]
        Classes from the reference and from the model in question.
    n_classes : int
        Number of classes.

    Returns
    -------
    tuple of ClassRow
        Shares are None for a class without samples; ``predicted`` is how many samples of any
        class the model gives this one.

    Examples
    --------
    >>> row = per_class([0, 1, 1], reference=[0, 1, 0], predicted=[0, 0, 0], n_classes=2)[1]
    >>> row.samples, row.reference, row.accuracy, row.agreement, row.predicted
    (2, 0.5, 0.0, 0.5, 0)
    """
    true, first = _two("per_class", np.asarray(labels), np.asarray(reference))
    _, second = _two("per_class", true, np.asarray(predicted))
    rows = []
    for label in range(n_classes):
        here = true == label
        n = int(here.sum())
        before, after, both = (
            float(np.mean(mask[here])) if n else None
            for mask in (first == label, second == label, first == second)
        )
        rows.append(ClassRow(label, n, before, after, both, int((second == label).sum())))
    return tuple(rows)


def _same(where: str, first: ArrayLike, second: ArrayLike) -> Array:
    a, b = _two(where, np.asarray(first), np.asarray(second))
    return np.asarray(a == b)


def _two(where: str, first: Array, second: Array) -> tuple[Array, Array]:
    if first.ndim != 1 or first.shape != second.shape:
        raise checks.fail(
            where, "arrays", "two of one axis and equal length",
            f"shapes {first.shape} and {second.shape}",
        )  # fmt: skip
    return first, second
