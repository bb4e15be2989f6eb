"""Shards on other processes or computers, by Dask.

A worker that dies takes along the shards it was running, and no others: these are kept by the
client as they finish, and the scheduler gives the lost ones to other workers.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from eventsim.errors import EventsimError, FileError, MissingExtra
from eventsim.provenance import software

if TYPE_CHECKING:
    from eventsim.fidelity.shards import How, Job

__all__ = ["run_on_cluster"]

#: Seconds to wait for a scheduler, and for its first worker.
PATIENCE = 30.0

#: Deaths of workers that a shard survives. A machine that is preempted is no fault of the shard.
DEATHS = 10


def run_on_cluster(
    job: Job, spans: list[tuple[int, int]], how: How
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Run shards on the workers of a Dask scheduler, or on processes of this computer.

    Parameters
    ----------
    job : Job
        What is run.
    spans : list of (int, int)
        First sample of each shard, and the one behind its last.
    how : How
        With ``scheduler`` or ``workers``.

    Yields
    ------
    first, last, part
        As they finish.

    Raises
    ------
    MissingExtra
        dask.distributed is not installed.
    FileError
        No scheduler answers, or it has no workers.
    EventsimError
        Workers have other versions of the software that decides the numbers.
    """
    try:
        import distributed
    except ImportError as error:
        raise MissingExtra("distributed", "dask", "a run on several processes") from error
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet())
        client = stack.enter_context(_client(distributed, how, stack))
        _same_software(client)
        # As a task of its own the job is made again for a worker that lost it.
        shared = client.submit(_same, job, pure=False)
        futures = {
            client.submit(_shard, shared, first, last, how.threads, pure=False, retries=0): (
                first,
                last,
            )
            for first, last in spans
        }
        try:
            for future in distributed.as_completed(futures, loop=client.loop):
                first, last = futures[future]
                yield first, last, future.result()
                future.release()
        finally:
            client.cancel([*futures, shared])


def _same(job: Job) -> Job:
    """Its argument: the task whose result is the job."""
    return job


def _shard(job: Job, first: int, last: int, threads: int) -> dict[str, Any]:
    """One shard, on a worker."""
    return job.run(first, last, threads, None)


@contextlib.contextmanager
def _client(distributed: Any, how: How, stack: contextlib.ExitStack) -> Iterator[Any]:
    """A connection with at least one worker behind it."""
    if how.scheduler is None:
        cluster = stack.enter_context(
            distributed.LocalCluster(
                n_workers=how.workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
        )
        address = cluster.scheduler_address
    else:
        address = how.scheduler
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise FileError(
            f"scheduler: {address}: expected the address of a running Dask scheduler, such as "
            f"tcp://10.0.0.1:8786, got: {error}"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise FileError(
                f"scheduler: {address}: expected at least one worker, got none in "
                f"{PATIENCE:g} s (dask worker {address})"
            ) from error
        yield client


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without messages about things that are expected: dead workers, and the size of a network."""
    import dask

    with (
        warnings.catch_warnings(),
        dask.config.set({"distributed.scheduler.allowed-failures": DEATHS}),
    ):
        warnings.filterwarnings("ignore", message="Sending large graph")
        yield


def _versions() -> dict[str, str]:
    """Those of a worker."""
    return software()


def _same_software(client: Any) -> None:
    """The same versions everywhere, or results would depend on who made them."""
    here = software()
    for worker, there in client.run(_versions).items():
        other = sorted(name for name in here if there.get(name) != here[name])
        if other:
            pairs = ", ".join(f"{n} {here[n]} here and {there.get(n)} there" for n in other)
            raise EventsimError(
                f"scheduler: worker {worker}: expected the same versions as here, got {pairs}"
            )
