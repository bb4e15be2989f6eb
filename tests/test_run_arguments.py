"""Trains and the arguments of a run: what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import eventsim as es
from tests.networks import INF, NAN, refuses, small

BAD_TRAINS = {
    "nan": ([0.0, NAN], [0, 0], ["times[1]", "finite", "nan"]),
    "inf": ([0.0, INF], [0, 0], ["times[1]", "finite", "inf"]),
    "negative": ([-1.0, 0.0], [0, 0], ["times[0]", ">= 0", "-1.0"]),
    "unsorted": ([1.0, 2.0, 1.5], [0, 0, 0], ["times[2]", "2.0", "sorted", "1.5"]),
    "duplicate": ([1.0, 1.0], [3, 3], ["senders[1]", "duplicate", "3"]),
    "unsorted senders": ([1.0, 1.0], [3, 2], ["senders[1]", "sorted", "2"]),
    "lengths": ([1.0, 2.0], [0], ["senders", "2 entries", "1"]),
    "negative sender": ([1.0], [-1], ["senders[0]", ">= 0", "-1"]),
    "float sender": ([1.0], [0.5], ["senders", "integers", "float64", TypeError]),
    "two axes": ([[1.0]], [[0]], ["expected", "one-dimensional"]),
    "text": (["soon"], [0], ["times", "real", TypeError]),
    "beyond int64": (
        [1.0],
        np.array([2**63], dtype=np.uint64),
        ["senders[0]", "9223372036854775808"],
    ),
}


@pytest.mark.parametrize("key", BAD_TRAINS)
def test_bad_train(key):
    times, senders, words = BAD_TRAINS[key]
    refuses(lambda: es.SpikeTrain(times, senders), ["SpikeTrain", *words])
    refuses(lambda: es.simulate(small(), {"image": (times, senders)}, 1.0), words)
    refuses(lambda: small().session().inject("image", times, senders), words)


TRAIN = es.SpikeTrain([0.1], [0])
BAD_RUNS = {
    "t_stop at t_start": ({"t_stop": 0.0}, ["t_stop", "after t_start", "0.0"]),
    "t_stop before": ({"t_stop": 0.5, "t_start": 0.75}, ["t_stop", "0.75", "0.5"]),
    "t_stop nan": ({"t_stop": NAN}, ["t_stop", "finite", "nan"]),
    "t_stop inf": ({"t_stop": INF}, ["t_stop", "finite", "inf"]),
    "t_start negative": ({"t_start": -1.0}, ["t_start", ">= 0", "-1.0"]),
    "unknown input": ({"inputs": {"eye": TRAIN}}, ["inputs", "'image'", "'eye'"]),
    "no input": ({"inputs": {"out": TRAIN}}, ["inputs", "'image'", "'out'"]),
    "inputs": ({"inputs": TRAIN}, ["inputs", "mapping", "SpikeTrain", TypeError]),
    "train": ({"inputs": {"image": 5}}, ["'image'", "SpikeTrain", "int", TypeError]),
    "sender": (
        {"inputs": {"image": ([0.1, 0.2], [0, 16])}},
        ["'image'", "senders[1]", "below 16", "16"],
    ),
    "too early": ({"t_start": 0.5}, ["'image'", "times[0]", ">= 0.5", "0.1"]),
    "batch sizes": (
        {"inputs": {"image": [TRAIN, TRAIN]}, "currents": [{}]},
        ["inputs", "equally many", "2"],
    ),
    "empty batch": ({"inputs": {"image": []}}, ["inputs", "at least one"]),
    "engine": ({"engine": "fast"}, ["engine", "'queue'", "'fast'"]),
    "record": ({"record": "all"}, ["record", "'counts'", "'all'"]),
    "record name": ({"record": ["eye"]}, ["record", "'image'", "eye"]),
    "record_v name": ({"record_v": {"image": [0]}}, ["record_v", "'out'", "'image'"]),
    "record_v index": ({"record_v": {"out": [0, 3]}}, ["record_v", "'out'", "below 3", "3"]),
    "record_v twice": ({"record_v": {"out": [1, 1]}}, ["record_v", "once", "[1, 1]"]),
    "no inputs": ({"inputs": None}, ["inputs", "mapping", "None", TypeError]),
    "record of another type": ({"record": 5}, ["record", "'counts'", "int", TypeError]),
    "record nested": ({"record": [["out"]]}, ["record", "'counts'", "[['out']]"]),
    "record_v type": ({"record_v": ["out"]}, ["record_v", "mapping", "list", TypeError]),
    "currents type": ({"currents": 5}, ["currents", "mapping", "int", TypeError]),
    "currents of a batch": ({"currents": [5]}, ["currents", "mapping", "int", TypeError]),
    "progress": ({"progress": 5}, ["progress", "callable", "int", TypeError]),
    "max_events": ({"max_events": 0}, ["max_events", ">= 1", "0"]),
    "max_events float": ({"max_events": 1.5}, ["max_events", "int", "1.5", TypeError]),
    "max_events text": ({"max_events": "all"}, ["max_events", "int", "'all'", TypeError]),
    "threads float": ({"threads": 1.5}, ["threads", "int", "1.5", TypeError]),
    "threads text": ({"threads": "2"}, ["threads", "int", "'2'", TypeError]),
    "threads": ({"threads": 0}, ["threads", ">= 1", "0"]),
    "negative threads": ({"threads": -1}, ["threads", ">= 1", "-1"]),
    "currents name": ({"currents": {"image": []}}, ["currents", "'out'", "'image'"]),
    "currents neuron": (
        {"currents": {"out": [(0.1, 0, 1.0), (0.1, 3, 1.0)]}},
        ["'out'", "steps[1]", "below 3"],
    ),
    "currents value": ({"currents": {"out": [(0.1, 0, NAN)]}}, ["'out'", "finite", "nan"]),
    "currents time": ({"currents": {"out": [(-0.1, 0, 1.0)]}}, ["'out'", "steps[0]", "-0.1"]),
    "currents shape": ({"currents": {"out": [(0.1, 1.0)]}}, ["'out'", "(time, neuron, value)"]),
    "currents twice": (
        {"currents": {"out": [(0.1, 2, 1.0), (0.1, 2, 2.0)]}},
        ["'out'", "neuron 2", "0.1"],
    ),
}


@pytest.mark.parametrize("key", BAD_RUNS)
def test_bad_run(key):
    options, words = BAD_RUNS[key]
    arguments = {"inputs": {"image": TRAIN}, "t_stop": 1.0, **options}
    inputs, t_stop = arguments.pop("inputs"), arguments.pop("t_stop")
    refuses(lambda: es.simulate(small(), inputs, t_stop, **arguments), words)


def test_a_run_needs_a_network():
    refuses(lambda: es.simulate("net.h5", {}, 1.0), ["net", "Network", "str", TypeError])
    refuses(lambda: es.Session(None), ["net", "Network", "NoneType", TypeError])


BAD_SESSIONS = {
    "max_events float": ({"max_events": 1.5}, ["max_events", "int", "1.5", TypeError]),
    "t_start": ({"t_start": -1.0}, ["t_start", ">= 0", "-1.0"]),
    "record": ({"record": "all"}, ["record", "'counts'", "'all'"]),
    "record_v": ({"record_v": {"out": [3]}}, ["record_v", "'out'", "below 3", "3"]),
    "currents": ({"currents": {"out": [(0.1, 3, 1.0)]}}, ["'out'", "below 3", "3"]),
    "max_events": ({"max_events": 0}, ["max_events", ">= 1", "0"]),
}


@pytest.mark.parametrize("key", BAD_SESSIONS)
def test_bad_session(key):
    options, words = BAD_SESSIONS[key]
    refuses(lambda: small().session(**options), words)


def test_bad_use_of_a_session():
    session = small().session()
    session.run_until(1.0)
    refuses(lambda: session.inject("image", [0.5], [0]), ["'image'", "times[0]", ">= 1", "0.5"])
    refuses(lambda: session.inject("out", [1.5], [0]), ["'image'", "'out'"])
    refuses(lambda: session.inject("image", [1.5], [16]), ["senders[0]", "below 16", "16"])
    refuses(lambda: session.run_until(0.5), ["0.5", "1"])
    refuses(lambda: session.run_until(NAN), ["finite", "nan"])
    refuses(lambda: session.inject_current("out", [(0.5, 0, 1.0)]), ["'out'", ">= 1", "0.5"])
    refuses(lambda: session.restore(None), ["snapshot", "NoneType", TypeError])


def test_a_snapshot_fits_sessions_of_the_same_kind_alone():
    net = es.Network([es.Input("in", 1), es.Population("out", 1, tau_mem=1.0)],
                     [es.Dense("in", "out", [[1.0]])])  # fmt: skip
    session = net.session()
    session.inject("in", [0.1, 0.3], [0, 0])
    session.run_until(0.2)
    snapshot = session.snapshot()
    assert repr(snapshot) == "Snapshot(t=0.2 s)" and "at 0.2 s" in repr(session)
    same = net.session()
    same.restore(snapshot)
    same.run_until(0.4)
    assert same.counts["out"][0] == 2
    others = [
        net.replace("out", tau_mem=2.0).session(),
        net.session(record="counts"),
        net.session(record_v={"out": [0]}),
        net.session(t_start=0.1),
    ]
    for other in others:
        refuses(lambda other=other: other.restore(snapshot), ["snapshot", "network", "another"])


def test_bad_use_of_records():
    train = es.SpikeTrain([0.1], [0])
    refuses(lambda: train.counts("a"), ["n", "int", "'a'", TypeError])
    refuses(lambda: train.counts(-1), ["n", ">= 0", "-1"])
    refuses(lambda: es.SpikeTrain.sorted(["a"], [0]), ["times", "real", TypeError])
    refuses(lambda: es.SpikeTrain.sorted([[1.0], [1.0, 2.0]], [0]), ["times", TypeError])
    trace = small().session(record_v={"out": [0]}).result().v["out"]
    refuses(lambda: trace.at("a"), ["t", "real", TypeError])
    refuses(lambda: trace.at([[0.0, 0.0]]), ["t", "one axis", "(1, 2)"])
