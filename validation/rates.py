"""Rates of the coarse neuron are those of the exact one with pulses, not with deltas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from eventsim import encode
from eventsim.discrete import rates
from validation.study import Check, Context, Study, moments

__all__ = ["STUDY"]

TAU = 4.0
PROBABILITIES = (0.2, 0.3, 0.5, 0.8)
SAMPLES, STEPS, SETTLE = 64, 2_000, 50
QUICK_SAMPLES, QUICK_STEPS = 8, 300
SEED = 20_004

#: Excitation up to p = 0.5: largest difference of coarse and exact, in spikes per step.
CLOSE = 0.03
#: Excitation at p = 0.8: the coarse rate sits at one half, the exact one with deltas is beyond.
LOCKED, BEYOND = 0.01, 0.05
#: Balanced input: with deltas the exact neuron fires so many times as often, at least.
TIMES = 1.5
#: Balanced input up to p = 0.5: relative difference of coarse and exact with pulses.
SAME = 0.1
#: Constant charge: counts against the closed form, in spikes.
REGULAR_ERROR = 1.0

CHARGES = np.arange(0.2, 3.3, 0.1)
REGULAR_STEPS = 500


@dataclass(frozen=True)
class Drive:
    """A neuron's inputs, each of which spikes with probability p in a step."""

    name: str
    weights: NDArray[np.float64]


DRIVES = (
    Drive("excitatory", np.full(20, 0.1)),
    Drive("balanced", np.repeat([0.15, -0.15], 50)),
)
DISC = es.Discretization(dt=1.0, steps=STEPS)


def run(context: Context) -> list[Check]:
    """Rates in spikes per step of the coarse neuron and of the exact one, deltas and pulses."""
    total = len(DRIVES) * len(PROBABILITIES) + 1
    found: dict[tuple[str, float], dict[str, tuple[float, float]]] = {}
    context.progress(0, total)
    for drive in DRIVES:
        for k, p in enumerate(PROBABILITIES):
            found[drive.name, p] = _rates(drive, p, k, context.quick)
            context.progress(len(found), total)
    regular = _regular()
    context.progress(total, total)
    context.table(
        ("drive", "p", "coarse", "coarse_se", "exact_deltas", "exact_deltas_se", "exact_pulses",
         "exact_pulses_se"),
        [
            (*key, *row["coarse"], *row["deltas"], *row["pulses"])
            for key, row in found.items()
        ],
    )  # fmt: skip
    context.table(
        ("charge_per_step", "coarse", "staircase", "exact_pulses", "textbook"), regular, "-regular"
    )
    context.figure(_draw(found, regular))
    return _checks(found, regular)


def _checks(found: dict, regular: NDArray[np.float64]) -> list[Check]:
    low = [p for p in PROBABILITIES if p <= 0.5]
    gap = max(
        abs(found["excitatory", p][kind][0] - found["excitatory", p]["coarse"][0])
        for p in low
        for kind in ("deltas", "pulses")
    )
    top = found["excitatory", PROBABILITIES[-1]]
    locked = abs(top["coarse"][0] - 0.5)
    beyond = min(top[kind][0] for kind in ("deltas", "pulses")) - 0.5
    ratio = {
        kind: {p: found["balanced", p][kind][0] / found["balanced", p]["coarse"][0] for p in low}
        for kind in ("deltas", "pulses")
    }
    least = min(ratio["deltas"].values())
    apart = max(abs(value - 1.0) for value in ratio["pulses"].values())
    coarse_error = float(np.abs(regular[:, 1] - regular[:, 2]).max()) * REGULAR_STEPS
    exact_error = float(np.abs(regular[:, 3] - regular[:, 4]).max()) * REGULAR_STEPS
    return [
        Check("excitatory, p up to 0.5: |exact - coarse|, largest", f"< {CLOSE:g} per step",
              f"{gap:.3f}", gap < CLOSE),
        Check("excitatory, p = 0.8: |coarse - 1/2|", f"< {LOCKED:g} per step",
              f"{locked:.4f}", locked < LOCKED),
        Check("excitatory, p = 0.8: exact - 1/2, least", f"> {BEYOND:g} per step",
              f"{beyond:.3f}", beyond > BEYOND),
        Check("balanced, p up to 0.5: exact with deltas over coarse, least", f"> {TIMES:g}",
              f"{least:.2f}", least > TIMES),
        Check("balanced, p up to 0.5: |exact with pulses over coarse - 1|, largest",
              f"< {SAME:g}", f"{apart:.3f}", apart < SAME),
        Check("constant charge: coarse against the staircase",
              f"<= {REGULAR_ERROR:g} spike in {REGULAR_STEPS} steps", f"{coarse_error:.2f}",
              coarse_error <= REGULAR_ERROR),
        Check("constant charge: exact against the textbook rate",
              f"<= {REGULAR_ERROR:g} spike in {REGULAR_STEPS} steps", f"{exact_error:.2f}",
              exact_error <= REGULAR_ERROR),
    ]  # fmt: skip


