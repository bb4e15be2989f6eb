"""Encoders, spike times of steps, and steps of spike times."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import eventsim as es
from eventsim import encode
from eventsim.discrete.theory import coefficients
from eventsim.errors import InvalidType, InvalidValue

DT = 1e-3
steps_of_spikes = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.integers(0, 1)
)


def test_bernoulli_has_the_stated_probability():
    images = np.tile([0.0, 0.1, 0.5, 0.9, 1.0], (400, 1))
    rate = encode.bernoulli(images, 50, scale=0.5).mean(axis=(0, 1))
    p = 0.5 * images[0]
    # five standard errors of 20,000 draws
    assert (np.abs(rate - p) <= 5 * np.sqrt(p * (1 - p) / 20_000)).all()
    assert encode.bernoulli(images, 50, scale=1.2)[:, :, 4].all()
    assert not encode.bernoulli(images, 50, scale=9.0)[:, :, 0].any()
    assert encode.poisson is encode.bernoulli


def test_steps_and_pixels_are_independent():
    spikes = encode.bernoulli(np.full((500, 4), 0.5), 5).reshape(500, 20).astype(float)
    correlation = np.corrcoef(spikes.T) - np.eye(20)
    assert np.abs(correlation).max() < 5 / math.sqrt(500)


@given(st.integers(0, 2**70), st.permutations(range(6)), st.integers(1, 6))
def test_a_sample_gets_its_train_in_any_batch(seed, ids, size):
    images = np.linspace(0, 1, 42).reshape(6, 7)
    whole = encode.bernoulli(images, 5, seed=seed)
    part = encode.bernoulli(images[ids[:size]], 5, seed=seed, sample_ids=ids[:size])
    np.testing.assert_array_equal(part, whole[ids[:size]])
    np.testing.assert_array_equal(encode.bernoulli(images, 3, seed=seed), whole[:, :3])
    trains = encode.to_spike_trains(whole, DT, seed=seed)
    some = encode.to_spike_trains(part, DT, seed=seed, sample_ids=ids[:size])
    for train, sample in zip(some, ids, strict=False):
        np.testing.assert_array_equal(train.times, trains[sample].times)
        np.testing.assert_array_equal(train.senders, trains[sample].senders)


def test_seeds_differ():
    images = np.full((2, 50), 0.5)
    draws = [encode.bernoulli(images, 4, seed=seed).tobytes() for seed in (0, 1, (0, 1), (1, 0))]
    assert len(set(draws)) == 4
    first, second = encode.bernoulli(images, 4)
    assert (first != second).any()


def test_jitter_is_independent_of_the_encoder_with_one_seed():
    images = np.full((1, 2000), 0.5)
    x = encode.bernoulli(images, 1, seed=3)
    train = encode.to_spike_trains(x, 1.0, seed=3)[0]
    # the encoder's own draws of the pixels that spiked all lie below 0.5
    assert abs(train.times.mean() - 0.5) < 5 / math.sqrt(12 * len(train))
    assert train.times.max() > 0.9


def test_a_spike_keeps_its_time_when_others_go():
    x = np.ones((1, 3, 8), dtype=int)
    full = encode.to_spike_trains(x, DT)[0]
    x[0, 0, :7] = 0
    x[0, 2, 3] = 0
    fewer = encode.to_spike_trains(x, DT)[0]
    assert set(zip(fewer.times, fewer.senders, strict=True)) < set(
        zip(full.times, full.senders, strict=True)
    )


@given(st.floats(0, 1), st.floats(0.01, 2.0), st.integers(1, 40))
def test_periodic_counts_the_steps_to_one(pixel, scale, steps):
    spikes = encode.periodic([[pixel]], steps, scale)[0, :, 0]
    total, expected = 0.0, []
    for _ in range(steps):
        total += scale * pixel
        expected.append(int(total >= 1))
        total = 0.0 if total >= 1 else total
    assert spikes.tolist() == expected


def test_periodic_sums_float32_images_in_float32():
    images = np.full((1, 1), 0.1, dtype=np.float32)
    total, expected = np.float32(0), []
    for _ in range(40):
        total = np.float32(total + images[0, 0])
        expected.append(int(total >= 1))
        total = np.float32(0) if total >= 1 else total
    assert encode.periodic(images, 40)[0, :, 0].tolist() == expected


@given(
    steps_of_spikes,
    st.floats(1e-6, 10.0),
    st.sampled_from([0.0, 1e-300, 0.3, 1.0]),
    st.integers(0, 99),
)
def test_times_go_back_to_their_steps(x, dt, jitter, seed):
    _, steps, n = x.shape
    trains = encode.to_spike_trains(x, dt, jitter, seed)
    for sample, train in zip(x, trains, strict=True):
        np.testing.assert_array_equal(encode.to_steps(train, n, dt, steps), sample)
        step, sender = np.nonzero(sample)
        if jitter == 0.0:
            np.testing.assert_array_equal(train.times, step * dt)
            np.testing.assert_array_equal(train.senders, sender)
        assert (np.diff(train.times) >= 0).all()


def test_times_at_the_very_end_of_a_step_stay_in_it(monkeypatch):
    class AlmostOne:
        def random(self, shape):
            return np.full(shape, np.nextafter(1.0, 0.0))

    monkeypatch.setattr(encode, "generators", lambda *_: [AlmostOne()])
    x = np.ones((1, 3000, 1), dtype=int)
    (train,) = encode.to_spike_trains(x, 1.1e-3)
    np.testing.assert_array_equal(encode.to_steps(train, 1, 1.1e-3, 3000), x[0])


def test_jitter_is_uniform_over_its_part_of_the_step():
    x = np.ones((1, 4, 5000), dtype=int)
    (train,) = encode.to_spike_trains(x, 1.0, jitter=0.4)
    phase = train.times % 1.0
    assert phase.max() < 0.4
    assert abs(phase.mean() - 0.2) < 5 * 0.4 / math.sqrt(12 * 20_000)


def test_encode_follows_the_discretization():
    images = np.linspace(0, 1, 12).reshape(2, 1, 2, 3)
    disc = es.Discretization(dt=DT, steps=4, encoder_scale=0.7)
    np.testing.assert_array_equal(
        encode.encode(images, disc, steps=6, seed=5), encode.bernoulli(images, 6, 0.7, seed=5)
    )
    disc = es.Discretization(dt=DT, steps=4, encoder="periodic", encoder_scale=0.7)
    np.testing.assert_array_equal(encode.encode(images, disc), encode.periodic(images, 4, 0.7))
    disc = es.Discretization(dt=DT, steps=4, encoder="constant", encoder_scale=0.7)
    np.testing.assert_array_equal(encode.encode(images, disc), images.reshape(2, 6))


@pytest.mark.parametrize("tau_mem", [4 * DT, math.inf])
@pytest.mark.parametrize("rule", ["coarse", "constant_potential"])
def test_currents_bring_the_charge_of_a_step(rule, tau_mem):
    population = es.Population("eye", 2, tau_mem=tau_mem, t_ref=DT, r=[0.5, 3.0])
    disc = es.Discretization(rule, dt=DT, steps=4, encoder="constant", encoder_scale=1.1)
    (currents,) = encode.to_currents([[0.5, 1.0]], disc, population, t_start=0.25)
    charge = disc.run(es.Network([population]), [[0.5, 1.0]], record="drive")[0, 0]
    if rule == "constant_potential":
        charge = charge / coefficients(tau_mem / DT).c
    # the constant drive r i adds r i dt / tau_mem to the potential in a step, leak apart
    slope = population.array("r") / (1.0 if math.isinf(tau_mem) else tau_mem)
    got = [(t, i, value * slope[i] * DT) for t, i, value in currents["eye"]]
    assert [entry[:2] for entry in got] == [(0.25, 0), (0.25, 1)]
    np.testing.assert_allclose([entry[2] for entry in got], charge, rtol=1e-14)


def test_dark_pixels_have_no_current():
    population = es.Population("eye", 2, tau_mem=1.0)
    disc = es.Discretization(dt=DT, steps=4, encoder="constant")
    assert encode.to_currents([[0.0, 0.0]], disc, population) == [{"eye": []}]


def good():
    return np.zeros((2, 3, 4), dtype=int)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: encode.bernoulli([0.5], 4), InvalidValue, r"images: expected shape \[sample"),
        (lambda: encode.bernoulli([[1.5]], 4), InvalidValue, r"images\[0, 0\].*divide bytes"),
        (lambda: encode.bernoulli([[-0.1]], 4), InvalidValue, "images"),
        (lambda: encode.bernoulli([[np.nan]], 4), InvalidValue, "images"),
        (lambda: encode.bernoulli([["a"]], 4), InvalidType, "images"),
        (lambda: encode.bernoulli(np.zeros((0, 4)), 4), InvalidValue, "images"),
        (lambda: encode.bernoulli([[0.5]], 0), InvalidValue, "steps"),
        (lambda: encode.bernoulli([[0.5]], 2.0), InvalidType, "steps"),
        (lambda: encode.bernoulli([[0.5]], 2, 0.0), InvalidValue, "scale"),
        (lambda: encode.bernoulli([[0.5]], 2, seed=-1), InvalidValue, "seed"),
        (lambda: encode.bernoulli([[0.5]], 2, seed=()), InvalidValue, "seed"),
        (lambda: encode.bernoulli([[0.5]], 2, seed=0.5), InvalidType, "seed"),
        (lambda: encode.bernoulli([[0.5]], 2, seed=None), InvalidType, "seed"),
        (lambda: encode.bernoulli([[0.5]], 2, sample_ids=[0, 1]), InvalidValue, "sample_ids"),
        (lambda: encode.bernoulli([[0.5]], 2, sample_ids=[-1]), InvalidValue, "sample_ids"),
        (lambda: encode.periodic([[0.5]], True), InvalidType, "steps"),
        (lambda: encode.periodic([[2]], 3), InvalidValue, "images"),
        (lambda: encode.to_spike_trains(good()[0], DT), InvalidValue, "x: expected shape"),
        (lambda: encode.to_spike_trains(good() + 2, DT), InvalidValue, r"x\[0, 0, 0\]"),
        (lambda: encode.to_spike_trains(good(), 0.0), InvalidValue, "dt"),
        (lambda: encode.to_spike_trains(good(), DT, jitter=1.5), InvalidValue, "jitter"),
        (lambda: encode.to_steps([0.0], 1, DT, 1), InvalidType, "train"),
        (lambda: encode.to_steps(es.SpikeTrain([2 * DT], [0]), 1, DT, 2), InvalidValue, "times"),
        (lambda: encode.to_steps(es.SpikeTrain([0.0], [3]), 3, DT, 2), InvalidValue, "senders"),
        (lambda: encode.to_steps(es.SpikeTrain([], []), 0, DT, 2), InvalidValue, "n"),
        (lambda: encode.to_currents([[0.5]], es.Discretization(dt=DT, steps=1),
                                    es.Population("p", 2, tau_mem=1.0)), InvalidValue, "2 pixels"),
        (lambda: encode.to_currents([[0.5]], es.Discretization(dt=DT, steps=1),
                                    es.Population("p", 1, tau_mem=1.0, r=0.0)),
         InvalidValue, "'p': r: expected not 0"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
