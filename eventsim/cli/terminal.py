"""What people see: tables on stdout, progress and compile time on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

__all__ = ["Work", "headline", "line", "table", "wrote"]

#: Columns where the output is no terminal, so that tables in files are not folded.
WIDE = 160

#: Work is long from so many seconds on, compiling left out.
LONG = 1.0


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def line(text: str = "", stderr: bool = False, style: str | None = None) -> None:
    """One paragraph of plain text."""
    _console(stderr).print(text, style=style)


def headline(text: str) -> None:
    """A short heading with an empty line above."""
    _console().print(f"\n{text}", style="bold")


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()
) -> None:
    """A table; the columns ``numbers`` are aligned to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    drawn = Table(
        box=SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True, header_style="bold"
    )
    for k, name in enumerate(columns):
        drawn.add_column(name, justify="right" if k in numbers else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    _console().print(drawn)


def wrote(paths: Sequence[Path], what: str = "") -> None:
    """The last line of a command: what is where."""
    _console().print(
        f"\nwrote {', '.join(map(str, paths))}{f' ({what})' if what else ''}", soft_wrap=True
    )


class Work:
    """Something that may take long: says once that it compiles, and shows progress with an ETA.

    Both go to stderr; the bar only to a terminal, only when there is something to wait for, and
    with the time of compiling left out of its estimate. Calling the object with (done, total)
    reports progress.
    """

    def __init__(self, title: str) -> None:
        from eventsim.jit import CompileWatch

        self.title = title
        self.watch = CompileWatch(self._announce)
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Work:
        self._began = time.perf_counter()
        self.watch.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.watch.__exit__(kind, error, trace)
        if self._bar is not None:
            self._bar.stop()

    @property
    def seconds(self) -> float:
        """Time since the beginning, compiling left out."""
        return time.perf_counter() - self._began - self.watch.seconds

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None:
            if done >= total or self.seconds < LONG or not sys.stderr.isatty():
                return
            self._start(total)
        left = self.seconds / max(done, 1) * (total - done)
        self._bar.update(self._task, completed=done, total=total, left=_clock(left))

    def _start(self, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]} left"),
            console=_console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(self.title, total=total, left="")
        self._bar.start()

    def _announce(self) -> None:
        from eventsim.jit import cache_folder

        line(f"compiling once, some seconds (kept in {cache_folder().parent}) ...", stderr=True)


def _clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> _clock(75.2), _clock(3800)
    ('1:15', '1:03:20')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
