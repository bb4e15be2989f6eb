r"""A whole layer from one arrival to the next: shared propagators, and a bound for every neuron.

Neurons of one layer share their time constants. Over a step of :math:`h` seconds, with the drive
:math:`D` and the drives :math:`c_k` of receptors (:math:`r I_k / \tau`, in volts per second),

.. math::
    x' = x d + D G + \sum_k c_k p_k, \quad c_k' = c_k d_k, \qquad
    d = e^{-h/\tau}, \; d_k = e^{-h/\tau_k}, \;
    G = \int_0^h e^{-(h-s)/\tau} ds, \; p_k = \int_0^h e^{-(h-s)/\tau} e^{-s/\tau_k} ds.

The factors are computed once a step and serve every neuron. Nothing cancels, however near the
time constants are to one another (:func:`eventsim.dynamics.exponentials.response`).

**Bound.** During the step :math:`e^{-s/\tau_k}` lies between :math:`d_k` and 1, so
:math:`c_k e^{-s/\tau_k} \le \max(c_k, c_k d_k)`, and the potential stays below one that relaxes
under the constant drive :math:`E = D + \sum_k \max(c_k, c_k d_k)`. That one is monotone: it stays
below the larger of its ends, :math:`x` and :math:`y = x d + E G`. Hence a neuron that begins a
step below its threshold :math:`\theta` with :math:`y < \theta` neither reaches it during the step
nor stands there at its end. The bound exceeds :math:`x'` by at most
:math:`\sum_k |c_k| G (1 - d_k)`, a second-order term in :math:`h`: what it cannot exclude is
mostly a spike.

**Rounding.** With :math:`K` receptors, :math:`y` and :math:`x'` are computed to within
:math:`(16 + 4 K) \varepsilon M` where :math:`M` bounds :math:`|x| + (|D| + \sum_k |c_k|) G`. A
recursion over the arrivals, with the largest weight of each source, gives an :math:`M` for the
whole run (`slack`), so subtracting that many volts from the thresholds certifies the test.

**Several steps at once.** In step :math:`i` of several, :math:`|c_k|` is at most what it was at
the beginning plus the largest weights :math:`w` that arrived since. So with
:math:`S = \max_i G_i (1 - d_{k,i})` no step reaches the threshold where
:math:`\max_i x'_i + S (|c_k| + \sum w) < \theta`.
"""

from __future__ import annotations

from math import exp, inf

import numpy as np

from eventsim.dynamics.exponentials import response
from eventsim.dynamics.lif import coefficients
from eventsim.jit import njit

__all__ = ["propagators", "slack"]

EPSILON, TINY = float(np.finfo(np.float64).eps), float(np.finfo(np.float64).tiny)

#: Where the bound says nothing, as its terms overflow: above minus infinity, which is refractory.
WIDEST = 1e300


@njit
def propagators(times, tau, taus, t_start):
    """Factors (d, G, d_1, p_1, d_2, p_2, ...) [factor, step] of the steps that end at ``times``."""
    n = taus.size
    factors = np.empty((2 + 2 * n, times.size))
    before = t_start
    for i in range(times.size):
        h = times[i] - before
        decay, grown = coefficients(h, tau)
        # A factor of zero would turn the minus infinity of refractory neurons into NaN.
        decay = max(decay, 1e-300)
        factors[0, i], factors[1, i] = decay, grown
        for k in range(n):
            gap = -1.0 / taus[k] if tau == inf else (taus[k] - tau) / (tau * taus[k])
            mode_decay = exp(-h / taus[k])
            factors[2 + 2 * k, i] = mode_decay
            factors[3 + 2 * k, i] = response(h, gap, decay, mode_decay)
        before = times[i]
    return factors


@njit
def slack(factors, jumps, potential, drive):
    """Volts by which the rounding of a run can deceive the bound.

    ``jumps`` are, for each step, the largest delta and the largest arrival at each receptor that
    come after it; ``potential`` and ``drive`` the largest that occur otherwise.
    """
    n = jumps.shape[1] - 1
    currents = np.zeros(n)
    size = largest = potential
    for i in range(jumps.shape[0]):
        drives = drive
        for k in range(n):
            drives += currents[k]
            currents[k] = currents[k] * factors[2 + 2 * k, i] + jumps[i, 1 + k]
        lifted = drives * factors[1, i]
        largest = max(largest, size + lifted)
        size = max(potential, size * factors[0, i] + lifted) + jumps[i, 0]
    found = (16 + 4 * n) * (EPSILON * max(largest, size) + TINY)
    return found if found < WIDEST else WIDEST
