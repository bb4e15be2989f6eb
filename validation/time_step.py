"""What a clock-driven simulation of the same continuous network misses, by its time step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import eventsim as es
from eventsim import plot
from eventsim.fidelity.sweep.report import SweepReport
from validation.study import Check, Context, Study

__all__ = ["STUDY"]

DATA = Path(__file__).resolve().parent.parent / "data"
IMAGES = "fashion-mnist_test500.npz"
SEED = 20_021
QUICK_IMAGES = 12

#: Steps of the clock in steps of the training, and those between which the order is measured.
VALUES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5)
BETWEEN = (0.002, 0.05)
METHODS = ("exponential", "forward Euler")


@dataclass(frozen=True)
class Case:
    """A shipped network, and how many images it is shown."""

    name: str
    images: int


CASES = (Case("shallow", 500), Case("hidden", 500), Case("conv", 200))


def run(context: Context) -> list[Check]:
    """Each network with pulses of one step, by two methods, against the exact simulation."""
    with np.load(DATA / IMAGES, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    cases = CASES[:2] if context.quick else CASES
    checks, rows = [], []
    for k, case in enumerate(cases):
        count = QUICK_IMAGES if context.quick else case.images
        net, disc = es.load(DATA / f"{case.name}.h5")
        report = es.sweep(
            "time-step", net, disc, images[:count], labels[:count], VALUES, seed=SEED,
            **context.how(case.name),
            progress=lambda done, runs, k=k: context.progress(
                1000 * k + 1000 * done // runs, 1000 * len(cases)
            ),
        )  # fmt: skip
        rows += _rows(case, report)
        checks += _checks(case, report)
        context.figure(plot.sweep(report), f"-{case.name}")
    context.table(
        ("network", "method", "h", "layer", "class_as_exact", "matched", "error_median_steps",
         "error_p95_steps", "count_error", "count_bias"),
        rows,
    )  # fmt: skip
    return checks


def _same(report: SweepReport, method: str, h: float) -> float:
    """Share of the images with the class of the exact run."""
    shares = report[f"{method}, {h:g}"].as_exact
    assert shares is not None and shares[0].value is not None
    return shares[0].value


def _error(report: SweepReport, method: str, h: float, name: str, layer: int = 0) -> float:
    point = report[f"{method}, {h:g}"]
    assert point.errors is not None
    value = list(point.errors.values())[layer][name]
    assert value is not None
    return value


def _checks(case: Case, report: SweepReport) -> list[Check]:
    checks = []
    for method in METHODS:
        few, many = (_error(report, method, h, "time_error_median") for h in BETWEEN)
        order = float(np.log(many / few) / np.log(BETWEEN[1] / BETWEEN[0]))
        checks.append(
            Check(
                f"{case.name}, {method}: order of the time error of its first layer",
                "0.9 to 1.1",
                f"{order:.2f}",
                0.9 <= order <= 1.1,
            )
        )
        same = _same(report, method, 0.001)
        checks.append(
            Check(
                f"{case.name}, {method}: same class as exact with a step of 1/1000",
                ">= 98 %",
                f"{100 * same:.1f} %",
                same >= 0.98,
            )
        )
        other = 1.0 - _same(report, method, 0.5)
        checks.append(
            Check(
                f"{case.name}, {method}: other class than exact with a step of 1/2",
                "> 3 %",
                f"{100 * other:.1f} %",
                other > 0.03,
            )
        )
        found = _error(report, method, 0.5, "matched")
        checks.append(
            Check(
                f"{case.name}, {method}: spikes of its first layer found with a step of 1/2",
                "< 90 %",
                f"{100 * found:.1f} %",
                found < 0.9,
            )
        )
    return checks


def _rows(case: Case, report: SweepReport) -> list[tuple]:
    dt = report.settings["dt"]
    rows = []
    for point in report.points:
        for layer, values in (point.errors or {}).items():
            median, p95 = values["time_error_median"], values["time_error_p95"]
            rows.append((
                case.name, point.series, point.value, layer,
                _same(report, point.series, point.value), values["matched"],
                "" if median is None else median / dt, "" if p95 is None else p95 / dt,
                values["count_error"], values["count_bias"],
            ))  # fmt: skip
    return rows


STUDY = Study(
    "time-step",
    "Clock-driven runs of the same continuous network come closer to the exact one in proportion "
    "to their time step, by forward Euler as by exponential integration: a thousandth of a "
    "refractory period gives nearly all its classes, half of one loses spikes and changes classes.",
    run,
)
