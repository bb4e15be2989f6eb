"""Populations: groups of units that share a model and have parameters of their own.

Between events a neuron of a :class:`Population` follows::

    tau_mem dv/dt = -(v - v_leak) + r (i_bias + i_ext(t) + sum_k I_k - w) + tau_mem p(t)
    tau_syn_k dI_k/dt = -I_k        tau_ahp dw/dt = -w        tau_adapt db/dt = -b

where ``p`` is the sum of ``weight / spread`` over its active pulses, ``I_k`` the current of
receptor ``k``, ``w`` a current and ``b`` a rise of the threshold that the neuron's own spikes
leave behind: it spikes when ``v`` reaches ``v_threshold + adapt_beta b``. A delta arrival adds
its weight to ``v``, an arrival at receptor ``k`` to ``I_k``; a spike adds 1 to ``b`` and
``ahp_jump`` to ``w``. With ``tau_mem = inf`` the leak is absent:
``dv/dt = r (i_bias + i_ext + sum_k I_k - w) + p``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType

__all__ = ["Input", "Parameter", "Poisson", "Population", "Relay"]

Parameter = float | NDArray[np.float64]


#: Targets of synapses are numbered in int32.
MAX_UNITS = 2**31 - 1


def _shape(where: str, value: Any) -> tuple[int, ...]:
    sizes = (value,) if isinstance(value, int | np.integer) else value
    if not isinstance(sizes, tuple | list) or not all(
        isinstance(s, int | np.integer) and not isinstance(s, bool) for s in sizes
    ):
        raise InvalidType(f"{where}: n: expected an int or a tuple of ints, got {value!r}")
    if not sizes or min(sizes) < 1:
        raise checks.fail(where, "n", "sizes >= 1", value)
    if prod(map(int, sizes)) > MAX_UNITS:
        raise checks.fail(where, "n", f"at most {MAX_UNITS} units", value)
    return tuple(int(s) for s in sizes)


@dataclass(frozen=True, eq=False, repr=False)
class _Units:
    """A named group of ``n`` units arranged in ``shape`` (channel, y, x for images)."""

    name: str
    n: Any

    def __post_init__(self) -> None:
        kind = type(self).__name__
        checks.name(kind, self.name)
        shape = _shape(f"{kind} {self.name!r}", self.n)
        object.__setattr__(self, "_shape", shape)
        object.__setattr__(self, "n", prod(shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Arrangement of the units; flat index runs over (channel, y, x), last axis fastest."""
        return self._shape  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        size = self.n if len(self.shape) == 1 else self.shape
        return f"{type(self).__name__}({self.name!r}, {size})"


@dataclass(frozen=True, eq=False, repr=False)
class Input(_Units):
    """Units that spike when the user says so.

    Parameters
    ----------
    name : str
        Name, unique in the network.
    n : int or tuple of int
        Number of units, or their arrangement (channel, y, x).

    Examples
    --------
    >>> Input("image", (1, 28, 28)).n
    784
    """


