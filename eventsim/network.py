"""The network: populations and projections, checked as a whole when it is made."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import numpy as np

from eventsim import checks
from eventsim.errors import InvalidType, InvalidValue
from eventsim.pooling import MaxPool2d
from eventsim.populations import Input, Poisson, Population, Relay
from eventsim.projections import Projection

if TYPE_CHECKING:
    from eventsim.session import Session

__all__ = ["Network", "Units"]

Units = Input | Population | Relay


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Network:
    """Populations and the projections between them; immutable.

    Parameters
    ----------
    populations : sequence of Input, Population, Relay
        Names are unique.
    projections : sequence of projections
        Their order is the order in which arrivals of one instant are summed.

    Raises
    ------
    InvalidValue
        Names that repeat or do not exist, shapes that do not fit, a cycle of projections
        without delay (named), a MaxPool2d whose target is no Relay.

    Examples
    --------
    >>> import numpy as np
    >>> from eventsim import Dense, Input, Population
    >>> net = Network(
    ...     populations=[Input("image", 4), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...     projections=[Dense("image", "out", weight=np.ones((4, 2)))],
    ... )
    >>> net
    Network(image[4] -> out[2]; 6 units, 8 synapses)
    >>> net["out"].n
    2
    """

    populations: tuple[Units, ...]
    projections: tuple[Projection, ...] = ()

    def __init__(
        self, populations: Iterable[Units], projections: Iterable[Projection] = ()
    ) -> None:
        for field, value in (("populations", populations), ("projections", projections)):
            items = checks.sequence("Network", field, value, f"a sequence of {field}")
            object.__setattr__(self, field, items)
        self._check_populations()
        object.__setattr__(self, "_by_name", {p.name: p for p in self.populations})
        for projection in self.projections:
            self._check_projection(projection)
        object.__setattr__(self, "_order", _topological_order(self))

    def _check_populations(self) -> None:
        seen = set()
        if not self.populations:
            raise checks.fail("Network", "populations", "at least one", 0)
        for population in self.populations:
            if not isinstance(population, Input | Population | Relay):
                raise InvalidType(
                    "Network: populations: expected Input, Population or Relay, "
                    f"got {type(population).__name__}"
                )
            if population.name in seen:
                raise checks.fail("Network", "populations", "unique names", population.name)
            seen.add(population.name)

    def _check_projection(self, projection: Projection) -> None:
        if not isinstance(projection, Projection):
            raise InvalidType(
                f"Network: projections: expected projections, got {type(projection).__name__}"
            )
        for field in ("source", "target"):
            name = getattr(projection, field)
            if name not in self:
                raise checks.fail(
                    projection.where, field, f"one of {[p.name for p in self.populations]}", name
                )
        source, target = self[projection.source], self[projection.target]
        if isinstance(target, Input):
            raise checks.fail(projection.where, "target", "a Population or Relay", "an Input")
        if isinstance(projection, MaxPool2d) != isinstance(target, Relay):
            raise checks.fail(
                projection.where,
                "target",
                "a Relay" if isinstance(projection, MaxPool2d) else "a Population",
                f"{type(target).__name__} {target.name!r}",
            )
        if isinstance(projection, MaxPool2d):
            incoming = [p for p in self.projections if p.target == target.name]
            if len(incoming) > 1:
                raise checks.fail(
                    projection.where, "target", "one MaxPool2d for a Relay", len(incoming)
                )
            needs_window = projection.rule == "first_spike" and projection.window is None
            closes = isinstance(source, Population) and source.array("t_ref").max() > 0
            if needs_window and not closes:
                raise checks.fail(
                    projection.where,
                    "window",
                    f"seconds, as source {source.name!r} has no refractory period",
                    None,
                )
        receptor = getattr(projection, "receptor", None)
        if receptor is not None and isinstance(target, Population):
            if receptor >= target.n_receptors:
                raise checks.fail(
                    projection.where,
                    "receptor",
                    f"None or an index below {target.n_receptors}, the receptors of "
                    f"{target.name!r} (its tau_syn)",
                    receptor,
                )
        projection.check_shapes(source.shape, target.shape)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name  # type: ignore[attr-defined]

    def __getitem__(self, name: str) -> Units:
        if name in self:
            return self._by_name[name]  # type: ignore[attr-defined]
        names = [population.name for population in self.populations]
        raise InvalidValue(f"Network: population: expected one of {names}, got {name!r}")

    def __iter__(self) -> Iterator[Units]:
        return iter(self.populations)

    @property
    def order(self) -> tuple[str, ...]:
        """Names in the order in which populations are visited within an instant."""
        return self._order  # type: ignore[attr-defined]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the Inputs that spike as the user says; a Poisson is none of them."""
        return tuple(
            p.name for p in self.populations if isinstance(p, Input) and not isinstance(p, Poisson)
        )

    @property
    def drives(self) -> tuple[str, ...]:
        """Names of the Poisson populations."""
        return tuple(p.name for p in self.populations if isinstance(p, Poisson))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of populations that project nowhere, Inputs left out."""
        sources = {projection.source for projection in self.projections}
        return tuple(
            p.name for p in self.populations if p.name not in sources and not isinstance(p, Input)
        )

    def synapses(self, projection: Projection) -> int:
        """Number of synapses of one projection of this network."""
        return projection.n_synapses(self[projection.source].shape, self[projection.target].shape)

    def with_spread(self, spread: float) -> Network:
        """The same network with pulses of ``spread`` seconds (0: deltas) on every synapse.

        Examples
        --------
        >>> from eventsim import Dense, Input, Population
        >>> net = Network([Input("a", 1), Population("b", 1, tau_mem=1.0)],
        ...               [Dense("a", "b", [[1.0]], spread=1e-3)])
        >>> net.with_spread(0.0).projections[0].spread
        0.0
        """
        return Network(
            self.populations,
            [p.with_spread(spread) for p in self.projections],
        )

    def replace(self, name: str, /, **parameters: Any) -> Network:
        """The same network with some parameters of population ``name`` changed."""
        old = self[name]
        fields: dict[str, Any] = {
            f.name: getattr(old, f.name)
            for f in dataclasses.fields(old)
            if f.name not in ("name", "n")
        }
        unknown = set(parameters) - set(fields) - {"n"}
        if unknown:
            raise checks.fail(
                f"population {name!r}", "parameters", f"some of {sorted(fields)}", sorted(unknown)
            )
        new = type(old)(name, **{**fields, "n": old.shape, **parameters})
        return Network([new if p.name == name else p for p in self.populations], self.projections)

    def session(self, **options: Any) -> Session:
        """A run that is fed and advanced piece by piece; see :class:`eventsim.Session`."""
        from eventsim.session import Session

        return Session(self, **options)

    def fingerprint(self) -> str:
        """SHA-256 of everything that decides the network's behaviour, as hex."""
        if not hasattr(self, "_fingerprint"):
            object.__setattr__(self, "_fingerprint", self._digest())
        return self._fingerprint  # type: ignore[attr-defined]

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for item in (*self.populations, *self.projections):
            digest.update(type(item).__name__.encode())
            if not isinstance(item, Projection):
                digest.update(repr(item.shape).encode())
            for field in dataclasses.fields(item):
                value = getattr(item, field.name)
                if isinstance(value, np.ndarray):
                    digest.update(f"{field.name}{value.dtype}{value.shape}".encode())
                    digest.update(value.tobytes())
                elif value != field.default:  # a new parameter leaves old networks as they were
                    digest.update(f"{field.name}={value!r}".encode())
        return digest.hexdigest()

    def describe(self) -> str:
        """A table of populations and projections with parameter and synapse counts.

        Examples
        --------
        >>> from eventsim import Dense, Input, Population
        >>> net = Network([Input("a", 2), Population("b", 3, tau_mem=1.0)],
        ...               [Dense("a", "b", [[1.0] * 3] * 2)])
        >>> print(net.describe())
        population  kind        shape  parameters
        a           Input       2
        b           Population  3      tau_mem=1 s
        <BLANKLINE>
        projection  kind   weights  synapses  delay  arrives as
        a -> b      Dense  6        6         0 s    delta
        total              6        6
        """
        rows = [("population", "kind", "shape", "parameters")]
        for p in self.populations:
            shape = "x".join(map(str, p.shape))
            rows.append((p.name, type(p).__name__, shape, _parameters(p)))
        links = [("projection", "kind", "weights", "synapses", "delay", "arrives as")]
        weights = synapses = 0
        for link in self.projections:
            weights += link.n_parameters
            synapses += self.synapses(link)
            links.append(
                (
                    f"{link.source} -> {link.target}",
                    type(link).__name__,
                    f"{link.n_parameters:,}",
                    f"{self.synapses(link):,}",
                    _seconds(link.delay),  # type: ignore[attr-defined]
                    _arrival(link),
                )
            )
        links.append(("total", "", f"{weights:,}", f"{synapses:,}", "", ""))
        return _table(rows) + "\n\n" + _table(links)

    def __repr__(self) -> str:
        neurons = sum(p.n for p in self.populations)
        synapses = sum(self.synapses(p) for p in self.projections)
        chain = " -> ".join(f"{name}[{self[name].n}]" for name in self.order[:6])
        more = " ..." if len(self.order) > 6 else ""
        return f"Network({chain}{more}; {neurons:,} units, {synapses:,} synapses)"


def _topological_order(net: Network) -> tuple[str, ...]:
    """Kahn's order over zero-delay projections; ties keep the order of declaration."""
    zero = [(p.source, p.target) for p in net.projections if p.min_delay == 0.0]
    sources: dict[str, set[str]] = {p.name: set() for p in net.populations}
    targets: dict[str, set[str]] = {p.name: set() for p in net.populations}
    for source, target in zero:
        sources[target].add(source)
        targets[source].add(target)
    place = {p.name: k for k, p in enumerate(net.populations)}
    ready = [place[name] for name, before in sources.items() if not before]  # a heap
    order: list[str] = []
    while ready:
        name = net.populations[heappop(ready)].name
        order.append(name)
        for target in targets[name]:
            sources[target].discard(name)
            if not sources[target]:
                heappush(ready, place[target])
    waiting = [name for name in place if name not in set(order)]
    if waiting:
        raise checks.fail(
            "Network",
            "projections",
            "no cycle of zero-delay projections",
            " -> ".join(_cycle(waiting, zero)),
        )
    return tuple(order)


def _cycle(waiting: list[str], edges: list[tuple[str, str]]) -> list[str]:
    """One cycle among populations that all wait for another: walk backwards until one repeats."""
    path = [waiting[0]]
    while True:
        previous = next(s for s, t in edges if t == path[-1] and s in waiting)
        if previous in path:
            return [previous, *reversed(path[path.index(previous) :])]
        path.append(previous)


def _seconds(value: Any) -> str:
    low, high = float(np.min(value)), float(np.max(value))
    return f"{low:g} s" if low == high else f"{low:g} to {high:g} s"


def _arrival(link: Projection) -> str:
    """In words, what an arrival is to its target."""
    if getattr(link, "receptor", None) is not None:
        return f"receptor {link.receptor}"  # type: ignore[attr-defined]
    spread = getattr(link, "spread", None)
    if spread is None:
        return "spike"
    return f"pulse of {_seconds(spread)}" if spread else "delta"


def _parameters(population: Units) -> str:
    if not isinstance(population, Population):
        return ""
    units = {name: " s" for name in ("tau_mem", "t_ref", "tau_adapt", "tau_ahp")}
    parts = []
    for field in population.PARAMETERS + population.FLAGS:
        value = getattr(population, field)
        if (
            field != "tau_mem"
            and not isinstance(value, np.ndarray)
            and (value == Population.__dataclass_fields__[field].default)
        ):
            continue
        if isinstance(value, np.ndarray):
            parts.append(f"{field}={value.min():g}..{value.max():g}{units.get(field, '')}")
        elif isinstance(value, float):
            parts.append(f"{field}={value:g}{units.get(field, '')}")
        else:
            parts.append(f"{field}={value}")
    if population.n_receptors:
        spans = ((times.min(), times.max()) for times in population.receptor_times)
        each = (f"{a:g}" if a == b else f"{a:g}..{b:g}" for a, b in spans)
        parts.append(f"tau_syn=[{', '.join(each)}] s")
    return ", ".join(parts)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
