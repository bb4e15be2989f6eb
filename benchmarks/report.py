"""Records of what was measured, their tables, and the JSON that keeps them."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.build import Built
from benchmarks.targets import verdicts
from benchmarks.timing import Measured, ratios
from benchmarks.workloads import Workload

__all__ = [
    "caches",
    "machine",
    "number",
    "record",
    "spread",
    "summary",
    "table",
    "versions",
    "write",
]

_PACKAGES = (
    "eventsim",
    "numpy",
    "numba",
    "torch",
    "spikingtorch",
    "snntorch",
    "nest-simulator",
    "brian2",
    "neuron",
)
_CPU = Path("/sys/devices/system/cpu/cpu0/cache")


def caches() -> dict[str, str]:
    """Sizes of the first core's caches of data, where the system tells."""
    found = {}
    for folder in sorted(_CPU.glob("index*")):
        kind, level, size = (
            (folder / name).read_text(encoding="ascii").strip()
            for name in ("type", "level", "size")
        )
        if kind != "Instruction":
            found[f"L{level}"] = size
    return found


def machine() -> dict[str, Any]:
    """Processor, cores, caches and system."""
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
        "caches": caches(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": load,
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that take part."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def record(
    work: Workload,
    keys: Sequence[str],
    measured: Sequence[Measured],
    built: Built | None = None,
    missing: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything measured on one workload, as plain types."""
    over = ratios(list(measured), measured[0])
    return {
        "title": work.title,
        "simulated_s": work.t_stop,
        "built": built and dataclasses.asdict(built),
        "missing": list(missing),
        "expected_rates": dict(work.expected),
        "contenders": [
            {
                "key": key,
                "name": row.name,
                "samples": row.samples,
                "synaptic_events": row.events,
                "cpu_s": row.cpu_s,
                "disturbed": row.disturbed,
                "ms_per_sample": dataclasses.asdict(row.ms_per_sample),
                "events_per_s": row.events_per_s and dataclasses.asdict(row.events_per_s),
                "peak_mib": row.peak_mib,
                "rates": dict(row.rates),
            }
            for key, row in zip(keys, measured, strict=True)
        ],
        "base": keys[0],
        "time_over": {
            key: dataclasses.asdict(over[row.name])
            for key, row in zip(keys[1:], measured[1:], strict=True)
        },
    }


def number(value: float | None) -> str:
    """Three digits or more, without an exponent."""
    if value is None:
        return "-"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def spread(values: Mapping[str, float] | None, scale: float = 1.0) -> str:
    """Least / median / greatest."""
    if values is None:
        return "-"
    return " / ".join(number(values[key] * scale) for key in ("min", "median", "max"))


def _built(built: Mapping[str, float]) -> str:
    return (
        f"{built['synapses'] * 1e-6:.3g} million synapses; CPU seconds to draw the network "
        f"{number(built['drawn_cpu_s'])}, to arrange its synapses "
        f"{number(built['arranged_cpu_s'])}; {number(built['bytes_per_synapse'])} bytes a synapse."
    )


def _rates(kept: Mapping[str, Any]) -> list[str]:
    """Rates that were found beside those that were expected."""
    expected, found = kept["expected_rates"], kept["contenders"][0]["rates"]
    if not expected:
        return []
    return [
        "",
        "| spikes a second of a neuron | " + " | ".join(expected) + " |",
        "|---" * (len(expected) + 1) + "|",
        "| published | " + " | ".join(number(expected[name]) for name in expected) + " |",
        "| this run | " + " | ".join(number(found[name]) for name in expected) + " |",
    ]


def _rounds(row: Mapping[str, Any]) -> str:
    """How many, and how many of them were disturbed."""
    disturbed = row.get("disturbed", 0)
    return f"{len(row['cpu_s'])}{f', {disturbed} disturbed' if disturbed else ''}"


def table(name: str, kept: Mapping[str, Any]) -> str:
    """Markdown table of a record; each cell is least / median / greatest of the rounds."""
    rows = kept["contenders"]
    lines = [
        f"**{name}**: {kept['title']}",
        "",
        "| | samples | rounds | ms/sample | CPU s per simulated s | M synaptic events/s "
        f"| time over {rows[0]['name']} | peak MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        times, memory = row["ms_per_sample"], row["peak_mib"]
        lines.append(
            f"| {row['name']} | {row['samples']} | {_rounds(row)} | {spread(times)} "
            f"| {spread(times, 1e-3 / kept['simulated_s'])} "
            f"| {spread(row['events_per_s'], 1e-6)} | {spread(kept['time_over'].get(row['key']))} "
            f"| {'-' if memory is None else f'{memory:.0f}'} |"
        )
    if kept["built"]:
        lines += ["", _built(kept["built"])]
    lines += _rates(kept)
    if kept["missing"]:
        lines += ["", f"Without {', '.join(kept['missing'])}: not installed."]
    return "\n".join(lines)


def _targets(records: Mapping[str, Any], name: str) -> str:
    said = {True: "reached", False: "missed", None: "not measured"}
    cells = []
    for target, found, reached in verdicts(records, name):
        shown = "" if found is None else f" ({number(found)})"
        cells.append(f"{target}: {said[reached]}{shown}")
    return "; ".join(cells) or "-"


def summary(records: Mapping[str, Any]) -> str:
    """Markdown table with one line for each workload: medians, and what was aimed at."""
    lines = [
        "| | engine | ms/sample | CPU s per simulated s | M synaptic events/s "
        "| time of others over it | peak MiB | target |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, kept in records.items():
        first, *others = kept["contenders"]
        median, events = first["ms_per_sample"]["median"], first["events_per_s"]
        over = "; ".join(
            f"{row['name']} {number(kept['time_over'][row['key']]['median'])}" for row in others
        )
        lines.append(
            f"| {name} | {first['name']} | {number(median)} "
            f"| {number(median * 1e-3 / kept['simulated_s'])} "
            f"| {number(events and events['median'] * 1e-6)} | {over} "
            f"| {number(first['peak_mib'])} | {_targets(records, name)} |"
        )
    return "\n".join(lines)


def write(path: Path, content: Mapping[str, Any], module: str = "benchmarks") -> None:
    """Keep a measurement as JSON, with the machine, the versions and the command."""
    everything = {
        "machine": machine(),
        "versions": versions(),
        "command": " ".join([f"python -m {module}", *sys.argv[1:]]),
        **content,
    }
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
