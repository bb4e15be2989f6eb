"""From output spikes to classes, and how often the answer hangs on the tie rule.

A class is the output neuron with most spikes. When several have most, the lowest index wins,
as in ``numpy.argmax``. Ties are common with short trains, so :func:`ties` should be reported
beside every accuracy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.errors import InvalidType

__all__ = ["accuracy", "classes", "confusion_matrix", "count", "silent", "ties"]

Array = NDArray[Any]


def count(spikes: ArrayLike) -> NDArray[np.int64]:
    """Spikes of each neuron in a presentation.

    Parameters
    ----------
    spikes : array [sample, step, n]
        Spikes in steps, integers >= 0.

    Returns
    -------
    array of int64 [sample, n]

    Raises
    ------
    InvalidValue, InvalidType
        Another shape, negative or non-integer entries.

    Examples
    --------
    >>> count([[[1, 0], [1, 1]]])
    array([[2, 1]])
    """
    array = np.asarray(spikes)
    if array.dtype.kind not in "iub":
        raise InvalidType(f"count: spikes: expected integers, got dtype {array.dtype}")
    if array.ndim != 3:
        raise checks.fail("count", "spikes", "shape [sample, step, n]", f"shape {array.shape}")
    checks.non_negative("count", "spikes", array)
    return array.sum(axis=1, dtype=np.int64)


def classes(counts: ArrayLike) -> NDArray[np.int64]:
    """Class of each sample: the neuron with the largest count, ties to the lowest index.

    Parameters
    ----------
    counts : array [sample, n]
        Spike counts, or any finite scores.

    Returns
    -------
    array of int64 [sample]

    Raises
    ------
    InvalidValue, InvalidType
        Another shape, or entries that are not finite numbers.

    Examples
    --------
    >>> classes([[0, 2, 1], [3, 0, 3], [0, 0, 0]])
    array([1, 0, 0])
    """
    return np.argmax(_scores("classes", counts), axis=1).astype(np.int64)


def ties(counts: ArrayLike) -> NDArray[np.bool_]:
    """Whether the largest count of a sample is shared by several neurons.

    Samples without any spike are ties of all neurons; :func:`silent` tells them apart.

    Parameters
    ----------
    counts : array [sample, n]
        Spike counts, or any finite scores.

    Returns
    -------
    array of bool [sample]

    Raises
    ------
    InvalidValue, InvalidType
        As :func:`classes`.

    Examples
    --------
    >>> ties([[0, 2, 1], [3, 0, 3], [0, 0, 0]])
    array([False,  True,  True])
    """
    scores = _scores("ties", counts)
    return np.asarray((scores == scores.max(axis=1, keepdims=True)).sum(axis=1) > 1)


def silent(counts: ArrayLike) -> NDArray[np.bool_]:
    """Whether no neuron of a sample spiked.

    Parameters
    ----------
    counts : array [sample, n]
        Spike counts.

    Returns
    -------
    array of bool [sample]

    Raises
    ------
    InvalidValue, InvalidType
        As :func:`classes`.

    Examples
    --------
    >>> silent([[0, 2, 1], [0, 0, 0]])
    array([False,  True])
    """
    return np.asarray((_scores("silent", counts) == 0).all(axis=1))


def accuracy(labels: ArrayLike, predicted: ArrayLike) -> float:
    """Share of samples whose predicted class is their label.

    Parameters
    ----------
    labels, predicted : array of int [sample]
        True and predicted classes, >= 0.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    InvalidValue, InvalidType
        Different lengths, no samples, negative or non-integer classes.

    Examples
    --------
    >>> accuracy([0, 1, 2, 2], [0, 1, 1, 2])
    0.75
    """
    true, given = _pair("accuracy", labels, predicted)
    return float(np.mean(true == given))


def confusion_matrix(
    labels: ArrayLike, predicted: ArrayLike, n_classes: int | None = None
) -> NDArray[np.int64]:
    """Number of samples of each true class (row) given each class (column).

    Parameters
    ----------
    labels, predicted : array of int [sample]
        True and predicted classes, >= 0.
    n_classes : int, optional
        Size of the matrix. Default: one more than the largest class that occurs.

    Returns
    -------
    array of int64 [n_classes, n_classes]

    Raises
    ------
    InvalidValue, InvalidType
        Different lengths, no samples, classes outside ``[0, n_classes)``.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1], [0, 1, 0])
    array([[1, 0],
           [1, 1]])
    """
    where = "confusion_matrix"
    true, given = _pair(where, labels, predicted)
    largest = int(max(true.max(), given.max()))
    size = largest + 1 if n_classes is None else n_classes
    size = checks.whole(where, "n_classes", size, largest + 1)
    return np.bincount(true * size + given, minlength=size * size).reshape(size, size)


def _scores(where: str, counts: ArrayLike) -> Array:
    array = np.asarray(counts)
    if array.dtype.kind not in "fiub":
        raise InvalidType(f"{where}: counts: expected numbers, got dtype {array.dtype}")
    if array.ndim != 2 or array.shape[1] == 0:
        raise checks.fail(where, "counts", "shape [sample, n]", f"shape {array.shape}")
    checks.finite(where, "counts", array)
    return array


def _pair(where: str, labels: ArrayLike, predicted: ArrayLike) -> tuple[Array, Array]:
    true = checks.index_array(where, "labels", labels)
    given = checks.index_array(where, "predicted", predicted)
    if len(true) != len(given):
        raise checks.fail(where, "predicted", f"{len(true)} entries as labels", len(given))
    if not len(true):
        raise checks.fail(where, "labels", "at least one sample", 0)
    return true, given
