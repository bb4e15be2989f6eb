"""Cells of the discrete rules for networks of tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import eventsim as es
from eventsim.discrete.theory import coefficients

DT = 1e-3
REFRACTORY = ("coarse", "coarse_drop", "constant_potential")


def factors(rule, tau):
    """alpha, beta, gamma of the rule, written out once more."""
    a, b, c = (float(k) for k in coefficients(tau))
    return {
        "coarse": (a, b, c),
        "coarse_drop": (a, b, 0.0),
        "constant_potential": (a, b / c, 1.0),
        "lif": (a, b, b),
        "if": (1.0, 1.0, 1.0),
        "mcculloch_pitts": (0.0, 1.0, 1.0),
    }[rule]


def weights(shape):
    """Weights of both signs; float32 as a trained net has them, among them exact ties."""
    return hnp.arrays(np.float32, shape, elements=st.floats(-1.0, 1.5, width=16))


def neurons(name, shape, rule, **parameters):
    return es.Population(
        name, shape, t_ref=DT if rule in REFRACTORY else 0.0, **{"tau_mem": 4 * DT, **parameters}
    )
