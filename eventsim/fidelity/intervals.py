"""Interspike intervals: how regular a neuron spikes.

Names follow Elephant where it has them (:func:`isi`, :func:`cv`, :func:`cv2`, :func:`lv`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.fidelity.trains import spike_times
from eventsim.recording import SpikeTrain

__all__ = ["Moments", "cv", "cv2", "isi", "isi_distribution", "lv"]

Float = NDArray[np.float64]


def isi(train: SpikeTrain | ArrayLike) -> Float:
    """Interspike intervals of all neurons of a train, neuron after neuron, in seconds.

    Parameters
    ----------
    train : SpikeTrain or array
        Spikes of one population in one sample; or spike times of one neuron, ascending.

    Returns
    -------
    array of float64
        One entry less than spikes for each neuron that spiked.

    Raises
    ------
    InvalidValue, InvalidType
        Times that are not finite or do not ascend.

    Examples
    --------
    >>> isi(SpikeTrain([0.0, 1.0, 1.5, 3.0], [0, 1, 0, 0]))
    array([1.5, 1.5])
    >>> isi([0.0, 1.5, 3.0])
    array([1.5, 1.5])
    """
    if not isinstance(train, SpikeTrain):
        return np.diff(spike_times("isi", "train", train))
    return _intervals(train)[0]


def isi_distribution(intervals: ArrayLike, edges: ArrayLike) -> Float:
    r"""Probability density of interspike intervals.

    Of n intervals :math:`n_k` lie between the edges :math:`e_k` and :math:`e_{k+1}`:

    .. math:: p_k = \frac{n_k}{n \, (e_{k+1} - e_k)}

    Parameters
    ----------
    intervals : array
        Interspike intervals in seconds, of any neurons, in any order.
    edges : array
        Edges of the bins in seconds, ascending. A bin holds its left edge; the last one holds
        its right edge too.

    Returns
    -------
    array of float64 [bin]
        In 1/s; 0 without intervals. Its integral is the share of intervals between the outer
        edges, for those outside count in n.

    Raises
    ------
    InvalidValue, InvalidType
        Negative or infinite intervals; fewer than two edges, or edges that do not ascend.

    Examples
    --------
    >>> isi_distribution([0.001, 0.001, 0.003, 0.009], edges=[0.0, 0.002, 0.004])
    array([250., 125.])
    """
    where = "isi_distribution"
    values, bounds = _checked(where, intervals), checks.real_array(where, "edges", edges)
    if bounds.ndim != 1 or bounds.size < 2:
        raise checks.fail(where, "edges", "two or more in a row", f"shape {bounds.shape}")
    checks.finite(where, "edges", bounds)
    falls = np.flatnonzero(np.diff(bounds) <= 0)
    if falls.size:
        k = int(falls[0]) + 1
        raise checks.fail(where, f"edges[{k}]", f"a number > {bounds[k - 1]}", bounds[k])
    counts = np.histogram(values, bounds)[0]
    return counts / (max(values.size, 1) * np.diff(bounds))


def cv(intervals: SpikeTrain | ArrayLike) -> float | None:
    """Coefficient of variation: standard deviation over mean of intervals.

    0 for regular spikes, about 1 for a Poisson process. The deviation is that of the population
    (``ddof=0``), as Elephant's default.

    Parameters
    ----------
    intervals : SpikeTrain or array
        Interspike intervals in seconds; or a train, for the intervals of all its neurons together.

    Returns
    -------
    float or None
        Without unit. None without intervals, or when their mean is 0.

    Raises
    ------
    InvalidValue, InvalidType
        Negative or infinite intervals.

    Examples
    --------
    >>> cv([1.0, 3.0])
    0.5

    Notes
    -----
    D. R. Cox and P. A. W. Lewis, The Statistical Analysis of Series of Events (1966).
    """
    values = isi(intervals) if isinstance(intervals, SpikeTrain) else _checked("cv", intervals)
    if not values.size or not values.mean():
        return None
    return float(values.std() / values.mean())


def cv2(intervals: SpikeTrain | ArrayLike) -> float | None:
    r"""Local coefficient of variation, of neighbouring intervals.

    Over the m pairs of an interval :math:`I_i` and the next one of the same neuron,

    .. math:: \mathrm{CV2} = \frac1m \sum_i \frac{2 \, |I_{i+1} - I_i|}{I_{i+1} + I_i}

    0 for regular spikes, 1 for a Poisson process, also for one whose rate drifts slowly.

    Parameters
    ----------
    intervals : SpikeTrain or array
        Interspike intervals of one neuron in seconds, in their order; or a train, for the pairs
        of all its neurons together.

    Returns
    -------
    float or None
        Without unit, between 0 and 2. None without a pair. Two intervals of length 0 are equal.

    Raises
    ------
    InvalidValue, InvalidType
        Negative or infinite intervals.

    Examples
    --------
    >>> cv2([1.0, 3.0, 3.0])
    0.5

    Notes
    -----
    G. R. Holt, W. R. Softky, C. Koch and R. J. Douglas, J. Neurophysiol. 75, 1806 (1996).
    """
    contrast = _contrast("cv2", intervals)
    return float(2 * contrast.mean()) if contrast.size else None


def lv(intervals: SpikeTrain | ArrayLike) -> float | None:
    r"""Local variation, the squared contrast of neighbouring intervals.

    Over the m pairs of an interval :math:`I_i` and the next one of the same neuron,

    .. math:: \mathrm{LV} = \frac3m \sum_i \left( \frac{I_i - I_{i+1}}{I_i + I_{i+1}} \right)^2

    0 for regular spikes, 1 for a Poisson process.

    Parameters
    ----------
    intervals : SpikeTrain or array
        As for :func:`cv2`.

    Returns
    -------
    float or None
        Without unit, between 0 and 3. None without a pair. Two intervals of length 0 are equal.

    Raises
    ------
    InvalidValue, InvalidType
        Negative or infinite intervals.

    Examples
    --------
    >>> lv([1.0, 3.0, 3.0])
    0.375

    Notes
    -----
    S. Shinomoto, K. Shima and J. Tanji, Neural Comput. 15, 2823 (2003).
    """
    contrast = _contrast("lv", intervals)
    return float(3 * (contrast**2).mean()) if contrast.size else None


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
        # The sums of ``mean`` and ``sum``, which take longer than a short array's.
        middle = float(np.add.reduce(array) / array.size)
        return cls(array.size, middle, float(np.add.reduce((array - middle) ** 2)))

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


def _intervals(train: SpikeTrain) -> tuple[Float, NDArray[np.int64]]:
    """Intervals, neuron after neuron, and the neuron of each."""
    order = np.argsort(train.senders, kind="stable")  # each neuron's stay in order of time
    senders = train.senders[order]
    same = senders[1:] == senders[:-1]
    return np.diff(train.times[order])[same], senders[1:][same]


def _contrast(where: str, intervals: SpikeTrain | ArrayLike) -> Float:
    """|b - a| / (b + a) of neighbouring intervals a, b; 0 where both are 0."""
    if isinstance(intervals, SpikeTrain):
        values, senders = _intervals(intervals)
        pairs = np.diff(senders) == 0
    else:
        values = _checked(where, intervals)
        pairs = np.ones(max(values.size - 1, 0), dtype=bool)
    a, b = values[:-1][pairs], values[1:][pairs]
    both = a + b
    return np.divide(np.abs(b - a), both, out=np.zeros_like(both), where=both > 0)


def _checked(where: str, intervals: ArrayLike) -> Float:
    values = checks.real_array(where, "intervals", intervals).astype(np.float64).ravel()
    checks.finite(where, "intervals", values)
    checks.non_negative(where, "intervals", values)
    return values
