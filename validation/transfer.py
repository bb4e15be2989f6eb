"""Trained networks keep their answers with pulses of one step; with deltas deep ones do not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import eventsim as es
from eventsim import plot
from validation.study import Check, Context, Study, points

__all__ = ["STUDY"]

DATA = Path(__file__).resolve().parent.parent / "data"
IMAGES = "fashion-mnist_test500.npz"
SEED = 20_003

#: Pulse widths in steps; the first is the one the verdict is about.
WIDTHS = (1.0, 0.0, 0.25, 0.5, 0.75, 2.0)


@dataclass(frozen=True)
class Case:
    """A shipped network and what is asked of it.

    ``loss``: accuracy that pulses may cost. ``beyond``: share of images whose class may change
    on top of those that change with another draw of the input. ``deltas_lose``: accuracy that
    deltas cost at least, beyond chance. None where nothing is claimed.
    """

    name: str
    placements: int
    widths: tuple[float, ...]
    loss: float
    beyond: float | None
    deltas_lose: float | None


CASES = (
    Case("shallow", 3, WIDTHS, 0.04, 0.02, None),
    Case("hidden", 3, WIDTHS, 0.02, 0.02, 0.05),
    Case("conv", 3, WIDTHS, 0.04, 0.02, 0.05),
    Case("conv2", 3, WIDTHS, 0.04, 0.02, 0.05),
    Case("lenet5", 3, WIDTHS, 0.08, None, 0.05),
    Case("lenet5_const", 1, WIDTHS, 0.08, None, 0.05),
)
QUICK_IMAGES = 20


def run(context: Context) -> list[Check]:
    """Comparison of each network at each pulse width, on the same input spikes."""
    with np.load(DATA / IMAGES, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    cases = CASES
    if context.quick:
        images, labels, cases = images[:QUICK_IMAGES], labels[:QUICK_IMAGES], CASES[:2]
    checks, rows, reports = [], [], {}
    # A run is weighed by the synapses of its network, or the estimate of the time left would be
    # that of the smallest.
    loaded = {case.name: es.load(DATA / f"{case.name}.h5") for case in cases}
    work = {c.name: _work(loaded[c.name][0]) * c.placements * len(c.widths) for c in cases}
    before, total = 0, sum(work.values())
    context.progress(0, total)
    for case in cases:
        net, disc = loaded[case.name]
        report = es.validate(
            net, disc, images, labels, jitter_seeds=case.placements, seed=SEED,
            **context.how(case.name),
            spread=case.widths[0] * disc.dt, spreads=[w * disc.dt for w in case.widths[1:]],
            progress=lambda done, runs, before=before, size=work[case.name]: context.progress(
                before + size * done // runs, total
            ),
        )  # fmt: skip
        before += work[case.name]
        reports[case.name] = report
        rows += _rows(case, report)
        checks += _checks(case, report)
        context.text(report.summary() + "\n", f"-{case.name}.txt")
    context.table(
        ("network", "variant", "width_steps", "runs", "accuracy_mean", "accuracy_least",
         "accuracy_largest", "change", "change_low", "change_high", "agreement_mean",
         "changed_beyond_noise", "beyond_low", "beyond_high", "ties_mean"),
        rows,
    )  # fmt: skip
    context.figure(_draw(cases, reports), "-width")
    return checks


def _work(net: es.Network) -> int:
    return sum(
        link.n_synapses(net[link.source].shape, net[link.target].shape)
        for link in net.projections
        if hasattr(link, "n_synapses")
    )


def _checks(case: Case, report: Any) -> list[Check]:
    pulses, deltas = report.continuous[0], report.continuous[1]
    change, beyond = pulses.change, pulses.beyond_noise
    checks = [
        Check(
            f"{case.name}, pulses of 1 step: loss of accuracy",
            f"< {100 * case.loss:g} points",
            points(-change.value, -change.high, -change.low),
            -change.value < case.loss,
        )
    ]
    if case.beyond is not None:
        checks.append(
            Check(
                f"{case.name}, pulses: classes changed, beyond those of a second draw",
                f"< {100 * case.beyond:g} points",
                points(beyond.value, beyond.low, beyond.high),
                beyond.value < case.beyond,
            )
        )
    if case.deltas_lose is not None:
        change = deltas.change
        checks.append(
            Check(f"{case.name}, deltas: loss of accuracy, all of its interval",
                  f"> {100 * case.deltas_lose:g} points",
                  points(-change.value, -change.high, -change.low),
                  -change.high > case.deltas_lose)
        )  # fmt: skip
    return checks


def _rows(case: Case, report: Any) -> list[tuple]:
    rows = []
    for variant in report.variants:
        width = "" if variant.spread is None else variant.spread / report.settings["dt"]
        agreement = variant.over_runs("agreement")
        rows.append((
            case.name, variant.name, width, len(variant.runs), *variant.over_runs("accuracy"),
            *_three(variant.change), agreement[0] if agreement else "",
            *_three(variant.beyond_noise), variant.over_runs("ties")[0],
        ))  # fmt: skip
    return rows


def _three(difference: Any) -> tuple:
    return (difference.value, difference.low, difference.high) if difference else ("", "", "")


def _draw(cases: list[Case], reports: dict[str, Any]):
    """Accuracy of the first placement over the pulse width, with the coarse one as reference."""
    from matplotlib import pyplot

    lines = -(-len(cases) // 3)
    _, axes = pyplot.subplots(
        lines, min(3, len(cases)), sharex=True, sharey=True, squeeze=False,
        figsize=(10.4, 3.2 * lines), layout="constrained",
    )  # fmt: skip
    for ax, case in zip(axes.flat, cases, strict=False):
        report = reports[case.name]
        shares = sorted((v.spread / report.settings["dt"], v.accuracy) for v in report.continuous)
        plot.accuracy_curve(
            [width for width, _ in shares],
            [share.value for _, share in shares],
            [share.low for _, share in shares],
            [share.high for _, share in shares],
            report.coarse.accuracy.value,
            xlabel="pulse width (steps)",
            reference_label="coarse",
            ax=ax,
        )
        ax.set_title(case.name, loc="left", fontsize="medium")
        ax.set_ylim(0.0, 100.0)
        ax.label_outer()
    return axes


STUDY = Study(
    "transfer",
    "With pulses of one step, shallow, hidden, conv and conv2 keep accuracy and answers in "
    "continuous time up to the noise of a second draw of the input, and lenet5 and lenet5_const "
    "keep most of their accuracy; with deltas, networks with a hidden layer lose theirs.",
    run,
)
