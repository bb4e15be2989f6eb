"""Scales, ticks and numbers of the figures that the page draws as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Frame", "Scale", "Tick", "decimals", "nice_ticks", "path"]


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in units of the drawing, and what is written there."""

    at: float
    text: str


@dataclass(frozen=True)
class Frame:
    """A chart without what is drawn in it: its size, the edges of its axes, their ticks."""

    title: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]


@dataclass(frozen=True)
class Scale:
    """Values from ``low`` to ``high`` on a line from ``start`` to ``stop``.

    >>> scale = Scale(0.0, 4.0, 100.0, 300.0)
    >>> scale(1.0)
    150.0
    >>> [tick.text for tick in scale.ticks(4)]
    ['0', '1', '2', '3', '4']
    """

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low)
        return round(self.start + part * (self.stop - self.start), 2)

    def ticks(self, most: int, factor: float = 1.0) -> tuple[Tick, ...]:
        """At most about so many ticks; what is written is the value times ``factor``."""
        values = nice_ticks(factor * self.low, factor * self.high, most)
        return tuple(Tick(self(v / factor), text) for v, text in values)


def nice_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Round values between two others, one, two or five times a power of ten apart.

    >>> [text for _, text in nice_ticks(-0.2, 1.3, 4)]
    ['0.0', '0.5', '1.0']
    """
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(k * step, f"{k * step:.{digits}f}") for k in range(first, last + 1)]


def decimals(value: float) -> str:
    """A coordinate with two decimals at most.

    >>> decimals(1.5), decimals(2.0), decimals(-0.001)
    ('1.5', '2', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def path(points: Iterable[Any]) -> str:
    """A polyline through points (x, y), as the attribute ``d`` of a path.

    >>> path([(0, 1), (2.5, 3)])
    'M0 1L2.5 3'
    """
    text = "L".join(f"{decimals(x)} {decimals(y)}" for x, y in points)
    return f"M{text}" if text else ""
