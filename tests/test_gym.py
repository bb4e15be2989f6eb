"""Spiking policies: coding, carried state, closed loop, comparison, files, pictures."""

from __future__ import annotations

import json
import sys

import gymnasium
import h5py
import numpy as np
import pytest

import eventsim as es
from eventsim import plot
from eventsim.errors import (
    FileError,
    InvalidType,
    InvalidValue,
    MissingExtra,
    UnsupportedNetwork,
)
from eventsim.gym import (
    PopulationCode,
    SpikingPolicy,
    Votes,
    compare,
    load_policy,
    replay,
    rollout,
    save_policy,
    votes_on,
)
from eventsim.gym.intervals import ratio_of_sums
from eventsim.load import hdf5
from eventsim.load.native import read_provenance

BACKENDS = ("coarse", "continuous")


class Chase:
    """A point runs from a target or towards it; the noise is the environment's own."""

    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, seed):
        self.rng = np.random.default_rng(seed)
        self.x = self.rng.uniform(-1, 1, 2)
        self.left = int(self.rng.integers(5, 12))
        return self.x.copy(), {}

    def step(self, action):
        self.x[0] = np.clip(self.x[0] + (0.3 if action else -0.3), -1, 1)
        self.x[1] = self.rng.uniform(-1, 1)
        self.left -= 1
        return self.x.copy(), -abs(self.x[0] - self.x[1]), self.left == 0, False, {}


def network(rng, n_in, hidden, n_out, bias=0.1):
    return es.Network(
        [
            es.Input("in", n_in),
            es.Population("hidden", hidden, tau_mem=4e-3, t_ref=1e-3, i_bias=bias),
            es.Population("out", n_out, tau_mem=4e-3, t_ref=1e-3),
        ],
        [
            es.Dense("in", "hidden", rng.normal(0.1, 0.5, (n_in, hidden))),
            es.Dense("hidden", "out", rng.normal(0.1, 0.6, (hidden, n_out))),
        ],
    )


@pytest.fixture
def policy():
    """Random weights: what it does is of no use, but depends on everything."""
    rng = np.random.default_rng(9)
    net = network(rng, 12, 10, 6)
    weight = rng.normal(0.0, 0.6, (10, 3))
    # What speaks for one action speaks against the other, so that both are taken.
    last = es.Dense("hidden", "out", 0.25 + np.hstack([weight, -weight]))
    return SpikingPolicy(
        es.Network(net.populations, [net.projections[0], last]),
        es.Discretization(dt=1e-3, steps=4),
        PopulationCode([-1, -1], [1, 1], 6, names=["point", "target"]),
        Votes(2, 3),
        seed=5,
    )


def walk(policy, observations, state=None, start=None):
    """Actions and the last state of a policy on observations [step, environment, quantity]."""
    actions = []
    for seen in observations:
        action, state = policy.predict(seen, state, start)
        actions.append(action)
        start = None
    return np.array(actions), state


# -- coding --------------------------------------------------------------------------------


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


# -- state that is carried -----------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_environments_side_by_side_do_not_touch_one_another(policy, rng, backend):
    policy = policy.replace(backend=backend)
    seen = rng.uniform(-1, 1, (6, 3, 2))
    together, _ = walk(policy, seen)
    for k in range(3):
        alone, _ = walk(policy, seen[:, k : k + 1], policy.start([k]))
        np.testing.assert_array_equal(alone[:, 0], together[:, k])
    assert 0 < together.mean() < 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_state_can_be_used_again(policy, rng, backend):
    policy = policy.replace(backend=backend)
    seen = rng.uniform(-1, 1, (10, 2, 2))
    _, middle = walk(policy, seen[:4])
    first, _ = walk(policy, seen[4:], middle)
    walk(policy, seen[::-1], middle)
    second, _ = walk(policy, seen[4:], middle)
    np.testing.assert_array_equal(first, second)
    assert middle.step.tolist() == [4, 4]


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_episode_start_begins_anew_where_it_says(policy, rng, backend):
    policy = policy.replace(backend=backend)
    seen = rng.uniform(-1, 1, (14, 2, 2))
    _, middle = walk(policy, seen[:7])
    votes, state = policy.advance(seen[7], middle, [True, False])
    assert state.episode.tolist() == [1, 0] and state.step.tolist() == [1, 8]
    going, _ = policy.advance(seen[7], middle)
    np.testing.assert_array_equal(votes[1], going[1])
    # The network of the first is at rest again, but its next episode draws other spikes.
    rest = policy.start(2)
    fresh = type(rest)(rest.network, rest.stream, rest.episode + 1, rest.step)
    begun, _ = policy.advance(seen[7], fresh)
    np.testing.assert_array_equal(votes[0], begun[0])
    # At the very beginning nothing has to be begun anew.
    first, state = policy.advance(seen[0], episode_start=[True, True])
    np.testing.assert_array_equal(first, policy.advance(seen[0])[0])
    assert state.episode.tolist() == [0, 0]


