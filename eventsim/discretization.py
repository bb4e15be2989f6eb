"""What training really did: the discrete rule, its step, the coding of inputs and outputs.

A :class:`Discretization` travels with its :class:`~eventsim.Network`. The network says what the
neurons are; the discretization says how they were stepped when the weights were found. The
discrete twin runs from the pair, so a gap between twin and exact simulation is never an
artefact of guessing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.step_rule import StepRule

if TYPE_CHECKING:
    from eventsim.network import Network

__all__ = ["DECODERS", "ENCODERS", "RULES", "Discretization"]

#: Update rule -> its equation and what it leaves out.
RULES = {
    "coarse": "v = (1-s)(a v + b x) + s c x; one step is one refractory period",
    "coarse_drop": "v = (1-s)(a v + b x): all input of the step after a spike is dropped",
    "constant_potential": "v = (1-s)(a v + (b/c) x) + s x: x is the mean potential one step "
    "after a spike",
    "lif": "v = (1-s) a v + b x: no refractory period",
    "if": "v = (1-s) v + x: no leak, no refractory period",
    "mcculloch_pitts": "v = x: no memory",
}
#: What ``rule`` says where every population has a rule of its own.
FRAMEWORK = {"framework": "a rule of its own for each population"}
#: Arithmetic of the training -> numpy's name.
DTYPES = ("float64", "float32")
#: Encoder -> what it does with an image.
ENCODERS = {
    "bernoulli": "in each step a pixel spikes with probability min(1, scale * pixel)",
    "periodic": "a pixel adds scale * pixel in each step, spikes at 1 and starts again from 0",
    "constant": "the analog image times scale is the input of every step",
}
#: Decoder -> the class of a sample; all but the first read neurons that do not spike.
DECODERS = {
    "count": "class of most spikes; ties go to the lowest index",
    "last": "class of the highest potential at the end of the run; ties go to the lowest index",
    "mean": "class of the highest mean of the potentials at the ends of the steps; ties go to the "
    "lowest index",
    "max": "class of the highest of all potentials at the ends of the steps; ties go to the lowest "
    "index",
}


@dataclass(frozen=True)
class Discretization:
    """The discrete time model behind the weights of a network.

    Parameters
    ----------
    rule : str
        Update rule of every population that ``variants`` does not name: ``"coarse"``,
        ``"coarse_drop"``, ``"constant_potential"``, ``"lif"``, ``"if"`` or
        ``"mcculloch_pitts"``; equations in :mod:`eventsim.discrete.coarse`. ``"framework"``:
        each population has a rule of its own in ``cells``.
    dt : float
        Length of a step in seconds, > 0. For the coarse rules it is the refractory period.
    steps : int or None
        Steps of one presentation, >= 1; None where they are not known, as for a NIR file. What
        needs them then asks.
    encoder : {"bernoulli", "periodic", "constant"}
        How an image becomes the input of each step; see :mod:`eventsim.encode`.
    encoder_scale : float
        Factor on the pixels, > 0.
    decoder : {"count", "last", "mean", "max"}
        The class is the output neuron with most spikes; of an output without threshold the one
        with the highest potential at the end, on average over the ends of the steps, or at any of
        these. Ties go to the lowest index.
    variants : mapping of str to str
        Population name -> rule, where it differs from ``rule``.
    spread : float
        Width in seconds of the pulses of the continuous counterpart, >= 0 (0: deltas).
        Default ``dt``: arrivals spread evenly over one refractory period are what the coarse
        coefficients average over.
    notes : tuple of str
        Remarks that files and reports carry along.
    cells : mapping of str to StepRule
        Population name -> the rule of a training framework, described in full; takes precedence
        over ``rule`` and ``variants``.
    dtype : {"float64", "float32"}
        Arithmetic of the training, which the twin uses unless it is told otherwise.

    Raises
    ------
    InvalidValue, InvalidType
        A field is of the wrong type or out of range; the message names it.

    Examples
    --------
    >>> disc = Discretization(rule="coarse", dt=1e-3, steps=4)
    >>> disc.spread
    0.001
    >>> disc.rule_of("hidden")
    'coarse'
    >>> Discretization.from_dict(disc.to_dict()) == disc
    True
    """

    rule: str = "coarse"
    _: KW_ONLY
    dt: float
    steps: int  # None: not known
    encoder: str = "bernoulli"
    encoder_scale: float = 1.0
    decoder: str = "count"
    variants: Mapping[str, str] = field(default_factory=dict, hash=False)
    spread: float = None  # type: ignore[assignment]  # stands for dt until __post_init__
    notes: tuple[str, ...] = ()
    cells: Mapping[str, StepRule] = field(default_factory=dict, hash=False)
    dtype: str = "float64"

    def __post_init__(self) -> None:
        where = "Discretization"
        _choice(where, "rule", self.rule, {**RULES, **FRAMEWORK})
        _choice(where, "encoder", self.encoder, ENCODERS)
        _choice(where, "decoder", self.decoder, DECODERS)
        self._set("dt", checks.positive(where, "dt", self.dt))
        if self.steps is not None:
            self._set("steps", checks.whole(where, "steps", self.steps, 1))
        self._set("encoder_scale", checks.positive(where, "encoder_scale", self.encoder_scale))
        if not isinstance(self.variants, Mapping):
            raise InvalidType(
                f"{where}: variants: expected a mapping of population to rule, "
                f"got {type(self.variants).__name__}"
            )
        for name, rule in self.variants.items():
            checks.name(where, name, "variants")
            _choice(where, f"variants[{name!r}]", rule, RULES)
        self._set("variants", MappingProxyType(dict(self.variants)))
        spread = self.dt if self.spread is None else checks.scalar(where, "spread", self.spread)
        if spread < 0:
            raise checks.fail(where, "spread", "a number >= 0", spread)
        self._set("spread", spread)
        notes = checks.sequence(where, "notes", self.notes, "a tuple of str")
        if not all(isinstance(note, str) for note in notes):
            raise InvalidType(f"{where}: notes: expected a tuple of str, got {self.notes!r}")
        self._set("notes", notes)
        for name, cell in checks.mapping(where, "cells", self.cells).items():
            checks.name(where, name, "cells")
            if not isinstance(cell, StepRule):
                raise InvalidType(
                    f"{where}: cells[{name!r}]: expected a StepRule, got {type(cell).__name__}"
                )
        self._set("cells", MappingProxyType(dict(self.cells)))
        if self.dtype not in DTYPES:
            raise checks.fail(where, "dtype", f"one of {list(DTYPES)}", repr(self.dtype))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], Discretization], tuple[Any]]:
        # A read-only mapping cannot be copied or sent to a worker; its plain form can.
        return Discretization.from_dict, (self.to_dict(),)

    @property
    def duration(self) -> float:
        """Length of one presentation in seconds, ``steps * dt``."""
        return self.known_steps("Discretization.duration") * self.dt

    def known_steps(self, where: str) -> int:
        """:attr:`steps`, or the error of ``where`` if they are not known.

        Raises
        ------
        InvalidValue
            They are not known.
        """
        if self.steps is None:
            raise checks.fail(
                where, "steps",
                "the steps of one presentation, as the discrete model does not say it (a NIR file "
                "does not hold it; es.load(..., steps=...) or --steps)", None,
            )  # fmt: skip
        return self.steps

    def rule_of(self, population: str) -> str:
        """Update rule of the population of this name; the label of its cell where it has one."""
        if population in self.cells:
            return self.cells[population].label
        return self.variants.get(population, self.rule)

    def run(
        self,
        net: Network,
        x: Any,
        layers: bool = False,
        *,
        record: str = "spikes",
        dtype: Any = None,
        threads: int | None = None,
    ) -> NDArray[Any] | dict[str, NDArray[Any]]:
        """Run the discrete twin of ``net``; see :func:`eventsim.discrete.run`.

        Parameters
        ----------
        net : Network
            The network whose twin to run.
        x : array [sample, step, n_input] of 0 and 1
            Input spikes; with ``cells`` any numbers, as frameworks take them. For the encoder
            ``"constant"``: the analog image [sample, n_input].
        layers : bool
            True: a dict of the arrays of all populations. False: the array of the last layer.
        record : {"spikes", "drive", "potential"}
            What to return; default the spikes.
        dtype : float64, float32 or None
            Arithmetic of the twin; weights are converted to it. None: :attr:`dtype`.
        threads : int or None
            Samples are shared among so many threads; None: all cores. No effect on results.

        Returns
        -------
        array [sample, step, n] or dict of name to array
            uint8 for spikes (int32 where a neuron may have several in a step), else ``dtype``.

        Examples
        --------
        >>> import numpy as np
        >>> from eventsim import Dense, Input, Network, Population
        >>> net = Network([Input("in", 1), Population("out", 1, tau_mem=4e-3, t_ref=1e-3)],
        ...               [Dense("in", "out", [[1.2]])])
        >>> disc = Discretization(dt=1e-3, steps=4)
        >>> disc.run(net, np.ones((1, 4, 1), dtype=np.uint8))[0, :, 0]
        array([1, 0, 1, 0], dtype=uint8)
        """
        from eventsim import discrete

        return discrete.run(
            net, self, x, layers=layers, record=record, dtype=dtype, threads=threads
        )

    def assumptions(self) -> list[tuple[str, str, str]]:
        """Rows (name, value, why) that say what the discrete model takes for granted.

        Examples
        --------
        >>> for name, value, why in Discretization(dt=1e-3, steps=4).assumptions()[:3]:
        ...     print(f"{name}: {value}")
        update rule: coarse
        step: 0.001 s
        window: 4 steps
        """
        window = ("window", f"{self.steps} steps", "spikes after it are not counted")
        if self.steps is None:
            window = ("window", "not known", "steps=... says how many steps are counted")
        if self.rule in RULES:
            rows = [
                ("update rule", self.rule, RULES[self.rule]),
                ("step", f"{self.dt:g} s", "the refractory period of the coarse rules"),
                window,
            ]
        else:
            rows = [("step", f"{self.dt:g} s", "the time that a step stands for"), window]
        rows += [
            (f"update rule of {name}", rule, RULES[rule])
            for name, rule in sorted(self.variants.items())
            if name not in self.cells
        ]
        rows += [
            (f"update rule of {name}", cell.label, cell.equation)
            for name, cell in self.cells.items()
        ]
        if self.rule in RULES:
            rows += [
                (
                    "threshold test",
                    "v > v_threshold at the end of a step",
                    "peaks inside a step are missed; at equality there is no spike",
                ),
                ("reset", "to rest, in the next step", "at most one spike per step"),
            ]
        rows += [
            ("layers", "same step", "a spike passes all layers within its step"),
            ("max pooling", "OR over a step", "whatever rule the continuous pooling has"),
            (
                ("bias", "r i_bias dt / tau_mem per step", "the charge of the constant current")
                if self.rule in RULES
                else ("arithmetic", self.dtype, "of the framework, in its order")
            ),
            (
                "encoder",
                f"{self.encoder}, scale {self.encoder_scale:g}",
                ENCODERS[self.encoder],
            ),
            ("decoder", self.decoder, DECODERS[self.decoder]),
            (
                "continuous counterpart",
                f"pulses of {self.spread:g} s" if self.spread else self._synapses(),
                "the coarse coefficients average over arrivals spread evenly over a step"
                if self.rule in RULES
                else "how the charge of a spike arrives",
            ),
        ]
        return rows + [("note", note, "") for note in self.notes]

    def _synapses(self) -> str:
        """What the rules make of arrivals that are not spread."""
        currents = {rule.synapse is not None for rule in self.cells.values()}
        if currents == {True, False}:
            return "delta and exponential synapses"
        return "exponential synapses" if currents == {True} else "delta synapses"

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as for JSON; the inverse of :meth:`from_dict`."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values |= {"variants": dict(self.variants), "notes": list(self.notes)}
        values["cells"] = {name: cell.to_dict() for name, cell in self.cells.items()}
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Discretization:
        """A Discretization from the dict that :meth:`to_dict` gives.

        Raises
        ------
        InvalidValue, InvalidType
            Unknown or missing keys, or values out of range.
        """
        if not isinstance(values, Mapping):
            raise InvalidType(
                f"Discretization: values: expected a mapping, got {type(values).__name__}"
            )
        known = [f.name for f in fields(cls)]
        unknown = sorted(str(key) for key in set(values) - set(known))
        if unknown:
            raise checks.fail("Discretization", "keys", f"some of {known}", unknown)
        missing = [name for name in ("dt", "steps") if name not in values]
        if missing:
            raise checks.fail("Discretization", "keys", "dt and steps", f"no {missing}")
        given = dict(values)
        if "notes" in given and not isinstance(given["notes"], str):
            given["notes"] = tuple(given["notes"])
        cells = checks.mapping("Discretization", "cells", given.get("cells"))
        given["cells"] = {name: StepRule.from_dict(cell) for name, cell in cells.items()}
        return cls(**given)


def _choice(where: str, name: str, value: Any, allowed: Mapping[str, str]) -> None:
    if not isinstance(value, str):
        raise InvalidType(f"{where}: {name}: expected one of {list(allowed)}, got {value!r}")
    if value not in allowed:
        raise checks.fail(where, name, f"one of {list(allowed)}", repr(value))
