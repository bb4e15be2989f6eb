"""Classes of two models on the same samples: accuracy, agreement, ties and margins.

The tie rule is that of :func:`eventsim.decode.classes`: of the neurons with most spikes the lowest
index wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks, decode
from eventsim.fidelity.shares import Share, share, two_samples

__all__ = [
    "ClassRow",
    "accuracy",
    "agreement",
    "expected_accuracy",
    "margins",
    "per_class",
    "tie_share",
]

Array = NDArray[Any]


@dataclass(frozen=True)
class ClassRow:
    """How the samples of one true class fare in two models."""

    label: int
    samples: int
    reference: float | None
    accuracy: float | None
    agreement: float | None
    predicted: int


def accuracy(labels: ArrayLike, predicted: ArrayLike) -> Share:
    """Share of samples whose predicted class is their label, with its Wilson interval.

    Parameters
    ----------
    labels, predicted : array of int [sample]
        True and predicted classes.

    Returns
    -------
    Share
        Its value is None without samples.

    Raises
    ------
    InvalidValue
        Arrays of different lengths.

    Examples
    --------
    >>> accuracy([0, 1, 2, 2], [0, 1, 1, 2]).value
    0.75
    """
    return share(_same("accuracy", labels, predicted))


def agreement(first: ArrayLike, second: ArrayLike) -> Share:
    """Share of samples to which two models give the same class, right or wrong.

    Parameters
    ----------
    first, second : array of int [sample]
        Classes that the two models give to the same samples.

    Returns
    -------
    Share
        With its Wilson interval; its value is None without samples.

    Raises
    ------
    InvalidValue
        Arrays of different lengths.

    Examples
    --------
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

    Raises
    ------
    InvalidValue, InvalidType
        Labels that are no indices of output neurons, or not one for each sample.

    Examples
    --------
    Of three neurons that tie, one is right; the other sample has no tie.

    >>> expected_accuracy([0, 1], [[2, 2, 2], [0, 3, 1]])
    0.6666666666666666
    """
    scores = np.asarray(counts)
    if scores.ndim != 2:
        raise checks.fail(
            "expected_accuracy", "counts", "shape [sample, n]", f"shape {scores.shape}"
        )
    true = checks.index_array("expected_accuracy", "labels", labels)
    if len(true) != len(scores):
        raise checks.fail("expected_accuracy", "labels", f"{len(scores)} labels", len(true))
    if not len(true):
        return None
    _below("expected_accuracy", "labels", true, scores.shape[1])
    best = scores == scores.max(axis=1, keepdims=True)
    return float(np.mean(best[np.arange(len(true)), true] / best.sum(axis=1)))


def tie_share(counts: ArrayLike) -> Share:
    """Share of samples whose largest output count is that of several neurons.

    The class of such a sample hangs on the tie rule: the lowest index wins. A sample without any
    output spike is a tie of all neurons.

    Parameters
    ----------
    counts : array [sample, n]
        Output spike counts.

    Returns
    -------
    Share
        Its value is None without samples.

    Raises
    ------
    InvalidValue, InvalidType
        As :func:`eventsim.decode.ties`.

    Examples
    --------
    >>> tie_share([[0, 2, 1], [3, 0, 3], [0, 0, 0], [1, 0, 0]]).value
    0.5
    """
    values = np.asarray(counts)
    return share(decode.ties(values) if len(values) else [])


def margins(
    counts: ArrayLike, chosen: ArrayLike | None = None, other: ArrayLike | None = None
) -> Array:
    """Spikes by which one output neuron leads another, for each sample.

    Parameters
    ----------
    counts : array [sample, n]
        Output spike counts, or any finite scores.
    chosen : array of int [sample], optional
        The neuron that leads. Default: the class, ties to the lowest index. With the true labels
        the margin is below 0 for samples whose answer is wrong beyond the tie rule.
    other : array of int [sample], optional
        The neuron that is led. Default: the best one besides ``chosen``.

    Returns
    -------
    array of int64 or float64 [sample]
        In the unit of ``counts``. 0 means a tie.

    Raises
    ------
    InvalidValue, InvalidType
        Neurons that do not exist, not one for each sample, or a single output neuron where the
        best of the others is asked for.

    Examples
    --------
    >>> counts = [[5, 2, 3], [1, 1, 0]]
    >>> margins(counts)
    array([2, 0])
    >>> margins(counts, chosen=[1, 1])
    array([-3,  0])
    >>> margins(counts, chosen=[0, 0], other=[1, 2])
    array([3, 1])
    """
    where = "margins"
    given = np.asarray(counts)
    values = given.astype(np.float64 if given.dtype.kind == "f" else np.int64)
    leaders = decode.classes(values)
    if chosen is not None:
        leaders = _neurons(where, "chosen", chosen, values)
    rows = np.arange(len(values))
    if other is not None:
        return values[rows, leaders] - values[rows, _neurons(where, "other", other, values)]
    if values.shape[1] < 2:
        raise checks.fail(where, "counts", "at least two output neurons", values.shape[1])
    rest = np.ones(values.shape, dtype=bool)
    rest[rows, leaders] = False
    return values[rows, leaders] - values[rest].reshape(len(values), values.shape[1] - 1).max(
        axis=1
    )


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
    true, first = two_samples("per_class", np.asarray(labels), np.asarray(reference))
    _, second = two_samples("per_class", true, np.asarray(predicted))
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
    a, b = two_samples(where, np.asarray(first), np.asarray(second))
    return np.asarray(a == b)


def _neurons(where: str, field: str, indices: ArrayLike, scores: Array) -> NDArray[np.int64]:
    """One output neuron for each sample."""
    found = checks.index_array(where, field, indices)
    if len(found) != len(scores):
        raise checks.fail(where, field, f"{len(scores)}, one for each sample", len(found))
    _below(where, field, found, scores.shape[1])
    return found


def _below(where: str, field: str, indices: NDArray[np.int64], n: int) -> None:
    wrong = np.flatnonzero(indices >= n)
    if wrong.size:
        k = int(wrong[0])
        raise checks.fail(where, f"{field}[{k}]", f"an output neuron below {n}", int(indices[k]))
