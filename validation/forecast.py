"""The forecast from the coarse network alone ranks what transfer to continuous time then costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from eventsim import plot
from eventsim.fidelity import cautions
from eventsim.fidelity.forecast import Forecast, forecast
from validation.forecast_cases import CHOOSE, DECIDE, Case, cases, number_of_cases
from validation.study import Check, Context, Study, generator

__all__ = ["STUDY"]

SEED = 20_009
PLACEMENTS = 2

#: Least rank correlation of forecast and trouble, and largest p-value.
RANKS = {"deltas": 0.6, "pulses": 0.4}
P_VALUE, SHUFFLES = 0.01, 20_000
#: Shares of the images: less may change, or be lost, where the risk is low; of more than SEVERE
#: there must have been a warning.
SMALL, SEVERE = 0.12, 0.2
WARNED = {"deltas": ("high",), "pulses": ("raised", "high")}

KINDS = ("deltas", "pulses")


@dataclass(frozen=True)
class Outcome:
    """What was foretold and what was measured, by kind of synapse.

    ``changed``: share of the images whose class changes, on top of those that change with another
    draw of the input (of which regular input has none). ``lost``: accuracy lost. Both can be
    below 0.
    """

    case: Case
    found: Forecast
    coarse: float
    changed: dict[str, float]
    lost: dict[str, float]

    def foretold(self, kind: str) -> float:
        """The number that ranks the cases."""
        return self.found.excursion if kind == "deltas" else self.found.late

    def trouble(self, kind: str) -> float:
        """What it ranks: classes changed with deltas, part of the accuracy lost with pulses.

        Pulses average out what differs between two draws of the input, so that most networks
        change fewer classes than a second draw does.
        """
        return self.changed[kind] if kind == "deltas" else self.lost[kind] / self.coarse

    def points(self, kind: str) -> float:
        """Share of the images: classes changed with deltas, accuracy lost with pulses."""
        return self.changed[kind] if kind == "deltas" else self.lost[kind]


def run(context: Context) -> list[Check]:
    """Forecast and comparison of every network."""
    outcomes: list[Outcome] = []
    total = number_of_cases()
    context.progress(0, total)
    for case in cases(context.quick):
        outcomes.append(_measure(case, context.quick))
        context.progress(len(outcomes), total)
    context.table(
        ("network", "half", "coarse_accuracy", "excursion", "risk_deltas", "changed_deltas",
         "lost_deltas", "late", "delay", "silent", "risk_pulses", "changed_pulses", "lost_pulses"),
        [_row(outcome) for outcome in outcomes],
    )  # fmt: skip
    context.table(
        ("number", "half", *(f"rank_correlation_{kind}" for kind in KINDS)),
        _numbers(outcomes),
        "-numbers",
    )
    context.figure(_draw(outcomes))
    return _checks([outcome for outcome in outcomes if outcome.case.half == DECIDE])


# What is foretold and what is measured


def _measure(case: Case, quick: bool) -> Outcome:
    found = forecast(case.net, case.disc, case.seen, samples=len(case.seen), seed=SEED)
    report = es.validate(
        case.net, case.disc, case.images, case.labels, spread=case.disc.dt, spreads=[0.0],
        jitter_seeds=1 if quick else PLACEMENTS, seed=SEED + 1,
    )  # fmt: skip
    changed, lost = {}, {}
    for kind, variant in zip(("pulses", "deltas"), report.continuous, strict=True):
        agreement, beyond = variant.over_runs("agreement"), variant.beyond_noise
        assert agreement is not None and variant.change is not None
        # Regular input has no second draw.
        changed[kind] = 1.0 - agreement[0] if beyond is None else beyond.value
        lost[kind] = -variant.change.value
    accuracy = report.coarse.accuracy.value
    assert accuracy is not None
    return Outcome(case, found, accuracy, changed, lost)


def _row(outcome: Outcome) -> tuple:
    case, found = outcome.case, outcome.found
    return (
        case.name, case.half, outcome.coarse,
        found.excursion, found.risk["deltas"], outcome.changed["deltas"], outcome.lost["deltas"],
        found.late, found.delay, found.answers.silent.value, found.risk["pulses"],
        outcome.changed["pulses"], outcome.lost["pulses"],
    )  # fmt: skip


def _numbers(outcomes: list[Outcome]) -> list[tuple]:
    """Rank correlation of every number of the forecast with the trouble, in each half."""

    def largest(name: str) -> Callable[[Forecast], float]:
        return lambda found: max(getattr(layer, name) or 0.0 for layer in found.layers)

    def output(name: str) -> Callable[[Forecast], float]:
        return lambda found: getattr(found.layers[-1], name) or 0.0

    numbers: dict[str, Callable[[Forecast], float]] = {
        "excursion of the network": lambda found: found.excursion,
        "late answers": lambda found: found.late,
        "delay": lambda found: found.delay,
        "silent answers": lambda found: found.answers.silent.value or 0.0,
        "close answers": lambda found: found.answers.close.value or 0.0,
        "ties": lambda found: found.answers.ties.value or 0.0,
        "mean charge, output": output("mean"),
        "deviation of the charge, output": output("sd"),
        "deviation from step to step, output": output("sd_in_time"),
    }
    for name in ("excursion", "strong", "unseen", "above_knee", "rate", "silent", "saturated",
                 "phase_distance", "isi_cv", "constant"):  # fmt: skip
        numbers[f"{name}, largest of a layer"] = largest(name)
    rows = []
    for what, number in numbers.items():
        for half in (CHOOSE, DECIDE):
            of_half = [outcome for outcome in outcomes if outcome.case.half == half]
            values = [number(outcome.found) for outcome in of_half]
            rows.append((
                what, half, *(_spearman(values, [o.trouble(kind) for o in of_half])
                              for kind in KINDS),
            ))  # fmt: skip
    return rows


def _spearman(first: list[float], second: list[float]) -> float:
    """Rank correlation; 0 where one side does not vary."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: list[float]) -> NDArray[np.float64]:
    """Ranks from 1; ties share the mean of theirs."""
    from scipy.stats import rankdata

    return rankdata(values)