@dataclass(frozen=True, eq=False, repr=False)
class Poisson(Input):
    """Units that spike by themselves, each a Poisson process of its own.

    The intervals between the spikes of a unit are independent and exponential, of mean
    ``1 / rate``. They are drawn while a run goes on and are never held all together. A unit's
    spikes depend on the seed of the run, the number of the sample, the population's name and the
    unit's index alone: any engine, any number of threads and any pieces of a run give the same
    spikes, to the last bit.

    Parameters
    ----------
    name : str
        Name, unique in the network.
    n : int or tuple of int
        Number of units, or their arrangement (channel, y, x).
    rate : float or array
        Mean number of spikes a second, finite and >= 0.

    Examples
    --------
    Eight spikes a second from each of 1,000 sources, for each of two cells a train of its own:

    >>> from eventsim import Network, Population, Sparse, simulate
    >>> net = Network(
    ...     [Poisson("outside", 2, rate=8e3), Population("cells", 2, tau_mem=20e-3, t_ref=2e-3)],
    ...     [Sparse("outside", "cells", pre=[0, 1], post=[0, 1], weight=0.01)],
    ... )
    >>> simulate(net, {}, t_stop=0.1, seed=1).counts["outside"]
    array([776, 769])
    """

    rate: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        where = f"Poisson {self.name!r}"
        rate = checks.real_array(where, "rate", self.rate).astype(np.float64)
        if rate.ndim and rate.shape == self.shape:
            rate = rate.reshape(-1)
        if rate.ndim and rate.shape != (self.n,):
            expected = f"one number or an array of {self.n}"
            raise checks.fail(where, "rate", expected, f"shape {rate.shape}")
        checks.finite(where, "rate", rate)
        checks.non_negative(where, "rate", rate)
        object.__setattr__(self, "rate", checks.read_only(rate) if rate.ndim else float(rate))

    @property
    def rates(self) -> NDArray[np.float64]:
        """The rate of each unit, in spikes a second."""
        return np.broadcast_to(self.rate, (self.n,)).astype(np.float64)


@dataclass(frozen=True, eq=False, repr=False)
class Relay(_Units):
    """Units without a membrane: they pass on, at once, each spike that reaches them.

    The target of a :class:`~eventsim.MaxPool2d`, whose rule says which spikes reach it.

    Examples
    --------
    >>> Relay("pool1", (6, 14, 14))
    Relay('pool1', (6, 14, 14))
    """