def test_the_network_is_not_reset_between_environment_steps(policy, rng):
    seen = np.repeat(rng.uniform(-1, 1, (1, 40, 2)), 3, axis=0)
    votes, state = policy.advance(seen[0])
    carried, _ = policy.advance(seen[1], state)
    forgotten = type(state)(policy.start(40).network, state.stream, state.episode, state.step)
    anew, _ = policy.advance(seen[1], forgotten)
    assert (carried != anew).any()


def test_one_observation_gives_one_action(policy):
    action, state = policy.predict([0.3, -0.2])
    assert np.ndim(action) == 0 and len(state) == 1
    assert gymnasium.spaces.Discrete(2).contains(action)


def test_drawn_actions_have_the_probabilities_of_their_votes(policy):
    count, n = np.array([[3, 4]]), 4_000
    state = policy.start(n)
    after = type(state)(state.network, state.stream, state.episode, state.step + 1)
    drawn = policy.act(np.repeat(count, n, axis=0), after, deterministic=False)
    expected = policy.votes.probabilities(count)[0, 1]
    assert abs(drawn.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / n)
    again = policy.act(np.repeat(count, n, axis=0), after, deterministic=False)
    np.testing.assert_array_equal(drawn, again)
    other = policy.replace(seed=6).act(np.repeat(count, n, axis=0), after, deterministic=False)
    assert (other != drawn).any()


def test_input_times_lie_in_their_steps(policy):
    exact = policy.replace(backend="continuous")
    seen = np.zeros((4, 2))
    for step in (0, 1, 7, 1_000_003):
        drive = exact.drive(
            exact.code.intensities(seen), np.arange(4), np.zeros(4, int), np.full(4, step)
        )
        start = step * 4 * 1e-3
        for x, (times, senders), stop in zip(drive.x, drive.trains, drive.stops, strict=True):
            assert (times >= start).all() and (times < stop).all() and len(times) == x.sum()
            at, unit = np.nonzero(x)
            place = np.minimum(((times - start) / 1e-3).astype(int), 3)
            found = sorted(zip(place, senders, strict=True))
            if step < 1000:
                assert found == sorted(zip(at, unit, strict=True))
    # The second environment's spikes are its own, whoever is beside it.
    assert (drive.x[0] != drive.x[1]).any()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"backend": "analog"}, InvalidValue, "backend: expected one of"),
        ({"jitter": 1.5}, InvalidValue, "jitter: expected a number from 0 to 1"),
        ({"seed": -1}, InvalidValue, "seed: expected an int >= 0"),
        ({"votes": Votes(2, 2)}, InvalidValue, r"net\['out'\]: expected 4 units, as the votes"),
        ({"code": PopulationCode([0], [1], 5)}, InvalidValue, r"net\['in'\]: expected 5 units"),
        ({"code": "gaussian"}, InvalidType, "code: expected a PopulationCode, got str"),
        ({"environment": 3}, InvalidType, "environment: expected an id, got 3"),
        ({"gain": 3}, InvalidValue, "replace: expected some of"),
        (
            {"disc": es.Discretization(dt=1e-3, steps=4, encoder="constant")},
            InvalidValue,
            "encoder: expected 'bernoulli' or 'periodic'",
        ),
    ],
)
def test_a_policy_refuses_parts_that_do_not_fit(policy, changes, error, message):
    with pytest.raises(error, match=message):
        policy.replace(**changes)


