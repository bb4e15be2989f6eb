"""Command line: ``python -m benchmarks [--peers] [--full] [--workload W1 ...] [--json FILE]``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from benchmarks import memory, report, suite
from benchmarks.build import build
from benchmarks.command import Command, Record, add_names, add_repeat, say
from benchmarks.timing import in_turn
from benchmarks.workloads import LARGE, WORKLOADS

REPEAT = 7


def _progress(name: str, repeat: int) -> Callable[[int], None]:
    return lambda done: say(f"\r{name}: round {done} of {repeat}          ", end="")


def measure(name: str, peers: bool, repeat: int, peaks: bool = True) -> Record:
    """The record of one workload."""
    work, built = build(WORKLOADS[name])
    missing = suite.missing(work) if peers else []
    for needs in missing:
        say(f"{name}: measured without a peer: {needs} is not installed")
    say(f"{name}: compiling and warming up ...", end="")
    keys = suite.names(work, peers)
    measured = in_turn(list(suite.contenders(work, peers)), repeat, _progress(name, repeat))
    for key, row in zip(keys, measured, strict=True):
        if peaks:
            say(f"\r{name}: memory of {key}          ", end="")
            row.peak_mib = memory.peak_mib(name, key)
    say("")
    return report.record(work, keys, measured, built, missing)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--peers", action="store_true", help="other simulators, where installed")
    add_names(parser, "--workload", WORKLOADS, [name for name in WORKLOADS if name not in LARGE])
    parser.add_argument("--full", action="store_true", help=f"also {', '.join(LARGE)}")
    add_repeat(parser, REPEAT)
    parser.add_argument("--no-memory", action="store_true", help="leave out the runs for memory")


def _measure(chosen: argparse.Namespace) -> Iterator[tuple[str, Record]]:
    print("CPU seconds on one thread; each cell: least / median / greatest of the rounds")
    more = LARGE if chosen.full else ()
    for name in dict.fromkeys([*chosen.workload, *more]):
        record = measure(name, chosen.peers, chosen.repeat, not chosen.no_memory)
        print("\n" + report.table(name, record) + "\n", flush=True)
        yield name, record


def main(arguments: list[str] | None = None) -> None:
    command = Command("benchmarks", __doc__, "workloads", _options, _measure, report.summary)
    command.run(arguments)


if __name__ == "__main__":
    main()
