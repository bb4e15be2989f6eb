"""Tables and JSON of what was measured."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.timing import Measured, Spread, ratios
from benchmarks.workloads import Workload

__all__ = ["machine", "record", "table", "versions", "write"]


def machine() -> dict[str, Any]:
    """Processor, cores and system."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        processor = models[0] if models else processor
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": load,
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that take part."""
    found = {"python": platform.python_version()}
    simulators = ("nest-simulator", "brian2")
    for package in ("eventsim", "numpy", "numba", "torch", "spikingtorch", *simulators):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def record(work: Workload, measured: list[Measured]) -> dict[str, Any]:
    """Everything measured on one workload, as plain types."""
    return {
        "title": work.title,
        "simulated_s": work.t_stop,
        "contenders": [
            {
                "name": row.name,
                "samples": row.samples,
                "synaptic_events": row.events,
                "cpu_s": row.cpu_s,
                "ms_per_sample": dataclasses.asdict(row.ms_per_sample),
                "events_per_s": row.events_per_s and dataclasses.asdict(row.events_per_s),
                "peak_mib": row.peak_mib,
            }
            for row in measured
        ],
        "time_over": {
            measured[0].name: {
                name: dataclasses.asdict(spread)
                for name, spread in ratios(measured, measured[0]).items()
            }
        },
    }


def _number(value: float) -> str:
    """Three digits or more, without an exponent."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _cells(spread: Spread | None, scale: float = 1.0) -> str:
    if spread is None:
        return "-"
    return " / ".join(_number(value * scale) for value in (spread.min, spread.median, spread.max))


def table(work: Workload, measured: list[Measured]) -> str:
    """Markdown table; each cell is least / median / greatest of the rounds."""
    lines = [
        f"**{work.name}**: {work.title}",
        "",
        "| | samples | ms/sample | CPU s per simulated s | M synaptic events/s "
        f"| time over {measured[0].name} | peak MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    compared = ratios(measured, measured[0])
    for row in measured:
        memory = "-" if row.peak_mib is None else f"{row.peak_mib:.0f}"
        lines.append(
            f"| {row.name} | {row.samples} | {_cells(row.ms_per_sample)} "
            f"| {_cells(row.ms_per_sample, 1e-3 / work.t_stop)} "
            f"| {_cells(row.events_per_s, 1e-6)} | {_cells(compared.get(row.name))} | {memory} |"
        )
    return "\n".join(lines)


def write(path: Path, records: dict[str, Any], repeat: int) -> None:
    """Keep everything as JSON."""
    content = {
        "machine": machine(),
        "versions": versions(),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
        "repeat": repeat,
        "workloads": records,
    }
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
