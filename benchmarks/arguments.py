"""Options that all commands of this folder share."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["add_json", "check_json", "positive"]


def add_json(parser: argparse.ArgumentParser) -> None:
    """Where to keep what was measured."""
    parser.add_argument("--json", type=Path, help="keep everything in this file")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")


def check_json(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> None:
    """Refuse, before anything is measured, a file that could not be written."""
    if chosen.json and chosen.json.exists() and not chosen.overwrite:
        parser.error(f"--json: {chosen.json} exists; add --overwrite to replace it")
    if chosen.json and not chosen.json.parent.is_dir():
        parser.error(f"--json: there is no folder {chosen.json.parent}")


def positive(text: str) -> int:
    """A whole number above zero."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {value}")
    return value
