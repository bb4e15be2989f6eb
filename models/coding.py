"""Images to spikes, spike counts to classes, and the losses that training uses.

Everything is a function of tensors. Encoders take images ``[sample, channel, y, x]`` with
values in [0, 1] and give ``[sample, step, channel, y, x]``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from eventsim.errors import InvalidValue

__all__ = ["ENCODERS", "LOSSES", "bernoulli", "classes", "constant", "encode", "loss", "periodic"]

ENCODERS = ("bernoulli", "periodic", "constant")
LOSSES = ("cross-entropy", "mse")


def bernoulli(
    images: Tensor, steps: int, scale: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """Spikes drawn independently in each step with probability ``scale * pixel``."""
    shape = (images.shape[0], steps, *images.shape[1:])
    draws = torch.rand(shape, generator=generator, dtype=images.dtype)
    return (draws < (scale * images).unsqueeze(1)).to(images.dtype)


def periodic(images: Tensor, steps: int, scale: float = 1.0) -> Tensor:
    """Regular spikes: each unit adds ``scale * pixel`` per step, fires at 1 and starts at 0.

    Examples
    --------
    >>> periodic(torch.tensor([[0.5], [0.3]]), 5)[:, :, 0]
    tensor([[0., 1., 0., 1., 0.],
            [0., 0., 0., 1., 0.]])
    """
    memory = torch.zeros_like(images)
    train = []
    for _ in range(steps):
        memory = memory + scale * images
        spikes = memory >= 1
        memory = torch.where(spikes, torch.zeros_like(memory), memory)
        train.append(spikes.to(images.dtype))
    return torch.stack(train, dim=1)


def constant(images: Tensor, steps: int, scale: float = 1.0) -> Tensor:
    """The analog image itself, the same in every step (a view, not a copy)."""
    return (scale * images).unsqueeze(1).expand(-1, steps, *images.shape[1:])


def encode(
    images: Tensor,
    steps: int,
    encoder: str,
    scale: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Encode with the encoder of that name: one of :data:`ENCODERS`."""
    if encoder == "bernoulli":
        return bernoulli(images, steps, scale, generator)
    if encoder == "periodic":
        return periodic(images, steps, scale)
    if encoder == "constant":
        return constant(images, steps, scale)
    raise InvalidValue(f"encode: encoder: expected one of {', '.join(ENCODERS)}, got {encoder!r}")


def classes(spikes: Tensor) -> Tensor:
    """Class of the most spikes in ``[sample, step, class]``; ties go to the lowest index."""
    counts = spikes.sum(dim=1).round().to(torch.int64)
    # One key per class makes the winner unique: the count first, then the lower index.
    n = counts.shape[1]
    return (counts * n + torch.arange(n - 1, -1, -1)).argmax(dim=1)


def loss(
    spikes: Tensor,
    labels: Tensor,
    kind: str = "cross-entropy",
    scale: float = 4.0,
    target: float | None = None,
) -> Tensor:
    """Loss of output spikes ``[sample, step, class]`` against integer labels.

    ``"cross-entropy"`` takes the logits ``scale * (count - steps / 2)``. ``"mse"`` is the mean
    square of count minus target count, where the target is ``target`` (default: ``steps``) for
    the true class and 0 for the others.
    """
    counts = spikes.sum(dim=1)
    steps = spikes.shape[1]
    if kind == "cross-entropy":
        return F.cross_entropy(scale * (counts - steps / 2), labels)
    if kind == "mse":
        wanted = F.one_hot(labels, counts.shape[1]).to(counts.dtype)
        return F.mse_loss(counts, wanted * (steps if target is None else target))
    raise InvalidValue(f"loss: kind: expected one of {', '.join(LOSSES)}, got {kind!r}")
