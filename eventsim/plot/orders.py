"""Pictures of a run as they are ordered, in this process or by ``python -m eventsim.plot.orders``.

The program gets ready, that is, it loads Matplotlib, reads an order as JSON from its standard input
and draws it. It collects no garbage, for it ends before that would be worth its time.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
from typing import Any

from eventsim import plot
from eventsim.load import load_result
from eventsim.recording import Result

__all__ = ["draw"]


def draw(result: Result, pictures: list[dict[str, Any]], overwrite: bool) -> None:
    """Draw some pictures of one run.

    Each has its file as ``out``, the name of a function of :mod:`eventsim.plot` as ``what``, and
    the arguments of this function after the result as ``options``, of plain types.
    """
    for picture in pictures:
        axes = getattr(plot, picture["what"])(result, **picture["options"])
        plot.save(axes, picture["out"], overwrite=overwrite)


def _main() -> None:
    """Wait for an order: the file of a run, and the other arguments of :func:`draw`."""
    gc.disable()
    importlib.import_module("matplotlib.pyplot")  # the rest is loaded with this module
    order = json.load(sys.stdin)
    run = load_result(order.pop("run"))
    assert isinstance(run, Result)  # the first process wrote one
    draw(run, **order)
    gc.freeze()


if __name__ == "__main__":
    _main()
