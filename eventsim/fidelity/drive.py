r"""The charge that drives the neurons of each layer, as the coarse run alone tells it.

All charges are in units of the threshold above rest, :math:`v_0`, and of one step. The charge of a
neuron under a constant potential is the one whose mean potential one step after a spike is ``x``,
that is ``x / c``.

The arrivals of a step come one by one in continuous time. Uniform and independent of one another,
they carry the sum of the charge away from an even flow by

.. math:: \sqrt{t (1 - t) \sum_j w_j^2}, \qquad 0 \le t \le 1

(one standard deviation, the decay left out). Its size without the factor of time,
:math:`\sqrt{\sum_j w_j^2} / v_0`, is called the excursion here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.discrete.charge import Link, link
from eventsim.discrete.theory import coefficients
from eventsim.discretization import Discretization
from eventsim.fidelity.intervals import Moments
from eventsim.network import Network
from eventsim.pooling import SumPool2d
from eventsim.populations import Population, Relay
from eventsim.projections import Dense, Projection, Sparse

__all__ = ["DriveSums", "LayerDrive", "fed_by_neurons"]

Array = NDArray[Any]
Float = NDArray[np.float64]

#: Bins of a step in which the times of spikes are counted.
PHASES = 1000


@dataclass(frozen=True)
class LayerDrive:
    r"""What the coarse run says of one layer; shares lie between 0 and 1.

    Attributes
    ----------
    name, n : str, int
        Population and its number of neurons.
    mean, sd : float
        Mean and standard deviation of the charge that a neuron gets in a step, in thresholds, over
        all neurons, steps and samples; the bias is part of it.
    sd_in_time : float
        The same from step to step: the root of the mean variance over the steps of a presentation.
    excursion : float
        Root mean square of :math:`\sqrt{\sum w^2} / v_0` over the arrivals of a step, over all
        neurons, steps and samples. 0 for a layer that only currents drive.
    from_neurons : float
        The part of it that comes from other neurons and not from the input; squares add up.
    strong : float or None
        Share of the weights that are at or above the threshold: one delta fires the exact neuron
        from rest. None where the layer has no weights.
    unseen : float or None
        Share of the weights between :math:`v_0` and :math:`v_0 / b`: one delta fires the exact
        neuron, but never the coarse one.
    above_knee : float
        Share of neurons and steps whose charge is beyond the point from which on the coarse rate
        is locked to one spike in two steps (or, for a rule without refractory period, in one).
    rate : float
        Spikes of a neuron in a step.
    silent, saturated : float
        Share of neurons (for each sample) without a spike; with one in every step.
    phase : float or None
        When in its step a neuron spikes if the charge of the step flows evenly, 0 to 1, mean over
        the spikes of neurons that did not spike in the step before. None without such a spike.
    phase_distance : float or None
        Largest distance of the distribution of these times from the uniform one, which the coarse
        model assumes: 0 uniform, towards 1 all at once (Kolmogorov and Smirnov).
    isi_cv : float or None
        Coefficient of variation of the interspike intervals in steps. None without an interval.
    """

    name: str
    n: int
    mean: float
    sd: float
    sd_in_time: float
    excursion: float
    from_neurons: float
    strong: float | None
    unseen: float | None
    above_knee: float
    rate: float
    silent: float
    saturated: float
    phase: float | None
    phase_distance: float | None
    isi_cv: float | None

    @property
    def constant(self) -> float:
        """Share of the variance of the charge that stays the same from step to step."""
        return 1.0 - (self.sd_in_time / self.sd) ** 2 if self.sd else 1.0


class DriveSums:
    """The numbers of one layer, added up over parts of the samples.

    Parameters
    ----------
    net : Network
        Network of delta and pulse synapses.
    disc : Discretization
        How it was trained.
    name : str
        A Population of it.

    Examples
    --------
    >>> from eventsim import Input
    >>> net = Network([Input("in", 2), Population("out", 1, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("in", "out", [[0.3], [0.4]])])
    >>> disc = Discretization(dt=1e-3, steps=4)
    >>> x = np.ones((1, 4, 2), dtype=np.uint8)
    >>> sums = DriveSums(net, disc, "out")
    >>> sums.add(*(disc.run(net, x, layers=True, record=record)
    ...            for record in ("spikes", "drive", "potential")))
    >>> layer = sums.layer()
    >>> round(layer.mean, 3), round(layer.excursion, 3), layer.sd_in_time
    (0.7, 0.5, 0.0)
    """

    def __init__(self, net: Network, disc: Discretization, name: str) -> None:
        population = net[name]
        assert isinstance(population, Population)
        self.name, self.n = name, population.n
        self._threshold = population.array("v_threshold") - population.array("v_leak")
        self._start = (population.array("v_init") - population.array("v_leak")) / self._threshold
        self._tau = population.array("tau_mem") / disc.dt
        rule = disc.rule_of(name)
        self._to_charge, self._answer, self._locks = _response(rule, self._tau)
        self._forgets = rule == "mcculloch_pitts"
        links = [p for p in net.projections if p.target == name]
        self._links = [
            (p.source, _steps(p, disc.dt), _squared(net, p), fed_by_neurons(net, p)) for p in links
        ]
        self._strong, self._unseen = _strong_weights(links, self._threshold, self._answer)
        self._charge = Moments()
        self._in_time = self._squares = self._inner = 0.0
        self._above = self._spikes = self._silent = self._saturated = self._trains = 0
        self._phases = np.zeros(PHASES, dtype=np.int64)
        self._intervals = Moments()

    def add(
        self,
        spikes: Mapping[str, Array],
        drive: Mapping[str, Array],
        potential: Mapping[str, Array],
    ) -> None:
        """Add samples: what :meth:`Discretization.run` records of all populations."""
        charge = drive[self.name] * (self._to_charge / self._threshold)
        fired = spikes[self.name] > 0
        self._charge += Moments.of(charge)
        self._in_time += float(charge.var(axis=1).mean(axis=1).sum())
        self._above += int(np.count_nonzero(charge * self._locks > 1.0))
        counts = fired.sum(axis=1)
        self._spikes += int(counts.sum())
        self._silent += int(np.count_nonzero(counts == 0))
        self._saturated += int(np.count_nonzero(counts == fired.shape[1]))
        self._trains += counts.size
        for source, delay, squared, inner in self._links:
            size = float(
                np.sum(_arriving(spikes[source], delay, squared, self.n) / self._threshold**2)
            )
            self._squares += size
            self._inner += inner * size
        self._add_phases(charge, fired, potential[self.name] / self._threshold)
        self._intervals += Moments.of(_intervals(fired))

    def _add_phases(self, charge: Float, fired: Array, v: Float) -> None:
        """Count when in the step an even charge takes the potential to the threshold."""
        before = np.roll(v, 1, axis=1)
        before[:, 0] = self._start
        if self._forgets:
            before[:] = 0.0
        free = fired & ~np.roll(fired, 1, axis=1)
        free[:, 0] = fired[:, 0]
        x, v0 = charge[free], before[free]
        tau = np.broadcast_to(self._tau, free.shape)[free]
        leaky = np.isfinite(tau)
        with np.errstate(all="ignore"):  # a start above the threshold, and rules that forget
            phase = (1.0 - v0) / x
            phase[leaky] = tau[leaky] * np.log1p((1.0 - v0[leaky]) / (tau * x - 1.0)[leaky])
        phase = np.where(v0 >= 1.0, 0.0, np.nan_to_num(phase, nan=1.0, posinf=1.0, neginf=1.0))
        bins = (np.clip(phase, 0.0, 1.0 - 0.5 / PHASES) * PHASES).astype(np.int64)
        self._phases += np.bincount(bins, minlength=PHASES)

    def layer(self) -> LayerDrive:
        """The numbers of all samples so far; at least one."""
        entries = self._charge.n
        spikes = int(self._phases.sum())
        phase = distance = None
        if spikes:
            middles = (np.arange(PHASES) + 0.5) / PHASES
            phase = float(self._phases @ middles / spikes)
            ends = np.arange(1, PHASES + 1) / PHASES
            distance = float(np.abs(np.cumsum(self._phases) / spikes - ends).max())
        return LayerDrive(
            name=self.name,
            n=self.n,
            mean=self._charge.middle,
            sd=math.sqrt(self._charge.squares / entries),
            sd_in_time=math.sqrt(self._in_time * self.n / self._trains),
            excursion=math.sqrt(self._squares / entries),
            from_neurons=math.sqrt(self._inner / entries),
            strong=self._strong,
            unseen=self._unseen,
            above_knee=self._above / entries,
            rate=self._spikes / entries,
            silent=self._silent / self._trains,
            saturated=self._saturated / self._trains,
            phase=phase,
            phase_distance=distance,
            isi_cv=self._intervals.cv,
        )


def fed_by_neurons(net: Network, projection: Projection) -> bool:
    """Whether neurons, and not the input, send what a projection brings."""
    source = net[projection.source]
    if isinstance(source, Relay):
        return any(fed_by_neurons(net, p) for p in net.projections if p.target == source.name)
    return isinstance(source, Population)


def _response(rule: str, tau: Float) -> tuple[Float, Float, Float]:
    """Charge of a drive of 1; potential of a charge of 1; one over the charge that locks the rate.

    Under a constant charge x a neuron with a refractory period that spiked has c x at the end of
    the next step and a c x + b x at the end of the one after.
    """
    a, b, c = coefficients(tau)
    one = np.ones_like(tau)
    if rule in ("if", "mcculloch_pitts"):
        return one, one, one
    if rule in ("lif", "coarse_drop"):
        return one, b, b
    return (1.0 / c if rule == "constant_potential" else one), b, a * c + b


def _squared(net: Network, projection: Projection) -> Link:
    """The projection with the squares of its weights."""
    if isinstance(projection, SumPool2d):
        squared: Any = projection.weight * projection.gain
    else:
        squared = np.square(projection.weight, dtype=np.float64)  # type: ignore[attr-defined]
    replaced = dataclasses.replace(projection, weight=squared, spread=0.0)  # type: ignore[call-arg]
    return link(net, replaced, np.float64)


def _steps(projection: Projection, dt: float) -> int:
    """Delay of a projection that the twin has accepted."""
    return round(projection.min_delay / dt)


def _arriving(spikes: Array, delay: int, squared: Link, targets: int) -> Float:
    """Sum of the squares of the weights that arrive, [sample step, n]."""
    samples, steps, n = spikes.shape
    active = np.zeros((samples, steps, n))
    active[:, delay:] = spikes[:, : max(0, steps - delay)]
    charge = np.zeros((samples * steps, targets))
    squared.add(active.reshape(samples * steps, n), charge)
    return charge


def _intervals(fired: Array) -> NDArray[np.int64]:
    """Interspike intervals in steps."""
    trains, steps = np.nonzero(fired.transpose(0, 2, 1).reshape(-1, fired.shape[1]))
    return np.diff(steps)[np.diff(trains) == 0]


def _strong_weights(
    links: list[Projection], threshold: Float, answer: Float
) -> tuple[float | None, float | None]:
    """Shares of the weights at or above the threshold, and of those below v0 / b among them.

    Weights that several neurons share are held against the lowest threshold.
    """
    strong = unseen = total = 0
    for p in links:
        v0, b = threshold, answer
        weight = np.asarray(p.gain if isinstance(p, SumPool2d) else p.weight)  # type: ignore[attr-defined]
        if isinstance(p, Sparse):
            v0, b = threshold[p.post], answer[p.post]
        elif not isinstance(p, Dense):
            v0, b = threshold.min(), answer[threshold.argmin()]
        fires = weight >= v0
        strong += int(np.count_nonzero(fires))
        unseen += int(np.count_nonzero(fires & (weight * b <= v0)))
        total += weight.size
    return (strong / total, unseen / total) if total else (None, None)
