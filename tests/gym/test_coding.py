"""How observations become intensities, and counts of spikes become actions."""

from __future__ import annotations

import numpy as np
import pytest

from eventsim.errors import InvalidType, InvalidValue
from eventsim.gym import PopulationCode, Votes


def test_intensities_are_the_formula(rng):
    low, high, n, width = [-2.0, 0.0, 5.0], [2.0, 1.0, 9.0], 5, 0.7
    code = PopulationCode(low, high, n, width)
    seen = rng.uniform(-3, 10, (20, 3))
    found = code.intensities(seen).reshape(20, 3, n)
    for k in range(3):
        centres = np.linspace(low[k], high[k], n)
        away = np.clip(seen[:, k], low[k], high[k])[:, None] - centres
        sigma = width * (centres[1] - centres[0])
        np.testing.assert_allclose(found[:, k], np.exp(-(away**2) / (2 * sigma**2)), rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0], [0]), r"high\[0\]: expected a number > 0, got 0"),
        (([0, 0], [1]), "high: expected 2 numbers as low, got 1"),
        (([], []), "low: expected one number for each quantity"),
        (([0], [np.inf]), r"high\[0\]: expected a finite number"),
        (([0], [1], 1), "neurons: expected an int >= 2, got 1"),
        (([0], [1], 3, 0.0), "width: expected a number > 0"),
        (([0], [1], 3, 1.0, ["a", "b"]), "names: expected 1 names, got 2"),
        (([0], [1], 3, 1.0, [3]), "names: expected names"),
    ],
)
def test_a_code_refuses_what_is_out_of_range(arguments, message):
    with pytest.raises((InvalidValue, InvalidType), match=message):
        PopulationCode(*arguments)


def test_votes_are_sums_of_groups_and_ties_go_to_the_lowest(rng):
    votes = Votes(3, 4, gain=0.5)
    spikes = rng.integers(0, 5, (50, 12))
    count = votes.count(spikes)
    for row, found in zip(spikes, count, strict=True):
        assert found.tolist() == [sum(row[0:4]), sum(row[4:8]), sum(row[8:12])]
    assert votes.choose([[1, 2, 2], [0, 0, 0], [3, 1, 4]]).tolist() == [1, 0, 2]
    odds = np.exp(0.5 * count)
    np.testing.assert_allclose(
        votes.probabilities(count), odds / odds.sum(axis=1, keepdims=True), rtol=1e-12
    )
    # Large counts must not overflow.
    assert votes.probabilities([[5000, 0, 0]])[0].tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(InvalidValue, match=r"spikes: expected shape \[sample, 12\]"):
        votes.count(np.zeros((2, 3)))
    for arguments in ((1,), (2, 0), (2, 1, 0.0), (2, 1, 1.0, ["left"])):
        with pytest.raises(InvalidValue):
            Votes(*arguments)
