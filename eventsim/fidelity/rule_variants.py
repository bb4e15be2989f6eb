"""Networks and rules that differ from a framework's in one thing, to find what a gap is made of.

A framework's rule says more than a time step: when a reset acts, how many spikes a step may have,
what a decay factor stands for. Each of these can be changed alone, in the discrete model or in the
continuous one, and what that changes is the size of the cause.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from eventsim.discrete.counterpart import LOSSES, Options, counterpart
from eventsim.discretization import Discretization
from eventsim.network import Network
from eventsim.populations import Population
from eventsim.step_rule import StepRule

__all__ = ["Changed", "changed_networks", "changed_rules"]


class Changed(NamedTuple):
    """One change.

    Attributes
    ----------
    name : str
        In tables.
    what : str
        The change, in words that go before "costs 1.2 points".
    value : Discretization or Network
        What differs.
    """

    name: str
    what: str
    value: Any


def changed_rules(disc: Discretization) -> list[Changed]:
    """Discrete models whose rules differ in one thing; none for the coarse rules.

    Examples
    --------
    >>> rule = StepRule("snntorch.Leaky", leak=0.9, reset="subtract", reset_time="next")
    >>> disc = Discretization("framework", dt=1e-3, steps=4, cells={"out": rule})
    >>> [change.name for change in changed_rules(disc)]
    ['coarse, reset in the same step', 'coarse, reset to a value']
    """
    found = []
    for name, what, change in _RULE_CHANGES:
        cells = {key: change(rule) for key, rule in disc.cells.items()}
        if any(cells[key] is not None for key in cells):
            new = {key: cell or disc.cells[key] for key, cell in cells.items()}
            found.append(Changed(name, what, dataclasses.replace(disc, cells=new)))
    return found


def _at_once(rule: StepRule) -> StepRule | None:
    if rule.reset_time == "same" or rule.reset == "none":
        return None
    return dataclasses.replace(rule, reset_time="same", reset_drops_input=False)


def _one_spike(rule: StepRule) -> StepRule | None:
    if rule.max_spikes == 1:
        return None
    return dataclasses.replace(rule, max_spikes=1, fires_at_equality=True)


def _to_value(rule: StepRule) -> StepRule | None:
    if rule.reset != "subtract":
        return None
    return dataclasses.replace(rule, reset="value", v_subtract=0.0)


def _by_subtraction(rule: StepRule) -> StepRule | None:
    return dataclasses.replace(rule, reset="subtract") if rule.reset == "value" else None


_RULE_CHANGES: tuple[tuple[str, str, Callable[[StepRule], StepRule | None]], ...] = (
    ("coarse, reset in the same step", "resetting in the step of the spike", _at_once),
    ("coarse, one spike a step", "allowing one spike a step", _one_spike),
    ("coarse, reset to a value", "resetting to a value in place of subtracting", _to_value),
    ("coarse, reset by subtraction", "subtracting in place of resetting to a value",
     _by_subtraction),
)  # fmt: skip


def changed_networks(net: Network, disc: Discretization) -> list[Changed]:
    """Continuous networks that differ in one thing from that of a framework's rules.

    The other convention of time constants, the other measure of a synapse, one spike an instant
    where there may be several, a refractory period of one step where there is none, the other kind
    of reset, and recurrent delays of half and of two of those steps that training had.
    """
    if not disc.cells:
        return []
    changes = [
        _conventions(net, disc),
        _changed(net, disc, "one spike an instant", "allowing one spike an instant", _single),
        _changed(net, disc, "t_ref of 1 step", "a refractory period of one step", _refractory),
        _changed(net, disc, "reset to a value", "resetting to v_reset in continuous time", _value),
    ]
    return [change for change in changes if change is not None] + _delays(net, disc)


def _replaced(net: Network, fields: Mapping[str, Mapping[str, Any]]) -> Network | None:
    """The network with other fields of some populations; None where nothing changes."""
    new = net
    for name, values in fields.items():
        if values:
            new = new.replace(name, **values)
    return None if new is net else new


def _changed(
    net: Network, disc: Discretization, name: str, what: str,
    change: Callable[[Population, Discretization], dict[str, Any]],
) -> Changed | None:  # fmt: skip
    populations = {key: net[key] for key in disc.cells}
    fields = {k: change(p, disc) for k, p in populations.items() if isinstance(p, Population)}
    new = _replaced(net, fields)
    return None if new is None else Changed(name, what, new)


def _single(population: Population, disc: Discretization) -> dict[str, Any]:
    return {"multi_spike": False} if population.multi_spike else {}


def _refractory(population: Population, disc: Discretization) -> dict[str, Any]:
    finite = np.isfinite(population.array("v_threshold")).any()
    free = not population.array("t_ref").any()
    return {"t_ref": disc.dt} if finite and free else {}


def _value(population: Population, disc: Discretization) -> dict[str, Any]:
    if population.reset != "subtract":
        return {}
    rule = disc.cells[population.name]
    return {"reset": "value", "multi_spike": False, "v_reset": rule.array("v_reset", population.n)}


def _conventions(net: Network, disc: Discretization) -> Changed | None:
    """Euler time constants where they are exact, and exact ones where they are not."""
    fields: dict[str, dict[str, Any]] = {}
    euler = False
    for name, rule in disc.cells.items():
        old = net[name]
        assert isinstance(old, Population)
        options = Options(accept=tuple(LOSSES), reset=old.reset)
        exact = counterpart(rule, name, old.shape, disc.dt, options).population
        is_exact = bool(np.allclose(exact.array("tau_mem"), old.array("tau_mem"), rtol=1e-9))
        other = exact
        if is_exact:
            options = dataclasses.replace(options, decay="euler")
            other = counterpart(rule, name, old.shape, disc.dt, options).population
        euler = euler or is_exact
        fields[name] = {
            field: getattr(other, field)
            for field in ("tau_mem", "tau_syn", "tau_adapt", "r", "i_bias")
            if not _same(getattr(other, field), getattr(old, field))
        }
    new = _replaced(net, fields)
    if new is None:
        return None
    kind = "Euler" if euler else "exact"
    return Changed(f"{kind} time constants", f"taking {kind} time constants", new)


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    return bool(np.array_equal(np.asarray(a), np.asarray(b)))


def _delays(net: Network, disc: Discretization) -> list[Changed]:
    """Other delays of the projections that lead from a population to itself."""
    back = [link for link in net.projections if link.source == link.target]
    found = []
    for factor, words in ((0.5, "half"), (2.0, "twice")) if back else ():
        links = [
            dataclasses.replace(link, delay=link.delay * factor) if link in back else link  # type: ignore[attr-defined,call-arg]
            for link in net.projections
        ]
        found.append(
            Changed(
                f"recurrent delay x {factor:g}",
                f"{words} the recurrent delay",
                Network(net.populations, links),
            )
        )
    return found
