r"""When a potential driven by exponentials reaches its threshold: a complete search.

Between events the distance of a potential from its threshold (:mod:`.exponentials`) is

.. math::
    f(h) = x(h) - \theta - \sum_j l_j y_j e^{-\mu_j h}.

**Completeness.** Multiplying by :math:`e^{\lambda h}` and differentiating removes the membrane:

.. math::
    e^{-\lambda h} \frac{d}{dh} \left( e^{\lambda h} f \right) = f' + \lambda f = g(h)
    = C + \sum_j A_j e^{-\mu_j h}, \quad
    C = D - \lambda \theta, \quad A_j = y_j \left( g_j - (\lambda - \mu_j) l_j \right).

The factor is positive, so between two sign changes of :math:`g` the function
:math:`e^{\lambda h} f`, which has the sign of :math:`f`, is monotone: it crosses zero at most
once, upwards only where :math:`g > 0`, and whether it does is told by its signs at both ends. The
sign changes of :math:`g` are found in the same way: multiplied by :math:`e^{\mu_1 h}` and
differentiated it becomes :math:`\mu_1 C + \sum_{j > 1} (\mu_1 - \mu_j) A_j e^{-\mu_j h}`, which
has one exponential less, down to one exponential, whose sign change is a logarithm, and to a
constant, which has none. The fastest mode goes first: then each factor is positive and no
coefficient changes its sign. No coefficient is a difference of large numbers, however near the
rates are to one another.

Nothing here is sampled and no tolerance decides. A sign that rounding gets wrong belongs to a
function that touches zero within rounding: the answer is then right for inputs that differ from
the given ones by some units in the last place.

**Cost.** `quiet_for` proves with a few multiplications that nothing happens for a while, or ever;
the search is needed about once a spike.
"""

from __future__ import annotations

from math import exp, expm1, inf, log

import numpy as np

from eventsim.dynamics.exponentials import MARGIN, driven, response
from eventsim.jit import inner, maker, njit

__all__ = ["first_crossing", "quiet_for"]

#: Newton steps and bisections on one bracket. Bisection alone needs about 1,100 for any two
#: float64 numbers; Newton's steps leave some tens.
_MAX_STEPS = 2000

#: Beyond so many times the slowest time constant every exponential is 0 in float64.
_FADED = 746.0


@inner
def quiet_for(x, drive, tau, theta, modes, first, n, h):
    """Seconds, counted from ``h`` seconds after the state given, in which nothing can cross.

    A lower bound; infinity proves that the neuron stays silent until something reaches it. Three
    bounds, each with a margin for its rounding. With :math:`P` the drive with all excitation
    frozen and all inhibition left out,

    - :math:`x \\le \\max(x, D \\tau) + \\sum_j (g_j y_j)^+ \\max \\varphi_j`;
    - :math:`x` needs at least :math:`\\tau \\ln(1 + w / R)`, where :math:`w = \\theta - x` and
      :math:`R = P \\tau - \\theta`, and :math:`\\ln(1 + z) \\ge 2 z / (2 + z)`;
    - a threshold falls at most at its present speed, :math:`\\sum_j (l_j y_j)^+ \\mu_j`.
    """
    now = x
    if h > 0.0:
        now = driven(x, drive, h, tau, modes, first, n, False)
    excited, risen, lift, falling, low = drive, 0.0, 0.0, 0.0, theta
    for j in range(first, first + n):
        mode = modes[j]
        if mode.value == 0.0:
            continue
        value = mode.value if h == 0.0 else mode.value * exp(-h / mode.tau)
        amplitude = mode.gain * value
        if amplitude > 0.0:
            excited += amplitude
            risen += amplitude * mode.peak
        raised = mode.lift * value
        lift += raised
        if raised > 0.0:
            falling += raised / mode.tau
        else:
            low += raised
    way = theta + lift - now
    way -= MARGIN * (abs(theta) + abs(lift) + abs(now))
    if not way > 0.0:
        return 0.0
    margin = MARGIN * (abs(low) + abs(now) + risen)
    if tau < inf:
        if max(now, drive * tau) + risen + margin < low:
            return inf
    elif drive <= 0.0 and now + risen + margin < low:
        return inf
    if tau == inf:
        speed = max(excited, 0.0) + falling
        return inf if speed == 0.0 else way / speed * (1.0 - MARGIN)
    if falling == 0.0:
        # The threshold does not fall: it stands, or it rises, from `now + way` on.
        rest = excited * tau
        beyond = rest + MARGIN * abs(rest) - (now + way)
        if beyond <= 0.0:  # it rests below, even with all excitation frozen
            return inf
        return tau * 2.0 * way / (2.0 * beyond + way) * (1.0 - MARGIN)
    speed = max(excited - now / tau, 0.0) + falling
    return way / speed * (1.0 - MARGIN)


