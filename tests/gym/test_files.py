"""Policies in files."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import eventsim as es
from eventsim.errors import FileError, InvalidType
from eventsim.gym import load_policy, save_policy
from eventsim.load import hdf5
from eventsim.load.native import read_provenance
from tests.gym.chase import walk


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
