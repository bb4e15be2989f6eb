"""Where the gap of each shipped network comes from: the ladder from coarse to continuous."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import eventsim as es
from eventsim.fidelity.ladder import LadderReport
from validation.study import Check, Context, Study, points

__all__ = ["STUDY"]

DATA = Path(__file__).resolve().parent.parent / "data"
IMAGES = "fashion-mnist_test500.npz"
SEED = 20_041
QUICK_IMAGES = 12


@dataclass(frozen=True)
class Case:
    """A shipped network and what is claimed of it.

    ``neuron``: accuracy that changes of the neuron may cost (arrivals at their times, the threshold
    tested inside the step). ``network``: what those of the network may cost (pooling, spike times
    between layers). ``window``: share of what the continuous run loses that a window longer by
    a step for each layer must bring back; None where nothing is claimed.
    """

    name: str
    placements: int
    neuron: float
    network: float
    window: float | None = None


CASES = (
    Case("shallow", 3, 0.03, 0.03),
    Case("hidden", 3, 0.03, 0.03),
    Case("conv", 3, 0.03, 0.03),
    Case("conv2", 3, 0.03, 0.03),
    Case("lenet5", 1, 0.08, 0.04, 0.5),
    Case("lenet5_const", 1, 0.08, 0.04),
)

#: Single changes. The rungs between endcheck and rejit hand nothing on, so that their changes
#: largely undo each other, and are not claimed anything of.
CHANGES = (
    ("coarse", "endcheck"),
    ("endcheck", "rejit"),
    ("rejit", "pooling"),
    ("rejit", "continuous"),
    ("pooling", "continuous"),
)


def run(context: Context) -> list[Check]:
    """The ladder of each network, with pulses of one step; variants: deltas and longer windows."""
    with np.load(DATA / IMAGES, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    cases: tuple[Case, ...] = CASES
    if context.quick:
        images, labels, cases = images[:QUICK_IMAGES], labels[:QUICK_IMAGES], CASES[:2]
    checks, rows, reports = [], [], {}
    for k, case in enumerate(cases):
        net, disc = es.load(DATA / f"{case.name}.h5")
        report = es.attribute(
            net, disc, images, labels, jitter_seeds=case.placements, seed=SEED, tau_syns=[],
            delays=[], **context.how(case.name),
            progress=lambda done, runs, k=k: context.progress(
                1000 * k + 1000 * done // runs, 1000 * len(cases)
            ),
        )  # fmt: skip
        reports[case.name] = report
        rows += [_row(case, rung) for rung in report.rungs]
        checks += _checks(case, report)
        context.text(report.summary() + "\n", f"-{case.name}.txt")
    context.table(
        ("network", "rung", "kind", "runs", "accuracy", "change", "change_low", "change_high",
         "agreement", "beyond_noise", "ties"),
        rows,
    )  # fmt: skip
    context.figure(_draw(reports))
    return checks


def _row(case: Case, rung: Any) -> tuple:
    change = rung.change
    return (
        case.name, rung.name, rung.kind, len(rung.accuracy), rung.mean("accuracy"),
        *((change.value, change.low, change.high) if change else ("", "", "")),
        rung.mean("agreement") or "", rung.beyond_noise.value if rung.beyond_noise else "",
        rung.mean("ties"),
    )  # fmt: skip


def _checks(case: Case, report: LadderReport) -> list[Check]:
    gap = report.gap.change
    checks = []
    for before, after in CHANGES:
        found = [e for e in report.effects if (e.before, e.after) == (before, after)]
        if not found:
            continue
        change = found[0].change
        limit = case.neuron if after in ("endcheck", "rejit") else case.network
        checks.append(
            Check(
                f"{case.name}: loss from {before} to {after}",
                f"< {100 * limit:g} points",
                points(-change.value, -change.high, -change.low),
                -change.value < limit,
            )
        )
    if case.window is not None:
        longer = max(
            (r for r in report.rungs if r.name.startswith("window")), key=lambda r: r.window
        )
        assert longer.change is not None
        back = longer.change
        lost = -gap.value
        checks.append(
            Check(
                f"{case.name}: points that a window longer by a step a layer brings back",
                f"> {100 * case.window * lost:.1f} (half of the {100 * lost:.1f} lost)",
                points(back.value, back.low, back.high),
                back.value > case.window * lost,
            )
        )
    return checks


def _draw(reports: dict[str, LadderReport]) -> Any:
    """Change of each rung in points, with its interval, network by network."""
    from matplotlib import pyplot

    from eventsim.plot import style

    lines = -(-len(reports) // 3)
    _, axes = pyplot.subplots(
        lines, min(3, len(reports)), sharex=True, sharey=True, squeeze=False,
        figsize=(10.4, 3.2 * lines), layout="constrained",
    )  # fmt: skip
    order = list(dict.fromkeys(
        rung.name for report in reports.values() for rung in report.rungs
        if rung.change is not None and rung.kind != "variant"
    ))  # fmt: skip
    # Pooling comes before continuous, wherever it was met first.
    order.sort(key=lambda name: name == "continuous")
    at = {name: -k for k, name in enumerate(order)}
    for ax, (name, report) in zip(axes.flat, reports.items(), strict=False):
        ax.axvline(0.0, color=style.GREY, lw=1.0, zorder=0)
        for rung in report.rungs:
            if rung.name not in at:
                continue
            change = rung.change
            value, low, high = (100 * v for v in (change.value, change.low, change.high))
            color = style.GREY if rung.kind == "yardstick" else style.EXACT
            ax.errorbar(
                value, at[rung.name], xerr=[[value - low], [high - value]], fmt="o", color=color,
                ms=5, capsize=3, elinewidth=1.2,
            )  # fmt: skip
        first, last = (100 * (report[r].mean("accuracy") or 0) for r in ("coarse", "continuous"))
        ax.set_title(f"{name}: {first:.1f} to {last:.1f} %", loc="left", fontsize="medium")
        if ax in axes[-1]:
            ax.set_xlabel("change of accuracy (points)")
        ax.set_yticks(list(at.values()), list(at))
        ax.spines[["top", "right"]].set_visible(False)
    return axes


STUDY = Study(
    "causes",
    "With pulses of one step no single change from the coarse to the continuous model costs "
    "shallow, hidden, conv or conv2 3 points of accuracy. With max pooling it may be more; pooling "
    "and the times of spikes between layers cost lenet5 and lenet5_const less than 4 points each, "
    "and more than half of what lenet5 loses comes back with a window that is longer by a step for "
    "each layer.",
    run,
)
