"""Checks before the run: what the coarse network alone says about its transfer."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks, decode
from eventsim.discretization import Discretization
from eventsim.encode import encode
from eventsim.errors import UnsupportedNetwork
from eventsim.fidelity import cautions, forecast_words, metrics
from eventsim.fidelity.cautions import Caution
from eventsim.fidelity.drive import DriveSums, LayerDrive
from eventsim.fidelity.metrics import Share
from eventsim.fidelity.task import Task, check_task
from eventsim.network import Network
from eventsim.populations import Population
from eventsim.save.report import JsonReport

__all__ = ["Answers", "Forecast", "forecast"]

#: Samples that are looked at unless told otherwise.
SAMPLES = 200

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Answers:
    """The answers of the coarse network.

    Attributes
    ----------
    accuracy : Share or None
        Samples whose class is their label. None without labels.
    second_draw : Share or None
        Samples that keep their class when the input is drawn again, the yardstick of agreement.
        None where the encoder draws nothing.
    ties, close, silent : Share
        Samples whose largest output count is shared; that lead by one spike or none; without any
        output spike.
    margin : float
        Spikes by which the class leads the next one, mean over the samples.
    late : Share
        Of the samples with an output spike, those that change their class, or have no output spike
        left, when the output spikes of the last steps are left out, as many as pulses delay the
        output.
    """

    accuracy: Share | None
    second_draw: Share | None
    ties: Share
    close: Share
    silent: Share
    margin: float
    late: Share


@dataclass(frozen=True, eq=False)
class Forecast(JsonReport):
    """What the coarse network alone says about its transfer to continuous time.

    Attributes
    ----------
    layers : tuple of LayerDrive
        Drive and spikes of each layer of neurons, from input to output.
    answers : Answers
        Ties, margins and late spikes of the output.
    excursion : float
        Excursion of the network, in thresholds: the root of the sum over all layers of
        ``from_neurons`` squared, divided by the number of steps if each step has a draw of the
        input of its own. It decides the risk with deltas.
    delay : float
        Share of the window by which pulses of one step delay the output: half a step for every
        layer that is fed with spikes.
    warnings : tuple of Caution
        What decides the risk first, then notes.
    settings, provenance
        What was run; software, network and data.

    Examples
    --------
    >>> from eventsim import Dense, Discretization, Input, Network, Population, forecast
    >>> net = Network([Input("image", 2), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("image", "out", [[1.2, 0.0], [0.0, 1.2]])])
    >>> images = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> found = forecast(net, Discretization(dt=1e-3, steps=8), images)
    >>> found.risk
    {'deltas': 'low', 'pulses': 'low'}
    >>> found["out"].mean
    0.6
    """

    layers: tuple[LayerDrive, ...]
    answers: Answers
    excursion: float
    delay: float
    warnings: tuple[Caution, ...]
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]

    def __getitem__(self, name: str) -> LayerDrive:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"{name!r} is none of {[layer.name for layer in self.layers]}")

    @property
    def late(self) -> float:
        """Share of the answers that hang on late spikes; 1 where no sample has an output spike."""
        return _late(self.answers)

    @property
    def risk(self) -> dict[str, str]:
        """``"low"``, ``"raised"`` or ``"high"`` for ``"deltas"`` and for ``"pulses"`` of a step."""
        return {kind: cautions.risk(self.warnings, kind) for kind in ("deltas", "pulses")}

    def summary(self) -> str:
        """Risks, layers, answers and warnings as plain text, 98 columns wide or less."""
        return forecast_words.summary(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as for JSON. Undefined numbers are None, never NaN."""
        return {
            "format": "eventsim forecast",
            "version": 1,
            "risk": self.risk,
            "excursion": self.excursion,
            "late": self.late,
            "delay": self.delay,
            "limits": {
                name: limits._asdict()
                for name, limits in (
                    ("excursion", cautions.EXCURSION),
                    ("late", cautions.LATE),
                    ("delay", cautions.DELAY),
                    ("silent", cautions.SILENT),
                )
            },
            "settings": dict(self.settings),
            "answers": dataclasses.asdict(self.answers),
            "layers": [dataclasses.asdict(layer) for layer in self.layers],
            "warnings": [caution.to_dict() for caution in self.warnings],
            "provenance": dict(self.provenance),
        }

    def __repr__(self) -> str:
        risks = ", ".join(f"{kind} {word}" for kind, word in self.risk.items())
        return f"Forecast({self.settings['samples']} samples; risk: {risks})"


