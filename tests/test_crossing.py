"""The search for crossings, called directly: against certified steps and 50-digit arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, inf, log, log1p, ulp

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eventsim.dynamics.crossing import first_crossing, quiet_for
from eventsim.dynamics.exponentials import MODE, highest_response
from eventsim.jit import njit
from tests import naive_motion
from tests.naive_units import ULP, Margin

DIGITS = 50
#: A decision nearer than so many rounding errors may fall either way.
DECIDED = 1000.0
#: What the search loses: so many roundings of the terms that it adds.
ROUNDINGS = 8
RATIOS = (1.0, 1.0 + 1e-9, 1.0 - 1e-9, 1.0 + 1e-6, 1.0 - 1e-6, 2.0, 0.5, 1e-3, 1e3, 1e-6, 1e6)
LADDER = (1e-6, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13)


@njit
def quiet(x, drive, tau, theta, modes, h):
    return quiet_for(x, drive, tau, theta, modes, 0, modes.size, h)


@dataclass(frozen=True)
class Cell:
    """A neuron between two events; ``modes`` are rows (tau, gain, lift, value)."""

    tau: float = 1.0
    modes: tuple[tuple[float, float, float, float], ...] = ()
    x: float = 0.0
    drive: float = 0.0
    theta: float = 1.0

    def records(self):
        rows = np.zeros(len(self.modes), dtype=MODE)
        for row, (tau, gain, lift, value) in zip(rows, self.modes, strict=True):
            row["tau"], row["gain"], row["lift"], row["value"] = tau, gain, lift, value
            row["gap"] = -1 / tau if self.tau == inf else (tau - self.tau) / (self.tau * tau)
            row["peak"] = highest_response(np.array([self.tau]), np.array([tau]))[0]
        return rows

    def crossing(self, *, inclusive=True):
        modes = self.records()
        return first_crossing(
            self.x, self.drive, self.tau, self.theta, inclusive, modes, 0, modes.size
        )

    def quiet(self, h):
        return quiet(self.x, self.drive, self.tau, self.theta, self.records(), h)

    def terms(self, h, n=0):
        """The ``n``-th derivatives of the parts of the distance from the threshold, exactly."""
        h = mpmath.mpf(h)

        def decaying(amplitude, rate):
            return amplitude * (-rate) ** n * mpmath.exp(-rate * h)

        a = mpmath.mpf(0) if self.tau == inf else 1 / mpmath.mpf(self.tau)
        terms = [decaying(self.x, a), mpmath.mpf(-self.theta if n == 0 else 0)]
        if a == 0:
            terms.append(mpmath.mpf(self.drive) * (h, 1, 0)[n])
        else:
            terms.append((self.drive / a if n == 0 else 0) - decaying(self.drive / a, a))
        for tau, gain, lift, value in self.modes:
            b, amplitude = 1 / mpmath.mpf(tau), mpmath.mpf(gain) * value
            if a == b:
                slowest = h * (-a) ** n + (n * (-a) ** (n - 1) if n else 0)
                terms.append(amplitude * slowest * mpmath.exp(-a * h))
            else:
                terms.append(decaying(amplitude / (a - b), b) - decaying(amplitude / (a - b), a))
            terms.append(-decaying(mpmath.mpf(lift) * value, b))
        return terms

    def exact(self, h, n=0):
        return mpmath.fsum(self.terms(h, n))

    def summits(self):
        """Where the distance has its maxima, in order."""
        taus = [tau for tau, *_ in self.modes] + [self.tau] * (self.tau < inf)
        times = [0.0, *np.geomspace(1e-3 * min(taus), 60 * max(taus), 300)]
        slopes = [self.exact(h, 1) for h in times]
        return [
            mpmath.findroot(lambda h: self.exact(h, 1), (times[k], times[k + 1]), solver="anderson")
            for k in range(len(times) - 1)
            if slopes[k] > 0 > slopes[k + 1]
        ]


def assert_crosses_at(cell, h):
    """Upwards, and as near to the true place as roundings of the terms allow."""
    assert h < inf, cell
    scale = mpmath.fsum(map(abs, cell.terms(h)))
    slope = cell.exact(h, 1)
    assert slope > 0, cell
    assert abs(cell.exact(h)) <= ROUNDINGS * ULP * (scale + slope * h), cell


# Anything, against the naive search.


@st.composite
def cells(draw):
    """Up to four modes, of which one may move the threshold; potentials of the threshold's size."""
    tau = draw(st.sampled_from([1.0, 1.0, 0.02, inf]), label="tau")
    scale = 1.0 if tau == inf else tau
    ratio = st.sampled_from(RATIOS) | st.floats(-6, 6).map(lambda e: 10.0**e)
    height = st.floats(-4, 4).map(lambda a: round(a, 6))
    modes = []
    for _ in range(draw(st.integers(0, 4), label="modes")):
        tau_mode = draw(ratio, label="ratio") * scale
        peak = highest_response(np.array([tau]), np.array([tau_mode]))[0]
        modes.append((tau_mode, 1 / scale, 0.0, float(draw(height, label="height") / peak * scale)))
    if modes and draw(st.booleans(), label="threshold moves"):
        tau_mode, gain, _, value = modes[-1]
        lift = draw(height, label="lift")
        if draw(st.booleans(), label="by a mode of its own"):
            gain, value = 0.0, 1.0
        modes[-1] = (tau_mode, gain, lift / (value or 1.0), value)
    return Cell(
        tau=tau,
        modes=tuple(modes),
        x=draw(st.floats(-2.0, 2.0), label="x"),
        drive=draw(st.just(0.0) | st.floats(-2.0, 2.0), label="rest") / scale,
    )


