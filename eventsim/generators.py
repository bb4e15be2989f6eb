"""Random numbers that belong to a sample, in whatever batch it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks

__all__ = ["Seed", "generators", "keyed_by"]

Array = NDArray[Any]
Seed = int | tuple[int, ...] | list[int]


def keyed_by(where: str, sample_ids: ArrayLike | None, samples: int) -> Array:
    """Ids of the samples, checked; 0, 1, 2, ... where none are given."""
    if sample_ids is None:
        return np.arange(samples)
    ids = checks.index_array(where, "sample_ids", sample_ids)
    if len(ids) != samples:
        raise checks.fail(where, "sample_ids", f"{samples} ids, one for each sample", len(ids))
    return ids


def generators(where: str, seed: Seed, ids: Array, stream: int) -> list[np.random.Generator]:
    """One generator for each sample, keyed by seed, stream and sample id."""
    parts = seed if isinstance(seed, tuple | list) else [seed]
    # SeedSequence ignores trailing zeros; the count keeps (1,) and (1, 0) apart.
    entropy = [len(parts), *(checks.whole(where, "seed", part, 0) for part in parts)]
    if not parts:
        raise checks.fail(where, "seed", "an int >= 0 or a tuple of them", seed)
    return [
        # PCG64 by name: default_rng may come to mean another generator in a later numpy
        np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(entropy, spawn_key=(stream, int(k))))
        )
        for k in ids
    ]
