"""Whether rounding alone decides a spike in which the twin and the module differ.

Up to the first step in which they differ both had the same spikes, and so, but for rounding, the
same potentials. In that step the spikes that the module gave have to be those of the twin's
potential, moved by the largest error that the sums up to it may have. What follows is no
comparison of the same network any more, as one of the two was reset and the other was not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.discrete.charge import link
from eventsim.discrete.coarse import CELLS
from eventsim.discrete.twin import Twin
from eventsim.discretization import Discretization
from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.build import Built
from eventsim.load.modules.graph import Graph
from eventsim.network import Network
from eventsim.pooling import MaxPool2d, SumPool2d
from eventsim.populations import Population
from eventsim.step_rule import StepRule

__all__ = ["check_ties"]

Array = NDArray[Any]
#: Path and population of neurons, and the spikes [sample, step, n] of the module and of the twin.
Pair = tuple[str, str, Array, Array]

#: A sum of charges may come out on the other side of the threshold when it is added up in another
#: order, within so many roundings of the sum of their absolute values.
ROUNDINGS = 16


@dataclass
class _Test:
    """Potentials [n] at the test of a step, thresholds, and potentials that the step before left.

    ``rule`` is None for rules that a Discretization names, which spike once above the threshold.
    """

    v: Array
    theta: Array
    before: Array
    rule: StepRule | None

    def spikes(self, v: Array) -> Array:
        """Numbers of spikes at the potentials ``v``."""
        rule, theta = self.rule, self.theta
        if rule is None or (rule.max_spikes == 1 and not rule.fires_at_equality):
            return (v > theta).astype(np.float64)
        if rule.max_spikes == 1:
            return (v >= theta).astype(np.float64)
        return np.where(v >= theta, np.minimum(np.floor(v / theta), rule.max_spikes), 0.0)


def check_ties(
    graph: Graph, built: Built, x: Array, pairs: list[Pair], twin: dict[str, Array], until: Array
) -> int:
    """Number of samples in which rounding explains the first difference.

    Parameters
    ----------
    x : array
        Input of the twin.
    pairs : list of Pair
        Neurons in the order in which they are called.
    twin : dict
        Spikes of all populations.
    until : array of int [sample]
        The first step with a difference; the number of steps where there is none.

    Raises
    ------
    UnsupportedNetwork
        Rounding does not explain it; the message names module, step and neuron.
    """
    first = sorted((int(until[k]), k) for k in range(graph.samples) if until[k] < graph.steps)
    for step, sample in first:
        pair = next(p for p in pairs if (p[2][sample, step] != p[3][sample, step]).any())
        _check(graph, built, x[sample : sample + 1], pair, twin, sample, step)
    return len(first)


def _check(
    graph: Graph, built: Built, x: Array, pair: Pair, twin: dict[str, Array], sample: int, step: int
) -> None:
    path, name, theirs, ours = pair
    test = _tested(built, x, name, step)
    now = {key: spikes[sample, : step + 1] for key, spikes in twin.items()}
    margin = _margin(built, name, now, test)
    given = theirs[sample, step]
    ends = [test.spikes(test.v + sign * margin) for sign in (-1.0, 1.0)]
    wrong = (given != ours[sample, step]) & ((given < ends[0]) | (given > ends[1]))
    if test.rule is not None and test.rule.reset_time == "both":
        wrong &= np.abs(test.before - test.theta) > margin  # the reset before the test
    if wrong.any():
        k = int(np.argmax(wrong))
        off = float(test.v[k]) - float(test.theta[k])
        side = f"{abs(off):.4g} {'above' if off > 0 else 'below'}" if off else "exactly at"
        explains = f"at most {margin[k]:.2g}" if margin[k] else "nothing, as all sums are exact"
        raise UnsupportedNetwork(
            f"{graph.trace.where[path]}: spikes: expected those of the discrete twin, but neuron "
            f"{k} in step {step} of sample {sample} gave {given[k]:g} in the module and "
            f"{ours[sample, step, k]:g} in the twin, {side} the threshold, and rounding explains "
            f"{explains}: the module does something in its steps that its type does not say, or "
            "it did not start at rest (reset its state first)"
        )


def _tested(built: Built, x: Array, name: str, step: int) -> _Test:
    """The test of the neurons in a step of one sample."""
    net, disc = built.network, built.discretization
    dtype = disc.dtype
    run = Twin(net, disc, CELLS, dtype)
    inputs, _, _ = run.checked_inputs(x)
    state = run.start(1)
    for k in range(step):
        run.advance(state, inputs, k)
    cell = state.cells[name]
    rule = disc.cells.get(name)
    theta = _threshold(net, disc, name).astype(dtype)
    before = cell[0][0].copy()
    if rule is None:
        net = net.replace(name, v_threshold=np.inf)
    else:
        if rule.reset_time == "both":
            cell[1][0] = before > theta
        theta = _adapted(rule, theta, cell[3][0])
        disc = replace(disc, cells={**disc.cells, name: _untested(rule, theta)})
    Twin(net, disc, CELLS, dtype).advance(state, inputs, step)
    return _Test(cell[0][0].copy(), theta, before, rule)


def _untested(rule: StepRule, theta: Array) -> StepRule:
    """The rule without the test of its step; resets of the step before are as they were."""
    given: dict[str, Any] = {"v_threshold": np.inf, "v_min": -np.inf}
    if rule.reset == "subtract" and not np.any(rule.v_subtract):
        given["v_subtract"] = np.maximum(theta, np.finfo(np.float32).tiny)
    if rule.reset_time == "both":
        given["reset_time"] = "next"
    return replace(rule, **given)


def _threshold(net: Network, disc: Discretization, name: str) -> Array:
    population = net[name]
    assert isinstance(population, Population)
    cell = disc.cells.get(name)
    if cell is not None:
        return cell.array("v_threshold", population.n)
    return population.array("v_threshold")


def _adapted(rule: StepRule, theta: Array, adaptation: Array) -> Array:
    """The threshold of the test, before which the adaptation was so."""
    n, kind = theta.size, theta.dtype
    if rule.adaptation == "variable":
        return theta + rule.array("adapt_jump", n).astype(kind) * adaptation
    if rule.adaptation == "threshold":
        return adaptation + rule.array("adapt_leak", n).astype(kind) * (theta - adaptation)
    return theta


def _margin(built: Built, name: str, spikes: dict[str, Array], test: _Test) -> Array:
    """How far rounding may have moved each potential.

    Where all sums of charges are exact, in any order, the module has the twin's potential. Else an
    error of a step is so many parts of the largest potential, threshold or charge; those of
    earlier steps are left in the potential as far as it does not leak, and add up like steps of a
    random walk.
    """
    net, disc = built.network, built.discretization
    charge, exact = _charges(net, disc, name, spikes)
    size = charge + np.abs(test.theta)
    steps = len(next(iter(spikes.values())))
    left: Any = np.zeros(test.v.size)
    if test.rule is not None:
        left = np.clip(np.abs(test.rule.array("decay", test.v.size)), 0.0, 1.0) ** 2
    memory = (left ** np.arange(steps)[:, None]).sum(axis=0)
    margin: Array = ROUNDINGS * float(np.finfo(disc.dtype).eps) * size * np.sqrt(memory)
    return np.where(exact, 0.0, margin)


def _charges(
    net: Network, disc: Discretization, name: str, spikes: dict[str, Array]
) -> tuple[Array, Array]:
    """The largest sum of absolute charges of each neuron in a step, and whether sums are exact.

    Rounding errors of a sum are so many parts of the first, and not of the sum itself. There are
    none where it is less than 2^24 units (2^53 in float64) of which all its terms are multiples.
    """
    population, cell = net[name], disc.cells.get(name)
    bias = np.zeros(population.n)
    if cell is not None:
        bias = np.abs(cell.array("bias", population.n))
        bias += np.abs(cell.array("feedback_bias", population.n))
    charge = np.zeros((len(next(iter(spikes.values()))), population.n)) + bias
    gain: Any = 1.0 if cell is None else np.abs(cell.weight_gain)
    units = [_unit(bias)]
    for projection in net.projections:
        if projection.target != name or isinstance(projection, MaxPool2d):
            continue
        weighted: Any = projection
        absolute = replace(weighted, weight=np.abs(weighted.weight), delay=0.0)
        made = link(net, absolute, np.float64, gain)
        arriving = np.abs(spikes[projection.source]).astype(np.float64)
        late = round(float(np.max(weighted.delay, initial=0.0)) / disc.dt)
        made.add(np.ascontiguousarray(arriving[: len(charge) - late]), charge[late:])
        strength: Any = weighted.gain if isinstance(weighted, SumPool2d) else weighted.weight
        # weights of different factors are not taken apart: pi has the finest unit
        weights = (np.asarray(strength) / gain).astype(disc.dtype) if np.ndim(gain) == 0 else np.pi
        units.append(_unit(weights) * min(_unit(arriving), 1.0))
    largest: Array = charge.max(axis=0)
    return largest, largest * np.finfo(disc.dtype).eps <= 0.5 * min(units)


def _unit(values: Any) -> float:
    """The largest power of two of which all values are multiples."""
    values = np.asarray(values, np.float64)
    mantissa, exponent = np.frexp(values[values != 0.0])
    whole = (mantissa * 2.0**53).astype(np.int64)
    return float(np.ldexp((whole & -whole).astype(np.float64), exponent - 53).min(initial=np.inf))
