"""Neurons of Norse: cells that make one step in a call, and modules that make all of them.

What a module does in a step is told by the function that it calls, ``module.activation``, so that
classes made from Norse's own are known, too. Recurrent ones hold the weights of their input and
of their own spikes. A module starts afresh in every call without a state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eventsim.discrete.frameworks import norse
from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.parameters import spread
from eventsim.load.modules.recognise import Recognised
from eventsim.projections import Shape
from eventsim.step_rule import StepRule

__all__ = ["recognise"]

_LIF = ("tau_syn_inv", "tau_mem_inv", "v_leak", "v_th", "v_reset")
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
}
#: Leaky integrators, which give potentials.
READOUTS = ("LI", "LICell", "LIBoxCell", "LILinearCell")
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
    for kind in type(module).__mro__:
        if kind.__name__ in READOUTS and _norses(kind):
            raise UnsupportedNetwork(
                f"{where}: type: expected neurons that spike, got a leaky integrator, whose "
                "potential is no spike: hand over the module without it, or with neurons of spikes "
                "in its place"
            )
    if base is None:
        return None
    recurrent, sequence = KINDS[base.__name__]
    if type(module).forward is not base.forward:
        raise UnsupportedNetwork(
            f"{where}: forward: expected that of norse's {base.__name__}, got one of its own, "
            "whose steps eventsim does not know"
        )
    step = getattr(module.activation, "__name__", repr(module.activation))
    if step not in STEPS or not _norses(module.activation) or not _norses(module.state_fallback):
        raise UnsupportedNetwork(
            f"{where}: activation: expected a function of Norse's among {', '.join(STEPS)} with "
            f"Norse's own first state, got {step}"
        )
    numbers, words = _parameters(module, where, step)
    if STEPS[step][0] is norse.lif and (recurrent or sequence):
        _check_first(numbers["v_leak"], where)

    def rule(shape: Shape) -> StepRule:
        arrays = {name: spread(value, f"p.{name}", shape, where) for name, value in numbers.items()}
        return STEPS[step][0](**arrays, **words)

    if not recurrent:
        return Recognised(rule, sequence=sequence)
    from torch.nn.functional import linear

    return Recognised(
        rule,
        sequence=sequence,
        feed=lambda x: linear(x, module.input_weights),
        recurrent=lambda spikes: linear(spikes, module.recurrent_weights),
    )


def _base(module: Any) -> Any:
    """The class of Norse's that says how a module is called."""
    for kind in type(module).__mro__:
        if kind.__module__ == "norse.torch.module.snn" and kind.__name__ in KINDS:
            return kind
    return None


def _norses(function: Any) -> bool:
    """Whether a function or method is Norse's own."""
    return getattr(function, "__module__", "").split(".")[0] == "norse"


def _parameters(module: Any, where: str, step: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Numbers of the rule, each for one neuron or for some, and its other arguments."""
    make, names = STEPS[step]
    p = module.p
    if p.method not in METHODS:
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
