"""Activity of layers: rates, spike counts of two models side by side, interspike intervals.

Names follow Elephant where it has them (:func:`isi`, :func:`cv`). The sums can be added up, so
that a large data set goes through in parts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.recording import SpikeTrain

__all__ = ["CountSums", "Moments", "cv", "isi", "rate", "saturated_share", "silent_share"]

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

    >>> silent_share([[0, 1], [0, 3]])
    0.5
    """
    values = np.asarray(counts)
    return float(np.mean(values == 0)) if values.size else None


def saturated_share(counts: ArrayLike, most: int) -> float | None:
    """Share of neurons with ``most`` spikes or more.

    With ``most`` the number of steps this is the share of neurons that say all the coarse model
    can say: one spike in each step.

    >>> saturated_share([[4, 1], [0, 3]], most=4)
    0.25
    """
    values = np.asarray(counts)
    return float(np.mean(values >= most)) if values.size else None


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
        x, y = _integers("reference", reference), _integers("counts", counts)
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


def isi(train: SpikeTrain) -> NDArray[np.float64]:
    """Interspike intervals of all neurons of a train, neuron after neuron, in seconds.

    Parameters
    ----------
    train : SpikeTrain
        Spikes of one population in one sample.

    Returns
    -------
    array of float64
        One entry less than spikes for each neuron that spiked.

    Examples
    --------
    >>> isi(SpikeTrain([0.0, 1.0, 1.5, 3.0], [0, 1, 0, 0]))
    array([1.5, 1.5])
    """
    order = np.lexsort((train.times, train.senders))
    same = np.diff(train.senders[order]) == 0
    return np.diff(train.times[order])[same]


def cv(intervals: ArrayLike) -> float | None:
    """Coefficient of variation: standard deviation over mean of intervals.

    0 for regular spikes, about 1 for a Poisson process. The deviation is that of the population
    (``ddof=0``), as Elephant's default.

    Returns
    -------
    float or None
        None without intervals, or when their mean is 0.

    Examples
    --------
    >>> cv([1.0, 3.0])
    0.5
    """
    values = np.asarray(intervals, dtype=np.float64)
    if not values.size or not values.mean():
        return None
    return float(values.std() / values.mean())


@dataclass(frozen=True)
class Moments:
    """Number, mean and squared deviations of values, which can be added up.

    Examples
    --------
    >>> whole = Moments.of([1.0]) + Moments.of([2.0, 3.0])
    >>> whole.n, whole.mean, whole.cv == cv([1.0, 2.0, 3.0])
    (3, 2.0, True)
    >>> Moments().mean is None
    True

    Notes
    -----
    T. F. Chan, G. H. Golub and R. J. LeVeque, The American Statistician 37, 242 (1983).
    """

    n: int = 0
    middle: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: ArrayLike) -> Moments:
        """Moments of an array."""
        array = np.asarray(values, dtype=np.float64).ravel()
        if not array.size:
            return cls()
        middle = float(array.mean())
        return cls(array.size, middle, float(((array - middle) ** 2).sum()))

    def __add__(self, other: Moments) -> Moments:
        n = self.n + other.n
        if not self.n or not other.n:
            return self if self.n else other
        gap = other.middle - self.middle
        return Moments(
            n,
            self.middle + gap * other.n / n,
            self.squares + other.squares + gap * gap * self.n * other.n / n,
        )

    @property
    def mean(self) -> float | None:
        """None without values."""
        return self.middle if self.n else None

    @property
    def cv(self) -> float | None:
        """As :func:`cv`."""
        return math.sqrt(self.squares / self.n) / self.middle if self.middle else None


def _integers(field: str, values: ArrayLike) -> Array:
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iub":
        raise InvalidType(f"CountSums: {field}: expected integers, got dtype {array.dtype}")
    return array.astype(np.int64)