def _p_value(first: list[float], second: list[float]) -> float:
    """Share of shuffles, the given order among them, with at least this rank correlation."""
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    random = generator(SEED, 1)
    there = float(a @ b)
    beyond = sum(float(a @ random.permutation(b)) >= there for _ in range(SHUFFLES))
    return (beyond + 1) / (SHUFFLES + 1)


def _checks(outcomes: list[Outcome]) -> list[Check]:
    """The claims, on the half of the networks that had no part in choosing the limits."""
    checks = []
    words = {
        "deltas": ("excursion", "classes changed", "classes changed", "classes changed or "),
        "pulses": ("late answers", "part of the accuracy lost", "accuracy lost", ""),
    }
    for kind, (number, ranked, points, also) in words.items():
        foretold = [outcome.foretold(kind) for outcome in outcomes]
        trouble = [outcome.trouble(kind) for outcome in outcomes]
        rank, p = _spearman(foretold, trouble), _p_value(foretold, trouble)
        low = [o for o in outcomes if o.found.risk[kind] == "low"]
        worst, name = max(
            ((max(o.points(kind), o.lost[kind]), o.case.name) for o in low), default=(0.0, "none")
        )
        severe = [o for o in outcomes if o.points(kind) > SEVERE]
        missed = [o.case.name for o in severe if o.found.risk[kind] not in WARNED[kind]]
        checks += [
            Check(f"{kind}: rank correlation of {number} and {ranked}, {len(outcomes)} networks",
                  f"> {RANKS[kind]:g}", f"{rank:.2f}", rank > RANKS[kind]),
            Check(f"{kind}: p-value of it", f"< {P_VALUE:g}", f"{p:.5f}", p < P_VALUE),
            Check(f"{kind}: {also}accuracy lost at low risk, worst of {len(low)}",
                  f"< {100 * SMALL:g} points", f"{100 * worst:.1f} ({name})",
                  bool(low) and worst < SMALL),
            Check(f"{kind}: not called {' or '.join(WARNED[kind])}, of {len(severe)} with more "
                  f"than {100 * SEVERE:g} points of {points}", "none",
                  ", ".join(missed) or "none", bool(severe) and not missed),
        ]  # fmt: skip
    return checks


# The figure


def _draw(outcomes: list[Outcome]):
    """Trouble over what was foretold, for both kinds of synapses."""
    from matplotlib import pyplot

    _, axes = pyplot.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
    limits = {"deltas": cautions.EXCURSION, "pulses": cautions.LATE}
    labels = {"deltas": "excursion of the network (thresholds)",
              "pulses": "answers that hang on late spikes (%)"}  # fmt: skip
    palette = plot.layer_colors((DECIDE, CHOOSE))
    for ax, kind in zip(axes, KINDS, strict=True):
        factor = 1 if kind == "deltas" else 100
        for half, marker, name in ((CHOOSE, "s", "limits chosen on these"), (DECIDE, "o", "test")):
            part = [o for o in outcomes if o.case.half == half]
            ax.plot(
                [factor * o.foretold(kind) for o in part],
                [100 * o.trouble(kind) for o in part],
                marker, color=palette[half], markersize=5, alpha=0.8,
                markerfacecolor=palette[half] if half == DECIDE else "none", label=name,
            )  # fmt: skip
        for limit, word in zip(limits[kind], ("raised", "high"), strict=True):
            assert limit is not None
            ax.axvline(factor * limit, color="0.6", linewidth=0.9, linestyle="--", zorder=0)
            ax.text(factor * limit, 0.99, f" {word}", transform=ax.get_xaxis_transform(),
                    rotation=90, ha="right", va="top", color="0.4", fontsize="small")  # fmt: skip
        ax.axhline(0.0, color="0.8", linewidth=0.9, zorder=0)
        ax.set_xlabel(labels[kind])
        ax.set_title(
            kind if kind == "deltas" else "pulses of one step", loc="left", fontsize="medium"
        )
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    axes[0].set_ylabel("classes changed, beyond those of\na second draw (% of the images)")
    axes[1].set_ylabel("accuracy lost (% of the coarse one)")
    axes[0].legend(frameon=False, fontsize="small", loc="lower right")
    return axes


STUDY = Study(
    "forecast",
    "What the coarse network alone foretells ranks networks by the answers that deltas change and "
    "by the accuracy that pulses of one step lose; where it calls the risk low little is lost, and "
    "where much is lost it has warned.",
    run,
)
