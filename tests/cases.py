"""The exact cases of ``tests/cases``: small networks with every spike time to 30 digits.

Times are in milliseconds there. A conversion would round them, so they are passed unchanged and
one second here stands for one millisecond.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import eventsim as es

FOLDER = Path(__file__).parent / "cases"

#: Cases whose synapses are deltas or pulses, or that have none, and whose neurons do not adapt.
LIF = (
    "bias_regular",
    "equality_and_edges",
    "pulse_graze",
    "pulse_refractory",
    "pulse_two_layer",
    "random100_delta",
    "refractory_edge_delta",
    "simultaneous_delta",
    "step_boxes_nir",
    "subtract_once",
    "subtract_repeat",
    "zero_delay_chain_delta",
)
#: Cases of neurons with exponential synapses or adaptation.
OTHER = (
    "ahp_exp",
    "alif_exp",
    "conv_small",
    "graze_exp",
    "ring_exp_delays",
    "tau_equal",
    "tau_near_1e-06",
    "tau_ratio_2",
    "two_receptors_poisson",
)

PARAMETERS = {
    "tau_mem": "tau_mem",
    "v_threshold": "v_threshold",
    "v_reset": "v_reset",
    "v_leak": "v_leak",
    "t_ref": "t_ref",
    "r_mem": "r",
    "i_bias": "i_bias",
    "v_init": "v_init",
}


@dataclass
class Case:
    """A case as a network; ``place[neuron]`` is its population and its index in it."""

    name: str
    net: es.Network
    place: list[tuple[str, int]]
    inputs: dict[str, es.SpikeTrain]
    currents: dict[str, list[tuple[float, int, float]]]
    t_stop: float
    expected: list[list[tuple[Decimal, Decimal]]]
    potentials: list[tuple[float, int, Decimal, Decimal]]

    def members(self, population: str) -> list[int]:
        """Neurons of one population, in its order."""
        return [k for k, (name, _) in enumerate(self.place) if name == population]

    def check_spikes(self, times: list[list[float]]) -> None:
        """Compare the spike times of each neuron with the expected ones."""
        for k, (got, expected) in enumerate(zip(times, self.expected, strict=True)):
            assert len(got) == len(expected), f"{self.name}: spikes of neuron {k}"
            for t, (exact, tolerance) in zip(got, expected, strict=True):
                assert abs(Decimal(float(t)) - exact) <= tolerance, (self.name, k, t, exact)

    def check_potential(self, v: float, exact: Decimal, tolerance: Decimal) -> None:
        """Compare one sampled potential with the expected one."""
        assert abs(Decimal(float(v)) - exact) <= tolerance, (self.name, v, exact)


def read(name: str) -> dict[str, Any]:
    """The contents of a case file."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def load(name: str) -> Case:
    """Build the network of a case: one population for each depth of zero-delay synapses."""
    case = read(name)
    n = case["neurons"]["n"]
    depth = _depths(n, case["synapses"])
    groups = [[k for k in range(n) if depth[k] == d] for d in range(max(depth) + 1)]
    place = [("", 0)] * n
    for d, members in enumerate(groups):
        for index, k in enumerate(members):
            place[k] = (f"depth{d}", index)

    copies, spikes = _input_spikes(case["input_spikes"])
    n_inputs = 1 + max((row[0] for row in case["input_synapses"]), default=0)
    n_inputs = max([n_inputs, *(1 + i for _, i in case["input_spikes"])])
    links: dict[tuple[str, str, float], list[tuple[int, int, float, float]]] = {}
    for row in case["input_synapses"]:
        target, post = place[row[1]]
        spread = row[5] if len(row) > 5 else 0.0
        for copy in range(copies):
            synapse = (row[0] * copies + copy, post, row[2], row[3])
            links.setdefault(("in", target, spread), []).append(synapse)
    for row in case["synapses"]:
        (source, pre), (target, post) = place[row[0]], place[row[1]]
        spread = row[5] if len(row) > 5 else 0.0
        links.setdefault((source, target, spread), []).append((pre, post, row[2], row[3]))

    net = es.Network(
        [
            es.Input("in", n_inputs * copies),
            *(_population(case, f"depth{d}", members) for d, members in enumerate(groups)),
        ],
        [
            es.Sparse(source, target, *zip(*rows, strict=True), spread=spread)
            for (source, target, spread), rows in links.items()
        ],
    )
    currents: dict[str, list[tuple[float, int, float]]] = {}
    for t, k, value in case.get("i_ext_steps", []):
        currents.setdefault(place[k][0], []).append((t, place[k][1], value))
    expected: list[list[tuple[Decimal, Decimal]]] = [[] for _ in range(n)]
    for t, k, tolerance in case["expected_spikes"]:
        expected[k].append((Decimal(t), Decimal(tolerance)))
    return Case(
        name=name,
        net=net,
        place=place,
        inputs={"in": es.SpikeTrain.sorted(*zip(*spikes, strict=True))} if spikes else {},
        currents=currents,
        t_stop=math.nextafter(case["t_end"], math.inf),  # a case counts what is at t_end
        expected=expected,
        potentials=[(t, k, Decimal(v), Decimal(tol)) for t, k, v, tol in case["expected_v"]],
    )


def _depths(n: int, synapses: list[list[float]]) -> list[int]:
    depth = [0] * n
    for _ in range(n):
        for pre, post, _, delay, *_ in synapses:
            if delay == 0.0:
                depth[int(post)] = max(depth[int(post)], depth[int(pre)] + 1)
    return depth


def _input_spikes(rows: list[list[float]]) -> tuple[int, list[tuple[float, int]]]:
    """Input units spike once an instant; an input that spikes k times becomes k units."""
    repeats: dict[tuple[float, float], int] = {}
    spikes = []
    for t, i in rows:
        repeats[t, i] = repeats.get((t, i), 0) + 1
        spikes.append((t, int(i), repeats[t, i] - 1))
    copies = max(repeats.values(), default=1)
    return copies, [(t, i * copies + copy) for t, i, copy in spikes]


def _population(case: dict[str, Any], name: str, members: list[int]) -> es.Population:
    parameters: dict[str, Any] = {}
    for theirs, ours in PARAMETERS.items():
        if theirs in case["neurons"]:
            value = case["neurons"][theirs]
            many = isinstance(value, list)
            parameters[ours] = [float(value[k]) for k in members] if many else float(value)
    if case.get("reset") == "subtract":
        parameters["reset"] = "subtract"
        parameters["multi_spike"] = case["subtract_rule"] == "repeat"
    return es.Population(name, len(members), **parameters)
