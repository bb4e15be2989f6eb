"""The comparison: coarse twin, second draw of its input, and exact runs on the same spikes."""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks, decode
from eventsim.discretization import Discretization
from eventsim.encode import encode, to_currents, to_spike_trains
from eventsim.errors import EventsimError, IncompleteRunWarning
from eventsim.fidelity import metrics
from eventsim.fidelity.result import Disagreement, FidelityReport
from eventsim.fidelity.tally import Tally, step_intervals
from eventsim.fidelity.task import Task, check_task
from eventsim.network import Network
from eventsim.populations import Population
from eventsim.provenance import run_provenance
from eventsim.recording import Results
from eventsim.simulate import simulate

__all__ = ["validate"]

#: Disagreeing samples whose pictures a report carries.
PICTURES = 24

Progress = Callable[[int, int], None]


def validate(
    net: Network,
    disc: Discretization,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    steps: int | None = None,
    jitter_seeds: int = 1,
    spread: float | None = None,
    spreads: Sequence[float] = (),
    extend: float | bool = False,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    engine: str = "auto",
) -> FidelityReport:
    """Compare the continuous network with the coarse one, on the same input spikes.

    The images are encoded once. The coarse twin runs on these spikes in steps. The exact
    simulation runs on the same spikes, each placed at a uniform time within its step, once for
    each jitter seed and pulse width. Since the coarse model's own answer depends on the draw of
    its input, its agreement with itself on as many further draws is the yardstick.

    Parameters
    ----------
    net : Network
        One Input and one output population. For the encoder ``"constant"``: no Input, and the
        population without arriving projections takes the image as constant currents.
    disc : Discretization
        How the network was trained.
    images : array [sample, ...]
        At least two. Floats from 0 to 1, or uint8 bytes, which are divided by 255.
    labels : array of int [sample]
        True classes, indices of output neurons.
    steps : int, optional
        Steps of a presentation, where it is not ``disc.steps``.
    jitter_seeds : int
        Continuous runs of each variant, with other times of the input spikes within their steps;
        also the number of further draws of the coarse network. Default 1.
    spread : float, optional
        Pulse width in seconds of every synapse, 0 for deltas. Default ``disc.spread``. The
        verdict is about this one.
    spreads : sequence of float
        More widths to run.
    extend : float or bool
        Seconds by which the continuous window is longer, so that deep layers see the last input.
        True: one step. Default none.
    seed : int
        Seed of all draws, >= 0. Run 0 takes ``encode(images, disc, seed=seed)`` and
        ``to_spike_trains(x, disc.dt, seed=seed)``; further draw or placement k takes the seed
        ``(seed, k)``.
    threads : int, optional
        Default all cores. No effect on results.
    progress : callable, optional
        Called with (sample runs done, sample runs in all).
    engine : {"auto", "layered", "windowed", "queue"}
        As in :func:`eventsim.simulate`. No effect on results.

    Returns
    -------
    FidelityReport

    Raises
    ------
    InvalidValue, InvalidType
        Labels that do not fit, images of another size or range, fewer than two samples, no
        Discretization, or an option out of range.
    UnsupportedNetwork
        Several Inputs or outputs, an analog image that passes weights, or what the twin or the
        engine cannot express.
    EventsimError
        A run exceeded its event budget.

    Examples
    --------
    >>> from eventsim import Dense, Input, Population
    >>> net = Network([Input("image", 2), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("image", "out", [[1.2, 0.0], [0.0, 1.2]])])
    >>> images = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> report = validate(net, Discretization(dt=1e-3, steps=8), images, [0, 1], spreads=[0.0])
    >>> [variant.name for variant in report.continuous]
    ['continuous, pulses of 1 step', 'continuous, deltas']
    >>> report.coarse.accuracy.value
    1.0

    Notes
    -----
    The tie rule is that of :func:`eventsim.decode.classes`: the lowest index wins.
    """
    task = check_task(
        net, disc, images, labels, steps=steps, jitter_seeds=jitter_seeds, spread=spread,
        spreads=spreads, extend=extend, seed=seed,
    )  # fmt: skip
    cores = os.cpu_count() or 1 if threads is None else checks.whole(
        "validate", "threads", threads, 1
    )  # fmt: skip
    comparison = _Comparison(task, cores, engine, progress)
    for ids in task.chunks(cores):
        comparison.run(ids)
    return comparison.report()


