"""The coarse model's theory against Monte Carlo, high precision and its own recurrence."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventsim.discrete import rates, theory
from eventsim.errors import InvalidType, InvalidValue

TRIALS = 200_000
WEIGHTS = np.array([0.5, 0.3, -0.2, 0.4, 0.3])
X, X2 = WEIGHTS.sum(), (WEIGHTS**2).sum()
STANDARD_ERRORS = 5

taus = st.floats(0.05, 1e9)


@pytest.fixture(scope="module")
def arrivals():
    """Arrival times of the five inputs and end of refractoriness, uniform over the step."""
    generator = np.random.default_rng(7)
    return generator.random((TRIALS, WEIGHTS.size)), generator.random(TRIALS)


def assert_moments(values, mean, variance):
    """Sample mean and variance within five standard errors of the formulas."""
    error = values.std() / math.sqrt(TRIALS)
    assert abs(values.mean() - mean) < STANDARD_ERRORS * error
    centred = (values - values.mean()) ** 2
    assert abs(centred.mean() - variance) < STANDARD_ERRORS * centred.std() / math.sqrt(TRIALS)


@pytest.mark.parametrize("tau", [0.3, 1.0, 4.0, 20.0])
def test_moments_after_a_step(arrivals, tau):
    times, _ = arrivals
    v = 0.7 * np.exp(-1 / tau) + (WEIGHTS * np.exp(-(1 - times) / tau)).sum(axis=1)
    assert_moments(v, theory.mean_after_step(0.7, X, tau), theory.variance_after_step(X2, tau))


@pytest.mark.parametrize("tau", [0.3, 1.0, 4.0, 20.0])
def test_moments_after_a_spike(arrivals, tau):
    times, end = arrivals
    counted = times >= end[:, None]
    v = (WEIGHTS * counted * np.exp(-(1 - times) / tau)).sum(axis=1)
    assert_moments(v, theory.mean_after_spike(X, tau), theory.variance_after_spike(X, X2, tau))


def test_moments_of_an_evenly_spread_charge(arrivals):
    tau, (_, end) = 4.0, arrivals
    v = X * tau * -np.expm1(-(1 - end) / tau)
    assert_moments(v, theory.mean_after_spike(X, tau), theory.variance_after_spike(X, 0.0, tau))


@given(taus)
def test_coefficients_agree_with_high_precision(tau):
    with mpmath.workdps(60):
        exact_a = mpmath.exp(-1 / mpmath.mpf(tau))
        exact_b = mpmath.mpf(tau) * (1 - exact_a)
        exact_c = mpmath.mpf(tau) * (1 - exact_b)
        for got, exact in zip(theory.coefficients(tau), (exact_a, exact_b, exact_c), strict=True):
            # a time constant below one step amplifies the rounding of 1 / tau
            assert abs(float((mpmath.mpf(float(got)) - exact) / exact)) < 1e-15 * (1 + 1 / tau)


def test_coefficients_near_the_switch_to_the_series():
    tau = np.array([math.nextafter(1.0, 0.0), 1.0, math.nextafter(1.0, 2.0)])
    assert np.ptp(theory.coefficients(tau).c) < 4e-16
    assert theory.coefficients(tau).c.shape == (3,)


@given(st.floats(0.01, 20.0), st.one_of(st.floats(0.2, 200.0), st.just(math.inf)))
def test_steady_period_is_that_of_the_recurrence(x, tau):
    a, b, c = (float(k) for k in theory.coefficients(tau))
    period = rates.steady_period(x, tau)
    v, steps = c * x, 1
    margin = abs(v - 1)
    while v <= 1 and steps < 5000:
        v, steps = a * v + b * x, steps + 1
        margin = min(margin, abs(v - 1))
    if margin < 1e-9:  # either side of the threshold is right
        return
    assert period == (steps if v > 1 else math.inf)
    assert rates.steady_rate(x, tau) == (1 / steps if v > 1 else 0.0)


@given(st.integers(1, 30), st.floats(0.5, 50.0), st.floats(0.1, 10.0))
def test_edges_of_the_staircase(period, tau, v0):
    edge = rates.drive_for_period(period, tau, v0)
    above, below = edge * (1 + 1e-12), edge * (1 - 1e-12)
    # far down the staircase the edges lie closer than a rounding
    if rates.drive_for_period(period + 1, tau, v0) < below:
        assert rates.steady_period(above, tau, v0) == period
        assert rates.steady_period(below, tau, v0) == period + 1


@settings(max_examples=50)
@given(st.floats(0.5, 50.0), st.floats(0.3, 5.0))
def test_continuous_rate_solves_the_membrane_equation(tau, x):
    rate = rates.continuous_rate(x, tau)
    if tau * x <= 1:
        assert rate == 0.0
    else:
        rise = 1 / rate - 1
        assert -tau * x * math.expm1(-rise / tau) == pytest.approx(1.0, rel=1e-9)


def test_rates_of_non_leaky_and_silent_neurons():
    assert rates.continuous_rate(0.5, math.inf) == pytest.approx(1 / 3)
    assert rates.continuous_rate(-1.0, 4.0) == rates.steady_rate(-1.0, 4.0) == 0.0
    assert rates.steady_period(0.25, math.inf) == 5  # 0.125 after a spike, then 0.25 a step
    assert rates.steady_period(0.25, 4.0) == math.inf  # the potential only tends to 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: theory.coefficients(0.0), InvalidValue, "tau: expected a number > 0"),
        (lambda: theory.coefficients([1.0, math.nan]), InvalidValue, "tau"),
        (lambda: theory.coefficients("four"), InvalidType, "tau"),
        (lambda: theory.mean_after_step(math.inf, 1.0, 4.0), InvalidValue, "v"),
        (lambda: theory.variance_after_spike(1.0, 1.0, math.inf), InvalidValue, "tau"),
        (lambda: rates.drive_for_period(0, 4.0), InvalidValue, "period"),
        (lambda: rates.drive_for_period(1.5, 4.0), InvalidType, "period"),
        (lambda: rates.steady_period(1.0, [4.0, 5.0]), InvalidValue, "tau: expected one number"),
        (lambda: rates.steady_rate(1.0, -4.0), InvalidValue, "tau"),
        (lambda: rates.continuous_rate(math.nan, 4.0), InvalidValue, "x"),
        (lambda: rates.continuous_rate(1.0, 4.0, v0=0.0), InvalidValue, "v0"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
