"""Sweeps over what neurons do with their potential: readout, pooling rule, threshold."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from eventsim.errors import UnsupportedNetwork
from eventsim.fidelity.plans import Group
from eventsim.fidelity.samples import Samples, continuous, exact
from eventsim.fidelity.sums import Found
from eventsim.fidelity.sweep.kinds import Run, Sweep, group, point
from eventsim.fidelity.task import Task
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.populations import Population

__all__ = ["POOLING", "READOUT", "THRESHOLD", "readout", "with_thresholds"]

READOUTS = ("count", "membrane", "first spike")


def readout(task: Task, kind: str) -> Run:
    """The exact run, its class taken from the output in another way."""
    net = task.net.with_spread(task.spreads[0])
    if kind == "count":
        return continuous(net, task.window)
    return _membrane(task, net) if kind == "membrane" else _first_spike(task, net)


def _membrane(task: Task, net: Network) -> Run:
    """Output neurons that do not spike; the class is that of the highest potential at the end."""
    name = task.output.name
    quiet = [
        dataclasses.replace(p, n=p.shape, v_threshold=math.inf)
        if isinstance(p, Population) and p.name == name
        else p
        for p in net.populations
    ]
    silent = Network(quiet, net.projections)
    every = list(range(task.output.n))

    def run_samples(samples: Samples, run: int) -> Found:
        found = exact(
            silent, samples, samples.inputs(run), task.window, samples.currents, "counts",
            record_v={name: every},
        )  # fmt: skip
        scores = np.stack([result.v[name].at(task.window)[0] for result in found])
        counts = {n: found.counts[n] for n in task.layers}
        return Found(counts, task.by_class(scores), events=found.n_events)

    return run_samples


def _first_spike(task: Task, net: Network) -> Run:
    """The class is that of the earliest output spike; without one, the first class."""
    name, n = task.output.name, task.output.n

    def run_samples(samples: Samples, run: int) -> Found:
        found = exact(net, samples, samples.inputs(run), task.window, samples.currents, [name])
        scores = np.full((len(found), n), -task.window)
        for row, result in zip(scores, found, strict=True):
            train = result.spikes[name]
            # In order of time, so the last one written is the first spike.
            row[train.senders[::-1]] = -train.times[::-1]
        scores = scores.reshape(len(found), task.n_classes, -1).max(axis=2)
        return Found({n: found.counts[n] for n in task.layers}, scores, events=found.n_events)

    return run_samples


def _readouts(task: Task, values: Sequence[str]) -> list[Group]:
    return [group(task, [point(task, kind, readout(task, kind)) for kind in values])]


def with_thresholds(net: Network, factor: float) -> Network:
    """The network with all thresholds, measured from rest, so many times as high."""
    populations = [
        dataclasses.replace(
            p, n=p.shape, v_threshold=p.v_leak + factor * (p.v_threshold - p.v_leak)
        )
        if isinstance(p, Population)
        else p
        for p in net.populations
    ]
    return Network(populations, net.projections)


def _thresholds(task: Task, values: Sequence[float]) -> list[Group]:
    net = task.net.with_spread(task.spreads[0])
    points = [
        point(task, f"{factor:g}", continuous(with_thresholds(net, factor), task.window))
        for factor in values
    ]
    return [group(task, points)]


def _pools(task: Task, values: Sequence[str]) -> list[Group]:
    net = task.net.with_spread(task.spreads[0])
    points = []
    for rule in values:
        links = [
            dataclasses.replace(link, rule=rule.replace(" ", "_"))
            if isinstance(link, MaxPool2d)
            else link
            for link in net.projections
        ]
        points.append(point(task, rule, continuous(Network(net.populations, links), task.window)))
    return [group(task, points)]


def _has_pools(task: Task) -> None:
    if not any(isinstance(link, MaxPool2d) for link in task.net.projections):
        raise UnsupportedNetwork("sweep: net: expected max pooling, got a network without it")


READOUT = Sweep(
    "readout",
    "Which readout of the output layer is the most faithful?",
    "readout",
    READOUTS,
    _readouts,
    choices=READOUTS,
)

POOLING = Sweep(
    "pooling",
    "Which continuous rule of max pooling is the most faithful?",
    "rule of max pooling",
    tuple(rule.replace("_", " ") for rule in MaxPool2d.RULES),
    _pools,
    choices=tuple(rule.replace("_", " ") for rule in MaxPool2d.RULES),
    needs=_has_pools,
)

THRESHOLD = Sweep(
    "threshold",
    "Do other thresholds than the trained ones help?",
    "factor on all thresholds",
    (0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0),
    _thresholds,
    low=1e-6,
)
