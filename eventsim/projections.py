"""Projections: what a spike of one population does to another.

A projection turns a spike of source unit ``i`` into arrivals at some target units, each with a
weight, ``delay`` seconds later. With ``spread = 0`` an arrival is a *delta*: it adds its weight
to the potential at once. With ``spread > 0`` it is a *pulse*: it adds ``weight / spread`` to
dv/dt during ``[arrival, arrival + spread)``. With ``receptor = k`` it adds its weight to the
current of the target's ``k``-th exponential receptor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim import checks

__all__ = ["Dense", "Projection", "Rows", "Shape", "Sparse"]

#: With more synapses a sort by counting is worth its import.
MANY_SYNAPSES = 200_000

Shape = tuple[int, ...]
Array = NDArray[Any]


class Rows(NamedTuple):
    """Fan-outs of all source units: row ``i`` is ``[indptr[i], indptr[i + 1])``.

    ``delay`` has one entry (shared) or one for each synapse. Targets ascend within a row.
    """

    indptr: NDArray[np.int64]
    post: NDArray[np.int32]
    weight: Array
    delay: NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Projection:
    """What all projections share: ends, checks, and fan-outs."""

    source: str
    target: str

    @property
    def where(self) -> str:
        """How messages name this projection."""
        return f"{type(self).__name__} {self.source!r} -> {self.target!r}"

    def __post_init__(self) -> None:
        kind = type(self).__name__
        checks.name(kind, self.source, "source")
        checks.name(kind, self.target, "target")
        self._set("delay", self._checked_delay())
        if hasattr(self, "spread"):
            spread = checks.scalar(self.where, "spread", self.spread)
            if spread < 0:
                raise checks.fail(self.where, "spread", "a number >= 0", spread)
            self._set("spread", spread)
            self._check_slopes()
        receptor = getattr(self, "receptor", None)
        if receptor is not None:
            self._set("receptor", checks.whole(self.where, "receptor", receptor, 0))
            if self.spread > 0.0:  # type: ignore[attr-defined]
                raise checks.fail(
                    self.where,
                    "spread",
                    "0, as an arrival at a receptor is no pulse",
                    self.spread,  # type: ignore[attr-defined]
                )

    def _checked_delay(self) -> Any:
        delay = checks.scalar(self.where, "delay", self.delay)  # type: ignore[attr-defined]
        if delay < 0:
            raise checks.fail(self.where, "delay", "a number >= 0", delay)
        return delay

    def _check_slopes(self) -> None:
        """A pulse is so many volts per second: that must be a number too."""
        spread, weight = self.spread, np.asarray(self.weight)  # type: ignore[attr-defined]
        if spread > 0.0 and weight.size:
            with np.errstate(over="ignore"):
                steepest = np.float64(np.abs(weight).max()) / spread
            if not np.isfinite(steepest):
                raise checks.fail(
                    self.where, "spread", "a width for which weight / spread is finite", spread
                )

    def _set(self, field: str, value: Any) -> None:
        object.__setattr__(self, field, value)

    def _weight(self, ndim: int, axes: str) -> Array:
        weight = checks.real_array(self.where, "weight", self.weight)  # type: ignore[attr-defined]
        if weight.ndim != ndim:
            raise checks.fail(self.where, "weight", f"{ndim} axes {axes}", f"shape {weight.shape}")
        checks.finite(self.where, "weight", weight)
        self._set("weight", weight)
        return weight

    def with_spread(self, spread: float) -> Projection:
        """The same projection with pulses of another width, where it has deltas or pulses."""
        if not hasattr(self, "spread") or getattr(self, "receptor", None) is not None:
            return self
        return replace(self, spread=spread)  # type: ignore[call-arg]

    def check_shapes(self, source: Shape, target: Shape) -> None:
        """Raise InvalidValue unless populations of these shapes fit."""
        raise NotImplementedError

    def rows(self, source: Shape, target: Shape) -> Rows:
        """All fan-outs, written out as sparse rows."""
        raise NotImplementedError

    def fan_out(self, i: int, source: Shape, target: Shape) -> tuple[Array, Array, Array]:
        """Targets (ascending), weights and delays of a spike of source unit ``i``."""
        rows = self.rows(source, target)
        part = slice(rows.indptr[i], rows.indptr[i + 1])
        post = rows.post[part]
        delay = rows.delay[part] if rows.delay.size > 1 else rows.delay
        return post, rows.weight[part], np.broadcast_to(delay, post.shape)

    def n_synapses(self, source: Shape, target: Shape) -> int:
        """Number of arrivals when each source unit spikes once."""
        return int(self.rows(source, target).indptr[-1])

    def fan_outs(self, source: Shape, target: Shape) -> NDArray[np.int64]:
        """Number of synapses of each source unit."""
        return np.diff(self.rows(source, target).indptr)

    @property
    def fits_float32(self) -> bool:
        """Whether every weight is a float32 number, and may be kept as one."""
        weight = np.asarray(getattr(self, "weight", 1.0))
        with np.errstate(over="ignore"):
            return weight.dtype == np.float32 or bool(np.all(weight == weight.astype(np.float32)))

    @property
    def n_parameters(self) -> int:
        """Number of weights stored."""
        return 0

    @property
    def min_delay(self) -> float:
        """Smallest delay in seconds."""
        delay = np.asarray(self.delay)  # type: ignore[attr-defined]
        return float(delay.min()) if delay.size else 0.0

    def __repr__(self) -> str:
        parts = [repr(self.source), repr(self.target)]
        for field, info in type(self).__dataclass_fields__.items():
            value = getattr(self, field)
            if field in ("source", "target"):
                continue
            if isinstance(value, np.ndarray):
                parts.append(f"{field}={value.dtype}{list(value.shape)}")
            elif value != info.default:
                parts.append(f"{field}={value!r}")
        return f"{type(self).__name__}({', '.join(parts)})"


@dataclass(frozen=True, eq=False, repr=False)
class Dense(Projection):
    """All-to-all weights: a spike of ``i`` reaches every target ``j`` with ``weight[i, j]``.

    Zero weights are arrivals too: they add nothing, but a neuron is tested when one arrives.

    Parameters
    ----------
    source, target : str
        Names of populations.
    weight : array [pre, post]
        Weights in the target's voltage unit; float32 is kept and used exactly.
    delay : float or array [pre, post]
        Seconds, >= 0.
    spread : float
        Width of the pulse in seconds; 0 means delta.
    receptor : int or None
        Exponential receptor of the target that arrivals reach. None: delta, or pulse.

    Examples
    --------
    >>> Dense("image", "hidden", weight=[[0.5, -0.2]], spread=1e-3)
    Dense('image', 'hidden', weight=float64[1, 2], spread=0.001)
    """

    weight: Any
    delay: Any = 0.0
    spread: float = 0.0
    receptor: int | None = None

    def __post_init__(self) -> None:
        self._weight(2, "[pre, post]")
        super().__post_init__()

    def _checked_delay(self) -> Any:
        return _delay_array(self.where, self.delay, self.weight.shape)

    def check_shapes(self, source: Shape, target: Shape) -> None:
        expected = (int(np.prod(source)), int(np.prod(target)))
        if self.weight.shape != expected:
            raise checks.fail(
                self.where, "weight", f"shape {expected} [pre, post]", self.weight.shape
            )

    def rows(self, source: Shape, target: Shape) -> Rows:
        n_pre, n_post = self.weight.shape
        return Rows(
            np.arange(n_pre + 1, dtype=np.int64) * n_post,
            np.tile(np.arange(n_post, dtype=np.int32), n_pre),
            self.weight.reshape(-1),
            np.asarray(self.delay, dtype=np.float64).reshape(-1),
        )

    def fan_outs(self, source: Shape, target: Shape) -> NDArray[np.int64]:
        n_pre, n_post = self.weight.shape
        return np.full(n_pre, n_post, dtype=np.int64)

    def n_synapses(self, source: Shape, target: Shape) -> int:
        return int(self.weight.size)

    @property
    def n_parameters(self) -> int:
        return int(self.weight.size)


@dataclass(frozen=True, eq=False, repr=False)
class Sparse(Projection):
    """A list of synapses ``pre[k] -> post[k]`` with ``weight[k]``.

    Several synapses of one pair are allowed; each is an arrival of its own.

    Parameters
    ----------
    source, target : str
        Names of populations.
    pre, post : array of int [k]
        Source and target unit of each synapse.
    weight : float or array [k]
        Weights in the target's voltage unit.
    delay : float or array [k]
        Seconds, >= 0.
    spread : float
        Width of the pulse in seconds; 0 means delta.
    receptor : int or None
        Exponential receptor of the target that arrivals reach. None: delta, or pulse.

    Examples
    --------
    >>> Sparse("a", "b", pre=[0, 0, 1], post=[1, 2, 0], weight=0.5, delay=[1e-3, 2e-3, 1e-3])
    Sparse('a', 'b', pre=int64[3], post=int64[3], weight=float64[3], delay=float64[3])
    """

    pre: Any
    post: Any
    weight: Any
    delay: Any = 0.0
    spread: float = 0.0
    receptor: int | None = None

    def __post_init__(self) -> None:
        for field in ("pre", "post"):
            self._set(field, checks.index_array(self.where, field, getattr(self, field)))
        count = self.pre.shape
        if self.post.shape != count:
            raise checks.fail(self.where, "post", f"{count[0]} entries as pre", len(self.post))
        if np.ndim(self.weight) == 0:
            filled = np.full(count, checks.scalar(self.where, "weight", self.weight))
            self._set("weight", filled)
        weight = self._weight(1, "[synapse]")
        if weight.shape != count:
            raise checks.fail(self.where, "weight", f"{count[0]} entries as pre", len(weight))
        super().__post_init__()

    def _checked_delay(self) -> Any:
        return _delay_array(self.where, self.delay, self.pre.shape)

    def check_shapes(self, source: Shape, target: Shape) -> None:
        for field, shape in (("pre", source), ("post", target)):
            index, n = getattr(self, field), int(np.prod(shape))
            if index.size and index.max() >= n:
                k = int(np.argmax(index >= n))
                raise checks.fail(self.where, f"{field}[{k}]", f"an index below {n}", index[k])

    def rows(self, source: Shape, target: Shape) -> Rows:
        order = _row_order(self.pre, self.post)
        counts = np.bincount(self.pre, minlength=int(np.prod(source)))
        delay = np.asarray(self.delay, dtype=np.float64)
        return Rows(
            np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            self.post[order].astype(np.int32),
            self.weight[order],
            delay[order] if delay.ndim else delay.reshape(1),
        )

    def fan_outs(self, source: Shape, target: Shape) -> NDArray[np.int64]:
        return np.bincount(self.pre, minlength=int(np.prod(source))).astype(np.int64)

    def n_synapses(self, source: Shape, target: Shape) -> int:
        return int(self.pre.size)

    @property
    def n_parameters(self) -> int:
        return int(self.weight.size)


def _row_order(pre: Array, post: Array) -> Array:
    """Stable order of synapses by (pre, post)."""
    if pre.size < MANY_SYNAPSES:
        return np.lexsort((post, pre))
    # Two counting sorts, in linear time; worth the import of scipy for many synapses only.
    from scipy.sparse import coo_array

    table = coo_array((np.arange(pre.size), (pre, post)))
    table.has_canonical_format = True  # else synapses of one pair would be summed
    return table.tocsc().tocsr().data


def _delay_array(where: str, delay: Any, shape: Shape) -> Any:
    array = checks.real_array(where, "delay", delay).astype(np.float64)
    if array.ndim and array.shape != shape:
        raise checks.fail(where, "delay", f"one number or shape {shape}", array.shape)
    checks.finite(where, "delay", array)
    checks.non_negative(where, "delay", array)
    return checks.read_only(array) if array.ndim else float(array)
