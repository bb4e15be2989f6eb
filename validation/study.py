"""What a study is, and how it keeps its tables and figures."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eventsim import plot

__all__ = ["Check", "Context", "Study", "generator", "moments", "points"]


@dataclass(frozen=True)
class Check:
    """One threshold of a claim: what was asked, what was found."""

    what: str
    threshold: str
    measured: str
    holds: bool


@dataclass(frozen=True)
class Study:
    """A claim and the run that tests it.

    Attributes
    ----------
    name : str
        Name on the command line and of its files.
    claim : str
        One sentence that can be false.
    run : callable
        Takes a :class:`Context`, returns the checks; the claim holds when all of them do.
    """

    name: str
    claim: str
    run: Callable[[Context], list[Check]]


@dataclass
class Context:
    """Where a study writes, how large it runs, and whom it tells how far it is."""

    name: str
    folder: Path
    quick: bool = False
    progress: Callable[[int, int], None] = lambda done, total: None
    files: list[Path] = field(default_factory=list)
    workers: int | None = None
    scheduler: str | None = None
    shards: Path | None = None

    def how(self, part: str) -> dict[str, Any]:
        """How a comparison of the study runs, as arguments of ``eventsim.validate`` and its like.

        ``part`` names it among those of the study, for its folder of finished shards.
        """
        out = None if self.shards is None else self.shards / f"{self.name}-{part}"
        return {"workers": self.workers, "scheduler": self.scheduler, "out": out}

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[Any]], suffix: str = ""
    ) -> None:
        """Write ``NAME[-suffix].csv``."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(value) for value in row] for row in rows)
        self.text(text.getvalue(), f"{suffix}.csv")

    def text(self, content: str, ending: str = ".txt") -> None:
        """Write a text file whole: under a temporary name, then renamed."""
        path = self._path(ending)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(content, encoding="utf-8")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def figure(self, axes: Any, suffix: str = "") -> None:
        """Write the figure of some Axes as ``NAME[-suffix].png`` and close it."""
        from matplotlib import pyplot

        path = self._path(f"{suffix}.png")
        plot.save(axes, path, overwrite=True)
        pyplot.close(np.asarray(axes, dtype=object).flat[0].figure)

    def _path(self, ending: str) -> Path:
        path = self.folder / f"{self.name}{ending}"
        if path not in self.files:
            self.files.append(path)
        return path


def generator(*seed: int) -> np.random.Generator:
    """A generator with a fixed algorithm, so that a seed means the same draws everywhere."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def moments(values: Any) -> tuple[float, float]:
    """Mean and its standard error."""
    array = np.asarray(values, dtype=np.float64)
    return float(array.mean()), float(array.std(ddof=1) / np.sqrt(array.size))


def points(value: float, low: float, high: float) -> str:
    """A share in points with its interval.

    >>> points(0.012, -0.0001, 0.03)
    '1.2 [0.0, 3.0]'
    """
    return f"{100 * value:z.1f} [{100 * low:z.1f}, {100 * high:z.1f}]"


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
