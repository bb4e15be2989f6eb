"""What the ladder returns: its rungs in numbers, and the gap between its ends by cause."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from eventsim.fidelity import words
from eventsim.fidelity.metrics import Difference, McNemar, Share
from eventsim.save.report import JsonReport

__all__ = ["Effect", "LadderReport", "Rung", "RungLayer"]


@dataclass(frozen=True)
class RungLayer:
    """Activity of one layer on a rung, all samples and runs together.

    Attributes
    ----------
    name, n : str, int
        Population and its number of units.
    rate : float
        Mean rate of a unit in spikes per second, over the window of the rung.
    silent, saturated : float
        Share of units (for each sample) without a spike; with as many as there are steps, or more.
    bias, mae, correlation : float or None
        Counts of a unit against those of the coarse run, as in
        :class:`~eventsim.fidelity.result.Layer`. None for the coarse run itself.
    """

    name: str
    n: int
    rate: float
    silent: float
    saturated: float
    bias: float | None = None
    mae: float | None = None
    correlation: float | None = None


@dataclass(frozen=True, eq=False)
class Rung:
    """One way to run the network on the samples, and what it changes.

    Attributes
    ----------
    name : str
        ``"coarse"``, ``"second draw"``, ``"endcheck"``, ``"isolated"``, ``"rejit"``,
        ``"pooling"``, ``"continuous"``, or the name of a variant.
    kind : str
        ``"rung"``, ``"yardstick"`` (the second draw) or ``"variant"``.
    reference : str or None
        The rung that it differs from in one thing; None for the coarse run.
    what : str
        That thing, in words.
    window : float
        Seconds over which spikes are counted.
    accuracy, ties : tuple of Share
        For each run: samples whose class is their label; samples whose largest count is shared.
    agreement : tuple of Share or None
        For each run: samples whose class is that of the coarse run. None for that run itself.
    change : Difference or None
        Accuracy minus that of the reference, on the same samples, mean over the runs.
    mcnemar : McNemar or None
        Test of the same for the first run of both.
    from_coarse : Difference or None
        Accuracy minus that of the coarse run, likewise.
    beyond_noise : Difference or None
        Share of samples whose class is not the coarse one, minus the share that a second draw of
        the input changes. None for these two, and where the encoder draws nothing.
    layers : tuple of RungLayer
        From input to output, the Input itself left out.
    counts : array of int64 or float64 [run, sample, class]
        Spike counts of the output, or what its potentials give, for each class.
    """

    name: str
    kind: str
    reference: str | None
    what: str
    window: float
    accuracy: tuple[Share, ...]
    agreement: tuple[Share, ...] | None
    ties: tuple[Share, ...]
    change: Difference | None
    mcnemar: McNemar | None
    from_coarse: Difference | None
    beyond_noise: Difference | None
    layers: tuple[RungLayer, ...]
    counts: NDArray[Any] = field(repr=False)

    def mean(self, name: str) -> float | None:
        """Mean over the runs of ``"accuracy"``, ``"agreement"`` or ``"ties"``."""
        shares = getattr(self, name)
        if shares is None:
            return None
        return float(sum(share.value for share in shares) / len(shares))

    def to_dict(self) -> dict[str, Any]:
        """Plain types only; the counts are left out."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        del values["counts"]
        shares = ("accuracy", "agreement", "ties")
        return {name: _plain(value) for name, value in values.items()} | {
            "mean": {name: self.mean(name) for name in shares}
        }


@dataclass(frozen=True)
class Effect:
    """What one change does to the accuracy.

    Attributes
    ----------
    cause : str
        The change, in words.
    before, after : str
        Rungs without and with it.
    part : bool
        Whether it is one of the changes that lead from coarse to continuous and add up to the gap.
    change : Difference
        Accuracy after minus before, between -1 and 1; negative is a loss.
    """

    cause: str
    before: str
    after: str
    part: bool
    change: Difference

    @property
    def within_noise(self) -> bool:
        """Whether the interval holds 0."""
        return self.change.low <= 0.0 <= self.change.high

    @property
    def sentence(self) -> str:
        """Cause and effect in points, such as "a delay costs 1.2 points [0.1, 2.3]"."""
        d = self.change
        if d.value <= 0:
            verb, value, low, high = "costs", -d.value, -d.high, -d.low
        else:
            verb, value, low, high = "gains", d.value, d.low, d.high
        ends = f"[{100 * low:z.1f}, {100 * high:z.1f}]"
        noise = ", within noise" if self.within_noise else ""
        return f"{self.cause} {verb} {100 * value:z.1f} points {ends}{noise}"

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            **dataclasses.asdict(self),
            "within_noise": self.within_noise,
            "sentence": self.sentence,
        }


