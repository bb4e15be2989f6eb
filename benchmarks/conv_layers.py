"""Each convolution of W4 alone: ``python -m benchmarks.conv_layers [--repeat 9] [--json FILE]``.

A layer is a network of its own: an Input that gives the spikes which reach the layer in W4, the
projection, the neurons. Timed is `eventsim.simulate` as a user calls it, spikes recorded, on one
thread, and beside it the limit of the machine (`benchmarks.roofline`); with delta synapses and
with pulses of width t_ref.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import eventsim as es
from benchmarks import report
from benchmarks.arguments import add_json, check_json, positive
from benchmarks.engines import engine, neurons
from benchmarks.roofline import roofline
from benchmarks.timing import Spread, in_turn
from benchmarks.workloads import T_REF, Workload, convolutional

__all__ = ["KINDS", "layers", "measure", "table"]

#: Spreads of the synapses.
KINDS = {"deltas": 0.0, "pulses": T_REF}

REPEAT = 9


def layers(work: Workload) -> Iterator[Workload]:
    """Each convolution of a workload, with what reaches it there."""
    results = es.simulate(work.net, work.inputs(work.samples), work.t_stop, threads=1)
    assert isinstance(results, es.Results)
    for link in work.net.projections:
        if isinstance(link, es.Conv2d):
            source = es.Input(link.source, work.net[link.source].shape)
            net = es.Network([source, work.net[link.target]], [link])
            trains = [result.spikes[link.source] for result in results]
            yield replace(work, name=link.target, net=net, trains=trains)


def measure(work: Workload, repeat: int) -> dict[str, Any]:
    """CPU seconds of the engine and of the roofline, and how much happened."""
    contenders = [engine(work, "layered", work.samples), roofline(work, work.samples)]
    rows = in_turn(contenders, repeat)
    results = es.simulate(work.net, work.inputs(work.samples), work.t_stop, threads=1)
    assert isinstance(results, es.Results)
    (layer,) = neurons(work.net)
    return {
        "samples": work.samples,
        "arrivals": sum(map(len, work.trains)),
        "spikes": sum(int(result.counts[layer].sum()) for result in results),
        "events": results.n_events,
        "cpu_s": {row.name: row.cpu_s for row in rows},
    }


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown table; numbers are those of a sample, times least / median / greatest."""
    lines = [
        "| | arrivals | spikes | synaptic events | ms | M synaptic events/s | roofline over it |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, kept in records.items():
        mine, limit = kept["cpu_s"].values()
        each = [1.0 / kept["samples"] * kept[key] for key in ("arrivals", "spikes", "events")]
        cells = [
            *(f"{number:.0f}" for number in each),
            report.spread(vars(Spread.of(mine)), 1e3 / kept["samples"]),
            report.spread(vars(Spread.of([1e-6 * kept["events"] / s for s in mine]))),
            report.spread(vars(Spread.of([b / a for a, b in zip(mine, limit, strict=True)]))),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conv_layers", description=__doc__)
    parser.add_argument("--repeat", type=positive, default=REPEAT)
    add_json(parser)
    chosen = parser.parse_args(arguments)
    check_json(parser, chosen)
    records = {
        f"{layer.name}, {kind}": measure(layer, chosen.repeat)
        for kind, spread in KINDS.items()
        for layer in layers(convolutional("W4", spread))
    }
    print(table(records))
    if chosen.json:
        report.write(chosen.json, {"layers": records}, "benchmarks.conv_layers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
