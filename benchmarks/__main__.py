"""Command line: ``python -m benchmarks [--peers] [--workload W1 ...] [--json FILE]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import memory, report, suite
from benchmarks.timing import in_turn
from benchmarks.workloads import WORKLOADS

REPEAT = 7


def _progress(name: str, repeat: int) -> Callable[[int], None]:
    def show(done: int) -> None:
        print(f"\r{name}: round {done} of {repeat}          ", end="", file=sys.stderr, flush=True)

    return show


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="other simulators, where installed")
    parser.add_argument("--workload", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--repeat", type=int, default=REPEAT, help=f"rounds (default {REPEAT})")
    parser.add_argument("--json", type=Path, help="keep everything in this file")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    chosen = parser.parse_args(arguments)
    if chosen.repeat < 1:
        parser.error(f"--repeat: expected at least 1, got {chosen.repeat}")
    if chosen.json and chosen.json.exists() and not chosen.overwrite:
        parser.error(f"--json: {chosen.json} exists; add --overwrite to replace it")
    if chosen.json and not chosen.json.parent.is_dir():
        parser.error(f"--json: there is no folder {chosen.json.parent}")
    print("CPU seconds on one thread; each cell: least / median / greatest of the rounds")
    records = {}
    for name in chosen.workload:
        work = WORKLOADS[name]()
        for needs in suite.missing(work) if chosen.peers else ():
            print(f"{name}: measured without a peer: {needs} is not installed", file=sys.stderr)
        print(f"{name}: compiling and warming up ...", end="", file=sys.stderr, flush=True)
        contenders = list(suite.contenders(work, chosen.peers))
        measured = in_turn(contenders, chosen.repeat, _progress(name, chosen.repeat))
        print(file=sys.stderr)
        for short, row in zip(suite.names(work, chosen.peers), measured, strict=True):
            row.peak_mib = memory.peak_mib(name, short)
        print("\n" + report.table(work, measured), flush=True)
        records[name] = report.record(work, measured)
    if chosen.json:
        report.write(chosen.json, records, chosen.repeat)


if __name__ == "__main__":
    main()
