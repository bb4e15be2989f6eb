"""Neurons of Norse: cells that make one step in a call, and modules that make all of them.

What a module does in a step is told by the function that it calls, ``module.activation``, so that
classes made from Norse's own are known, too. Recurrent ones hold the weights of their input and
of their own spikes. A module starts afresh in every call without a state. Leaky integrators do not
spike and can only be the last layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from eventsim.discrete.frameworks import norse
from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.parameters import spread
from eventsim.load.modules.recognise import Recognised, needed
from eventsim.projections import Shape
from eventsim.step_rule import StepRule

__all__ = ["recognise"]

_LI = ("tau_syn_inv", "tau_mem_inv", "v_leak")
_LIF = (*_LI, "v_th", "v_reset")
_LSNN = (*_LIF, "tau_adapt_inv", "beta")
#: Function of a step -> rule, and Norse's names of the parameters.
STEPS: dict[str, tuple[Callable[..., StepRule], tuple[str, ...]]] = {
    "lif_box_feed_forward_step": (norse.lif_box, ("tau_mem_inv", "v_leak", "v_th", "v_reset")),
    "lif_feed_forward_step": (norse.lif, _LIF),
    "lif_feed_forward_adjoint_step": (norse.lif, _LIF),
    "lif_step": (norse.lif, _LIF),
    "lif_adjoint_step": (norse.lif, _LIF),
    "lsnn_feed_forward_step": (norse.lsnn, _LSNN),
    "lsnn_feed_forward_adjoint_step": (norse.lsnn, _LSNN),
    "lsnn_step": (norse.lsnn, _LSNN),
    "lsnn_adjoint_step": (norse.lsnn, _LSNN),
    "iaf_feed_forward_step": (norse.iaf, ("v_th", "v_reset")),
    "li_feed_forward_step": (norse.li, _LI),
    "li_step": (norse.li, _LI),
    "li_box_feed_forward_step": (norse.li_box, ("tau_mem_inv", "v_leak")),
}
#: Leaky integrators, which give potentials.
READOUTS = (norse.li, norse.li_box)
#: What the steps of other classes would need, by the first word of their name.
NEEDED = {
    "lif_adex": "it has a term that is not linear in the potential: train with LIFCell or LSNNCell",
    "lif_ex": "it has a term that is not linear in the potential: train with LIFCell",
    "lif_refrac": "a step rule has no refractory period: train with LIFCell, and give from_torch "
    "t_ref= in seconds",
    "izhikevich": "it has a term that is not linear in the potential: train with LSNNCell",
}
#: Base class of Norse -> whether it is recurrent, and whether a call makes all steps.
KINDS = {
    "SNNCell": (False, False),
    "SNNRecurrentCell": (True, False),
    "SNN": (False, True),
    "SNNRecurrent": (True, True),
}
#: Surrogates whose spikes are those of the step function ``v > threshold``.
METHODS = ("heaviside", "super", "triangle", "tanh", "circ", "heavi_erfc")


def recognise(module: Any, where: str) -> Recognised | None:
    """The rule of a module of Norse; None where it has no neurons.

    Raises
    ------
    UnsupportedNetwork
        Neurons that eventsim has no rule for, or that differ from those of their class.
    """
    base = _base(module)
    if base is None:
        return None
    recurrent, sequence = KINDS.get(base.__name__, (False, False))
    if type(module).forward is not base.forward:
        raise UnsupportedNetwork(
            f"{where}: forward: expected that of norse's {base.__name__}, got one of its own, "
            "whose steps eventsim does not know"
        )
    step = _step(module, base, where)
    make = STEPS[step][0]
    numbers, words = _parameters(module, where, step)
    if make in (norse.lif, norse.li) and (recurrent or sequence):
        _check_first(numbers["v_leak"], where)

    def rule(shape: Shape) -> StepRule:
        arrays = {name: spread(value, f"p.{name}", shape, where) for name, value in numbers.items()}
        return make(**arrays, **words)

    found = Recognised(rule, sequence=sequence, readout=make in READOUTS)
    if not hasattr(module, "input_weights"):
        return found
    from torch.nn.functional import linear

    found = replace(found, feed=lambda x: linear(x, module.input_weights))
    if not recurrent:
        return found
    return replace(found, recurrent=lambda spikes: linear(spikes, module.recurrent_weights))


def _step(module: Any, base: Any, where: str) -> str:
    """Name of the function that a module calls in each step."""
    if base.__name__ == "LILinearCell":
        return "li_step"
    step = getattr(module.activation, "__name__", repr(module.activation))
    if step not in STEPS or not _norses(module.activation) or not _norses(module.state_fallback):
        raise UnsupportedNetwork(
            f"{where}: activation: expected a function of Norse's among {', '.join(STEPS)} with "
            f"Norse's own first state, got {step}: {needed(_family(step), NEEDED)}"
        )
    return step


def _family(step: str) -> str:
    return next((name for name in NEEDED if step.startswith(name)), step)


def _base(module: Any) -> Any:
    """The class of Norse's that says how a module is called."""
    for kind in type(module).__mro__:
        if kind.__module__ == "norse.torch.module.snn" and kind.__name__ in KINDS:
            return kind
        if kind.__module__ == "norse.torch.module.leaky_integrator" and (
            kind.__name__ == "LILinearCell"
        ):
            return kind
    return None


def _norses(function: Any) -> bool:
    """Whether a function or method is Norse's own."""
    return getattr(function, "__module__", "").split(".")[0] == "norse"


def _parameters(module: Any, where: str, step: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Numbers of the rule, each for one neuron or for some, and its other arguments."""
    make, names = STEPS[step]
    p = module.p
    if make not in READOUTS and p.method not in METHODS:
        raise UnsupportedNetwork(
            f"{where}: p.method: expected one of {', '.join(METHODS)}, got {p.method!r}"
        )
    words: dict[str, Any] = {"dt": float(module.dt)} if "tau_mem_inv" in names else {}
    if make is norse.lif_box:
        name = getattr(p.reset_method, "__name__", repr(p.reset_method))
        if name not in ("reset_value", "reset_subtract") or not _norses(p.reset_method):
            raise UnsupportedNetwork(
                f"{where}: p.reset_method: expected Norse's reset_value or reset_subtract, got "
                f"{name}"
            )
        words["reset"] = name.removeprefix("reset_")
    return {name: _array(getattr(p, name)) for name in names}, words


def _array(value: Any) -> Any:
    """A parameter in its own arithmetic; plain numbers are Python's, in double precision."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.array(float(value))


def _check_first(rest: Any, where: str) -> None:
    """All classes of LIF but the cell make their first potentials in float32."""
    if (rest.astype(np.float32) != rest).any():
        raise UnsupportedNetwork(
            f"{where}: p.v_leak: expected a float32 number, in which the module makes its first "
            f"potentials, got {rest.tolist()!r}"
        )