class _Comparison:
    """Tallies of all variants, filled chunk by chunk."""

    def __init__(self, task: Task, cores: int, engine: str, progress: Progress | None) -> None:
        self.task, self.cores, self.engine, self._progress = task, cores, engine, progress
        length = task.disc.duration
        self.coarse = Tally(task, "coarse", "coarse", None, 1, length)
        further = "second draw" if task.draws == 1 else f"{task.draws} further draws"
        self.second = (
            Tally(task, f"coarse, {further}", "second draw", None, task.draws, length)
            if task.draws
            else None
        )
        self.continuous = [
            Tally(task, _name(task, width), "continuous", width, task.runs, task.window)
            for width in task.spreads
        ]
        self.nets = [task.net.with_spread(width) for width in task.spreads]
        self.done = 0
        self.total = task.samples * (1 + task.draws + task.runs * len(task.spreads))

    def run(self, ids: NDArray[np.int64]) -> None:
        """All variants on some of the samples."""
        task = self.task
        x = encode(task.pixels[ids], task.disc, seed=task.seed, sample_ids=ids)
        coarse = self._twin(self.coarse, 0, ids, x, None)
        for k in range(task.draws):
            other = encode(task.pixels[ids], task.disc, seed=(task.seed, k + 1), sample_ids=ids)
            self._twin(self.second, k, ids, other, coarse)
        for k in range(task.runs):
            arguments = self._inputs(x, ids, k)
            for tally, net in zip(self.continuous, self.nets, strict=True):
                self._exact(tally, net, k, ids, arguments, coarse)

    def _twin(
        self,
        tally: Tally | None,
        run: int,
        ids: NDArray[np.int64],
        x: NDArray[Any],
        coarse: dict[str, NDArray[np.int64]] | None,
    ) -> dict[str, NDArray[np.int64]]:
        """Counts of every layer in the coarse model."""
        assert tally is not None
        began = time.perf_counter()
        spikes = self.task.disc.run(self.task.net, x, layers=True, threads=self.cores)
        tally.seconds += time.perf_counter() - began
        assert isinstance(spikes, dict)
        counts = {name: spikes[name].sum(axis=1, dtype=np.int64) for name in tally.layers}
        tally.add_counts(run, ids, counts if coarse is None else coarse, counts)
        if run == 0:
            for name in tally.layers:
                samples = (step_intervals(sample, self.task.disc.dt) for sample in spikes[name])
                tally.add_intervals(name, samples)
        self._advance(len(ids))
        return counts

    def _inputs(self, x: NDArray[Any], ids: NDArray[np.int64], run: int) -> dict[str, Any]:
        """What the continuous network gets for the input of the coarse one."""
        task = self.task
        if isinstance(task.entry, Population):
            return {"inputs": {}, "currents": to_currents(x, task.disc, task.entry)}
        seed = task.seed if run == 0 else (task.seed, run)
        trains = to_spike_trains(x, task.disc.dt, seed=seed, sample_ids=ids)
        return {"inputs": {task.entry.name: trains}}

    def _exact(
        self,
        tally: Tally,
        net: Network,
        run: int,
        ids: NDArray[np.int64],
        arguments: dict[str, Any],
        coarse: dict[str, NDArray[np.int64]],
    ) -> None:
        """One continuous run; spikes are kept only where intervals are taken from them."""
        before = self.done
        with warnings.catch_warnings():
            # _complete turns an incomplete run into an error.
            warnings.simplefilter("ignore", IncompleteRunWarning)
            results = simulate(
                net,
                t_stop=self.task.window,
                record=tally.layers if run == 0 else "counts",
                engine=self.engine,
                threads=self.cores,
                progress=lambda done, _: self._advance(before + done - self.done),
                **arguments,
            )
        assert isinstance(results, Results)
        _complete(results, ids)
        tally.seconds += results.wall_s
        tally.events += results.n_events
        tally.add_counts(run, ids, coarse, results.counts)
        if run == 0:
            for name in tally.layers:
                tally.add_intervals(name, (metrics.isi(r.spikes[name]) for r in results))

    def _advance(self, samples: int) -> None:
        self.done += samples
        if self._progress is not None:
            self._progress(self.done, self.total)

    def report(self) -> FidelityReport:
        """The numbers of all variants."""
        task, coarse = self.task, self.coarse
        disagreements = _disagreements(task, coarse, self.continuous[0])
        pictures = {}
        if task.pictures is not None:
            pictures = {d.sample: task.pictures[d.sample] for d in disagreements[:PICTURES]}
        tallies = [coarse, *([self.second] if self.second else []), *self.continuous]
        return FidelityReport(
            coarse=coarse.variant(coarse),
            second_draw=self.second.variant(coarse) if self.second else None,
            continuous=tuple(t.variant(coarse, self.second) for t in self.continuous),
            disagreements=disagreements,
            settings=_settings(task),
            assumptions=tuple(task.disc.assumptions()),
            provenance=run_provenance(
                task.net,
                engine=self.engine,
                images=_digest(task.pixels),
                labels=_digest(task.labels),
                discretization=task.disc.to_dict(),
            ),
            timing={
                tally.name: {
                    "seconds": tally.seconds,
                    "events": tally.events,
                    "events_per_second": tally.events / tally.seconds if tally.seconds else 0.0,
                }
                for tally in tallies
            },
            pictures=pictures,
        )


