"""Neurons of the package spikingtorch: one step in a call, reset to zero in the next step.

With the spike ``s`` of the step before: CoarseLIF is ``v = (1-s)(a v + b x) + s c x``, LIF with
``tau`` the same with ``c = 0`` and ``b x`` outside the brackets, LIF with ``decay`` and IF are
``v = (1-s) d v + x``, McPitts is ``v = x``. All spike where ``v`` is above the threshold.
"""

from __future__ import annotations

import math
from typing import Any

from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.recognise import Recognised
from eventsim.load.modules.rules import NamedRule
from eventsim.step_rule import StepRule

__all__ = ["recognise"]


def recognise(module: Any, where: str) -> Recognised | None:
    """The rule of a module of spikingtorch; None where it has no neurons."""
    names = [kind.__name__ for kind in type(module).__mro__]
    if "CoarseLIF" in names:
        rule = NamedRule("coarse", tau=float(module.tau), v_threshold=float(module.v0))
    elif "LIF" in names and float(module.b) != 1.0:
        rule = NamedRule("lif", tau=float(module.tau), v_threshold=float(module.v0))
    elif "LIF" in names:
        decay = float(module.a)
        if not 0.0 < decay < 1.0:
            raise UnsupportedNetwork(f"{where}: decay: expected a number in (0, 1), got {decay}")
        return Recognised(
            StepRule(
                "spikingtorch.LIF", leak=decay, v_threshold=float(module.v0), reset_time="next"
            )
        )
    elif "IF" in names:
        rule = NamedRule("if", tau=math.inf, v_threshold=float(module.v0))
    elif "McPitts" in names:
        rule = NamedRule("mcculloch_pitts", tau=1.0, v_threshold=float(module.thr))
    else:
        return None
    return Recognised(rule)
