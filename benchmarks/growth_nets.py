"""Networks of growing size for `benchmarks.growth`: one quantity changes, the rest stays.

Recurrent networks are random with a fixed number of inputs a neuron, four excitatory to one
inhibitory. A weight shrinks as inputs get more, so that the drive from within keeps its mean.

Deltas: after Brunel (`benchmarks.brunel`), tau 20 ms, threshold 20 mV, t_ref 2 ms, delay 1.5 ms,
inhibition 5 times as strong; Poisson sources outside, jumps of 2 mV, at ``drive`` times the rate
that just reaches the threshold in the mean.

Exponential currents: after CUBA (`benchmarks.cuba`), time constants 5 and 10 ms, delay 0.1 ms,
resting potential above threshold.

Layers: those of W1 (`benchmarks.workloads`), Gaussian weights that shrink with the root of the
number of inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import eventsim as es
from benchmarks import brunel, cuba
from benchmarks.workloads import Workload, feed_forward

__all__ = ["SERIES", "Series", "deltas", "exponentials", "layers"]

OUTSIDE_JUMP = 2.0
FAN_OUT, CUBA_FAN_OUT = 200, 80
NEURONS = 10_000
#: An exciting jump of so many inputs in all, mV.
DELTA_SUM, CURRENT_SUM = 80.0, 1.62 * CUBA_FAN_OUT


def _from_within(fan_out: int, weights: tuple[float, float], delay: float) -> list[es.Random]:
    """Synapses of excitatory and of inhibitory neurons, on receptors of their own if there are."""
    receptors = (None, None) if delay == brunel.DELAY else (0, 1)
    numbers = {"E": fan_out - fan_out // 5, "I": fan_out // 5}
    return [
        es.Random(source, target, weight, delay, indegree=number, seed=2 * t + s, receptor=receptor)
        for t, target in enumerate("EI")
        for s, ((source, number), weight, receptor) in enumerate(
            zip(numbers.items(), weights, receptors, strict=True)
        )
    ]


def deltas(
    n: int = NEURONS, fan_out: int = FAN_OUT, drive: float = 2.0, t_stop: float = 0.05
) -> Workload:
    """Recurrent network of delta neurons, driven from outside."""
    rng = np.random.default_rng(0)
    units: list[es.Input | es.Population] = []
    jump = float(np.float32(DELTA_SUM / fan_out))
    links: list[es.Sparse | es.Random] = list(
        _from_within(fan_out, (jump, -brunel.INHIBITION * jump), brunel.DELAY)
    )
    for name, size in (("E", n - n // 5), ("I", n // 5)):
        rate = drive * brunel.THRESHOLD / (OUTSIDE_JUMP * brunel.TAU)
        units.append(es.Poisson(f"to {name}", size, rate=rate))
        units.append(
            es.Population(
                name,
                size,
                tau_mem=brunel.TAU,
                v_threshold=brunel.THRESHOLD,
                t_ref=brunel.T_REF,
                v_init=rng.uniform(0.0, brunel.THRESHOLD, size),
            )
        )
        each = np.arange(size)
        links.append(es.Sparse(f"to {name}", name, each, each, OUTSIDE_JUMP))
    return Workload("deltas", f"{n} delta neurons", es.Network(units, links), [], t_stop)


def exponentials(n: int, fan_out: int = CUBA_FAN_OUT, t_stop: float = 0.2) -> Workload:
    """Recurrent network with exponential currents that runs on its own."""
    rng = np.random.default_rng(0)
    units = [
        es.Population(
            name,
            size,
            tau_mem=20e-3,
            v_leak=cuba.RESTING,
            v_threshold=cuba.THRESHOLD,
            v_reset=cuba.RESET,
            t_ref=5e-3,
            v_init=rng.uniform(cuba.RESET, cuba.THRESHOLD, size),
            tau_syn=[5e-3, 10e-3],
        )
        for name, size in (("E", n - n // 5), ("I", n // 5))
    ]
    weight = float(np.float32(CURRENT_SUM / fan_out))
    ratio = cuba.INHIBITORY_JUMP / cuba.EXCITATORY_JUMP
    links = _from_within(fan_out, (weight, float(np.float32(ratio * weight))), 1e-4)
    net = es.Network(units, links)
    return Workload("exponentials", f"{n} neurons, exponential currents", net, [], t_stop)


def layers(width: int, depth: int = 1, samples: int = 8) -> Workload:
    """``depth`` layers of ``width`` neurons, then one of 800 and one of 10."""
    sizes = (784, *[width] * depth, 800, 10)
    std = [0.052, *(0.068 * math.sqrt(800 / n) for n in sizes[1:-1])]
    return feed_forward("layers", sizes=sizes, std=tuple(std), samples=samples)


class Series(NamedTuple):
    """What changes, its values, and the network of a value."""

    title: str
    quantity: str
    values: tuple[float, ...]
    make: Callable[[float], Workload]
    flat: bool = False  # whether the cost is to stay within a factor of two


SERIES = {
    "deltas": Series(
        f"Recurrent, deltas, {FAN_OUT} inputs a neuron",
        "neurons",
        (1e3, 3e3, 1e4, 3e4, 1e5),
        lambda n: deltas(int(n)),
        flat=True,
    ),
    "exponentials": Series(
        f"Recurrent, exponential currents, {CUBA_FAN_OUT} inputs a neuron",
        "neurons",
        (1e3, 3e3, 1e4, 3e4, 1e5),
        lambda n: exponentials(int(n)),
        flat=True,
    ),
    "layers": Series(
        "Layers 784 - n - 800 - 10, deltas",
        "neurons in the first layer",
        (1e3, 3e3, 1e4, 3e4, 1e5),
        lambda n: layers(int(n)),
        flat=True,
    ),
    "fan_out": Series(
        f"Recurrent, deltas, {NEURONS} neurons",
        "inputs of a neuron from within",
        (20, 50, 100, 200, 500, 1000, 2000),
        lambda k: deltas(fan_out=int(k)),
    ),
    "rate": Series(
        f"Recurrent, deltas, {NEURONS} neurons, {FAN_OUT} inputs each",
        "mean drive from outside, thresholds",
        (1.0, 1.5, 2.0, 3.0, 5.0, 8.0),
        lambda drive: deltas(drive=drive),
    ),
    "depth": Series(
        "Layers 784 - 800 - ... - 800 - 10, deltas",
        "hidden layers of 800",
        (2, 3, 5, 9, 17),
        lambda depth: layers(800, int(depth) - 1),
    ),
}
