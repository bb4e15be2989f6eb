"""What helps delta synapses, which networks trained with the coarse model do not stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import eventsim as es
from eventsim import plot
from eventsim.fidelity.sweep.remedies import NOTHING
from validation.study import Check, Context, Study, points

__all__ = ["STUDY"]

DATA = Path(__file__).resolve().parent.parent / "data"
IMAGES = "fashion-mnist_test500.npz"
SEED = 20_033
QUICK_IMAGES = 12

#: What a remedy must gain against deltas, all of its interval, as a share of all images.
GAINS = {
    "hidden": {
        "pulses of 1 step": 0.10,
        "exponential, 0.5 steps": 0.10,
        "random delays up to 1 step": 0.05,
        "membrane readout": 0.10,
        "thresholds x 1.5": 0.05,
        "trains four times as long": 0.05,
    },
    "conv": {
        "pulses of 1 step": 0.10,
        "exponential, 0.5 steps": 0.10,
        "thresholds x 1.5": 0.05,
        "trains four times as long": 0.05,
    },
}
#: What one must not gain, where it is said not to help.
IDLE = {"conv": {"random delays up to 1 step": 0.02}}


def run(context: Context) -> list[Check]:
    """Each remedy by itself, on the same input spikes."""
    with np.load(DATA / IMAGES, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    names, placements = tuple(GAINS), 3
    if context.quick:
        images, labels = images[:QUICK_IMAGES], labels[:QUICK_IMAGES]
        names, placements = names[:1], 1
    checks, rows = [], []
    for k, name in enumerate(names):
        net, disc = es.load(DATA / f"{name}.h5")
        report = es.sweep(
            "remedies", net, disc, images, labels, jitter_seeds=placements, seed=SEED,
            **context.how(name),
            progress=lambda done, runs, k=k: context.progress(
                1000 * k + 1000 * done // runs, 1000 * len(names)
            ),
        )  # fmt: skip
        for point in report.points:
            change, rung = point.rung.change, point.rung
            assert change is not None
            rows.append((
                name, point.label, rung.mean("accuracy"), change.value, change.low, change.high,
                rung.mean("agreement"), rung.mean("ties"), point.coarse.mean("accuracy"),
            ))  # fmt: skip
            if point.label in GAINS[name]:
                least = GAINS[name][point.label]
                checks.append(
                    Check(
                        f"{name}, {point.label}: gain against deltas, all of its interval",
                        f"> {100 * least:g} points",
                        points(change.value, change.low, change.high),
                        change.low > least,
                    )
                )
        for label, most in IDLE.get(name, {}).items():
            change = report[label].rung.change
            assert change is not None
            checks.append(
                Check(
                    f"{name}, {label}: gain against deltas, all of its interval",
                    f"< {100 * most:g} points",
                    points(change.value, change.low, change.high),
                    change.high < most,
                )
            )
        lost = report[NOTHING].rung.from_coarse
        assert lost is not None
        checks.append(
            Check(
                f"{name}, {NOTHING}: loss against coarse, all of its interval",
                "> 5 points",
                points(-lost.value, -lost.high, -lost.low),
                -lost.high > 0.05,
            )
        )
        context.figure(plot.sweep(report), f"-{name}")
    context.table(
        ("network", "remedy", "accuracy", "change", "change_low", "change_high", "agreement",
         "ties", "coarse"),
        rows,
    )  # fmt: skip
    return checks


STUDY = Study(
    "remedies",
    "Delta synapses cost networks with a hidden layer their accuracy. Wider synapses, longer "
    "trains and higher thresholds bring much of it back without training anew; random delays of "
    "the neurons do so in hidden, but not in conv.",
    run,
)
