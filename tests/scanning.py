"""Networks and runs for the tests of the scanning engine."""

from __future__ import annotations

import numpy as np

import eventsim as es
from eventsim.engine.poisson import Drives
from eventsim.engine.scan import ScanRun, cannot

MS = 1e-3
INF = float("inf")


def scanned(
    net, inputs, t_stop, *, t_start=0.0, seed=0, max_events=10**9, prepare=None, keep=None,
    threads=1,
):  # fmt: skip
    """A finished run of the scanning engine."""
    assert cannot(net, {}) is None
    trains = {
        k: v if isinstance(v, es.SpikeTrain) else es.SpikeTrain(*v) for k, v in inputs.items()
    }
    run = ScanRun(
        net,
        trains,
        t_start,
        t_stop,
        keep=net.order if keep is None else keep,
        drives=Drives(net, seed, 0, t_start),
        threads=threads,
    )
    if prepare is not None:
        prepare(run)
    assert run.run(max_events) is True
    return run


def assert_same_bits(one, two):
    assert one.n_events == two.n_events
    a, b = one.spikes(), two.spikes()
    for name in a:
        assert a[name].times.tobytes() == b[name].times.tobytes(), name
        assert a[name].senders.tobytes() == b[name].senders.tobytes(), name


def network(rng, n, *, t_ref=None, tau_syn=(5 * MS, 10 * MS), single=False, grid=False, spread=1.0):
    """Neurons driven above threshold by a bias, and each other at random; a readout; an input."""
    taus = list(tau_syn)
    cells = es.Population(
        "cells",
        n,
        tau_mem=20 * MS,
        tau_syn=taus,
        t_ref=rng.uniform(0.0, 5 * MS, n) if t_ref is None else t_ref,
        v_leak=rng.uniform(-0.1, 0.1, n),
        i_bias=rng.uniform(0.8, 1.3, n),
        v_init=rng.uniform(-0.5, 1.1, n),
        v_reset=-0.2,
    )
    read = es.Population("read", 3, tau_mem=7 * MS, tau_syn=2 * MS, v_threshold=INF)
    dtype = np.float32 if single else np.float64

    def joined(source, target, size, receptor, delays):
        pre, post = (rng.integers(net_n, size=size) for net_n in (source[1], target[1]))
        weight = rng.normal(0.05, 0.25, size).astype(dtype)
        if receptor is None:
            weight *= dtype(0.3)
        delay = rng.choice(delays, size)
        return es.Sparse(source[0], target[0], pre, post, weight, delay=delay, receptor=receptor)

    delays = [1 * MS, 2 * MS, 2.5 * MS] if grid else list(rng.uniform(0.4 * MS, 9 * MS, 6) * spread)
    here, outside = ("cells", n), ("in", 7)
    links = [joined(here, here, 8 * n, k % len(taus), delays) for k in range(len(taus) + 1)]
    links += [joined(here, here, 3 * n, None, delays), joined(here, ("read", 3), n, 0, delays)]
    links += [joined(outside, here, 4 * n, k, [0.0, 1 * MS]) for k in (None, 0)]
    return es.Network([es.Input("in", 7), cells, read], links)


def outside(rng, t_stop, *, grid=False, n=150):
    times = rng.integers(0, int(t_stop / MS), n) * MS if grid else rng.uniform(0, t_stop, n)
    rows = sorted(set(zip(times.tolist(), rng.integers(7, size=n).tolist(), strict=True)))
    return {"in": es.SpikeTrain([t for t, _ in rows], [i for _, i in rows])}


def by_neuron(train):
    order = np.lexsort((train.times, train.senders))
    return train.times[order], train.senders[order]


def assert_close(fast, slow, tolerance=1e-12):
    assert fast.n_events == slow.n_events
    for name, train in slow.spikes.items():
        times, senders = by_neuron(fast.spikes()[name])
        expected, who = by_neuron(train)
        assert np.array_equal(senders, who), name
        assert np.abs(times - expected).max(initial=0.0) <= tolerance, name
