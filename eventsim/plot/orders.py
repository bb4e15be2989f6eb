"""Pictures of a run as they are ordered, in this process or in one of its own."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

from eventsim import plot
from eventsim.load import load_result
from eventsim.recording import Result

__all__ = ["draw", "draw_order"]


def draw(result: Result, pictures: list[dict[str, Any]], overwrite: bool) -> None:
    """Draw some pictures of one run.

    Each has its file as ``out``, the name of a function of :mod:`eventsim.plot` as ``what``, and
    the arguments of this function after the result as ``options``, of plain types.
    """
    for picture in pictures:
        axes = getattr(plot, picture["what"])(result, **picture["options"])
        plot.save(axes, picture["out"], overwrite=overwrite)


def draw_order() -> None:
    """Get ready, and draw as an order on standard input says.

    It is the file of a run and the other arguments of :func:`draw`, as JSON.
    """
    importlib.import_module("matplotlib.pyplot")  # the rest is loaded with this module
    order = json.load(sys.stdin)
    run = load_result(order.pop("run"))
    assert isinstance(run, Result)  # the first process wrote one
    draw(run, **order)
