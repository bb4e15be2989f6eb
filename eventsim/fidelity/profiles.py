"""Distances of two spike trains of one neuron that take their time scale from the trains.

Both are means over the window of a profile made from the interspike intervals around each time.
Edges of the window are treated as PySpike does: the first interval of a train begins at the start
of the window, or one interspike interval before the first spike where that is earlier; the end
likewise. An empty train has one interval, the window, with spikes at its ends. Spikes at the same
time count once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.fidelity.trains import spike_times, within
from eventsim.jit import inner, njit

__all__ = ["isi_distance", "spike_distance"]

Float = NDArray[np.float64]


def isi_distance(
    first: ArrayLike, second: ArrayLike, *, t_stop: float, t_start: float = 0.0
) -> float:
    r"""ISI-distance: the mean relative difference of the intervals that two trains are in.

    .. math:: D_I = \frac{1}{T} \int \frac{|x(t) - y(t)|}{\max(x(t), y(t))} \, dt

    with the lengths x and y of the interspike intervals around t, and T the length of the window.

    Parameters
    ----------
    first, second : array
        Spike times of one neuron in seconds, ascending, within the window and its ends.
    t_start, t_stop : float
        The window in seconds. ``t_start`` is 0 by default.

    Returns
    -------
    float
        Without unit, at least 0 and below 1; 0 for two empty trains. It sees rates: trains
        shifted against each other differ only at the edges. The triangle inequality holds.

    Raises
    ------
    InvalidValue, InvalidType
        An empty window, spikes outside it, times that are not finite or do not ascend.

    Examples
    --------
    >>> isi_distance([0.02, 0.04, 0.06, 0.08], [0.04, 0.08], t_stop=0.1)
    0.5

    Notes
    -----
    T. Kreuz, J. S. Haas, A. Morelli, H. D. I. Abarbanel and A. Politi, J. Neurosci. Methods 165,
    151 (2007); in this form section II.A of arXiv:1502.02027. Edges: see the module.
    """
    x, y, a, b = _checked("isi_distance", first, second, t_start, t_stop)
    return float(_isi_profile(x, y, a, b)) / (b - a)


def spike_distance(
    first: ArrayLike, second: ArrayLike, *, t_stop: float, t_start: float = 0.0
) -> float:
    r"""SPIKE-distance: how far spikes are from the nearest ones of the other train, by local rate.

    With :math:`\Delta_P` and :math:`\Delta_F` the distances of a train's previous and following
    spike to the nearest spike of the other train, :math:`x_P` and :math:`x_F` the times to these
    two spikes, and x the interval between them,

    .. math::

        D_S = \frac1T \int \frac{S_1 x_2 + S_2 x_1}{2 \langle x \rangle^2} \, dt, \qquad
        S_k = \frac{\Delta_P x_F + \Delta_F x_P}{x_k}, \qquad
        \langle x \rangle = \frac{x_1 + x_2}{2}

    Parameters
    ----------
    first, second : array
        Spike times of one neuron in seconds, ascending, within the window and its ends.
    t_start, t_stop : float
        The window in seconds. ``t_start`` is 0 by default.

    Returns
    -------
    float
        Without unit, at least 0; 0 for two empty trains. Symmetric; the triangle inequality does
        not hold.

    Raises
    ------
    InvalidValue, InvalidType
        An empty window, spikes outside it, times that are not finite or do not ascend.

    Examples
    --------
    >>> spike_distance([0.02, 0.06], [0.02, 0.06], t_stop=0.1)
    0.0
    >>> round(spike_distance([0.04], [0.05], t_stop=0.1), 4)
    0.198

    Notes
    -----
    T. Kreuz, D. Chicharro, C. Houghton, R. G. Andrzejak and F. Mormann, J. Neurophysiol. 109, 1457
    (2013); in this form section II.B of arXiv:1502.02027. Before its first and after its last
    spike a train keeps that spike's distance (E. Satuvuori et al., J. Neurosci. Methods 287, 25,
    2017). PySpike treats one case otherwise: a single spike exactly at the start of the window.
    """
    x, y, a, b = _checked("spike_distance", first, second, t_start, t_stop)
    return float(_spike_profile(x, y, a, b)) / (b - a)


def _checked(
    where: str, first: ArrayLike, second: ArrayLike, t_start: float, t_stop: float
) -> tuple[Float, Float, float, float]:
    a, b = checks.scalar(where, "t_start", t_start), checks.scalar(where, "t_stop", t_stop)
    if b <= a:
        raise checks.fail(where, "t_stop", f"a time after t_start = {a}", b)
    trains = []
    for field, given in (("first", first), ("second", second)):
        times = spike_times(where, field, given)
        within(where, field, times, a, b)
        if not times.size:
            times = np.array([a, b])
        elif (times[1:] == times[:-1]).any():
            times = np.unique(times)
        trains.append(times)
    return trains[0], trains[1], a, b


@inner
def _interval(x: Float, k: int, a: float, b: float) -> float:
    """Length of the interval after spike k; before the first spike for k = -1."""
    last = x.size - 1
    if k < 0:
        return max(x[0] - a, x[1] - x[0]) if last else x[0] - a
    if k == last:
        return max(b - x[last], x[last] - x[last - 1]) if last else b - x[last]
    return x[k + 1] - x[k]


@njit
def _isi_profile(x: Float, y: Float, a: float, b: float) -> float:
    """Integral of the profile, which is constant between spikes of either train."""
    i = j = -1
    t, area = a, 0.0
    while True:
        while i + 1 < x.size and x[i + 1] <= t:
            i += 1
        while j + 1 < y.size and y[j + 1] <= t:
            j += 1
        if t >= b:
            return area
        end = min(x[i + 1] if i + 1 < x.size else b, y[j + 1] if j + 1 < y.size else b)
        u, v = _interval(x, i, a, b), _interval(y, j, a, b)
        area += abs(u - v) / max(u, v) * (end - t)
        t = end


@njit
def _nearest(x: Float, y: Float, a: float, b: float) -> Float:
    """Distance of each spike of x to the nearest of y, or to an edge of y."""
    left = min(a, 2 * y[0] - y[1]) if y.size > 1 else a
    right = max(b, 2 * y[-1] - y[-2]) if y.size > 1 else b
    found = np.empty(x.size)
    j = 0
    for i in range(x.size):
        while j < y.size and y[j] < x[i]:
            j += 1
        before = y[j - 1] if j > 0 else left
        after = y[j] if j < y.size else right
        found[i] = min(x[i] - before, after - x[i])
    return found


@inner
def _mixed(x: Float, gaps: Float, k: int, t: float) -> float:
    """S of a train at t after spike k: between its spikes' distances, constant at the edges."""
    last = x.size - 1
    if k < 0:
        return gaps[0]
    if k == last:
        return gaps[last]
    return (gaps[k] * (x[k + 1] - t) + gaps[k + 1] * (t - x[k])) / (x[k + 1] - x[k])


@njit
def _spike_profile(x: Float, y: Float, a: float, b: float) -> float:
    """Integral of the profile, which is linear between spikes of either train."""
    to_y, to_x = _nearest(x, y, a, b), _nearest(y, x, a, b)
    i = j = -1
    t, area = a, 0.0
    while True:
        while i + 1 < x.size and x[i + 1] <= t:
            i += 1
        while j + 1 < y.size and y[j + 1] <= t:
            j += 1
        if t >= b:
            return area
        end = min(x[i + 1] if i + 1 < x.size else b, y[j + 1] if j + 1 < y.size else b)
        u, v = _interval(x, i, a, b), _interval(y, j, a, b)
        s = _mixed(x, to_y, i, t) + _mixed(x, to_y, i, end)
        r = _mixed(y, to_x, j, t) + _mixed(y, to_x, j, end)
        area += (s * v + r * u) / (u + v) ** 2 * (end - t)  # the mean of both ends
        t = end