@dataclass(frozen=True, eq=False, repr=False)
class Population(_Units):
    """Leaky integrate-and-fire neurons.

    Each parameter is one number or an array of length ``n``; it is kept as a float or as a
    read-only float64 array.

    Parameters
    ----------
    name : str
        Name, unique in the network.
    n : int or tuple of int
        Number of neurons, or their arrangement (channel, y, x).
    tau_mem : float or array
        Membrane time constant in seconds, > 0. ``inf``: no leak (IF).
    v_threshold : float or array
        Threshold, in the model's voltage unit; ``inf`` makes a neuron that never spikes.
    v_reset, v_leak : float or array
        Reset and resting potential, below or at any side of the threshold for ``v_leak``,
        below it for ``v_reset``.
    t_ref : float or array
        Absolute refractory period in seconds, >= 0. It holds in ``[t, t + t_ref)``.
    r : float or array
        Gain of currents, voltage per current.
    i_bias : float or array
        Constant current.
    reset : {"value", "subtract"}
        ``v := v_reset``, or ``v -= v_threshold - v_reset``.
    multi_spike : bool
        With ``reset="subtract"``: repeat in the same instant while at threshold.
    fires_at_equality : bool
        True: fires when ``v >= v_threshold``; False: when ``v > v_threshold``.
    v_init : float, array or None
        Initial potential; None means ``v_leak``.
    tau_syn : float, sequence or None
        Time constants of the exponential receptors in seconds, > 0: one for each receptor, each
        a number or an array of length ``n``. None: delta and pulse synapses only.
    adapt_beta, tau_adapt : float or array
        Adaptive threshold (ALIF): ``v_threshold + adapt_beta b``, where ``b`` jumps by 1 at an
        own spike and decays with ``tau_adapt`` seconds.
    ahp_jump, tau_ahp : float or array
        Spike-triggered current (AHP): ``w`` jumps by ``ahp_jump`` at an own spike, decays with
        ``tau_ahp`` seconds and is subtracted from the drive.

    Raises
    ------
    InvalidValue, InvalidType
        A parameter is of the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> hidden = Population("hidden", 3, tau_mem=4e-3, t_ref=1e-3, i_bias=[0.0, 0.1, 0.2])
    >>> hidden
    Population('hidden', 3, tau_mem=0.004, t_ref=0.001, i_bias=[0, ..., 0.2])
    >>> hidden.array("tau_mem")
    array([0.004, 0.004, 0.004])

    Two receptors, excitatory and inhibitory, and a threshold that adapts:

    >>> cells = Population("cells", 100, tau_mem=20e-3, tau_syn=[5e-3, 10e-3],
    ...                    adapt_beta=0.2, tau_adapt=0.1)
    >>> cells.n_receptors, cells.receptor_times[:, 0]
    (2, array([0.005, 0.01 ]))
    """

    tau_mem: Parameter
    v_threshold: Parameter = 1.0
    v_reset: Parameter = 0.0
    v_leak: Parameter = 0.0
    t_ref: Parameter = 0.0
    r: Parameter = 1.0
    i_bias: Parameter = 0.0
    reset: str = "value"
    multi_spike: bool = False
    fires_at_equality: bool = True
    v_init: Parameter | None = None
    tau_syn: Any = None
    adapt_beta: Parameter = 0.0
    tau_adapt: Parameter | None = None
    ahp_jump: Parameter = 0.0
    tau_ahp: Parameter | None = None

    PARAMETERS = (
        *("tau_mem", "v_threshold", "v_reset", "v_leak", "t_ref", "r", "i_bias", "v_init"),
        *("adapt_beta", "tau_adapt", "ahp_jump", "tau_ahp"),
    )
    FLAGS = ("reset", "multi_spike", "fires_at_equality")
    _MAY_BE_INF = ("tau_mem", "v_threshold")
    #: What a spike leaves behind: the jump it makes, and the time constant of its decay.
    _ADAPTATION = (("adapt_beta", "tau_adapt"), ("ahp_jump", "tau_ahp"))

    def __post_init__(self) -> None:
        super().__post_init__()
        where = f"Population {self.name!r}"
        for field in self.PARAMETERS:
            value = getattr(self, field)
            if value is not None or type(self).__dataclass_fields__[field].default is not None:
                object.__setattr__(self, field, self._parameter(where, field, value))
        for field in ("multi_spike", "fires_at_equality"):
            if not isinstance(getattr(self, field), bool | np.bool_):
                raise InvalidType(
                    f"{where}: {field}: expected True or False, got {getattr(self, field)!r}"
                )
            object.__setattr__(self, field, bool(getattr(self, field)))
        if self.reset not in ("value", "subtract"):
            raise checks.fail(where, "reset", "'value' or 'subtract'", repr(self.reset))
        object.__setattr__(self, "reset", str(self.reset))
        if self.multi_spike and self.reset != "subtract":
            raise checks.fail(where, "multi_spike", "False unless reset='subtract'", True)
        if self.tau_syn is not None:
            object.__setattr__(self, "tau_syn", self._receptors(where))
        self._check_ranges(where)
        self._check_adaptation(where)

    def _parameter(self, where: str, field: str, value: Any) -> Parameter:
        array = checks.real_array(where, field, value).astype(np.float64)
        if array.ndim and array.shape == self.shape:
            array = array.reshape(-1)
        if array.ndim and array.shape != (self.n,):
            raise checks.fail(
                where, field, f"one number or an array of {self.n}", f"shape {array.shape}"
            )
        flat = np.atleast_1d(array)
        bad = np.isnan(flat) if field in self._MAY_BE_INF else ~np.isfinite(flat)
        bad |= flat == -np.inf
        if bad.any():
            k = int(np.argmax(bad))
            allowed = "a number, or inf" if field in self._MAY_BE_INF else "a finite number"
            raise checks.fail(where, self._at(field, array, k), allowed, flat[k])
        return float(array) if array.ndim == 0 else checks.read_only(array)

    def _receptors(self, where: str) -> NDArray[np.float64]:
        """Time constants [receptor] or, where they differ between neurons, [receptor, neuron]."""
        given = self.tau_syn
        if not isinstance(given, list | tuple):
            given = list(np.atleast_1d(checks.real_array(where, "tau_syn", given)))
        if len(given) == 0:
            raise checks.fail(where, "tau_syn", "at least one time constant, or None", given)
        rows = [self._parameter(where, f"tau_syn[{k}]", tau) for k, tau in enumerate(given)]
        for k, tau in enumerate(rows):
            self._refuse(where, f"tau_syn[{k}]", tau, np.less_equal(tau, 0), "a finite time > 0")
        if any(isinstance(tau, np.ndarray) for tau in rows):
            rows = [np.broadcast_to(tau, self.n) for tau in rows]
        return checks.read_only(np.array(rows, dtype=np.float64))

    def _check_adaptation(self, where: str) -> None:
        for jump, tau in self._ADAPTATION:
            if getattr(self, tau) is not None:
                bad = self.array(tau) <= 0
                self._refuse(where, tau, getattr(self, tau), bad, "a finite time > 0")
            elif np.any(getattr(self, jump)):
                raise checks.fail(where, tau, f"a time in seconds, as {jump} is not 0", None)

    def _refuse(
        self, where: str, field: str, value: Any, bad: NDArray[np.bool_], expected: str
    ) -> None:
        """Refuse the first value that is marked as bad."""
        if np.any(bad):
            k = int(np.argmax(bad))
            array = np.asarray(value)
            got = array if array.ndim == 0 else array[k]
            raise checks.fail(where, self._at(field, array, k), expected, got)

    def _check_ranges(self, where: str) -> None:
        def refuse(field: str, bad: NDArray[np.bool_], expected: str) -> None:
            self._refuse(where, field, getattr(self, field), bad, expected)

        refuse("tau_mem", self.array("tau_mem") <= 0, "a number > 0, or inf")
        refuse("t_ref", self.array("t_ref") < 0, "a number >= 0")
        with np.errstate(over="ignore", invalid="ignore"):
            tau, r = self.array("tau_mem"), self.array("r")
            gain = np.where(np.isinf(tau), r, r / tau)
            slope = gain * self.array("i_bias")
        refuse("tau_mem", ~np.isfinite(gain), "a time for which r / tau_mem is finite")
        refuse("i_bias", ~np.isfinite(slope), "a current whose drive r i_bias / tau_mem is finite")
        threshold = self.array("v_threshold")
        refuse("v_reset", self.array("v_reset") >= threshold, "a number below v_threshold")

    @staticmethod
    def _at(field: str, array: NDArray[Any], k: int) -> str:
        return f"{field}[{k}]" if array.ndim else field

    def array(self, field: str) -> NDArray[np.float64]:
        """Parameter ``field`` as a float64 array of length ``n``."""
        value = getattr(self, field)
        if value is None:  # a time constant without a jump is of no effect
            value = self.v_leak if field == "v_init" else 1.0
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (self.n,)).copy()

    @property
    def n_receptors(self) -> int:
        """Number of exponential receptors."""
        return 0 if self.tau_syn is None else len(self.tau_syn)

    @property
    def receptor_times(self) -> NDArray[np.float64]:
        """Time constants [receptor, neuron] of the exponential receptors."""
        if self.tau_syn is None:
            return np.zeros((0, self.n))
        columns = self.tau_syn if self.tau_syn.ndim == 2 else self.tau_syn[:, None]
        return np.broadcast_to(columns, (self.n_receptors, self.n)).copy()

    @property
    def adapts(self) -> bool:
        """Whether a spike leaves anything behind that decays."""
        return any(bool(np.any(getattr(self, jump))) for jump, _ in self._ADAPTATION)

    def __repr__(self) -> str:
        size = self.n if len(self.shape) == 1 else self.shape
        parts = [repr(self.name), str(size)]
        for field in self.PARAMETERS + self.FLAGS:
            value = getattr(self, field)
            default = type(self).__dataclass_fields__[field].default
            if isinstance(value, np.ndarray):
                parts.append(f"{field}=[{value[0]:g}, ..., {value[-1]:g}]")
            elif value != default:
                parts.append(f"{field}={value!r}")
        if self.tau_syn is not None:
            parts.append(f"tau_syn=[{', '.join(f'{tau:g}' for tau in self.receptor_times[:, 0])}]")
        return f"Population({', '.join(parts)})"
