"""Training with noise: what it does to the coarse network, and to its transfer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from eventsim.fidelity import metrics
from validation.study import Check, Context, Study
from validation.trained import trained

__all__ = ["STUDY"]

SEED = 20_009
IMAGES, QUICK_IMAGES = 4_000, 40
LIMIT, EPOCHS = 10_000, 10
QUICK_LIMIT, QUICK_EPOCHS = 400, 2
SEEDS, QUICK_SEEDS = tuple(range(6)), (0, 1)

#: Two-sided 95 % quantile of Student's t for the number of seeds.
STUDENT = {2: 12.706, 6: 2.571}

#: Accuracy that noise-aware training may change, coarse and with pulses: mean of the seeds.
COSTS = 0.01
#: Accuracy with deltas that noise of the threshold gains at most.
LITTLE = 0.02


@dataclass(frozen=True)
class Recipe:
    """A way to train: what is asked of it beside the settings of all."""

    name: str
    options: dict[str, Any]


PLAIN = Recipe("plain", {})
RECIPES = (
    PLAIN,
    Recipe("noise-aware", {"noise_aware": True}),
    Recipe("threshold noise 0.2", {"threshold_noise": 0.2}),
)
MODELS = ("coarse", "pulses", "deltas")

#: Recipe name -> model -> accuracy of each seed.
Found = dict[str, dict[str, NDArray[np.float64]]]


def run(context: Context) -> list[Check]:
    """Train, then compare coarse, pulses of one step and deltas on the same test images."""
    from models import datasets, training

    quick = context.quick
    data = datasets.load("digits" if quick else "fashion-mnist")
    seeds = QUICK_SEEDS if quick else SEEDS
    number = QUICK_IMAGES if quick else IMAGES
    images, labels = data.test_images[:number], data.test_labels[:number]
    rows, found = [], {recipe.name: {model: [] for model in MODELS} for recipe in RECIPES}
    done, total = 0, len(RECIPES) * len(seeds)
    context.progress(0, total)
    for recipe in RECIPES:
        for seed in seeds:
            settings = training.Settings(
                "hidden", dataset=data.name, seed=seed, encoder="bernoulli",
                limit=QUICK_LIMIT if quick else LIMIT, epochs=QUICK_EPOCHS if quick else EPOCHS,
                **recipe.options,
            )  # fmt: skip
            net, disc = trained(settings, data, context.folder)
            report = es.validate(
                net, disc, images, labels, seed=SEED, spread=disc.dt, spreads=[0.0],
                **context.how(f"{recipe.name}-{seed}"),
            )  # fmt: skip
            variants = dict(zip(MODELS, (report.coarse, *report.continuous), strict=True))
            for model, variant in variants.items():
                share, same = variant.accuracy, variant.agreement
                found[recipe.name][model].append(share.value)
                rows.append((
                    recipe.name, seed, model, len(labels), share.value, share.low, share.high,
                    same.value if same else "", report.second_draw.agreement.value,
                ))  # fmt: skip
            done += 1
            context.progress(done, total)
    context.table(
        ("training", "seed", "model", "images", "accuracy", "low", "high",
         "agreement_with_coarse", "agreement_of_second_draw"),
        rows,
    )  # fmt: skip
    values = {
        recipe: {model: np.array(shares) for model, shares in by.items()}
        for recipe, by in found.items()
    }
    context.figure(_draw(values))
    return _checks(values)


def difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> metrics.Difference:
    """Mean over the seeds of ``second - first``, with its 95 % interval (Student's t)."""
    d = second - first
    half = STUDENT[d.size] * float(d.std(ddof=1)) / d.size**0.5
    mean = float(d.mean())
    return metrics.Difference(mean, mean - half, mean + half)


def _checks(values: Found) -> list[Check]:
    gain = {
        recipe.name: {
            model: difference(values[PLAIN.name][model], values[recipe.name][model])
            for model in MODELS
        }
        for recipe in RECIPES[1:]
    }
    aware, threshold = (gain[recipe.name] for recipe in RECIPES[1:])
    checks = [
        Check("noise-aware less plain, deltas: gain, all of its interval", "> 0 points",
              _points(aware["deltas"]), aware["deltas"].low > 0)
    ]  # fmt: skip
    for model in ("coarse", "pulses"):
        checks.append(
            Check(f"noise-aware less plain, {model}: mean",
                  f"within {100 * COSTS:g} point", _points(aware[model]),
                  abs(aware[model].value) < COSTS)
        )  # fmt: skip
    checks.append(
        Check("threshold noise less plain, deltas: mean", f"< {100 * LITTLE:g} points",
              _points(threshold["deltas"]), threshold["deltas"].value < LITTLE)
    )  # fmt: skip
    return checks


def _points(d: metrics.Difference) -> str:
    return f"{100 * d.value:+z.1f} [{100 * d.low:+z.1f}, {100 * d.high:+z.1f}]"


def _draw(values: Found):
    """Accuracy of each seed by model and training, and the means."""
    from matplotlib import pyplot

    from eventsim.plot import layer_colors

    _, axes = pyplot.subplots(1, len(MODELS), sharey=True, figsize=(9.6, 3.2), layout="constrained")
    colors = layer_colors(recipe.name for recipe in RECIPES)
    names = {"coarse": "coarse", "pulses": "continuous, pulses of 1 step",
             "deltas": "continuous, deltas"}  # fmt: skip
    for ax, model in zip(axes, MODELS, strict=True):
        columns = [100 * values[recipe.name][model] for recipe in RECIPES]
        ax.plot(range(len(columns)), columns, color="0.8", linewidth=0.8, zorder=0)
        for k, (column, color) in enumerate(zip(columns, colors.values(), strict=True)):
            ax.plot([k] * len(column), column, "o", color=color, markersize=4.5)
            ax.plot([k - 0.22, k + 0.22], [column.mean()] * 2, color=color, linewidth=2.0)
        ax.set_xticks(range(len(columns)), [name.replace(" noise", "\nnoise") for name in colors])
        ax.set_xlim(-0.5, len(columns) - 0.5)
        ax.set_title(names[model], loc="left", fontsize="medium")
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    axes[0].set_ylabel("accuracy (%)")
    return axes


STUDY = Study(
    "noise",
    "For hidden, learnt from 10,000 images, training with the noise of arrival times inside the "
    "step raises the accuracy with delta synapses and leaves that of the coarse network and with "
    "pulses of one step within a point; a noise of the threshold gains less than 2 points with "
    "deltas.",
    run,
)
