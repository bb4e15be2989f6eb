"""The continuous policy beside the coarse one."""

from __future__ import annotations

import json

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import InvalidValue
from eventsim.gym import compare, votes_on
from eventsim.gym.intervals import ratio_of_sums
from tests.gym.chase import Chase


def test_a_comparison_holds_all_players_to_the_coarse_one(policy, tmp_path):
    done = []
    found = compare(policy, Chase, 12, seed=3, progress=lambda *call: done.append(call))
    names = [player.name for player in found.players]
    assert names == [
        "coarse",
        "coarse, second draw",
        "continuous, pulses of 1 ms",
        "continuous, deltas",
    ]
    assert done[-1] == (48, 48)
    coarse, again, pulses, deltas = found.players
    assert found.coarse is coarse and found.continuous == (pulses, deltas)
    assert (coarse.change, coarse.same_shown, coarse.same_own) == (None, None, None)
    for player in (again, pulses, deltas):
        first = [(e.observations[0] == c.observations[0]).all()
                 for e, c in zip(player.episodes, coarse.episodes, strict=True)]  # fmt: skip
        assert all(first)
        change = np.mean(player.episodes.returns - coarse.episodes.returns)
        assert player.change.value == pytest.approx(change)
        shown = votes_on(player.policy, coarse.episodes)
        same = np.concatenate([
            votes.argmax(axis=1) == episode.actions
            for votes, episode in zip(shown, coarse.episodes, strict=True)
        ])  # fmt: skip
        assert player.same_shown.value == pytest.approx(same.mean())
        shown, seen = np.concatenate(shown), np.concatenate([e.votes for e in coarse.episodes])
        rights = (shown[:, 1] > shown[:, 0]).mean() - (seen[:, 1] > seen[:, 0]).mean()
        assert player.shift == pytest.approx(abs(rights))
        assert player.votes == pytest.approx(shown.sum() / len(shown))
        assert 0 <= player.same_own.low <= player.same_own.value <= player.same_own.high <= 1
    votes = np.concatenate([episode.votes for episode in coarse.episodes])
    assert coarse.ties == pytest.approx((votes[:, 0] == votes[:, 1]).mean())
    assert pulses.policy.spread == 1e-3 and deltas.policy.spread == 0.0

    text = found.summary()
    assert all(name in text for name in names) and "12 episodes, seed 3" in text
    read = json.loads(found.to_json(tmp_path / "c.json").read_text(encoding="utf-8"))
    assert read == found.to_dict()
    assert read["players"][2]["spread"] == 1e-3 and read["players"][0]["spread"] is None
    assert found["continuous, deltas"] is deltas
    with pytest.raises(InvalidValue, match="name: expected one of"):
        found["pulses"]


def test_an_encoder_without_chance_has_no_second_draw(policy):
    regular = policy.replace(disc=es.Discretization(dt=1e-3, steps=4, encoder="periodic"))
    found = compare(regular, Chase, 2, spreads=[0.5e-3])
    assert [p.name for p in found.players] == ["coarse", "continuous, pulses of 0.5 ms"]
    with pytest.raises(InvalidValue, match="episodes: expected an int >= 2"):
        compare(policy, Chase, 1)


def test_intervals_cover_and_shrink_to_a_point(rng):
    hits = 0
    for _ in range(60):
        a, b = rng.integers(0, 40, 30), np.full(30, 40)
        found = ratio_of_sums(a, b)
        assert found.value == pytest.approx(a.sum() / 1200) and found.low < found.value
        hits += found.low <= 19.5 / 40 <= found.high
    assert hits >= 50
    point = ratio_of_sums([1, 2], [2, 4])
    assert (point.low, point.value, point.high) == (0.5, 0.5, 0.5)
    for above, below in (([1], None), ([1, 2], [1])):
        with pytest.raises(InvalidValue):
            ratio_of_sums(above, below)
