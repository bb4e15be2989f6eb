"""Where the time of W1 goes: ``python -m benchmarks.parts``.

The parts of an all-to-all layer (listing what arrives, the kernel, sorting its spikes) are timed
inside calls of `eventsim.simulate`, on one thread; CPU milliseconds a sample, least of some calls.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import eventsim as es
from benchmarks.command import positive
from benchmarks.workloads import WORKLOADS
from eventsim.engine import dense_layer

__all__ = ["PARTS", "main", "measure"]

#: What is timed in :mod:`eventsim.engine.dense_layer`, and what it is.
PARTS = {
    "delta_arrivals": "list what arrives, with its decay factors",
    "frees": "end of refractory periods",
    "run_volleys": "kernel",
    "spikes_of": "put spikes in order",
}


def measure(work: Any, repeat: int) -> dict[str, float]:
    """Milliseconds a sample of each part, and of the whole call."""
    spent: dict[str, float] = {}

    def timed(name: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            began = time.process_time()
            result = function(*arguments)
            spent[name] = spent.get(name, 0.0) + time.process_time() - began
            return result

        return call

    originals = {name: getattr(dense_layer, name) for name in PARTS}
    names = [p.name for p in work.net.populations if p.name not in work.net.inputs]
    inputs, rounds = work.inputs(work.samples), []
    try:
        for name, function in originals.items():
            setattr(dense_layer, name, timed(name, function))
        for _ in range(repeat + 1):  # the first compiles
            spent.clear()
            began = time.process_time()
            es.simulate(work.net, inputs, work.t_stop, record=names, threads=1)
            rounds.append({**spent, "whole call": time.process_time() - began})
    finally:
        for name, function in originals.items():
            setattr(dense_layer, name, function)
    best = min(rounds[1:], key=lambda row: row["whole call"])
    return {name: 1e3 * best.get(name, 0.0) / work.samples for name in [*PARTS, "whole call"]}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parts", description=__doc__)
    parser.add_argument("--repeat", type=positive, default=20, help="calls (default 20)")
    chosen = parser.parse_args(arguments)
    for name, spent in measure(WORKLOADS["W1"](), chosen.repeat).items():
        print(f"{spent:7.3f} ms a sample   {PARTS.get(name, name)}")


if __name__ == "__main__":
    main()