def test_a_policy_refuses_networks_with_several_ends(policy, rng):
    net = policy.net
    two = es.Network(
        [*net.populations, es.Population("other", 6, tau_mem=4e-3, t_ref=1e-3)],
        [*net.projections, es.Dense("hidden", "other", np.ones((10, 6)))],
    )
    with pytest.raises(UnsupportedNetwork, match="expected one output, got"):
        policy.replace(net=two)


def test_predict_refuses_what_does_not_fit(policy):
    _, state = policy.predict(np.zeros((2, 2)))
    with pytest.raises(InvalidValue, match="expected those of 2 environments, got 3"):
        policy.predict(np.zeros((3, 2)), state)
    with pytest.raises(InvalidValue, match=r"observations: expected shape \[sample, 2\]"):
        policy.predict(np.zeros((2, 3)), state)
    with pytest.raises(InvalidValue, match="finite"):
        policy.predict([[np.nan, 0.0]])
    with pytest.raises(InvalidValue, match="episode_start: expected 2 of True and False"):
        policy.predict(np.zeros((2, 2)), state, [True])
    with pytest.raises(InvalidType, match="state: expected a PolicyState, got tuple"):
        policy.predict(np.zeros((2, 2)), ())


def test_a_runaway_network_is_told(policy, monkeypatch):
    exact = policy.replace(backend="continuous")
    monkeypatch.setattr("eventsim.session.Session.run_until", lambda self, t: False)
    with pytest.raises(UnsupportedNetwork, match="SpikingPolicy: net: "):
        exact.predict([0.0, 0.0])


