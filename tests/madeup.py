"""A made-up training framework for tests: neurons that eventsim has never seen, and their rules.

``v = beta v + x``, a spike where ``v > 1``, and 1 is subtracted in the same step.
"""

from __future__ import annotations

import torch
from torch import nn

from eventsim.load.modules.recognise import Recognised
from eventsim.step_rule import StepRule


class Leaky(nn.Module):
    """One step in a call; the potential goes in and out."""

    def __init__(self, beta: float = 0.5, threshold: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("beta", torch.tensor(beta))
        self.threshold = threshold

    def step(self, x, v):
        v = self.beta.to(x.dtype) * v + x
        s = (v > self.threshold).to(x.dtype)
        return s, v - s * self.threshold

    def forward(self, x, v=None):
        return self.step(x, torch.zeros_like(x) if v is None else v)


class Keeping(Leaky):
    """One step in a call; the potential stays inside, until ``reset``."""

    v = None

    def reset(self) -> None:
        self.v = None

    def forward(self, x):
        s, self.v = self.step(x, torch.zeros_like(x) if self.v is None else self.v)
        return s


class Sequence(Leaky):
    """All steps in a call, on axis ``time``."""

    def __init__(self, beta: float = 0.5, time: int = 0) -> None:
        super().__init__(beta)
        self.time = time

    def forward(self, x):
        v, out = torch.zeros_like(x.select(self.time, 0)), []
        for part in x.unbind(self.time):
            s, v = self.step(part, v)
            out.append(s)
        return torch.stack(out, self.time)


class Reading(Sequence):
    """All steps in a call; there are no spikes, and what it gives is the potential.

    ``told`` is a leak that is told of it in place of its own.
    """

    told = None

    def forward(self, x):
        v, out = torch.zeros_like(x.select(self.time, 0)), []
        for part in x.unbind(self.time):
            v = self.beta * v + part
            out.append(v)
        return torch.stack(out, self.time)


class Squeezed(Sequence):
    """All steps in a call; samples and steps share the first axis."""

    def __init__(self, steps=None, samples=None, beta: float = 0.5) -> None:
        super().__init__(beta, 1)
        self.steps, self.samples = steps, samples

    def forward(self, x):
        shape = (self.samples or -1, self.steps or -1)
        return super().forward(x.unflatten(0, shape)).flatten(0, 1)


class Recurrent(Leaky):
    """One step in a call, with weights from its own spikes of the step before."""

    def __init__(self, recurrent: nn.Module, beta: float = 0.5) -> None:
        super().__init__(beta)
        self.recurrent = recurrent

    def forward(self, x, s, v):
        v = (self.beta.to(x.dtype) * v + x) + self.recurrent(s)
        s = (v > self.threshold).to(x.dtype)
        return s, v - s * self.threshold


class RecurrentSequence(Sequence):
    """All steps in a call, with weights of its own for the input and for its spikes."""

    def __init__(self, size: int, n: int, beta: float = 0.5) -> None:
        super().__init__(beta)
        self.w_in = nn.Parameter(torch.randint(-128, 256, (n, size)) / 256)
        self.w_rec = nn.Parameter(torch.randint(-128, 128, (n, n)) / 256)

    def forward(self, x):
        s = v = torch.zeros(*x.shape[1:-1], len(self.w_rec), dtype=x.dtype)
        out = []
        for part in x:
            v = self.beta * v + part @ self.w_in.T + s @ self.w_rec.T
            s = (v > self.threshold).to(x.dtype)
            v = v - s * self.threshold
            out.append(s)
        return torch.stack(out)


def recognise(module, where):
    """What eventsim has to know of these neurons."""
    if not isinstance(module, Leaky):
        return None
    rule = StepRule(
        f"madeup.{type(module).__name__}", leak=float(module.beta), reset="subtract",
        v_threshold=module.threshold,
    )  # fmt: skip
    if isinstance(module, Reading):
        leak = float(module.beta) if module.told is None else module.told
        rule = StepRule("madeup.Reading", leak=leak, reset="none", v_threshold=float("inf"))
        return Recognised(rule, sequence=True, time_axis=module.time, readout=True)
    if isinstance(module, RecurrentSequence):
        return Recognised(
            rule,
            sequence=True,
            feed=lambda x: x @ module.w_in.T,
            recurrent=lambda s: s @ module.w_rec.T,
        )
    if isinstance(module, Squeezed):
        return Recognised(
            rule, sequence=True, squeezed_steps=module.steps, squeezed_samples=module.samples
        )
    if isinstance(module, Sequence):
        return Recognised(rule, sequence=True, time_axis=module.time)
    if isinstance(module, Recurrent):
        return Recognised(rule, recurrent=module.recurrent)
    if isinstance(module, Keeping):
        return Recognised(rule, reset=module.reset)
    return Recognised(rule)
