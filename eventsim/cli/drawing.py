"""Pictures that a second process draws, which loads Matplotlib while this one computes.

Loading Matplotlib and drawing take a second, as long as comparing hundreds of images, and neither
leaves the interpreter to other threads meanwhile.
"""

from __future__ import annotations

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

#: The second process. It collects no garbage, for it ends before that would be worth its time.
PROGRAM = """
import gc
gc.disable()
from eventsim.plot.orders import draw_order
draw_order()
gc.freeze()
"""


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
                draw_without_screen()
                self._process = subprocess.Popen(
                    [sys.executable, "-c", PROGRAM],
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
            run = str(result.save(Path(self._folder.name) / RUN))
            order = {"run": run, "pictures": pictures, "overwrite": self._overwrite}
            with self._process.stdin as stream:
                json.dump(order, stream)
        except OSError:  # it has ended
            pass

    def finish(self) -> None:
        """Wait until everything is drawn."""
        if self._process is not None and self._process.wait() == 0:
            return
        assert self._given is not None
        draw_pictures(*self._given, self._overwrite)


def draw_pictures(result: Result, pictures: list[dict[str, Any]], overwrite: bool) -> None:
    """Draw some pictures of one run; see :func:`eventsim.plot.orders.draw`."""
    draw_without_screen()
    from eventsim.plot.orders import draw

    draw(result, pictures, overwrite)
