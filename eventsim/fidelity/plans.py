"""Ways to run a network on samples, and the job of running several of them, cut into shards.

A plan takes some samples and gives the spike counts of every layer. What several plans give is
added up in :class:`~eventsim.fidelity.sums.Sums`. A job holds only plain data and the function
that makes its plans, so that it can be sent to other processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np

from eventsim.fidelity.samples import Samples
from eventsim.fidelity.shards import How, Progress, run_shards
from eventsim.fidelity.sums import Details, Found, Sums
from eventsim.fidelity.task import Task

__all__ = ["Group", "Plan", "PlanJob", "run_plans"]


@dataclass(frozen=True)
class Plan:
    """A way to run the network, before it is run.

    Attributes
    ----------
    name, kind, what : str
        Name in tables; kind as in :class:`~eventsim.fidelity.ladder.Rung`; the change, in words.
    reference : str or None
        The plan that it differs from in one thing.
    runs : int
        Number of runs.
    window : float
        Seconds over which spikes are counted.
    run : callable
        Takes the samples and the number of the run.
    details : mapping of str to type
        Classes of the details of what it gives.
    """

    name: str
    kind: str
    reference: str | None
    what: str
    runs: int
    window: float
    run: Callable[[Samples, int], Found]
    details: Mapping[str, type[Details]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Group:
    """Plans that share a task, and so the input spikes and the coarse run."""

    task: Task
    plans: Sequence[Plan]


class PlanJob:
    """Groups of plans, run on all samples of a task, shard by shard.

    Parameters
    ----------
    task : Task
        What is compared.
    build : callable
        Makes the groups from the task; a function of a module, or a ``functools.partial`` of one,
        as it is sent to other processes by its name.
    kind : str
        What the job is for; part of what decides the result.
    """

    def __init__(self, task: Task, build: Callable[[Task], list[Group]], kind: str) -> None:
        self.task, self.build, self.kind = task, build, kind
        #: Measured seconds of each plan, of the shards that ran in this process.
        self.seconds: dict[str, float] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "groups"}

    @cached_property
    def groups(self) -> list[Group]:
        """Made where they are needed, since plans hold functions, which cannot be sent."""
        return self.build(self.task)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.task.samples

    @property
    def shard_samples(self) -> int:
        """Samples of one shard; fewer where their spikes in steps would fill the memory."""
        return min(group.task.shard_samples for group in self.groups)

    @property
    def weight(self) -> int:
        """Sample runs of one sample."""
        return sum(plan.runs for group in self.groups for plan in group.plans)

    def describe(self) -> dict[str, Any]:
        """All that decides the result, of plain types."""
        base = self.task.describe()
        groups = []
        for group in self.groups:
            plans = [[plan.name, plan.runs, plan.window] for plan in group.plans]
            here = group.task.describe()
            groups.append({"plans": plans, **{k: v for k, v in here.items() if base[k] != v}})
        software = self.task.provenance()["software"]
        return {
            "kind": self.kind,
            "shard": self.shard_samples,
            **base,
            "groups": groups,
            "software": software,
        }

    def run(self, first: int, last: int, threads: int, progress: Progress | None) -> dict[str, Any]:
        """What all plans give for the samples from first to last, as plain types."""
        ids, done, part = np.arange(first, last), 0, {}
        for group in self.groups:
            samples = Samples(group.task, ids, threads)
            for plan in group.plans:
                sums, began = Sums(group.task, plan.runs), perf_counter()
                for run in range(plan.runs):
                    sums.count(run, samples.counts, plan.run(samples, run))
                    done += len(ids)
                    if progress is not None:
                        progress(done, len(ids) * self.weight)
                spent = self.seconds.get(plan.name, 0.0)
                self.seconds[plan.name] = spent + perf_counter() - began
                part[plan.name] = sums.to_dict()
        return part


def run_plans(job: PlanJob, how: How) -> dict[str, Sums]:
    """Run a job; the sums of each plan by its name."""
    sums = {
        plan.name: Sums(group.task, plan.runs, plan.details)
        for group in job.groups
        for plan in group.plans
    }
    for part in run_shards(job, how):
        for name, whole in sums.items():
            whole.add(part[name])
    return sums
