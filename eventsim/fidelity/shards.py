"""A job cut into shards of its samples, which are kept as they finish and run here or elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.fidelity.parts import Parts

__all__ = ["How", "Job", "Progress", "run_shards"]

Progress = Callable[[int, int], None]


class Job(Protocol):
    """What can be cut: its results are plain, and those of a shard depend on its samples alone."""

    @property
    def samples(self) -> int:
        """Number of samples."""

    @property
    def shard_samples(self) -> int:
        """Samples of one shard."""

    @property
    def weight(self) -> int:
        """Sample runs of one sample, for progress."""

    def describe(self) -> dict[str, Any]:
        """All that decides the result, of plain types."""

    def run(self, first: int, last: int, threads: int, progress: Progress | None) -> dict[str, Any]:
        """The result of the samples from first to last (the last one left out)."""


@dataclass(frozen=True)
class How:
    """How a job is run; none of it has an effect on results.

    Attributes
    ----------
    threads : int
        Cores to use in one process.
    out : str, Path or None
        Folder of finished shards.
    workers : int or None
        Processes on this computer.
    scheduler : str or None
        Address of a Dask scheduler whose workers are used.
    progress : callable or None
        Called with (sample runs done, sample runs in all).
    """

    threads: int
    out: str | os.PathLike[str] | None = None
    workers: int | None = None
    scheduler: str | None = None
    progress: Progress | None = None

    @classmethod
    def check(
        cls, where: str, threads: Any, out: Any, workers: Any, scheduler: Any, progress: Any
    ) -> How:
        """Arguments of a user, or the error that says what is wrong.

        Raises
        ------
        InvalidValue, InvalidType
            Fewer than one thread or worker; both workers and a scheduler.
        """
        if workers is not None:
            workers = checks.whole(where, "workers", workers, 1)
        if scheduler is not None:
            if not isinstance(scheduler, str):
                raise InvalidType(
                    f"{where}: scheduler: expected an address, got {type(scheduler).__name__}"
                )
            if workers is not None:
                raise checks.fail(
                    where, "workers", "none beside a scheduler, which has its own", workers
                )
        if threads is not None:
            threads = checks.whole(where, "threads", threads, 1)
        else:
            # A scheduler's workers may share computers in ways that are not known here.
            threads = 1 if scheduler else max(1, (os.cpu_count() or 1) // (workers or 1))
        return cls(threads, out, workers, scheduler, progress)


def run_shards(job: Job, how: How) -> Iterator[dict[str, Any]]:
    """The results of all shards, in order; those in the folder are not run again.

    Raises
    ------
    FileError
        The folder holds something else, or cannot be written.
    """
    parts = Parts(how.out, {} if how.out is None else job.describe())
    size, weight = job.shard_samples, job.weight
    spans = [(k, min(k + size, job.samples)) for k in range(0, job.samples, size)]
    names = {span: f"samples-{span[0]:06}-{span[1] - 1:06}" for span in spans}
    kept = {span: parts.get(names[span]) for span in spans}
    found = {span: part for span, part in kept.items() if part is not None}
    missing = [span for span in spans if span not in found]
    before, total = weight * sum(last - first for first, last in found), weight * job.samples

    def tell(done: int) -> None:
        if how.progress is not None:
            how.progress(done, total)

    if before:
        tell(before)
    for span, part in _run(job, missing, how, lambda done: tell(before + done)):
        parts.put(names[span], part)
        found[span] = part
    for span in spans:
        yield found[span]


def _run(
    job: Job, spans: list[tuple[int, int]], how: How, tell: Callable[[int], None]
) -> Iterator[tuple[tuple[int, int], dict[str, Any]]]:
    """The results of some shards, as they finish."""
    done = 0
    if spans and (how.workers is not None or how.scheduler is not None):
        from eventsim.fidelity.cluster import run_on_cluster

        for first, last, part in run_on_cluster(job, spans, how):
            done += (last - first) * job.weight
            yield (first, last), part
            tell(done)
        return
    for first, last in spans:
        before = done

        def here(runs: int, _: int, before: int = before) -> None:
            tell(before + runs)

        part = job.run(first, last, how.threads, here)
        done += (last - first) * job.weight
        yield (first, last), part
