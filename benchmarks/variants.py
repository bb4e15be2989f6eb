"""How much of its speed a workload keeps with something more: ``python -m benchmarks.variants``.

W1 without a refractory period, with a bias for each neuron, with a stepped current for each neuron,
and with spikes that subtract; W2 with 15 delays instead of one. Variants are run in turn by the
engine that `eventsim.simulate` chooses, on one thread. As neurons then fire at other rates, speed
is synaptic events a second of CPU time, relative to the workload as it is, round by round.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from benchmarks import report
from benchmarks.command import Command, Record, add_names, add_repeat, say
from benchmarks.contender import Contender
from benchmarks.engines import mean_rates, neurons
from benchmarks.timing import Spread, in_turn
from benchmarks.workloads import WORKLOADS, Workload

__all__ = ["FAMILIES", "Variant", "measure", "table"]

REPEAT = 7
#: Standard deviation of biases and steps: a neuron held by one rests so far from its threshold 1.
SPREAD = 0.1
#: Delays of W2 with many: the one that it has, and longer ones.
DELAYS = 1.5e-3 + 1e-4 * np.arange(15)

Steps = dict[str, NDArray[np.float64]]


class Variant(NamedTuple):
    """A workload that was changed, and the steps of currents of each of its samples."""

    title: str
    work: Workload
    currents: list[Steps] | None = None


def _neurons(net: es.Network, change: Callable[[es.Population], es.Population]) -> es.Network:
    """A network with other neurons."""
    populations = [change(p) if isinstance(p, es.Population) else p for p in net.populations]
    return es.Network(populations, net.projections)


def _steps(work: Workload, rng: np.random.Generator) -> Steps:
    """One step for each neuron, at any time."""
    steps = {
        name: [
            (rng.uniform(0.0, work.t_stop), k, rng.normal(0.0, SPREAD))
            for k in range(work.net[name].n)
        ]
        for name in neurons(work.net)
    }
    # Arrays, as input spikes are: no time is spent on lists of Python.
    return {name: np.array(rows) for name, rows in steps.items()}


def layers(work: Workload) -> list[Variant]:
    """Of all-to-all layers of deltas."""
    rng = np.random.default_rng(1)

    def but(change: Callable[[es.Population], es.Population]) -> Workload:
        return replace(work, net=_neurons(work.net, change))

    return [
        Variant("as it is", work),
        Variant("no refractory period", but(lambda p: replace(p, t_ref=0.0))),
        Variant(
            "a bias for each neuron", but(lambda p: replace(p, i_bias=rng.normal(0.0, SPREAD, p.n)))
        ),
        Variant(
            "a step of a current for each neuron",
            work,
            [_steps(work, rng) for _ in range(work.samples)],
        ),
        Variant(
            "spikes subtract, again while at threshold",
            but(lambda p: replace(p, reset="subtract", multi_spike=True)),
        ),
        Variant(
            "spikes subtract, once in a refractory period",
            but(lambda p: replace(p, reset="subtract")),
        ),
    ]


def recurrent(work: Workload) -> list[Variant]:
    """Of a recurrent network whose synapses all have one delay."""
    rng = np.random.default_rng(1)
    links = [
        link
        if link.source in work.net.drives
        else replace(link, delay=rng.choice(DELAYS, work.net.synapses(link)))
        for link in work.net.projections
    ]
    many = replace(work, net=es.Network(work.net.populations, links))
    return [Variant("one delay", work), Variant(f"{DELAYS.size} delays", many)]


#: Workload -> its variants; the first is what the others are compared with.
FAMILIES: dict[str, Callable[[Workload], list[Variant]]] = {"W1": layers, "W2": recurrent}


def _contender(variant: Variant, found: dict[str, Any]) -> Contender:
    work, inputs = variant.work, variant.work.inputs(variant.work.samples)
    keep = neurons(work.net)

    def run() -> int:
        result = es.simulate(
            work.net, inputs, work.t_stop, currents=variant.currents, record=keep, threads=1
        )
        one = result[0] if isinstance(result, es.Results) else result
        rates, sizes = mean_rates(work.net, result, work.t_stop), [work.net[k].n for k in keep]
        found["engine"] = one.engine
        found["rate"] = float(np.average([rates[name] for name in keep], weights=sizes))
        return result.n_events

    return Contender(variant.title, work.samples, run)


def measure(variants: Sequence[Variant], repeat: int) -> Record:
    """Engine, rate, events and CPU seconds of each variant."""
    found: list[dict[str, Any]] = [{} for _ in variants]
    contenders = [_contender(variant, row) for variant, row in zip(variants, found, strict=True)]
    return {
        "title": variants[0].work.title,
        "variants": [
            {
                "name": row.name,
                **kept,
                "samples": row.samples,
                "events": row.events,
                "cpu_s": row.cpu_s,
            }
            for row, kept in zip(in_turn(contenders, repeat), found, strict=True)
        ],
    }


def _kept_speed(row: Mapping[str, Any], base: Mapping[str, Any]) -> Spread:
    """Events a second, over those of the base."""
    return Spread.of(
        [
            (row["events"] / mine) / (base["events"] / its)
            for mine, its in zip(row["cpu_s"], base["cpu_s"], strict=True)
        ]
    )


def table(records: Mapping[str, Record]) -> str:
    """Markdown tables; each cell is least / median / greatest of the rounds."""
    blocks = []
    for name, kept in records.items():
        lines = [
            f"**{name}**: {kept['title']}",
            "",
            "| | engine | spikes/s of a neuron | M synaptic events a sample | ms/sample "
            "| ns a synaptic event | speed kept |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in kept["variants"]:
            times = vars(Spread.of([seconds / row["samples"] for seconds in row["cpu_s"]]))
            costs = vars(Spread.of([seconds / row["events"] for seconds in row["cpu_s"]]))
            speed = vars(_kept_speed(row, kept["variants"][0]))
            lines.append(
                f"| {row['name']} | {row['engine']} | {report.number(row['rate'])} "
                f"| {report.number(1e-6 * row['events'] / row['samples'])} "
                f"| {report.spread(times, 1e3)} | {report.spread(costs, 1e9)} "
                f"| {report.spread(speed)} |"
            )
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _options(parser: argparse.ArgumentParser) -> None:
    add_names(parser, "--workload", FAMILIES, list(FAMILIES))
    add_repeat(parser, REPEAT)


def _measure(chosen: argparse.Namespace) -> Iterator[tuple[str, Record]]:
    for name in chosen.workload:
        say(f"{name} ...")
        yield name, measure(FAMILIES[name](WORKLOADS[name]()), chosen.repeat)


def main(arguments: list[str] | None = None) -> None:
    Command("benchmarks.variants", __doc__, "workloads", _options, _measure, table).run(arguments)


if __name__ == "__main__":
    main()
