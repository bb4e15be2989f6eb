"""Modules with weights and spikes whose sums are exact, and their networks."""

from __future__ import annotations

import torch
from torch import nn

import eventsim as es

DT = 2.0**-10
STEPS, SAMPLES = 12, 3


def dyadic(module):
    """The module with weights that are multiples of 1/256, so that sums are exact in any order."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean = torch.randint(-64, 64, part.running_mean.shape) / 256
            part.running_var = 2.0 ** torch.randint(-1, 2, part.running_var.shape) * 1.0
            part.eps = 0.0
    for weight in module.parameters():
        fan = max(1, weight[0].numel() if weight.dim() > 1 else 4)
        spread = max(64, int(512 / fan**0.5))
        weight.data = torch.randint(-spread // 2, spread, weight.shape).to(weight.dtype) / 256
    return module


def spikes(*shape, rate=0.4):
    return (torch.rand(*shape) < rate).float()


def converted(module, x, **options):
    """The network of a module; it compares all spikes with the twin's by itself."""
    net, disc = es.from_torch(dyadic(module), x, dt=DT, **options)
    notes = [note for note in disc.notes if note.startswith("comparison")]
    assert len(notes) == 1
    assert int(notes[0].split()[4]) > 5, notes
    return net, disc