@dataclass(frozen=True, eq=False)
class LadderReport(JsonReport):
    """The gap between the coarse network and the continuous one, by cause.

    Attributes
    ----------
    rungs : tuple of Rung
        The ladder from coarse to continuous, then the variants of continuous.
    effects : tuple of Effect
        What each change does: first those that add up to the gap, then those of the variants;
        in both parts those beyond noise before the others, the largest first.
    gap : Effect
        Coarse to continuous.
    settings, provenance : mapping
        What was run; software, network and data.

    Examples
    --------
    >>> import numpy as np
    >>> from eventsim import Dense, Discretization, Input, Network, Population, attribute
    >>> net = Network([Input("image", 2), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("image", "out", [[1.2, 0.0], [0.0, 1.2]])])
    >>> images = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> report = attribute(net, Discretization(dt=1e-3, steps=8), images, [0, 1])
    >>> [rung.name for rung in report.rungs if rung.kind == "rung"]
    ['coarse', 'endcheck', 'isolated', 'rejit', 'continuous']
    >>> report["rejit"].accuracy[0].value
    1.0
    """

    rungs: tuple[Rung, ...]
    effects: tuple[Effect, ...]
    gap: Effect
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]

    def __getitem__(self, name: str) -> Rung:
        for rung in self.rungs:
            if rung.name == name:
                return rung
        raise KeyError(f"{name!r} is none of {[rung.name for rung in self.rungs]}")

    @property
    def verdict(self) -> str:
        """The gap and its largest causes, in sentences for a reader."""
        first, last = self["coarse"], self["continuous"]
        d = self.gap.change
        noise = "cannot be told from chance" if self.gap.within_noise else "is beyond chance"
        parts = [
            f"Accuracy {words.percent(first.mean('accuracy'))} coarse, "
            f"{words.percent(last.mean('accuracy'))} continuous with {self.settings['synapse']}: "
            f"the difference of {words.change_text(d)} points {noise}."
        ]
        firm = [e for e in self.effects if e.part and not e.within_noise]
        if firm:
            parts.append(f"Beyond noise: {'; '.join(e.sentence for e in firm)}.")
        else:
            parts.append("No single cause on the way is beyond noise.")
        return " ".join(parts)

    @property
    def first_exact(self) -> str:
        """The first rung below the coarse run."""
        return next(r.name for r in self.rungs if r.kind == "rung" and r.reference is not None)

    def summary(self) -> str:
        """Verdict, table, causes and rates as plain text, about 100 columns wide."""
        s = self.settings
        head = (
            f"{s['samples']} images, {s['steps']} steps of {1e3 * s['dt']:g} ms, encoder "
            f"{s['encoder']}, {s['jitter_seeds']} placement{'s' * (s['jitter_seeds'] > 1)} of the "
            f"spikes within their steps, seed {s['seed']}. "
            f"All rungs from {self.first_exact} to continuous have {s['synapse']}."
        )
        head = " ".join([head, *s["notes"]])
        rows: list[tuple[str, ...]] = [
            ("", "accuracy, %", "mean", "change, points", "class as coarse, %", "ties, %")
        ]
        for rung in self.rungs:
            rows.append((
                rung.name,
                words.share_text(rung.accuracy[0]),
                words.number(rung.mean("accuracy"), ".1f", 100),
                words.change_text(rung.change),
                words.share_text(rung.agreement[0] if rung.agreement else None),
                words.number(rung.mean("ties"), ".1f", 100),
            ))  # fmt: skip
        legend = (
            "Brackets: 95 % intervals. Accuracy, class: first placement. Mean, change, ties: all.\n"
            f"Change: against the rung above; second draw and {self.first_exact}: against coarse;\n"
            "variants: against continuous. The second draw is the yardstick of agreement. Ties go\n"
            "to the lowest index."
        )
        rates: list[tuple[str, ...]] = [
            ("rate, 1/s", *(layer.name for layer in self.rungs[0].layers))
        ]
        for rung in self.rungs:
            rates.append((rung.name, *(f"{layer.rate:.4g}" for layer in rung.layers)))
        parts = [
            textwrap.fill(self.verdict, words.WIDTH),
            textwrap.fill(head, words.WIDTH),
            words.table(rows),
            legend,
            self.causes(),
            self.causes(part=False),
            words.table(rates),
        ]
        return "\n\n".join(part for part in parts if part)

    def causes(self, part: bool = True) -> str:
        """What each change costs: of those that add up to the gap, or of the others."""
        title = "From coarse to continuous:" if part else "Besides:"
        lines = [
            textwrap.fill(e.sentence, words.WIDTH, initial_indent="  ", subsequent_indent="    ")
            for e in self.effects
            if e.part is part
        ]
        return "\n".join([title, *lines]) if lines else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as for JSON. Undefined numbers are None, never NaN."""
        return {
            "format": "eventsim ladder",
            "version": 1,
            "verdict": self.verdict,
            "settings": dict(self.settings),
            "gap": self.gap.to_dict(),
            "effects": [effect.to_dict() for effect in self.effects],
            "rungs": [rung.to_dict() for rung in self.rungs],
            "provenance": dict(self.provenance),
        }

    def __repr__(self) -> str:
        names = ", ".join(rung.name for rung in self.rungs)
        return f"LadderReport({self.settings['samples']} samples; {names})"


def _plain(item: Any) -> Any:
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return dataclasses.asdict(item)
    return [_plain(entry) for entry in item] if isinstance(item, tuple) else item
