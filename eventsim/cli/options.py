"""Options, units and outputs that several commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from eventsim.errors import FileError

__all__ = [
    "Duration",
    "Neurons",
    "architecture_option",
    "duration_text",
    "new_output",
    "overwrite_option",
    "seed_option",
    "threads_option",
]

#: Seconds in each unit of time.
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}

#: Neurons of one range in an option.
MAX_NEURONS = 1_000_000

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S*)\s*")


class Duration(click.ParamType):
    """A time in seconds: ``0``, ``'10 ms'``, ``50us``; a number above zero needs its unit.

    Examples
    --------
    >>> Duration().convert("10 ms", None, None)
    0.01
    """

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        match = _NUMBER.fullmatch(value)
        expected = "a time with its unit (s, ms, us, ns), such as '10 ms'"
        if match is None:
            self.fail(f"expected {expected}, got {value!r}", param, ctx)
        number, unit = float(match[1]), match[2]
        if unit not in UNITS and not (unit == "" and number == 0.0):
            got = f"unit {unit!r}" if unit else f"{value.strip()!r} without a unit"
            self.fail(f"expected {expected}, got {got}", param, ctx)
        if number < 0.0:
            self.fail(f"expected a time >= 0, got {value!r}", param, ctx)
        # The nearest float64 of the decimal number: 10 ms is 0.01 and not 10 * 0.001.
        power = {"s": 0, "ms": -3, "us": -6, "µs": -6, "ns": -9, "": 0}[unit]
        return float(_shifted(match[1], power))


def _shifted(number: str, power: int) -> str:
    """The decimal number times ten to ``power``, as text."""
    mantissa, _, exponent = number.lower().partition("e")
    return f"{mantissa}e{int(exponent or 0) + power}"


class Neurons(click.ParamType):
    """Neurons of a population: ``out:0,3`` or ``out:0-9``.

    Examples
    --------
    >>> Neurons().convert("out:0,3-5", None, None)
    ('out', [0, 3, 4, 5])
    """

    name = "pop:neurons"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, list[int]]:
        if isinstance(value, tuple):
            return value
        name, colon, listed = value.rpartition(":")
        neurons: list[int] = []
        for part in listed.split(","):
            match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
            if match is None or not colon or not name:
                self.fail(f"expected POPULATION:INDEX,..., got {value!r}", param, ctx)
            first, last = int(match[1]), int(match[2] or match[1])
            if last < first or last - first >= MAX_NEURONS:
                self.fail(
                    f"expected an ascending range of at most {MAX_NEURONS:,} neurons, "
                    f"got {part.strip()!r}",
                    param,
                    ctx,
                )
            neurons += range(first, last + 1)
        return name, neurons


def duration_text(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> duration_text(0.004), duration_text(0.0), duration_text(2.0)
    ('4 ms', '0', '2 s')
    """
    if seconds == 0.0:
        return "0"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.6g} {unit}"
    return f"{seconds:g} s"


def new_output(path: str | os.PathLike[str], overwrite: bool) -> Path:
    """Refuse an output that exists, or whose folder does not, before anything runs."""
    from eventsim.save.files import check_new

    if not overwrite and os.path.isfile(path):
        raise FileError(
            f"{path}: output: expected a new file, got an existing one (--overwrite replaces it)"
        )
    check_new(path, overwrite=True)
    return Path(path)


def different_outputs(*paths: str | None) -> None:
    """Refuse two outputs in one file, before anything runs."""
    named = [os.path.realpath(path) for path in paths if path is not None]
    for path in named:
        if named.count(path) > 1:
            raise FileError(f"{path}: output: expected one file for each output, got it twice")


def overwrite_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--overwrite``."""
    return click.option("--overwrite", is_flag=True, help="Replace output files that exist.")(
        command
    )


def seed_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--seed``."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Seed of the random input spikes and of their times within a step.",
    )(command)


def threads_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--threads``."""
    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        help="Cores to use, default all. Any number gives the same bits.",
    )(command)


def architecture_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--architecture``."""
    return click.option(
        "--architecture",
        type=click.Path(),
        metavar="TOML",
        help="Description of the layers, for a PyTorch state_dict or a safetensors file.",
    )(command)
