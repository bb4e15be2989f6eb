"""The discrete twin of a network: every population stepped together, layer after layer.

Within a step populations are visited in the topological order of the projections without delay,
so a spike passes all layers in its step. A projection whose delay is a whole number of steps
delivers so many steps later; that makes recurrence possible. Samples are independent: they are
cut into chunks that threads work on, and the chunks change no bit of any result.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.discrete.charge import Link, link
from eventsim.discrete.coarse import STEP_TOLERANCE
from eventsim.discrete.step_cell import StepCell
from eventsim.discretization import Discretization
from eventsim.errors import InvalidType, InvalidValue, UnsupportedNetwork
from eventsim.inputs import check_no_drives
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.populations import Input, Population
from eventsim.projections import Projection

__all__ = ["RECORDS", "Twin", "TwinState"]

Array = NDArray[Any]
WHERE = "Discretization.run"
RECORDS = ("spikes", "drive", "potential")

#: Numbers of one population that a chunk of samples should hold: they stay in a core's cache.
CHUNK_UNITS = 1 << 16


class _Arrival(NamedTuple):
    source: str
    steps: int
    link: Link


class TwinState(NamedTuple):
    """Samples between two steps, arrays [sample, n] by population.

    ``cells`` holds the potential, the spikes of the last step, and what else a rule remembers;
    ``past`` the spikes of the last step and of as many steps before it as some projection's delay
    looks back.
    """

    cells: dict[str, tuple[Array, ...]]
    past: dict[str, list[Array]]


class Twin:
    """A network and its discretization, checked and made ready to run.

    Parameters
    ----------
    net : Network
        Delays must be whole numbers of steps, one for each projection.
    disc : Discretization
        Rules, step and encoder.
    cells : mapping of str to callable
        Update rule -> ``cell(population, rule, dt, dtype)``; the registry of
        :mod:`eventsim.discrete`.
    dtype : float64 or float32
        Arithmetic.

    Raises
    ------
    UnsupportedNetwork
        A projection's delay, or a population, cannot be expressed; the message names it.
    InvalidValue
        ``disc.variants`` names an unknown population.
    """

    def __init__(
        self,
        net: Network,
        disc: Discretization,
        cells: Mapping[str, Callable[[Population, str, float, Any], Any]],
        dtype: Any,
    ) -> None:
        check_no_drives(WHERE, net)
        self.net, self.disc = net, disc
        self.dtype = _dtype(disc.dtype if dtype is None else dtype)
        neurons = [p for p in net.populations if isinstance(p, Population)]
        for field, named in (("variants", disc.variants), ("cells", disc.cells)):
            unknown = sorted(set(named) - {p.name for p in neurons})
            if unknown:
                raise checks.fail(
                    "Discretization", field, f"names among {[p.name for p in neurons]}", unknown
                )
        analog = set(net.inputs) if disc.encoder == "constant" else set()
        self._arrivals: dict[str, list[_Arrival]] = {p.name: [] for p in net.populations}
        for projection in net.projections:
            if isinstance(projection, MaxPool2d) and projection.source in analog:
                raise UnsupportedNetwork(
                    f"{projection.where}: source: expected spikes, got an analog image"
                )
            steps = _whole_steps(projection, disc.dt)
            self._arrivals[projection.target].append(
                _Arrival(projection.source, steps, self._link(projection))
            )
        self._cells = {p.name: self._cell(p, cells) for p in neurons}
        # The charge of an analog image goes to the Input, or where there is none straight into
        # the population that nothing else drives.
        self._entries = net.inputs or tuple(
            p.name for p in neurons if disc.encoder == "constant" and not self._arrivals[p.name]
        )

    def _link(self, projection: Projection) -> Link:
        """The projection with the weights of the training."""
        rule = self.disc.cells.get(projection.target)
        return link(self.net, projection, self.dtype, 1.0 if rule is None else rule.weight_gain)

    def _cell(self, population: Population, cells: Mapping[str, Callable[..., Any]]) -> Any:
        if population.name in self.disc.cells:
            return StepCell(self.disc.cells[population.name], population.n, self.dtype)
        rule = self.disc.rule_of(population.name)
        if rule not in cells:
            raise checks.fail(
                "Discretization", "cells", f"a rule for {population!r}, as rule={rule!r}",
                f"rules for {sorted(self.disc.cells)}",
            )  # fmt: skip
        return cells[rule](population, rule, self.disc.dt, self.dtype)

    def run(self, x: Any, names: tuple[str, ...], record: str, threads: int) -> dict[str, Array]:
        """Arrays [sample, step, n] of the named populations."""
        inputs, samples, steps = self.checked_inputs(x)
        sizes = {name: self.net[name].n for name in names}
        out = {
            name: np.zeros((samples, steps, n), self.kind(name, record))
            for name, n in sizes.items()
        }
        largest = max(p.n for p in self.net.populations)
        size = max(1, min(CHUNK_UNITS // largest, -(-samples // threads)))
        parts = [slice(first, first + size) for first in range(0, samples, size)]

        def work(part: slice) -> None:
            here = {name: values[part] for name, values in inputs.items()}
            self._run_chunk(here, steps, {name: array[part] for name, array in out.items()}, record)

        if threads == 1 or len(parts) == 1:
            for part in parts:
                work(part)
        else:
            with ThreadPoolExecutor(min(threads, len(parts))) as pool:
                list(pool.map(work, parts))
        return out

    def kind(self, name: str, record: str = "spikes") -> np.dtype[Any]:
        """Type of what is recorded of a population: bytes for spikes."""
        analog = self.disc.encoder == "constant" and isinstance(self.net[name], Input)
        if record != "spikes" or analog:
            return self.dtype
        several = any(cell.max_spikes > 1 for cell in self.disc.cells.values())
        return np.dtype(np.int32 if several else np.uint8)

    def _run_chunk(
        self, inputs: dict[str, Array], steps: int, out: dict[str, Array], record: str
    ) -> None:
        state = self.start(len(next(iter(inputs.values()))))
        for step in range(steps):
            done = self.advance(state, inputs, step, record)
            for name, array in out.items():
                array[:, step] = done[name]

    def start(self, samples: int) -> TwinState:
        """The state of so many samples before their first step."""
        # Past spikes of the populations that some projection reads with a delay.
        depth = dict.fromkeys(self.net.order, 0)
        for arrivals in self._arrivals.values():
            for arrival in arrivals:
                depth[arrival.source] = max(depth[arrival.source], arrival.steps)
        past = {
            name: [np.zeros((samples, self.net[name].n), self.dtype) for _ in range(back + 1)]
            for name, back in depth.items()
        }
        return TwinState({name: cell.start(samples) for name, cell in self._cells.items()}, past)

    def advance(
        self, state: TwinState, inputs: Mapping[str, Array], step: int, record: str = "spikes"
    ) -> dict[str, Array]:
        """Make one step with the step's part of the inputs; ``state`` is changed in place.

        What is returned for each population holds until the next step.
        """
        for past in state.past.values():
            past.insert(0, past.pop())  # the oldest step makes room for this one
        done = {}
        for name in self.net.order:
            charge = np.zeros(state.past[name][0].shape, self.dtype)
            feedback = None
            for source, delay, connection in self._arrivals[name]:
                if source == name and name in self.disc.cells:
                    # Frameworks round the sum of a step before they add what comes back.
                    feedback = np.zeros_like(charge) if feedback is None else feedback
                    connection.add(state.past[source][delay], feedback)
                else:
                    connection.add(state.past[source][delay], charge)
            if name in inputs:
                given = inputs[name]
                charge += given if given.ndim == 2 else given[:, step]
            if name in self._cells:
                v, active = state.cells[name][:2]
                self._cells[name].advance(state.cells[name], charge, feedback)
            else:
                v = active = charge
            # a cell changes its arrays in place, so what is read in later steps is copied
            past = state.past[name]
            past[0] = active if len(past) == 1 else active.copy()
            done[name] = {"spikes": active, "drive": charge, "potential": v}[record]
        return done

    def checked_inputs(self, x: Any) -> tuple[dict[str, Array], int, int]:
        """Input arrays in the twin's arithmetic, the number of samples and of steps."""
        if not self._entries:
            raise UnsupportedNetwork(f"{WHERE}: network: expected an Input population, got none")
        if not isinstance(x, Mapping):
            if len(self._entries) > 1:
                raise InvalidType(
                    f"{WHERE}: x: expected a dict of arrays for the inputs "
                    f"{list(self._entries)}, got {type(x).__name__}"
                )
            x = {self._entries[0]: x}
        if set(x) != set(self._entries):
            raise checks.fail(WHERE, "x", f"the inputs {list(self._entries)}", sorted(x))
        constant = self.disc.encoder == "constant"
        arrays = {}
        for name, values in x.items():
            field = "x" if len(x) == 1 else f"x[{name!r}]"
            check = _analog if constant else _spikes if not self.disc.cells else _charges
            arrays[name] = check(field, values, self.net[name].n).astype(self.dtype)
            if constant:
                arrays[name] *= self.disc.encoder_scale
        lengths = {array.shape[: 1 if constant else 2] for array in arrays.values()}
        if len(lengths) > 1:
            raise checks.fail(WHERE, "x", "the same samples and steps in all inputs", lengths)
        samples, *steps = lengths.pop()
        return arrays, samples, steps[0] if steps else self.disc.known_steps(WHERE)

    def last(self) -> str:
        """Name of the last layer: the only population that projects nowhere."""
        outputs = self.net.outputs
        if len(outputs) > 1:
            raise checks.fail(WHERE, "layers", f"True for several outputs {outputs}", False)
        return outputs[0] if outputs else self.net.order[-1]


