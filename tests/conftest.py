"""Settings and fixtures that every test shares."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Pictures are drawn without a screen.
os.environ.setdefault("MPLBACKEND", "Agg")

# eventsim.jit keeps its kernels in a folder named by a hash of the sources, whoever imports numba
# first; nothing is to be set here for a test to run the code that it sees.

# A failing example must fail again, on any machine, so every run draws the same examples. The time
# of one example is no criterion: the first one compiles.
settings.register_profile(
    "default",
    derandomize=True,
    deadline=None,
    max_examples=60,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# New examples at every run: HYPOTHESIS_PROFILE=explore pytest tests/test_engines.py
settings.register_profile(
    "explore", settings.get_profile("default"), derandomize=False, max_examples=2000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts from the same state in every test."""
    return np.random.default_rng(20240229)


@pytest.fixture
def madeup(monkeypatch):
    """``from_torch`` knows the neurons of tests.madeup; weights are the same in every run."""
    import torch

    from eventsim.load.modules import recognise

    monkeypatch.setitem(recognise.FRAMEWORKS, "tests", "tests.madeup")
    torch.manual_seed(5)
