"""The sweep over the time step: the same continuous network in clock-driven simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eventsim.discrete.stepped import METHODS, stepped
from eventsim.fidelity.metrics import CountSums
from eventsim.fidelity.plans import Group
from eventsim.fidelity.samples import Samples, exact
from eventsim.fidelity.sums import Found
from eventsim.fidelity.sweep.kinds import Run, Sweep, group, point
from eventsim.fidelity.task import Task
from eventsim.fidelity.time_errors import TimeErrors
from eventsim.network import Network
from eventsim.recording import Results

__all__ = ["EXACT", "TIME_STEP", "StepErrors"]

#: Name of the exact run, which all others are compared with.
EXACT = "exact"

#: Spikes of two runs further apart than this part of a training step are not the same spike.
TOLERANCE = 0.5

NAMES = {"euler": "forward Euler", "exponential": "exponential"}


class StepErrors:
    """Differences of the spikes of each layer from those of the exact run.

    Parameters
    ----------
    times : mapping of str to TimeErrors
        Layer -> matched spikes and their errors.
    counts : mapping of str to CountSums
        Layer -> counts of a unit beside the exact ones.
    """

    def __init__(self, times: Mapping[str, TimeErrors], counts: Mapping[str, CountSums]) -> None:
        self.times, self.counts = dict(times), dict(counts)

    @classmethod
    def of(cls, samples: Samples, reference: Results, other: Results) -> StepErrors:
        """From the spikes of both runs."""
        task = samples.task
        window = TOLERANCE * task.disc.dt
        times = {}
        for name in task.layers:
            parts = [
                TimeErrors.of(a.spikes[name], b.spikes[name], task.net[name].n, window)
                for a, b in zip(reference, other, strict=True)
            ]
            times[name] = sum(parts[1:], parts[0])
        counts = {n: CountSums.of(reference.counts[n], other.counts[n]) for n in task.layers}
        return cls(times, counts)

    def __add__(self, other: StepErrors) -> StepErrors:
        return StepErrors(
            {name: errors + other.times[name] for name, errors in self.times.items()},
            {name: sums + other.counts[name] for name, sums in self.counts.items()},
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "times": {name: errors.to_dict() for name, errors in self.times.items()},
            "counts": {name: vars(sums) for name, sums in self.counts.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StepErrors:
        """What :meth:`to_dict` gave."""
        return cls(
            {name: TimeErrors.from_dict(errors) for name, errors in values["times"].items()},
            {name: CountSums(**sums) for name, sums in values["counts"].items()},
        )

    def numbers(self) -> dict[str, dict[str, float | None]]:
        """Of each layer: share of exact spikes found again, errors in seconds, and of counts."""
        return {
            name: {
                "matched": errors.matched_share,
                "time_error_median": _quantile(errors, 0.5),
                "time_error_p95": _quantile(errors, 0.95),
                "count_error": self.counts[name].mae,
                "count_bias": self.counts[name].bias,
            }
            for name, errors in self.times.items()
        }


def _quantile(errors: TimeErrors, share: float) -> float | None:
    """Upper edge of the bin of the error, which is no larger than errors of matches can be."""
    found = errors.quantile(share)
    return None if found is None else min(found, errors.window)


def _reference(net: Network, samples: Samples, run: int) -> Results:
    """The exact run with all spikes, made once for all steps."""
    key = (EXACT, run)
    if key not in samples.memory:
        samples.memory[key] = exact(
            net, samples, samples.inputs(run), samples.task.window, samples.currents,
            samples.task.layers,
        )  # fmt: skip
    found: Results = samples.memory[key]
    return found


def _exact(net: Network) -> Run:
    def run_samples(samples: Samples, run: int) -> Found:
        found = _reference(net, samples, run)
        return Found({n: found.counts[n] for n in samples.task.layers}, events=found.n_events)

    return run_samples


def _clocked(net: Network, h: float, method: str) -> Run:
    def run_samples(samples: Samples, run: int) -> Found:
        task = samples.task
        found = stepped(
            net, samples.inputs(run), task.window, h, method, currents=samples.currents,
            record=task.layers, threads=samples.threads,
        )  # fmt: skip
        assert isinstance(found, Results)
        errors = StepErrors.of(samples, _reference(net, samples, run), found)
        counts = {name: found.counts[name] for name in task.layers}
        return Found(counts, details={"errors": errors}, events=found.n_events)

    return run_samples


def _time_steps(task: Task, values: Sequence[float]) -> list[Group]:
    net = task.net.with_spread(task.spreads[0])
    points = [point(task, EXACT, _exact(net))]
    for method in METHODS:
        for h in values:
            run = _clocked(net, h * task.disc.dt, method)
            label = f"{NAMES[method]}, {h:g}"
            points.append(point(task, label, run, details={"errors": StepErrors}))
    return [group(task, points)]


TIME_STEP = Sweep(
    "time-step",
    "How small must the time step of a clock-driven simulation be?",
    "time step (steps of the training)",
    (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5),
    _time_steps,
    low=1e-6,
    high=1.0,
    log=True,
)
