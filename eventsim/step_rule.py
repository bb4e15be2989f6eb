r"""One description for the update rules of all training frameworks.

A :class:`StepRule` says what a framework does with one layer of neurons in one time step, in the
framework's own order and with its own numbers, so that a twin that runs it gives the same spikes.
With the charge ``x`` (weighted spikes of the step plus ``bias``), the charge ``y`` that comes back
from the layer's own spikes of the step before, the current ``i``, the potential ``v`` and the
spikes ``s``, a step is:

1. the reset of the last step, where ``reset_time`` is ``"next"``;
2. the synapse, where there is one: the steps ``decay`` (``i`` leaks), ``input`` (``i = (i + x) +
   y``) and ``membrane`` in the order that :attr:`StepRule.order` names;
3. the membrane, driven by ``i`` or, without a synapse, by ``x`` and ``y``: :data:`MEMBRANES`;
4. the test: ``v > theta`` or ``v >= theta``, or ``floor(v / theta)`` spikes at once;
5. the reset, where ``reset_time`` is ``"same"``, and the floor ``v_min``;
6. adaptation of ``theta``: :data:`ADAPTATIONS`.

The tables of this module are the vocabulary; which framework uses which words is said in
:mod:`eventsim.discrete.frameworks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType

__all__ = [
    "ADAPTATIONS", "FEEDBACKS", "MEMBRANES", "ORDERS", "RESETS", "RESET_TIMES", "SYNAPSES",
    "StepRule",
]  # fmt: skip

Float = NDArray[np.float64]

#: How the potential moves in a step; ``leak`` is the number of that name of the rule.
MEMBRANES = {
    "factor": "v = leak v + gain x",
    "euler": "v = v + leak ((v_leak - v) + x)",
    "euler_sum_first": "v = v + leak ((x + v_leak) - v)",
    "euler_leak": "v = (v + leak (v_leak - v)) + x",
    "quotient": "v = v + ((v_leak - v) + x) / leak",
    "quotient_leak": "v = (v + (v_leak - v) / leak) + x",
}
#: How a synaptic current decays in a step.
SYNAPSES = {
    "factor": "i = synapse_leak i",
    "euler": "i = i - synapse_leak i",
}
#: Order of the decay of the current, its input, and its use by the membrane.
ORDERS = (
    "decay, input, membrane",
    "input, decay, membrane",
    "input, membrane, decay",
    "membrane, decay, input",
)
RESETS = {
    "value": "v = v_reset",
    "subtract": "v = v - s theta",
    "none": "v is left as it is",
}
#: When the reset of a spike acts.
RESET_TIMES = {
    "same": "in the step of the spike, after the test",
    "next": "in the next step",
    "both": "before the test where the last step left v above theta, and after it for the rest",
}
#: How recurrent charge joins the other input.
FEEDBACKS = {
    "apart": "(v + x) + y: after the other input",
    "summed": "v + (x + y): as part of the input",
}
#: How the threshold theta depends on the spikes before.
ADAPTATIONS = {
    "variable": "theta = v_threshold + adapt_jump b; b = adapt_leak b + (1 - adapt_leak) s",
    "threshold": "theta = theta + adapt_leak (v_threshold - theta); + adapt_jump s after the test",
}

_NUMBERS = (
    "leak", "gain", "v_leak", "synapse_leak", "synapse_gain", "v_threshold", "v_reset",
    "v_subtract", "v_min", "v_init", "adapt_leak", "adapt_jump", "bias", "feedback_bias", "v_bias",
)  # fmt: skip
_WORDS: tuple[tuple[str, Any], ...] = (
    ("membrane", MEMBRANES),
    ("order", ORDERS),
    ("feedback", FEEDBACKS),
    ("reset", RESETS),
    ("reset_time", RESET_TIMES),
)


@dataclass(frozen=True, eq=False)
class StepRule:
    """What a framework does with a layer of neurons in one step.

    Numbers are scalars or arrays with one entry for each neuron, in the framework's own units.

    Parameters
    ----------
    label : str
        Framework and class, such as ``"snntorch.Leaky"``.
    leak : float or array
        Number of the membrane's equation: the decay factor for ``"factor"`` (1: no leak), the
        step over the time constant for ``"euler..."``, the time constant in steps for
        ``"quotient..."``.
    membrane : str
        One of :data:`MEMBRANES`. Default ``"factor"``.
    gain : float or array
        Factor of the input, for ``"factor"`` only. Default 1.
    v_leak : float or array
        Resting potential; 0 for ``"factor"``. Default 0.
    synapse : str or None
        One of :data:`SYNAPSES`, or None: the input drives the membrane itself. Default None.
    synapse_leak : float or array
        Number of the synapse's equation.
    synapse_gain : float or array
        What the current is multiplied by once more where it decays, for ``"factor"`` only.
        Default 1.
    order : str
        One of :data:`ORDERS`; only used with a synapse.
    feedback : str
        One of :data:`FEEDBACKS`: how recurrent charge is added. Default ``"apart"``.
    v_threshold : float or array
        Threshold; ``inf`` for a readout that does not spike. Default 1.
    fires_at_equality : bool
        Whether ``v == theta`` fires. Default False.
    max_spikes : int
        Most spikes of a neuron in one step; with more than 1 there are ``floor(v / theta)``, from
        equality on. Default 1.
    reset : str
        One of :data:`RESETS`. Default ``"value"``.
    reset_time : str
        One of :data:`RESET_TIMES`. Default ``"same"``.
    reset_drops_input : bool
        Whether a reset in the next step takes that step's input along. Default False.
    v_reset, v_min, v_init : float or array
        Potential after a reset to a value, floor of the potential, first potential. Defaults 0,
        minus infinity, 0.
    v_subtract : float or array
        What a spike subtracts, for a reset ``"subtract"`` of another amount than the threshold.
        Default 0: ``theta``.
    adaptation : str or None
        One of :data:`ADAPTATIONS`, or None. Default None.
    adapt_leak, adapt_jump : float or array
        Numbers of the adaptation's equation.
    bias, feedback_bias : float or array
        Charge that is added to ``x`` and ``y`` in every step. Default 0.
    feedback_bias_late : bool
        Whether the first step has no ``feedback_bias``. Default False.
    v_bias : float or array
        What the potential gets in every step besides. Default 0.

    Raises
    ------
    InvalidValue, InvalidType
        A field is of the wrong type or out of range; the message names it.

    Examples
    --------
    >>> rule = StepRule("snntorch.Leaky", leak=0.9, reset="subtract", reset_time="next")
    >>> rule.decay, rule.delta_gain
    (0.9, 1.0)
    >>> StepRule.from_dict(rule.to_dict()) == rule
    True
    >>> print(rule.equation)
    v = leak v + gain x; v = v - s theta, in the next step; v > theta
    """

    label: str
    _: KW_ONLY
    leak: Any
    membrane: str = "factor"
    gain: Any = 1.0
    v_leak: Any = 0.0
    synapse: str | None = None
    synapse_leak: Any = 0.0
    synapse_gain: Any = 1.0
    order: str = ORDERS[0]
    feedback: str = "apart"
    v_threshold: Any = 1.0
    fires_at_equality: bool = False
    max_spikes: int = 1
    reset: str = "value"
    reset_time: str = "same"
    reset_drops_input: bool = False
    v_reset: Any = 0.0
    v_subtract: Any = 0.0
    v_min: Any = -np.inf
    v_init: Any = 0.0
    adaptation: str | None = None
    adapt_leak: Any = 0.0
    adapt_jump: Any = 0.0
    bias: Any = 0.0
    feedback_bias: Any = 0.0
    feedback_bias_late: bool = False
    v_bias: Any = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.label, str) or not self.label:
            raise InvalidType(f"StepRule: label: expected a name, got {self.label!r}")
        where = self.where
        for field, allowed in _WORDS:
            _choice(where, field, getattr(self, field), allowed)
        for field, allowed in (("synapse", SYNAPSES), ("adaptation", ADAPTATIONS)):
            if getattr(self, field) is not None:
                _choice(where, field, getattr(self, field), allowed)
        for field in ("fires_at_equality", "reset_drops_input", "feedback_bias_late"):
            if not isinstance(getattr(self, field), bool | np.bool_):
                got = getattr(self, field)
                raise InvalidType(f"{where}: {field}: expected True or False, got {got!r}")
            self._set(field, bool(getattr(self, field)))
        self._set("max_spikes", checks.whole(where, "max_spikes", self.max_spikes, 1))
        for field in _NUMBERS:
            self._set(field, self._number(where, field))
        self._check_ranges(where)

    def _set(self, field: str, value: Any) -> None:
        object.__setattr__(self, field, value)

    def _number(self, where: str, field: str) -> float | Float:
        array = checks.real_array(where, field, getattr(self, field)).astype(np.float64)
        if array.ndim and (array == array.flat[0]).all():
            array = array.reshape(-1)[0]
        bad = np.isnan(array)
        if field not in ("v_threshold", "v_min"):
            bad |= np.isinf(array)
        if np.any(bad):
            raise checks.fail(where, field, "finite numbers", getattr(self, field))
        return float(array) if array.ndim == 0 else checks.read_only(array.reshape(-1))

    def _check_ranges(self, where: str) -> None:
        if self.membrane == "factor" and np.any(self.v_leak):
            raise checks.fail(where, "v_leak", "0 for the membrane 'factor'", self.v_leak)
        if self.membrane != "factor" and np.any(np.not_equal(self.gain, 1.0)):
            raise checks.fail(where, "gain", f"1 for the membrane {self.membrane!r}", self.gain)
        if self.synapse != "factor" and np.any(np.not_equal(self.synapse_gain, 1.0)):
            raise checks.fail(
                where, "synapse_gain", "1 without a synapse 'factor'", self.synapse_gain
            )
        amount = np.asarray(self.v_subtract)
        if self.reset != "subtract" and amount.any():
            raise checks.fail(where, "v_subtract", "0 without a reset 'subtract'", amount)
        if amount.any() and (amount <= 0.0).any():
            raise checks.fail(where, "v_subtract", "numbers > 0, or 0 for the threshold", amount)
        if self.membrane.startswith("quotient") and np.any(np.less_equal(self.leak, 0.0)):
            raise checks.fail(where, "leak", "time constants in steps > 0", self.leak)
        if self.max_spikes > 1 and np.any(np.less_equal(self.v_threshold, 0.0)):
            raise checks.fail(
                where, "v_threshold", "numbers > 0, as it counts spikes", self.v_threshold
            )

    @property
    def where(self) -> str:
        """How errors name the rule."""
        return f"StepRule {self.label!r}"

    @property
    def decay(self) -> Any:
        """What is left of the potential above rest after a step without input."""
        if self.membrane == "factor":
            return self.leak
        if self.membrane.startswith("euler"):
            return 1.0 - self.leak
        return 1.0 - 1.0 / self.leak

    @property
    def delta_gain(self) -> Any:
        """What a charge of 1 adds to the potential in the step of its use."""
        if self.membrane == "factor":
            return self.gain
        if self.membrane.endswith("_leak"):
            return 1.0
        return 1.0 / self.leak if self.membrane == "quotient" else self.leak

    @property
    def synapse_decay(self) -> Any:
        """What is left of the current after a step; 0 without a synapse."""
        if self.synapse is None:
            return 0.0
        if self.synapse == "factor":
            return self.synapse_gain * self.synapse_leak
        return 1.0 - self.synapse_leak

    @property
    def weight_gain(self) -> Any:
        """Weight in the network for each unit of the framework's weight.

        A delta adds its weight to the potential, where the framework multiplies first; an
        exponential receptor takes the framework's weights as they are.
        """
        return self.delta_gain if self.synapse is None else 1.0

    @property
    def equation(self) -> str:
        """The rule in a line."""
        parts = [MEMBRANES[self.membrane]]
        if self.synapse is not None:
            parts.insert(0, f"{SYNAPSES[self.synapse]} ({self.order})")
        if self.reset != "none":
            reset = RESETS[self.reset]
            if np.any(self.v_subtract):
                reset = reset.replace("theta", "v_subtract")
            parts.append(f"{reset}, {RESET_TIMES[self.reset_time]}")
        if self.adaptation is not None:
            parts.append(ADAPTATIONS[self.adaptation])
        parts.append(
            "floor(v / theta) spikes" if self.max_spikes > 1
            else f"v {'>=' if self.fires_at_equality else '>'} theta"
        )  # fmt: skip
        return "; ".join(parts)

    def array(self, field: str, n: int) -> Float:
        """A number of the rule, or one of its properties, for each of ``n`` neurons."""
        value = np.asarray(getattr(self, field), dtype=np.float64)
        if value.ndim and value.shape != (n,):
            raise checks.fail(
                self.where, field, f"one number or an array of {n}", f"shape {value.shape}"
            )
        return np.broadcast_to(value, (n,)).copy()

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as for JSON, without what is at its default."""
        values = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                values[field.name] = value.tolist()
            elif value != field.default:
                values[field.name] = None if value in (np.inf, -np.inf) else value
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StepRule:
        """The rule that :meth:`to_dict` wrote.

        Raises
        ------
        InvalidValue, InvalidType
            Unknown or missing keys, or values out of range.
        """
        if not isinstance(values, Mapping):
            raise InvalidType(f"StepRule: expected a mapping, got {type(values).__name__}")
        known = {field.name for field in fields(cls)}
        unknown = sorted(str(key) for key in set(values) - known)
        if unknown or not {"label", "leak"} <= set(values):
            raise checks.fail(
                "StepRule", "keys", f"label, leak, and others of {sorted(known)}", sorted(values)
            )
        given = dict(values)
        if "v_threshold" in given and given["v_threshold"] is None:
            given["v_threshold"] = np.inf
        return cls(**given)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StepRule) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # arrays have none either


def _choice(where: str, field: str, value: Any, allowed: Any) -> None:
    if value not in allowed:
        raise checks.fail(where, field, f"one of {list(allowed)}", repr(value))
