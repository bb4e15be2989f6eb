"""Writes what was measured into the page: ``python -m benchmarks.page [FOLDER]``.

Each part of `docs/performance.md` between ``<!-- measured: NAME -->`` and ``<!-- end -->`` is made
from a JSON file of the folder (default `docs/performance`); nothing there is written by hand.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import conv_layers, cores, exactness, growth, latency, report, shares, variants

__all__ = ["FOLDER", "PAGE", "filled", "main", "read"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
FOLDER = PAGE.with_suffix("")
FIGURE = "images/performance_growth.png"
_PART = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Content = Mapping[str, Any]


class _Section(NamedTuple):
    file: str
    text: Callable[[Content], str]


def _conditions(content: Content) -> str:
    """Where and how it was measured."""
    machine, load = content["machine"], content["machine"]["load"]
    sizes = ", ".join(f"{level} {size}" for level, size in machine["caches"].items())
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores ({sizes}), {machine['system']}; load at "
        f"the end {'not known' if load is None else f'{load:.1f}'}.\n{versions}.\n"
        f"Command: `{content['command']}`."
    )


def _workloads(content: Content) -> str:
    return "\n\n".join(report.table(name, record) for name, record in content["workloads"].items())


def _full(content: Content) -> str:
    return f"{_workloads(content)}\n\n{report.summary(content['workloads'])}"


def _growth(content: Content) -> str:
    return f"![Time of a synaptic event]({FIGURE})\n\n{growth.table(content['series'])}"


def _with_conditions(file: str, text: Callable[[Content], str]) -> _Section:
    return _Section(file, lambda content: f"{_conditions(content)}\n\n{text(content)}")


SECTIONS = {
    "conditions": _Section("speed", _conditions),
    "summary": _Section("speed", lambda content: report.summary(content["workloads"])),
    "workloads": _Section("speed", _workloads),
    "full": _with_conditions("full", _full),
    "convolutions": _with_conditions(
        "convolutions", lambda content: conv_layers.table(content["layers"])
    ),
    "shares": _with_conditions("shares", lambda content: shares.table(content["workloads"])),
    "variants": _with_conditions("variants", lambda content: variants.table(content["workloads"])),
    "exactness": _with_conditions("exactness", lambda content: exactness.table(content["engines"])),
    "cores": _with_conditions("cores", lambda content: cores.table(content["workloads"])),
    "growth": _with_conditions("growth", _growth),
    "latency": _with_conditions("latency", lambda content: latency.table(content["commands"])),
}


def read(folder: Path) -> dict[str, Content]:
    """The kept measurements of a folder, by the names of their files."""
    names = sorted({section.file for section in SECTIONS.values()})
    files = {name: folder / f"{name}.json" for name in names}
    return {
        name: json.loads(file.read_text(encoding="utf-8"))
        for name, file in files.items()
        if file.exists()
    }


def filled(page: str, kept: Mapping[str, Content]) -> str:
    """The page with every part made anew; one that was not measured says so."""

    def part(match: re.Match[str]) -> str:
        section = SECTIONS[match[2]]
        text = "Not measured yet."
        if section.file in kept:
            text = section.text(kept[section.file])
        return f"{match[1]}\n{text}\n\n{match[3]}"

    return _PART.sub(part, page)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args(arguments)
    kept = read(chosen.folder)
    if not kept:
        parser.error(f"{chosen.folder}: no measurements there")
    text = filled(chosen.page.read_text(encoding="utf-8"), kept)
    chosen.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
