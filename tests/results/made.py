"""Results of random spikes and potentials, and when two of them are the same."""

from __future__ import annotations

import dataclasses

import numpy as np

import eventsim as es
from eventsim.recording import Result, Results
from eventsim.trace import Trace

N = {"image": 40, "hidden": 12, "out": 3}
SUFFIXES = ("h5", "npz")


def network(rng):
    return es.Network(
        [
            es.Input("image", (1, 5, 8)),
            es.Population("hidden", N["hidden"], tau_mem=4e-3, t_ref=1e-3),
            es.Population("out", N["out"], tau_mem=np.array([1e-3, 4e-3, np.inf])),
        ],
        [
            es.Dense("image", "hidden", rng.normal(size=(40, 12)).astype(np.float32)),
            es.Dense("hidden", "out", rng.normal(size=(12, 3)), spread=1e-3),
        ],
    )


def train(rng, n, spikes):
    """Sorted spikes with ties, and with one unit that repeats a time (multi_spike)."""
    times = np.sort(rng.choice(rng.uniform(0, 16e-3, max(spikes // 2, 1)), spikes))
    senders = rng.integers(0, n, spikes)
    return es.SpikeTrain.trusted(times, senders[np.lexsort((senders, times))])


def trace(rng, neurons, n):
    knots = []
    for _ in neurons:
        k = int(rng.integers(1, 30))
        times = np.concatenate([[0.0], np.sort(rng.uniform(0, 16e-3, k))])
        ref = times + rng.choice([0.0, 1e-3], k + 1)
        knots.append(np.column_stack([times, rng.normal(size=(k + 1, 2)), ref]))
    tau = np.array([1e-3, 4e-3, np.inf])[np.arange(len(neurons)) % 3]
    return Trace(neurons, knots, tau, np.zeros(len(neurons)), np.ones(len(neurons)), 0.0, 16e-3)


def result(rng, net, spikes=400, **changes):
    trains = {name: train(rng, n, spikes) for name, n in N.items()}
    values = {
        "network": net,
        "spikes": trains,
        "counts": {name: trains[name].counts(n) for name, n in N.items()},
        "t_start": 0.0, "t_stop": 0.1 + 0.2, "t_reached": 16e-3,
        "v": {"hidden": trace(rng, [7, 0, 3], 12), "out": trace(rng, [1], 3)},
        "complete": False, "stop_reason": "max_events: 'hidden' ran away at 0.016 s",
        "n_events": 2**40 + 1, "engine": "queue", "wall_s": 1 / 3,
        "provenance": {"seeds": {"jitter": 3}, "software": {"eventsim": "0.1.0"}, "µ": [1.5, None]},
    }  # fmt: skip
    return Result(**{**values, **changes})


def assert_same(one, two):
    """Equal results, down to the bits of every number."""
    assert type(one) is type(two)
    if isinstance(one, Results):
        assert len(one) == len(two)
        assert one.wall_s == two.wall_s
        for a, b in zip(one, two, strict=True):
            assert_same(a, b)
        return
    assert one.network.fingerprint() == two.network.fingerprint()
    for field in dataclasses.fields(Result):
        a, b = getattr(one, field.name), getattr(two, field.name)
        if field.name in ("spikes", "counts", "v"):
            assert set(a) == set(b)
            for name in a:
                for x, y in zip(arrays_of(a[name]), arrays_of(b[name]), strict=True):
                    assert x.dtype == y.dtype
                    assert x.tobytes() == y.tobytes()
        elif field.name != "network":
            assert a == b
            assert type(a) is type(b) or field.name == "provenance"


def arrays_of(item):
    if isinstance(item, es.SpikeTrain):
        return [item.times, item.senders]
    return list(item.to_arrays().values()) if isinstance(item, Trace) else [item]
