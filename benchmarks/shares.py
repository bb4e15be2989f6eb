"""Where the time of a recurrent workload goes: ``python -m benchmarks.shares [--workload W5 ...]``.

The loop of such a network is one kernel, whose parts cannot be timed from outside. So the network
is run in steps, in turn, each of which does what the one before did and something more:

- *windows*: neurons without a threshold, to which nothing arrives;
- *sources outside*: their spikes are drawn, and arrive;
- *spikes from within*: those that the whole network sends are given as input, and arrive;
- *the whole*: neurons have their thresholds; those near them are followed and fire.

What a step takes more than the one before it is the share of what it added; CPU seconds on one
thread, medians of the rounds. Memory is the peak of a process that runs the whole network once.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

import eventsim as es
from benchmarks import memory, report
from benchmarks.command import Command, Record, add_names, add_repeat, say
from benchmarks.contender import Contender
from benchmarks.engines import neurons
from benchmarks.timing import in_turn
from benchmarks.workloads import WORKLOADS, Workload

__all__ = ["CHOICES", "STEPS", "measure", "steps", "table"]

CHOICES, REPEAT = ("W2", "W3", "W5", "W5-full"), 3
DEFAULT = ("W2", "W3", "W5")
STEPS = ("windows", "sources outside", "spikes from within", "following and firing")

Inputs = dict[str, es.SpikeTrain]


def _given(name: str) -> str:
    """The Input that sends what a population sent."""
    return f"sent by {name}"


def steps(work: Workload) -> list[tuple[es.Network, Inputs]]:
    """A network and its input for each step.

    One synapse with the shortest delay from within stays, which keeps windows as long as they are.
    """
    whole, cells = work.net, neurons(work.net)
    sent = es.simulate(whole, {}, work.t_stop, record=cells, threads=1).spikes
    quiet = [
        replace(p, v_threshold=np.inf) if isinstance(p, es.Population) else p
        for p in whole.populations
    ]
    within = [link for link in whole.projections if link.source in cells]
    outside = [link for link in whole.projections if link.source not in cells]
    shortest = min(within, key=lambda link: link.min_delay)
    receptor = getattr(shortest, "receptor", None)
    clock = es.Sparse(
        shortest.source, shortest.target, [0], [0], 1.0, shortest.min_delay, receptor=receptor
    )
    silent = [p for p in quiet if p.name in cells]
    given = [es.Input(_given(name), whole[name].n) for name in cells]
    replayed = [replace(link, source=_given(link.source)) for link in within]
    return [
        (es.Network(silent, [clock]), {}),
        (es.Network(quiet, [*outside, clock]), {}),
        (
            es.Network([*quiet, *given], [*outside, *replayed, clock]),
            {_given(name): sent[name] for name in cells},
        ),
        (whole, {}),
    ]


def _contender(name: str, net: es.Network, inputs: Inputs, t_stop: float) -> Contender:
    def run() -> int:
        return es.simulate(net, inputs, t_stop, record="counts", threads=1).n_events

    return Contender(name, 1, run)


def measure(work: Workload, repeat: int) -> Record:
    """CPU seconds and synaptic events of each step."""
    contenders = [
        _contender(name, net, inputs, work.t_stop)
        for name, (net, inputs) in zip(STEPS, steps(work), strict=True)
    ]
    return {
        "title": work.title,
        "steps": [
            {"name": row.name, "events": row.events, "cpu_s": row.cpu_s}
            for row in in_turn(contenders, repeat)
        ],
    }


def _shares(rows: list[Mapping[str, Any]]) -> list[tuple[str, float, int]]:
    """What each step added: its name, seconds, and synaptic events."""
    seconds = np.diff([0.0, *(float(np.median(row["cpu_s"])) for row in rows)])
    events = np.diff([0, *(row["events"] for row in rows)])
    return [
        (row["name"], float(s), int(n)) for row, s, n in zip(rows, seconds, events, strict=True)
    ]


def table(records: Mapping[str, Record]) -> str:
    """Markdown tables."""
    blocks = []
    for name, kept in records.items():
        lines = [
            f"**{name}**: {kept['title']}",
            "",
            "| | M synaptic events | CPU ms | share of the whole | ns a synaptic event |",
            "|---|---|---|---|---|",
        ]
        parts = _shares(kept["steps"])
        whole = sum(seconds for _, seconds, _ in parts)
        for part, seconds, events in parts:
            if part == STEPS[1] and not events:
                continue
            arrive = part in STEPS[1:3]
            cost = report.number(1e9 * seconds / events) if arrive and events else "-"
            lines.append(
                f"| {part} | {report.number(1e-6 * events) if arrive else '-'} "
                f"| {report.number(1e3 * seconds)} | {100.0 * seconds / whole:.0f} % | {cost} |"
            )
        if kept["peak_mib"] is not None:
            lines += ["", f"Peak memory {kept['peak_mib']:.0f} MiB."]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _options(parser: argparse.ArgumentParser) -> None:
    add_names(parser, "--workload", CHOICES, DEFAULT)
    add_repeat(parser, REPEAT)


def _measure(chosen: argparse.Namespace) -> Iterator[tuple[str, Record]]:
    for name in chosen.workload:
        say(f"{name} ...")
        record = measure(WORKLOADS[name](), chosen.repeat)
        yield name, {**record, "peak_mib": memory.peak_mib(name, "windowed")}


def main(arguments: list[str] | None = None) -> None:
    Command("benchmarks.shares", __doc__, "workloads", _options, _measure, table).run(arguments)


if __name__ == "__main__":
    main()
