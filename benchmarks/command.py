"""What the commands of this folder share: options, record after record, a table, a JSON file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import report

__all__ = ["Command", "Record", "add_names", "add_repeat", "positive", "say"]

#: What was measured under one name, of JSON types.
Record = Mapping[str, Any]


class Command(NamedTuple):
    """One measurement that ``python -m`` runs."""

    module: str
    about: str | None  # the docstring of the module
    kept: str  # what the JSON file calls the records
    options: Callable[[argparse.ArgumentParser], None]
    measure: Callable[[argparse.Namespace], Iterator[tuple[str, Record]]]
    table: Callable[[Mapping[str, Record]], str]

    def run(self, arguments: Sequence[str] | None) -> tuple[argparse.Namespace, dict[str, Record]]:
        """Measure, print the table, keep the records; returns the options and the records.

        Records are kept one by one: a long run that is stopped has those that were complete.
        """
        parser = argparse.ArgumentParser(prog=f"python -m {self.module}", description=self.about)
        self.options(parser)
        parser.add_argument("--json", type=Path, help="keep everything in this file")
        parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
        chosen = parser.parse_args(arguments)
        _check_file(parser, chosen)
        records: dict[str, Record] = {}
        for name, record in self.measure(chosen):
            records[name] = record
            if chosen.json:
                report.write(chosen.json, {self.kept: records}, self.module)
        print(self.table(records))
        return chosen, records


def _check_file(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> None:
    """Refuse, before anything is measured, a file that could not be written."""
    if chosen.json and chosen.json.exists() and not chosen.overwrite:
        parser.error(f"--json: {chosen.json} exists; add --overwrite to replace it")
    if chosen.json and not chosen.json.parent.is_dir():
        parser.error(f"--json: there is no folder {chosen.json.parent}")


def add_names(
    parser: argparse.ArgumentParser, option: str, choices: Iterable[str], default: Sequence[str]
) -> None:
    """What to measure of what there is."""
    parser.add_argument(
        option, nargs="+", choices=list(choices), default=list(default),
        help=f"default: {', '.join(default)}",
    )  # fmt: skip


def add_repeat(parser: argparse.ArgumentParser, default: int) -> None:
    """How often everything is measured."""
    parser.add_argument(
        "--repeat", type=positive, default=default, help=f"rounds (default {default})"
    )


def positive(text: str) -> int:
    """A whole number above zero."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {value}")
    return value


def say(text: str, end: str = "\n") -> None:
    """Progress, apart from the table."""
    print(text, end=end, file=sys.stderr, flush=True)