def _name(task: Task, spread: float) -> str:
    if spread == 0:
        return "continuous, deltas"
    steps = spread / task.disc.dt
    return f"continuous, pulses of {steps:.4g} step{'' if steps == 1 else 's'}"


def _complete(results: Results, ids: NDArray[np.int64]) -> None:
    """Half a comparison is none: pass on Ctrl-C, and refuse a run that was cut short."""
    late = [(i, r.stop_reason) for i, r in zip(ids, results, strict=True) if not r.complete]
    if not late:
        return
    if any("interrupted" in reason for _, reason in late):
        raise KeyboardInterrupt
    sample, reason = late[0]
    raise EventsimError(
        f"validate: sample {sample}: expected a run to the end of the window, got: {reason}"
    )


def _disagreements(task: Task, coarse: Tally, other: Tally) -> tuple[Disagreement, ...]:
    """Samples that change class in the first run, the firmest first, then in order."""
    a, b = coarse.outputs[0], other.outputs[0]
    first, second = decode.classes(a), decode.classes(b)
    margin = metrics.margins(a, first, second) + metrics.margins(b, second, first)
    samples = np.flatnonzero(first != second)
    ranked = samples[np.argsort(-margin[samples], kind="stable")]
    return tuple(
        Disagreement(
            sample=int(i),
            label=int(task.labels[i]),
            coarse=int(first[i]),
            continuous=int(second[i]),
            margin=int(margin[i]),
            coarse_counts=tuple(a[i].tolist()),
            continuous_counts=tuple(b[i].tolist()),
        )
        for i in ranked
    )


def _settings(task: Task) -> dict[str, Any]:
    return {
        "samples": task.samples,
        "steps": task.disc.steps,
        "dt": task.disc.dt,
        "window": task.window,
        "extend": task.extend,
        "encoder": task.disc.encoder,
        "spreads": list(task.spreads),
        "jitter_seeds": task.jitter_seeds,
        "draws": task.draws,
        "seed": task.seed,
        "output": task.output.name,
        "tie_rule": "lowest index",
        "level": metrics.LEVEL,
    }


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()
