"""Command line: ``python -m benchmarks [--peers] [--full] [--workload W1 ...] [--json FILE]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from benchmarks import memory, report, suite
from benchmarks.arguments import add_json, check_json, positive
from benchmarks.build import build
from benchmarks.timing import in_turn
from benchmarks.workloads import LARGE, WORKLOADS

REPEAT = 7


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


def _progress(name: str, repeat: int) -> Callable[[int], None]:
    return lambda done: _say(f"\r{name}: round {done} of {repeat}          ", end="")


def measure(name: str, peers: bool, repeat: int, peaks: bool = True) -> dict[str, Any]:
    """The record of one workload."""
    work, built = build(WORKLOADS[name])
    missing = suite.missing(work) if peers else []
    for needs in missing:
        _say(f"{name}: measured without a peer: {needs} is not installed")
    _say(f"{name}: compiling and warming up ...", end="")
    keys = suite.names(work, peers)
    measured = in_turn(list(suite.contenders(work, peers)), repeat, _progress(name, repeat))
    for key, row in zip(keys, measured, strict=True):
        if peaks:
            _say(f"\r{name}: memory of {key}          ", end="")
            row.peak_mib = memory.peak_mib(name, key)
    _say("")
    return report.record(work, keys, measured, built, missing)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="other simulators, where installed")
    parser.add_argument("--workload", nargs="+", choices=WORKLOADS, help="default: all but large")
    parser.add_argument("--full", action="store_true", help=f"also {', '.join(LARGE)}")
    parser.add_argument(
        "--repeat", type=positive, default=REPEAT, help=f"rounds (default {REPEAT})"
    )
    parser.add_argument("--no-memory", action="store_true", help="leave out the runs for memory")
    add_json(parser)
    chosen = parser.parse_args(arguments)
    check_json(parser, chosen)
    names = chosen.workload or [name for name in WORKLOADS if name not in LARGE]
    names += [name for name in LARGE if chosen.full and name not in names]
    print("CPU seconds on one thread; each cell: least / median / greatest of the rounds")
    records = {}
    for name in names:
        records[name] = measure(name, chosen.peers, chosen.repeat, not chosen.no_memory)
        print("\n" + report.table(name, records[name]), flush=True)
        if chosen.json:  # after each workload: a long run that is stopped keeps what it has
            report.write(chosen.json, {"repeat": chosen.repeat, "workloads": records})
    print("\n" + report.summary(records))


if __name__ == "__main__":
    main()
