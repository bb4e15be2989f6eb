"""Warnings before the run: which numbers of the coarse network foretell trouble, and from where on.

Two kinds. The numbers that *decide* a risk are those that ranked the measured losses of networks in
``validation/forecast.py``: the excursion of the charge for deltas; the answers that hang on late
spikes, and the delay of the layers, for pulses; silent answers for both. *Notes* name an assumption
of the coarse model that the network strains. They ranked the losses less well, and decide nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from eventsim.fidelity.drive import LayerDrive

__all__ = [
    "DELAY",
    "EXCURSION",
    "LATE",
    "RISKS",
    "SILENT",
    "Caution",
    "Limits",
    "decisive",
    "notes",
    "risk",
]

RISKS = ("low", "raised", "high")
DELTAS, PULSES, BOTH = "deltas", "pulses", "both"


class Limits(NamedTuple):
    """From where on a number makes a risk raised, and high; None: never."""

    raised: float
    high: float | None

    def level(self, value: float) -> str:
        """The word for a value."""
        if self.high is not None and value >= self.high:
            return "high"
        return "raised" if value >= self.raised else "low"


#: Excursion of the network in thresholds, for deltas.
EXCURSION = Limits(0.25, 0.45)
#: Share of the answers that hang on the spikes that pulses bring too late, of samples that have any
#: output spike.
LATE = Limits(0.1, 0.25)
#: Share of the window by which pulses delay the output.
DELAY = Limits(0.5, None)
#: Share of the samples without any output spike, for both.
SILENT = Limits(0.05, None)

#: From where on a note is made.
STRONG, ABOVE_KNEE, PHASE_DISTANCE, CLOSE = 0.05, 0.3, 0.25, 0.4


@dataclass(frozen=True)
class Caution:
    """One warning.

    Attributes
    ----------
    layer : str
        Population that it is about; for a number of the whole network the one with the largest
        part in it.
    quantity : str
        What was looked at, in words.
    value, threshold : float
        The number, and the limit that it has reached.
    level : {"raised", "high", "note"}
        What it makes of the risk; a note decides nothing.
    synapses : {"deltas", "pulses", "both"}
        Which continuous network it is about.
    unit : {"thresholds", "share", "1"}
        Unit of value and threshold.
    predicts, helps : str
        What to expect, and what to do about it.
    """

    layer: str
    quantity: str
    value: float
    threshold: float
    level: str
    synapses: str
    unit: str
    predicts: str
    helps: str

    def amount(self, number: float) -> str:
        """A number of this kind with its unit."""
        if self.unit == "share":
            return f"{100 * number:.1f} %"
        return f"{number:.2f}{' thresholds' if self.unit == 'thresholds' else ''}"

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return dataclasses.asdict(self)


def decisive(
    layers: Sequence[LayerDrive],
    output: str,
    *,
    excursion: float,
    late: float,
    delay: float,
    silent: float,
) -> list[Caution]:
    """The warnings that decide the risk, those of deltas first.

    >>> from eventsim.fidelity.cautions import decisive
    >>> [c.quantity for c in decisive([], "out", excursion=0.1, late=0.3, delay=0.2, silent=0.0)]
    ['answers that hang on late spikes']
    """
    largest = max(layers, key=lambda layer: layer.from_neurons).name if layers else output
    rows = (
        (largest, "excursion of the network", excursion, EXCURSION, DELTAS, "thresholds",
         "Charge comes in bursts, and excitation that comes before inhibition fires the neurons: "
         "extra spikes, other answers",
         "pulses of a step; smaller weights; delays that differ between neurons; more steps"),
        (output, "answers that hang on late spikes", late, LATE, PULSES, "share",
         "A pulse brings its charge half a step later in every layer, and the window ends before "
         "the output has answered", "a longer window (extend), more steps, stronger drive"),
        (output, "delay of the output, share of the window", delay, DELAY, PULSES, "share",
         "The last layers see only a part of what they were trained on",
         "a longer window (extend), more steps, fewer layers"),
        (output, "samples without any output spike", silent, SILENT, BOTH, "share",
         "The output is driven so weakly that spikes come and go with little, and the tie rule, "
         "not the network, gives these answers", "stronger weights to the output, more steps"),
    )  # fmt: skip
    found = []
    for layer, quantity, value, limits, *words in rows:
        level = limits.level(value)
        limit = limits.high if level == "high" else limits.raised
        if level != "low" and limit is not None:
            found.append(Caution(layer, quantity, value, limit, level, *words))
    return found


def notes(layers: Iterable[LayerDrive], output: str, close: float) -> list[Caution]:
    """Strained assumptions that decide nothing; ``close`` is the share of close answers."""
    rows = [(layer.name, *row) for layer in layers for row in _strained(layer)]
    rows.append(
        (output, "answers that lead by one spike or none", close, CLOSE, BOTH, "share",
         "A single spike more or less changes the class, as another draw of the input may",
         "more steps; judge agreement against a second draw")
    )  # fmt: skip
    return [
        Caution(layer, quantity, value, limit, "note", *words)
        for layer, quantity, value, limit, *words in rows
        if value is not None and value >= limit
    ]


def _strained(layer: LayerDrive) -> Iterable[tuple[Any, ...]]:
    """Rows (quantity, value, limit, synapses, unit, predicts, helps)."""
    return (
        ("weights at or above the threshold", layer.strong, STRONG, DELTAS, "share",
         "One delta of such a weight fires the exact neuron; below v0 / b it never fires the "
         "coarse one alone", "pulses of a step; a penalty on large weights in training"),
        ("charge beyond the knee", layer.above_knee, ABOVE_KNEE, BOTH, "share",
         "The coarse rate is locked to one spike in two steps, while the exact one goes on rising",
         "smaller weights or inputs"),
        ("times of spikes, distance from uniform", layer.phase_distance, PHASE_DISTANCE, BOTH, "1",
         "Neurons spike, and become free again, at like times of a step; the coarse model takes "
         "these as uniform", "irregular input; delays that differ between neurons"),
        ("neurons without a spike", layer.silent, 1.0, BOTH, "share",
         "Nothing passes this layer in the coarse network, but may in the exact one",
         "weights or input that fire it; more samples"),
    )  # fmt: skip


def risk(cautions: Iterable[Caution], synapses: str) -> str:
    """``"low"``, ``"raised"`` or ``"high"`` for ``"deltas"`` or ``"pulses"``."""
    levels = [c.level for c in cautions if c.synapses in (synapses, BOTH) and c.level in RISKS]
    return max(levels, key=RISKS.index, default="low")
