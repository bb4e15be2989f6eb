"""The naive simulator's motion and its search against high precision and dense sampling."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy.optimize import brentq

from tests.naive_motion import Decaying, Motion, first_crossing
from tests.naive_units import INF, Margin

NOTHING = Decaying(0.0, 0.0, 1.0)
#: Time constants of a current in those of the membrane.
RATIOS = (1.0, 1.0 + 1e-9, 1.0 - 1e-6, 0.5, 2.0, 1e-3, 1e3, 1e-6, 1e6)


def motion(tau, forces, v=0.0, pull=0.0, leak=0.0, threshold=1.0, rise=NOTHING):
    currents = tuple(Decaying(rate, 0.0, tau_syn) for rate, tau_syn in forces)
    return Motion(v, 0.0, pull, 0.0, tau, leak, currents, threshold, rise)


def random_motion(rng):
    """Anything: no leak, up to four currents of both signs, a threshold that moves."""
    tau = INF if rng.random() < 0.15 else 10 ** rng.uniform(-2, 2)
    forces = []
    for _ in range(rng.integers(5)):
        ratio = rng.choice([*RATIOS, *10 ** rng.uniform(-6, 6, 3), *10 ** rng.uniform(-1, 1, 6)])
        tau_syn = float(ratio) * (1.0 if tau == INF else tau)
        forces.append((rng.normal() * 2 * (1 / tau_syn + 1 / tau), tau_syn))
    return motion(
        tau,
        forces,
        v=float(rng.uniform(-1.0, 1.5)),
        pull=float(rng.choice([0.0, rng.normal()])),
        leak=float(rng.choice([0.0, 0.2 * rng.normal()])),
        rise=Decaying(float(rng.choice([0.0, 0.5 * rng.normal()])), 0.0, 10 ** rng.uniform(-2, 2)),
    )


def exact(m, h, n=0):
    """The ``n``-th derivative of the distance from the threshold, term by term."""
    h = mpmath.mpf(h)

    def decaying(amplitude, tau):
        rate = -1 / mpmath.mpf(tau)
        return amplitude * rate**n * mpmath.exp(rate * h)

    total = -decaying(m.rise.value, m.rise.tau)
    if m.tau == INF:
        total += (mpmath.mpf(m.v) + m.pull * h, m.pull, 0)[n]
        for force in m.forces:
            area = mpmath.mpf(force.value) * force.tau
            total += (area if n == 0 else 0) - decaying(area, force.tau)
    else:
        rest = mpmath.mpf(m.leak) + m.pull
        total += (rest if n == 0 else 0) + decaying(m.v - rest, m.tau)
        a = 1 / mpmath.mpf(m.tau)
        for force in m.forces:
            b = 1 / mpmath.mpf(force.tau)
            if a == b:
                slowest = h * (-a) ** n + n * (-a) ** (n - 1) if n else h
                total += force.value * slowest * mpmath.exp(-a * h)
            else:
                share = force.value / (a - b)
                total += decaying(share, force.tau) - decaying(share, m.tau)
    return total - (m.threshold if n == 0 else 0)


@pytest.mark.parametrize("seed", range(4))
def test_values_lie_within_their_errors(seed):
    rng = np.random.default_rng(seed)
    with mpmath.workdps(60):
        for _ in range(40):
            m = random_motion(rng)
            h = min(m.tau, 1.0) * 10 ** rng.uniform(-4, 2)
            for n, (value, error) in enumerate((m.distance(h), m.slope(h))):
                true = exact(m, h, n)
                assert abs(value - true) <= error + 2**-52 * abs(true) + 1e-300, (m, h, n)
            bound = m.bend(h)
            for later in h * (1 + 10 ** np.linspace(-6, 2, 20)):
                assert abs(exact(m, later, 2)) <= bound + 1e-290, (m, h, later)


def by_sampling(m, end):
    """The first upward crossing that a fine grid of times sees."""
    scales = [min(m.tau, 1e9), m.rise.tau, *(force.tau for force in m.forces)]
    grids = [np.linspace(0.0, min(end, 30 * tau), 400) for tau in scales]
    times = np.unique(np.concatenate([*grids, np.geomspace(1e-9, end, 600)]))
    f = np.array([m.distance(float(h))[0] for h in times])
    rises = np.flatnonzero((f[:-1] < 0.0) & (f[1:] >= 0.0))
    if not len(rises):
        return INF
    a, b = times[rises[0]], times[rises[0] + 1]
    return brentq(lambda h: m.distance(float(h))[0], a, b, xtol=1e-300, rtol=1e-15)


@pytest.mark.parametrize("seed", range(4))
def test_search_finds_what_sampling_finds(seed):
    rng = np.random.default_rng([7, seed])
    found = 0
    for _ in range(60):
        m, end, margin = random_motion(rng), 10 ** rng.uniform(-1, 2), Margin()
        h, error = first_crossing(m, 0.0, end, margin)
        if margin.value < 1000.0:
            continue
        sampled = by_sampling(m, end)
        found += h < INF
        if h < sampled:  # the grid is too coarse for a short stay above
            assert abs(m.distance(h)[0]) < 1e-12 and m.slope(h)[0] > 0.0
        else:
            assert h == sampled or abs(h - sampled) <= 20 * error, m
    assert found > 5


def peak(ratio):
    """Largest potential of one arrival of weight 1, tau_mem = 1 and tau_syn = ratio."""
    r = mpmath.mpf(ratio)
    return 1 / mpmath.e if r == 1 else r ** (1 / (1 - r))


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("excess", [1e-6, 1e-9, 1e-12])
def test_graze(ratio, excess):
    with mpmath.workdps(50):
        weight = 1 / peak(ratio)
        over, under = float(weight * (1 + excess)), float(weight * (1 - excess))
    for w, spikes in ((over, True), (under, False)):
        margin = Margin()
        m = motion(1.0, [(w, ratio)])
        h, error = first_crossing(m, 0.0, 1e3 * max(1.0, ratio), margin)
        assert (h < INF) == spikes
        assert margin.value < 100 * excess / 1e-16
        if excess > 1e-10:
            assert margin.value > 1000.0
        if spikes:
            with mpmath.workdps(50):  # the distance is of second order in the time left to the top
                assert abs(exact(m, h)) <= abs(exact(m, h, 1)) * 20 * error
                assert exact(m, h, 1) > 0


def test_a_graze_nearer_than_rounding_is_undecided():
    for excess in (1e-16, -1e-16):
        margin = Margin()
        first_crossing(motion(1.0, [(math.e * (1 + excess), 1.0)]), 0.0, 50.0, margin)
        assert margin.value < 10.0


def test_only_what_comes_from_below_crosses():
    # 2 exp(-h) falls below 1 at ln 2 and stays there.
    assert first_crossing(motion(1.0, [], v=2.0), 0.0, 50.0, Margin()) == (INF, 0.0)
    # A fast current pulls 1.5 down, a slow one lifts it again.
    margin = Margin()
    m = motion(1.0, [(-8.0, 0.5), (3.0, 20.0)], v=1.5)
    down, up = (
        brentq(lambda h: m.distance(h)[0], a, b, xtol=1e-300, rtol=1e-15)
        for a, b in ((0.0, 0.5), (0.5, 5.0))
    )
    h, error = first_crossing(m, 0.0, 50.0, margin)
    assert 0.0 < down < 0.5 < up
    assert abs(h - up) <= 10 * error < 1e-12 and margin.value > 1e9
    # Cut off before it comes back.
    assert first_crossing(m, 0.0, up - 1e-6, Margin()) == (INF, 0.0)
    assert first_crossing(m, 0.0, down, Margin()) == (INF, 0.0)


def test_a_start_at_the_threshold_is_no_crossing():
    assert first_crossing(motion(INF, [], v=1.0), 0.0, 9.0, Margin()) == (INF, 0.0)
    assert first_crossing(motion(INF, [], v=1.0, pull=1.0), 0.0, 9.0, Margin()) == (INF, 0.0)
    assert first_crossing(motion(1.0, [], v=1.0), 0.0, 9.0, Margin()) == (INF, 0.0)
    # It falls from there, and the drive of 2 takes over when the inhibition is gone.
    m = motion(1.0, [(-3.0, 1.0)], v=1.0, pull=2.0)
    h, _ = first_crossing(m, 0.0, 50.0, Margin())  # 1 - exp(-h) - 3 h exp(-h) = 0
    assert h == pytest.approx(brentq(lambda h: math.expm1(h) - 3 * h, 1.0, 3.0), rel=1e-14)


def test_rest_at_the_threshold_is_never_reached():
    h, _ = first_crossing(motion(1.0, [], pull=1.0), 0.0, 1e6, Margin())
    assert h == INF
    # A current that decays more slowly than the membrane lifts it above.
    h, _ = first_crossing(motion(1.0, [(0.5, 2.0)], pull=1.0), 0.0, 1e6, Margin())
    assert 0.0 < h < INF  # -exp(-h) + exp(-h/2) - exp(-h) = 0
    assert h == pytest.approx(2 * math.log(2), rel=1e-14)


def test_a_late_anchor_costs_only_the_resolution_of_time():
    m = motion(1.0, [(1e9, 1e-9)], v=0.5)  # half of it is there after 1e-9 ln 2
    near, far = (first_crossing(m, t, t + 1.0, Margin()) for t in (0.0, 1e3))
    assert near[0] == pytest.approx(1e-9 * math.log(2), rel=1e-8)
    assert abs(far[0] - 1e3 - near[0]) <= far[1] < 1e-12
