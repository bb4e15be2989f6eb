"""Nodes of SpikingJelly: IFNode, LIFNode and ParametricLIFNode, in both step modes.

In step mode ``"s"`` a call makes one step, in mode ``"m"`` all of them, with the steps on the
first axis. A node keeps its potential between calls, so it is reset before the run. Layers that
the package derives from torch's own (``layer.Linear``, ``layer.Conv2d``, containers) are followed
as torch's functions and need no rule.
"""

from __future__ import annotations

from typing import Any

from eventsim.discrete.frameworks import spikingjelly
from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.recognise import Recognised, needed
from eventsim.step_rule import StepRule

__all__ = ["forget", "recognise"]

NODES = ("IFNode", "LIFNode", "ParametricLIFNode")
#: What makes a step, which a class made from a node must not change.
METHODS = (
    "forward", "single_step_forward", "multi_step_forward", "materialize_states", "reset",
    "single_step_functional_forward", "multi_step_functional_forward",
)  # fmt: skip
#: Distances from the threshold at which a surrogate function is tried.
PROBES = (-2.0, -1.0, -0.1, -1e-6, 0.0, 1e-6, 0.1, 1.0, 2.0)
_PACKAGE = "spikingjelly.activation_based"
_CURVED = "it has a term that is not linear in the potential, which no step rule and no LIF has"
#: What other nodes would need.
NEEDED = {
    "CUBALIFNode": "train with LIFNode, or give it a StepRule with a synapse",
    "EIFNode": _CURVED,
    "IzhikevichNode": _CURVED,
    "KLIFNode": "it takes a relu of its potential, which a step rule does not have",
    "NonSpikingIFNode": "put the linear layer last, which becomes a readout that adds up",
    "NonSpikingLIFNode": "put the linear layer last, which becomes a readout that adds up",
    "PSN": "its steps are mixed by weights, as no neuron does that lives in time",
    "QIFNode": _CURVED,
}


def recognise(module: Any, where: str) -> Recognised | None:
    """The rule of a node; None where a module has no neurons.

    Raises
    ------
    UnsupportedNetwork
        Neurons that eventsim has no rule for, or that differ from those of their class.
    """
    home = next((k for k in type(module).__mro__ if k.__module__.startswith(_PACKAGE)), None)
    if home is None or not home.__module__.startswith(f"{_PACKAGE}.neuron"):
        return None
    if home.__name__ not in NODES:
        raise UnsupportedNetwork(
            f"{where}: type: expected a node among {', '.join(NODES)}, got {home.__name__}: "
            + needed(home.__name__, NEEDED)
        )
    for name in METHODS:
        if getattr(type(module), name) is not getattr(home, name):
            raise UnsupportedNetwork(
                f"{where}: {name}: expected that of {home.__name__}, got one of its own, whose "
                "steps eventsim does not know"
            )
    if module._neuron_precision is not None:
        raise UnsupportedNetwork(
            f"{where}: neuron precision: expected that of the input, got "
            f"{module._neuron_precision}: set the layer back to its own precision"
        )
    rule = _rule(module, home.__name__, _fires_at_equality(module, where))
    return Recognised(rule, sequence=module.step_mode == "m", reset=module.reset)


def forget(module: Any) -> None:
    """Reset what containers with recurrence keep."""
    if any(kind.__name__ == "MemoryModule" for kind in type(module).__mro__):
        module.reset()


def _rule(module: Any, kind: str, fires_at_equality: bool) -> StepRule:
    common: dict[str, Any] = {
        "v_threshold": float(module.v_threshold),
        "v_reset": None if module.v_reset is None else float(module.v_reset),
        "fires_at_equality": fires_at_equality,
    }
    if kind == "IFNode":
        return spikingjelly.if_node(**common)
    common["decay_input"] = bool(module.decay_input)
    if kind == "LIFNode":
        return spikingjelly.lif_node(tau=float(module.tau), **common)
    return spikingjelly.parametric_lif_node(q=float(module.w.detach().sigmoid()), **common)


def _fires_at_equality(module: Any, where: str) -> bool:
    """Whether the surrogate function spikes at the threshold; it has to be a step."""
    import torch

    probes = torch.tensor(PROBES)
    with torch.no_grad():
        found = [module.surrogate_function(probes.clone()).to(probes.dtype) for _ in range(2)]
    for at_zero in (True, False):
        step = ((probes > 0) | ((probes == 0) & at_zero)).to(probes.dtype)
        if all(torch.equal(spikes, step) for spikes in found):
            return at_zero
    raise UnsupportedNetwork(
        f"{where}: surrogate_function: expected spikes of 0 below the threshold and 1 above it, "
        f"got {found[0].tolist()} at {list(PROBES)}: set its spiking=True"
    )
