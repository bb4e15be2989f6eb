"""Max pooling of spikes: which continuous rule stands for the OR over a step."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from eventsim.fidelity import metrics
from validation.study import Check, Context, Study, points

__all__ = ["STUDY"]

DATA = Path(__file__).resolve().parent.parent / "data"
SEED = 20_008
IMAGES, QUICK_IMAGES = 2_000, 12

#: Accuracy that the default rule may cost against the coarse network.
LOSS = {"lenet5": 0.08, "lenet5_const": 0.08}
#: Accuracy that another rule may have more, or less, than the default one.
APART = 0.05


@dataclass(frozen=True)
class Rule:
    """A rule, for ``first_spike`` with the steps for which a window stays closed."""

    name: str
    rule: str
    closed: float | None = None


DEFAULT = Rule("first spike, closed 1 step", "first_spike", 1.0)
RULES = (
    DEFAULT,
    Rule("first spike, closed 1/2 step", "first_spike", 0.5),
    Rule("first spike, closed 2 steps", "first_spike", 2.0),
    Rule("every spike", "every_spike"),
    Rule("leader", "leader"),
)

COLUMNS = (
    "network", "rule", "images", "coarse", "accuracy", "low", "high", "change", "change_low",
    "change_high", "agreement", "agreement_low", "agreement_high", "second_draw_agreement",
    "pool_rate_over_coarse",
)  # fmt: skip

Key = tuple[str, Rule]


def run(context: Context) -> list[Check]:
    """Each network under each rule, with pulses of one step, on the same input spikes."""
    images, labels = _images(context.quick)
    names = ("lenet5",) if context.quick else tuple(LOSS)
    keys = [(name, rule) for name in names for rule in RULES]
    reports: dict[Key, Any] = {}
    for k, (name, rule) in enumerate(keys):
        net, disc = es.load(DATA / f"{name}.h5")
        reports[name, rule] = es.validate(
            with_rule(net, rule, disc.dt), disc, images, labels, seed=SEED,
            **context.how(f"{name}-{k}"),
            progress=lambda done, runs, k=k: context.progress(
                k * runs + done, len(keys) * runs
            ),
        )  # fmt: skip
    rows = [_row(key, report, len(labels)) for key, report in reports.items()]
    context.table(COLUMNS, rows)
    context.figure(_draw([dict(zip(COLUMNS, row, strict=True)) for row in rows]))
    return _checks(reports, labels)


def with_rule(net: es.Network, rule: Rule, dt: float) -> es.Network:
    """The network with this rule in all its max pools."""
    window = None if rule.closed is None else rule.closed * dt
    return es.Network(
        net.populations,
        [
            dataclasses.replace(link, rule=rule.rule, window=window)
            if isinstance(link, es.MaxPool2d)
            else link
            for link in net.projections
        ],
    )


def _images(quick: bool) -> tuple[NDArray, NDArray]:
    """The first test images; for a quick run of those that come with the repository."""
    if quick:
        with np.load(DATA / "fashion-mnist_test500.npz", allow_pickle=False) as file:
            return file["images"][:QUICK_IMAGES], file["labels"][:QUICK_IMAGES].astype(np.int64)
    from models import datasets

    data = datasets.load("fashion-mnist")
    return data.test_images[:IMAGES], data.test_labels[:IMAGES]


def _checks(reports: dict[Key, Any], labels: NDArray) -> list[Check]:
    checks = []
    for name in dict.fromkeys(name for name, _ in reports):
        default = reports[name, DEFAULT]
        change = default.continuous[0].change
        limit = LOSS[name]
        checks.append(
            Check(f"{name}, {DEFAULT.name}: accuracy lost against coarse",
                  f"< {100 * limit:g} points",
                  points(-change.value, -change.high, -change.low), -change.value < limit)
        )  # fmt: skip
        own, reference = _classes(default), default.coarse.runs[0].classes
        for rule in RULES[1:]:
            other = _classes(reports[name, rule])
            apart = metrics.paired_difference(own == labels, other == labels)
            checks.append(
                Check(f"{name}, {rule.name}: accuracy less that of the default",
                      f"within {100 * APART:g} points", points(*_three(apart)),
                      abs(apart.value) < APART)
            )  # fmt: skip
            if rule.closed is None:
                closer = metrics.paired_difference(other == reference, own == reference)
                checks.append(
                    Check(f"{name}, {rule.name}: class as coarse, by which the default has more",
                          "> 0, all of its interval", points(*_three(closer)), closer.low > 0)
                )  # fmt: skip
    return checks


def _classes(report: Any) -> NDArray[np.int64]:
    return report.continuous[0].runs[0].classes


def _three(difference: Any) -> tuple[float, float, float]:
    return difference.value, difference.low, difference.high


def _row(key: Key, report: Any, images: int) -> tuple:
    name, rule = key
    exact = report.continuous[0]
    second = report.second_draw
    return (
        name, rule.name, images, report.coarse.accuracy.value,
        *_three(exact.accuracy), *_three(exact.change), *_three(exact.agreement),
        second.agreement.value if second else "", _pooled(exact) / _pooled(report.coarse),
    )  # fmt: skip


def _pooled(variant: Any) -> float:
    """Spikes that pass the pools of a network, mean over the images."""
    return sum(layer.spikes for layer in variant.layers if layer.name.startswith("pool"))


def _draw(rows: list[dict[str, Any]]):
    """Accuracy, and class as coarse, of each rule; dashed the coarse accuracy, or second draw."""
    from matplotlib import pyplot

    from eventsim.plot import style

    names = list(dict.fromkeys(row["network"] for row in rows))
    _, axes = pyplot.subplots(
        len(names), 2, sharex="col", squeeze=False, figsize=(9.0, 0.6 + 1.9 * len(names)),
        layout="constrained",
    )  # fmt: skip
    for line, name in zip(axes, names, strict=True):
        chosen = [row for row in rows if row["network"] == name]
        for ax, what, reference, label in (
            (line[0], ("accuracy", "low", "high"), "coarse", "coarse"),
            (line[1], ("agreement", "agreement_low", "agreement_high"), "second_draw_agreement",
             "a second draw"),
        ):  # fmt: skip
            value, low, high = (100 * np.array([row[column] for row in chosen]) for column in what)
            ax.errorbar(
                value, range(len(chosen)), xerr=[value - low, high - value], fmt="o",
                color=style.EXACT, markersize=5.0, elinewidth=1.2, capsize=3.0,
            )  # fmt: skip
            if chosen[0][reference] != "":
                mark = 100 * chosen[0][reference]
                ax.axvline(mark, color=style.COARSE, linestyle="--", linewidth=1.0)
                ax.annotate(label, (mark, 1.0), xycoords=("data", "axes fraction"), ha="center",
                            va="bottom", fontsize="small", color=style.COARSE)  # fmt: skip
            ax.set_ylim(len(chosen) - 0.5, -0.5)
            ax.set_yticks(range(len(chosen)), [row["rule"] for row in chosen])
            ax.tick_params(axis="y", length=0, labelleft=ax is line[0])
            for side in ("top", "right"):
                ax.spines[side].set_visible(False)
        line[0].set_title(name, loc="left", fontsize="medium")
    axes[-1, 0].set_xlabel("accuracy (%)")
    axes[-1, 1].set_xlabel("class as coarse (%)")
    return axes


STUDY = Study(
    "pooling",
    "Max pooling by first_spike, the default, costs lenet5 and lenet5_const at most 8 points "
    "against the OR over a step and gives the coarse class more often than every_spike and "
    "leader; the accuracy of the rules is within 5 points of the default's.",
    run,
)