def motion_of(cell):
    """The same for the naive search."""
    nothing = naive_motion.Decaying(0.0, 0.0, 1.0)
    pull = cell.drive if cell.tau == inf else cell.drive * cell.tau
    forces, rise = [], nothing
    for tau, gain, lift, value in cell.modes:
        forces.append(naive_motion.Decaying(gain * value, ULP * abs(gain * value), tau))
        if lift != 0.0:
            rise = naive_motion.Decaying(lift * value, ULP * abs(lift * value), tau)
    return naive_motion.Motion(
        cell.x, 0.0, pull, ULP * abs(pull), cell.tau, 0.0, tuple(forces), cell.theta, rise
    )


@given(cells(), st.floats(-1, 3), st.lists(st.floats(0, 1), max_size=4))
def test_search_and_bound_against_certified_steps(cell, reach, shares):
    scale = 1.0 if cell.tau == inf else cell.tau
    end, margin = 10.0**reach * scale, Margin()
    expected, error = naive_motion.first_crossing(motion_of(cell), 0.0, end, margin)
    assume(margin.value > DECIDED)
    h = cell.crossing()
    if expected == inf:
        assert h >= end * (1 - 1e-9)
    else:
        assert abs(h - expected) <= 20 * error
        error += abs(h - expected)
    # The bound never comes after the crossing, wherever it is looked at from.
    for share in (0.0, *shares):
        at = share * min(expected, end)
        bound = at + cell.quiet(at)
        assert bound <= expected + 20 * error, (at, bound)


@given(cells(), st.sampled_from([2.0**-30, 2.0**20]), st.sampled_from([2.0**-40, 2.0**30]))
def test_units_of_time_and_voltage_do_not_matter(cell, seconds, volts):
    other = Cell(
        tau=cell.tau * seconds,
        modes=tuple(
            (tau * seconds, gain * volts / seconds, lift * volts, value)
            for tau, gain, lift, value in cell.modes
        ),
        x=cell.x * volts,
        drive=cell.drive * volts / seconds,
        theta=cell.theta * volts,
    )
    assert other.crossing() == cell.crossing() * seconds
    for h in (0.0, 0.25, 3.0):
        assert other.quiet(h * seconds) == cell.quiet(h) * seconds


# Grazing.


def single(ratio):
    return Cell(modes=((ratio, 1.0, 0.0, 1.0 / min(ratio, 1.0)),))


def opposed(ratio):
    """Excitation, and inhibition three times as slow."""
    return Cell(modes=((ratio, 1.0, 0.0, 2.0 / min(ratio, 1.0)), (3 * ratio, 1.0, 0.0, -0.5)))


