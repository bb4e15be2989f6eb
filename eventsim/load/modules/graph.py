"""From the calls of a run to a graph: what reaches each neuron in every step.

Neurons, the input and max poolings are stations; between them are chains of linear layers with a
lag in steps. What reaches a module of neurons has to be the same in all steps and samples, but
for what would come from before the first step.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import UnsupportedNetwork
from eventsim.load.modules.expressions import Expression
from eventsim.load.modules.follow import Call
from eventsim.load.modules.layers import Layer
from eventsim.load.modules.signals import ANY, Group, Places, Rows
from eventsim.load.modules.stations import (
    Axes,
    Chain,
    Stage,
    Station,
    as_array,
    check_constant,
    features,
    lead,
    not_understood,
)
from eventsim.load.modules.trace import Trace
from eventsim.projections import Shape

__all__ = ["Graph"]

Array = NDArray[Any]

#: Kinds of rows of one layer or module that may differ, as the first steps of long lags do.
MOST_KINDS = 64
MOST_CHAINS = 1000


class Graph:
    """The stations of a trace, for one reading of the input's axes.

    Attributes
    ----------
    stations : list of Station
        The input is the first one.
    steps, samples : int
        Of the run.
    spikes : dict of str to array [sample, step, n]
        What the modules of neurons gave, by path.
    progress : int
        Number of calls that have been understood.
    order : list of int
        Numbers of the stations, those of neurons by their first call.
    """

    def __init__(self, trace: Trace, axes: Axes) -> None:
        self.trace, self.axes = trace, axes
        shape = trace.input_shape
        kept = [k for k in range(len(shape)) if k not in (axes.time, axes.batch)]
        self.samples = axes.samples(shape)
        self.steps = 0
        self.static = axes.time is None
        self.stations = [Station("input", "input", tuple(shape[k] for k in kept) or (1,))]
        self.spikes: dict[str, Array] = {}
        self.progress = 0
        self.order = [0]
        self._known: dict[Any, int] = {}
        self._chains: dict[int, list[Chain]] = {}
        self._rows: dict[int, list[tuple[tuple[Group, ...], Array]]] = {}
        self._layer_rows: dict[int, Call] = {}
        self.places = Places(trace.next)
        self._put_input(shape, kept)

    def read(self) -> None:
        """Follow all calls of the trace.

        Raises
        ------
        UnsupportedNetwork
            They make no sense, or none with these axes.
        """
        self.steps = self._count_steps()
        for call in self.trace.calls:
            if isinstance(call.what, str):
                self._place_neurons(call, call.what)
        for call in self.trace.calls:
            if isinstance(call.what, Layer):
                self._put_layer(call, call.what)
            else:
                self._put_neurons(call, call.what)
            self.progress += 1
        for number, rows in self._rows.items():
            self._merge(number, rows)

    # Steps and samples

    def _count_steps(self) -> int:
        trace, counts = self.trace, {}
        for path, rule in trace.neurons.items():
            calls = [call for call in trace.calls if call.what == path]
            if not calls:
                continue
            if rule.sequence:
                if len(calls) > 1:
                    raise UnsupportedNetwork(
                        f"{trace.where[path]}: calls: expected one, which makes all steps, got "
                        f"{len(calls)}: give each place in the network a module of its own"
                    )
                front = lead(rule, calls[0].shape, self.axes.batched)
                axis = rule.time_axis if front[1:] else 0
                counts[path] = rule.steps_in(front[0]) if rule.squeezed else front[axis]
            else:
                counts[path] = len(calls)
        if not counts:
            return max(1, self.axes.steps(trace.input_shape))
        least = min(counts.values())
        if self.axes.time is not None:
            least = self.axes.steps(trace.input_shape)
        for path, count in counts.items():
            if count == least and (count > 1 or self.axes.time is not None):
                continue
            hint = "give each place in the network a module of its own"
            if count == 1:
                hint = "run='step' calls a module that makes one step in each, run=8 in 8 of them"
            elif count < least:
                hint = "does it stop early? Give sample_input as many steps as it makes"
            steps = f"each of {least} steps" if least > 1 else "each step"
            raise UnsupportedNetwork(
                f"{trace.where[path]}: calls: expected one in {steps}, got {count}: {hint}; or "
                "name the axes of sample_input (time_axis, batch_axis)"
            )
        return least

    def _put_input(self, shape: tuple[int, ...], kept: list[int]) -> None:
        axes, size = self.axes, math.prod(shape)
        grid = np.indices(shape, dtype=np.int32).reshape(len(shape), size)
        labels = slice(1, 1 + size)
        self.places.source[labels] = 0
        unit = np.zeros(size, dtype=np.int32)
        for k in kept:
            unit = unit * shape[k] + grid[k]
        self.places.unit[labels] = unit
        if axes.squeezed is not None and axes.time is not None:
            self.places.step[labels] = grid[axes.time] % axes.squeezed
            self.places.sample[labels] = grid[axes.time] // axes.squeezed
        elif axes.time is not None:
            self.places.step[labels] = grid[axes.time]
        if axes.batch is not None:
            self.places.sample[labels] = grid[axes.batch]

    # Calls

    def _intern(self, key: Any, make: Any) -> int:
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self.stations)
            self.stations.append(make())
        return number

    def _fault(self, text: str, shape: Shape) -> int:
        return self._intern(("fault", text, shape), lambda: Station("fault", text, shape))

    def _taken(self, where: str, reads: Expression, rows: int, units: int) -> Rows:
        terms = [
            (
                as_array(term.labels),
                term.coefficient
                if isinstance(term.coefficient, float)
                else as_array(term.coefficient),
            )
            for term in reads.terms
        ]
        if not all(np.isfinite(coefficient).all() for _, coefficient in terms):
            raise UnsupportedNetwork(
                f"{where}: input: expected spikes times finite numbers, got others, as of a "
                "batch norm whose running_var is below 0"
            )
        return Rows(terms, rows, units, self.places)

    def _put_layer(self, call: Call, layer: Layer) -> None:
        labels = call.reads.terms[0].labels
        entering = features(tuple(labels.shape), layer.axes)
        leaving = features(call.shape, layer.axes)
        count = math.prod(call.shape) // math.prod(leaving)
        if not self.axes.batched and count not in (1, self.steps):
            raise UnsupportedNetwork(
                f"{layer.where}: input: expected one in each step, as sample_input has no axis of "
                f"samples, got {count}: give it one, which may have one sample (batch_axis)"
            )
        rows = self._taken(layer.where, call.reads, count, math.prod(entering))
        step, (sample, mixed) = rows.step(), rows.sample()
        lags = rows.lags(step)
        station = np.zeros(count, dtype=np.int32)
        sizes = [known.units for known in self.stations]
        for kinds, same in enumerate(rows.distinct(lags)):
            if kinds > MOST_KINDS or mixed[same].any():
                what = "samples" if mixed[same].any() else "steps"
                text = f"{layer.where}: input: expected the same map in all steps, got {what} mixed"
                station[same] = self._fault(text, leaving)
                continue
            groups = rows.groups(int(same[0]), lags, sizes)
            station[same] = self._layer_station(layer, groups, entering, leaving)
        self.places.put(call.base, station, step, sample, math.prod(leaving))
        self.order += [k for k in np.unique(station).tolist() if k not in self.order]
        for number in np.unique(station):
            self._layer_rows.setdefault(int(number), call)

    def _layer_station(
        self, layer: Layer, groups: tuple[Group, ...], entering: Shape, leaving: Shape
    ) -> int:
        for group in groups:
            if self.stations[group.source].kind == "fault":
                return self._fault(self.stations[group.source].name, leaving)
        key = (layer.key, entering, *((g.source, g.lag, g.map.key) for g in groups))
        if layer.relay:
            source = self.stations[groups[0].source] if len(groups) == 1 else None
            if (
                source is None
                or source.kind not in ("input", "neurons", "relay")
                or (source.kind == "input" and self.static)
                or groups[0].lag
                or not groups[0].map.plain
            ):
                text = (
                    f"{layer.where}: input: expected the spikes of neurons, one to one, as max "
                    "pooling passes spikes, got a signal of another kind: put it behind neurons"
                )
                return self._fault(text, leaving)
        kind = "relay" if layer.relay else "layer"
        return self._intern(
            key, lambda: Station(kind, layer.name, leaving, groups, layer, entering)
        )

    def _place_neurons(self, call: Call, path: str) -> None:
        """Station, step and sample of what a call of neurons gave."""
        where, rule = self.trace.where[path], self.trace.neurons[path]
        front = lead(rule, call.shape, self.axes.batched)
        shape = call.shape[len(front) :] or (1,)
        count, units = math.prod(front), math.prod(shape)
        step, sample = self._rows_of(rule, front, call.number, where)
        number = self._intern(("neurons", path), lambda: Station("neurons", path, shape))
        array = call.spikes
        assert array is not None
        here = self.spikes.setdefault(
            path, np.zeros((self.samples, self.steps, units), dtype=array.dtype)
        )
        here[sample, step] = array.reshape(count, units) / rule.amplitude
        self.places.put(call.base, np.full(count, number, dtype=np.int32), step, sample, units)

    def _put_neurons(self, call: Call, path: str) -> None:
        """What a call of neurons reads."""
        where = self.trace.where[path]
        if not isinstance(call.reads, Expression):
            raise not_understood(where, call.reads, math.prod(self.trace.input_shape))
        number = self._known[("neurons", path)]
        station, units = self.stations[number], self.stations[number].units
        count = math.prod(call.shape) // units
        made = call.base + units * np.arange(count)
        step, sample = self.places.step[made], self.places.sample[made]
        for name, constant in (("bias", call.reads.constant), ("feedback_bias", call.feedback)):
            bias = np.zeros((count, units))
            if constant is not None:
                bias = as_array(constant.broadcast_to(call.shape)).reshape(count, units)
            if getattr(station, name) is None:
                setattr(station, name, bias[0].copy())
            check_constant(getattr(station, name), where, bias, step)
        if call.reads.terms:
            rows = self._taken(where, call.reads, count, units)
            self._add_rows(number, where, rows, step, sample)
        else:
            self._rows.setdefault(number, []).append(((), step))
        if number not in self.order:
            self.order.append(number)

    def _add_rows(self, number: int, where: str, rows: Rows, step: Array, sample: Array) -> None:
        """Rows of neurons, a kind at a time."""
        self._check_samples(rows, sample, where)
        lags = rows.lags(step)
        if (lags < 0).any():
            row = int(np.argmax((lags < 0).any(axis=(0, 2))))
            raise UnsupportedNetwork(
                f"{where}: input in step {step[row]}: expected signals of this step or of earlier "
                "ones, got one of a later step"
            )
        sizes = [known.units for known in self.stations]
        for kinds, same in enumerate(rows.distinct(lags)):
            if kinds > MOST_KINDS:
                raise UnsupportedNetwork(
                    f"{where}: input: expected the same connections in all steps and samples, got "
                    "others in each"
                )
            groups = rows.groups(int(same[0]), lags, sizes)
            for group in groups:
                if self.stations[group.source].kind == "fault":
                    raise UnsupportedNetwork(self.stations[group.source].name)
            self._rows.setdefault(number, []).append((groups, step[same]))

    def _rows_of(
        self, rule: Any, front: tuple[int, ...], number: int, where: str
    ) -> tuple[Array, Array]:
        """Step and sample of each row of a call of neurons."""
        if rule.sequence and rule.squeezed:
            index, count = np.arange(front[0]), rule.steps_in(front[0])
            step, sample = index % count, index // count
        elif rule.sequence:
            grid = np.indices(front).reshape(len(front), -1)
            time = rule.time_axis if front[1:] else 0
            step = grid[time]
            sample = grid[1 - time] if front[1:] else np.zeros_like(step)
        else:
            sample = np.arange(math.prod(front))
            step = np.full_like(sample, number)
        if sample.max() + 1 != self.samples:
            raise UnsupportedNetwork(
                f"{where}: input: expected {self.samples} samples, as sample_input has, got "
                f"{sample.max() + 1}: name the axes of sample_input (time_axis, batch_axis)"
            )
        return step.astype(np.int32), sample.astype(np.int32)

    def _check_samples(self, rows: Rows, sample: Array, where: str) -> None:
        wrong = rows.there & (rows.samples != ANY) & (rows.samples != sample[None, :, None])
        if wrong.any():
            raise UnsupportedNetwork(
                f"{where}: input: expected samples that do not mix, got signals of sample "
                f"{int(rows.samples[wrong][0])} in another one: are the axes of sample_input as "
                f"time_axis={self.axes.time}, batch_axis={self.axes.batch}?"
            )

    # Chains

    def constant(self, number: int) -> Array | None:
        """What a linear layer gives without spikes, in its last row."""
        call = self._layer_rows[number]
        if call.constant is None:
            return None
        last: Array = as_array(call.constant.broadcast_to(call.shape))
        return last.reshape(-1, self.stations[number].units)[-1]

    def chains(self, number: int) -> list[Chain]:
        """What leaves a station."""
        station = self.stations[number]
        if station.kind != "layer":
            return [Chain(number, 0)]
        if number not in self._chains:
            layer = station.layer
            assert layer is not None
            own = Stage(layer.key, station.entering, layer=layer)
            found = self._extended(station.reads, station.entering)
            self._chains[number] = [Chain(c.source, c.lag, (*c.stages, own)) for c in found]
        return self._chains[number]

    def _extended(self, groups: tuple[Group, ...], shape: Shape) -> list[Chain]:
        """Chains through the maps of a row."""
        done = []
        for group in groups:
            stages = (Stage(group.map.key, shape, map=group.map),)
            for chain in self.chains(group.source):
                done.append(Chain(chain.source, chain.lag + group.lag, (*chain.stages, *stages)))
        return done

    def _merge(self, number: int, rows: list[tuple[tuple[Group, ...], Array]]) -> None:
        """The chains that reach neurons, which are the same in all steps."""
        station, where = self.stations[number], self.trace.where[self.stations[number].name]
        cases: dict[Any, tuple[tuple[Group, ...], list[int]]] = {}
        for groups, seen in rows:
            key = tuple((g.source, g.lag, g.map.key) for g in groups)
            cases.setdefault(key, (groups, []))[1].extend(seen.tolist())
        expanded = [
            (dict.fromkeys(self._extended(groups, station.shape)), steps)
            for groups, steps in cases.values()
        ]
        every = dict.fromkeys(chain for chains, _ in expanded for chain in chains)
        if len(every) > MOST_CHAINS:
            raise UnsupportedNetwork(
                f"{where}: input: expected at most {MOST_CHAINS} ways from spikes to here, got "
                f"{len(every)}: does it change from step to step?"
            )
        for chains, steps in expanded:
            for chain in every:
                if chain not in chains and chain.lag <= max(steps):
                    raise UnsupportedNetwork(
                        f"{where}: input in step {max(steps)}: expected the same in all steps, got "
                        f"nothing from {self._way(chain)}, which is there in other steps"
                    )
        station.chains = list(every)

    def _way(self, chain: Chain) -> str:
        names = [repr(self.stations[chain.source].name)]
        names += [repr(stage.layer.name) for stage in chain.stages if stage.layer is not None]
        late = f" ({chain.lag} steps before)" if chain.lag else ""
        return " -> ".join(names) + late
