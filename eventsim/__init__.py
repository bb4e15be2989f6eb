"""Exact event-driven simulation of spiking neural networks.

The public names are loaded when they are first used, so that ``import eventsim`` is quick and the
compiler is only imported by a program that simulates.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from eventsim import decode, discrete, encode, errors, fidelity, gym, plot
    from eventsim.convolution import Conv2d
    from eventsim.discretization import Discretization
    from eventsim.fidelity.attribution import attribute
    from eventsim.fidelity.compare import validate
    from eventsim.fidelity.forecast import forecast
    from eventsim.fidelity.sweep.run import sweep
    from eventsim.load import load, load_nir, load_result
    from eventsim.load.modules import from_torch
    from eventsim.network import Network
    from eventsim.pooling import AvgPool2d, MaxPool2d, SumPool2d
    from eventsim.populations import Input, Poisson, Population, Relay
    from eventsim.projections import Dense, Sparse
    from eventsim.random_links import Normal, Random
    from eventsim.recording import Result, Results, SpikeTrain
    from eventsim.save import save
    from eventsim.save.nir import save_nir
    from eventsim.session import Session
    from eventsim.simulate import simulate
    from eventsim.stream import simulate_stream

#: Public name -> module that defines it.
_DEFINED_IN = {
    "AvgPool2d": "eventsim.pooling",
    "Conv2d": "eventsim.convolution",
    "Dense": "eventsim.projections",
    "Discretization": "eventsim.discretization",
    "Input": "eventsim.populations",
    "MaxPool2d": "eventsim.pooling",
    "Network": "eventsim.network",
    "Normal": "eventsim.random_links",
    "Poisson": "eventsim.populations",
    "Population": "eventsim.populations",
    "Random": "eventsim.random_links",
    "Relay": "eventsim.populations",
    "Result": "eventsim.recording",
    "Results": "eventsim.recording",
    "Session": "eventsim.session",
    "Sparse": "eventsim.projections",
    "SpikeTrain": "eventsim.recording",
    "SumPool2d": "eventsim.pooling",
    "attribute": "eventsim.fidelity.attribution",
    "forecast": "eventsim.fidelity.forecast",
    "from_torch": "eventsim.load.modules",
    "load": "eventsim.load",
    "load_nir": "eventsim.load",
    "load_result": "eventsim.load",
    "save": "eventsim.save",
    "save_nir": "eventsim.save.nir",
    "simulate": "eventsim.simulate",
    "simulate_stream": "eventsim.stream",
    "sweep": "eventsim.fidelity.sweep.run",
    "validate": "eventsim.fidelity.compare",
}

#: Public modules.
_MODULES = ("decode", "discrete", "encode", "errors", "fidelity", "gym", "plot")

__all__ = [
    "AvgPool2d",
    "Conv2d",
    "Dense",
    "Discretization",
    "Input",
    "MaxPool2d",
    "Network",
    "Normal",
    "Poisson",
    "Population",
    "Random",
    "Relay",
    "Result",
    "Results",
    "Session",
    "Sparse",
    "SpikeTrain",
    "SumPool2d",
    "__version__",
    "attribute",
    "decode",
    "discrete",
    "encode",
    "errors",
    "fidelity",
    "forecast",
    "from_torch",
    "gym",
    "load",
    "load_nir",
    "load_result",
    "plot",
    "save",
    "save_nir",
    "simulate",
    "simulate_stream",
    "sweep",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name in _DEFINED_IN:
        value = getattr(importlib.import_module(_DEFINED_IN[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"eventsim.{name}")
    raise AttributeError(f"module 'eventsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(types.ModuleType):
    """Keeps ``eventsim.simulate``, ``load`` and ``save`` the functions of these names.

    Each of them is defined in a submodule of the same name, and Python binds a submodule to its
    package when anyone first imports it. What the name means would depend on who came first.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _DEFINED_IN and isinstance(value, types.ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
