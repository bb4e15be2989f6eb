"""What a NIR file does not say, and a user does: units, areas, steps and rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eventsim import checks
from eventsim.errors import FileError, InvalidType, UnsupportedNetwork
from eventsim.load.nir_file import Graph, Node

__all__ = ["Options", "Row", "implied_step", "said_by"]

#: A row of the table of assumptions: name, value, why.
Row = tuple[str, str, str]

#: Seconds in each unit of time.
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}

#: Two estimates of a step in float32 numbers are the same within this.
_SAME = 1e-5


@dataclass(frozen=True)
class Options:
    """The options of a call, completed by what the file and eventsim's notes in it say."""

    unit: float
    dt: float | None
    area: float | None
    reset: str | None
    multi_spike: bool | None
    t_ref: float | None
    fires_at_equality: bool | None
    recurrent_delay: float | None
    decay: str
    table: list[Row]

    @classmethod
    def of(cls, graph: Graph, given: Mapping[str, Any]) -> Options:
        """Check what was given and fill in what can be known; ``table`` has a row for each."""
        table: list[Row] = []
        where, notes = "load_nir", graph.notes
        dt = None if given["dt"] is None else checks.positive(where, "dt", given["dt"])
        implied, why_implied = implied_step(graph)
        unit, row = _unit(graph, given["time_unit"], dt)
        table.append(row)
        if implied is not None and given["time_unit"] != "step":
            implied *= unit
            if dt is None:
                dt = implied
                table.append(("step", f"{dt:g} s", f"inferred: {why_implied}"))
            elif abs(implied / dt - 1) > _SAME:
                table.append(("note", f"the file implies a step of {implied:g} s", why_implied))
        if given["dt"] is not None:
            table.append(("step", f"{dt:g} s", "given"))
        area = _area(given["spike_area"], notes.get("spike_area"), dt, unit, table)
        reset = _choice("reset", given["reset"], ("value", "subtract"))
        decay = _choice("decay", given["decay"], ("exact", "euler")) or "exact"
        t_ref = given["t_ref"]
        if t_ref is not None and (t_ref := checks.scalar(where, "t_ref", t_ref)) < 0:
            raise checks.fail(where, "t_ref", "seconds >= 0, or None", t_ref)
        delay = given["recurrent_delay"]
        if delay is not None:
            delay = checks.positive(where, "recurrent_delay", delay)
        for name in ("multi_spike", "fires_at_equality"):
            if given[name] is not None and not isinstance(given[name], bool | np.bool_):
                raise InvalidType(
                    f"{where}: {name}: expected True, False or None, got {given[name]!r}"
                )
        if decay == "euler" and dt is None:
            raise checks.fail(where, "dt", "the step, as decay='euler' needs it", None)
        return cls(
            unit, dt, area, reset, given["multi_spike"], t_ref, given["fires_at_equality"],
            delay, decay, table,
        )  # fmt: skip

    def rule(self, node: Node, name: str, default: Any) -> Any:
        """An option of one population: as given, else as eventsim noted it, else the default."""
        value = getattr(self, name)
        if value is not None:
            return value
        noted = node.notes.get(name, default)
        if isinstance(noted, np.ndarray):
            noted = noted.item() if noted.ndim == 0 else noted
        return bool(noted) if isinstance(default, bool) else noted

    def need_area(self, node: Node, graph: Graph) -> float:
        """Area of a spike in the file's time; an error that says how to give it."""
        if self.area is not None:
            return self.area
        raise UnsupportedNetwork(
            f"{node.where}: spike_area: expected dt=... (seconds; the area of a spike is then one "
            "step, as snnTorch, Norse, SpikingJelly and Rockpool mean it) or spike_area=..., as "
            f"the file does not say how strong a spike is, got neither{_hint(graph)}"
        )


def said_by(exporter: str, given: Mapping[str, Any], asked: str) -> float:
    """The step in seconds, which is needed; what the exporter says must not be given.

    Raises
    ------
    InvalidValue, InvalidType
        ``dt`` is missing (``asked`` says what it is), or one of the others is there.
    """
    for name in ("time_unit", "spike_area", "recurrent_delay"):
        if given[name] is not None:
            raise checks.fail(
                "load_nir", name, f"None, as exporter={exporter!r} says it", repr(given[name])
            )
    if given["dt"] is None:
        raise checks.fail("load_nir", "dt", asked, None)
    return checks.positive("load_nir", "dt", given["dt"])


