"""Time of a synaptic event as networks grow: ``python -m benchmarks.growth [--json FILE]``.

CPU seconds on one thread over the synaptic events of a run, by the engine that `eventsim.simulate`
chooses. Kernels are compiled and tables arranged before; a run includes the rest of the call.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import eventsim as es
from benchmarks import report
from benchmarks.calm import undisturbed
from benchmarks.command import Command, Record, add_names, add_repeat, say
from benchmarks.engines import mean_rates, neurons
from benchmarks.growth_nets import SERIES
from benchmarks.timing import Spread
from benchmarks.workloads import Workload

__all__ = ["FLAT", "cost", "measure", "steepness", "table"]

REPEAT = 3
#: Greatest over least median cost that counts as flat.
FLAT = 2.0


def _weight_bytes(work: Workload) -> int:
    """Memory that a run reads synapses from: the weights, and targets where they are kept."""
    size = sum(work.net.synapses(link) for link in work.net.projections)
    return size * 8  # float64 rows of layers; float32 weights with int32 targets of others


def measure(work: Workload, repeat: int) -> Record:
    """Events, CPU seconds and size of one network."""
    inputs, keep = work.inputs(work.samples), neurons(work.net)

    def run() -> es.Result | es.Results:
        return es.simulate(work.net, inputs, work.t_stop, record=keep, threads=1)

    def timed() -> float:
        began = time.process_time()
        run()
        return time.process_time() - began

    result = run()
    seconds = [undisturbed(timed)[0] for _ in range(repeat)]
    one = result[0] if isinstance(result, es.Results) else result
    sizes = [work.net[name].n for name in keep]
    rates = mean_rates(work.net, one, work.t_stop)
    return {
        "engine": one.engine,
        "neurons": sum(sizes),
        "synapse_bytes": _weight_bytes(work),
        "events": result.n_events,
        "rate": float(np.average([rates[name] for name in keep], weights=sizes)),
        "cpu_s": seconds,
    }


def cost(point: Record) -> Spread:
    """Nanoseconds of a synaptic event."""
    return Spread.of([1e9 * seconds / point["events"] for seconds in point["cpu_s"]])


def steepness(points: Sequence[Record]) -> float:
    """Greatest over least median cost of a series."""
    medians = [cost(point).median for point in points]
    return max(medians) / min(medians)


def table(records: Mapping[str, Record]) -> str:
    """Markdown tables, one for each series."""
    blocks = []
    for kept in records.values():
        lines = [
            f"**{kept['title']}**",
            "",
            f"| {kept['quantity']} | engine | spikes/s of a neuron | MiB of synapses "
            "| M synaptic events | ns a synaptic event |",
            "|---|---|---|---|---|---|",
        ]
        for point in kept["points"]:
            lines.append(
                f"| {point['value']:g} | {point['engine']} | {report.number(point['rate'])} "
                f"| {report.number(point['synapse_bytes'] / 2**20)} "
                f"| {report.number(point['events'] * 1e-6)} | {report.spread(vars(cost(point)))} |"
            )
        steep = steepness(kept["points"])
        said = f"Greatest over least median: {report.number(steep)}"
        if kept["flat"]:
            said += f" (target at most {FLAT:g}: {'reached' if steep <= FLAT else 'missed'})"
        blocks.append("\n".join([*lines, "", f"{said}."]))
    return "\n\n".join(blocks)


def _options(parser: argparse.ArgumentParser) -> None:
    add_names(parser, "--series", SERIES, list(SERIES))
    add_repeat(parser, REPEAT)
    parser.add_argument("--largest", type=float, help="leave out greater values")
    parser.add_argument("--figure", type=Path, help="also draw it, as FIGURE.png and FIGURE.svg")
    parser.add_argument("--draw", type=Path, metavar="JSON", help="draw a kept file, measure none")


def _kept(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _measure(chosen: argparse.Namespace) -> Iterator[tuple[str, Record]]:
    if chosen.draw:
        yield from _kept(chosen.draw)["series"].items()
        return
    for name in chosen.series:
        series = SERIES[name]
        points = []
        for value in series.values:
            if chosen.largest is None or value <= chosen.largest:
                say(f"{name}: {value:g} ...")
                points.append({"value": value, **measure(series.make(value), chosen.repeat)})
        yield (
            name,
            {
                "title": series.title,
                "quantity": series.quantity,
                "flat": series.flat,
                "points": points,
            },
        )


def main(arguments: list[str] | None = None) -> None:
    command = Command("benchmarks.growth", __doc__, "series", _options, _measure, table)
    chosen, records = command.run(arguments)
    if chosen.figure:
        from benchmarks.growth_figure import draw

        caches = _kept(chosen.draw)["machine"]["caches"] if chosen.draw else report.caches()
        draw(records, caches, chosen.figure)


if __name__ == "__main__":
    main()
