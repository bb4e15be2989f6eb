"""Random projections: what they draw, that it is the same again, and the tables made from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import eventsim as es
from eventsim.engine.calendar import ahead, begins, new_calendar, put, take
from eventsim.engine.synapses import bytes_of, synapses
from eventsim.errors import InvalidType, InvalidValue
from eventsim.jit import njit

RULES = [{"total": 4000}, {"indegree": 40}, {"probability": 0.3}]
SHAPE = ((120,), (10, 10))


def link(**options):
    return es.Random("a", "b", **{"weight": 0.5, "delay": 1e-3, **options})


def pairs(rows):
    pre = np.repeat(np.arange(rows.indptr.size - 1), np.diff(rows.indptr))
    return pre, rows.post


@pytest.mark.parametrize("rule", RULES)
def test_rows_are_sound_and_the_same_again(rule):
    projection = link(**rule, seed=3)
    rows = projection.rows(*SHAPE)
    again, other = projection.rows(*SHAPE), link(**rule, seed=4).rows(*SHAPE)
    assert np.array_equal(rows.post, again.post) and not np.array_equal(rows.post, other.post)
    assert np.array_equal(np.diff(rows.indptr), projection.fan_outs(*SHAPE))
    assert rows.post.size == projection.n_synapses(*SHAPE)
    pre, post = pairs(rows)
    assert np.all(np.diff(pre * 100 + post.astype(np.int64)) >= (1 if "probability" in rule else 0))
    assert post.min() >= 0 and post.max() < 100


def test_total_and_indegree_are_exact_and_the_rest_is_uniform():
    assert link(total=4000).rows(*SHAPE).post.size == 4000
    pre, post = pairs(link(indegree=40).rows(*SHAPE))
    assert np.array_equal(np.bincount(post), np.full(100, 40))
    assert stats.chisquare(np.bincount(pre, minlength=120)).pvalue > 0.001
    pre, post = pairs(link(total=40_000).rows(*SHAPE))
    assert stats.chisquare(np.bincount(pre * 100 + post, minlength=12_000)).pvalue > 0.001


def test_probability_holds_for_each_pair():
    drawn = np.zeros((30, 20))
    for seed in range(400):
        pre, post = pairs(link(probability=0.25, seed=seed).rows((30,), (20,)))
        drawn[pre, post] += 1
    # Each pair is a binomial number of 400 draws: mean 100, standard deviation 8.7.
    assert abs(drawn.mean() - 100.0) < 1.0
    assert 8.0 < drawn.std() < 9.4
    assert link(probability=0.0).rows(*SHAPE).post.size == 0
    assert link(probability=1.0).rows(*SHAPE).post.size == 12_000


def test_normal_weights_and_delays_keep_their_bounds_and_grid():
    law, late = es.Normal(1.0, 0.5, low=0.25), es.Normal(1.5e-3, 1e-3, low=1e-4, step=1e-4)
    projection = link(total=50_000, weight=law, delay=late)
    rows = projection.rows(*SHAPE)
    assert rows.weight.dtype == np.float32 and rows.weight.min() >= 0.25
    cut = stats.truncnorm((0.25 - 1.0) / 0.5, np.inf, 1.0, 0.5)
    assert stats.kstest(rows.weight.astype(float), cut.cdf).pvalue > 0.001
    ticks = rows.delay / 1e-4
    assert np.allclose(ticks, np.round(ticks), atol=1e-9) and np.unique(rows.delay).size < 80
    assert rows.delay.min() == projection.min_delay == 1e-4
    assert link(total=1, delay=es.Normal(1e-3, 1e-3, low=4e-5, step=1e-4)).min_delay == 0.0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, InvalidValue, "exactly one of total, indegree, probability, got None"),
        ({"total": 1, "indegree": 1}, InvalidValue, "exactly one of .* got .'indegree', 'total'."),
        ({"probability": 1.5}, InvalidValue, "probability: expected a number from 0 to 1, got 1.5"),
        ({"total": -1}, InvalidValue, "total: expected an int >= 0, got -1"),
        ({"total": 1, "weight": (1.0,)}, InvalidType, "weight: expected a number or a Normal"),
        ({"total": 1, "weight": es.Normal(1, -1)}, InvalidValue, r"weight.std: .* >= 0"),
        ({"total": 1, "weight": es.Normal(0, 1, low=9)}, InvalidValue, "within three std"),
        ({"total": 1, "delay": es.Normal(1e-3, 1e-4)}, InvalidValue, "delay: .* whose low is"),
        ({"total": 1, "delay": -1e-3}, InvalidValue, "delay: expected a number >= 0"),
    ],
)
def test_bad_rules_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        es.Random("a", "b", **{"weight": 0.5, **options})


def network(projections):
    populations = [es.Input("in", 5)] + [es.Population(p, 12, tau_mem=0.02) for p in "ab"]
    return es.Network(populations, projections)


def test_a_random_network_is_simulated_saved_and_loaded(tmp_path):
    net = network(
        [
            es.Random("in", "a", 1.5, total=40),
            es.Random("a", "b", es.Normal(0.8, 0.2), es.Normal(1e-3, 3e-4, 1e-4), indegree=6),
            es.Random("b", "a", -0.3, 2e-3, probability=0.2, seed=9),
        ]
    )
    again, _ = es.load(es.save(tmp_path / "net.h5", net))
    assert again.fingerprint() == net.fingerprint()
    train = es.SpikeTrain(np.linspace(0.001, 0.05, 60), np.tile(np.arange(5), 12))
    one = es.simulate(net, {"in": train}, 0.1, engine="queue")
    written_out = []
    for p in net.projections:
        rows = p.rows(net[p.source].shape, net[p.target].shape)
        delay = rows.delay if rows.delay.size > 1 else float(rows.delay[0])
        written_out.append(es.Sparse(p.source, p.target, *pairs(rows), rows.weight, delay))
    for other in (
        es.simulate(again, {"in": train}, 0.1, engine="windowed"),
        es.simulate(network(written_out), {"in": train}, 0.1, engine="queue"),
    ):
        assert other.spikes["b"].times.tobytes() == one.spikes["b"].times.tobytes()
    assert one.counts["b"].sum() > 10


@st.composite
def tables(draw):
    """A network of sparse and dense projections with few or many different delays."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    links = []
    for _ in range(draw(st.integers(0, 4))):
        source, target = draw(st.sampled_from(["in", "a", "b"])), draw(st.sampled_from("ab"))
        n_pre, k = 5 if source == "in" else 12, draw(st.integers(1, 700))
        delay = draw(st.sampled_from(["one", "grid", "own"]))
        delays = {
            "one": 1e-3,
            "grid": rng.integers(1, 4, k) * 1e-3,
            "own": rng.uniform(1e-3, 2e-3, k),
        }[delay]
        dtype = draw(st.sampled_from([np.float32, np.float64]))
        weight = rng.normal(size=k).astype(dtype)
        pre, post = rng.integers(n_pre, size=k), rng.integers(12, size=k)
        links.append(es.Sparse(source, target, pre, post, weight, delays))
    return network(links)


