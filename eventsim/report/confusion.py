"""Which class of the coarse run becomes which in the continuous one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cell", "Confusion", "confusion"]

#: Shades of the table, and the most classes that it can hold; of more the largest flows are listed.
SHADES = 6
MOST = 24
FLOWS = 12


@dataclass(frozen=True)
class Cell:
    """Samples of one pair of classes; ``shade`` from 1 grows with their number, 0: none."""

    count: int
    shade: int
    same: bool


@dataclass(frozen=True)
class Confusion:
    """Numbers of samples by the class of the coarse run and that of the continuous run.

    Attributes
    ----------
    rows : tuple of tuple of Cell
        [coarse class][continuous class]; empty where there are too many classes for a table.
    coarse, continuous : tuple of int
        Samples of each class in the two runs.
    flows : tuple of (int, int, int)
        Coarse class, continuous class and number, of classes that differ, the largest first.
    changed, total : int
        Samples that change class, and all.
    """

    rows: tuple[tuple[Cell, ...], ...]
    coarse: tuple[int, ...]
    continuous: tuple[int, ...]
    flows: tuple[tuple[int, int, int], ...]
    changed: int
    total: int


def confusion(coarse: NDArray[np.int64], continuous: NDArray[np.int64], classes: int) -> Confusion:
    """The table of two runs on the same samples.

    >>> found = confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    >>> [[cell.count for cell in row] for row in found.rows], found.flows
    ([[1, 1], [0, 1]], ((0, 1, 1),))
    """
    flat = np.bincount(coarse * classes + continuous, minlength=classes * classes)
    counts = flat.reshape(classes, classes)
    off = counts - np.diag(np.diag(counts))
    most = max(1, int(off.max()))
    rows: tuple[tuple[Cell, ...], ...] = ()
    if classes <= MOST:
        rows = tuple(
            tuple(
                Cell(int(n), 0 if i == j else int(np.ceil(SHADES * n / most)), i == j)
                for j, n in enumerate(row)
            )
            for i, row in enumerate(counts)
        )
    pairs = np.argwhere(off)
    numbers = off[tuple(pairs.T)]
    order = np.argsort(-numbers, kind="stable")[:FLOWS]
    pairs, numbers = pairs[order], numbers[order]
    return Confusion(
        rows=rows,
        coarse=tuple(counts.sum(axis=1).tolist()),
        continuous=tuple(counts.sum(axis=0).tolist()),
        flows=tuple((int(a), int(b), int(n)) for (a, b), n in zip(pairs, numbers, strict=True)),
        changed=int(off.sum()),
        total=int(counts.sum()),
    )
