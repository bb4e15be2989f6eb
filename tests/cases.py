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

#: Names of all cases.
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))

PARAMETERS = {
    "tau_mem": "tau_mem",
    "v_threshold": "v_threshold",
    "v_reset": "v_reset",
    "v_leak": "v_leak",
    "t_ref": "t_ref",
    "r_mem": "r",
    "i_bias": "i_bias",
    "v_init": "v_init",
    "adapt_beta": "adapt_beta",
    "tau_adapt": "tau_adapt",
    "ahp_jump": "ahp_jump",
    "tau_ahp": "tau_ahp",
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
    links: dict[tuple[str, str, float, int | None], list[tuple[int, int, float, float]]] = {}
    for row in case["input_synapses"]:
        target, post = place[row[1]]
        for copy in range(copies):
            synapse = (row[0] * copies + copy, post, row[2], row[3])
            links.setdefault(("in", target, *_kind(case, row)), []).append(synapse)
    for row in case["synapses"]:
        (source, pre), (target, post) = place[row[0]], place[row[1]]
        synapse = (pre, post, row[2], row[3])
        links.setdefault((source, target, *_kind(case, row)), []).append(synapse)

    net = es.Network(
        [
            es.Input("in", n_inputs * copies),
            *(_population(case, f"depth{d}", members) for d, members in enumerate(groups)),
        ],
        [
            es.Sparse(source, target, *zip(*rows, strict=True), spread=spread, receptor=receptor)
            for (source, target, spread, receptor), rows in links.items()
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


def _kind(case: dict[str, Any], row: list[Any]) -> tuple[float, int | None]:
    """Spread and receptor of a synapse."""
    spread = row[5] if len(row) > 5 else 0.0
    exponential = _has_receptors(case) and spread == 0.0 and row[4] >= 0
    return spread, row[4] if exponential else None


def _has_receptors(case: dict[str, Any]) -> bool:
    return "tau_syn" in case["neurons"] and case["neurons"].get("synapse") != "delta"


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
    def of_members(value: Any) -> Any:
        many = isinstance(value, list)
        return [float(value[k]) for k in members] if many else float(value)

    neurons = case["neurons"]
    parameters: dict[str, Any] = {
        ours: of_members(neurons[theirs])
        for theirs, ours in PARAMETERS.items()
        if theirs in neurons
    }
    if _has_receptors(case):
        parameters["tau_syn"] = [of_members(tau) for tau in neurons["tau_syn"]]
    if case.get("reset") == "subtract":
        parameters["reset"] = "subtract"
        parameters["multi_spike"] = case["subtract_rule"] == "repeat"
    return es.Population(name, len(members), **parameters)
