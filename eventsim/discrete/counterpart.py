r"""The continuous neurons that a framework's step rule stands for, and what is lost between them.

One step of a membrane without input multiplies the potential by a factor ``d``. The continuous
membrane that does the same has

.. math:: \tau_\mathrm{mem} = -dt / \ln d \qquad (\text{exact}) \qquad\text{or}\qquad
          dt / (1 - d) \qquad (\text{Euler})

the second being the time constant that a framework's forward Euler step was written for. With
deltas that arrive on the grid, the exact one gives the framework's own recurrence.

A synapse whose current is multiplied by ``a`` has :math:`\tau_\mathrm{syn}` in the same way. In
the framework a spike of weight ``w`` moves the potential by :math:`g w \sum_k i_k` in all, the
leak of the membrane left out; :math:`S = \sum_k i_k` is ``1 / (1 - a)``, or ``a / (1 - a)`` where
the current decays before its first use. In continuous time it moves it by
:math:`w \, r \, \tau_\mathrm{syn} / \tau_\mathrm{mem}`. Option ``jump="charge"`` makes both equal,
so that a steady drive drives equally; ``jump="current"`` makes the currents equal at the steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType, UnsupportedNetwork
from eventsim.populations import Input, Population
from eventsim.step_rule import StepRule

__all__ = ["LOSSES", "Counterpart", "Options", "counterpart"]

Float = NDArray[np.float64]
Row = tuple[str, str, str]

#: What a continuous neuron cannot have; each must be accepted by name to be left out.
LOSSES = {
    "v_min": "the floor of the potential, {v_min}, has no continuous form",
    "max_spikes": "at most {max_spikes} spikes a step has no continuous form",
    "several": "several spikes of a step {why} have no continuous form; only single ones",
}


@dataclass(frozen=True)
class Options:
    """What a framework's module does not say of its continuous form.

    Parameters
    ----------
    decay : {"exact", "euler"}
        Convention of the time constants. Default ``"exact"``.
    jump : {"charge", "current"}
        What a spike and its continuous form have in common, for layers with a synapse. Default
        ``"charge"``.
    t_ref : float
        Refractory period in seconds of every layer. Default 0, as the frameworks have none; the
        step caps the rate as the framework does.
    reset : {"value", "subtract"} or None
        Reset of the continuous neurons. Default None: as the framework.
    accept : tuple of str
        Names of losses to put up with: any of :data:`LOSSES`.

    Raises
    ------
    InvalidValue, InvalidType
        An option is unknown or out of range.
    """

    decay: str = "exact"
    jump: str = "charge"
    t_ref: float = 0.0
    reset: str | None = None
    accept: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = "from_torch"
        for name, allowed in (
            ("decay", ("exact", "euler")),
            ("jump", ("charge", "current")),
            ("reset", (None, "value", "subtract")),
        ):
            if getattr(self, name) not in allowed:
                raise checks.fail(where, name, f"one of {allowed}", repr(getattr(self, name)))
        t_ref = checks.scalar(where, "t_ref", self.t_ref)
        if t_ref < 0:
            raise checks.fail(where, "t_ref", "seconds >= 0", self.t_ref)
        object.__setattr__(self, "t_ref", t_ref)
        if isinstance(self.accept, str):
            raise InvalidType(f"{where}: accept: expected a tuple of names, got {self.accept!r}")
        for name in self.accept:
            if name not in LOSSES:
                raise checks.fail(where, "accept", f"names among {list(LOSSES)}", repr(name))


class Counterpart(NamedTuple):
    """The continuous form of one layer.

    Attributes
    ----------
    population : Population
        The neurons.
    gain : float or array
        Factor of the framework's weights, :attr:`~eventsim.step_rule.StepRule.weight_gain`.
    receptor : int or None
        Receptor of arriving projections: 0 with a synapse, None for deltas.
    rows : list of tuple of str
        Name, value and reason of what was assumed, and of what is lost.
    """

    population: Population
    gain: Any
    receptor: int | None
    rows: list[Row]


def counterpart(
    rule: StepRule, name: str, shape: Any, dt: float, options: Options | None = None
) -> Counterpart:
    """The continuous neurons of a layer that a framework steps by ``rule``.

    Parameters
    ----------
    rule : StepRule
        What the framework does in a step.
    name : str
        Name of the population.
    shape : int or tuple of int
        Number of neurons, or their arrangement.
    dt : float
        Seconds of a step.
    options : Options, optional
        Conventions and losses.

    Returns
    -------
    Counterpart

    Raises
    ------
    UnsupportedNetwork
        The rule has no continuous form, or one only with a loss that is not accepted.

    Examples
    --------
    >>> made = counterpart(StepRule("snntorch.Leaky", leak=0.5, reset="subtract"), "a", 2, 1e-3)
    >>> made.population.reset, round(made.population.tau_mem, 9), made.gain
    ('subtract', 0.001442695, 1.0)
    >>> made.rows[0]
    ('tau_mem of a', '0.0014427 s', "-dt / ln(decay); decay='euler' is the other way")
    """
    options = options or Options()
    where = f"{name} ({rule.label})"
    spiking = bool(np.any(np.isfinite(np.asarray(rule.v_threshold))))
    n = Input(name, shape).n
    _check(rule, where, options, spiking)
    tau_mem = _time(rule, "decay", "leak", n, dt, where, options)
    given: dict[str, Any] = {"tau_mem": tau_mem, "t_ref": options.t_ref}
    rows = [_time_row(name, "tau_mem", tau_mem, options)]
    gain, receptor = rule.delta_gain, None
    effect = np.ones(n)
    if rule.synapse is not None:
        given["tau_syn"], given["r"], effect = _synapse(rule, n, dt, where, tau_mem, options)
        gain, receptor = 1.0, 0
        rows.append(_time_row(name, "tau_syn", given["tau_syn"][0], options))
        rows.append(_jump_row(name, options))
        if rule.order.startswith("membrane"):
            rows.append(
                (f"latency of {name}", "none", "in the framework input acts one step later")
            )
    bias = rule.array("bias", n) + rule.array("feedback_bias", n)
    charge = rule.array("delta_gain", n) * bias * effect + rule.array("v_bias", n)
    if charge.any():
        given["i_bias"] = (
            charge
            * np.where(np.isinf(tau_mem), 1.0, tau_mem)
            / (dt * np.asarray(given.get("r", 1.0)))
        )
        rows.append(
            (
                f"bias of {name}",
                "a constant current",
                "the same charge per step, tau_mem b / (r dt)",
            )
        )
    for field in ("v_leak", "v_threshold", "v_init"):
        given[field] = rule.array(field, n)
    if np.array_equal(given["v_init"], given["v_leak"]):
        del given["v_init"]
    given["v_reset"] = rule.array("v_reset", n) if spiking else given["v_leak"]
    given["reset"] = options.reset or ("subtract" if rule.reset == "subtract" else "value")
    several = rule.max_spikes > 1
    amount = rule.array("v_subtract", n)
    if given["reset"] == rule.reset and amount.any():
        given["v_reset"] = given["v_threshold"] - amount
    given["multi_spike"] = several and given["reset"] == "subtract" and not amount.any()
    given["fires_at_equality"] = several or rule.fires_at_equality
    if spiking:
        rows += _spike_rows(rule, name, given, options)
    if rule.adaptation is not None:
        _adapt(rule, n, dt, where, options, given, rows, name)
    return Counterpart(
        Population(name, shape, **{key: _plain(value) for key, value in given.items()}),
        gain, receptor, rows,
    )  # fmt: skip


def _check(rule: StepRule, where: str, options: Options, spiking: bool) -> None:
    if spiking and rule.reset == "none" and options.reset is None:
        raise UnsupportedNetwork(
            f"{where}: reset: expected 'value' or 'subtract', as a neuron in continuous time that "
            "is not reset spikes once and stays above its threshold, got 'none' (choose one with "
            "reset=..., or return the membrane of a last layer in place of its spikes)"
        )
    lost = _losses(rule, options)
    for name, is_lost in lost.items():
        if is_lost and name not in options.accept:
            why = "with one reset" if rule.reset == "value" else "that subtract another amount"
            text = LOSSES[name].format(v_min=rule.v_min, max_spikes=rule.max_spikes, why=why)
            raise UnsupportedNetwork(
                f"{where}: {name}: {text}; leave it out with accept=({name!r},)"
            )


def _losses(rule: StepRule, options: Options) -> dict[str, bool]:
    """Which of :data:`LOSSES` there are in the continuous form of a rule."""
    several = rule.max_spikes > 1
    one_by_one = rule.reset == "subtract" and not np.any(rule.v_subtract)
    return {
        "v_min": bool(np.any(np.isfinite(np.asarray(rule.v_min)))),
        "max_spikes": several and rule.max_spikes < 2**16,
        "several": several and not one_by_one and options.reset is None,
    }


def _time(
    rule: StepRule, decay: str, field: str, n: int, dt: float, where: str, options: Options
) -> Float:
    """Time constants of what is multiplied by ``decay`` in a step."""
    factor = rule.array(decay, n)
    bad = (factor <= 0.0) | (factor > 1.0)
    if bad.any():
        raise UnsupportedNetwork(
            f"{where}: {field}: expected a decay per step above 0 and at most 1, as a potential in "
            f"continuous time neither forgets at once nor grows by itself, got "
            f"{factor[np.argmax(bad)]:g}"
        )
    with np.errstate(divide="ignore"):
        if options.decay == "exact":
            return np.where(factor == 1.0, np.inf, -dt / np.log(factor))
        return np.where(factor == 1.0, np.inf, dt / (1.0 - factor))


def _synapse(
    rule: StepRule, n: int, dt: float, where: str, tau_mem: Float, options: Options
) -> tuple[list[Float], Float, Float]:
    """Time constants of the receptor, the gain of currents, and the sum of a spike's currents."""
    tau_syn = _time(rule, "synapse_decay", "synapse_leak", n, dt, where, options)
    if np.isinf(tau_syn).any():
        raise UnsupportedNetwork(
            f"{where}: synapse_leak: expected a current that decays, got one that stays for ever"
        )
    a = rule.array("synapse_decay", n)
    first = a if rule.order == "input, decay, membrane" else np.ones(n)
    total = first / (1.0 - a)
    per_current = total * dt / tau_syn if options.jump == "charge" else first
    leak = np.where(np.isinf(tau_mem), 1.0, tau_mem)
    return [tau_syn], rule.array("delta_gain", n) * per_current * leak / dt, total