def check_threads(threads: int | None) -> int:
    """Number of threads to use; None means all cores."""
    if threads is None:
        return os.cpu_count() or 1
    return checks.whole(WHERE, "threads", threads, 1)


def _dtype(dtype: Any) -> np.dtype[Any]:
    try:
        kind = np.dtype(dtype)
    except TypeError as error:
        raise InvalidType(f"{WHERE}: dtype: expected float64 or float32, got {dtype!r}") from error
    if kind not in (np.float64, np.float32):
        raise InvalidValue(f"{WHERE}: dtype: expected float64 or float32, got {kind}")
    return kind


def _whole_steps(projection: Projection, dt: float) -> int:
    """The delay of a projection in steps."""
    delays = np.unique(projection.delay)  # type: ignore[attr-defined]
    steps = np.round(delays / dt)
    if delays.size and (delays.size > 1 or abs(delays[0] - steps[0] * dt) > STEP_TOLERANCE * dt):
        raise UnsupportedNetwork(
            f"{projection.where}: delay: expected one whole number of steps of {dt:g} s in the "
            f"discrete twin, got {', '.join(f'{d:g}' for d in delays[:3])} s"
        )
    return int(steps[0]) if steps.size else 0


def _flat(field: str, array: Array, leading: str, n: int) -> Array:
    """The array with all axes behind the leading ones made one, of length n."""
    lead = leading.count(",")
    if array.ndim <= lead or math.prod(array.shape[lead:]) != n or 0 in array.shape:
        raise checks.fail(WHERE, field, f"shape [{leading} {n}]", f"shape {array.shape}")
    return array.reshape(*array.shape[:lead], n)


def _spikes(field: str, values: Any, n: int) -> Array:
    return _flat(field, checks.binary(WHERE, field, values), "sample, step,", n)


def _charges(field: str, values: Any, n: int) -> Array:
    array = _flat(field, checks.real_array(WHERE, field, values), "sample, step,", n)
    checks.finite(WHERE, field, array)
    return array


def _analog(field: str, values: Any, n: int) -> Array:
    array = _flat(field, checks.real_array(WHERE, field, values), "sample,", n)
    checks.finite(WHERE, field, array)
    return array
