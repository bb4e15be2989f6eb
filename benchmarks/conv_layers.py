"""Each convolution of W4 alone: ``python -m benchmarks.conv_layers [--repeat 9] [--json FILE]``.

A layer is a network of its own: an Input that gives the spikes which reach the layer in W4, the
projection, the neurons; with delta synapses and with pulses of width t_ref. Timed are
`eventsim.simulate` as a user calls it, spikes recorded, on one thread; in it the layer itself
(listing what arrives, the kernel, sorting spikes); and beside it the limit of the machine
(`benchmarks.roofline`).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import eventsim as es
from benchmarks import report
from benchmarks.calm import undisturbed
from benchmarks.command import Command, Record, add_repeat
from benchmarks.engines import neurons
from benchmarks.roofline import roofline
from benchmarks.timing import Spread
from benchmarks.workloads import T_REF, Workload, convolutional
from eventsim.engine.conv_layer import PatchLayer

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


@contextmanager
def _inside_layers() -> Iterator[list[float]]:
    """CPU seconds spent in layers so far, in a list of one."""
    original, spent = PatchLayer.spikes, [0.0]

    def spikes(*arguments: Any) -> Any:
        began = time.process_time()
        found = original(*arguments)
        spent[0] += time.process_time() - began
        return found

    PatchLayer.spikes = spikes  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        PatchLayer.spikes = original  # type: ignore[method-assign]


def measure(work: Workload, repeat: int) -> dict[str, Any]:
    """CPU seconds of the layer, of the call and of the roofline, in turn; how much happened."""
    (layer,) = neurons(work.net)
    inputs, limit = work.inputs(work.samples), roofline(work, work.samples)

    def call() -> es.Results:
        found = es.simulate(work.net, inputs, work.t_stop, record=[layer], threads=1)
        assert isinstance(found, es.Results)
        return found

    results = call()
    limit.run()
    cpu: dict[str, list[float]] = {"layer": [], "call": [], "roofline": []}
    with _inside_layers() as spent:

        def seconds(run: Callable[[], object]) -> tuple[float, float]:
            """Of a run, and of the layer in it."""
            before, began = spent[0], time.process_time()
            run()
            return time.process_time() - began, spent[0] - before

        for _ in range(repeat):
            (whole, inside), _ = undisturbed(partial(seconds, call))
            cpu["call"].append(whole)
            cpu["layer"].append(inside)
            cpu["roofline"].append(undisturbed(partial(seconds, limit.run))[0][0])
    return {
        "samples": work.samples,
        "arrivals": sum(map(len, work.trains)),
        "spikes": sum(int(result.counts[layer].sum()) for result in results),
        "events": results.n_events,
        "cpu_s": cpu,
    }


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown table; numbers are those of a sample, times least / median / greatest."""
    lines = [
        "| | arrivals | spikes | synaptic events | ms in the layer | M synaptic events/s in it "
        "| ms of the call | roofline over the layer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, kept in records.items():
        layer, call, limit = (kept["cpu_s"][key] for key in ("layer", "call", "roofline"))
        each = [kept[key] / kept["samples"] for key in ("arrivals", "spikes", "events")]
        cells = [
            *(f"{number:.0f}" for number in each),
            report.spread(vars(Spread.of(layer)), 1e3 / kept["samples"]),
            report.spread(vars(Spread.of([1e-6 * kept["events"] / s for s in layer]))),
            report.spread(vars(Spread.of(call)), 1e3 / kept["samples"]),
            report.spread(vars(Spread.of([b / a for a, b in zip(layer, limit, strict=True)]))),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _options(parser: argparse.ArgumentParser) -> None:
    add_repeat(parser, REPEAT)


def _measure(chosen: argparse.Namespace) -> Iterator[tuple[str, Record]]:
    for kind, spread in KINDS.items():
        for layer in layers(convolutional("W4", spread)):
            yield f"{layer.name}, {kind}", measure(layer, chosen.repeat)


def main(arguments: list[str] | None = None) -> int:
    command = Command("benchmarks.conv_layers", __doc__, "layers", _options, _measure, table)
    command.run(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
