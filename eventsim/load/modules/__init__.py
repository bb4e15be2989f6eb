"""From a live module of a training framework to a network and its discrete twin.

:func:`from_torch` runs a module once on a sample input and follows where every number in it came
from (:mod:`~eventsim.load.modules.trace`), finds what reaches each layer of neurons in every step
(:mod:`~eventsim.load.modules.graph`), makes populations and projections of it
(:mod:`~eventsim.load.modules.build`), and compares the twin's spikes with those of the module
(:mod:`~eventsim.load.modules.verify`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eventsim import checks
from eventsim.errors import InvalidType, MissingExtra

if TYPE_CHECKING:
    from eventsim.discretization import Discretization
    from eventsim.network import Network

__all__ = ["from_torch"]


def from_torch(
    module: Any,
    sample_input: Any,
    *,
    dt: float,
    run: Callable[[Any, Any], Any] | str | int | None = None,
    time_axis: int | None = None,
    batch_axis: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    state_dict: str | None = None,
    decay: str = "exact",
    jump: str = "charge",
    t_ref: float = 0.0,
    reset: str | None = None,
    accept: tuple[str, ...] = (),
    encoder: str | None = None,
    encoder_scale: float = 1.0,
) -> tuple[Network, Discretization]:
    """Make a network of a PyTorch module with spiking neurons.

    The module is run once on ``sample_input``, in evaluation and without gradients; afterwards it
    is as it was. Neurons of known frameworks become populations, what is between them becomes
    projections: linear layers, convolutions, poolings, batch norms, residual sums, recurrence and
    the functions of torch that only move numbers about. The discrete twin is run on the same
    input, and a spike that differs is an error.

    Parameters
    ----------
    module : torch.nn.Module, or callable without arguments that makes one
        The trained module.
    sample_input : tensor or array
        What the module takes, a few samples of it: spikes or analog numbers with an axis of
        steps, or (without one) what it gets in every step.
    dt : float
        Seconds that a step stands for, > 0.
    run : callable, "step", int or None
        How to run the module. None: ``module(sample_input)`` makes all steps. ``"step"``: it
        makes one step and is called for each index of ``time_axis`` (default 0). An int: it makes
        one step and is called so many times with all of ``sample_input``. A callable gets
        (module, sample_input) and makes all steps.
    time_axis, batch_axis : int or None
        Axes of ``sample_input``; None for both: they are found by how the module reads it.
    checkpoint : str, Path or None
        A state_dict (``.pt``, tensors only) or safetensors file to put into the module first; its
        names have to be those of the module.
    state_dict : str or None
        Entry of the checkpoint that holds the tensors.
    decay, jump, t_ref, reset, accept
        Conventions of the continuous neurons, as in
        :class:`eventsim.discrete.counterpart.Options`.
    encoder, encoder_scale
        Of the Discretization. Default: ``"constant"`` where the input has no steps, else
        ``"bernoulli"``.

    Returns
    -------
    (Network, Discretization)
        Populations have the paths of their modules as names. Every assumption is in
        ``Discretization.assumptions()``.

    Raises
    ------
    UnsupportedNetwork
        Something in the module has no counterpart, or the twin's spikes differ; the message
        names module, type, and what would be needed.
    FileError
        The checkpoint is damaged, holds code, or does not fit.
    InvalidValue, InvalidType
        An option is out of range or of the wrong type.
    MissingExtra
        PyTorch is not installed.

    Warns
    -----
    UncomparedWarning
        Nothing spikes on ``sample_input``, so nothing could be compared.

    Examples
    --------
    >>> import torch
    >>> class IF(torch.nn.Module):
    ...     __module__ = "spikingtorch.layers"  # stands for the neurons of this package
    ...     v0 = 1.0
    ...     def forward(self, x, init):
    ...         kept = torch.zeros_like(x) if init else self.v * (self.v <= self.v0)
    ...         self.v = kept + x
    ...         return (self.v > self.v0).float()
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.fc, self.neurons = torch.nn.Linear(3, 2, bias=False), IF()
    ...         torch.nn.init.constant_(self.fc.weight, 0.3)
    ...     def forward(self, x):  # [step, sample, 3]
    ...         return torch.stack([self.neurons(self.fc(x[t]), t == 0) for t in range(len(x))])
    >>> net, disc = from_torch(Net(), torch.ones(5, 1, 3), dt=1e-3)
    >>> net
    Network(input[3] -> neurons[2]; 5 units, 6 synapses)
    >>> disc.notes[-1]
    'comparison with the module: 4 spikes in 5 steps of 1 sample (all equal)'
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch", "torch", "from_torch") from error
    from eventsim.discrete.counterpart import Options
    from eventsim.load.modules.checkpoint import load_checkpoint
    from eventsim.load.modules.convert import converted

    where = "from_torch"
    dt = checks.positive(where, "dt", dt)
    options = Options(decay=decay, jump=jump, t_ref=t_ref, reset=reset, accept=tuple(accept))
    if not isinstance(module, torch.nn.Module) and callable(module):
        module = module()
    if not isinstance(module, torch.nn.Module):
        raise InvalidType(
            f"{where}: module: expected a torch.nn.Module, got {type(module).__name__}"
        )
    if checkpoint is not None:
        load_checkpoint(module, checkpoint, state_dict)
    given: dict[str, Any] = {"encoder_scale": encoder_scale}
    if encoder is not None:
        given["encoder"] = encoder
    return converted(module, sample_input, dt, run, (time_axis, batch_axis), options, given)
