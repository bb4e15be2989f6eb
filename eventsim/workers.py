"""Independent jobs on threads, in order, interruptible at any moment."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["LEFT", "NOT_BEGUN", "Job", "run_jobs"]

#: In place of a result, what an interrupt did to a job.
NOT_BEGUN = "not begun"
LEFT = "did not answer in time"


#: Seconds between two ticks.
TICK = 0.25


class Job(NamedTuple):
    """A piece of work and its size, for progress."""

    work: Any
    size: int


def run_jobs(
    jobs: list[Job],
    function: Callable[[Any, Callable[[], bool]], Any],
    threads: int,
    progress: Callable[[int, int], None] | None = None,
    tick: Callable[[], None] | None = None,
) -> list[Any]:
    """Results of ``function(work, interrupted)``, in order of the jobs.

    Kernels release the interpreter lock, so threads are enough. After Ctrl-C no job is begun, jobs
    under way see ``interrupted()`` and return what they have, and jobs that do not return within
    a second are left behind. Instead of a result these have LEFT, and those never begun NOT_BEGUN.
    ``tick`` is called now and then while jobs are under way, in the calling thread like
    ``progress``.
    """
    results: list[Any] = [NOT_BEGUN] * len(jobs)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    finished: queue.SimpleQueue[tuple[int, Any, BaseException | None]] = queue.SimpleQueue()
    stop = threading.Event()
    for i in range(len(jobs)):
        waiting.put(i)

    def work() -> None:
        while not stop.is_set():
            try:
                i = waiting.get_nowait()
            except queue.Empty:
                return
            results[i] = LEFT
            try:
                finished.put((i, function(jobs[i].work, stop.is_set), None))
            except BaseException as error:  # raised again in the calling thread
                finished.put((i, None, error))

    crew = [threading.Thread(target=work, daemon=True) for _ in range(min(threads, len(jobs)))]
    for thread in crew:
        thread.start()
    total, done = sum(job.size for job in jobs), 0
    left = len(jobs)
    try:
        while left:
            try:
                i, result, error = finished.get(timeout=None if tick is None else TICK)
            except queue.Empty:
                assert tick is not None
                tick()
                continue
            if error is not None:
                raise error
            results[i] = result
            left -= 1
            done += jobs[i].size
            if progress is not None:
                progress(done, total)
    except KeyboardInterrupt:
        stop.set()
        deadline = time.monotonic() + 0.8
        for thread in crew:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        while not finished.empty():
            i, result, error = finished.get()
            if error is None:
                results[i] = result
    finally:
        stop.set()
    return results