GRAZES = {
    **{f"one receptor, ratio {ratio!r}": single(ratio) for ratio in RATIOS[:9]},
    **{f"two receptors, ratio {ratio!r}": opposed(ratio) for ratio in RATIOS[:9]},
    "nearly equal receptors": Cell(modes=((0.5, 1.0, 0.0, 9.0), (0.5 + 1e-9, 1.0, 0.0, -7.0))),
    "from a potential with a bias": Cell(x=-0.5, drive=0.4, modes=((0.3, 1.0, 0.0, 8.0),)),
    "no leak": Cell(tau=inf, modes=((0.5, 1.0, 0.0, 4.0), (3.0, 1.0, 0.0, -0.7))),
    "no leak, with a bias": Cell(tau=inf, drive=-0.25, modes=((0.5, 1.0, 0.0, 4.0),)),
    "falling threshold": Cell(x=1.9, modes=((0.3, 0.0, 1.0, 2.0),)),
    "rising threshold": Cell(modes=((0.7, 1.0, 0.0, 4.0), (5.0, 0.0, -0.5, 1.0))),
    "one mode drives and lifts": Cell(x=0.8, modes=((0.25, -2.0, 0.5, 1.0), (3.0, 1.0, 0.0, 0.9))),
}


@pytest.mark.parametrize("name", GRAZES)
def test_graze(name):
    """A summit just above the threshold is found, one just below is not."""
    cell = GRAZES[name]
    with mpmath.workdps(DIGITS):
        (summit,) = cell.summits()
        # The threshold moves nothing but the distance from it.
        peak = cell.exact(summit) + cell.theta
        for excess in LADDER:
            above = replace(cell, theta=float(peak - abs(peak) * excess))
            below = replace(cell, theta=float(peak + abs(peak) * excess))
            assert above.exact(0) < 0 < above.exact(summit) and below.exact(summit) < 0
            for inclusive in (True, False):
                h = above.crossing(inclusive=inclusive)
                assert_crosses_at(above, h)
                assert h < summit
                assert below.crossing(inclusive=inclusive) == inf
            assert above.quiet(0.0) <= h
            assert above.quiet(0.9 * h) <= 0.1 * h * (1 + 1e-9)


#: Time constants of the modes of a neuron with humps, and about when its humps and valleys are.
HUMPS_TAU = 0.01 * 10.0 ** np.arange(5)
HUMPS_AT = 0.02 * 10.0 ** np.arange(5)


def with_humps(tau, levels, **parameters):
    """A potential that has these levels at ``HUMPS_AT``; humps rise a little above theirs.

    There is one such potential: its modes are a Chebyshev system.
    """
    with mpmath.workdps(DIGITS):
        start = Cell(tau=tau, theta=0.0, **parameters)
        matrix = mpmath.matrix(5, 5)
        for j, tau_mode in enumerate(HUMPS_TAU):
            one = Cell(tau=tau, theta=0.0, modes=((float(tau_mode), 1.0, 0.0, 1.0),))
            for k, h in enumerate(HUMPS_AT):
                matrix[k, j] = one.exact(h)
        wanted = mpmath.matrix([v - start.exact(h) for v, h in zip(levels, HUMPS_AT, strict=True)])
        values = mpmath.lu_solve(matrix, wanted)
    modes = tuple((float(t), 1.0, 0.0, float(v)) for t, v in zip(HUMPS_TAU, values, strict=True))
    return replace(start, modes=modes)


@pytest.mark.parametrize("heights", [(0.4, 0.7, 1.0), (1.0, 0.7, 0.4), (0.4, 1.0, 0.7)])
@pytest.mark.parametrize("tau", [1e-3, 0.3, 10.0, inf])
def test_each_of_three_humps_is_found(tau, heights):
    first, second, third = heights
    sinks = {"drive": -1e-3} if tau == inf else {}  # without leak it would stay up
    cell = with_humps(tau, [first, 0.0, second, 0.0, third], **sinks)
    with mpmath.workdps(DIGITS):
        summits = cell.summits()
        peaks = [cell.exact(h) + cell.theta for h in summits]
        assert len(peaks) == 3
        for peak in peaks:
            for shift in (-0.1, *(sign * excess for sign in (-1, 1) for excess in LADDER)):
                grazed = replace(cell, theta=float(peak * (1 + shift)))
                h = grazed.crossing()
                hump = next((k for k, p in enumerate(peaks) if p > grazed.theta), None)
                if hump is None:
                    assert h == inf
                    continue
                assert_crosses_at(grazed, h)
                assert (summits[hump - 1] if hump else 0) < h < summits[hump]


