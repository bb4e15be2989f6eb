"""Neurons of snnTorch 1.0.0: Leaky, Synaptic, RLeaky and RSynaptic; one step in a call.

A module does what it was built to do: the reset of its next step is the one of its construction,
whatever ``reset_mechanism`` has been set or loaded later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.discrete.frameworks import snntorch as rules
from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.parameters import spread
from eventsim.load.modules.recognise import Recognised, needed
from eventsim.projections import Shape
from eventsim.step_rule import StepRule

__all__ = ["recognise"]

#: Class -> its rule, and the names of its decay factors in the order of the rule's arguments.
CLASSES: dict[str, tuple[Callable[..., StepRule], tuple[str, ...]]] = {
    "Leaky": (rules.leaky, ("beta",)),
    "RLeaky": (rules.rleaky, ("beta",)),
    "Synaptic": (rules.synaptic, ("alpha", "beta")),
    "RSynaptic": (rules.rsynaptic, ("alpha", "beta")),
}
#: Method that makes the step -> reset_mechanism, in the order of ``reset_mechanism_val``.
MECHANISMS = {"_base_sub": "subtract", "_base_zero": "zero", "_base_int": "none"}
#: What other classes would need.
NEEDED = {
    "Alpha": "it has two currents for a neuron and a step rule has one: train with Synaptic",
    "Lapicque": "it is Leaky with beta = 1 - time_step / (R C) and weights times time_step / C: "
    "put that in its place",
    "SConv2dLSTM": "its gates have no neuron in continuous time: train with RSynaptic",
    "SLSTM": "its gates have no neuron in continuous time: train with RSynaptic",
}
#: Distances from the threshold at which a spike function is tried.
PROBES = (-2.0, -1.0, -0.1, -1e-6, 0.0, 1e-6, 0.1, 1.0, 2.0)


def recognise(module: Any, where: str) -> Recognised | None:
    """The rule of a module of snnTorch; None where it has no neurons of its own."""
    home = next(
        (k for k in type(module).__mro__ if k.__module__.startswith("snntorch._neurons")), None
    )
    if home is None:
        return None
    if home.__name__ not in CLASSES:
        raise UnsupportedNetwork(
            f"{where}: type: expected one of {', '.join(CLASSES)}, whose steps eventsim knows, got "
            f"{home.__name__}: {needed(home.__name__, NEEDED)}"
        )
    if type(module).forward is not home.forward:  # type: ignore[attr-defined]
        raise UnsupportedNetwork(
            f"{where}: forward: expected the one of {home.__name__}, got one of its own"
        )
    make, rates = CLASSES[home.__name__]
    _check_options(module, where)
    numbers = {name: _numbers(module, name, where) for name in (*rates, "threshold")}
    if (numbers["threshold"] < 0).any():
        raise UnsupportedNetwork(
            f"{where}: threshold: expected numbers >= 0, as a neuron at rest would be reset before "
            f"it has spiked, got {numbers['threshold'].min():g}"
        )
    options = {
        "reset_mechanism": _mechanism(module, home.__name__, where),
        "reset_delay": bool(module.reset_delay),
    }

    def rule(shape: Shape) -> StepRule:
        arrays = {name: spread(array, name, shape, where) for name, array in numbers.items()}
        return make(*(arrays[name] for name in rates), arrays["threshold"], **options)

    recurrent = getattr(module, "recurrent", None)
    if recurrent is not None and not module.all_to_all:
        _numbers(recurrent, "V", where)
    return Recognised(
        rule,
        recurrent=recurrent,
        amplitude=_amplitude(module, where),
        potential=(lambda: module.mem) if options["reset_mechanism"] == "none" else None,
        reset=module.reset_mem,
    )


def _check_options(module: Any, where: str) -> None:
    """Refuse what is no rule of single neurons."""
    if module.state_quant:
        raise UnsupportedNetwork(
            f"{where}: state_quant: expected none, as membranes are real numbers, got "
            f"{module.state_quant!r}: train without it"
        )
    if module.inhibition:
        raise UnsupportedNetwork(
            f"{where}: inhibition: expected False, as neurons fire independently of each other, "
            "got True: train without it"
        )
    import torch

    at = torch.tensor(PROBES)
    with torch.no_grad():
        found = [module.spike_grad(at.clone()) for _ in range(2)]
    if not all(torch.equal(spikes.to(at.dtype), (at > 0).to(at.dtype)) for spikes in found):
        raise UnsupportedNetwork(
            f"{where}: spike_grad: expected a function that gives 1 above 0 and else 0, got "
            f"{found[0].tolist()} at {list(PROBES)}: smooth or random spikes have no counterpart"
        )


def _mechanism(module: Any, kind: str, where: str) -> str:
    """What the step's method does; a reset in the same step reads the module's buffer besides."""
    name = getattr(module.state_function, "__name__", repr(module.state_function))
    if name not in MECHANISMS:
        raise UnsupportedNetwork(
            f"{where}: state_function: expected one of {list(MECHANISMS)}, got {name}"
        )
    late, now = MECHANISMS[name], list(MECHANISMS.values())[int(module.reset_mechanism_val)]
    if late != now and not module.reset_delay and kind != "RSynaptic":
        raise UnsupportedNetwork(
            f"{where}: reset_mechanism: expected {late!r}, which it was built with and which acts "
            f"in the next step, got {now!r}, set later, which acts in the step of the spike: "
            "build the module with the one that is meant"
        )
    return late


def _numbers(module: Any, name: str, where: str) -> NDArray[np.float64]:
    """A parameter, in the precision with which the module uses it."""
    import torch

    tensor = getattr(module, name).detach().cpu()
    array = np.asarray(tensor.double().numpy())
    home = getattr(module, "graded_spikes_factor", tensor).dtype
    if tensor.dim() and tensor.dtype != home:
        raise UnsupportedNetwork(
            f"{where}: {name}: expected {home}, as the module's other numbers, got {tensor.dtype}, "
            f"with which torch makes its membranes: convert {name}"
        )
    if tensor.dtype == torch.float64 and name in ("threshold", "V") and tensor.dim() == 0:
        # The package's spikes are float32, and a product with a single number stays so.
        if float(np.float32(array)) != float(array):
            raise UnsupportedNetwork(
                f"{where}: {name}: expected a float32 number, as snnTorch rounds it so where a "
                f"spike multiplies it and takes it in full elsewhere, got {float(array)!r}: set "
                f"{name} to its float32 value"
            )
    return array


def _amplitude(module: Any, where: str) -> float:
    """What stands for a spike."""
    factor = np.unique(module.graded_spikes_factor.detach().cpu().double().numpy())
    if factor.size != 1 or not np.isfinite(factor[0]) or factor[0] == 0.0:
        raise UnsupportedNetwork(
            f"{where}: graded_spikes_factor: expected one number other than 0, which goes into the "
            f"weights behind the neurons, got {factor.tolist()}"
        )
    return float(factor[0])
