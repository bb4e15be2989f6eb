"""Neurons of a described layer: from training parameters to those of a Population.

Training counts time in steps and charge per step; a Population has seconds and currents. With
``tau`` in steps, ``tau_mem = tau dt``. A bias ``b`` is a charge in every step, and the constant
current that brings it is ``i_bias = tau_mem b / (r dt)`` (``b / (r dt)`` without leak).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from eventsim import checks
from eventsim.errors import FileError
from eventsim.load.architecture import FLAGS, NEURONS, NUMBERS, Architecture, Layer
from eventsim.load.tensors import Tensors
from eventsim.populations import Population

__all__ = ["Neurons"]

_REFRACTORY = ("coarse", "coarse_drop", "constant_potential")


class Neurons:
    """Makes the populations of a description.

    Parameters
    ----------
    architecture : Architecture
        Gives the step and the defaults of all layers.
    tensors : Tensors
        For parameters that were trained.
    note : callable
        Takes each assumption, as a sentence.
    """

    def __init__(
        self, architecture: Architecture, tensors: Tensors, note: Callable[[str], None]
    ) -> None:
        self._common = architecture.neuron
        self._dt = architecture.discretization.dt
        self._tensors, self._note = tensors, note
        #: Update rule of each population made so far.
        self.rules: dict[str, str] = {}

    def population(self, layer: Layer, shape: tuple[int, ...]) -> Population:
        """The neurons of one layer, arranged in ``shape``."""
        own, common = layer.values, dict(self._common)
        for key, other in (("tau", "tau_mem"), ("tau_mem", "tau")):
            if key in own:
                common.pop(other, None)
        values = {**common, **own}
        rule = NEURONS[values.get("neuron", "coarse_lif")]
        self.rules[layer.name] = rule
        given: dict[str, Any] = {
            key: self._parameter(layer, values[key], shape) for key in NUMBERS if key in values
        }
        given.update({key: values[key] for key in FLAGS if key in values})
        given["tau_mem"] = self._tau_mem(layer, rule, values, shape)
        if "v_leak" in given:
            given.setdefault("v_reset", given["v_leak"])
        if rule in _REFRACTORY and "t_ref" not in given:
            given["t_ref"] = self._dt
            self._note("t_ref is one step (dt), as no other is given")
        if rule == "constant_potential" and "r" not in given:
            given["r"] = self._constant_potential_gain(given["tau_mem"])
        if "bias" in own:
            if "i_bias" in given:
                raise self._refuse(layer, "i_bias", "bias or i_bias", "both")
            given["i_bias"] = self._current(layer, given, shape)
        return Population(layer.name, shape, **given)

    def _refuse(self, layer: Layer, key: str, expected: str, got: str) -> FileError:
        where = f"{self._tensors.file}: {layer.where}"
        return FileError(f"{where}: {key}: expected {expected}, got {got}")

    def _parameter(self, layer: Layer, value: Any, shape: tuple[int, ...]) -> Any:
        return self._tensors.per_unit(layer, value, shape) if isinstance(value, str) else value

    def _tau_mem(
        self, layer: Layer, rule: str, values: Mapping[str, Any], shape: tuple[int, ...]
    ) -> Any:
        if rule == "if":
            for key in ("tau", "tau_mem"):
                if key in layer.values:
                    raise self._refuse(
                        layer, key, "none for neuron 'if', which has no leak", repr(values[key])
                    )
            return math.inf
        if "tau_mem" in values:
            return self._parameter(layer, values["tau_mem"], shape)
        if "tau" not in values:
            raise self._refuse(layer, "tau", "tau (steps) or tau_mem (seconds)", "neither")
        self._note("tau is in steps: tau_mem = tau dt")
        tau = self._parameter(layer, values["tau"], shape)
        return checks.real_array(layer.where, "tau", tau).astype(np.float64) * self._dt

    def _constant_potential_gain(self, tau_mem: Any) -> Any:
        # Imported here because it brings the compiler with it.
        from eventsim.discrete.theory import coefficients

        tau = np.asarray(tau_mem) / self._dt
        self._note(
            "r = tau / c under the rule constant_potential: a current of 1 has the mean "
            "potential 1 in the step after a spike"
        )
        return tau / coefficients(tau).c

    def _current(self, layer: Layer, given: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
        """The constant current that brings the charge of the bias in every step."""
        name = layer.values["bias"]
        bias = self._tensors.get(layer, name).astype(np.float64)
        if bias.shape != (shape[0],):
            raise self._tensors.wrong(layer, name, f"({shape[0]},) [out]", bias)
        charge = np.repeat(bias, prod(shape) // shape[0])
        r, tau_mem = np.asarray(given.get("r", 1.0)), np.asarray(given["tau_mem"])
        self._note("a bias b is the constant current tau_mem b / (r dt), the same charge per step")
        return np.where(np.isinf(tau_mem), 1.0, tau_mem) * charge / (r * self._dt)