@inner
def _sum(constant, amplitude, tau, first, h):
    """``constant + sum_j amplitude[j] exp(-h / tau[j])`` over j >= first, up to a positive factor.

    Without a constant the slowest term is divided out, so that its sign shows however late.
    """
    total, n = constant, tau.size
    slow = inf
    if constant == 0.0:
        for j in range(first, n):
            if amplitude[j] != 0.0:
                slow = tau[j]  # they ascend
    for j in range(first, n):
        if amplitude[j] != 0.0:
            rate = 1.0 / tau[j] if slow == inf else (slow - tau[j]) / (slow * tau[j])
            total += amplitude[j] * exp(-h * rate)
    return total


@inner
def _last_sign(constant, amplitude, first):
    """Sign of the sum at infinity: that of its slowest term."""
    last = constant
    for j in range(first, amplitude.size):
        if constant == 0.0 and amplitude[j] != 0.0:
            last = amplitude[j]
    return np.sign(last)


@inner
def _bracketed(constant, amplitude, tau, first, low, high):
    """The sign change of the sum in ``(low, high]``, of which there is one; by bisection.

    ``high`` may be infinite. Its last bits do not matter: the potential is flat there.
    """
    sign = np.sign(_sum(constant, amplitude, tau, first, low))
    if high == inf:
        high = low + tau[tau.size - 1]
        while np.sign(_sum(constant, amplitude, tau, first, high)) == sign:
            low, high = high, 2.0 * high
            if high == inf:
                return high
    for _ in range(_MAX_STEPS):
        middle = low + (high - low) / 2.0
        if middle <= low or middle >= high or high - low <= 1e-14 * high:
            break
        if np.sign(_sum(constant, amplitude, tau, first, middle)) == sign:
            low = middle
        else:
            high = middle
    return high


@maker
def _sign_changes(constant, amplitude, tau, points):
    """Where ``constant + sum_j amplitude[j] exp(-h / tau[j])`` changes its sign, for h > 0.

    ``tau`` ascends. The places go to ``points``, ascending; returns their number.
    """
    n = tau.size
    levels = np.zeros((n, n))
    for j in range(n):
        levels[0, j] = amplitude[j]
    for level in range(1, n):
        for j in range(level, n):
            levels[level, j] = levels[level - 1, j] * ((tau[j] - tau[level - 1]) / tau[j])
    count = 0
    for level in range(n - 1, -1, -1):
        terms = levels[level]
        low, found = 0.0, 0
        sign = np.sign(_sum(constant, terms, tau, level, 0.0))
        for k in range(count + 1):
            high = points[k] if k < count else inf
            if high < inf:
                next_sign = np.sign(_sum(constant, terms, tau, level, high))
            else:
                next_sign = _last_sign(constant, terms, level)
            if sign == 0.0:  # touches zero: no change
                sign = next_sign
            elif next_sign == -sign:
                if level == n - 1 and constant != 0.0:
                    change = tau[level] * log(-terms[level] / constant)
                else:
                    change = _bracketed(constant, terms, tau, level, low, high)
                if change < inf:
                    points[found] = change  # no further than k, which has been read
                    found += 1
                sign = next_sign
            low = high
        count = found
    return count


@inner
def _distance(x, drive, tau, theta, modes, first, n, h):
    """``f(h)`` and ``g(h)``: the distance above threshold, and ``f' + f / tau``."""
    decay, grown = 1.0, h
    if tau < inf:
        decay, grown = exp(-h / tau), -expm1(-h / tau)
        f = (x - theta) * decay + (drive * tau - theta) * grown
        g = (drive * tau - theta) / tau
    else:
        f = (x - theta) + drive * h
        g = drive
    for j in range(first, first + n):
        mode = modes[j]
        if mode.value == 0.0:
            continue
        mode_decay = exp(-h / mode.tau)
        amplitude, raised = mode.gain * mode.value, mode.lift * mode.value
        if amplitude != 0.0:
            f += amplitude * response(h, mode.gap, decay, mode_decay)
        f -= raised * mode_decay
        g += (amplitude - mode.gap * raised) * mode_decay
    return f, g


