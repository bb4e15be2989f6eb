"""Metrics as Elephant and PySpike compute them: ``python tests/references/metrics_others.py``.

Needs elephant and pyspike and not eventsim, so it can run in an environment of its own. Writes
metrics_others.json: spike trains of one neuron in a window, and what the packages gave for them.
"""

from __future__ import annotations

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

T_STOP = 1.0  # s
BIN = 0.01  # s
COSTS = (0.0, 1.0, 20.0, 300.0)  # 1/s
TIME_CONSTANTS = (0.002, 0.02, 0.5)  # s
MAX_LAG = 15  # bins


def trains() -> dict[str, list[float]]:
    """Trains of one neuron: random, related, regular, and those at the edges of a definition."""
    rng = np.random.default_rng(411)
    slow, fast = np.sort(rng.uniform(0, T_STOP, 6)), np.sort(rng.uniform(0, T_STOP, 40))
    late = slow + rng.normal(0.004, 0.003, slow.size)
    found = {
        "empty": [],
        "one": [0.3],
        "other": [0.62],
        "start": [0.0, 0.4, 0.75],
        "stop": [0.2, 1.0],
        "edges": [0.0, 0.5, 1.0],
        "regular": np.arange(0.05, T_STOP, 0.1),
        "shifted": np.arange(0.06, T_STOP, 0.1),
        "slow": slow,
        "late": np.clip(np.sort(late), 0, T_STOP),
        "thinned": fast[::3],
        "fast": fast,
        "burst": np.sort(np.concatenate([0.3 + 0.001 * np.arange(6), [0.85]])),
    }
    return {name: [float(t) for t in times] for name, times in found.items()}


def on_grid() -> list[list[float]]:
    """Trains with at most one spike in a bin, in its middle."""
    rng = np.random.default_rng(412)
    bins = [np.flatnonzero(rng.uniform(size=round(T_STOP / BIN)) < p) for p in (0.1, 0.2, 0.4)]
    bins.append(bins[1][bins[1] < 97] + 3)
    return [[float(t) for t in (np.array(k) + 0.5) * BIN] for k in bins]


def elephant(times: dict[str, list[float]], grid: list[list[float]]) -> dict[str, object]:
    """What Elephant gives: statistics of each train, matrices over the trains."""
    import neo
    import quantities as pq
    from elephant import conversion, statistics
    from elephant import spike_train_correlation as correlation
    from elephant import spike_train_dissimilarity as dissimilarity

    def neo_train(t: list[float]) -> neo.SpikeTrain:
        return neo.SpikeTrain(t * pq.s, t_start=0 * pq.s, t_stop=T_STOP * pq.s)

    every = [neo_train(t) for t in times.values()]
    binned = conversion.BinnedSpikeTrain([neo_train(t) for t in grid], bin_size=BIN * pq.s)
    lags = (-MAX_LAG, MAX_LAG)
    return {
        "mean_firing_rate": [float(statistics.mean_firing_rate(t).rescale("Hz")) for t in every],
        "isi": {k: statistics.isi(np.array(t)).tolist() for k, t in times.items() if len(t) > 1},
        "cv": {k: float(statistics.cv(np.diff(t))) for k, t in times.items() if len(t) > 1},
        "cv2": {k: float(statistics.cv2(np.diff(t))) for k, t in times.items() if len(t) > 2},
        "lv": {k: float(statistics.lv(np.diff(t))) for k, t in times.items() if len(t) > 2},
        "fanofactor": float(statistics.fanofactor(every)),
        "victor_purpura_distance": [
            dissimilarity.victor_purpura_distance(every, q * pq.Hz).tolist() for q in COSTS
        ],
        "van_rossum_distance": [
            dissimilarity.van_rossum_distance(every, tau * pq.s).tolist() for tau in TIME_CONSTANTS
        ],
        "correlation_coefficient": correlation.correlation_coefficient(binned).tolist(),
        "cross_correlation_histogram": [
            [
                correlation.cross_correlation_histogram(
                    conversion.BinnedSpikeTrain(neo_train(a), bin_size=BIN * pq.s),
                    conversion.BinnedSpikeTrain(neo_train(b), bin_size=BIN * pq.s),
                    window=lags,
                )[0]
                .magnitude.ravel()
                .astype(int)
                .tolist()
                for b in grid
            ]
            for a in grid
        ],
    }


def pyspike(times: dict[str, list[float]]) -> dict[str, object]:
    """What PySpike gives: a distance for each pair of trains."""
    import pyspike as spk

    every = [spk.SpikeTrain(t, (0.0, T_STOP)) for t in times.values()]
    return {
        "isi_distance": [[float(spk.isi_distance(a, b)) for b in every] for a in every],
        "spike_distance": [[float(spk.spike_distance(a, b)) for b in every] for a in every],
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    times, grid = trains(), on_grid()
    content = {
        "versions": {name: version(name) for name in ("elephant", "pyspike", "numpy")},
        "t_stop": T_STOP,
        "bin_size": BIN,
        "cost_factors": COSTS,
        "time_constants": TIME_CONSTANTS,
        "max_lag_bins": MAX_LAG,
        "trains": times,
        "grid": grid,
        "elephant": elephant(times, grid),
        "pyspike": pyspike(times),
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size:,} bytes, {content['versions']}")
