r"""Update rules of the coarse leaky integrate-and-fire model and of its author's other cells.

All have the form

.. math::

    v &\leftarrow (1 - s) \, (\alpha v + \beta x) + s \, \gamma x \\
    s &\leftarrow 1 \text{ if } v > v_0 \text{ else } 0

with the charge ``x`` of the step (weighted input spikes plus the bias per step), the potential
``v`` relative to rest, the threshold ``v0 = v_threshold - v_leak``, and ``s`` the neuron's own
spike of the step before. With ``tau = tau_mem / dt`` and a, b, c of
:mod:`eventsim.discrete.theory`:

==================== ========= ========== ==========
rule                 alpha     beta       gamma
==================== ========= ========== ==========
coarse               a         b          c
coarse_drop          a         b          0
constant_potential   a         b / c      1
lif                  a         b          b
if                   1         1          1
mcculloch_pitts      0         1          1
==================== ========= ========== ==========

``coarse``
    The model of the paper: input that arrives while the neuron is refractory is lost, on
    average over the phase of the last spike.
``coarse_drop``
    All input of the step after a spike is lost.
``constant_potential``
    For analog input. The charge is ``x / c``, so that ``x`` itself is the mean potential at the
    end of the step after a spike: a neuron fires in every step when ``x > v0``.
``lif``, ``if``, ``mcculloch_pitts``
    Cells without refractory period: with leak, without leak, without memory.

At ``v == v0`` there is no spike, whatever ``fires_at_equality`` says of the continuous neuron.
The author's step function gives 0.5 there, which a sum of trained weights does not meet.

Source: arXiv:2007.06176 and the author's package ``spikingtorch`` (the rules as facts).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.discrete.theory import coefficients
from eventsim.errors import UnsupportedNetwork
from eventsim.jit import njit
from eventsim.populations import Population

__all__ = ["CELLS", "Cell", "bias_per_step"]

Array = NDArray[Any]
Float = NDArray[np.float64]

#: A refractory period counts as one step when it differs by less than this part of a step.
STEP_TOLERANCE = 1e-9


class Factors(NamedTuple):
    """alpha, beta, gamma of the module's table, one entry for each neuron."""

    alpha: Float
    beta: Float
    gamma: Float


def _coarse(tau: Float) -> Factors:
    return Factors(*coefficients(tau))


def _coarse_drop(tau: Float) -> Factors:
    a, b, _ = coefficients(tau)
    return Factors(a, b, np.zeros_like(tau))


def _constant_potential(tau: Float) -> Factors:
    a, b, c = coefficients(tau)
    return Factors(a, b / c, np.ones_like(tau))


def _lif(tau: Float) -> Factors:
    a, b, _ = coefficients(tau)
    return Factors(a, b, b)


def _if(tau: Float) -> Factors:
    one = np.ones_like(tau)
    return Factors(one, one, one)


def _mcculloch_pitts(tau: Float) -> Factors:
    one = np.ones_like(tau)
    return Factors(np.zeros_like(tau), one, one)


_FACTORS: dict[str, Callable[[Float], Factors]] = {
    "coarse": _coarse,
    "coarse_drop": _coarse_drop,
    "constant_potential": _constant_potential,
    "lif": _lif,
    "if": _if,
    "mcculloch_pitts": _mcculloch_pitts,
}
_REFRACTORY_RULES = ("coarse", "coarse_drop", "constant_potential")


def bias_per_step(population: Population, dt: float) -> Float:
    r"""Charge per step of the constant current of a population.

    .. math:: r \, i_\mathrm{bias} \, dt / \tau_\mathrm{mem}

    and :math:`r \, i_\mathrm{bias} \, dt` where ``tau_mem`` is infinite.

    Parameters
    ----------
    population : Population
        Neurons whose ``r``, ``i_bias`` and ``tau_mem`` are read.
    dt : float
        Length of a step in seconds.

    Returns
    -------
    array [n]
        In the unit of the weights.

    Examples
    --------
    >>> bias_per_step(Population("p", 2, tau_mem=4e-3, i_bias=[0.0, 2.0]), 1e-3)
    array([0. , 0.5])
    """
    drive = population.array("r") * population.array("i_bias") * dt
    tau = population.array("tau_mem")
    return np.asarray(drive / np.where(np.isinf(tau), 1.0, tau))


