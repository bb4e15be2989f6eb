r"""Neuron nodes of NIR as populations.

With a spike of area ``A`` (in the file's unit of time) and what a linear node makes of it, ``w``:

============  =============================================  ==============================
node          equation                                       an arrival adds
============  =============================================  ==============================
LIF, LI       tau v' = v_leak - v + r i                      r w A / tau to v
IF, I         v' = r i                                       r w A to v
CubaLIF, -LI  tau_syn I' = -I + w_in s, and v as in LIF      w_in w A / tau_syn to I
Threshold     spikes where the sum of an instant is above    w to v, gone at the next instant
============  =============================================  ==============================

A constant input ``b`` (the bias of a linear node) is the constant current ``b``; behind ``w_in``
it is ``w_in b``, to which the synapse settles.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import EventsimError, FileError, UnsupportedNetwork
from eventsim.load.nir_file import Graph, Node
from eventsim.load.nir_options import Options
from eventsim.populations import Population

__all__ = [
    "ANALOG", "NEURONS", "SPIKING", "Made", "accumulator", "make", "own_shape", "spread",
]  # fmt: skip

#: Fields of each type of neuron that have one value for each neuron.
NEURONS: dict[str, tuple[str, ...]] = {
    "LIF": ("tau", "r", "v_leak", "v_threshold"),
    "LI": ("tau", "r", "v_leak"),
    "IF": ("r", "v_threshold"),
    "I": ("r",),
    "CubaLIF": ("tau_mem", "tau_syn", "r", "v_leak", "v_threshold"),
    "CubaLI": ("tau_mem", "tau_syn", "r", "v_leak"),
    "Threshold": ("threshold",),
}
ANALOG = ("LI", "I", "CubaLI")
SPIKING = tuple(kind for kind in NEURONS if kind not in ANALOG)

#: Membrane of a Threshold node, in seconds. Float64 times above 1e-11 s lie further apart than
#: 745 of it, so exp(-t / tau) is exactly 0 from one instant to the next: nothing is remembered.
INSTANT = 1e-30

#: Fields of Population that NIR has no place for; eventsim notes them where it writes them.
NOTED = ("v_init", "adapt_beta", "tau_adapt", "ahp_jump", "tau_ahp")

#: A gain this close to 1, in units of the file's own precision, is 1.
_ULPS = 4

Array = NDArray[np.float64]


class Made(NamedTuple):
    """A population, and what one unit of a node's input adds to it."""

    population: Population
    gain: float | Array
    receptor: int | None


def own_shape(node: Node) -> tuple[int, ...] | None:
    """Arrangement of the neurons by the fields of the node; None where one number is all."""
    shapes = [np.shape(node.fields[name]) for name in NEURONS[node.kind] if name in node.fields]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise node.wrong("fields", "shapes that agree", shapes) from error
    return shape if math.prod(shape) > 1 else None


def make(
    node: Node,
    shape: tuple[int, ...],
    bias: Array | None,
    fed: bool,
    options: Options,
    graph: Graph,
) -> Made:
    """The population of a neuron node.

    Parameters
    ----------
    node : Node
        The node.
    shape : tuple of int
        Arrangement of its neurons.
    bias : array [neuron] or None
        Constant input.
    fed : bool
        Whether spikes reach it, so that their area matters.
    options : Options
        What the file does not say.
    graph : Graph
        For the hint in an error.
    """

    def value(name: str, finite: bool = True) -> Array:
        return spread(node, name, node.numbers(name, finite), shape).astype(np.float64)

    kind = node.kind
    fields: dict[str, Any] = {"fires_at_equality": options.rule(node, "fires_at_equality", False)}
    current = np.zeros(math.prod(shape)) if bias is None else bias
    receptor: int | None = None
    gain: Any = 1.0
    if kind == "Threshold":
        fields["tau_mem"], fields["v_threshold"] = INSTANT, value("threshold") - current
        if (fields["v_threshold"] <= 0).any():
            raise UnsupportedNetwork(
                f"{node.where}: threshold: expected it above 0 and above the bias, as a node "
                "without memory would spike without end, got "
                f"{float(fields['v_threshold'].min()):g} above the bias"
            )
        return _finish(node, shape, fields, gain, None)
    r = value("r")
    fields["r"], fields["i_bias"] = r, current
    if kind in ("IF", "I"):
        fields["tau_mem"] = math.inf
        if fed:
            gain = _gain(node, r * options.need_area(node, graph), ("r",), options)
        fields["r"] = r / options.unit
    else:
        tau = "tau" if kind in ("LIF", "LI") else "tau_mem"
        fields["tau_mem"], fields["v_leak"] = _time(node, tau, value(tau), options), value("v_leak")
        if kind.startswith("Cuba"):
            receptor = 0
            w_in = value("w_in") if node.fields.get("w_in") is not None else np.ones_like(r)
            syn = value("tau_syn")
            fields["tau_syn"] = [_time(node, "tau_syn", syn, options)]
            fields["i_bias"] = w_in * current
            if fed:
                area = options.need_area(node, graph)
                gain = _gain(node, w_in * area / syn, ("w_in", "tau_syn"), options)
                if (w_in == 1.0).all():
                    why = "as it stands; an exporter that means I += w needs spike_area=tau_syn"
                    options.table.append((f"w_in of {node.name}", "1", why))
        elif fed:
            gain = r * options.need_area(node, graph) / value(tau)
            gain = _gain(node, gain, ("r", tau), options)
    if kind in ANALOG:
        fields["v_threshold"] = math.inf
    else:
        fields["v_threshold"] = value("v_threshold", finite=False)
        given = node.fields.get("v_reset") is not None
        fields["v_reset"] = value("v_reset") if given else 0.0
        fields["reset"] = options.rule(node, "reset", "value")
        # A note of several spikes in one instant goes with a reset that subtracts, and no other.
        fields["multi_spike"] = bool(options.multi_spike)
        if options.multi_spike is None and fields["reset"] == "subtract":
            fields["multi_spike"] = options.rule(node, "multi_spike", False)
        fields["t_ref"] = options.rule(node, "t_ref", 0.0)
    _noted(node, shape, fields)
    return _finish(node, shape, fields, gain, receptor)