def _late(answers: Answers) -> float:
    return 1.0 if answers.late.value is None else answers.late.value


def forecast(
    net: Network,
    disc: Discretization,
    images: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    steps: int | None = None,
    samples: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Forecast:
    """Say from the coarse network alone where its continuous counterpart may go astray.

    The coarse twin runs on some of the images, in seconds; nothing is simulated in continuous
    time. What it drives its neurons with, and when its output spikes, tells how much it leans on
    what the coarse model takes for granted.

    Parameters
    ----------
    net : Network
        As in :func:`eventsim.validate`.
    disc : Discretization
        How the network was trained.
    images : array [sample, ...]
        At least two. Floats from 0 to 1, or uint8 bytes, which are divided by 255.
    labels : array of int [sample], optional
        True classes, for the accuracy.
    steps : int, optional
        Steps of a presentation, where it is not ``disc.steps``.
    samples : int, optional
        So many of the images, evenly spread over all of them. Default 200, or all of fewer.
    seed : int
        Seed of the input spikes, >= 0. An image has the spikes that it has in
        :func:`eventsim.validate`.
    threads : int, optional
        Default all cores. No effect on results.
    progress : callable, optional
        Called with (samples done, samples in all).

    Returns
    -------
    Forecast

    Raises
    ------
    InvalidValue, InvalidType
        Labels that do not fit, images of another size or range, fewer than two samples, no
        Discretization, or an option out of range.
    UnsupportedNetwork
        Several Inputs or outputs, or what the twin cannot express.

    Examples
    --------
    >>> from eventsim import Dense, Input, Population
    >>> neurons = dict(tau_mem=4e-3, t_ref=1e-3)
    >>> net = Network([Input("image", 2), Population("hidden", 2, **neurons),
    ...                Population("out", 2, **neurons)],
    ...               [Dense("image", "hidden", [[2.0, 0.0], [0.0, 2.0]]),
    ...                Dense("hidden", "out", [[3.0, -3.0], [-3.0, 3.0]])])
    >>> images = np.array([[1.0, 0.5], [0.5, 1.0]])
    >>> found = forecast(net, Discretization(dt=1e-3, steps=8), images)
    >>> found.risk["deltas"], found.warnings[0].layer
    ('high', 'out')

    Notes
    -----
    The limits of the warnings, and how far they can be trusted, are in the study ``forecast`` of
    the folder ``validation``.
    """
    given = np.zeros(np.asarray(images).shape[:1], np.int64) if labels is None else labels
    task = check_task(net, disc, images, given, where="forecast", steps=steps, seed=seed)
    if task.reads_potentials:
        raise UnsupportedNetwork(
            "forecast: net: expected an output population that spikes, as the limits were measured "
            f"with classes by counts, got {task.output.name!r} with v_threshold = inf"
        )
    if task.disc.cells:
        named = sorted({cell.label for cell in task.disc.cells.values()})
        raise UnsupportedNetwork(
            "forecast: disc: expected one of the coarse rules, whose limits were measured, got the "
            f"rules of a framework ({', '.join(named)}): "
            "eventsim.attribute says what the gap consists of"
        )
    ids = _chosen(task, samples)
    cores = os.cpu_count() or 1 if threads is None else checks.whole(
        "forecast", "threads", threads, 1
    )  # fmt: skip
    sums = {
        name: DriveSums(task.net, task.disc, name)
        for name in task.layers
        if isinstance(task.net[name], Population)
    }
    found, again = [], []
    for first in range(0, ids.size, task.shard_samples):
        part = ids[first : first + task.shard_samples]
        x = encode(task.pixels[part], task.disc, seed=task.seed, sample_ids=part)
        spikes, drive, potential = (
            _run(task, x, cores, record) for record in ("spikes", "drive", "potential")
        )
        for layer in sums.values():
            layer.add(spikes, drive, potential)
        found.append(spikes[task.output.name])
        if task.draws:
            # The first further draw of validate.
            other = encode(task.pixels[part], task.disc, seed=(task.seed, 1), sample_ids=part)
            again.append(_run(task, other, cores, "spikes")[task.output.name])
        if progress is not None:
            progress(first + part.size, ids.size)
    lag = 0.5 * _depth(task.net)
    layers = tuple(layer.layer() for layer in sums.values())
    answers = _answers(
        np.concatenate(found),
        np.concatenate(again) if again else None,
        lag,
        None if labels is None else task.labels[ids],
    )
    # What regular input does in one step it does in the others too: they average nothing out.
    draws = task.disc.steps if task.draws else 1
    excursion = math.sqrt(sum(layer.from_neurons**2 for layer in layers) / draws)
    delay = lag / task.disc.steps
    late, close, silent = _late(answers), answers.close.value, answers.silent.value
    assert close is not None and silent is not None
    output = task.output.name
    return Forecast(
        layers=layers,
        answers=answers,
        excursion=excursion,
        delay=delay,
        warnings=(
            *cautions.decisive(
                layers, output, excursion=excursion, late=late, delay=delay, silent=silent
            ),
            *cautions.notes(layers, output, close),
        ),
        settings={
            "samples": int(ids.size),
            "images": task.samples,
            "steps": task.disc.steps,
            "dt": task.disc.dt,
            "encoder": task.disc.encoder,
            "seed": task.seed,
            "output": output,
            "tie_rule": "lowest index",
            "level": metrics.LEVEL,
        },
        provenance=task.provenance() | ({"labels": None} if labels is None else {}),
    )


def _chosen(task: Task, samples: int | None) -> NDArray[np.int64]:
    """Ids of the samples to look at, evenly spread."""
    if samples is None:
        samples = min(SAMPLES, task.samples)
    elif checks.whole("forecast", "samples", samples, 2) > task.samples:
        raise checks.fail("forecast", "samples", f"at most {task.samples}", samples)
    return np.arange(samples, dtype=np.int64) * task.samples // samples


def _run(task: Task, x: NDArray[Any], threads: int, record: str) -> dict[str, NDArray[Any]]:
    """What the twin records of every population."""
    found = task.disc.run(task.net, x, layers=True, record=record, threads=threads)
    assert isinstance(found, dict)
    return found


def _depth(net: Network) -> int:
    """Layers of neurons that are fed with spikes, on the longest way that a step passes."""
    depth: dict[str, int] = {}
    for name in net.order:
        links = [link for link in net.projections if link.target == name]
        before = [depth[link.source] for link in links if link.min_delay == 0.0]
        depth[name] = max(before, default=0) + (bool(links) and isinstance(net[name], Population))
    return max(depth.values())


def _answers(
    spikes: NDArray[Any],
    again: NDArray[Any] | None,
    lag: float,
    labels: NDArray[np.int64] | None,
) -> Answers:
    """Of output spikes in steps [sample, step, n]; ``lag`` in steps."""
    counts = spikes.sum(axis=1, dtype=np.int64)
    classes = decode.classes(counts)
    steps = np.arange(spikes.shape[1])
    # Of a step that is half too late, spikes count half.
    early = np.tensordot(spikes, np.clip(steps[-1] + 1 - lag - steps, 0.0, 1.0), axes=(1, 0))
    spoke = counts.sum(axis=1) > 0
    changed = (early.sum(axis=1) == 0) | (early.argmax(axis=1) != classes)
    margins = metrics.margins(counts) if counts.shape[1] > 1 else counts[:, 0]
    return Answers(
        accuracy=None if labels is None else metrics.accuracy(labels, classes),
        second_draw=None
        if again is None
        else metrics.agreement(classes, decode.classes(again.sum(axis=1, dtype=np.int64))),
        ties=metrics.tie_share(counts),
        close=metrics.share(margins <= 1),
        silent=metrics.share(~spoke),
        margin=float(margins.mean()),
        late=metrics.share(changed[spoke]),
    )