def _unit(graph: Graph, given: Any, dt: float | None) -> tuple[float, Row]:
    """Seconds in the file's unit of time."""
    if given is None:
        noted = graph.notes.get("time_unit")
        if noted is not None:
            if not isinstance(noted, str) or noted not in UNITS:
                raise FileError(
                    f"{graph.file}: metadata eventsim_time_unit: expected one of {list(UNITS)}, "
                    f"got {noted!r}"
                )
            return UNITS[noted], ("unit of time", noted, "as eventsim noted in the file")
        return 1.0, ("unit of time", "s", "assumed; NIR does not say it (time_unit)")
    if given == "step":
        if dt is None:
            raise checks.fail("load_nir", "dt", "the step in seconds, as time_unit='step'", None)
        return dt, ("unit of time", f"one step, {dt:g} s", "given")
    if isinstance(given, str):
        if given not in UNITS:
            raise checks.fail(
                "load_nir", "time_unit", f"one of {[*UNITS, 'step']} or seconds", repr(given)
            )
        return UNITS[given], ("unit of time", given, "given")
    unit = checks.positive("load_nir", "time_unit", given)
    return unit, ("unit of time", f"{unit:g} s", "given")


def _area(given: Any, noted: Any, dt: float | None, unit: float, table: list[Row]) -> float | None:
    """Area of a spike, in the file's unit of time."""
    name = "area of a spike"
    if given is None and noted is not None:
        area = checks.positive("load_nir", "metadata eventsim_spike_area", noted)
        table.append((name, f"{area:g}", "as eventsim noted in the file"))
        return area
    if given is None and dt is None:
        return None
    if given is None or (isinstance(given, str) and given == "dt"):
        if dt is None:
            raise checks.fail("load_nir", "dt", "the step in seconds, as spike_area='dt'", None)
        why = "given" if given else "a spike is a current of 1 for one step"
        table.append((name, f"{dt:g} s (one step)", why))
        return dt / unit
    if isinstance(given, str):
        raise checks.fail("load_nir", "spike_area", "'dt' or a number", repr(given))
    area = checks.positive("load_nir", "spike_area", given)
    table.append((name, f"{area:g}", "given, in the file's unit of time"))
    return area


def _choice(name: str, value: Any, allowed: tuple[str, ...]) -> str | None:
    if value is not None and value not in allowed:
        raise checks.fail("load_nir", name, f"one of {list(allowed)} or None", repr(value))
    return value


def implied_step(graph: Graph) -> tuple[float | None, str]:
    """The step that exporters have left in CubaLIF and CubaLI nodes, in the file's time.

    They write ``w_in = tau_syn / dt`` and ``r = tau_mem / dt``; where both give one value in all
    neurons of all such nodes, and it is below the time constants, it is the step.
    """
    nodes = [node for node in graph.nodes.values() if node.kind in ("CubaLIF", "CubaLI")]
    steps, shortest = [], math.inf
    for node in nodes:
        for tau, gain in (("tau_syn", "w_in"), ("tau_mem", "r")):
            # An absent w_in stands for 1, with which nothing is implied.
            if node.fields.get(gain) is None:
                return None, ""
            times = node.numbers(tau).astype(np.float64)
            with np.errstate(divide="ignore", invalid="ignore"):
                steps.append(np.ravel(times / node.numbers(gain)))
            shortest = min(shortest, float(times.min(initial=math.inf)))
    step = _common(steps)
    if step is None or step >= shortest:
        return None, ""
    return step, f"tau_syn / w_in = tau_mem / r in {', '.join(repr(n.name) for n in nodes)}"


def _hint(graph: Graph) -> str:
    """What the LIF nodes of a file may say about the step; too little to rely on."""
    nodes = [node for node in graph.nodes.values() if node.kind == "LIF"]
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = [np.ravel(np.divide(node.numbers("tau"), node.numbers("r"))) for node in nodes]
    step = _common(steps)
    if step is None or step >= min(float(node.numbers("tau").min()) for node in nodes):
        return ""
    return f" (tau / r is {step:g} in every LIF neuron: the step of an exporter like snnTorch's?)"


def _common(estimates: list[Any]) -> float | None:
    """The one positive value of all arrays, rounded to the digits of float32."""
    if not estimates:
        return None
    values = np.concatenate([np.asarray(e, dtype=np.float64) for e in estimates])
    if not values.size or not np.isfinite(values).all() or values.min() <= 0.0:
        return None
    if values.max() > values.min() * (1 + _SAME):
        return None
    return float(f"{np.median(values):.6g}")
