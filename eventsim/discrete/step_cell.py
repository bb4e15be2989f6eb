"""Neurons of one population stepped by a :class:`~eventsim.step_rule.StepRule`.

Every operation is rounded to the arithmetic of the run, in the order in which the framework does
it, so that a framework's float32 potentials come out bit for bit when it is given the same
charge.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.jit import inner, njit
from eventsim.step_rule import ADAPTATIONS, MEMBRANES, RESET_TIMES, RESETS, StepRule

__all__ = ["StepCell"]

Array = NDArray[Any]

_FACTOR, _EULER, _EULER_SUM_FIRST, _EULER_LEAK, _QUOTIENT, _QUOTIENT_LEAK = range(len(MEMBRANES))
_VALUE, _SUBTRACT, _NONE = range(len(RESETS))
_SAME, _NEXT, _BOTH = range(len(RESET_TIMES))
_VARIABLE, _THRESHOLD = range(1, len(ADAPTATIONS) + 1)
_NO_SYNAPSE, _SYNAPSE_FACTOR, _SYNAPSE_EULER = range(3)


class Words(NamedTuple):
    """What the rule says in words, as numbers; places of the steps of the synapse in its order."""

    membrane: int
    synapse: int
    decay: int
    input: int
    use: int
    apart: bool
    reset: int
    reset_time: int
    drops_input: bool
    own_amount: bool
    equality: bool
    counts: bool
    adaptation: int


class Numbers(NamedTuple):
    """The numbers of the rule, one for each neuron, in the arithmetic of the run.

    ``one`` and ``most`` are there so that no constant of another type changes the arithmetic.
    """

    one: Array
    most: Array
    leak: Array
    gain: Array
    v_leak: Array
    synapse_leak: Array
    synapse_gain: Array
    v_threshold: Array
    v_reset: Array
    v_subtract: Array
    v_min: Array
    adapt_leak: Array
    adapt_rest: Array
    adapt_jump: Array
    bias: Array
    feedback_bias: Array
    v_bias: Array


class StepCell:
    """The neurons of a population under a rule, ready to be stepped.

    Parameters
    ----------
    rule : StepRule
        What a step does.
    n : int
        Number of neurons.
    dtype : float64 or float32
        Arithmetic of every operation.

    Examples
    --------
    >>> cell = StepCell(StepRule("snntorch.Leaky", leak=0.5, reset_time="next"), 1, np.float32)
    >>> state = cell.start(1)
    >>> for _ in range(3):
    ...     cell.advance(state, np.full((1, 1), 0.75, np.float32), None)
    ...     print(state[0][0, 0], state[1][0, 0])
    0.75 0.0
    1.125 1.0
    0.75 0.0
    """

    def __init__(self, rule: StepRule, n: int, dtype: Any) -> None:
        self.rule = rule
        places = {word: k for k, word in enumerate(rule.order.split(", "))}
        synapses = {None: _NO_SYNAPSE, "factor": _SYNAPSE_FACTOR, "euler": _SYNAPSE_EULER}
        adaptations = {None: 0, "variable": _VARIABLE, "threshold": _THRESHOLD}
        self._words = Words(
            list(MEMBRANES).index(rule.membrane), synapses[rule.synapse],
            places["decay"], places["input"], places["membrane"], rule.feedback == "apart",
            list(RESETS).index(rule.reset), list(RESET_TIMES).index(rule.reset_time),
            rule.reset_drops_input, bool(np.any(rule.v_subtract)), rule.fires_at_equality,
            rule.max_spikes > 1, adaptations[rule.adaptation],
        )  # fmt: skip
        arrays = {
            field: rule.array(field, n).astype(dtype)
            for field in Numbers._fields
            if field not in ("one", "most", "adapt_rest")
        }
        arrays["one"] = np.ones(n, dtype)
        arrays["most"] = np.full(n, rule.max_spikes, dtype)
        # 1 - a is rounded as the framework rounds it.
        arrays["adapt_rest"] = arrays["one"] - arrays["adapt_leak"]
        self._numbers = Numbers(**arrays)
        self._start = rule.array("v_init", n).astype(dtype)

    def start(self, samples: int) -> tuple[Array, Array, Array, Array, Array]:
        """Potentials, spikes, currents and adaptation [sample, n] before the first step.

        A fifth array of one entry counts the steps.
        """
        v = np.repeat(self._start[None], samples, axis=0)
        adaptation = np.zeros_like(v)
        if self.rule.adaptation == "threshold":
            adaptation += self._numbers.v_threshold
        return v, np.zeros_like(v), np.zeros_like(v), adaptation, np.zeros(1, np.int64)

    def advance(self, state: tuple[Array, ...], charge: Array, feedback: Array | None) -> None:
        """One step in place: the state is updated, the bias is added to ``charge``.

        ``feedback`` is the charge from the population's own spikes, where the rule adds it apart.
        """
        v, s, current, adaptation, steps = state
        if feedback is None:
            feedback = np.zeros_like(charge)
        if self.rule.feedback_bias_late and not steps[0]:
            feedback = np.broadcast_to(-self._numbers.feedback_bias, charge.shape)
        steps += 1
        _advance(v, s, current, adaptation, charge, feedback, self._words, self._numbers)


@inner
def _integrated(words: Words, p: Numbers, j: int, v: Any, x: Any, y: Any) -> Any:
    """The potential after the membrane's part of the step."""
    if words.membrane == _FACTOR:
        moved = p.leak[j] * v + p.gain[j] * x
        return moved + y if words.apart else moved
    if words.membrane == _EULER:
        return v + p.leak[j] * ((p.v_leak[j] - v) + x)
    if words.membrane == _EULER_SUM_FIRST:
        return v + p.leak[j] * ((x + p.v_leak[j]) - v)
    if words.membrane == _EULER_LEAK:
        return (v + p.leak[j] * (p.v_leak[j] - v)) + x
    if words.membrane == _QUOTIENT:
        return v + ((p.v_leak[j] - v) + x) / p.leak[j]
    return (v + (p.v_leak[j] - v) / p.leak[j]) + x


