"""What a comparison returns: numbers first, then words and files made from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eventsim.fidelity import words
from eventsim.fidelity.metrics import ClassRow, Difference, McNemar, Share
from eventsim.save.report import JsonReport

if TYPE_CHECKING:
    from eventsim.fidelity.closeup import CloseUp
    from eventsim.fidelity.histograms import Histograms
    from eventsim.fidelity.ladder import LadderReport
    from eventsim.fidelity.sweep.report import SweepReport

__all__ = ["Disagreement", "FidelityReport", "Layer", "Run", "Variant"]


@dataclass(frozen=True)
class Layer:
    """Activity of one layer in a variant, all samples and runs together.

    Attributes
    ----------
    name, n : str, int
        Population and its number of units.
    spikes : float
        Mean number of spikes of the whole layer in a presentation.
    rate : float
        Mean rate of a unit in spikes per second.
    silent, saturated : float
        Share of units (for each sample) without a spike; with as many as there are steps, or more.
    isi_mean, isi_cv : float or None
        Mean in seconds, and coefficient of variation, of the interspike intervals of all units,
        in the first run. None where no unit spiked twice.
    isi_n : int
        Number of these intervals.
    bias, mae, correlation : float or None
        Counts against those of the coarse run: mean difference and mean absolute difference in
        spikes for each unit, and Pearson's r. None for the coarse run itself, and r also where
        one side has equal counts everywhere.
    """

    name: str
    n: int
    spikes: float
    rate: float
    silent: float
    saturated: float
    isi_mean: float | None
    isi_cv: float | None
    isi_n: int
    bias: float | None = None
    mae: float | None = None
    correlation: float | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """One pass over all samples: one draw of the input, or one placement of its spikes.

    Attributes
    ----------
    accuracy : Share
        Samples whose class is their label.
    agreement : Share or None
        Samples whose class is that of the coarse run; None for the coarse run itself.
    ties : Share
        Samples whose largest output count, or highest potential, is shared.
    silent : Share or None
        Samples without any output spike; None for an output that does not spike.
    expected_accuracy : float
        Accuracy if ties were broken by lot.
    counts : array of int64 or float64 [sample, class]
        Spike counts of the output, or what its potentials give, for each class.
    classes : array of int64 [sample]
        Class of each sample.
    """

    accuracy: Share
    agreement: Share | None
    ties: Share
    silent: Share | None
    expected_accuracy: float
    counts: NDArray[Any] = field(repr=False)
    classes: NDArray[np.int64] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only; the counts are left out."""
        return {
            "accuracy": dataclasses.asdict(self.accuracy),
            "agreement": dataclasses.asdict(self.agreement) if self.agreement else None,
            "ties": dataclasses.asdict(self.ties),
            "silent": _plain(self.silent),
            "expected_accuracy": self.expected_accuracy,
        }


@dataclass(frozen=True, eq=False)
class Variant:
    """One way to run the network on the samples.

    Attributes
    ----------
    name, kind : str
        Name in tables; ``"coarse"``, ``"second draw"`` or ``"continuous"``.
    spread : float or None
        Pulse width in seconds of a continuous variant, 0 for deltas.
    runs : tuple of Run
        One for each draw of the input, or each placement of its spikes.
    layers : tuple of Layer
        From input to output; the Input itself, and an output without spikes, are left out.
    classes : tuple of ClassRow
        Per class, for the first run, with the coarse run as reference.
    change : Difference or None
        Accuracy minus that of the coarse run on the same samples, mean over the runs.
    mcnemar : McNemar or None
        Test of the same for the first run.
    beyond_noise : Difference or None
        Share of samples whose class is not the coarse one, minus the share that a second draw of
        the input changes. None for the coarse run and for the second draw, and where the encoder
        draws nothing.
    events : int
        Synaptic arrivals in all runs; 0 for the coarse model.
    """

    name: str
    kind: str
    spread: float | None
    runs: tuple[Run, ...]
    layers: tuple[Layer, ...]
    classes: tuple[ClassRow, ...]
    change: Difference | None = None
    mcnemar: McNemar | None = None
    beyond_noise: Difference | None = None
    events: int = 0

    @property
    def accuracy(self) -> Share:
        """Accuracy of the first run."""
        return self.runs[0].accuracy

    @property
    def agreement(self) -> Share | None:
        """Agreement of the first run with the coarse one."""
        return self.runs[0].agreement

    def over_runs(self, name: str) -> tuple[float, float, float] | None:
        """Mean, least and largest ``"accuracy"``, ``"agreement"`` or ``"ties"`` of all runs."""
        shares = [getattr(run, name) for run in self.runs]
        values = [share.value for share in shares if share is not None]
        return (sum(values) / len(values), min(values), max(values)) if values else None

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        over = {name: self.over_runs(name) for name in ("accuracy", "agreement", "ties")}
        return {
            "name": self.name,
            "kind": self.kind,
            "spread": self.spread,
            "runs": [run.to_dict() for run in self.runs],
            "over_runs": {
                name: dict(zip(("mean", "least", "largest"), values, strict=True))
                for name, values in over.items()
                if values is not None
            },
            "change": _plain(self.change),
            "mcnemar": _plain(self.mcnemar),
            "beyond_noise": _plain(self.beyond_noise),
            "layers": [dataclasses.asdict(layer) for layer in self.layers],
            "classes": [dataclasses.asdict(row) for row in self.classes],
            "events": self.events,
        }


