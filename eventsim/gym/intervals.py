"""Intervals of confidence for means over episodes, by the bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks

__all__ = ["Interval", "ratio_of_sums"]

Array = NDArray[Any]

#: Coverage, resamples, and the seed of their draws, which makes an interval a function of the data.
LEVEL, RESAMPLES, SEED = 0.95, 4_999, 20_007


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def ratio_of_sums(above: ArrayLike, below: ArrayLike | None = None) -> Interval:
    r"""Sum of one number of each episode over the sum of another, with its interval.

    Episodes are drawn again as wholes (bias-corrected and accelerated bootstrap), for the steps
    of an episode are not independent.

    Parameters
    ----------
    above : array [episode]
        What is summed, at least two episodes.
    below : array [episode], optional
        What the sum is divided by, each > 0. Default 1, which gives the mean of ``above``.

    Returns
    -------
    Interval
        Without extent where all episodes have the same quotient.

    Raises
    ------
    InvalidValue, InvalidType
        Arrays of different lengths, or fewer than two episodes.

    Examples
    --------
    >>> found = ratio_of_sums([80, 60, 90, 70], [100, 100, 100, 100])
    >>> found.value, found.low < 0.75 < found.high
    (0.75, True)
    >>> ratio_of_sums([500, 500])
    Interval(value=500.0, low=500.0, high=500.0)

    Notes
    -----
    B. Efron, J. Am. Stat. Assoc. 82, 171 (1987).
    """
    where = "ratio_of_sums"
    top = checks.real_array(where, "above", above).astype(np.float64)
    bottom = np.ones_like(top) if below is None else checks.real_array(where, "below", below)
    if top.ndim != 1 or top.size < 2:
        raise checks.fail(where, "above", "at least two numbers", f"shape {top.shape}")
    if bottom.shape != top.shape:
        raise checks.fail(where, "below", f"{top.size} numbers", f"shape {bottom.shape}")
    value = float(top.sum() / bottom.sum())
    if np.ptp(top / bottom) == 0.0:
        return Interval(value, value, value)
    from scipy.stats import bootstrap

    def quotient(a: Array, b: Array, axis: int = -1) -> Array:
        return a.sum(axis=axis) / b.sum(axis=axis)

    found = bootstrap(
        (top, bottom),
        quotient,
        paired=True,
        vectorized=True,
        confidence_level=LEVEL,
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.Generator(np.random.PCG64(SEED)),
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high))