@inner
def _decayed(words: Words, p: Numbers, j: int, i: Any) -> Any:
    """The current after its decay."""
    if words.synapse == _SYNAPSE_FACTOR:
        return p.synapse_gain[j] * (p.synapse_leak[j] * i)
    return i - p.synapse_leak[j] * i


@njit
def _advance(
    v: Array, s: Array, current: Array, adaptation: Array, charge: Array, feedback: Array,
    words: Words, p: Numbers,
) -> None:  # fmt: skip
    for sample in range(v.shape[0]):
        for j in range(v.shape[1]):
            x = charge[sample, j] + p.bias[j]
            y = feedback[sample, j] + p.feedback_bias[j]
            charge[sample, j] = x + y
            one = p.one[j]
            zero = one - one
            if not words.apart or (words.synapse == _NO_SYNAPSE and words.membrane != _FACTOR):
                x, y = x + y, zero
            potential, theta = v[sample, j], p.v_threshold[j]
            i, spikes = current[sample, j], s[sample, j]
            if words.reset_time == _BOTH:
                spikes = one if potential > theta else zero
            late = words.reset_time != _SAME and spikes != 0
            if late and words.reset == _VALUE and not words.drops_input:
                potential = p.v_reset[j]
            if words.synapse == _NO_SYNAPSE:
                potential = _integrated(words, p, j, potential, x, y)
            else:
                for step in range(3):
                    if step == words.decay:
                        i = _decayed(words, p, j, i)
                    elif step == words.input:
                        i = (i + x) + y
                    else:
                        potential = _integrated(words, p, j, potential, i, zero)
                current[sample, j] = i
            potential = potential + p.v_bias[j]
            if late and words.reset == _SUBTRACT:
                potential = potential - spikes * (p.v_subtract[j] if words.own_amount else theta)
            elif late and words.reset == _VALUE and words.drops_input:
                potential = p.v_reset[j]
            if words.adaptation == _VARIABLE:
                theta = theta + p.adapt_jump[j] * adaptation[sample, j]
            elif words.adaptation == _THRESHOLD:
                b = adaptation[sample, j]
                theta = b + p.adapt_leak[j] * (theta - b)
            fired = zero
            if words.counts:
                if potential >= theta:
                    fired = min(np.floor(potential / theta), p.most[j])
            elif potential > theta or (words.equality and potential == theta):
                fired = one
            if words.reset_time != _NEXT:
                done = fired - spikes if words.reset_time == _BOTH else fired
                if words.reset == _SUBTRACT:
                    potential = potential - done * (p.v_subtract[j] if words.own_amount else theta)
                elif words.reset == _VALUE and done != 0:
                    potential = potential - done * potential if done < 0 else p.v_reset[j]
            if p.v_min[j] > -np.inf:
                potential = max(potential - p.v_min[j], zero) + p.v_min[j]
            if words.adaptation == _VARIABLE:
                b = adaptation[sample, j]
                adaptation[sample, j] = p.adapt_leak[j] * b + p.adapt_rest[j] * fired
            elif words.adaptation == _THRESHOLD:
                adaptation[sample, j] = theta + fired * p.adapt_jump[j]
            v[sample, j] = potential
            s[sample, j] = fired