def _adapt(
    rule: StepRule, n: int, dt: float, where: str, options: Options, given: dict[str, Any],
    rows: list[Row], name: str,
) -> None:  # fmt: skip
    leak, jump = rule.array("adapt_leak", n), rule.array("adapt_jump", n)
    decay = leak if rule.adaptation == "variable" else 1.0 - leak
    inside = (decay > 0.0) & (decay < 1.0)
    if not inside.all():
        raise UnsupportedNetwork(
            f"{where}: adapt_leak: expected a decay per step between 0 and 1, got "
            f"{decay[np.argmin(inside)]:g}"
        )
    given["tau_adapt"] = -dt / np.log(decay) if options.decay == "exact" else dt / (1.0 - decay)
    given["adapt_beta"] = jump * (1.0 - leak) if rule.adaptation == "variable" else jump
    rows.append(_time_row(name, "tau_adapt", given["tau_adapt"], options))


def _plain(value: Any) -> Any:
    """One number where all neurons share it."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray) and (value == value[0]).all():
        return float(value[0])
    return value


def _numbers(value: Any) -> str:
    low, high = float(np.min(value)), float(np.max(value))
    return f"{low:.6g} s" if low == high else f"{low:.6g} to {high:.6g} s"


def _time_row(name: str, field: str, value: Float, options: Options) -> Row:
    formula = {"exact": "-dt / ln(decay)", "euler": "dt / (1 - decay)"}[options.decay]
    other = "euler" if options.decay == "exact" else "exact"
    return (f"{field} of {name}", _numbers(value), f"{formula}; decay={other!r} is the other way")


def _jump_row(name: str, options: Options) -> Row:
    why = {
        "charge": "a spike brings the same charge as in the framework; jump='current' is the "
        "other way",
        "current": "the current is the framework's at the steps; jump='charge' is the other way",
    }[options.jump]
    return (f"synapse of {name}", f"jump={options.jump!r}", why)


def _spike_rows(rule: StepRule, name: str, given: dict[str, Any], options: Options) -> list[Row]:
    late = {
        "same": "as in the framework",
        "next": "at once; in the framework one step later",
        "both": "at once; in the framework a potential left above threshold lowers the next test",
    }[rule.reset_time]
    kind = {"value": "to v_reset", "subtract": "v_threshold - v_reset is subtracted"}
    rows = [(f"reset of {name}", kind[given["reset"]], late)]
    if options.reset is not None and options.reset != rule.reset:
        rows[0] = (f"reset of {name}", kind[given["reset"]], f"given; {rule.reset!r} in training")
    if given["reset"] == "subtract" and not given["multi_spike"]:
        rows.append(
            (f"residue of {name}", "tested at the next arrival", "in training in the next step")
        )
    test = "v >= v_threshold" if given["fires_at_equality"] else "v > v_threshold"
    rows.append((f"threshold test of {name}", test, "at any time; in training at steps only"))
    if given["multi_spike"]:
        rows.append(
            (f"spikes of {name}", "several at one time", "floor(v / v_threshold), as there")
        )
    elif rule.max_spikes > 1:
        why = "in training floor(v / v_threshold) in a step"
        rows.append((f"spikes of {name}", "one at a time", why))
    if rule.adaptation is not None and given["reset"] == "subtract" and not np.any(rule.v_subtract):
        why = "in training the threshold of the moment"
        rows.append((f"amount of the reset of {name}", "the threshold at rest", why))
    if options.t_ref:
        rows.append((f"t_ref of {name}", f"{options.t_ref:g} s", "given"))
    elif rule.max_spikes == 1:
        rows.append(
            (
                f"t_ref of {name}",
                "0",
                "in training one spike a step at most; t_ref=dt caps it so, but drops its input",
            )
        )
    rows += [
        (f"{loss} of {name}", "left out", "accepted")
        for loss, is_lost in _losses(rule, options).items()
        if is_lost and loss in options.accept
    ]
    return rows
