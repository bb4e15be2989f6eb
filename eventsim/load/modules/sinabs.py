"""Neurons of sinabs: a call makes all steps of inputs [sample, step, ...], or both in one axis.

Layers keep their state between calls, so that it is forgotten before the run. ExpLeak does not
spike and can only be the last layer. What else is in the package (Repeat, SumPool2d, Merge and
others) is followed as torch's functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eventsim.discrete.frameworks import sinabs
from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.parameters import float32_array, single, spread
from eventsim.load.modules.recognise import Recognised, needed
from eventsim.projections import Shape
from eventsim.step_rule import StepRule

__all__ = ["recognise"]

#: Class -> rule, and the time constants that it has besides that of the current.
KINDS: dict[str, tuple[Callable[..., StepRule], tuple[str, ...]]] = {
    "IAF": (sinabs.iaf, ()),
    "LIF": (sinabs.lif, ("mem",)),
    "ALIF": (sinabs.alif, ("mem", "adapt")),
    "ExpLeak": (sinabs.exp_leak, ("mem",)),
}
#: What makes a step, which a class made from a layer must not change.
METHODS = ("forward", "alpha_mem_calculated", "alpha_syn_calculated", "alpha_adapt_calculated")
_LAYERS = ("sinabs.layers.iaf", "sinabs.layers.lif", "sinabs.layers.alif", "sinabs.layers.exp_leak")
_ACTIVATION = "sinabs.activation."


def recognise(module: Any, where: str) -> Recognised | None:
    """The rule of a layer; None where a module has no neurons.

    Raises
    ------
    UnsupportedNetwork
        Neurons that eventsim has no rule for, or that differ from those of their class.
    """
    home = next((kind for kind in type(module).__mro__ if kind.__module__ in _LAYERS), None)
    if home is None:
        return None
    kind = home.__name__.removesuffix("Squeeze").removesuffix("Recurrent")
    if kind not in KINDS:
        raise UnsupportedNetwork(
            f"{where}: type: expected a layer of sinabs among {', '.join(KINDS)}, got "
            f"{home.__name__}: {needed(home.__name__, {})}"
        )
    for name in METHODS:
        if getattr(type(module), name, None) is not getattr(home, name, None):
            raise UnsupportedNetwork(
                f"{where}: {name}: expected that of {home.__name__}, got one of its own, whose "
                "steps eventsim does not know"
            )
    numbers, words = _parameters(module, kind, where)

    def rule(shape: Shape) -> StepRule:
        arrays = {name: spread(array, name, shape, where) for name, array in numbers.items()}
        return KINDS[kind][0](**arrays, **words)

    squeezed = home.__name__.endswith("Squeeze")
    steps, samples = (module.num_timesteps, module.batch_size) if squeezed else (0, 0)
    return Recognised(
        rule,
        sequence=True,
        time_axis=1,
        squeezed_steps=steps if steps > 0 else None,
        squeezed_samples=samples if samples > 0 and steps <= 0 else None,
        feed=lambda x: single(x, where),
        recurrent=_recurrence(module) if hasattr(module, "rec_connect") else None,
        readout=kind == "ExpLeak",
        reset=lambda: _forget(module),
    )


def _parameters(module: Any, kind: str, where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Numbers of the rule, each for one neuron or for some, and its other arguments."""
    given: dict[str, Any] = {
        f"alpha_{name}": getattr(module, f"alpha_{name}_calculated") for name in KINDS[kind][1]
    }
    given["min_v_mem"] = module.min_v_mem
    words: dict[str, Any] = {}
    if kind != "IAF":
        words["norm_input"] = bool(module.norm_input)
    if kind != "ExpLeak":
        given["alpha_syn"] = module.alpha_syn_calculated
        given["spike_threshold"] = module.b0 if kind == "ALIF" else module.spike_threshold
        words["max_spikes"] = _most(module.spike_fn, where)
        words |= _reset(module.reset_fn, where)
    elif module.min_v_mem is not None:
        raise UnsupportedNetwork(
            f"{where}: min_v_mem: expected none, as the layer gives its potentials before it "
            f"lifts them, got {float(module.min_v_mem):g}"
        )
    if kind == "ALIF":
        given["adapt_scale"] = module.adapt_scale
    for name, value in given.items():
        if name.startswith("alpha") and value is not None and value.dtype.itemsize != 4:
            raise UnsupportedNetwork(
                f"{where}: {name}: expected float32, as the package's spikes are, got "
                f"{str(value.dtype).removeprefix('torch.')}: call float() on the module"
            )
    known = {name: value for name, value in given.items() if value is not None}
    return {name: float32_array(value, name, where) for name, value in known.items()}, words


def _most(function: Any, where: str) -> int | None:
    """Most spikes of a neuron in a step."""
    kind = function if isinstance(function, type) else type(function)
    if kind.__module__ == _ACTIVATION + "spike_generation":
        if kind.__name__ == "SingleSpike":
            return 1
        if kind.__name__ == "MultiSpike":
            return None
        if kind.__name__ == "MaxSpike" and not isinstance(function, type):
            most: int | None = function.max_num_spikes_per_bin
            return most
    raise UnsupportedNetwork(
        f"{where}: spike_fn: expected MultiSpike, SingleSpike or MaxSpike(...) of sinabs, got "
        f"{getattr(function, '__name__', kind.__name__)}"
    )


def _reset(function: Any, where: str) -> dict[str, Any]:
    kind = type(function)
    if kind.__module__ == _ACTIVATION + "reset_mechanism":
        if kind.__name__ == "MembraneSubtract":
            amount = function.subtract_value
            return {
                "reset": "subtract",
                "subtract_value": None if amount is None else float(amount),
            }
        if kind.__name__ == "MembraneReset":
            if float(function.reset_value):
                raise UnsupportedNetwork(
                    f"{where}: reset_fn.reset_value: expected 0, as sinabs adds the value to all "
                    f"neurons in every step, spikes or not, got {function.reset_value}"
                )
            return {"reset": "value"}
    raise UnsupportedNetwork(
        f"{where}: reset_fn: expected MembraneSubtract(...) or MembraneReset() of sinabs, got "
        f"{getattr(function, '__name__', kind.__name__)}"
    )


def _recurrence(module: Any) -> Callable[[Any], Any]:
    """What comes back, a step at a time as in the layer."""
    import torch

    def back(spikes: Any) -> Any:
        steps = [module.rec_connect(part).reshape(part.shape) for part in spikes.unbind(1)]
        return torch.stack(steps, 1)

    return back


def _forget(module: Any) -> None:
    """Back to states without a shape, as before the first call."""
    for name, buffer in list(module.named_buffers(recurse=False)):
        module.register_buffer(name, buffer.new_zeros(0))
