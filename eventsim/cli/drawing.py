"""Pictures that a second process draws, which loads Matplotlib while this one computes.

Loading Matplotlib and drawing take a second, as long as comparing hundreds of images, and neither
leaves the interpreter to other threads meanwhile.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from eventsim.cli.plot import draw_without_screen

if TYPE_CHECKING:
    from eventsim.recording import Result

__all__ = ["Artist"]

RUN = "run.h5"


class Artist:
    """Context in which a second process gets ready, and draws what it is given.

    Where it cannot, because there is one core alone or no further process can be started, this
    process draws, and tells the errors of drawing.

    Parameters
    ----------
    overwrite : bool
        Whether existing pictures may be replaced.
    """

    def __init__(self, overwrite: bool) -> None:
        self._overwrite = overwrite
        self._process: subprocess.Popen[str] | None = None
        self._given: tuple[Result, list[dict[str, Any]]] | None = None

    def __enter__(self) -> Artist:
        self._folder = tempfile.TemporaryDirectory(prefix="eventsim-")
        if (os.cpu_count() or 1) > 1 and sys.executable:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "eventsim.cli.drawing", self._folder.name],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            except OSError:
                pass
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._folder.cleanup()

    def draw(self, result: Result, pictures: list[dict[str, Any]]) -> None:
        """Begin to draw; see :func:`draw_pictures` for what a picture is."""
        self._given = result, pictures
        if self._process is None or self._process.stdin is None:
            return
        try:
            result.save(Path(self._folder.name) / RUN)
            with self._process.stdin as stream:
                json.dump({"pictures": pictures, "overwrite": self._overwrite}, stream)
        except OSError:  # it has ended
            pass

    def finish(self) -> None:
        """Wait until everything is drawn."""
        if self._process is not None and self._process.wait() == 0:
            return
        assert self._given is not None
        draw_pictures(*self._given, self._overwrite)


def draw_pictures(result: Result, pictures: list[dict[str, Any]], overwrite: bool) -> None:
    """Draw some pictures of one run.

    Each has its file as ``out``, the name of a function of :mod:`eventsim.plot` as ``what``, and
    the arguments of this function after the result as ``options``, of plain types.
    """
    draw_without_screen()
    from eventsim import plot

    for picture in pictures:
        axes = getattr(plot, picture["what"])(result, **picture["options"])
        plot.save(axes, picture["out"], overwrite=overwrite)


def _main(folder: str) -> None:
    """The second process: get ready, wait for the order, draw."""
    draw_without_screen()
    from eventsim import plot
    from eventsim.load import load_result
    from eventsim.recording import Result

    # A first picture, for nobody, loads what Matplotlib loads only when it draws.
    plot.save(plot.accuracy_bars(["ready"], [0.5], [0.4], [0.6]), os.path.join(folder, "ready.png"))
    order = json.load(sys.stdin)
    run = load_result(os.path.join(folder, RUN))
    assert isinstance(run, Result)  # the first process wrote one
    draw_pictures(run, **order)


if __name__ == "__main__":
    _main(sys.argv[1])
    gc.freeze()  # as in eventsim.cli: nothing is left to collect for
