"""From sums to the numbers of a report: rungs of the ladder, and variants of a comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import decode
from eventsim.fidelity import metrics
from eventsim.fidelity.ladder import Rung, RungLayer
from eventsim.fidelity.plans import Plan
from eventsim.fidelity.result import Layer, Run, Variant
from eventsim.fidelity.sums import Sums
from eventsim.fidelity.task import Task

__all__ = ["rung", "variant"]


def rung(
    plan: Plan, sums: Sums, coarse: Sums, reference: Sums | None, second_draw: Sums | None
) -> Rung:
    """The numbers of a plan, with the coarse run, the rung before, and the yardstick."""
    first, labels = coarse.classes[0], sums.task.labels
    same = sums is coarse
    return Rung(
        name=plan.name,
        kind=plan.kind,
        reference=plan.reference,
        what=plan.what,
        window=plan.window,
        accuracy=tuple(metrics.accuracy(labels, classes) for classes in sums.classes),
        agreement=None
        if same
        else tuple(metrics.agreement(first, classes) for classes in sums.classes),
        ties=tuple(metrics.tie_share(outputs) for outputs in sums.outputs),
        change=None if reference is None else sums.against(reference),
        mcnemar=None if reference is None else sums.mcnemar(reference),
        from_coarse=None if same else sums.against(coarse),
        beyond_noise=sums.beyond_noise(coarse, second_draw),
        layers=tuple(
            RungLayer(name=name, n=sums.task.net[name].n, **layer.numbers(plan.window, same))
            for name, layer in sums.layers.items()
        ),
        counts=sums.outputs,
    )


def variant(
    plan: Plan, sums: Sums, coarse: Sums, second_draw: Sums | None, spread: float | None
) -> Variant:
    """The numbers of a plan, with the coarse run and the second draw as references."""
    task, reference = sums.task, coarse.classes[0]
    same = sums is coarse
    classes = sums.classes
    return Variant(
        name=plan.name,
        kind=plan.kind,
        spread=spread,
        runs=tuple(_run(task, outputs, None if same else reference) for outputs in sums.outputs),
        layers=tuple(_layer(sums, name, plan.window, same) for name in sums.layers),
        classes=metrics.per_class(task.labels, reference, classes[0], task.n_classes),
        change=None if same else sums.against(coarse),
        mcnemar=None if same else sums.mcnemar(coarse),
        beyond_noise=sums.beyond_noise(coarse, second_draw),
        events=sums.events,
    )


def _layer(sums: Sums, name: str, window: float, same: bool) -> Layer:
    layer, n = sums.layers[name], sums.task.net[name].n
    moments = sums.details["intervals"].moments(name)
    return Layer(
        name=name,
        n=n,
        spikes=layer.counts.y * n / layer.counts.n,
        isi_mean=moments.mean,
        isi_cv=moments.cv,
        isi_n=moments.n,
        **layer.numbers(window, same),
    )


def _run(task: Task, counts: NDArray[Any], reference: NDArray[np.int64] | None) -> Run:
    classes = decode.classes(counts)
    expected = metrics.expected_accuracy(task.labels, counts)
    return Run(
        accuracy=metrics.accuracy(task.labels, classes),
        agreement=None if reference is None else metrics.agreement(reference, classes),
        ties=metrics.tie_share(counts),
        silent=None if task.reads_potentials else metrics.share(decode.silent(counts)),
        expected_accuracy=0.0 if expected is None else expected,
        counts=counts,
        classes=classes,
    )
