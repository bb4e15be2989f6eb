"""CUBA against 33-digit arithmetic, and how often a crossing is searched for:
``python -m benchmarks.exactness``.

The reference (`tests/references/cuba_exact.npz`) holds every spike of a second. The spikes of each
engine are matched with it, those of a neuron in their order; so are those that NEST's precise
neurons gave. A search is made only where a spike cannot be ruled out: the scanning loop of the
windowed engine, which runs such networks, counts its searches.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from benchmarks.command import Command, Record, add_names, say
from benchmarks.cuba import CELLS, T_STOP, cuba
from eventsim.engine.poisson import Drives
from eventsim.engine.scan import ScanRun
from tests import references

__all__ = ["ENGINES", "errors", "measure", "searches", "table"]

ENGINES = ("windowed", "queue")
NEST = "NEST precise, as it is kept"
MAX_EVENTS = 10**12


def errors(
    times: NDArray[np.float64], senders: NDArray[np.int64], exact: references.Reference
) -> NDArray[np.float64]:
    """Seconds between each spike (times in seconds) and the exact one.

    Raises
    ------
    ValueError
        A neuron has another number of spikes.
    """
    order, true = np.lexsort((times, senders)), np.lexsort((exact.times, exact.senders))
    if not np.array_equal(senders[order], exact.senders[true]):
        raise ValueError(f"{times.size} spikes do not match the {exact.times.size} exact ones")
    return np.abs(times[order] - 1e-3 * exact.times[true])


def searches(net: es.Network, t_stop: float) -> int:
    """Searches for a crossing in a run of the scanning loop."""
    run = ScanRun(net, {}, 0.0, t_stop, keep=(), drives=Drives(net, 0, 0, 0.0))
    run.run(MAX_EVENTS)
    return int(run._scan.clock["searches"][0])


def _record(title: str, spikes: int, apart: NDArray[np.float64]) -> Record:
    return {
        "title": title,
        "spikes": spikes,
        "median_s": float(np.median(apart)),
        "largest_s": float(apart.max()),
    }


def measure(engine: str, net: es.Network, exact: references.Reference) -> Record:
    """Errors of one engine, and its searches where it counts them."""
    found = es.simulate(net, {}, T_STOP, engine=engine).spikes[CELLS]
    record = _record(engine, len(found), errors(found.times, found.senders, exact))
    if engine != "windowed":
        return record
    return {**record, "searches": searches(net, T_STOP)}


def table(records: Mapping[str, Record]) -> str:
    """Markdown table."""
    lines = [
        "| | spikes, all matched | error in the median, s | largest error, s | searches a spike |",
        "|---|---|---|---|---|",
    ]
    for kept in records.values():
        each = f"{kept['searches'] / kept['spikes']:.4f}" if "searches" in kept else "-"
        lines.append(
            f"| {kept['title']} | {kept['spikes']} | {kept['median_s']:.1e} "
            f"| {kept['largest_s']:.1e} | {each} |"
        )
    return "\n".join(lines)


def _options(parser: argparse.ArgumentParser) -> None:
    add_names(parser, "--engine", ENGINES, ENGINES)


def _measure(chosen: argparse.Namespace) -> Iterator[tuple[str, Record]]:
    net, exact = cuba(), references.read("cuba_exact")
    if exact.network != references.digest(net):
        raise SystemExit("numpy draws another network than that of the reference")
    for engine in chosen.engine:
        say(f"{engine} ...")
        yield engine, measure(engine, net, exact)
    nest = references.read("cuba_nest")
    apart = errors(1e-3 * nest.times, nest.senders, exact)
    yield "nest", _record(NEST, nest.times.size, apart)


def main(arguments: list[str] | None = None) -> None:
    Command("benchmarks.exactness", __doc__, "engines", _options, _measure, table).run(arguments)


if __name__ == "__main__":
    main()