@inner
def _rises_at_last(x, drive, tau, theta, modes, first, n):
    """Whether ``f`` is above zero at infinity, or comes down to zero from above."""
    if tau == inf:
        if drive != 0.0:
            return drive > 0.0
        end = x - theta
        for j in range(first, first + n):
            end += modes[j].gain * modes[j].value * modes[j].tau
        return end > 0.0
    rest = drive * tau
    if rest != theta:
        return rest > theta
    slow = tau
    for j in range(first, first + n):
        if modes[j].value != 0.0:
            slow = max(slow, modes[j].tau)
    last, equal = x - rest, 0.0
    for j in range(first, first + n):
        mode = modes[j]
        amplitude, raised = mode.gain * mode.value, mode.lift * mode.value
        if slow == tau:
            if mode.gap == 0.0:
                equal += amplitude
                last -= raised
            else:
                last -= amplitude / mode.gap
        elif mode.tau == slow:
            equal += amplitude / mode.gap - raised
    if slow > tau or equal != 0.0:
        return equal > 0.0
    return last > 0.0


@inner
def _locate(x, drive, tau, theta, modes, first, n, low, high, faded):
    """The upward crossing in ``(low, high]``: Newton from the left, bisection where it leaves.

    Where ``f < 0 < g`` the slope ``g - f / tau`` is positive, so Newton's step from below always
    goes to the right.
    """
    h = low
    for _ in range(_MAX_STEPS):
        f, g = _distance(x, drive, tau, theta, modes, first, n, h)
        if f == 0.0 and h > low:
            return h if h < faded else inf
        if f < 0.0:
            low = h
        else:
            high = h
        slope = g if tau == inf else g - f / tau
        new = h - f / slope if slope > 0.0 else inf
        if new == h:
            return h
        if not low < new < high:
            if high < inf:
                new = low + (high - low) / 2.0
            elif low > faded:
                return inf
            else:
                new = 2.0 * low + _shortest(tau, modes, first, n)
            if new <= low or new >= high:
                return high
        h = new
    return h


@inner
def _shortest(tau, modes, first, n):
    """The shortest time constant of a neuron."""
    shortest = tau
    for j in range(first, first + n):
        shortest = min(shortest, modes[j].tau)
    return shortest


@njit
def first_crossing(x, drive, tau, theta, inclusive, modes, first, n):
    """Seconds until the potential next reaches its threshold from below; infinity for never.

    A potential at or above the threshold has to fall below it first. A peak that just touches the
    threshold counts where ``inclusive``.
    """
    taus, amplitudes, count = np.empty(n), np.empty(n), 0
    for j in range(first, first + n):
        mode = modes[j]
        amplitude = mode.value * (mode.gain - mode.gap * mode.lift)
        if amplitude == 0.0:
            continue
        k = 0
        while k < count and taus[k] < mode.tau:
            k += 1
        if k < count and taus[k] == mode.tau:  # one exponential
            amplitudes[k] += amplitude
            continue
        for i in range(count, k, -1):
            taus[i], amplitudes[i] = taus[i - 1], amplitudes[i - 1]
        taus[k], amplitudes[k] = mode.tau, amplitude
        count += 1
    constant = drive if tau == inf else (drive * tau - theta) / tau
    taus, amplitudes = taus[:count], amplitudes[:count]
    points = np.empty(count + 1)
    n_points = _sign_changes(constant, amplitudes, taus, points)

    faded = inf
    if drive * tau == theta:  # all that is left fades, and at last is below what float64 shows
        faded = tau
        for j in range(first, first + n):
            faded = max(faded, modes[j].tau)
        faded *= _FADED
    f, _ = _distance(x, drive, tau, theta, modes, first, n, 0.0)
    below = f < 0.0
    every = np.int64(0)
    sign = np.sign(_sum(constant, amplitudes, taus, every, 0.0))
    if sign == 0.0:  # the sign that it takes at once
        far = points[0] if n_points > 0 else inf
        sign = _last_sign(constant, amplitudes, every)
        if far < inf:
            sign = np.sign(_sum(constant, amplitudes, taus, every, far / 2.0))
    low = 0.0
    for k in range(n_points + 1):
        high = points[k] if k < n_points else inf
        if below and sign > 0.0:
            if high < inf:
                f, _ = _distance(x, drive, tau, theta, modes, first, n, high)
                reaches = f > 0.0 or (inclusive and f == 0.0)
            else:
                reaches = _rises_at_last(x, drive, tau, theta, modes, first, n)
            if reaches:
                return _locate(x, drive, tau, theta, modes, first, n, low, high, faded)
        elif not below and sign < 0.0 and high < inf:
            f, _ = _distance(x, drive, tau, theta, modes, first, n, high)
            below = f < 0.0
        low, sign = high, -sign
    return inf