def accumulator(node: Node, shape: tuple[int, ...], bias: Array | None, options: Options) -> Made:
    """Neurons without leak that stand for an Output of weighted spikes: v is their integral."""
    i_bias = 0.0 if bias is None else bias
    fields = {"tau_mem": math.inf, "v_threshold": math.inf, "i_bias": i_bias}
    area = options.area if options.area is not None else 1.0
    return _finish(node, shape, {**fields, "r": 1.0 / options.unit}, area, None)


def _finish(
    node: Node, shape: tuple[int, ...], fields: dict[str, Any], gain: Any, receptor: int | None
) -> Made:
    plain = {name: _one(value) for name, value in fields.items()}
    if "tau_syn" in plain:
        plain["tau_syn"] = [_one(tau) for tau in plain["tau_syn"]]
    try:
        return Made(Population(node.name, shape, **plain), _one(gain), receptor)
    except EventsimError as error:
        raise FileError(f"{node.where}: {error}") from error


def _one(value: Any) -> Any:
    """An array of equal numbers as one number."""
    if isinstance(value, np.ndarray) and value.size and (value == value.flat[0]).all():
        return float(value.flat[0])
    return value


def spread(node: Node, name: str, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """One number for each neuron, in the order of the units."""
    if array.size == math.prod(shape):
        return array.reshape(-1)
    try:
        return np.broadcast_to(array, shape).reshape(-1)
    except ValueError as error:
        raise node.wrong(name, f"one number, or shape {shape}", f"shape {array.shape}") from error


def _time(node: Node, name: str, tau: Array, options: Options) -> Array:
    """A time constant in seconds."""
    if (tau <= 0).any():
        raise node.wrong(name, "numbers > 0", float(tau.min()))
    seconds = tau * options.unit
    if options.decay == "exact":
        return seconds
    assert options.dt is not None
    if (seconds <= options.dt).any():
        raise UnsupportedNetwork(
            f"{node.where}: {name}: expected more than a step ({options.dt:g} s), as decay='euler' "
            f"means a factor 1 - dt / {name}, got {float(seconds.min()):g} s"
        )
    return -options.dt / np.log1p(-options.dt / seconds)


def _gain(node: Node, gain: Array, made_of: tuple[str, ...], options: Options) -> Array:
    """What an arrival adds; 1 where the file's own precision allows that it is meant."""
    if not np.isfinite(gain).all():
        raise node.wrong(" and ".join(made_of), "a finite effect of a spike", float(gain.max()))
    coarse = [
        float(np.finfo(dtype).eps)
        for name in made_of
        if (dtype := getattr(node.fields.get(name), "dtype", None)) in (np.float32, np.float64)
    ]
    off = float(np.abs(gain - 1.0).max()) if gain.size else 0.0
    if 0.0 < off <= _ULPS * max(coarse, default=0.0):
        options.table.append(
            (f"gain of {node.name}", "1", f"{1 + off:.9g} within the precision of the file")
        )
        return np.ones_like(gain)
    return gain


def _noted(node: Node, shape: tuple[int, ...], fields: dict[str, Any]) -> None:
    """What eventsim noted about a population it wrote."""
    noted = replace(node, fields=node.notes)
    for name in NOTED:
        if name in node.notes:
            fields[name] = spread(noted, name, noted.numbers(name), shape).astype(np.float64)
    if "r" in node.notes:
        # The file's r is such that a spike of the file's weight makes the same jump; the
        # currents of the population are to be multiplied by this one.
        stored = fields["r"]
        fields["r"] = spread(noted, "r", noted.numbers("r"), shape).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = fields["i_bias"] * stored / fields["r"]
        fields["i_bias"] = np.where(fields["i_bias"] == 0.0, 0.0, moved)
