"""Last layers of neurons that are never reset, of which the module returns the potentials.

Such neurons spike in every step in which they are above their threshold, which no neuron in
continuous time does. Where nothing but their potentials is read, they are a readout: neurons
without threshold.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from eventsim.load.modules.expressions import Expression, State, Unknown
from eventsim.load.modules.trace import Trace
from eventsim.projections import Shape
from eventsim.step_rule import StepRule

__all__ = ["read_potentials"]


def read_potentials(trace: Trace) -> list[tuple[str, str, str]]:
    """Make readouts of the neurons of a trace of which potentials alone are read.

    Returns
    -------
    list of tuple of str
        Rows that say which spikes were left out.
    """
    states, labels = _returned([known for known, _ in trace.outputs])
    rows = []
    for path, known in trace.neurons.items():
        calls = [call for call in trace.calls if call.what == path]
        if known.potential is None or path not in states or _spikes_are_read(trace, calls):
            continue
        trace.neurons[path] = replace(
            known, rule=_without_threshold(known.rule), readout=True, amplitude=1.0
        )
        for call in calls:
            call.spikes = call.potential
        if any(_within(calls, found) for found in labels):
            why = "they say when a potential that is never reset is above the threshold"
            rows.append((f"returned spikes of {path}", "left out", why))
    return rows


def _without_threshold(rule: Any) -> Any:
    def made(shape: Shape) -> StepRule:
        found: StepRule = rule(shape) if callable(rule) else rule
        return replace(found, v_threshold=np.inf)

    return made


def _returned(values: list[Any]) -> tuple[set[str], list[Any]]:
    """Paths of the neurons whose states lead to the output, and the labels that do."""
    paths, labels, waiting, seen = set(), [], list(values), set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, State):
            paths.add(value.path)
        elif isinstance(value, Unknown):
            waiting += value.sources
        elif isinstance(value, Expression):
            labels += [term.labels for term in value.terms]
    return paths, labels


def _spikes_are_read(trace: Trace, calls: list[Any]) -> bool:
    """Whether a layer or neurons get the spikes of these calls."""
    return any(
        _within(calls, term.labels)
        for call in trace.calls
        if isinstance(call.reads, Expression)
        for term in call.reads.terms
    )


def _within(calls: list[Any], labels: Any) -> bool:
    """Whether some labels are those of what the calls gave."""
    return any(
        bool(((labels >= call.base) & (labels < call.base + int(np.prod(call.shape)))).any())
        for call in calls
    )