class Cell:
    """The neurons of one population under one rule, ready to be stepped.

    Parameters
    ----------
    population : Population
        Neurons with reset to their resting potential; for the coarse rules ``t_ref`` is ``dt``.
    rule : str
        A name of the module's table.
    dt : float
        Length of a step in seconds.
    dtype : float64 or float32
        Arithmetic; the factors are computed in float64 and then rounded to it.

    Raises
    ------
    UnsupportedNetwork
        The rule cannot express the population: ``reset="subtract"``, ``v_reset`` other than
        ``v_leak``, or, for the coarse rules, ``t_ref`` other than ``dt``.

    Examples
    --------
    >>> cell = Cell(Population("p", 1, tau_mem=4e-3, t_ref=1e-3), "coarse", 1e-3, np.float64)
    >>> v, s = cell.start(1)
    >>> for _ in range(3):
    ...     cell.advance((v, s), np.array([[1.2]]))
    ...     print(round(v[0, 0], 4), s[0, 0])
    1.0618 1.0
    0.553 0.0
    1.4924 1.0
    """

    def __init__(self, population: Population, rule: str, dt: float, dtype: Any) -> None:
        _check(population, rule, dt)
        leak = population.array("v_leak")
        self._start = (population.array("v_init") - leak).astype(dtype)
        self._threshold = (population.array("v_threshold") - leak).astype(dtype)
        self._bias = bias_per_step(population, dt).astype(dtype)
        factors = _FACTORS[rule](population.array("tau_mem") / dt)
        self._factors = Factors(*(factor.astype(dtype) for factor in factors))

    def start(self, samples: int) -> tuple[Array, Array]:
        """Potentials and spikes [sample, n] before the first step."""
        v = np.repeat(self._start[None], samples, axis=0)
        return v, np.zeros_like(v)

    def advance(
        self, state: tuple[Array, ...], charge: Array, feedback: Array | None = None
    ) -> None:
        """One step in place: the state is updated, the bias is added to ``charge``.

        ``feedback`` is for rules that tell recurrent charge from other charge; this one does not.
        """
        v, s = state
        _advance(v, s, charge, self._bias, *self._factors, self._threshold)


#: Update rule -> what makes the cell of a population; the lines of the registry.
CELLS: dict[str, Callable[[Population, str, float, Any], Cell]] = dict.fromkeys(_FACTORS, Cell)


def _check(population: Population, rule: str, dt: float) -> None:
    where = f"population {population.name!r}"
    if population.n_receptors:
        raise UnsupportedNetwork(
            f"{where}: tau_syn: expected None for the rule {rule!r}, whose synapses are deltas, "
            f"got {population.n_receptors} receptors"
        )
    for jump in ("adapt_beta", "ahp_jump"):
        if np.any(getattr(population, jump)):
            raise UnsupportedNetwork(
                f"{where}: {jump}: expected 0 for the rule {rule!r}, which does not adapt"
            )
    if population.reset != "value":
        raise UnsupportedNetwork(
            f"{where}: reset: expected 'value' for the rule {rule!r}, got {population.reset!r}"
        )
    if (population.array("v_reset") != population.array("v_leak")).any():
        raise UnsupportedNetwork(
            f"{where}: v_reset: expected v_leak ({population.v_leak}) for the rule {rule!r}, "
            f"got {population.v_reset}"
        )
    off = np.abs(population.array("t_ref") - dt) > STEP_TOLERANCE * dt
    if rule in _REFRACTORY_RULES and off.any():
        raise UnsupportedNetwork(
            f"{where}: t_ref: expected one step ({dt:g} s) for the rule {rule!r}, "
            f"got {population.t_ref} s"
        )


@njit
def _advance(
    v: Array, s: Array, charge: Array, bias: Array,
    alpha: Array, beta: Array, gamma: Array, threshold: Array,
) -> None:  # fmt: skip
    for sample in range(v.shape[0]):
        for j in range(v.shape[1]):
            x = charge[sample, j] + bias[j]
            charge[sample, j] = x
            if s[sample, j] != 0:
                v[sample, j] = gamma[j] * x
            else:
                v[sample, j] = alpha[j] * v[sample, j] + beta[j] * x
            s[sample, j] = 1 if v[sample, j] > threshold[j] else 0
