"""Results in files and back, down to the bits of every number."""

from __future__ import annotations

import dataclasses

import libsonata
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eventsim as es
from eventsim.load import load_result
from eventsim.recording import Results
from eventsim.save import save_result
from tests.results.made import SUFFIXES, assert_same, network, result


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_of_one_run(tmp_path, run, suffix):
    path = run.save(tmp_path / f"run.{suffix}")
    assert_same(load_result(path), run)
    assert_same(es.load_result(str(path)), run)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_of_a_batch(tmp_path, batch, suffix):
    loaded = load_result(save_result(batch, tmp_path / f"run.{suffix}"))
    assert_same(loaded, batch)
    assert_same(load_result(save_result(batch[:1], tmp_path / f"one.{suffix}")), Results(batch[:1]))
    assert loaded[0].network is loaded[2].network


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_of_different_provenance_and_of_counts_alone(tmp_path, rng, net, suffix):
    runs = [
        dataclasses.replace(result(rng, net, v={}, provenance={"sample": k}), spikes={})
        for k in range(3)
    ]
    assert_same(load_result(save_result(Results(runs), tmp_path / f"a.{suffix}")), Results(runs))
    assert_same(load_result(save_result(runs[1], tmp_path / f"b.{suffix}")), runs[1])


@settings(max_examples=20)
@given(spikes=st.integers(0, 30), seed=st.integers(0, 2**32 - 1), suffix=st.sampled_from(SUFFIXES))
def test_any_run_survives(tmp_path_factory, spikes, seed, suffix):
    rng = np.random.default_rng(seed)
    run = result(rng, network(rng), spikes, t_start=-rng.uniform(), wall_s=rng.uniform())
    path = tmp_path_factory.mktemp("run") / f"run.{suffix}"
    assert_same(load_result(save_result(run, path)), run)


def test_one_sample_of_a_batch_is_a_run(tmp_path, batch):
    path = batch[2].save(tmp_path / "one.h5")
    assert_same(load_result(path), batch[2])
    assert libsonata.SpikeReader(str(path)).get_population_names() == ["hidden", "image", "out"]


def test_network_of_a_result_is_kept_with_shapes_and_thresholds(tmp_path, run):
    net = load_result(run.save(tmp_path / "run.h5")).network
    assert net["image"].shape == (1, 5, 8)
    assert net["out"].v_threshold == 1.0
