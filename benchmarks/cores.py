"""Two cores against one: ``python -m benchmarks.cores [--workload W1 ...] [--json FILE]``.

Wall time of `eventsim.simulate` with one thread and with several, in turn, and whether all bits
of the results are the same. Samples of a batch are shared among threads (W1, W4); in one recurrent
network of deltas threads share the neurons (W2), in one with exponential receptors one thread has
the loop and others draw the Poisson sources ahead (W5).

Samples go through a layer 32 at a time, so that each weight that is fetched serves 32. A batch of
256 is work for several threads. One of 32, which is measured besides and has no target, is shared
too, but each thread then fetches all weights for its part of them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from numpy.typing import NDArray

import eventsim as es
from benchmarks import report
from benchmarks.calm import undisturbed
from benchmarks.command import Command, Record, add_names, add_repeat, say
from benchmarks.engines import neurons
from benchmarks.timing import Spread
from benchmarks.workloads import WORKLOADS, Workload

__all__ = ["DEFAULT", "measure", "same_bits", "table"]

DEFAULT = ("W1", "W4", "W2", "W5")
THREADS, REPEAT = 2, 5
#: Speed-up that is aimed at: over samples, and inside one network.
TARGETS = {False: 1.8, True: 1.5}
#: Samples of a batch that several threads are meant for, and of a small one.
BATCH, SMALL = 256, 32


def _each(result: es.Result | es.Results) -> Iterator[es.Result]:
    yield from result if isinstance(result, es.Results) else [result]


def _arrays(result: es.Result) -> Iterator[NDArray[Any]]:
    for name in sorted(result.counts):
        yield result.counts[name]
    for name in sorted(result.spikes):
        yield result.spikes[name].senders
        yield result.spikes[name].times


def same_bits(a: es.Result | es.Results, b: es.Result | es.Results) -> bool:
    """Whether counts and spikes of two runs are equal, to the last bit."""
    pairs = list(zip(_each(a), _each(b), strict=True))
    return all(x.n_events == y.n_events for x, y in pairs) and all(
        p.dtype == q.dtype and p.tobytes() == q.tobytes()
        for x, y in pairs
        for p, q in zip(_arrays(x), _arrays(y), strict=True)
    )


def measure(work: Workload, threads: int, repeat: int) -> Record:
    """Wall seconds with one thread and with ``threads``, and whether results are the same.

    A small batch has no target.
    """
    inputs, keep = work.inputs(work.samples), neurons(work.net)

    def run(count: int) -> tuple[float, es.Result | es.Results]:
        began = time.perf_counter()
        result = es.simulate(work.net, inputs, work.t_stop, record=keep, threads=count)
        return time.perf_counter() - began, result

    one, many = run(1)[1], run(threads)[1]
    engine = next(_each(one)).engine
    times: dict[int, list[float]] = {1: [], threads: []}
    for _ in range(repeat):
        for count in times:
            times[count].append(undisturbed(partial(run, count))[0][0])
    return {
        "title": work.title,
        "engine": engine,
        "samples": work.samples,
        "threads": threads,
        "target": TARGETS[work.recurrent] if work.recurrent or work.samples > SMALL else None,
        "wall_s": {str(count): seconds for count, seconds in times.items()},
        "same_bits": same_bits(one, many),
    }


def table(records: Mapping[str, Record]) -> str:
    """Markdown table; each cell is least / median / greatest of the rounds."""
    lines = [
        "| | engine | samples | threads | wall ms, one thread | wall ms, all | speed-up | target "
        "| same bits |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, kept in records.items():
        one, many = kept["wall_s"]["1"], kept["wall_s"][str(kept["threads"])]
        gain = Spread.of([a / b for a, b in zip(one, many, strict=True)])
        aim = "-"
        if kept["target"] is not None:
            aim = f"{kept['target']:g}: {'reached' if gain.median >= kept['target'] else 'missed'}"
        cells = [report.spread(vars(Spread.of(seconds)), 1e3) for seconds in (one, many)]
        lines.append(
            f"| {name} | {kept['engine']} | {kept['samples']} | {kept['threads']} "
            f"| {cells[0]} | {cells[1]} | {report.spread(vars(gain))} | {aim} "
            f"| {'yes' if kept['same_bits'] else 'NO'} |"
        )
    return "\n".join(lines)


def _threads(text: str) -> int:
    count = int(text)
    if count < 2:
        raise argparse.ArgumentTypeError(f"expected at least 2, got {count}")
    return count


def _options(parser: argparse.ArgumentParser) -> None:
    add_names(parser, "--workload", WORKLOADS, DEFAULT)
    parser.add_argument("--threads", type=_threads, default=THREADS)
    add_repeat(parser, REPEAT)


def _measure(chosen: argparse.Namespace) -> Iterator[tuple[str, Record]]:
    for name in chosen.workload:
        say(f"{name} ...")
        work = WORKLOADS[name]()
        if work.recurrent:
            yield name, measure(work, chosen.threads, chosen.repeat)
        else:
            yield name, measure(work.batch(BATCH), chosen.threads, chosen.repeat)
            small = measure(work.batch(SMALL), chosen.threads, chosen.repeat)
            yield f"{name}, small batch", small


def main(arguments: list[str] | None = None) -> int:
    command = Command("benchmarks.cores", __doc__, "workloads", _options, _measure, table)
    _, records = command.run(arguments)
    return 0 if all(kept["same_bits"] for kept in records.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
