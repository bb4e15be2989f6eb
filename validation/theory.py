"""The coefficients a, b, c are the means of the exact neuron over uniform arrival times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from eventsim.discrete import theory
from validation.study import Check, Context, Study, generator

__all__ = ["STUDY"]

TAUS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 32.0)
WEIGHTS = np.array([0.5, 0.3, -0.2, 0.4, 0.3])
V_START = 0.7
TRIALS = 20_000
QUICK_TAUS, QUICK_TRIALS = (1.0, 4.0), 4_000
SEED = 20_001

#: Distance of a sample mean or variance from its formula, in standard errors.
STANDARD_ERRORS = 5.0
#: Largest standard error of a mean, relative to it: the power of the test above.
RESOLUTION = 0.01
#: Relative distance where nothing is left to chance.
ROUNDING = 1e-12

#: Trials that are one sample of a batch.
GROUP = 250
#: No trial but the one that is kicked across it spikes.
HIGH, KICK = 1e3, 1e4

Floats = NDArray[np.float64]


def run(context: Context) -> list[Check]:
    """Monte Carlo of the three cases for each tau: a step, after a spike, the same with pulses."""
    taus = QUICK_TAUS if context.quick else TAUS
    trials = QUICK_TRIALS if context.quick else TRIALS
    x, x2 = float(WEIGHTS.sum()), float((WEIGHTS**2).sum())
    rows, decay = [], []
    total, done = 3 * len(taus), 0
    context.progress(0, total)
    for k, tau in enumerate(taus):
        decay.append(_decay_error(tau))
        cases = (
            ("a v + b x, deltas", 0.0, False, theory.mean_after_step(V_START, x, tau),
             theory.variance_after_step(x2, tau)),
            ("c x after a spike, deltas", 0.0, True, theory.mean_after_spike(x, tau),
             theory.variance_after_spike(x, x2, tau)),
            ("c x after a spike, even charge", 1.0, True, theory.mean_after_spike(x, tau),
             theory.variance_after_spike(x, 0.0, tau)),
        )  # fmt: skip
        for j, (name, spread, spiked, mean, variance) in enumerate(cases):
            v = _potentials(tau, trials, spread, spiked, (SEED, k, j))
            rows.append((tau, name, *_compare(v, float(mean), float(variance))))
            done += 1
            context.progress(done, total)
    context.table(
        ("tau", "case", "trials", "mean", "formula", "standard_error", "mean_z",
         "sd", "sd_formula", "variance_z", "sd_over_mean"),
        rows,
    )  # fmt: skip
    context.figure(_draw(rows))
    worst_mean = max(abs(row[6]) for row in rows)
    worst_variance = max(abs(row[9]) for row in rows)
    resolution = max(row[5] / abs(row[4]) for row in rows)
    resolved = 10 * RESOLUTION if context.quick else RESOLUTION
    number = f"{len(rows)} cases"
    return [
        Check("means, largest distance from the formulas", f"< {STANDARD_ERRORS:g} standard errors",
              f"{worst_mean:.2f} of {number}", worst_mean < STANDARD_ERRORS),
        Check("variances, largest distance", f"< {STANDARD_ERRORS:g} standard errors",
              f"{worst_variance:.2f} of {number}", worst_variance < STANDARD_ERRORS),
        Check("largest standard error of a mean", f"< {100 * resolved:g} % of it",
              f"{100 * resolution:.2f} %", resolution < resolved),
        Check("a, and b of an even charge, without chance", f"< {ROUNDING:g} relative",
              f"{max(decay):.1e}", max(decay) < ROUNDING),
    ]  # fmt: skip


def _network(tau: float, n: int, spread: float, spiked: bool) -> es.Network:
    """Neurons that are one trial each, with five arrivals of their own and a kick of their own."""
    k = WEIGHTS.size
    own = np.arange(n)
    return es.Network(
        [
            es.Input("in", n * k),
            es.Input("kick", n),
            es.Population(
                "out", n, tau_mem=tau, t_ref=1.0, v_threshold=HIGH,
                v_init=0.0 if spiked else V_START,
            ),
        ],
        [
            es.Sparse("kick", "out", own, own, np.full(n, KICK)),
            es.Sparse("in", "out", np.arange(n * k), np.repeat(own, k), np.tile(WEIGHTS, n),
                      spread=spread),
        ],
    )  # fmt: skip


def _potentials(tau: float, trials: int, spread: float, spiked: bool, seed: tuple) -> Floats:
    """Potentials at the end of the second step, [trial].

    The kick fires the neuron at a uniform time of the first step; the arrivals are uniform over
    the second one, or, as a charge that is spread evenly over it, all pulses from its start.
    Without a kick there is only the second step, and it starts at ``V_START``.
    """
    draw = generator(*seed)
    net = _network(tau, GROUP, spread, spiked)
    start, stop = (1.0, 2.0) if spiked else (0.0, 1.0)
    arrivals, kicks = [], []
    for _ in range(trials // GROUP):
        n = GROUP * WEIGHTS.size
        arrivals.append(_train(start + (draw.random(n) if spread == 0 else np.zeros(n))))
        kicks.append(_train(draw.random(GROUP)) if spiked else es.SpikeTrain([], []))
    results = es.simulate(
        net,
        {"in": arrivals, "kick": kicks},
        t_stop=stop,
        record_v={"out": np.arange(GROUP)},
        engine="queue",  # the quicker one where every potential is recorded
    )
    return np.concatenate([result.v["out"].at(stop)[0] for result in results])


def _train(times: Floats) -> es.SpikeTrain:
    """One spike of each unit."""
    order = np.argsort(times, kind="stable")
    return es.SpikeTrain(times[order], order)


def _decay_error(tau: float) -> float:
    """Largest relative error of what involves no draw: the decay a, and b as an even charge."""
    a, b, _ = theory.coefficients(tau)
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 2, tau_mem=tau, v_threshold=HIGH,
                                          v_init=np.array([V_START, 0.0]))],
        [es.Dense("in", "out", [[0.0, 1.0]], spread=1.0)],
    )  # fmt: skip
    result = es.simulate(
        net, {"in": es.SpikeTrain([0.0], [0])}, t_stop=1.0, record_v={"out": [0, 1]}
    )
    decayed, charged = result.v["out"].at(1.0)[0]
    return max(abs(decayed / (a * V_START) - 1.0), abs(charged / b - 1.0))


def _compare(v: Floats, mean: float, variance: float) -> tuple:
    """Sample moments beside their formulas, distances in standard errors."""
    error = v.std(ddof=1) / np.sqrt(v.size)
    squares = (v - v.mean()) ** 2
    squares_error = squares.std(ddof=1) / np.sqrt(v.size)
    return (
        v.size, float(v.mean()), mean, float(error), float((v.mean() - mean) / error),
        float(v.std()), variance**0.5, float((squares.mean() - variance) / squares_error),
        float(v.std() / v.mean()),
    )  # fmt: skip


def _draw(rows: list[tuple]):
    """Means over tau beside the curves, and the distances from them in standard errors."""
    from matplotlib import pyplot

    from eventsim.plot import layer_colors

    _, (left, right) = pyplot.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
    x = float(WEIGHTS.sum())
    fine = np.geomspace(min(row[0] for row in rows) / 1.3, 1.3 * max(row[0] for row in rows), 200)
    cases = list(dict.fromkeys(row[1] for row in rows))
    for (name, color), marker in zip(layer_colors(cases).items(), "os^", strict=True):
        chosen = [row for row in rows if row[1] == name]
        tau = [row[0] for row in chosen]
        curve = (
            theory.mean_after_spike(x, fine)
            if "spike" in name
            else theory.mean_after_step(V_START, x, fine)
        )
        left.plot(fine, curve, color=color, linewidth=1.0)
        hollow = "none" if marker == "^" else color
        left.plot(tau, [row[3] for row in chosen], marker, color=color, markersize=7 if
                  marker == "^" else 4.5, markerfacecolor=hollow, label=name)  # fmt: skip
        right.plot(tau, [row[6] for row in chosen], marker, color=color, markersize=5)
    left.set_ylabel("mean potential at the end of the step")
    left.legend(frameon=False, fontsize="small")
    right.axhspan(-STANDARD_ERRORS, STANDARD_ERRORS, color="0.93", zorder=0)
    right.axhline(0.0, color="0.4", linewidth=0.8)
    right.set_ylim(-1.2 * STANDARD_ERRORS - 1, 1.2 * STANDARD_ERRORS + 1)
    right.set_ylabel("measured mean - formula (standard errors)")
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_xlim(fine[0], fine[-1])
        ticks = sorted({row[0] for row in rows})
        ax.set_xticks(ticks, [f"{tau:g}" for tau in ticks])
        ax.set_xticks([], minor=True)
        ax.set_xlabel("tau (steps)")
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    return left


STUDY = Study(
    "theory",
    "The coefficients a, b and c are the means over uniform arrivals of the exact neuron, and "
    "the variances are as derived.",
    run,
)
