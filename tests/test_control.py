"""Policies that are trained and shipped: training, files, the command, the study."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from eventsim.cli import main as command
from eventsim.errors import InvalidValue
from eventsim.gym import load_policy, rollout
from eventsim.load.native import read_provenance
from models import train_control
from models.control import ControlSettings, ControlTrainer, to_policy
from models.train import guarded
from validation import control
from validation.study import Context

DATA = Path(__file__).resolve().parent.parent / "data"

# -- training ------------------------------------------------------------------------------

TINY = ControlSettings(
    "cartpole", iterations=2, episodes=3, neurons=3, hidden=6, voters=2, steps=2, passes=2
)


def test_the_policy_is_the_actor_that_was_trained(rng):
    trainer = ControlTrainer(TINY)
    trainer.run_iteration()
    policy = to_policy(trainer, seed=4)
    actor = trainer.actor.double()
    state, carried = None, [(v.double(), s.double()) for v, s in actor.start(30)]
    for _ in range(5):
        seen = rng.uniform(policy.code.low, policy.code.high, (30, 4))
        before = policy.start(30) if state is None else state
        drive = policy.drive(
            policy.code.intensities(seen), before.stream, before.episode, before.step
        )
        counts, carried = actor(torch.from_numpy(drive.x.astype(np.float64)), carried)
        votes, state = policy.advance(seen, before)
        np.testing.assert_array_equal(policy.votes.count(counts.detach().numpy()), votes)
    assert votes.any()


@pytest.mark.parametrize("passes", [1, 2])
def test_training_is_repeatable_and_changes_the_weights(passes):
    runs = []
    for seed in (0, 0, 1):
        trainer = ControlTrainer(ControlSettings(**{**vars(TINY), "passes": passes, "seed": seed}))
        start = trainer.actor.action.weight.detach().clone()
        returns = [trainer.run_iteration() for _ in range(2)]
        assert (trainer.actor.action.weight != start).any()
        assert trainer.iteration == 2 and trainer.played >= 6
        runs.append((returns, trainer.actor.hidden.weight.detach().numpy()))
    assert runs[0][0] == runs[1][0]
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
    assert (runs[0][1] != runs[2][1]).any()


def test_advantages_are_returns_less_what_was_expected():
    """Against sums written out, with whole returns and with a trace."""
    for trace in (1.0, 0.6):
        trainer = ControlTrainer(ControlSettings(**{**vars(TINY), "trace": trace}))
        values = {0: [1.0, 2.0, 3.0], 1: [0.5, 0.25]}
        rewards = np.array([[1.0, 2.0], [1.0, 4.0], [5.0, 0.0]])
        after = np.array([7.0, 0.0])  # the first was cut by its time limit
        seen = [np.array([[v[t]] for v in values.values() if t < len(v)]) for t in range(3)]
        rows = [
            (np.arange(len(s)), np.repeat(s, 4, axis=1), torch.zeros(len(s), 2, 12),
             trainer.actor.start(len(s)), np.zeros(len(s), dtype=np.int64))
            for s in seen
        ]  # fmt: skip
        # The baseline reads off the first observation, undoing its scaling.
        low, high = trainer.code.low[0], trainer.code.high[0]
        trainer.critic = lambda x, low=low, high=high: (x[:, :1] + 1) / 2 * (high - low) + low
        g = trainer.settings.discount
        expected = []
        for t in range(3):
            for e in (0, 1):
                v = values[e]
                if t >= len(v):
                    continue
                following = [*v[1:], after[e]]
                surprise = [rewards[k, e] + g * following[k] - v[k] for k in range(len(v))]
                expected.append(sum((g * trace) ** (k - t) * surprise[k] for k in range(t, len(v))))
        played = trainer._judged(rows, rewards, after)
        found = played.targets.numpy() - np.concatenate([s[:, 0] for s in seen])
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        assert played.returns.tolist() == [7.0, 6.0]
        assert float(played.advantages.mean()) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [("iterations", 0), ("lr", 0.0), ("discount", 1.5), ("seed", -1), ("name", "pendulum")],
)
def test_settings_out_of_range_are_refused(field, value):
    with pytest.raises(InvalidValue, match=f"train: {field}: expected"):
        ControlTrainer(ControlSettings(**{**vars(TINY), field: value}))


def test_the_training_command_writes_a_policy(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train_control, "TEST_EPISODES", 2)
    out = tmp_path / "p.h5"
    arguments = ["cartpole", "--out", str(out), "--iterations", "1", "--episodes", "2",
                 "--hidden", "4", "--steps", "2", "--neurons", "3"]  # fmt: skip
    assert guarded(train_control.main, arguments) == 0
    policy, source = load_policy(out), read_provenance(out)
    assert "mean return" in capsys.readouterr().out
    assert policy.environment == "CartPole-v1" and policy.net["hidden"].n == 4
    assert source["settings"]["iterations"] == 1 and "--hidden 4" in source["command"]
    # The command in the file trains the same weights.
    words = source["command"].split()[3:-1] + [str(tmp_path / "again.h5")]
    assert guarded(train_control.main, words) == 0
    assert load_policy(tmp_path / "again.h5").net.fingerprint() == policy.net.fingerprint()
    assert guarded(train_control.main, arguments) == 2
    assert "existing one" in capsys.readouterr().err


# -- what is shipped -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cartpole", "cartpole_early", "acrobot"])
def test_shipped_policies_play_as_their_provenance_says(name):
    path = DATA / f"{name}.h5"
    policy, source = load_policy(path), read_provenance(path)
    said = source["coarse_return"]
    played = rollout(policy, episodes=2, seed=said["seed"], max_steps=100)
    assert len(played) == 2
    if name == "cartpole":
        assert said["mean"] > 475 and played.returns.tolist() == [100.0, 100.0]
    # The readme says of each policy what its file says.
    text = (DATA / "README.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{path.name}`"))
    low, high = said["bootstrap_95"]
    assert f"{said['mean']:.1f} [{low:.1f}, {high:.1f}]" in row
    assert train_control.command(ControlSettings(**source["settings"]), path.name) in row


# -- the command ---------------------------------------------------------------------------


def play(*arguments):
    done = CliRunner().invoke(command, ["play", *map(str, arguments)])
    return done.exit_code, done.output


def test_play_compares_and_draws(tmp_path):
    picture, numbers = tmp_path / "e.png", tmp_path / "n.json"
    code, output = play(
        DATA / "acrobot.h5", "--episodes", 2, "--plot", picture, "--json", numbers,
        "--spread", "1 ms",
    )  # fmt: skip
    assert code == 0, output
    assert "continuous, pulses of 1 ms" in output and "deltas" not in output
    assert picture.stat().st_size > 10_000
    assert json.loads(numbers.read_text())["settings"]["environment"] == "Acrobot-v1"
    code, output = play(
        DATA / "acrobot.h5", "--episodes", 1, "--backend", "coarse", "--sample-actions"
    )
    assert code == 0 and "Acrobot-v1, coarse, seed 0" in output and "mean -" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--episodes", 1], "at least 2 episodes"),
        (["--backend", "coarse", "--spread", "0"], "--spread with continuous"),
        (["--backend", "continuous", "--spread", "0", "--spread", "1 ms"], "one --spread"),
        (["--backend", "coarse", "--json", "n.json"], "--json with --backend both"),
        (["--plot", "e.gif"], "ends in .png, .svg or .pdf"),
        (["--env", "Nowhere-v1"], "expected the id of an environment"),
    ],
)
def test_play_refuses_options_that_do_not_go_together(arguments, message):
    code, output = play(DATA / "cartpole.h5", *arguments)
    assert code == 2 and message in output


# -- the study -----------------------------------------------------------------------------


def test_the_study_tells_a_threshold_that_is_missed(tmp_path, monkeypatch):
    case = control.Case("acrobot", "Acrobot", 2, deltas_lose=True)
    monkeypatch.setattr(control, "CASES", (case,))
    monkeypatch.setattr(control, "QUICK_EPISODES", 2)
    found = []
    compare = control.compare
    monkeypatch.setattr(
        control, "compare", lambda *given, **more: found.append(compare(*given, **more)) or found[0]
    )
    checks = control.run(Context("control", tmp_path, quick=True))
    assert len(checks) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "control-acrobot.png", "control-acrobot.txt", "control.csv", "control.png",
    ]  # fmt: skip
    with (tmp_path / "control.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["player"] for row in rows][0::2] == ["coarse", "continuous, pulses of 1 ms"]
    assert all(float(row["same_low"]) <= float(row["same_action"]) for row in rows[1:])
    for loss, holds in ((10.0, [True, False]), (-10.0, [False, True])):
        monkeypatch.setattr(control, "LOSS", loss)
        assert [check.holds for check in control._checks(case, found[0])][0::2] == holds
