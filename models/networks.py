"""The six reference networks, built from coarse LIF layers.

==============  ==========================================================================
shallow         linear to the classes, no bias
hidden          linear to H (bias), linear to the classes (no bias)
conv            conv 1-4 5x5 stride 2 padding 2, linear to the classes
conv2           conv 1-4 5x5 stride 2 padding 2, conv 4-6 5x5, linear to the classes
lenet5          conv 1-6 5x5 padding 2, max-pool 2, conv 6-16 5x5, max-pool 2, linear to 120,
                linear to 84, linear to the classes (linears without bias)
lenet5_const    the same behind a layer of neurons under constant potential, fed with the
                analog image
==============  ==========================================================================

Each weight layer is followed by coarse LIF neurons. Max-pooling is an OR over the step.
Source: A. Yanguas-Gil, arXiv:2007.06176, and the sizes of the author's published examples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eventsim.errors import InvalidValue
from models.cell import CoarseLIF
from models.noise import Noise

__all__ = ["NAMES", "SpikingNetwork", "Stage", "build"]

NAMES = ("shallow", "hidden", "conv", "conv2", "lenet5", "lenet5_const")


@dataclass(frozen=True)
class Stage:
    """One population: what carries spikes to it, and its neurons (None for a max-pool).

    ``transform`` None means one-to-one from the input.
    """

    name: str
    shape: tuple[int, ...]
    transform: nn.Module | None
    cell: CoarseLIF | None


class SpikingNetwork(nn.Module):
    """A feed-forward chain of stages that passes spikes on within a step.

    Weight layers are attributes named after their population, so the keys of ``state_dict()``
    read ``conv1.weight``, ``conv1.bias``, ``out.weight``. Use :func:`build`.
    """

    def __init__(
        self, name: str, input_shape: tuple[int, ...], stages: Iterable[Stage], encoder: str
    ) -> None:
        super().__init__()
        self.name = name
        self.input_shape = tuple(input_shape)
        self.encoder = encoder
        self.stages = tuple(stages)
        self.cells = nn.ModuleDict({s.name: s.cell for s in self.stages if s.cell is not None})
        for stage in self.stages:
            if stage.transform is not None:
                self.add_module(stage.name, stage.transform)

    def forward(
        self, x: Tensor, layers: bool = False, noise: Noise | None = None
    ) -> Tensor | dict[str, Tensor]:
        """Run from rest over all steps.

        Parameters
        ----------
        x : Tensor
            ``[sample, step, channel, y, x]``, or with the image flattened. Spikes 0/1; for
            lenet5_const the analog image in every step.
        layers : bool
            Give the spikes of every stage, max-pools included, by name.
        noise : Noise or None
            What training adds; see :mod:`models.noise`.

        Returns
        -------
        Tensor or dict of Tensor
            Output spikes ``[sample, step, class]``; with ``layers`` a dict whose arrays have
            the shape ``[sample, step, *stage shape]``.

        Raises
        ------
        InvalidValue
            ``x`` does not fit the network's input.
        """
        samples, steps = x.shape[:2]
        if x.dim() < 3 or prod(x.shape[2:]) != prod(self.input_shape) or steps < 1:
            raise InvalidValue(
                f"{self.name}: x: expected [sample, step, {', '.join(map(str, self.input_shape))}]"
                f", got {list(x.shape)}"
            )
        h = x.reshape(samples, steps, *self.input_shape)
        spikes: dict[str, Tensor] = {}
        for stage in self.stages:
            squares = _squares(stage, h) if noise is not None and noise.arrivals else None
            h = self._arrivals(stage, h)
            if stage.cell is not None:
                h = _over_steps(stage.cell, h, noise, squares)
            spikes[stage.name] = h
        return spikes if layers else h

    def _arrivals(self, stage: Stage, h: Tensor) -> Tensor:
        """What reaches the stage in each step: its transform on all steps at once."""
        samples, steps = h.shape[:2]
        if stage.transform is None:
            return h
        flat = h.reshape(samples * steps, *h.shape[2:])
        if isinstance(stage.transform, nn.Linear):
            flat = flat.flatten(1)
        y: Tensor = stage.transform(flat)
        return y.reshape(samples, steps, *stage.shape)


def _squares(stage: Stage, h: Tensor) -> Tensor | None:
    """Sum of the squared weights that spikes bring in each step; None for what has no weights."""
    layer = stage.transform
    with torch.no_grad():
        if isinstance(layer, nn.Linear):
            y = F.linear(h.flatten(2), layer.weight**2)
        elif isinstance(layer, nn.Conv2d):
            flat = h.flatten(0, 1)
            y = F.conv2d(flat, layer.weight**2, None, layer.stride, layer.padding)
        else:
            return None
    return y.reshape(*h.shape[:2], *stage.shape)


def _over_steps(
    cell: CoarseLIF, x: Tensor, noise: Noise | None = None, squares: Tensor | None = None
) -> Tensor:
    state = None
    spikes = []
    for k, drive in enumerate(x.unbind(dim=1)):
        s, state = cell(drive, state, noise, None if squares is None else squares[:, k])
        spikes.append(s)
    return torch.stack(spikes, dim=1)


class _Builder:
    """Adds stages one by one and keeps track of the shape."""

    def __init__(
        self, name: str, input_shape: tuple[int, int, int], tau: float, options: dict[str, object]
    ) -> None:
        self.name = name
        self.shape: tuple[int, ...] = input_shape
        self.input_shape = input_shape
        self.tau = tau
        self.options = options
        self.stages: list[Stage] = []

    def _add(
        self, name: str, shape: tuple[int, ...], transform: nn.Module | None, cell: CoarseLIF | None
    ) -> None:
        self.stages.append(Stage(name, shape, transform, cell))
        self.shape = shape

    def _cell(self, tau: float | None = None) -> CoarseLIF:
        return CoarseLIF(self.tau if tau is None else tau, **self.options)  # type: ignore[arg-type]

    def analog(self, name: str, tau: float) -> None:
        options = {**self.options, "variant": "constant_potential"}
        self._add(name, self.shape, None, CoarseLIF(tau, **options))  # type: ignore[arg-type]

    def conv(self, name: str, channels: int, kernel: int, stride: int = 1, pad: int = 0) -> None:
        self._fits(name, kernel, pad)
        size = [(s + 2 * pad - kernel) // stride + 1 for s in self.shape[1:]]
        layer = nn.Conv2d(self.shape[0], channels, kernel, stride=stride, padding=pad)
        self._add(name, (channels, *size), layer, self._cell())

    def max_pool(self, name: str, kernel: int) -> None:
        self._fits(name, kernel, 0)
        size = [s // kernel for s in self.shape[1:]]
        self._add(name, (self.shape[0], *size), nn.MaxPool2d(kernel), None)

    def linear(self, name: str, n: int, bias: bool = False, tau: float | None = None) -> None:
        self._add(name, (n,), nn.Linear(prod(self.shape), n, bias=bias), self._cell(tau))

    def _fits(self, layer: str, kernel: int, pad: int) -> None:
        if min(self.shape[1:]) + 2 * pad < kernel:
            y, x = self.shape[1:]
            size = "x".join(map(str, self.input_shape[1:]))
            raise InvalidValue(
                f"{self.name}: input_shape: expected images large enough for its layers, got "
                f"{size}: the {kernel}x{kernel} kernel of {layer} meets maps of only {y}x{x}"
            )


def build(
    name: str,
    input_shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    hidden: int = 256,
    tau_hidden: float = 4.0,
    tau_out: float = 4.0,
    *,
    tau_input: float = 4.0,
    v_threshold: float = 1.0,
    variant: str = "coarse",
    beta: float = 5.0,
) -> SpikingNetwork:
    """Build one of the reference networks, with PyTorch's initial weights.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.
    input_shape : (channel, y, x)
        Shape of an image. ``shallow``, ``hidden`` and ``conv`` also take 8x8 digits.
    classes : int
        Number of output neurons.
    hidden : int
        Neurons of the hidden layer of ``hidden``.
    tau_hidden, tau_out : float
        Membrane time constants, in steps, of all layers but the last, and of the last.
    tau_input : float
        The same for the analog layer of ``lenet5_const``.
    v_threshold, variant, beta
        As in :class:`~models.cell.CoarseLIF`.

    Raises
    ------
    InvalidValue
        Unknown name, or images too small; the message names the layer.

    Examples
    --------
    >>> net = build("lenet5")
    >>> [(stage.name, stage.shape) for stage in net.stages][:2]
    [('conv1', (6, 28, 28)), ('pool1', (6, 14, 14))]
    >>> net(torch.zeros(3, 4, 1, 28, 28)).shape
    torch.Size([3, 4, 10])
    """
    if name not in NAMES:
        raise InvalidValue(f"build: name: expected one of {', '.join(NAMES)}, got {name!r}")
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise InvalidValue(
            f"{name}: input_shape: expected (channel, y, x), got {tuple(input_shape)}"
        )
    for field, value in (("classes", classes), ("hidden", hidden)):
        if value < 1:
            raise InvalidValue(f"{name}: {field}: expected an int >= 1, got {value}")
    options: dict[str, object] = {"v_threshold": v_threshold, "variant": variant, "beta": beta}
    chain = _Builder(name, input_shape, tau_hidden, options)
    if name == "hidden":
        chain.linear("hidden", hidden, bias=True)
    elif name == "conv":
        chain.conv("conv1", 4, 5, stride=2, pad=2)
    elif name == "conv2":
        chain.conv("conv1", 4, 5, stride=2, pad=2)
        chain.conv("conv2", 6, 5)
    elif name.startswith("lenet5"):
        if name == "lenet5_const":
            chain.analog("image", tau_input)
        chain.conv("conv1", 6, 5, pad=2)
        chain.max_pool("pool1", 2)
        chain.conv("conv2", 16, 5)
        chain.max_pool("pool2", 2)
        chain.linear("fc1", 120)
        chain.linear("fc2", 84)
    chain.linear("out", classes, tau=tau_out)
    encoder = "constant" if name == "lenet5_const" else "bernoulli"
    return SpikingNetwork(name, input_shape, chain.stages, encoder)
