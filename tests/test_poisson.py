"""Poisson populations: the law of their spikes, and that nobody who asks changes them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import eventsim as es
from eventsim.discrete.stepped import stepped
from eventsim.engine.poisson import Drives
from eventsim.errors import InvalidValue, UnsupportedNetwork

MASK = (1 << 64) - 1


def splitmix(key, k):
    """Output number k of the generator of Steele, Lea and Flood, with integers."""
    z = (key + (k + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def mixed(z):
    """Its mixing function alone."""
    return splitmix(z - 0x9E3779B97F4A7C15, 0)


def ziggurat(bits):
    """An exponential number by the method of Marsaglia and Tsang with 256 layers, in plain floats.

    Layer 0 has the tail, which begins at the lower edge of layer 1.
    """
    tail = 7.69711747013104972
    area = (tail + 1.0) * math.exp(-tail)
    edges = [area * math.exp(tail), tail]
    for _ in range(254):
        edges.append(-math.log(math.exp(-edges[-1]) + area / edges[-1]))
    edges.append(0.0)
    begin = 0.0
    while True:
        layer, x = bits % 256, (bits >> 11) * 2.0**-53
        x *= edges[layer]
        if x < edges[layer + 1]:
            return begin + x
        if layer == 0:
            begin += tail
        else:
            low, high = math.exp(-edges[layer]), math.exp(-edges[layer + 1])
            height = (mixed(bits ^ 0x9E3779B97F4A7C15) >> 11) * 2.0**-53
            if low + height * (high - low) < math.exp(-x):
                return begin + x
        bits = mixed((bits + 0x9E3779B97F4A7C15) & MASK)


def driven(**rates):
    """A Poisson population for each rate, all onto three cells."""
    links = [
        es.Dense(name, "cells", np.full((np.size(rate) if np.ndim(rate) else 3, 3), 0.11))
        for name, rate in rates.items()
    ]
    sources = [
        es.Poisson(name, np.size(rate) if np.ndim(rate) else 3, rate=rate)
        for name, rate in rates.items()
    ]
    cells = es.Population("cells", 3, tau_mem=20e-3, t_ref=2e-3)
    return es.Network([*sources, cells], links)


def spikes(net, t_stop=0.5, names=("a",), **options):
    result = es.simulate(net, {}, t_stop, record=list(names), **options)
    return [result.spikes[name] for name in names]


def test_splitmix_against_its_published_output():
    # The first outputs for the seed 1234567, as they are given with the reference in C.
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [splitmix(1234567, k) for k in range(3)] == expected


def test_the_spikes_of_a_unit_are_sums_of_its_stream():
    net = driven(a=400.0)
    sources = Drives(net, seed=7, sample=2, t_start=0.25).sources["a"]
    train = Drives(net, seed=7, sample=2, t_start=0.25).trains(0.5)["a"]
    for unit, source in enumerate(sources):
        expected, time = [], 0.25
        for k in range(400):
            time += ziggurat(splitmix(int(source["key"]), k)) / 400.0
            expected.append(time)
        mine = train.of(unit)
        assert 60 < mine.size < 140
        np.testing.assert_allclose(mine, expected[: mine.size], rtol=1e-14)
        assert expected[mine.size] >= 0.5


@pytest.mark.parametrize("engine", ["queue", "layered", "windowed"])
def test_every_engine_hears_the_same(engine):
    net = driven(a=300.0, b=[0.0, 50.0, 900.0])
    recorded = dict(zip("ab", spikes(net, names=("a", "b"), seed=3), strict=True))
    as_inputs = es.Network([es.Input("a", 3), es.Input("b", 3), net["cells"]], net.projections)
    expected = es.simulate(as_inputs, recorded, 0.5, engine="queue")
    found = es.simulate(net, {}, 0.5, seed=3, engine=engine)
    assert found.spikes["cells"].times.tobytes() == expected.spikes["cells"].times.tobytes()
    assert found.spikes["cells"].senders.tobytes() == expected.spikes["cells"].senders.tobytes()
    assert found.n_events == expected.n_events
    assert list(found.spikes) == ["cells"]
    assert np.array_equal(found.counts["b"], recorded["b"].counts(3))
    assert found.counts["b"][0] == 0 < found.counts["cells"].min()


def test_pieces_of_a_run_and_snapshots_change_nothing():
    net = driven(a=700.0)
    whole = es.simulate(net, {}, 0.4, seed=5, engine="queue")
    session = net.session(seed=5)
    session.run_until(0.13)
    snapshot = session.snapshot()
    session.run_until(0.4)
    first = session.result()
    session.restore(snapshot)
    for t in (0.13, 0.2, 0.21, 0.4):
        session.run_until(t)
    for result in (first, session.result()):
        assert result.spikes["cells"].times.tobytes() == whole.spikes["cells"].times.tobytes()
        assert np.array_equal(result.counts["a"], whole.counts["a"])


def test_long_runs_are_drawn_in_slices(monkeypatch):
    net = driven(a=900.0)
    whole = spikes(net, engine="queue")[0]
    monkeypatch.setattr("eventsim.engine.poisson._AT_ONCE", 40)
    for engine in ("queue", "windowed"):
        train = spikes(net, engine=engine)[0]
        assert train.times.tobytes() == whole.times.tobytes()
        assert train.senders.tobytes() == whole.senders.tobytes()


def test_threads_leave_every_bit_and_samples_differ():
    net = driven(a=800.0)
    one, two = (es.simulate(net, {}, 0.2, threads=threads, seed=1) for threads in (1, 2))
    assert one.spikes["cells"].times.tobytes() == two.spikes["cells"].times.tobytes()
    trains = [Drives(net, 1, sample, 0.0).trains(0.2)["a"].times for sample in range(3)]
    assert not set(trains[0]) & set(trains[1]) and not set(trains[1]) & set(trains[2])


def test_a_batch_draws_the_streams_of_its_samples():
    net = es.Network(
        [es.Poisson("a", 2, rate=500.0), es.Input("in", 1), es.Population("b", 2, tau_mem=0.02)],
        [es.Dense("a", "b", np.full((2, 2), 0.2)), es.Dense("in", "b", np.ones((1, 2)))],
    )
    silent = es.SpikeTrain([], [])
    batch = es.simulate(net, {"in": [silent] * 3}, 0.2, seed=4, record=["a"], threads=2)
    for sample, result in enumerate(batch):
        expected = Drives(net, 4, sample, 0.0).trains(0.2)["a"]
        assert result.spikes["a"].times.tobytes() == expected.times.tobytes()


def test_intervals_are_exponential_and_independent():
    net = driven(a=2000.0)
    (train,) = spikes(net, t_stop=5.0, seed=11)
    gaps = [np.diff(train.of(unit)) * 2000.0 for unit in range(3)]
    # Four tests of fixed numbers: the draw never changes, and neither does the outcome.
    assert stats.kstest(np.concatenate(gaps), "expon").pvalue > 0.01
    assert abs(stats.pearsonr(gaps[0][:-1], gaps[0][1:]).statistic) < 0.03
    counts = np.histogram(train.times, bins=500, range=(0.0, 5.0))[0]
    assert 0.85 < counts.var() / counts.mean() < 1.15
    shortest = min(gaps[0].size, gaps[1].size)
    assert abs(stats.pearsonr(gaps[0][:shortest], gaps[1][:shortest]).statistic) < 0.03


def test_seed_sample_name_and_unit_all_matter():
    a, b = driven(a=300.0), driven(b=300.0)
    keys = [
        tuple(Drives(net, seed, sample, 0.0).sources[name]["key"])
        for net, name, seed, sample in (
            (a, "a", 0, 0), (a, "a", 1, 0), (a, "a", 0, 1), (b, "b", 0, 0), (a, "a", 11, 0),
            (a, "a", 1, 1),
        )
    ]  # fmt: skip
    assert len({key for row in keys for key in row}) == 18


def test_other_populations_do_not_change_a_train():
    alone, together = driven(a=300.0), driven(b=100.0, a=300.0)
    assert spikes(alone)[0].times.tobytes() == spikes(together)[0].times.tobytes()


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (-1.0, r"Poisson 'p': rate: expected a number >= 0, got -1.0"),
        (np.inf, r"Poisson 'p': rate: expected a finite number, got inf"),
        ([1.0, 2.0], r"Poisson 'p': rate: expected one number or an array of 3, got shape \(2,\)"),
    ],
)
def test_bad_rates_are_refused(rate, message):
    with pytest.raises(InvalidValue, match=message):
        es.Poisson("p", 3, rate=rate)


def test_a_poisson_takes_no_spikes_and_leaves_eventsim_only_as_such(tmp_path):
    net = driven(a=300.0)
    with pytest.raises(InvalidValue, match="inputs: expected no spikes of a Poisson"):
        es.simulate(net, {"a": es.SpikeTrain([0.1], [0])}, 0.2)
    with pytest.raises(UnsupportedNetwork, match="Poisson 'a': expected an Input"):
        es.save_nir(tmp_path / "net.nir", net)
    with pytest.raises(UnsupportedNetwork, match="stepped: net: .* got Poisson 'a'"):
        stepped(net, {}, 0.1, dt=1e-3)
    again, _ = es.load(es.save(tmp_path / "net.h5", net))
    assert again.fingerprint() == net.fingerprint()
    assert spikes(again)[0].times.tobytes() == spikes(net)[0].times.tobytes()


def test_the_twin_and_the_comparison_refuse_it():
    net = driven(a=300.0)
    disc = es.Discretization(dt=2e-3, steps=4)
    with pytest.raises(UnsupportedNetwork, match="Discretization.run: net: .* Poisson 'a'"):
        disc.run(net, np.zeros((1, 4, 3)))
    with pytest.raises(UnsupportedNetwork, match="validate: net: .* Poisson 'a'"):
        es.validate(net, disc, np.zeros((2, 3)), [0, 1])
