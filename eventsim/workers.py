"""Independent jobs on threads, in order, interruptible at any moment."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

__all__ = ["LEFT", "NOT_BEGUN", "Job", "run_jobs", "run_stream"]

#: In place of a result, what an interrupt did to a job.
NOT_BEGUN = "not begun"
LEFT = "did not answer in time"


#: Seconds between two ticks.
TICK = 0.25

#: Seconds that jobs under way have to return what they have, after Ctrl-C.
PATIENCE = 0.8


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
        deadline = time.monotonic() + PATIENCE
        for thread in crew:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        while not finished.empty():
            i, result, error = finished.get()
            if error is None:
                results[i] = result
    finally:
        stop.set()
    return results


def run_stream(
    works: Iterable[Any], function: Callable[[Any, Callable[[], bool]], Any], threads: int
) -> Iterator[tuple[Any, Any]]:
    """Each work with the result of ``function(work, interrupted)``, in order.

    Works are drawn when they are needed, in the calling thread: one more than there are threads
    is drawn and not yet handed out, so what is held does not grow with their number. An error, of
    drawing or of the function, comes when the works before it have been handed out. After Ctrl-C
    the works that were drawn come with what they have, LEFT or NOT_BEGUN, then KeyboardInterrupt.
    """
    waiting: queue.SimpleQueue[tuple[int, Any] | None] = queue.SimpleQueue()
    finished: queue.SimpleQueue[tuple[int, Any, BaseException | None]] = queue.SimpleQueue()
    stop = threading.Event()
    begun: set[int] = set()

    def work() -> None:
        while (item := waiting.get()) is not None and not stop.is_set():
            begun.add(item[0])
            try:
                finished.put((item[0], function(item[1], stop.is_set), None))
            except BaseException as error:  # raised again in the calling thread
                finished.put((item[0], None, error))

    crew: list[threading.Thread] = []
    drawn: deque[tuple[int, Any]] = deque()
    results: dict[int, list[Any]] = {}  # what came and what was raised
    source, count = iter(works), 0
    fault: Exception | None = None
    try:
        while True:
            while fault is None and len(drawn) <= threads:
                try:
                    item = count, next(source)
                except Exception as met:  # StopIteration too
                    fault = met
                    break
                count += 1
                drawn.append(item)
                waiting.put(item)
                if len(crew) < threads:
                    crew.append(threading.Thread(target=work, daemon=True))
                    crew[-1].start()
            if not drawn:
                break
            while drawn[0][0] not in results:
                number, *outcome = finished.get()
                results[number] = outcome
            number, todo = drawn.popleft()
            begun.discard(number)
            result, failure = results.pop(number)
            if failure is not None:
                raise failure
            yield todo, result
        if not isinstance(fault, StopIteration):
            assert fault is not None
            raise fault
    except KeyboardInterrupt:
        stop.set()
        for _ in crew:
            waiting.put(None)
        deadline = time.monotonic() + PATIENCE
        for thread in crew:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        while not finished.empty():
            number, *outcome = finished.get()
            results[number] = outcome
        for number, todo in drawn:
            missing = LEFT if number in begun else NOT_BEGUN
            result, failure = results.get(number, [missing, None])
            yield todo, result if failure is None else missing
        raise
    finally:
        stop.set()
        for _ in crew:
            waiting.put(None)