def _network(weights: NDArray[np.float64], spread: float) -> es.Network:
    return es.Network(
        [es.Input("in", len(weights)), es.Population("out", 1, tau_mem=TAU, t_ref=1.0)],
        [es.Dense("in", "out", weights[:, None], spread=spread)],
    )


def _rates(drive: Drive, p: float, k: int, quick: bool) -> dict[str, tuple[float, float]]:
    """Mean rate after settling and its standard error over samples, for each model."""
    samples, steps = (QUICK_SAMPLES, QUICK_STEPS) if quick else (SAMPLES, STEPS)
    seed = (SEED, k)
    x = encode.bernoulli(np.full((samples, len(drive.weights)), p), steps, seed=seed)
    spikes = DISC.run(_network(drive.weights, 0.0), x)
    found = {"coarse": moments(spikes[:, SETTLE:, 0].mean(axis=1))}
    trains = encode.to_spike_trains(x, 1.0, seed=seed)
    for kind, spread in (("deltas", 0.0), ("pulses", 1.0)):
        results = es.simulate(
            _network(drive.weights, spread), {"in": trains}, t_stop=float(steps), record=["out"]
        )
        counts = [np.count_nonzero(r.spikes["out"].times >= SETTLE) for r in results]
        found[kind] = moments(np.array(counts) / (steps - SETTLE))
    return found


def _regular() -> NDArray[np.float64]:
    """Rows (charge, coarse, staircase, exact, textbook) under a constant charge in each step.

    Pulses of one step, one after the other, are a constant drive. Rates count whole intervals
    from the first spike to the last, so that the start of the run does not matter. A charge on
    an edge of the staircase is moved off it by a millionth.
    """
    charges = CHARGES + 1e-6
    ones = np.ones((1, REGULAR_STEPS, 1), dtype=np.uint8)
    train = encode.to_spike_trains(ones, 1.0, jitter=0.0)[0]
    rows = []
    for charge in charges:
        weights = np.array([charge])
        steps = np.flatnonzero(DISC.run(_network(weights, 0.0), ones)[0, :, 0])
        result = es.simulate(_network(weights, 1.0), {"in": train}, t_stop=float(REGULAR_STEPS))
        rows.append((
            charge, _rate(steps), rates.steady_rate(charge, TAU),
            _rate(result.spikes["out"].times), rates.continuous_rate(charge, TAU),
        ))  # fmt: skip
    return np.array(rows)


def _rate(times: NDArray) -> float:
    """Intervals from the second spike to the last over the time they take; 0 if there are none.

    The first interval of the coarse neuron starts from rest and not from a spike.
    """
    return (times.size - 2) / float(times[-1] - times[1]) if times.size > 2 else 0.0


def _draw(found: dict, regular: NDArray[np.float64]):
    """Rates over p for both drives, and the rates under a constant charge."""
    from matplotlib import pyplot

    from eventsim.plot import layer_colors

    _, axes = pyplot.subplots(1, 3, figsize=(11.0, 3.4), layout="constrained")
    looks = zip(layer_colors(("deltas", "coarse", "pulses")).items(), ("o", "s", "^"), strict=True)
    names = {"deltas": "exact, deltas", "coarse": "coarse", "pulses": "exact, pulses of 1 step"}
    for (kind, color), marker in looks:
        for ax, drive in zip(axes, DRIVES, strict=False):
            rows = [found[drive.name, p][kind] for p in PROBABILITIES]
            value, error = np.array(rows).T
            ax.errorbar(PROBABILITIES, value, yerr=2 * error, color=color, marker=marker,
                        markersize=4.5, linewidth=1.2, label=names[kind])  # fmt: skip
        if kind != "deltas":
            column = 1 if kind == "coarse" else 3
            axes[2].plot(regular[:, 0], regular[:, column], marker, color=color, markersize=3.5)
    fine = np.linspace(CHARGES[0], CHARGES[-1], 1_000)
    for rule, look in ((rates.steady_rate, "-"), (rates.continuous_rate, "--")):
        axes[2].plot(fine, [rule(x, TAU) for x in fine], look, color="0.3", linewidth=1.0, zorder=0)
    for ax, drive in zip(axes, DRIVES, strict=False):
        ax.set_title(f"{drive.name} input, tau {TAU:g}", fontsize="medium")
        ax.set_xlabel("probability of an input spike per step")
        ax.set_ylim(bottom=0.0)
    axes[0].set_ylabel("spikes per step")
    axes[0].legend(frameon=False, fontsize="small")
    axes[2].set_title("constant charge (lines: closed forms)", fontsize="medium")
    axes[2].set_xlabel("charge per step (thresholds)")
    for ax in axes:
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    return axes[0]


STUDY = Study(
    "rates",
    "Coarse rates are those of the exact neuron with pulses of one step, below one spike in two "
    "steps, for excitatory and balanced Poisson input; beyond, they lock to whole steps. With "
    "deltas the exact neuron fires far more often for balanced input.",
    run,
)