@pytest.mark.parametrize("tau", [3.0, 10.0, 30.0])
def test_what_begins_above_the_threshold_has_to_fall_first(tau):
    cell = with_humps(tau, [0.0, 0.5, 0.0, 1.0, 0.0], x=4.0)
    with mpmath.workdps(DIGITS):
        summits = cell.summits()
        peaks = [cell.exact(h) + cell.theta for h in summits]
        assert len(peaks) == 2 and max(peaks) < cell.x
        for peak in peaks:
            low = replace(cell, theta=0.9 * float(peak))
            hump = next(k for k, p in enumerate(peaks) if p > low.theta)
            h = low.crossing()
            assert_crosses_at(low, h)
            assert (summits[0] if hump else 0) < h < summits[hump]
    assert replace(cell, theta=1.01 * float(max(peaks))).crossing() == inf


# At the threshold.


@pytest.mark.parametrize("theta", [1.0, 0.3, 7.7e-3])
@pytest.mark.parametrize("tau", [1.0, 0.125, 32.0])
def test_rest_at_the_threshold_is_never_reached(tau, theta):
    rest = Cell(tau=tau, drive=theta / tau, theta=theta)
    assert rest.crossing() == inf
    for ratio in (*RATIOS, 0.9, 7.0):
        for x in (0.0, 0.999 * theta, -3.0 * theta):
            inhibited = ((tau * ratio, 1 / tau, 0.0, -0.5 * theta),)
            assert replace(rest, x=x, modes=inhibited).crossing() == inf
            raised = ((tau * ratio, 0.0, 0.5 * theta, 1.0),)
            assert replace(rest, x=x, modes=raised).crossing() == inf
    assert replace(rest, x=2.0 * theta).crossing() == inf


@pytest.mark.parametrize("ratio", [1.0, 1 + 1e-9, 1 - 1e-9, 1 + 1e-6, 1.5, 2.0, 30.0, 1e3, 0.75])
@pytest.mark.parametrize("tau", [1.0, 0.125, 32.0])
def test_a_current_lifts_it_over_the_threshold_at_which_it_rests(tau, ratio):
    """f exp(h / tau) = x - theta + A (exp(gap h) - 1) / gap has one zero."""
    gap = (ratio - 1.0) / ratio  # in units of tau
    for x, amplitude in ((0.0, 0.5), (0.0, 8.0), (0.75, 1.0), (-2.0, 4.0)):
        modes = ((ratio * tau, 1 / tau, 0.0, amplitude),)
        h = Cell(tau=tau, x=x, drive=1.0 / tau, modes=modes).crossing()
        need = (1.0 - x) / amplitude
        if 1.0 + gap * need <= 0.0:  # it fades too fast
            assert h == inf
        else:
            expected = log1p(gap * need) / gap if gap else need
            assert h == pytest.approx(tau * expected, rel=1e-14)


def test_a_slow_fall_of_the_threshold_is_enough():
    # x - theta = -exp(-h), and the threshold lies 2 exp(-h / 4) lower.
    cell = Cell(drive=1.0, modes=((4.0, 0.0, -0.5, 1.0),))
    assert cell.crossing() == pytest.approx(log(2.0) / 0.75, rel=1e-14)
    assert replace(cell, modes=((0.25, 0.0, -0.5, 1.0),)).crossing() == inf


def test_a_touch_counts_where_equality_does():
    """The threshold at which a summit is a touch, in float64, is one of a few neighbours."""
    touched = 0
    for tau_mode in (0.5, 1.0, 3.0):
        for start in (Cell(tau=inf, drive=-0.5), Cell(drive=0.25)):
            cell = replace(start, modes=((tau_mode, 1.0, 0.0, 4.0),))
            with mpmath.workdps(DIGITS):
                (summit,) = cell.summits()
                theta = float(cell.exact(summit) + cell.theta)
            found = []
            for k in range(-20, 21):
                near = replace(cell, theta=theta + k * ulp(theta))
                found.append((near.crossing() < inf, near.crossing(inclusive=False) < inf))
            assert found[0] == (True, True) and found[-1] == (False, False)
            assert (False, True) not in found
            touched += (True, False) in found
    assert touched >= 3


def test_a_start_at_the_threshold_is_no_crossing():
    for inclusive in (True, False):
        for drive in (0.0, 1.0, 2.0):
            for tau in (1.0, inf):
                assert Cell(tau=tau, x=1.0, drive=drive).crossing(inclusive=inclusive) == inf
        # It falls from there, and comes back when the current fades.
        back = Cell(x=1.0, drive=2.0, modes=((1.0, 1.0, 0.0, -3.0),))
        h = back.crossing(inclusive=inclusive)
        assert exp(h) == pytest.approx(1.0 + 3.0 * h, rel=1e-14) and h > 1.0
