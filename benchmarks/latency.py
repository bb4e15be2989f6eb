"""Time until something happens: ``python -m benchmarks.latency [--json FILE]``.

Wall and CPU time of commands in processes of their own: Python alone, ``import eventsim``, the two
libraries that the demo cannot do without, the demo with kernels that are compiled already; and with
an empty cache of kernels the demo, and small first networks of some kinds. All find Python's own
bytecode, as an installed package does, whatever the environment says about writing it. CPU seconds
are those of all processes of a command; on a machine that does other things as well they say more
than the wall time.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import report
from benchmarks.calm import undisturbed
from benchmarks.command import Command, Record, add_names, add_repeat, positive
from benchmarks.timing import Spread

__all__ = ["COMMANDS", "Start", "measure", "table"]

REPEAT, COLD_REPEAT = 9, 3
_ROOT = Path(__file__).resolve().parent.parent
_DEMO = ("-m", "eventsim", "demo", "--overwrite", "--out")

_NUMBA = """
from numba.core import registry
registry.cpu_target.typing_context.refresh()
registry.cpu_target.target_context.refresh()
"""
_MATPLOTLIB = """
from matplotlib import pyplot
pyplot.subplots()[0].savefig("/dev/null", format="png")
"""
_FIRST_DENSE = """
import numpy as np
import eventsim as es
cells = es.Population("cells", 10, tau_mem=8e-3, t_ref=2e-3)
net = es.Network([es.Input("in", 8), cells], [es.Dense("in", "cells", np.full((8, 10), 0.7))])
es.simulate(net, {"in": ([1e-3, 2e-3], [0, 1])}, 5e-3)
"""
_FIRST_CONVOLUTION = """
import numpy as np
import eventsim as es
cells = es.Population("cells", (2, 8, 8), tau_mem=8e-3, t_ref=2e-3)
link = es.Conv2d("in", "cells", np.full((2, 1, 3, 3), 0.7), padding=1)
net = es.Network([es.Input("in", (1, 8, 8)), cells], [link])
es.simulate(net, {"in": ([1e-3, 2e-3], [0, 1])}, 5e-3)
"""
_FIRST_RECURRENT = """
import numpy as np
import eventsim as es
cells = es.Population("cells", 600, tau_mem=8e-3, t_ref=2e-3, tau_syn=4e-3)
link = es.Random("cells", "cells", 0.1, 1e-3, indegree=10, receptor=0)
given = es.Dense("in", "cells", np.full((8, 600), 2.0), receptor=0)
net = es.Network([es.Input("in", 8), cells], [given, link])
es.simulate(net, {"in": ([1e-3, 2e-3], [0, 1])}, 5e-3)
"""


class Start(NamedTuple):
    """Arguments of Python, and what is aimed at, in seconds."""

    title: str
    arguments: tuple[str, ...]
    target: float | None
    cold: bool = False  # each run with an empty cache of kernels
    writes: bool = False  # its last argument is a folder for what it writes


COMMANDS = {
    "python": Start("Python alone", ("-c", "pass"), None),
    "import": Start("`import eventsim`", ("-c", "import eventsim"), 0.3),
    "numba": Start("Numba alone, before its first kernel", ("-c", _NUMBA), None),
    "matplotlib": Start("Matplotlib alone, empty axes", ("-c", _MATPLOTLIB), None),
    "warm": Start("demo, kernels compiled", _DEMO, 2.0, writes=True),
    "cold": Start("demo, nothing compiled", _DEMO, 20.0, cold=True, writes=True),
    "dense": Start("a first all-to-all layer", ("-c", _FIRST_DENSE), None, cold=True),
    "conv": Start("a first convolution", ("-c", _FIRST_CONVOLUTION), None, cold=True),
    "recurrent": Start(
        "a first recurrent network with receptors", ("-c", _FIRST_RECURRENT), None, cold=True
    ),
}


def _cpu() -> float:
    """CPU seconds of all processes that were begun here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(command: Start, environment: Mapping[str, str]) -> tuple[float, float, float]:
    """Wall seconds until the first line is printed, and until the end; CPU seconds."""
    with tempfile.TemporaryDirectory(prefix="eventsim-latency-") as folder:
        caches = {"NUMBA_CACHE_DIR": f"{folder}/kernels"} if command.cold else {}
        out = [f"{folder}/out"] if command.writes else []
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        began, used = time.perf_counter(), _cpu()
        with subprocess.Popen(
            [sys.executable, "-u", *command.arguments, *out],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**inherited, **environment, **caches},
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            first = time.perf_counter() - began
            process.stdout.read()
        if process.returncode:
            raise RuntimeError(f"{' '.join(command.arguments)}: status {process.returncode}")
        return first, time.perf_counter() - began, _cpu() - used


def measure(names: Sequence[str], repeat: int, cold_repeat: int) -> dict[str, Any]:
    """Seconds of each command: warm ones in turn after a round that is not counted."""
    kept: dict[str, Any] = {
        name: {
            "title": COMMANDS[name].title,
            "target": COMMANDS[name].target,
            "first_line_s": [],
            "wall_s": [],
            "cpu_s": [],
        }
        for name in names
    }
    warm = [name for name in names if not COMMANDS[name].cold]
    cold = [name for name in names if COMMANDS[name].cold]
    with tempfile.TemporaryDirectory(prefix="eventsim-bytecode-") as bytecode:
        place = {
            "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]),
            "PYTHONPYCACHEPREFIX": bytecode,
        }
        for name in warm:
            _run(COMMANDS[name], place)
        for name in warm * repeat + cold * cold_repeat:
            found, _ = undisturbed(partial(_run, COMMANDS[name], place))
            for what, seconds in zip(("first_line_s", "wall_s", "cpu_s"), found, strict=True):
                kept[name][what].append(seconds)
    return kept


def table(records: Mapping[str, Record]) -> str:
    """Markdown table; each cell is least / median / greatest of the runs."""
    counted = any("cpu_s" in kept for kept in records.values())  # older files have none
    lines = [
        "| | runs | first line, s | end, s | less Python alone, s |"
        f"{' CPU, s |' * counted} target |",
        f"|---|---|---|---|---|{'---|' * counted}---|",
    ]
    alone = records.get("python")
    for name, kept in records.items():
        whole, target, less = Spread.of(kept["wall_s"]), kept["target"], None
        if alone and name != "python":
            less = whole.median - Spread.of(alone["wall_s"]).median
        said = "-"
        if target is not None:
            said = f"under {target:g}: {'reached' if whole.median < target else 'missed'}"
        prints = COMMANDS[name].writes
        used = f" {report.spread(vars(Spread.of(kept['cpu_s'])))} |" if counted else ""
        first = report.spread(vars(Spread.of(kept["first_line_s"])) if prints else None)
        lines.append(
            f"| {kept['title']} | {len(kept['wall_s'])} | {first} | {report.spread(vars(whole))} "
            f"| {report.number(less)} |{used} {said} |"
        )
    return "\n".join(lines)


def _options(parser: argparse.ArgumentParser) -> None:
    add_names(parser, "--command", COMMANDS, list(COMMANDS))
    add_repeat(parser, REPEAT)
    parser.add_argument("--cold-repeat", type=positive, default=COLD_REPEAT)


def _measure(chosen: argparse.Namespace) -> Iterator[tuple[str, Record]]:
    yield from measure(chosen.command, chosen.repeat, chosen.cold_repeat).items()


def main(arguments: list[str] | None = None) -> None:
    Command("benchmarks.latency", __doc__, "commands", _options, _measure, table).run(arguments)


if __name__ == "__main__":
    main()
