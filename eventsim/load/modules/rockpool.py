"""Torch modules of Rockpool: LIFTorch, and ExpSynTorch as a last layer.

A call makes all steps of an input [sample, step, neuron]. Modules keep their state between calls,
so that it is reset before the run. LinearTorch and the containers are followed as torch's
functions.
"""

from __future__ import annotations

from typing import Any

from eventsim.discrete.frameworks import rockpool
from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.parameters import float32_array, single, spread
from eventsim.load.modules.recognise import Recognised, needed
from eventsim.projections import Shape
from eventsim.step_rule import StepRule

__all__ = ["recognise"]

_HOME = "rockpool.nn.modules.torch."
#: Modules with neurons that eventsim has no rule for.
_OTHERS = (
    "LIFBaseTorch", "LIFBitshiftTorch", "LIFNeuronTorch", "LowPass", "RateTorch", "UpDownTorch",
    "aLIFTorch", "BooleanState",
)  # fmt: skip
#: What some of them would need.
NEEDED = {
    "LIFBitshiftTorch": "train with LIFTorch, whose leak_mode='bitshifts' is followed",
    "aLIFTorch": "train with LIFTorch, which does not adapt, or give it a StepRule that does",
}


def recognise(module: Any, where: str) -> Recognised | None:
    """The rule of a module; None where it has no neurons.

    Raises
    ------
    UnsupportedNetwork
        Neurons that eventsim has no rule for, or that differ from those of their class.
    """
    for kind in type(module).__mro__:
        if kind.__module__.startswith(_HOME):
            if kind.__name__ in _OTHERS:
                raise UnsupportedNetwork(
                    f"{where}: type: expected LIFTorch, or ExpSynTorch as a last layer, got "
                    f"{kind.__name__}: {needed(kind.__name__, NEEDED)}"
                )
            if kind.__name__ in ("LIFTorch", "ExpSynTorch"):
                return _recognised(module, kind, where)
    return None


def _recognised(module: Any, home: Any, where: str) -> Recognised:
    if type(module).forward is not home.forward:
        raise UnsupportedNetwork(
            f"{where}: forward: expected that of {home.__name__}, got one of its own, whose "
            "steps eventsim does not know"
        )
    if float(module.noise_std):
        raise UnsupportedNetwork(
            f"{where}: noise_std: expected 0, as a twin has no noise, got "
            f"{float(module.noise_std):g}"
        )
    spiking = home.__name__ == "LIFTorch"
    numbers, words = _lif(module, where) if spiking else _exp_syn(module, where)
    make = rockpool.lif if spiking else rockpool.exp_syn

    def rule(shape: Shape) -> StepRule:
        arrays = {name: spread(array, name, shape, where) for name, array in numbers.items()}
        return make(**arrays, **words)

    return Recognised(
        rule,
        sequence=True,
        time_axis=1,
        feed=lambda x: _widened(single(x, where), module.size_in),
        recurrent=_recurrence(module) if spiking and module._has_rec else None,
        readout=not spiking,
        reset=module.reset_state,
        dt=float(module.dt),
    )


def _lif(module: Any, where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Numbers of the rule, each for one neuron or for some, and its other arguments."""
    if module.n_synapses != 1:
        raise UnsupportedNetwork(
            f"{where}: n_synapses: expected 1, as a step rule has one current for a neuron, got "
            f"{module.n_synapses}: give each synapse a layer of its own, or train with one"
        )
    name = getattr(getattr(module.spike_generation_fn, "__self__", None), "__name__", "another")
    if name not in ("StepPWL", "PeriodicExponential"):
        raise UnsupportedNetwork(
            f"{where}: spike_generation_fn: expected StepPWL or PeriodicExponential, got {name}"
        )
    most = float(module.max_spikes_per_dt)
    if most < 1 or most != int(most):
        raise UnsupportedNetwork(
            f"{where}: max_spikes_per_dt: expected a whole number of spikes, got {most:g}"
        )
    values = {name: getattr(module, name) for name in ("alpha", "beta", "bias", "threshold")}
    if values["beta"].dim():
        values["beta"] = values["beta"].reshape(-1)  # one synapse for each neuron, or for all
    numbers = {key: float32_array(value, key, where) for key, value in values.items()}
    return numbers, {"max_spikes_per_dt": int(most), "dt": float(module.dt)}


def _exp_syn(module: Any, where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    import torch

    beta = torch.exp(-module.dt / module.tau)
    return {"beta": float32_array(beta, "tau", where)}, {"dt": float(module.dt)}


def _widened(x: Any, size: int) -> Any:
    """A single channel goes to all neurons."""
    return x.expand(*x.shape[:-1], size) if x.shape[-1] == 1 else x


def _recurrence(module: Any) -> Any:
    from torch.nn.functional import linear

    return lambda spikes: linear(spikes, module.w_rec.T)
