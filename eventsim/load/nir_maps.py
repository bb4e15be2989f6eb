"""Linear nodes of NIR as projections, and chains of them as one projection.

A chain keeps the cheapest form that is exact: a convolution stays one behind a Flatten, poolings
that tile the image are folded into the kernels behind them (:mod:`eventsim.load.folding`), two
matrices are multiplied. What no such form expresses becomes a list of synapses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eventsim.convolution import Conv2d
from eventsim.errors import UnsupportedNetwork
from eventsim.load.folding import TilingPool, fold_conv2d, fold_linear
from eventsim.pooling import SumPool2d
from eventsim.projections import Dense, Projection, Rows, Shape, Sparse

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Path", "applied", "composed", "delayed", "image", "one_to_one", "scaled", "written_out"]

#: Synapses that may be written out, and products that composing two maps may take.
MOST_SYNAPSES = 20_000_000
MOST_PRODUCTS = 100_000_000

Array = NDArray[Any]


@dataclass(frozen=True)
class Path:
    """What spikes of ``source`` become on their way through linear nodes.

    ``link`` is None while nothing but their arrangement has changed; ``delay`` comes on top of
    the link's own; ``spread`` is the width of pulses that eventsim noted.
    """

    source: str
    source_shape: Shape
    shape: Shape
    link: Any = None
    delay: float = 0.0
    spread: float = 0.0
    nodes: tuple[str, ...] = ()

    @property
    def n_pre(self) -> int:
        """Number of source units."""
        return math.prod(self.source_shape)

    @property
    def n_post(self) -> int:
        """Number of units that the path ends in."""
        return math.prod(self.shape)


def image(shape: Shape) -> Shape:
    """(channel, y, x) of a shape of two axes (channel, x), as Conv1d has it."""
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape


def one_to_one(path: Path, weight: Any = 1.0) -> Sparse:
    """A synapse from each unit to that of its own number."""
    units = np.arange(path.n_pre)
    return Sparse(path.source, "map", units, units, weight)


def _is_one_to_one(path: Path) -> bool:
    link = path.link
    if not isinstance(link, Sparse) or not np.array_equal(link.pre, link.post):
        return False
    if path.n_pre != link.pre.size or path.n_post != link.pre.size:
        return False
    return bool((link.pre == np.arange(link.pre.size)).all())


def composed(path: Path, node: str, op: Any, shape: Shape) -> Path:
    """The path followed by the map ``op`` of node ``node``, which ends in ``shape``."""
    done = replace(path, shape=shape, nodes=(*path.nodes, node))
    if path.link is None:
        return replace(done, link=op)
    link = _folded(path, node, op)
    if link is None and _is_one_to_one(path) and np.ndim(path.link.delay) == 0:
        link = _prescaled(op, path.link.weight.astype(np.float64), path.shape)
    if link is None and _plain(path.link, Dense) and _plain(op, Dense):
        product = path.link.weight.astype(np.float64) @ op.weight.astype(np.float64)
        link = Dense(path.source, node, product)
    if link is None:
        link = _product(path, node, op, shape)
    return replace(done, link=link)


def _plain(link: Projection, kind: type) -> bool:
    return isinstance(link, kind) and np.ndim(link.delay) == 0  # type: ignore[attr-defined]


def _tiling(link: Projection) -> TilingPool | None:
    if not isinstance(link, SumPool2d) or link.stride != link.kernel_size or any(link.padding):
        return None
    return TilingPool(link.kernel_size, link.gain)


def _folded(path: Path, node: str, op: Projection) -> Projection | None:
    """A pooling and what follows it as one map; None where that has no form of its own."""
    pool = _tiling(path.link)
    if pool is None:
        return None
    before = image(path.source_shape)
    if isinstance(op, Dense):
        return Dense(path.source, node, fold_linear(op.weight.T, pool, before).T)  # type: ignore
    if (second := _tiling(op)) is not None:
        both = second.after(pool)
        return SumPool2d(path.source, node, both.kernel, weight=both.gain)
    if isinstance(op, Conv2d):
        try:
            weight, stride, padding = fold_conv2d(
                node,
                op.weight,
                op.stride,
                op.padding,
                op.dilation,
                pool,
                before[1:],  # type: ignore
            )
        except UnsupportedNetwork:
            return None
        return Conv2d(path.source, node, weight, stride, padding, groups=op.groups)
    return None


def _prescaled(op: Projection, factor: Array, shape: Shape) -> Projection | None:
    """The map with one factor for each unit it reads; None where its form has no room for it."""
    if isinstance(op, Dense):
        return replace(op, weight=_times(op.weight, factor[:, None]))
    if isinstance(op, Sparse):
        return replace(op, weight=_times(op.weight, factor[op.pre]))
    if isinstance(op, Conv2d):
        each = factor.reshape(image(shape)[0], -1)
        if (each != each[:, :1]).any():
            return None
        out, per_group = op.weight.shape[:2]
        group = np.arange(out) // (out // op.groups)
        read = each[group[:, None] * per_group + np.arange(per_group), 0]
        return replace(op, weight=_times(op.weight, read[:, :, None, None]))
    if isinstance(op, SumPool2d) and (factor == factor[0]).all():
        return replace(op, weight=op.weight * float(factor[0]))
    return None


def scaled(path: Path, factor: Any, node: str | None = None) -> Path:
    """The path with a factor of a node, one for all or one for each unit it ends in."""
    if node is not None:
        path = replace(path, nodes=(*path.nodes, node))
    every = np.broadcast_to(np.asarray(factor, dtype=np.float64), (path.n_post,))
    first = float(every[0])
    same = bool((every == first).all())
    link = path.link
    if link is None:
        return replace(path, link=one_to_one(path, every))
    if same and first == 1.0:
        return path
    if isinstance(link, Dense):
        return replace(path, link=replace(link, weight=_times(link.weight, every[None, :])))
    if isinstance(link, Conv2d):
        each = every.reshape(link.weight.shape[0], -1)
        if (each == each[:, :1]).all():
            weight = _times(link.weight, each[:, :1, None, None])
            return replace(path, link=replace(link, weight=weight))
    if isinstance(link, SumPool2d) and same:
        return replace(path, link=replace(link, weight=link.weight * first))
    sparse = _sparse(path)
    weight = _times(sparse.weight, every[sparse.post])
    return replace(path, link=replace(sparse, weight=weight))


def _times(weight: Array, factor: Array) -> Array:
    """The product; float32 weights stay float32 where that is exact."""
    exact = weight.astype(np.float64) * factor
    with np.errstate(over="ignore"):
        narrow = exact.astype(weight.dtype)
    return narrow if (narrow == exact).all() else exact


def delayed(path: Path, node: str, delay: Array) -> Path:
    """The path with a delay of a node in seconds, one for each unit it ends in."""
    path = replace(path, nodes=(*path.nodes, node))
    first = float(delay[0])
    if (delay == first).all():
        return replace(path, delay=path.delay + first)
    link = path.link
    if isinstance(link, Dense):
        late = np.broadcast_to(np.asarray(link.delay) + delay[None, :], link.weight.shape)
        return replace(path, link=replace(link, delay=late))
    sparse = one_to_one(path) if link is None else _sparse(path)
    return replace(path, link=replace(sparse, delay=sparse.delay + delay[sparse.post]))


def _rows(source: Shape, op: Any, shape: Shape, nodes: tuple[str, ...]) -> Rows:
    """A map written out, if that is of a sensible size."""
    if op.n_synapses(image(source), image(shape)) > MOST_SYNAPSES:
        raise UnsupportedNetwork(
            f"nodes {' -> '.join(nodes)}: expected a chain of at most {MOST_SYNAPSES:,} synapses, "
            f"as it has to be written out, got {op.n_synapses(image(source), image(shape)):,}: "
            "put neurons between the nodes, or write it as one node"
        )
    return op.rows(image(source), image(shape))


def _sparse(path: Path) -> Sparse:
    """The link as a list of synapses."""
    if isinstance(path.link, Sparse):
        return path.link
    rows = _rows(path.source_shape, path.link, path.shape, path.nodes)
    pre = np.repeat(np.arange(path.n_pre), np.diff(rows.indptr))
    delay = rows.delay if rows.delay.size > 1 else float(rows.delay[0])
    return Sparse(path.source, "map", pre, rows.post, rows.weight, delay)


def _product(path: Path, node: str, op: Projection, shape: Shape) -> Projection:
    """The two maps as one list of synapses; as a matrix where every pair is joined."""
    first = _sparse(path)
    second = _rows(path.shape, op, shape, (*path.nodes, node))
    reach = np.diff(second.indptr)[first.post]
    if int(reach.sum()) > MOST_PRODUCTS:
        raise UnsupportedNetwork(
            f"nodes {' -> '.join((*path.nodes, node))}: expected a chain that takes at most "
            f"{MOST_PRODUCTS:,} products of weights, got {int(reach.sum()):,}: put neurons "
            "between the nodes, or write it as one node"
        )
    n_post = math.prod(shape)
    if np.ndim(first.delay):
        return _joined(path.source, node, first, second, reach)
    both = _matrix(first, path.n_pre, path.n_post) @ _csr(second, path.n_post, n_post)
    if both.nnz == path.n_pre * n_post:
        return Dense(path.source, node, both.toarray(), delay=first.delay)
    listed = both.tocoo()
    order = np.lexsort((listed.col, listed.row))
    pre, post = listed.row[order].astype(np.int64), listed.col[order].astype(np.int64)
    return Sparse(path.source, node, pre, post, listed.data[order], first.delay)


def _csr(rows: Rows, n_pre: int, n_post: int) -> csr_array:
    from scipy.sparse import csr_array

    return csr_array((rows.weight.astype(np.float64), rows.post, rows.indptr), (n_pre, n_post))


def _matrix(link: Sparse, n_pre: int, n_post: int) -> csr_array:
    from scipy.sparse import coo_array

    weight = link.weight.astype(np.float64)
    return coo_array((weight, (link.pre, link.post)), (n_pre, n_post)).tocsr()


def _joined(source: str, node: str, first: Sparse, second: Rows, reach: Array) -> Sparse:
    """Synapses of both maps in series; those of one pair and one delay are added up."""
    start = np.repeat(second.indptr[first.post] - np.cumsum(reach) + reach, reach)
    at = start + np.arange(start.size)
    pre, post = np.repeat(first.pre, reach), second.post[at].astype(np.int64)
    delay = np.repeat(first.delay, reach)
    weight = np.repeat(first.weight.astype(np.float64), reach) * second.weight[at]
    order = np.lexsort((delay, post, pre))
    pre, post, delay, weight = pre[order], post[order], delay[order], weight[order]
    if not pre.size:
        return Sparse(source, node, pre, post, weight, 0.0)
    new = (np.diff(pre) != 0) | (np.diff(post) != 0) | (np.diff(delay) != 0)
    begin = np.concatenate(([0], np.flatnonzero(new) + 1))
    return Sparse(
        source, node, pre[begin], post[begin], np.add.reduceat(weight, begin), delay[begin]
    )


def applied(op: Projection | None, values: Array, source: Shape, shape: Shape, node: str) -> Array:
    """What the map makes of a constant, one number for each unit."""
    if op is None:
        return values
    if isinstance(op, Dense):
        return values @ op.weight.astype(np.float64)
    rows = _rows(source, op, shape, (node,))
    n_pre, n_post = math.prod(source), math.prod(shape)
    return np.asarray(values @ _csr(rows, n_pre, n_post))


def written_out(path: Path) -> Path:
    """The path with its link as a list of synapses."""
    return replace(path, link=_sparse(path))