@given(tables())
def test_segments_hold_every_synapse_in_order(net):
    table = synapses(net)
    offsets = np.cumsum([0, *(p.n for p in net.populations)])
    names = [p.name for p in net.populations]
    for k, p in enumerate(net.populations):
        for i in range(p.n):
            expected = []
            for number, one in enumerate(net.projections):
                if one.source == p.name:
                    post, weight, delay = one.fan_out(i, p.shape, net[one.target].shape)
                    first = offsets[names.index(one.target)]
                    expected += [
                        (d, number, first + j, w)
                        for d, j, w in zip(delay, post, weight, strict=True)
                    ]
            expected.sort(key=lambda row: row[:2])
            unit, found = offsets[k] + i, []
            for s in range(table.row[unit], table.row[unit + 1]):
                head = table.delay[s], table.link[s]
                assert not found or (found[-1][0], found[-1][1]) < head
                part = slice(table.first[s], table.first[s + 1])
                assert part.stop > part.start
                found += [
                    (*head, j, w) for j, w in zip(table.post[part], table.weight[part], strict=True)
                ]
            assert found == expected
    single = all(np.all(p.weight == p.weight.astype(np.float32)) for p in net.projections)
    assert table.weight.dtype == (np.float32 if single else np.float64)


def test_a_synapse_takes_at_most_twelve_bytes():
    net = es.Network(
        [es.Population("a", 2000, tau_mem=0.02)],
        [
            es.Random(
                "a",
                "a",
                es.Normal(0.1, 0.01),
                es.Normal(1.5e-3, 0.7e-3, low=1e-4, step=1e-4),
                total=1_000_000,
            )
        ],
    )
    assert bytes_of(synapses(net)) < 10 * 1_000_000


@njit
def _put_all(calendar, entries, times, segments):
    entries = ahead(calendar, entries, times.size)
    for i in range(times.size):
        put(calendar, entries, times[i], segments[i], 1)
    return entries


@njit
def _take(calendar, entries, k, link):
    return take(calendar, entries, k, link)


@njit
def _begin(calendar, k):
    return begins(calendar.ring[0], k)


@given(st.integers(0, 10_000), st.sampled_from([1e-4, 1e-3, 0.3]), st.sampled_from([0.0, 0.7]))
def test_a_calendar_gives_back_what_was_put_in_order(seed, width, start):
    rng = np.random.default_rng(seed)
    calendar, entries = new_calendar(start, width, 7.5 * width)
    links = rng.integers(3, size=200).astype(np.int32)
    waiting, given_back = np.zeros((0, 2)), []
    for window in range(25):
        n = int(rng.integers(0, 40))
        begin = _begin(calendar, window)
        steps = rng.choice([0.0, 0.5, 1.0, 1.5, 7.0], n) + rng.choice([0.0, 0.3], n) * rng.random(n)
        times = begin + width * np.minimum(steps, 7.5)
        segments = rng.integers(200, size=n)
        entries = _put_all(calendar, entries, times, segments)
        waiting = np.vstack([waiting, np.column_stack([times, segments])])
        taken = _take(calendar, entries, window, links)
        end = _begin(calendar, window + 1)
        due = waiting[:, 0] < end
        expected = waiting[due]
        order = np.lexsort((expected[:, 1], links[expected[:, 1].astype(int)], expected[:, 0]))
        assert np.array_equal(taken["time"], expected[order, 0])
        assert np.array_equal(taken["segment"], expected[order, 1])
        waiting = waiting[~due]
        given_back.append(taken.size)
    assert calendar.ring["held"][0] == len(waiting)
    assert entries.size < 2000
