"""Numbers of a module, found again in what its exporter computed from them.

An exporter writes time constants, and rounds; a step takes factors or rates, rounded in another
place. What is looked for are the numbers from which the exporter would have computed the very
numbers of the file. Where several would do, the one with the fewest decimal digits is taken, as
numbers that people choose have few.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Found", "found", "shortest"]

Array = NDArray[Any]
#: Whether each of the numbers would have been written as what stands in the file.
Fits = Callable[[Array], Array]

#: Decimal digits that tell any two numbers of a type apart.
_DIGITS = {np.dtype(np.float32): 9, np.dtype(np.float64): 17}
#: Neighbours on each side that are tried where no decimal number fits.
_NEIGHBOURS = 8


class Found(NamedTuple):
    """Numbers of a module.

    Attributes
    ----------
    numbers : array
        As many as were written, float32 where that is what the module had.
    sure : bool
        Whether no others would have been written the same.
    """

    numbers: Array
    sure: bool


def found(guess: Array, fits: Fits, kinds: tuple[Any, ...], inverse: bool = False) -> Found:
    """The numbers near ``guess`` that fit what is written.

    Parameters
    ----------
    guess : array of float64
        What they are but for rounding, above 0.
    fits : callable
        Takes as many numbers as ``guess`` has, in an array, and says of each whether it would have
        been written as it stands in the file.
    kinds : tuple of dtype
        Types that the module may have had, the likeliest first; the first in which all fit.
    inverse : bool
        Whether few digits of 1 / number count as well: rates that were given as times.

    Examples
    --------
    >>> written = np.float32(1e-4) / (np.float32(1) - np.float32([0.9, 0.2]))
    >>> def fits(beta):
    ...     return np.float32(1e-4) / (np.float32(1) - beta) == written
    >>> found(1 - 1e-4 / written.astype(float), fits, (np.float32,))
    Found(numbers=array([0.9, 0.2], dtype=float32), sure=False)
    """
    for kind in kinds:
        numbers, good = _in_kind(np.atleast_1d(guess), fits, np.dtype(kind), inverse)
        if good.all():
            beside = [fits(np.nextafter(numbers, numbers.dtype.type(way))) for way in (-1e30, 1e30)]
            return Found(numbers.reshape(guess.shape), not (beside[0] | beside[1]).any())
    return Found(guess.astype(kinds[-1]), False)


def shortest(value: float) -> int:
    """Digits of the shortest decimal number that is this float64."""
    return len(repr(float(value)).replace(".", "").partition("e")[0].strip("-0"))


def _in_kind(guess: Array, fits: Fits, kind: np.dtype[Any], inverse: bool) -> tuple[Array, Array]:
    """Numbers of a type, and which of them fit."""
    numbers = guess.astype(kind)
    good = np.zeros(guess.shape, dtype=bool)

    def offer(candidates: Array) -> None:
        nonlocal good
        new = fits(candidates) & ~good
        numbers[new] = candidates[new]
        good |= new

    for digits in range(1, _DIGITS[kind] + 1):
        offer(_rounded(guess, digits).astype(kind))
        if inverse:
            offer((1.0 / _rounded(1.0 / guess, digits)).astype(kind))
        if good.all():
            return numbers, good
    for way in (-1e30, 1e30):
        beside = guess.astype(kind)
        for _ in range(_NEIGHBOURS):
            beside = np.nextafter(beside, kind.type(way))
            offer(beside)
    return numbers, good


def _rounded(values: Array, digits: int) -> Array:
    """Numbers of so many decimal digits."""
    each, place = np.unique(values, return_inverse=True)
    short = np.array([float(f"{value:.{digits - 1}e}") for value in each])
    return short[place].reshape(values.shape)
