"""Activity of layers: rates and spike counts, of one model or of two side by side.

Sums of counts can be added up, so that a large data set goes through in parts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.errors import InvalidType

__all__ = [
    "CountSums",
    "cosine_similarity",
    "count_bias",
    "count_correlation",
    "count_mae",
    "fanofactor",
    "rate",
    "saturated_share",
    "silent_share",
]

Array = NDArray[Any]


def rate(counts: ArrayLike, duration: float) -> float | None:
    """Mean rate of a neuron in spikes per second.

    Parameters
    ----------
    counts : array
        Spikes of neurons in a window, any shape.
    duration : float
        Length of the window in seconds, > 0.

    Returns
    -------
    float or None
        None without neurons.

    Raises
    ------
    InvalidValue, InvalidType
        A duration that is not above 0.

    Examples
    --------
    >>> rate([[1, 0], [2, 1]], duration=0.004)
    250.0
    """
    values = np.asarray(counts)
    duration = checks.positive("rate", "duration", duration)
    return float(values.sum()) / values.size / duration if values.size else None


def silent_share(counts: ArrayLike) -> float | None:
    """Share of neurons without a spike (a neuron counts once for each sample).

    Parameters
    ----------
    counts : array
        Spikes of neurons in a window, any shape.

    Returns
    -------
    float or None
        Without unit. None without neurons.

    Examples
    --------
    >>> silent_share([[0, 1], [0, 3]])
    0.5
    """
    values = np.asarray(counts)
    return float(np.mean(values == 0)) if values.size else None


def saturated_share(counts: ArrayLike, most: int) -> float | None:
    """Share of neurons with ``most`` spikes or more.

    With ``most`` the number of steps this is the share of neurons that say all the coarse model
    can say: one spike in each step.

    Parameters
    ----------
    counts : array
        Spikes of neurons in a window, any shape.
    most : int
        So many spikes are all that can be said.

    Returns
    -------
    float or None
        Without unit. None without neurons.

    Examples
    --------
    >>> saturated_share([[4, 1], [0, 3]], most=4)
    0.25
    """
    values = np.asarray(counts)
    return float(np.mean(values >= most)) if values.size else None


def fanofactor(counts: ArrayLike) -> float | None:
    r"""Fano factor: variance over mean of a neuron's spike counts in repeated trials.

    .. math:: F = \frac{\langle (N - \langle N \rangle)^2 \rangle}{\langle N \rangle}

    0 for a count that never varies, 1 for a Poisson process. The variance is that of the
    population (``ddof=0``), as Elephant's.

    Parameters
    ----------
    counts : array [trial, ...]
        Spikes in a window, first axis the trials: of one neuron, or of several, each of which has
        a factor of its own.

    Returns
    -------
    float or None
        In spikes, the mean over the neurons that spiked. None without trials or spikes.

    Raises
    ------
    InvalidValue, InvalidType
        Counts that are no integers >= 0, or without an axis.

    Examples
    --------
    >>> fanofactor([1, 3, 2, 2])
    0.25
    >>> fanofactor([[1, 0], [3, 0]])
    0.5

    Notes
    -----
    U. Fano, Phys. Rev. 72, 26 (1947).
    """
    values = _integers("fanofactor", "counts", counts)
    if not values.ndim:
        raise checks.fail("fanofactor", "counts", "shape [trial, ...]", "one number")
    checks.non_negative("fanofactor", "counts", values)
    if not values.any():
        return None
    mean, variance = values.mean(axis=0), values.var(axis=0)
    spiked = mean > 0
    return float((variance[spiked] / mean[spiked]).mean())


def cosine_similarity(first: ArrayLike, second: ArrayLike) -> float | None:
    r"""Cosine of the angle between the mean activities of a layer in two models.

    With the counts a and b of each neuron, averaged over samples,

    .. math:: \cos = \frac{\sum_i a_i b_i}{\sqrt{\sum_i a_i^2} \sqrt{\sum_i b_i^2}}

    which does not depend on how much a layer spikes, but on which neurons do.

    Parameters
    ----------
    first, second : array [..., n]
        Spike counts or rates of the same neurons; all axes but the last are averaged over.

    Returns
    -------
    float or None
        Without unit; 0 to 1 for counts. None where a layer is silent in either model.

    Raises
    ------
    InvalidValue, InvalidType
        Another number of neurons, or entries that are not finite numbers.

    Examples
    --------
    >>> cosine_similarity([[1, 0], [3, 0]], [[2, 2], [2, 2]])
    0.7071067811865475

    Notes
    -----
    G. Salton and M. J. McGill, Introduction to Modern Information Retrieval (1983), chapter 4.
    """
    where = "cosine_similarity"
    a, b = _mean_activity(where, "first", first), _mean_activity(where, "second", second)
    if a.size != b.size:
        raise checks.fail(where, "second", f"{a.size} neurons as first", b.size)
    if not a.any() or not b.any():
        return None
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    cosine = float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))
    return max(-1.0, min(1.0, cosine))


def count_bias(reference: ArrayLike, counts: ArrayLike) -> float | None:
    """Mean of count minus reference.

    Parameters
    ----------
    reference, counts : array of int, any shape
        Spikes of the same neurons in a reference and in another model.

    Returns
    -------
    float or None
        In spikes; above 0 where the other model spikes more. None without neurons.

    Raises
    ------
    InvalidValue, InvalidType
        Arrays of different shapes, or no integers.

    Examples
    --------
    >>> count_bias([0, 1, 2, 3], [0, 2, 2, 4])
    0.5
    """
    return CountSums.of(reference, counts).bias


def count_mae(reference: ArrayLike, counts: ArrayLike) -> float | None:
    """Mean of the absolute difference of counts.

    Parameters
    ----------
    reference, counts : array of int, any shape
        As for :func:`count_bias`.

    Returns
    -------
    float or None
        In spikes. None without neurons.

    Raises
    ------
    InvalidValue, InvalidType
        As :func:`count_bias`.

    Examples
    --------
    >>> count_mae([0, 1, 2, 3], [0, 2, 2, 2])
    0.5
    """
    return CountSums.of(reference, counts).mae


def count_correlation(reference: ArrayLike, counts: ArrayLike) -> float | None:
    """Pearson's r of the counts in two models, over all neurons and samples.

    Parameters
    ----------
    reference, counts : array of int, any shape
        As for :func:`count_bias`.

    Returns
    -------
    float or None
        Without unit. None where one side has the same count everywhere.

    Raises
    ------
    InvalidValue, InvalidType
        As :func:`count_bias`.

    Examples
    --------
    >>> round(count_correlation([0, 1, 2, 3], [0, 2, 2, 4]), 4)
    0.9487
    """
    return CountSums.of(reference, counts).correlation


@dataclass(frozen=True)
class CountSums:
    """Sums over pairs of spike counts, from which bias, error and correlation follow.

    Sums of integers are exact, so parts add up to the whole in any order.

    Examples
    --------
    >>> sums = CountSums.of([0, 1, 2, 3], [0, 2, 2, 4])
    >>> sums.bias, sums.mae, round(sums.correlation, 4)
    (0.5, 0.5, 0.9487)
    >>> CountSums.of([0, 1], [0, 2]) + CountSums.of([2, 3], [2, 4]) == sums
    True
    """

    n: int = 0
    x: int = 0
    y: int = 0
    xx: int = 0
    yy: int = 0
    xy: int = 0
    absolute: int = 0

    @classmethod
    def of(cls, reference: ArrayLike, counts: ArrayLike) -> CountSums:
        """Sums over the counts of the same neurons in a reference and in another model."""
        x, y = (
            _integers("CountSums", "reference", reference),
            _integers("CountSums", "counts", counts),
        )
        if x.shape != y.shape:
            raise checks.fail("CountSums", "counts", f"shape {x.shape}", f"shape {y.shape}")
        return cls(
            n=x.size,
            x=int(x.sum()),
            y=int(y.sum()),
            xx=int((x * x).sum()),
            yy=int((y * y).sum()),
            xy=int((x * y).sum()),
            absolute=int(np.abs(y - x).sum()),
        )

    def __add__(self, other: CountSums) -> CountSums:
        return CountSums(
            self.n + other.n, self.x + other.x, self.y + other.y, self.xx + other.xx,
            self.yy + other.yy, self.xy + other.xy, self.absolute + other.absolute,
        )  # fmt: skip

    @property
    def bias(self) -> float | None:
        """Mean of count minus reference, in spikes; None without data."""
        return (self.y - self.x) / self.n if self.n else None

    @property
    def mae(self) -> float | None:
        """Mean of ``|count - reference|``, in spikes; None without data."""
        return self.absolute / self.n if self.n else None

    @property
    def correlation(self) -> float | None:
        """Pearson's r over all pairs; None where one side has the same count everywhere."""
        spread_x = self.n * self.xx - self.x**2
        spread_y = self.n * self.yy - self.y**2
        if spread_x == 0 or spread_y == 0:
            return None
        covariance = self.n * self.xy - self.x * self.y
        return covariance / (math.sqrt(spread_x) * math.sqrt(spread_y))


def _integers(where: str, field: str, values: ArrayLike) -> Array:
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iub":
        raise InvalidType(f"{where}: {field}: expected integers, got dtype {array.dtype}")
    return array.astype(np.int64)


def _mean_activity(where: str, field: str, counts: ArrayLike) -> Array:
    """Mean over all axes but the last; nothing where there is nothing to average."""
    values = checks.real_array(where, field, counts)
    if not values.ndim:
        raise checks.fail(where, field, "shape [..., n]", "one number")
    checks.finite(where, field, values)
    rows = values.reshape(-1, values.shape[-1]) if values.size else np.zeros((1, values.shape[-1]))
    return rows.mean(axis=0, dtype=np.float64)
