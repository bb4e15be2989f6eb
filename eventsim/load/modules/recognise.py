"""Which modules are spiking neurons, found by the names of their classes and packages.

No framework is imported: a module of ``snntorch`` can only exist where snntorch has been imported
already. Each framework has a file here, with a function ``recognise(module, where)``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["FRAMEWORKS", "Recognised", "described", "forget", "needed", "recognised"]

#: Root package of a framework -> what has ``recognise(module, where)`` for its neurons: the name of
#: a module, or a module.
FRAMEWORKS: dict[str, Any] = {
    "norse": "eventsim.load.modules.norse",
    "rockpool": "eventsim.load.modules.rockpool",
    "sinabs": "eventsim.load.modules.sinabs",
    "spikingjelly": "eventsim.load.modules.spikingjelly",
    "snntorch": "eventsim.load.modules.snntorch",
    "spikingtorch": "eventsim.load.modules.spikingtorch",
}


@dataclass(frozen=True)
class Recognised:
    """What is known of a module of neurons.

    Attributes
    ----------
    rule
        The update of one step and its parameters, or a function that makes it for the shape of
        the layer.
    sequence : bool
        Whether one call makes all steps; else it makes one.
    time_axis : int
        Axis of the steps (0 or 1) in a sequence; the other one is that of the samples.
    squeezed_steps, squeezed_samples : int or None
        One of them in a sequence whose first axis holds samples and steps together, the steps of
        a sample next to each other: the number of steps, or that of samples.
    feed : callable or None
        What the module does to its input before its neurons get it, such as weights of its own:
        tensor -> tensor, in torch's functions.
    recurrent : callable or None
        What the neurons get of their spikes of the step before: tensor of spikes -> tensor.
    amplitude : float
        What stands for a spike in the output.
    readout : bool
        Whether the module gives the potentials of neurons that do not spike; nothing may be
        behind it that does.
    potential : callable or None
        The potential after a call, for neurons that are never reset: as a last layer whose
        potentials are returned they are a readout.
    reset : callable or None
        Puts the neurons into the state they have before the first step. None: they start
        afresh in every run, or keep a state that the module itself resets.
    dt : float or None
        Seconds that the module says a step lasts.
    """

    rule: Any
    sequence: bool = False
    time_axis: int = 0
    squeezed_steps: int | None = None
    squeezed_samples: int | None = None
    feed: Callable[[Any], Any] | None = None
    recurrent: Callable[[Any], Any] | None = None
    amplitude: float = 1.0
    readout: bool = False
    potential: Callable[[], Any] | None = None
    reset: Callable[[], None] | None = None
    dt: float | None = None

    @property
    def squeezed(self) -> bool:
        """Whether samples and steps share an axis."""
        return bool(self.squeezed_steps or self.squeezed_samples)

    def steps_in(self, rows: int) -> int:
        """Number of steps in a shared axis of so many entries."""
        return self.squeezed_steps or rows // (self.squeezed_samples or rows)


def recognised(module: Any, where: str) -> Recognised | None:
    """What is known of a module, by its class or one that it is made from; None if nothing."""
    asked = set()
    for kind in type(module).__mro__:
        package = kind.__module__.split(".")[0]
        home = FRAMEWORKS.get(package)
        if home is None or package in asked:
            continue
        asked.add(package)
        known = importlib.import_module(home) if isinstance(home, str) else home
        found: Recognised | None = known.recognise(module, where)
        if found is not None:
            return found
    return None


def forget(module: Any) -> None:
    """Reset what a module of a known framework keeps between calls besides that of neurons.

    A framework's module has ``forget(module)`` for it, or nothing.
    """
    for kind in type(module).__mro__:
        home = FRAMEWORKS.get(kind.__module__.split(".")[0])
        if home is not None:
            known = importlib.import_module(home) if isinstance(home, str) else home
            getattr(known, "forget", lambda module: None)(module)
            return


def needed(kind: str, known: dict[str, str]) -> str:
    """What a class of neurons without a rule would need; ``known`` says it for some."""
    return known.get(
        kind,
        "what is needed is a StepRule that says its step (Neurons of your own, in the page on "
        "modules), or a network trained with one of them",
    )


def described(path: str, module: Any) -> str:
    """How messages name a module: its path and type."""
    kind = type(module)
    return f"{path or 'module'} ({kind.__module__.split('.')[0]}.{kind.__qualname__})"
