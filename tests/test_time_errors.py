"""Sums of errors of spike times, against the errors themselves."""

from __future__ import annotations

import json
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eventsim as es
from eventsim.errors import InvalidType, InvalidValue
from eventsim.fidelity.metrics import coincidence_f1, match_spikes
from eventsim.fidelity.time_errors import EDGES, PER_DECADE, TimeErrors

N, WINDOW = 3, 2e-3
BIN = 10 ** (1 / PER_DECADE)

moments = st.one_of(st.integers(0, 24).map(lambda k: k / 2048), st.floats(0, 0.01))
trains = st.lists(st.tuples(moments, st.integers(0, N - 1)), max_size=12, unique=True).map(
    lambda spikes: es.SpikeTrain.sorted([t for t, _ in spikes], [i for _, i in spikes])
)


def some(rng, size=300, n=N, shift=1e-4):
    """Two trains, the second later by about ``shift`` and without some of the spikes."""
    times, senders = rng.uniform(0, 1, size), rng.integers(n, size=size)
    kept = rng.random(size) < 0.9
    return (
        es.SpikeTrain.sorted(times, senders),
        es.SpikeTrain.sorted((times + rng.exponential(shift, size))[kept], senders[kept]),
    )


@given(trains, trains)
def test_sums_are_those_of_the_matches(x, y):
    errors = TimeErrors.of(x, y, N, WINDOW)
    matches = match_spikes(x, y, window=WINDOW)
    assert (errors.n_reference, errors.n_other) == (len(x), len(y))
    assert errors.n_matched == matches.errors.size == errors.magnitude.sum() == errors.signed.sum()
    assert errors.f1 == coincidence_f1(x, y, window=WINDOW)
    assert errors.matched_share == (matches.errors.size / len(x) if len(x) else None)
    size = np.abs(matches.errors)
    assert errors.magnitude[0] == (size == 0).sum()
    for low, high, count in zip([0, *EDGES], [*EDGES, np.inf], errors.magnitude[1:], strict=True):
        assert count == ((low < size) & (size <= high)).sum()
    ends = [-np.inf, *errors.edges, np.inf]
    for low, high, count in zip(ends, ends[1:], errors.signed, strict=False):
        assert count == ((low <= matches.errors) & (matches.errors < high)).sum()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("shift", [1e-13, 1e-9, 1e-4, 0.2])
def test_quantiles_are_right_within_a_bin(share, shift, rng):
    x, y = some(rng, shift=shift)
    errors = TimeErrors.of(x, y, N, window=3.0)
    size = np.abs(match_spikes(x, y, window=3.0).errors)
    exact = np.quantile(size, share, method="inverted_cdf")
    found = errors.quantile(share)
    if exact > 1.0:
        assert found == np.inf
    else:
        assert exact <= found <= max(exact, 1e-12) * BIN * (1 + 1e-12)
    assert errors.median == errors.quantile(0.5)


def test_quantiles_of_a_few_errors():
    """Three of ten errors are 0, one is below the first bin, one above the last."""
    x = np.arange(10) * 10.0 + 3
    y = x + [0, 0, 0, 4e-15, 1.1e-3, 1.1e-3, 1.1e-3, 1.1e-3, 0.52, 2.0]
    neuron = np.zeros(10, dtype=int)
    errors = TimeErrors.of(es.SpikeTrain(x, neuron), es.SpikeTrain(y, neuron), 1, 4.0)
    assert errors.quantile(0.0) == errors.quantile(0.3) == 0.0
    assert errors.quantile(0.31) == errors.quantile(0.4) == EDGES[0] == 1e-12
    assert 1.1e-3 < errors.quantile(0.41) == errors.quantile(0.8) < 1.1e-3 * BIN
    assert 0.52 < errors.quantile(0.9) < 0.52 * BIN
    assert errors.quantile(1.0) == np.inf
    silent = es.SpikeTrain([], [])
    nothing = TimeErrors.of(silent, silent, 1, 4.0)
    assert (nothing.median, nothing.matched_share, nothing.f1) == (None, None, 1.0)
    assert repr(nothing) == "TimeErrors(0 of 0 spikes matched within 4 s)"


def test_parts_add_up_and_survive_a_file(rng):
    pairs = [some(rng, size=40) for _ in range(6)]
    edges = np.linspace(-1e-3, 1e-3, 11)
    parts = [TimeErrors.of(x, y, N, WINDOW, edges) for x, y in pairs]
    whole = reduce(add, parts)
    errors = np.concatenate([match_spikes(x, y, window=WINDOW).errors for x, y in pairs])
    assert whole.n_matched == errors.size
    assert np.array_equal(whole.signed[1:-1], np.histogram(errors, edges)[0])
    other = reduce(add, parts[::-1])
    assert whole.to_dict() == other.to_dict()
    back = TimeErrors.from_dict(json.loads(json.dumps(whole.to_dict())))
    assert back.to_dict() == whole.to_dict()
    assert (back + parts[0]).n_matched == whole.n_matched + parts[0].n_matched


def test_a_window_of_zero_counts_what_is_exact():
    x, y = es.SpikeTrain([0.1, 0.2, 0.3], [0, 0, 0]), es.SpikeTrain([0.1, 0.25, 0.3], [0, 0, 0])
    errors = TimeErrors.of(x, y, 1, 0.0)
    assert errors.n_matched == errors.magnitude[0] == 2
    assert errors.median == 0.0


def test_refusals(rng):
    x, y = some(rng)
    with pytest.raises(InvalidValue, match="TimeErrors: other: expected senders below n = 3, got"):
        TimeErrors.of(x, es.SpikeTrain([0.1], [3]), N, WINDOW)
    with pytest.raises(InvalidType, match="TimeErrors: reference: expected a SpikeTrain"):
        TimeErrors.of([0.1], y, N, WINDOW)
    with pytest.raises(InvalidValue, match="window"):
        TimeErrors.of(x, y, N, -1.0)
    for edges in ([0.0, 0.0], [[0.0, 1.0]], [0.0, np.inf]):
        with pytest.raises(InvalidValue, match="TimeErrors: edges"):
            TimeErrors.of(x, y, N, WINDOW, edges)
    errors = TimeErrors.of(x, y, N, WINDOW)
    with pytest.raises(InvalidValue, match="TimeErrors: share"):
        errors.quantile(1.1)
    with pytest.raises(InvalidValue, match="TimeErrors: window: expected the same"):
        errors + TimeErrors.of(x, y, N, 2 * WINDOW)
    with pytest.raises(InvalidValue, match="TimeErrors: edges: expected the same"):
        errors + TimeErrors.of(x, y, N, WINDOW, [0.0])
    with pytest.raises(TypeError, match="unsupported operand"):
        errors + 1
    values = errors.to_dict()
    for change in ({"signed": values["signed"][1:]}, {"n_matched": 3}, {"n_other": -1}):
        with pytest.raises(InvalidValue, match="TimeErrors"):
            TimeErrors.from_dict(values | change)
    del values["window"]
    with pytest.raises(InvalidValue, match="TimeErrors: values"):
        TimeErrors.from_dict(values)
