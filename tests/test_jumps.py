"""The loop for networks of delta neurons: the same spikes as the queue, however it is run."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eventsim as es
from eventsim.engine import jumps
from eventsim.engine.jump_tables import drive_of, width_of
from eventsim.engine.jumps import JumpRun, why_not
from eventsim.engine.poisson import Drives
from eventsim.engine.windowed import WindowedRun, begin_run
from eventsim.errors import IncompleteRunWarning

SIZES = (1, 2, 31, 32, 33, 100)


def recurrent(rng, sizes, *, grid, delays, drive, multapses, options, single):
    """Populations in a ring and across, with Poisson sources of several kinds, and an Input."""
    populations, links = [es.Input("in", 3)], []
    multi = options.get("multi_spike", False)  # then many spikes of one time make many more
    names = [f"c{k}" for k in range(len(sizes))]
    for name, n in zip(names, sizes, strict=True):
        tau = inf if rng.random() < 0.25 else float(rng.choice([0.5, 2.0, 5.0]))
        cells = {
            "tau_mem": tau,
            "v_threshold": float(rng.choice([0.5, 1.0])) if grid else rng.uniform(0.5, 1.5, n),
            "v_reset": float(rng.choice([0.0, -0.25])),
            "v_leak": 0.0 if grid else float(rng.uniform(-0.2, 0.2)),
            "t_ref": float(rng.choice([0.0, 0.25, 0.5])) if grid else rng.uniform(0.0, 0.6, n),
            "v_init": rng.choice([0.0, 0.25, 0.75, 1.5], n),
            **options,
        }
        populations.append(es.Population(name, n, **cells))

    def weights(shape, scale):
        w = rng.uniform(-0.6, 1.0, shape) * scale
        w = np.round(w * 8) / 8 if grid else w
        return w.astype(np.float32) if single else w

    def delay(k):
        if delays == "one":
            return 0.75
        some = rng.choice([0.25, 0.5, 0.75, 1.25, 3.0], k)
        return some if grid or delays == "some" else rng.uniform(0.25, 2.0, k)

    for name, n in zip(names, sizes, strict=True):
        for source, m in zip(names, sizes, strict=True):
            k = int(rng.integers(1, (n + m) if multi else 3 * (n + m)))
            high = max(1, m // 4) if multapses else m
            links.append(
                es.Sparse(
                    source, name, rng.integers(high, size=k), rng.integers(n, size=k),
                    weights(k, (0.4 if multi else 2.0) / max(1.0, k / n) ** 0.5), delay=delay(k),
                )
            )  # fmt: skip
        links.append(es.Dense("in", name, weights((3, n), 1.0), delay=0.0 if grid else 0.1))
        if drive:
            outside = es.Poisson(f"outside {name}", n, rate=rng.choice([0.0, 3.0, 20.0], n))
            populations.append(outside)
            each = rng.permutation(n)
            weight = np.abs(weights(n, 0.4))
            links.append(
                es.Sparse(outside.name, name, np.arange(n), each, weight,
                          delay=float(rng.choice([0.0, 0.3])))
            )  # fmt: skip
    if drive:
        populations.append(es.Poisson("noise", 4, rate=2.0))
        links.append(es.Dense("noise", names[0], weights((4, sizes[0]), 0.5), delay=0.1))
    # Forward without delay.
    if len(sizes) > 1:
        links.append(es.Dense(names[0], names[1], weights(tuple(sizes[:2]), 0.7)))
    rng.shuffle(links)
    return es.Network(populations, links)


def train(rng, grid, t_stop):
    times = rng.uniform(0.0, t_stop, 40)
    times = np.round(times * 4) / 4 if grid else times
    rows = sorted(
        {(float(t), int(i)) for t, i in zip(times, rng.integers(3, size=40), strict=True)}
    )
    return es.SpikeTrain([t for t, _ in rows], [i for _, i in rows])


def result(net, inputs, t_stop, keep, threads=1, width=None):
    """Spikes, counts and arrivals of one run of the loop."""
    run = JumpRun(
        net, inputs, 0.0, t_stop, keep=keep, drives=Drives(net, 5, 0, 0.0), threads=threads,
        width=width,
    )  # fmt: skip
    assert run.run(10**9) is True
    return run.spikes(), run.counts(), run.n_events


def assert_same(one, two):
    assert one[2] == two[2]
    for name, spikes in one[0].items():
        assert spikes.times.tobytes() == two[0][name].times.tobytes(), name
        assert spikes.senders.tobytes() == two[0][name].senders.tobytes(), name
    for name, counts in one[1].items():
        assert np.array_equal(counts, two[1][name]), name


def of_queue(net, inputs, t_stop, keep):
    slow = es.simulate(net, inputs, t_stop, engine="queue", record=list(keep), seed=5)
    assert slow.engine == "queue"
    return slow.spikes, slow.counts, slow.n_events


NETWORKS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "sizes": st.lists(st.sampled_from(SIZES), min_size=1, max_size=3),
        "grid": st.booleans(),
        "delays": st.sampled_from(["one", "some", "each"]),
        "drive": st.booleans(),
        "multapses": st.booleans(),
        "single": st.booleans(),
        "reset": st.sampled_from(["value", "subtract", "multi"]),
        "equality": st.booleans(),
    }
)


def drawn(case):
    """A network, its input, and a name to keep of each kind."""
    rng = np.random.default_rng(case["seed"])
    options = {"fires_at_equality": case["equality"]}
    if case["reset"] != "value":
        options |= {"reset": "subtract", "multi_spike": case["reset"] == "multi"}
    net = recurrent(
        rng, case["sizes"], grid=case["grid"], delays=case["delays"], drive=case["drive"],
        multapses=case["multapses"], options=options, single=case["single"],
    )  # fmt: skip
    t_stop = 4.0
    return net, {"in": train(rng, case["grid"], t_stop)}, t_stop


@given(case=NETWORKS)
def test_same_as_the_queue(case):
    net, inputs, t_stop = drawn(case)
    assert why_not(net) is None
    keep = {p.name for p in net.populations if not isinstance(p, es.Poisson)} | {"noise"}
    keep &= {p.name for p in net.populations}
    slow = of_queue(net, inputs, t_stop, keep)
    fast = result(net, inputs, t_stop, keep)
    assert_same(slow, fast)


@given(case=NETWORKS)
def test_threads_and_windows_change_nothing(case):
    net, inputs, t_stop = drawn(case)
    keep = {p.name for p in net.populations if isinstance(p, es.Population)}
    base = result(net, inputs, t_stop, keep)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jumps, "HEAVY_VISIT", 0)
        for threads in (2, 3):
            assert_same(base, result(net, inputs, t_stop, keep, threads))
        patch.setattr(jumps, "BLOCK", 7)
        assert_same(base, result(net, inputs, t_stop, keep))
    width = width_of(net)
    for part in (1.0 / 3.0, 0.77):
        assert_same(base, result(net, inputs, t_stop, keep, width=width * part))


def brunel(n, rng):
    """Excitation and inhibition in balance, each neuron with a source of its own."""
    excitatory = max(1, 4 * n // 5)
    each = np.arange(n)
    links = [es.Sparse("outside", "cells", each, each, 0.1)]
    for first, stop, jump in ((0, excitatory, 0.5), (excitatory, n, -2.5)):
        if stop > first:
            pre = rng.integers(first, stop, n * min(20, n))
            post = rng.integers(n, size=pre.size)
            links.append(es.Sparse("cells", "cells", pre, post, jump, delay=1.5e-3))
    cells = es.Population(
        "cells", n, tau_mem=20e-3, v_threshold=20.0, t_ref=2e-3, v_init=rng.uniform(0, 20, n)
    )
    return es.Network([es.Poisson("outside", n, rate=2e4), cells], links)


@pytest.mark.parametrize("n", [1, 31, 32, 33, 1000])
@pytest.mark.parametrize("some", [False, True])
def test_balanced_network(n, some, rng):
    net = brunel(n, rng)
    if some:
        slow, fast = net.projections[1:], []
        for link in slow:
            delay = 1.5e-3 + 1e-4 * rng.integers(0, 15, link.pre.size)
            fast.append(es.Sparse("cells", "cells", link.pre, link.post, link.weight, delay=delay))
        net = es.Network(net.populations, [net.projections[0], *fast])
    assert drive_of(net) == {"cells": 0}
    keep = {"cells"}
    fast = result(net, {}, 0.06, keep)
    assert_same(of_queue(net, {}, 0.06, keep), fast)
    assert fast[1]["cells"].sum() >= n // 2 and fast[1]["outside"].sum() > 1000 * n
    # A source that is recorded is drawn by another way, and is the same.
    assert_same(fast, result(net, {}, 0.06, {"cells"}, threads=3))
    recorded = result(net, {}, 0.06, {"cells", "outside"})
    assert_same(fast, (recorded[0] | {}, recorded[1], recorded[2]))
    assert len(recorded[0]["outside"]) == fast[1]["outside"].sum()


def test_what_it_is_for_and_what_not():
    cells = {"tau_mem": 1.0}

    def net(link=None, **parameters):
        return es.Network(
            [es.Input("in", 4), es.Population("c", 4, **{**cells, **parameters})],
            [link or es.Dense("in", "c", np.ones((4, 4)))],
        )

    assert why_not(net()) is None
    assert isinstance(begin(net()), JumpRun)
    for reason, parameters in {
        "a bias": {"i_bias": 0.1},
        "exponential receptors": {"tau_syn": 1.0},
        "adaptation": {"adapt_beta": 0.1, "tau_adapt": 1.0},
        "it rests at its threshold": {"v_leak": 1.0},
        "several membrane time constants": {"tau_mem": [1.0, 2.0, 1.0, 1.0]},
    }.items():
        assert why_not(net(**parameters)) == f"c: {reason}"
        assert isinstance(begin(net(**parameters)), WindowedRun)
    assert "pulses" in why_not(net(es.Dense("in", "c", np.ones((4, 4)), spread=0.5)))
    assert why_not(net(), driven=True) == "currents are given"
    far = net(es.Sparse("in", "c", [0, 1], [0, 1], 1.0, delay=[1e-9, 1e9]))
    assert "is short beside one of" in why_not(far)
    assert "no neurons" in why_not(es.Network([es.Input("in", 2)], []))


def begin(net):
    drives = Drives(net, 0, 0, 0.0)
    return begin_run(net, {}, {}, 0.0, 1.0, keep=["c"], drives=drives)


# Refractoriness.


@pytest.mark.parametrize("engine", ["queue", "windowed"])
@pytest.mark.parametrize("t_ref", [0.25, 0.5, 0.125, 0.3])
def test_the_end_of_refractoriness_at_a_border(engine, t_ref):
    """Arrivals at the very end count; windows begin at multiples of the delay."""
    net = es.Network(
        [es.Input("in", 1), es.Population("c", 2, tau_mem=inf, t_ref=t_ref)],
        [es.Sparse("in", "c", [0, 0], [0, 1], [1.0, 0.5]),
         es.Sparse("c", "c", [0], [1], 0.25, delay=0.25)],
    )  # fmt: skip
    times = np.arange(0, 4, 0.125)
    got = es.simulate(net, {"in": (times, np.zeros(times.size, int))}, 4.0, engine=engine)
    expected, free = [], 0.0
    for t in times:
        if t >= free:
            expected.append(t)
            free = t + t_ref
    spikes = got.spikes["c"]
    assert spikes.times[spikes.senders == 0].tolist() == expected


@pytest.mark.parametrize("engine", ["queue", "windowed"])
def test_a_residue_fires_when_it_is_free_again(engine):
    """Nothing arrives then, nor for many windows."""
    cells = {"tau_mem": inf, "reset": "subtract", "t_ref": 2.0}
    net = es.Network(
        [es.Input("in", 1), es.Population("c", 1, **cells)],
        [es.Dense("in", "c", [[3.5]]), es.Dense("c", "c", [[0.0]], delay=0.01)],
    )
    got = es.simulate(net, {"in": ([0.5], [0])}, 20.0, engine=engine)
    assert got.spikes["c"].times.tolist() == [0.5, 2.5, 4.5]


@pytest.mark.parametrize("engine", ["queue", "windowed"])
def test_a_long_silence(engine):
    """Thousands of time constants between two arrivals, a neuron refractory before them."""
    net = es.Network(
        [es.Input("in", 2), es.Population("c", 2, tau_mem=1e-3, t_ref=2e-3)],
        [es.Sparse("in", "c", [0, 1], [0, 1], [1.0, 0.9]),
         es.Sparse("c", "c", [0], [1], 0.1, delay=1e-3)],
    )  # fmt: skip
    got = es.simulate(net, {"in": ([0.0, 0.001, 50.0, 50.001], [0, 1, 0, 1])}, 60.0, engine=engine)
    assert got.spikes["c"].times.tolist() == [0.0, 0.001, 50.0, 50.001]


def test_an_endless_neuron_is_left_to_the_queue():
    cells = {"tau_mem": inf, "reset": "subtract", "multi_spike": True}
    net = es.Network(
        [es.Input("in", 1), es.Population("c", 1, **cells)], [es.Dense("in", "c", [[1e300]])]
    )
    with pytest.warns(IncompleteRunWarning, match="'c'"):
        got = es.simulate(net, {"in": ([0.5], [0])}, 1.0, engine="windowed")
    assert got.engine == "queue"


def test_a_budget_stops_between_windows():
    rng = np.random.default_rng(0)
    net = brunel(100, rng)
    with pytest.warns(IncompleteRunWarning, match="max_events = 50,000 used up"):
        short = es.simulate(net, {}, 0.1, engine="windowed", max_events=50_000)
    full = es.simulate(net, {}, short.t_reached, engine="windowed")
    assert 0.0 < short.t_reached < 0.1
    assert short.spikes["cells"].times.tobytes() == full.spikes["cells"].times.tobytes()
    assert all(np.array_equal(short.counts[p.name], full.counts[p.name]) for p in net)
    assert 50_000 <= short.n_events + short.counts["cells"].sum()


def test_any_stop_gives_the_same_spikes():
    """Also where a stop cuts a window."""
    rng = np.random.default_rng(1)
    net = brunel(200, rng)
    whole = es.simulate(net, {}, 0.05, engine="windowed").spikes["cells"]
    for t_stop in (0.0333, 0.0345, 0.04, 1e-5):
        part = es.simulate(net, {}, t_stop, engine="windowed")
        kept = whole.between(0.0, t_stop)
        assert part.spikes["cells"].times.tobytes() == kept.times.tobytes()
        assert part.spikes["cells"].senders.tobytes() == kept.senders.tobytes()
