"""Steps of external currents put in order, in one pass where they are as they should be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eventsim.jit import njit

__all__ = ["ordered_steps"]

#: What is found in rows: they are in order now, some are wrong, or too many have near times.
_ORDERED, _WRONG, _CROWDED = range(3)

#: Moves a row, in the mean, after which rows are sorted in another way.
_MOVES = 16


def ordered_steps(rows: NDArray[np.float64], n: int, t_from: float) -> NDArray[np.float64] | None:
    """Rows (time, neuron, value) by (time, neuron); None when one of them is wrong.

    A time is finite and not before ``t_from``, a neuron a whole number below ``n``, a value
    finite; no neuron has two steps at one time.
    """
    out = np.empty_like(rows)
    found = _place(rows, n, t_from, out)
    if found == _CROWDED:
        found = _place(rows.take(np.lexsort((rows[:, 1], rows[:, 0])), axis=0), n, t_from, out)
    return out if found == _ORDERED else None


@njit
def _place(rows, n, t_from, out):
    """Put rows in order into ``out``: into as many intervals of time as rows, then each of them.

    Steps at random times are one or two in an interval, and those in order need no move.
    """
    size = rows.shape[0]
    last = t_from
    for i in range(size):
        time, neuron = rows[i, 0], rows[i, 1]
        known = t_from <= time < np.inf and 0.0 <= neuron < n and neuron == np.floor(neuron)
        if not (known and abs(rows[i, 2]) < np.inf):
            return _WRONG
        last = max(last, time)
    scale = size / (last - t_from) if last > t_from else np.inf
    scale = scale if scale < np.inf else 0.0
    filled = np.zeros(size + 1, np.int64)
    for i in range(size):
        filled[min(np.int64((rows[i, 0] - t_from) * scale), size - 1) + 1] += 1
    for k in range(size):
        filled[k + 1] += filled[k]
    for i in range(size):
        k = min(np.int64((rows[i, 0] - t_from) * scale), size - 1)
        for column in range(3):
            out[filled[k], column] = rows[i, column]
        filled[k] += 1
    moves = 0
    for i in range(1, size):
        time, neuron, value = out[i, 0], out[i, 1], out[i, 2]
        k = i
        while k > 0 and (
            out[k - 1, 0] > time or (out[k - 1, 0] == time and out[k - 1, 1] > neuron)
        ):
            for column in range(3):
                out[k, column] = out[k - 1, column]
            k -= 1
        out[k, 0], out[k, 1], out[k, 2] = time, neuron, value
        if k > 0 and out[k - 1, 0] == time and out[k - 1, 1] == neuron:
            return _WRONG
        moves += i - k
        if moves > _MOVES * size:
            return _CROWDED
    return _ORDERED