# -- episodes ------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("encoder", ["bernoulli", "periodic"])
def test_a_replay_has_the_votes_of_the_closed_loop(policy, backend, encoder):
    disc = es.Discretization(dt=1e-3, steps=4, encoder=encoder)
    player = policy.replace(backend=backend, disc=disc)
    played = rollout(player, Chase, episodes=4, seed=2)
    for episode, votes in zip(played, votes_on(player, played), strict=True):
        np.testing.assert_array_equal(votes, episode.votes)
        np.testing.assert_array_equal(player.votes.choose(votes), episode.actions)
    result = replay(player, played[1])
    train = result.spikes["out"]
    step = (train.times / player.duration).astype(int)
    votes = np.zeros_like(played[1].votes)
    np.add.at(votes, (step, train.senders // 3), 1)
    np.testing.assert_array_equal(votes, played[1].votes)
    assert result.t_stop == pytest.approx(len(played[1]) * 4e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_episodes_depend_on_seeds_and_numbers_alone(policy, backend):
    player = policy.replace(backend=backend)
    calls = []
    all_at_once = rollout(
        player, Chase, 6, seed=1, threads=1, progress=lambda *done: calls.append(done)
    )
    assert calls == [(6, 6)]
    for other in (
        rollout(player, Chase, 6, seed=1, threads=2),
        rollout(player, Chase(), 6, seed=1),
        rollout(player, Chase, 3, seed=1),
    ):
        for a, b in zip(all_at_once, other, strict=False):
            np.testing.assert_array_equal(a.observations, b.observations)
            np.testing.assert_array_equal(a.votes, b.votes)
            assert a.total == b.total
    elsewhere = rollout(player, Chase, 6, seed=2)
    assert (elsewhere[0].observations[0] != all_at_once[0].observations[0]).any()
    assert all_at_once.lengths.tolist() == [len(episode) for episode in all_at_once]
    assert all_at_once[0].terminated
    assert len(all_at_once[1:3]) == 2


def test_an_episode_is_cut_after_max_steps(policy):
    played = rollout(policy, Chase, 3, max_steps=2)
    assert played.lengths.tolist() == [2, 2, 2]
    assert not any(episode.terminated for episode in played)


def test_an_interrupt_ends_a_rollout(policy):
    class Interrupted(Chase):
        def step(self, action):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rollout(policy, Interrupted, 2)


def test_rollout_refuses_environments_that_do_not_fit(policy, monkeypatch):
    with pytest.raises(InvalidValue, match="env: expected an environment, for the policy names"):
        rollout(policy)
    with pytest.raises(InvalidValue, match="expected the id of an environment, got 'Nowhere-v7'"):
        rollout(policy, "Nowhere-v7")
    with pytest.raises(InvalidValue, match=r"expected shape \[sample, 2\], got shape \(1, 4\)"):
        rollout(policy, "CartPole-v1", 1)
    with pytest.raises(InvalidValue, match="expected 2 actions, as the policy has, got 3"):
        rollout(policy, "Acrobot-v1", 1)
    with pytest.raises(InvalidType, match="env: expected an id or an environment, got int"):
        rollout(policy, 3)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(MissingExtra, match=r"eventsim\[gym\]"):
        rollout(policy, "CartPole-v1")


# -- comparison ----------------------------------------------------------------------------


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


# -- files ---------------------------------------------------------------------------------


def test_a_policy_file_gives_the_policy_back(policy, tmp_path, rng):
    named = policy.replace(environment="CartPole-v1", jitter=0.5, spread=0.25e-3)
    path = save_policy(tmp_path / "p.h5", named, {"seed": 3})
    read = load_policy(path, seed=5)
    assert read.net.fingerprint() == named.net.fingerprint()
    assert (read.environment, read.jitter, read.backend) == ("CartPole-v1", 0.5, "coarse")
    assert read.spread == 0.25e-3
    assert read.code.to_dict() == named.code.to_dict()
    assert read.votes.to_dict() == named.votes.to_dict()
    seen = rng.uniform(-1, 1, (5, 2, 2))
    np.testing.assert_array_equal(walk(read, seen)[0], walk(named, seen)[0])
    net, disc = es.load(path)
    assert net.fingerprint() == named.net.fingerprint() and disc == named.disc
    assert read_provenance(path) == {"seed": 3}
    with pytest.raises(FileError, match="expected a new file"):
        save_policy(path, named)
    with pytest.raises(InvalidType, match="expected a SpikingPolicy"):
        save_policy(tmp_path / "q.h5", net)


def test_files_that_hold_no_policy_are_refused(policy, tmp_path):
    plain = es.save(tmp_path / "net.h5", policy.net, policy.disc)
    with pytest.raises(FileError, match="net.h5: policy: expected a policy file, got a network"):
        load_policy(plain)
    with pytest.raises(FileError, match="no such file"):
        load_policy(tmp_path / "none.h5")
    for k, text in enumerate((
        "{", "[]", '{"code": {}}', '{"code": {"low": [0], "high": [1]}, "votes": {"actions": 2}}',
    )):  # fmt: skip
        path = tmp_path / f"bad{k}.h5"
        with h5py.File(path, "w") as file:
            from eventsim.save.native import write_network

            write_network(file, policy.net, policy.disc)
            file["policy"] = text
        hdf5.seal(path)
        with pytest.raises(FileError, match=f"bad{k}.h5: policy: expected code and votes"):
            load_policy(path)


# -- pictures ------------------------------------------------------------------------------


def test_an_episode_is_drawn(policy, tmp_path):
    from matplotlib import pyplot

    played = rollout(policy.replace(backend="continuous"), Chase, 1)[0]
    axes = plot.episode(played)
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["point", "target"]
    assert [text.get_text() for text in axes[1].get_yticklabels()] == ["in", "hidden", "out"]
    assert [text.get_text() for text in axes[2].get_yticklabels()] == ["action 0", "action 1"]
    np.testing.assert_array_equal(axes[2].images[0].get_array(), played.votes.T)
    dots = next(line for line in axes[2].get_lines() if line.get_marker() == "o")
    np.testing.assert_array_equal(dots.get_ydata(), played.actions)
    np.testing.assert_allclose(dots.get_xdata(), (np.arange(len(played)) + 0.5) * 4.0)
    assert axes[2].get_xlim() == pytest.approx((0.0, 4.0 * len(played)))
    plot.save(axes, tmp_path / "episode.png")

    axes = plot.episode(played, policy=policy, steps=(1, 4), ax=axes, t_unit="s")
    assert axes[2].get_xlim() == pytest.approx((4e-3, 16e-3))
    for steps in ((3, 3), (0, len(played) + 1), (-1, 2)):
        with pytest.raises(InvalidValue, match="steps: expected"):
            plot.episode(played, steps=steps)
    with pytest.raises(InvalidType, match="played: expected an Episode"):
        plot.episode(policy)
    with pytest.raises(InvalidValue, match="ax: expected three Axes"):
        plot.episode(played, ax=axes[:2])
    pyplot.close("all")