@dataclass(frozen=True)
class Disagreement:
    """A sample to which the two models give different classes.

    ``margin`` is in spikes: by how many the coarse class leads in the coarse run, plus by how
    many the continuous class leads in the continuous one. 0: a tie, and the tie rule, decided
    in both. Where potentials decide, it and the counts are in their unit.
    """

    sample: int
    label: int
    coarse: int
    continuous: int
    margin: float
    coarse_counts: tuple[float, ...]
    continuous_counts: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            **dataclasses.asdict(self),
            "coarse_counts": list(self.coarse_counts),
            "continuous_counts": list(self.continuous_counts),
        }


@dataclass(frozen=True, eq=False)
class FidelityReport(JsonReport):
    """Comparison of a continuous network with the coarse one, on the same input spikes.

    Attributes
    ----------
    coarse : Variant
        The discrete twin, the reference of all agreement.
    second_draw : Variant or None
        The twin on further draws of the input, the yardstick of agreement. None where the encoder
        draws nothing.
    continuous : tuple of Variant
        Exact runs, one variant for each pulse width; the verdict is about the first.
    disagreements : tuple of Disagreement
        Samples to which the first continuous variant gives another class, largest margin first.
    settings, assumptions, provenance
        What was run; what the coarse model takes for granted as rows (name, value, why); software,
        network and data.
    histograms : mapping of str to Histograms
        Variant name -> distributions of intervals, counts and times of spikes in its first run.
    ladder, time_steps : LadderReport, SweepReport, or None
        What the gap consists of, and clock-driven runs of the same network, where asked for.
    closeups : tuple of CloseUp
        Disagreeing samples spike by spike, where asked for.
    timing : mapping of str to float
        Variant name -> measured seconds of what ran in this process, compilation included; not
        written to files, where all is reproducible.

    Examples
    --------
    >>> import numpy as np
    >>> from eventsim import Dense, Discretization, Input, Network, Population, validate
    >>> net = Network([Input("image", 2), Population("out", 2, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("image", "out", [[1.2, 0.0], [0.0, 1.2]])])
    >>> images = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> report = validate(net, Discretization(dt=1e-3, steps=8), images, [0, 1])
    >>> report.continuous[0].agreement.value
    1.0
    """

    coarse: Variant
    second_draw: Variant | None
    continuous: tuple[Variant, ...]
    disagreements: tuple[Disagreement, ...]
    settings: Mapping[str, Any]
    assumptions: tuple[tuple[str, str, str], ...]
    provenance: Mapping[str, Any]
    timing: Mapping[str, float] = field(default_factory=dict)
    pictures: Mapping[int, NDArray[Any]] = field(default_factory=dict, repr=False)
    histograms: Mapping[str, Histograms] = field(default_factory=dict, repr=False)
    ladder: LadderReport | None = None
    time_steps: SweepReport | None = None
    closeups: tuple[CloseUp, ...] = field(default=(), repr=False)

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Coarse, second draw, and the continuous ones."""
        second = (self.second_draw,) if self.second_draw else ()
        return (self.coarse, *second, *self.continuous)

    @property
    def verdict(self) -> str:
        """What transfer costs, against the noise of the input, in words."""
        return words.verdict(self)

    def summary(self) -> str:
        """Verdict and tables as plain text, 100 columns wide or less."""
        return words.summary(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as for JSON. Undefined numbers are None, never NaN."""
        return {
            "format": "eventsim fidelity report",
            "version": 1,
            "verdict": self.verdict,
            "settings": dict(self.settings),
            "variants": [variant.to_dict() for variant in self.variants],
            "disagreements": [item.to_dict() for item in self.disagreements],
            "histograms": {name: found.to_dict() for name, found in self.histograms.items()},
            "ladder": None if self.ladder is None else self.ladder.to_dict(),
            "time_steps": None if self.time_steps is None else self.time_steps.to_dict(),
            "assumptions": [list(row) for row in self.assumptions],
            "provenance": dict(self.provenance),
        }

    def to_html(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the report as one HTML file that needs no network; see :mod:`eventsim.report`.

        Raises
        ------
        FileError
            The file exists (unless ``overwrite``), or cannot be written.
        """
        from eventsim.report import write_html

        return write_html(self, path, overwrite=overwrite)

    def __repr__(self) -> str:
        names = ", ".join(variant.name for variant in self.variants)
        return f"FidelityReport({self.settings['samples']} samples; {names})"


def _plain(item: Any) -> dict[str, Any] | None:
    return dataclasses.asdict(item) if item is not None else None
