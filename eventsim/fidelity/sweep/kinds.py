"""What a sweep is, and the plans that most of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.fidelity.plans import Group, Plan
from eventsim.fidelity.samples import Samples, coarse, second_draw
from eventsim.fidelity.sums import Found
from eventsim.fidelity.task import Task

__all__ = ["Run", "Sweep", "group", "point", "references"]

Run = Callable[[Samples, int], Found]


@dataclass(frozen=True)
class Sweep:
    """One property and the values it takes.

    Attributes
    ----------
    name, title : str
        Name on the command line; what is asked, for headings.
    xlabel : str
        The property and its unit.
    values : tuple
        Default values: numbers, or names of ``choices``.
    build : callable
        Groups of plans for a task and values. A function of a module.
    low, high : float
        Range of numbers.
    whole : bool
        Whether only whole numbers are meant.
    choices : tuple of str
        Names that values are taken from; empty where they are numbers.
    log : bool
        Whether the axis is logarithmic.
    needs : callable or None
        Says what the network must have, or raises; called before anything runs.
    """

    name: str
    title: str
    xlabel: str
    values: tuple[Any, ...]
    build: Callable[[Task, Sequence[Any]], list[Group]]
    low: float = 0.0
    high: float = float("inf")
    whole: bool = False
    choices: tuple[str, ...] = ()
    log: bool = False
    needs: Callable[[Task], None] | None = None

    def check(self, values: Any) -> tuple[Any, ...]:
        """Values of a user in order, none twice, or the error that says what is wrong.

        Raises
        ------
        InvalidValue, InvalidType
            None, an unknown name, or a number out of range.
        """
        if values is None:
            return self.values
        if isinstance(values, str) or not hasattr(values, "__iter__"):
            raise InvalidType(f"sweep: values: expected a list, got {values!r}")
        found = [self._one(f"values[{k}]", value) for k, value in enumerate(values)]
        if not found:
            raise checks.fail("sweep", "values", "at least one", 0)
        return tuple(dict.fromkeys(found if self.choices else sorted(found)))

    def _one(self, field: str, value: Any) -> Any:
        if self.choices:
            if value not in self.choices:
                raise checks.fail("sweep", field, f"one of {', '.join(self.choices)}", repr(value))
            return value
        if isinstance(value, str):
            raise InvalidType(f"sweep: {field}: expected a number, got {value!r}")
        number = checks.scalar("sweep", field, value)
        if not self.low <= number <= self.high:
            limits = f"from {self.low:g}" + (f" to {self.high:g}" if self.high < 1e9 else " on")
            raise checks.fail("sweep", field, f"a number {limits}", number)
        if self.whole and number != int(number):
            raise checks.fail("sweep", field, "a whole number", number)
        return int(number) if self.whole else number


def references(task: Task, label: str = "") -> list[Plan]:
    """The coarse run, and its further draws."""
    tail, length = f", {label}" if label else "", task.counted_steps * task.disc.dt
    plans = [Plan(f"coarse{tail}", "coarse", None, "", 1, length, coarse)]
    if task.draws:
        plans.append(
            Plan(
                f"second draw{tail}", "yardstick", f"coarse{tail}",
                "another draw of the input", task.draws, length, second_draw,
            )
        )  # fmt: skip
    return plans


def point(
    task: Task,
    label: str,
    run: Run,
    *,
    window: float | None = None,
    reference: str = "coarse",
    details: Mapping[str, type] | None = None,
    what: str = "",
) -> Plan:
    """One value of a sweep."""
    if window is None:
        window = task.window - task.settle * task.disc.dt
    return Plan(label, "point", reference, what, task.runs, window, run, details or {})


def group(task: Task, points: Sequence[Plan]) -> Group:
    """Values that share the input spikes and the coarse run."""
    return Group(task, [*references(task), *points])
