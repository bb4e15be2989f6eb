"""Random projections: rules and a seed in place of lists of synapses.

A network of hundreds of millions of synapses is drawn projection by projection when an engine
arranges its tables, and the draw is not kept: the network itself stays small, to save and to hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.projections import Projection, Rows, Shape

__all__ = ["Normal", "Random"]


class Normal(NamedTuple):
    """A normal distribution of weights or delays, cut and put on a grid.

    Values outside ``[low, high]`` are drawn again; then they become the nearest multiples of
    ``step``, where that is above 0.

    Examples
    --------
    >>> Normal(1.5e-3, 0.75e-3, low=0.1e-3, step=0.1e-3)
    Normal(mean=0.0015, std=0.00075, low=0.0001, high=inf, step=0.0001)
    """

    mean: float
    std: float
    low: float = -inf
    high: float = inf
    step: float = 0.0

    def draw(self, n: int, rng: np.random.Generator, dtype: Any) -> NDArray[Any]:
        """``n`` independent values."""
        values = rng.standard_normal(n, dtype=dtype)
        values *= dtype(self.std)
        values += dtype(self.mean)
        while (outside := np.flatnonzero((values < self.low) | (values > self.high))).size:
            again = rng.standard_normal(outside.size, dtype=dtype)
            values[outside] = again * dtype(self.std) + dtype(self.mean)
        if self.step > 0.0:
            np.round(values / dtype(self.step), out=values)
            values *= dtype(self.step)
        return values


@dataclass(frozen=True, eq=False, repr=False)
class Random(Projection):
    """Synapses drawn at random, the same for the same seed.

    Exactly one of ``total``, ``indegree`` and ``probability`` says how many. A neuron may reach
    itself, and with ``total`` or ``indegree`` one pair may have several synapses.

    Parameters
    ----------
    source, target : str
        Names of populations.
    weight : float or Normal
        In the target's voltage unit, or current unit with a receptor. Drawn weights are float32
        numbers, which take half the memory.
    delay : float or Normal
        Seconds, >= 0.
    total : int, optional
        So many synapses in all, each of an independent uniform pair.
    indegree : int, optional
        So many synapses onto each target, each from an independent uniform source.
    probability : float, optional
        Each pair has a synapse with this probability, at most one.
    seed : int
        Of the draw; projections with the same numbers and the same seed are alike.
    spread : float
        Width of the pulse in seconds; 0 means delta.
    receptor : int or None
        Exponential receptor of the target that arrivals reach. None: delta, or pulse.

    Examples
    --------
    >>> Random("a", "b", weight=Normal(0.1, 0.01), delay=1.5e-3, total=10_000, seed=1)
    Random('a', 'b', weight=Normal(mean=0.1, std=0.01, low=-inf, high=inf, step=0.0), \
delay=0.0015, total=10000, seed=1)
    """

    weight: Any
    delay: Any = 0.0
    total: int | None = None
    indegree: int | None = None
    probability: float | None = None
    seed: int = 0
    spread: float = 0.0
    receptor: int | None = None

    def __post_init__(self) -> None:
        rules = {
            name: getattr(self, name)
            for name in ("total", "indegree", "probability")
            if getattr(self, name) is not None
        }
        if len(rules) != 1:
            expected = "exactly one of total, indegree, probability"
            raise checks.fail(self.where, "total", expected, sorted(rules) or None)
        for name in ("total", "indegree"):
            if name in rules:
                self._set(name, checks.whole(self.where, name, rules[name], 0))
        if "probability" in rules:
            chance = checks.scalar(self.where, "probability", self.probability)
            if not 0.0 <= chance <= 1.0:
                raise checks.fail(self.where, "probability", "a number from 0 to 1", chance)
            self._set("probability", chance)
        self._set("seed", checks.whole(self.where, "seed", self.seed, 0))
        self._set("weight", self._law("weight", self.weight))
        super().__post_init__()

    def _law(self, field: str, value: Any) -> float | Normal:
        """One number, or a Normal that can be drawn from."""
        if not isinstance(value, tuple):
            return checks.scalar(self.where, field, value)
        if not 2 <= len(value) <= len(Normal._fields):
            raise InvalidType(f"{self.where}: {field}: expected a number or a Normal, got {value}")
        law = Normal(*(float(part) for part in value))
        for part in ("mean", "std", "step"):
            checks.finite(self.where, f"{field}.{part}", np.asarray(getattr(law, part)))
        for part in ("std", "step"):
            if getattr(law, part) < 0.0:
                raise checks.fail(self.where, f"{field}.{part}", "a number >= 0", law)
        reach = 3.0 * law.std
        if not law.low <= law.high or law.low > law.mean + reach or law.high < law.mean - reach:
            expected = "bounds that leave values within three std of the mean"
            raise checks.fail(self.where, field, expected, law)
        return law

    def _checked_delay(self) -> Any:
        law = self._law("delay", self.delay)
        least = law.low if isinstance(law, Normal) else law
        if least < 0.0:
            expected = "a number >= 0, or a Normal whose low is"
            raise checks.fail(self.where, "delay", expected, law)
        return law

    def _check_slopes(self) -> None:
        steepest = max(map(abs, self.weight)) if isinstance(self.weight, Normal) else self.weight
        if self.spread > 0.0 and not np.isfinite(np.float64(steepest) / self.spread):
            expected = "a width for which weight / spread is finite"
            raise checks.fail(self.where, "spread", expected, self.spread)

    def check_shapes(self, source: Shape, target: Shape) -> None:
        """Populations of any shape fit."""

    def _pairs(self, source: Shape, target: Shape, rng: np.random.Generator) -> NDArray[np.int64]:
        """All synapses as ``pre * n_post + post``, ascending."""
        n_pre, n_post = int(np.prod(source)), int(np.prod(target))
        if self.total is not None:
            pairs = rng.integers(n_pre * n_post, size=self.total)
        elif self.indegree is not None:
            pairs = rng.integers(n_pre, size=n_post * self.indegree)
            pairs *= n_post
            pairs += np.repeat(np.arange(n_post), self.indegree)
        else:
            return _each_with(self.probability or 0.0, n_pre * n_post, rng)
        pairs.sort()
        return pairs

    def rows(self, source: Shape, target: Shape) -> Rows:
        n_pre, n_post = int(np.prod(source)), int(np.prod(target))
        rng = np.random.default_rng(self.seed)
        pairs = self._pairs(source, target, rng)
        indptr = np.searchsorted(pairs, n_post * np.arange(n_pre + 1))
        pairs -= np.repeat(n_post * np.arange(n_pre), np.diff(indptr))
        post = pairs.astype(np.int32)
        del pairs
        if isinstance(self.weight, Normal):
            weight = self.weight.draw(post.size, rng, np.float32)
        else:
            weight = np.full(post.size, self.weight, np.float32 if self.fits_float32 else None)
        delay = np.array([self.delay])
        if isinstance(self.delay, Normal):
            delay = self.delay.draw(post.size, rng, np.float64)
        return Rows(indptr.astype(np.int64), post, weight, delay)

    def fan_outs(self, source: Shape, target: Shape) -> NDArray[np.int64]:
        n_pre, n_post = int(np.prod(source)), int(np.prod(target))
        pairs = self._pairs(source, target, np.random.default_rng(self.seed))
        return np.diff(np.searchsorted(pairs, n_post * np.arange(n_pre + 1)))

    def n_synapses(self, source: Shape, target: Shape) -> int:
        if self.total is not None:
            return self.total
        if self.indegree is not None:
            return self.indegree * int(np.prod(target))
        return int(self._pairs(source, target, np.random.default_rng(self.seed)).size)

    @property
    def fits_float32(self) -> bool:
        return isinstance(self.weight, Normal) or float(np.float32(self.weight)) == self.weight

    @property
    def min_delay(self) -> float:
        """Smallest delay that can be drawn, in seconds."""
        if not isinstance(self.delay, Normal):
            return self.delay
        low, step = self.delay.low, self.delay.step
        return min(low, float(np.round(low / step) * step)) if step > 0.0 else low


def _each_with(chance: float, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Those of the numbers below ``n`` that are in, each with the same chance; ascending.

    The gaps between them are geometric.
    """
    if chance == 0.0:
        return np.zeros(0, dtype=np.int64)
    parts, last = [], -1
    while last < n:
        expected = (n - last) * chance
        gaps = rng.geometric(chance, size=int(expected + 4.0 * np.sqrt(expected) + 16))
        part = last + np.cumsum(gaps)
        parts.append(part)
        last = int(part[-1])
    found = np.concatenate(parts)
    return found[: np.searchsorted(found, n)]
