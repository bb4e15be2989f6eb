"""Populations as neuron nodes of NIR."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from eventsim.errors import UnsupportedNetwork
from eventsim.load.nir_file import NOTE
from eventsim.load.nir_neurons import NOTED
from eventsim.populations import Population
from eventsim.projections import Shape

__all__ = ["bias_of", "neuron_node"]


def neuron_node(population: Population, shape: Shape, lost: list[str]) -> Any:
    """The node of a population; what NIR has no place for is added to ``lost``."""
    where = f"Population {population.name!r}"

    def each(field: str) -> NDArray[np.float64]:
        return population.array(field).reshape(shape)

    tau, threshold = each("tau_mem"), each("v_threshold")
    silent, leakless = np.isinf(threshold), np.isinf(tau)
    if leakless.any() and not leakless.all():
        raise UnsupportedNetwork(
            f"save_nir: {where}: tau_mem: expected all finite or all inf, as one node of NIR is "
            "LIF or IF, got both"
        )
    if leakless.any() and population.n_receptors:
        raise UnsupportedNetwork(
            f"save_nir: {where}: tau_mem: expected a finite one with tau_syn, as CubaLIF leaks, "
            "got inf"
        )
    metadata = _notes(population, shape, lost)
    options: dict[str, Any] = {"metadata": metadata}
    if not silent.all():
        options.update(v_threshold=threshold, v_reset=each("v_reset"))
    analog = bool(silent.all())
    if population.n_receptors:
        syn = population.receptor_times[0].reshape(shape)
        kind = nir.CubaLI if analog else nir.CubaLIF
        return kind(
            tau_syn=syn, tau_mem=tau, r=each("r"), v_leak=each("v_leak"), w_in=syn, **options
        )
    r = each("r")
    stored = np.ones(shape) if leakless.all() else tau
    if (r != stored).any():
        metadata[f"{NOTE}r"] = r
    if leakless.all():
        return (nir.I if analog else nir.IF)(r=stored, **options)
    return (nir.LI if analog else nir.LIF)(tau=tau, r=stored, v_leak=each("v_leak"), **options)


def bias_of(population: Population) -> NDArray[np.float64]:
    """The constant input of the node that stands for ``i_bias``."""
    bias = population.array("i_bias")
    if population.n_receptors:
        return bias / population.receptor_times[0]
    tau = population.array("tau_mem")
    return bias * population.array("r") / np.where(np.isinf(tau), 1.0, tau)


def _notes(population: Population, shape: Shape, lost: list[str]) -> dict[str, Any]:
    """What NIR does not say about a population; what changes results is ``lost``."""
    where = f"Population {population.name!r}"
    notes: dict[str, Any] = {"fires_at_equality": population.fires_at_equality}
    if shape != population.shape:
        notes["shape"] = np.array(population.shape)
    notes["reset"] = population.reset
    if population.reset == "subtract":
        notes["multi_spike"] = population.multi_spike
        lost.append(f"{where}: reset: expected 'value', as NIR has no other, got 'subtract'")
    if np.any(population.t_ref):
        notes["t_ref"] = _plain(population.t_ref)
        lost.append(
            f"{where}: t_ref: expected 0, as NIR has no refractory period, "
            f"got {population.array('t_ref').max():g} s"
        )
    if population.adapts:
        lost.append(
            f"{where}: adapt_beta, ahp_jump: expected 0, as NIR has no adaptation, got some"
        )
        notes.update(
            (name, _plain(value))
            for name in NOTED
            if name != "v_init" and (value := getattr(population, name)) is not None
        )
    leaky = np.isfinite(population.array("tau_mem"))
    begin = np.where(leaky, population.array("v_leak"), 0.0)
    if (population.array("v_init") != begin).any():
        notes["v_init"] = population.array("v_init")
        lost.append(
            f"{where}: v_init: expected v_leak (0 without leak), as NIR has none, got another"
        )
    return {NOTE + name: value for name, value in notes.items()}


def _plain(value: Any) -> Any:
    return np.array(value) if isinstance(value, np.ndarray) else value
