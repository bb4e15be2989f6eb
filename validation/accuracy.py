"""How many steps a network needs: accuracy of the shipped ones, and of digits learnt with T."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from eventsim import decode
from eventsim.fidelity import metrics
from validation.study import Check, Context, Study, points
from validation.trained import trained
from validation.windows import coarse_counts, continuous_counts

__all__ = ["STUDY"]

DATA = Path(__file__).resolve().parent.parent / "data"
SEED = 20_007

#: Windows in steps. All networks on show were trained with four.
WINDOWS = (1, 2, 4, 8, 16)
CONTINUOUS = (1, 2, 4, 8)
T = 4

#: Least accuracy with four steps: the lower end of its interval.
HIGH = 0.80
#: Accuracy that four steps may have less than sixteen.
SHORT = 0.05
#: The same for digits, mean of the seeds, and least accuracy of a mean.
DIGITS_SHORT, DIGITS_HIGH = 0.03, {"hidden": 0.85, "conv": 0.85, "lenet5": 0.92}


@dataclass(frozen=True)
class Case:
    """A shipped network, the images it sees in continuous time, and what that may cost."""

    name: str
    continuous: int
    loss: float


CASES = (
    Case("shallow", 10_000, 0.04),
    Case("hidden", 10_000, 0.02),
    Case("conv", 10_000, 0.04),
    Case("conv2", 10_000, 0.04),
    Case("lenet5", 2_000, 0.08),
    Case("lenet5_const", 2_000, 0.08),
)

#: Networks that learn the digits, with T steps: epochs, learning rate, gain of initial weights.
RECIPES = {"hidden": (20, 0.002, 1.0), "conv": (20, 0.005, 2.0), "lenet5": (10, 0.005, 2.0)}
LEARNT = (*(("hidden", steps) for steps in WINDOWS), ("conv", T), ("lenet5", T))
SEEDS = (0, 1, 2)

QUICK_IMAGES = 40
QUICK_CASES = CASES[:2]
QUICK_LEARNT = (("hidden", 2), ("hidden", 4), ("hidden", 16))
QUICK_EPOCHS, QUICK_LIMIT = 2, 400


def run(context: Context) -> list[Check]:
    """Both parts: the shipped networks over T, and digits learnt with T steps."""
    fashion = _fashion(context.quick)
    shown = {case: _shown(case, *fashion, context) for case in _cases(context.quick)}
    digits = _digits(context)
    context.table(
        ("network", "model", "steps", "images", "accuracy", "low", "high", "ties",
         "agreement_with_coarse"),
        [row for found in shown.values() for row in found.rows],
    )  # fmt: skip
    context.table(
        ("network", "steps", "seed", "model", "accuracy", "low", "high"),
        [(*key, model, *_share(by[model])) for key, by in digits.items() for model in by],
        "-digits",
    )
    context.figure(_draw(shown))
    context.figure(_draw_digits(digits), "-digits")
    return [*_checks(shown), *_digit_checks(digits)]


# -- the shipped networks --------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Shown:
    """Which images a network gets right after each window, and the rows of the table."""

    coarse: dict[int, NDArray[np.bool_]]
    continuous: dict[int, NDArray[np.bool_]]
    rows: list[tuple]

    def share(self, model: str, steps: int) -> Any:
        """Accuracy with its interval."""
        return metrics.share(getattr(self, model)[steps])


def _cases(quick: bool) -> tuple[Case, ...]:
    return QUICK_CASES if quick else CASES


def _fashion(quick: bool) -> tuple[NDArray, NDArray]:
    """The 10,000 test images; for a quick run some of those that come with the repository."""
    if quick:
        with np.load(DATA / "fashion-mnist_test500.npz", allow_pickle=False) as file:
            images, labels = file["images"][:QUICK_IMAGES], file["labels"][:QUICK_IMAGES]
        return images / np.float32(255), labels.astype(np.int64)
    from models import datasets

    data = datasets.load("fashion-mnist")
    return data.test_images, data.test_labels


def _shown(case: Case, images: NDArray, labels: NDArray, context: Context) -> Shown:
    net, disc = es.load(DATA / f"{case.name}.h5")
    cases = _cases(context.quick)
    before = sum(min(c.continuous, len(labels)) for c in cases[: cases.index(case)])
    total = sum(min(c.continuous, len(labels)) for c in cases)
    done = [before]

    def progress(images_done: int) -> None:
        done[0] += images_done
        context.progress(done[0], 2 * total)

    n = min(case.continuous, len(labels))
    coarse = coarse_counts(net, disc, images, WINDOWS, SEED)
    exact = continuous_counts(net, disc, images[:n], CONTINUOUS, SEED, progress)
    found = Shown({}, {}, [])
    for model, windows, counts in (("coarse", WINDOWS, coarse), ("continuous", CONTINUOUS, exact)):
        for k, steps in enumerate(windows):
            classes = decode.classes(counts[k])
            reference = decode.classes(coarse[k])[: len(classes)]
            correct = classes == labels[: len(classes)]
            getattr(found, model)[steps] = correct
            found.rows.append((
                case.name, model, steps, len(classes), *_share(metrics.share(correct)),
                metrics.tie_share(counts[k]).value,
                metrics.agreement(reference, classes).value,
            ))  # fmt: skip
    return found


def _checks(shown: dict[Case, Shown]) -> list[Check]:
    checks = []
    for case, found in shown.items():
        four = found.share("coarse", T)
        short = metrics.paired_difference(found.coarse[T], found.coarse[WINDOWS[-1]])
        n = len(found.continuous[T])
        loss = metrics.paired_difference(found.continuous[T], found.coarse[T][:n])
        checks += [
            Check(f"{case.name}, {T} steps: accuracy, lower end of its interval",
                  f"> {100 * HIGH:g} %", _percent(*_share(four)), four.low > HIGH),
            Check(f"{case.name}: accuracy with {WINDOWS[-1]} steps less that with {T}",
                  f"< {100 * SHORT:g} points", points(*_share(short)), short.value < SHORT),
            Check(f"{case.name}, {T} steps: lost in continuous time, {n:,} images",
                  f"< {100 * case.loss:g} points", points(*_share(loss)), loss.value < case.loss),
        ]  # fmt: skip
    return checks


# -- digits ----------------------------------------------------------------------------------

Key = tuple[str, int, int]


def _digits(context: Context) -> dict[Key, dict[str, Any]]:
    """Accuracy on the test digits, coarse and continuous, of each network, T and seed."""
    from models import datasets, training

    data = datasets.load("digits" if context.quick else "mnist")
    seeds = SEEDS[:1] if context.quick else SEEDS
    learnt = QUICK_LEARNT if context.quick else LEARNT
    keys = [(name, steps, seed) for name, steps in learnt for seed in seeds]
    work = {key: key[1] * (10 if key[0] == "lenet5" else 1) for key in keys}
    total, done, found = sum(work.values()), 0, {}
    for key in keys:
        name, steps, seed = key
        epochs, lr, gain = RECIPES[name]
        settings = training.Settings(
            name, dataset=data.name, steps=steps, seed=seed, encoder="bernoulli", lr=lr,
            epochs=QUICK_EPOCHS if context.quick else epochs, init_gain=gain,
            limit=QUICK_LIMIT if context.quick else 0,
        )  # fmt: skip
        net, disc = trained(settings, data, context.folder)
        arguments = (net, disc, data.test_images, (steps,), SEED)
        found[key] = {
            model: metrics.accuracy(data.test_labels, decode.classes(run(*arguments)[0]))
            for model, run in (("coarse", coarse_counts), ("continuous", continuous_counts))
        }
        done += work[key]
        context.progress(total + done, 2 * total)
    return found


def _digit_checks(found: dict[Key, dict[str, Any]]) -> list[Check]:
    means = {
        (name, steps): float(np.mean([
            by["coarse"].value for key, by in found.items() if key[:2] == (name, steps)
        ]))
        for name, steps, _ in found
    }  # fmt: skip
    short = means["hidden", WINDOWS[-1]] - means["hidden", T]
    checks = [
        Check(f"digits, hidden: learnt with {WINDOWS[-1]} steps less learnt with {T}, mean",
              f"< {100 * DIGITS_SHORT:g} points", f"{100 * short:z.1f}", short < DIGITS_SHORT)
    ]  # fmt: skip
    for name, least in DIGITS_HIGH.items():
        if (name, T) in means:
            mean = means[name, T]
            checks.append(
                Check(f"digits, {name}, {T} steps: mean accuracy", f"> {100 * least:g} %",
                      f"{100 * mean:.1f} %", mean > least)
            )  # fmt: skip
    return checks


# -- words and pictures ----------------------------------------------------------------------


def _share(share: Any) -> tuple[float, float, float]:
    return share.value, share.low, share.high


def _percent(value: float, low: float, high: float) -> str:
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}] %"


def _draw(shown: dict[Case, Shown]):
    """Accuracy over the number of steps, coarse and in continuous time, with intervals."""
    from matplotlib import pyplot

    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    _, axes = pyplot.subplots(
        rows, columns, sharex=True, sharey=True, squeeze=False, layout="constrained",
        figsize=(3.3 * columns, 2.7 * rows),
    )  # fmt: skip
    for ax, (case, found) in zip(axes.flat, shown.items(), strict=False):
        _curves(ax, {
            model: [(steps, *_share(found.share(model, steps))) for steps in getattr(found, model)]
            for model in ("coarse", "continuous")
        })  # fmt: skip
        ax.set_title(case.name, loc="left", fontsize="medium")
    for ax in axes[-1]:
        ax.set_xlabel("steps of a presentation")
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy (%)")
    axes.flat[0].legend(frameon=False, loc="lower right", fontsize="small")
    return axes


def _draw_digits(found: dict[Key, dict[str, Any]]):
    """Accuracy on digits of `hidden` over the steps it learnt with: seeds, and their mean."""
    from matplotlib import pyplot

    _, ax = pyplot.subplots(figsize=(4.6, 3.3), layout="constrained")
    lines: dict[str, list[tuple]] = {"coarse": [], "continuous": []}
    for model, line in lines.items():
        for steps in sorted({key[1] for key in found if key[0] == "hidden"}):
            values = [by[model].value for key, by in found.items() if key[:2] == ("hidden", steps)]
            line.append((steps, np.mean(values), min(values), max(values)))
    _curves(ax, lines)
    ax.set_title("hidden, digits: mean and range of the seeds", loc="left", fontsize="medium")
    ax.set_xlabel("steps of a presentation, learning and testing")
    ax.set_ylabel("accuracy (%)")
    ax.legend(frameon=False, loc="lower right", fontsize="small")
    return ax


def _curves(ax: Any, lines: dict[str, list[tuple]]) -> None:
    """Lines of (steps, value, low, high), coarse and continuous, side by side."""
    from eventsim.plot import style

    names = {"coarse": "coarse", "continuous": "continuous, pulses of 1 step"}
    looks = {"coarse": (style.COARSE, "s", 0.97), "continuous": (style.EXACT, "o", 1.03)}
    for model, line in lines.items():
        color, marker, shift = looks[model]
        steps, value, low, high = np.array(line, dtype=float).T
        # The mean of equal numbers may miss them by a rounding error.
        bars = np.maximum([value - low, high - value], 0.0)
        ax.errorbar(
            steps * shift, 100 * value, yerr=100 * bars,
            color=color, marker=marker, markersize=4.0, linewidth=1.2, elinewidth=1.0,
            capsize=2.0, label=names[model],
        )  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.set_xticks(WINDOWS, [str(steps) for steps in WINDOWS])
    ax.set_xticks([], minor=True)
    ax.set_ylim(0.0, 100.0)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


STUDY = Study(
    "accuracy",
    "Four steps are enough: the six networks, trained with four, have more than 80 % on "
    "Fashion-MNIST and at most 5 points less than over sixteen, lose at most 2 to 8 points in "
    "continuous time with pulses of one step, and digits are learnt with four steps to within 3 "
    "points of what sixteen give.",
    run,
)
