"""What Poisson sources give, drawn some windows ahead: by other threads, where there are some.

Sources do not depend on the network. So what neurons hear of their own sources is drawn for a
block of windows at a time, with the factors of what each spike adds, while the loop
(:mod:`eventsim.engine.scan_windows`) is in the block before. A block is cut into parts of the
neurons. Threads take part after part; the thread of the loop, when it is through with its block,
draws what nobody has begun. Threads meet once in a block, of ten milliseconds, and not in each
window. No bit depends on blocks, on parts or on who draws.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.calendar import begins
from eventsim.engine.intervals import STEP, exponential, mix
from eventsim.engine.poisson import later
from eventsim.engine.scan_arrivals import growth
from eventsim.engine.scan_drive import Drive, Sources, crowd
from eventsim.engine.scan_state import Cells
from eventsim.jit import inner, njit

__all__ = ["Ahead"]

#: Spikes of a block, about: with one thread they stay in the second cache, with more they take
#: ten milliseconds, many times as long as it takes to share them and to wait for the last.
BLOCK, SHARED_BLOCK = 50_000, 400_000
#: Windows of a block, at most.
_LONGEST = 64
#: Neurons times windows of a block, at most: each takes eight bytes.
_INDEXED = 1_000_000
#: Fewer spikes in a block are not shared.
FEWEST = 20_000
#: Parts of a block for each thread, so that all are done at about the same time.
_PARTS = 4
#: What it takes to look at a neuron in a window, in spikes.
_LOOK = 0.1


@inner
def _times(drive, sources, k, first, stop, end, n, last):
    """Times of the spikes before ``end`` of some units, unit after unit; -1: there is no room."""
    for unit in range(np.uint64(first), np.uint64(stop)):
        drive.starts[k, unit] = n
        time, state, mean = sources.time[unit], sources.state[unit], sources.mean[unit]
        while time < end:
            if n == last:
                return np.int64(-1)
            drive.time[np.uint64(n)], drive.who[np.uint64(n)] = time, unit
            n += 1
            time = later(time, exponential(mix(state)) * mean)
            state += STEP
        sources.time[unit], sources.state[unit] = time, state
        drive.stops[k, unit] = n
    return n


@inner
def _factors(cells, drive, g, frame, n, last):
    """What spikes add in a frame, as `eventsim.engine.scan_arrivals.share_of` has it."""
    row = drive.row[g]  # the places are unsigned: of others it is asked whether they are below 0
    rate, scale = cells.rate[g, 0], -cells.scale[g, row] if row > 0 else 1.0
    for i in range(np.uint64(n), np.uint64(last)):
        drive.first[i] = growth((drive.time[i] - frame) * rate) * scale
    if row > 0:
        rate, scale = cells.rate[g, row], cells.scale[g, row]
        for i in range(np.uint64(n), np.uint64(last)):
            drive.own[i] = growth((drive.time[i] - frame) * rate) * scale


@njit
def _draw(cells, drive, sources, ring, windows, renewal, part, a, b, n, last):
    """Draw what units ``a`` to ``b``, a part, hear in a block, into places ``n`` to ``last``.

    False: there is no room for it. ``renewal``: windows between two frames.
    """
    for k in range(windows):
        window = drive.begin + k
        frame, end = begins(ring[0], window - window % renewal), begins(ring[0], window + 1)
        for g in range(drive.link.size):
            if drive.link[g] >= 0:
                first, stop = max(a, cells.first[g]), min(b, cells.stop[g])
                before, n = n, _times(drive, sources, k, first, max(first, stop), end, n, last)
                if n < 0:
                    return False
                _factors(cells, drive, g, frame, before, n)
                drive.parts[k, g, part, 0], drive.parts[k, g, part, 1] = before, n
    return True


class Ahead:
    """The drive of a run, block after block, up to window ``last``."""

    def __init__(
        self,
        cells: Cells,
        drive: Drive,
        sources: Sources,
        ring: NDArray[np.void],
        renewal: int,
        last: int,
        threads: int,
    ) -> None:
        self._cells, self._sources, self._ring, self._renewal = cells, sources, ring, renewal
        width, n = float(ring["width"][0]), cells.group.size
        mean = float(sources.rate.sum()) * width

        def windows(spikes: int) -> int:
            return max(1, min(_LONGEST, int(spikes / max(mean, 1.0)), _INDEXED // n))

        self._windows = windows(SHARED_BLOCK)
        shared = threads > 1 and mean * self._windows >= FEWEST
        if not shared:
            self._windows = windows(BLOCK)
        self._pool = ThreadPoolExecutor(threads - 1) if shared else None
        self._bounds = self._cuts(_PARTS * threads if shared else 1, width)
        rates = np.add.reduceat(sources.rate, self._bounds[:-1])
        self._places = np.cumsum([0, *(crowd(r, self._windows * width) for r in rates)])
        self._drives = [
            drive._replace(
                parts=np.zeros((self._windows, drive.link.size, rates.size, 2), dtype=np.int64),
                starts=np.zeros((self._windows, n), dtype=np.int32),
                stops=np.zeros((self._windows, n), dtype=np.int32),
                who=np.zeros(self._places[-1], dtype=np.int32),
                time=np.zeros(self._places[-1]),
                first=np.zeros(self._places[-1]),
                own=np.zeros(self._places[-1]),
            )
            for _ in range(1 + shared)
        ]
        self._begin, self._last = 0, last
        self._jobs: list[Future[bool]] = []
        self._submit()

    def _cuts(self, parts: int, width: float) -> NDArray[np.int64]:
        """Units at which parts begin and end that have about as much to draw."""
        load = np.cumsum(_LOOK + width * self._sources.rate)
        inside = np.searchsorted(load, load[-1] * np.arange(1, parts) / parts)
        return np.unique([0, *inside, load.size])

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _draw(self, part: int) -> bool:
        """Draw one part of the block that is next."""
        a, b = self._bounds[part : part + 2]
        n, last = self._places[part : part + 2]
        block = (self._ring, self._windows, self._renewal)
        return bool(_draw(self._cells, self._drives[0], self._sources, *block, part, a, b, n, last))

    def _submit(self) -> None:
        """Offer the parts of the block that is next to the other threads."""
        self._drives[0] = self._drives[0]._replace(begin=self._begin)
        if self._pool is not None and self._begin < self._last:
            parts = range(self._bounds.size - 1)
            self._jobs = [self._pool.submit(self._draw, part) for part in parts]

    def next_block(self) -> Drive | None:
        """The drive of the next windows. None: there is no room for what the sources give."""
        done = []
        for part in reversed(range(self._bounds.size - 1)):
            if not self._jobs or self._jobs[part].cancel():
                done.append(self._draw(part))
        done += [job.result() for job in self._jobs if not job.cancelled()]
        if not all(done):
            return None
        drive = self._drives.pop(0)
        self._drives.append(drive)
        self._begin += self._windows
        self._jobs = []
        self._submit()
        return drive

    @property
    def end(self) -> int:
        """The window up to which blocks were handed out."""
        return self._begin
