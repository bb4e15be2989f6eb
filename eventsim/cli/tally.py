"""What ``eventsim simulate`` tells of its samples, added up while they pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from eventsim import decode
from eventsim.cli.options import duration_text
from eventsim.cli.terminal import Work, headline, line, table
from eventsim.network import Network
from eventsim.recording import Result, Results

__all__ = ["Tally"]

#: Different reasons for incomplete runs that are told, at most.
REASONS = 3


class Tally:
    """Sums over samples.

    Parameters
    ----------
    net : Network
        What is run.
    expected : int
        Number of samples that are to come.
    """

    def __init__(self, net: Network, expected: int) -> None:
        self.net, self.expected = net, expected
        self.samples = self.late = self.events = 0
        self.interrupted = False
        self._spikes = dict.fromkeys(net.order, 0)
        self._engines: set[str] = set()
        self._reasons: dict[str, None] = {}  # a set that keeps the order
        self._classes: list[int] = []

    def add(self, result: Result) -> None:
        """Count one sample."""
        self.samples += 1
        self.events += result.n_events
        self._engines |= {result.engine} - {""}
        for name in self.net.order:
            self._spikes[name] += int(result.counts[name].sum())
        if len(self.net.outputs) == 1:
            self._classes.append(int(decode.classes(result.counts[self.net.outputs[0]][None])[0]))
        if not result.complete:
            self.late += 1
            self.interrupted |= result.stop_reason.startswith("interrupted")
            if len(self._reasons) < REASONS:
                self._reasons[result.stop_reason] = None

    def add_all(self, result: Result | Results) -> None:
        """Count a run or a batch."""
        for item in [result] if isinstance(result, Result) else result:
            self.add(item)

    def passing(self, results: Iterable[Result], work: Work) -> Iterator[Result]:
        """The same results, counted, with progress; Ctrl-C ends them."""
        try:
            for result in results:
                self.add(result)
                work(self.samples, self.expected)
                yield result
        except KeyboardInterrupt:
            self.interrupted = True
            if not self.samples:
                raise

    @property
    def complete(self) -> bool:
        """Whether every sample came and reached its end."""
        return not self.late and self.samples == self.expected

    def complain(self) -> None:
        """Say why runs are incomplete."""
        for reason in self._reasons:
            line(f"incomplete: {reason}", stderr=True)
        if self.samples < self.expected:
            line(f"interrupted: {self.samples:,} of {self.expected:,} samples", stderr=True)

    def words(self) -> str:
        """How many there are."""
        late = f", {self.late} incomplete" if self.late else ""
        return f"{_plural(self.samples, 'sample')}{late}"

    def show(self, t_stop: float, seconds: float | None) -> None:
        """Tell the spikes of each layer; speed too, unless ``seconds`` is None."""
        n = self.samples
        line(repr(self.net))
        headline(f"Spikes of {_plural(n, 'sample')} in {duration_text(t_stop)}")
        rows = []
        for name, total in self._spikes.items():
            size = self.net[name].n
            rows.append((
                name, f"{size:,}", f"{total:,}", f"{total / n:,.1f}", f"{total / n / size:.3f}",
            ))  # fmt: skip
        columns = ("layer", "neurons", "spikes", "per sample", "per sample and neuron")
        table(columns, rows, numbers=(1, 2, 3, 4))
        # A run that compiled says nothing about speed.
        speed = f", {self.events / seconds:,.0f} per second" if seconds else ""
        engines = " and ".join(sorted(self._engines)) or "no"
        line(f"{self.events:,} synaptic events{speed}; {engines} engine")

    def show_accuracy(self, labels: Any) -> None:
        """Tell the share of right answers, where one layer gives them."""
        from eventsim.fidelity import metrics
        from eventsim.fidelity.words import share_text

        if len(self.net.outputs) == 1:
            right = metrics.accuracy(labels[: self.samples], np.array(self._classes))
            line(
                f"right answers, %: {share_text(right)} (class of most output spikes; "
                "95 % interval)"
            )


def _plural(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
