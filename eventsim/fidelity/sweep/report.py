"""What a sweep returns: a point for each value, and its table."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventsim.fidelity import words
from eventsim.fidelity.ladder import Rung
from eventsim.fidelity.metrics import Share, mean_share
from eventsim.save.report import JsonReport

__all__ = ["Point", "SweepReport"]


@dataclass(frozen=True)
class Point:
    """The continuous network with one value of what varies.

    Attributes
    ----------
    label : str
        The value, behind the name of the series if there are several: ``"forward Euler, 0.1"``.
    rung : Rung
        Its numbers. ``change`` is against the coarse network, but for remedies against deltas.
    coarse, second_draw : Rung, Rung or None
        The coarse network on the same input, and on another draw of it.
    errors : mapping or None
        Of a clock-driven run, for each layer: share of the exact spikes found again, median and
        95th percentile of their time errors in seconds, mean absolute error and bias of counts.
    as_exact : tuple of Share or None
        Of a clock-driven run, for each run: samples with the class of the exact one.
    """

    label: str
    rung: Rung
    coarse: Rung
    second_draw: Rung | None
    errors: Mapping[str, Mapping[str, float | None]] | None = None
    as_exact: tuple[Share, ...] | None = None

    @property
    def series(self) -> str:
        """Name of the series, empty where there is one."""
        return self.label.rpartition(", ")[0]

    @property
    def value(self) -> Any:
        """The number, or the name."""
        text = self.label.rpartition(", ")[2]
        try:
            return float(text)
        except ValueError:
            return self.label

    @property
    def accuracy(self) -> Share:
        """Mean over the runs, with the Wilson interval of one run."""
        return mean_share(self.rung.accuracy)

    @property
    def agreement(self) -> Share:
        """Share with the class of the coarse run, likewise."""
        assert self.rung.agreement is not None
        return mean_share(self.rung.agreement)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "label": self.label,
            "series": self.series,
            "value": self.value,
            "accuracy": dataclasses.asdict(self.accuracy),
            "agreement": dataclasses.asdict(self.agreement),
            "rung": self.rung.to_dict(),
            "coarse": self.coarse.to_dict(),
            "second_draw": None if self.second_draw is None else self.second_draw.to_dict(),
            "errors": self.errors,
            "as_exact": None
            if self.as_exact is None
            else [dataclasses.asdict(share) for share in self.as_exact],
        }


@dataclass(frozen=True)
class SweepReport(JsonReport):
    """One property of the continuous network over a range of values.

    Attributes
    ----------
    name, title, xlabel : str
        Name of the sweep, what it asks, the property with its unit.
    categories, log : bool
        Whether values are names; whether an axis of them is logarithmic.
    points : tuple of Point
        In order of their values. In a sweep of the time step the first one is the exact run.
    settings, provenance : mapping
        What was run; software, network and data.
    """

    name: str
    title: str
    xlabel: str
    categories: bool
    log: bool
    points: tuple[Point, ...]
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]

    def __getitem__(self, label: str) -> Point:
        for point in self.points:
            if point.label == label:
                return point
        raise KeyError(f"{label!r} is none of {[point.label for point in self.points]}")

    @property
    def verdict(self) -> str:
        """The best value and the worst, in a sentence."""
        if self.name == "time-step":
            return self._clock_verdict()
        best = max(self.points, key=lambda p: p.rung.mean("accuracy") or 0.0)
        worst = min(self.points, key=lambda p: p.rung.mean("accuracy") or 0.0)
        if best.rung.mean("accuracy") == worst.rung.mean("accuracy"):
            return f"Accuracy is the same throughout: {_percent(best)}."
        what = "" if self.categories else f" at a {self.xlabel.partition(' (')[0]} of"
        if self.categories:
            return (
                f"Most accurate is {best.label!r} with {_percent(best)}, least {worst.label!r} "
                f"with {_percent(worst)}."
            )
        return (
            f"Accuracy is highest,{what} {best.label}: {_percent(best)}, and lowest,{what} "
            f"{worst.label}: {_percent(worst)}."
        )

    def _clock_verdict(self) -> str:
        """The largest step of each method that gives the exact classes nearly always."""
        parts = []
        for series in dict.fromkeys(point.series for point in self.points if point.series):
            fine = [
                p for p in self.points if p.series == series and (_least(p.as_exact) or 0) >= 0.99
            ]
            largest = max(fine, key=lambda p: p.value, default=None)
            parts.append(
                f"{series} gives no class of 99 % of the images as the exact simulation does, at "
                "any of these steps"
                if largest is None
                else f"{series} gives 99 % of the images the exact class from a time step of "
                f"{largest.value:g} training steps down"
            )
        text = "; ".join(parts)
        return f"{text[0].upper()}{text[1:]}."

    def summary(self) -> str:
        """Verdict and table as plain text, about 100 columns wide."""
        s = self.settings
        head = (
            f"{s['samples']} images, {s['steps']} steps of {1e3 * s['dt']:g} ms, encoder "
            f"{s['encoder']}, {s['jitter_seeds']} placement{'s' * (s['jitter_seeds'] > 1)} of the "
            f"spikes within their steps, seed {s['seed']}, {s['synapse']} where nothing else is "
            "said."
        )
        head = " ".join([head, *s["notes"]])
        parts = [
            f"{self.title}\n{textwrap.fill(self.verdict, words.WIDTH)}",
            textwrap.fill(head, words.WIDTH),
            words.table(self._rows()),
        ]
        if any(point.errors for point in self.points):
            parts.append(words.table(self._error_rows()))
        parts.append(self._legend())
        return "\n\n".join(parts)

    def _rows(self) -> list[tuple[str, ...]]:
        layers = [layer.name for layer in self.points[0].rung.layers]
        rows: list[tuple[str, ...]] = [(
            self.xlabel, "accuracy, %", "change, points", "class as coarse, %",
            "ties, %", *(f"{name}, 1/s" for name in layers),
        )]  # fmt: skip
        before = None
        for point in self.points:
            if point.coarse is not before:
                before = point.coarse
                rows += [self._row(r.name, r) for r in (point.coarse, point.second_draw) if r]
            rows.append(self._row(point.label, point.rung))
        return rows

    @staticmethod
    def _row(label: str, rung: Rung) -> tuple[str, ...]:
        return (
            label,
            words.share_text(mean_share(rung.accuracy)),
            words.change_text(rung.change),
            words.share_text(mean_share(rung.agreement)) if rung.agreement else "-",
            words.number(rung.mean("ties"), ".1f", 100),
            *(f"{layer.rate:.4g}" for layer in rung.layers),
        )

    def _error_rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [(
            "against the exact run", "class, %", "layer", "spikes found, %", "median, us",
            "95 %, us", "count error", "bias",
        )]  # fmt: skip
        for point in self.points:
            share = f"{100 * (_least(point.as_exact) or 0.0):.1f}"
            for k, (name, values) in enumerate((point.errors or {}).items()):
                rows.append((
                    point.label if k == 0 else "",
                    share if k == 0 else "",
                    name,
                    words.number(values["matched"], ".1f", 100),
                    words.number(values["time_error_median"], ".3g", 1e6),
                    words.number(values["time_error_p95"], ".3g", 1e6),
                    words.number(values["count_error"], ".4f"),
                    words.number(values["count_bias"], "+z.4f"),
                ))  # fmt: skip
        return rows

    def _legend(self) -> str:
        against = "coarse, and of remedies against deltas" if self.name == "remedies" else "coarse"
        text = (
            "Accuracy, class: means over the placements; brackets: 95 % intervals of one. Change: "
            f"on the same images, against {against}, with its 95 % interval. Ties go to the "
            "lowest index."
        )
        if any(point.errors for point in self.points):
            text += (
                " Spikes found: share of the exact run's spikes that have one of the same neuron "
                "within half a step; median and 95 %: their distance. Count error: mean absolute "
                "difference of the spikes of a neuron and image."
            )
        return textwrap.fill(text, words.WIDTH)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as for JSON. Undefined numbers are None, never NaN."""
        return {
            "format": "eventsim sweep",
            "version": 1,
            "name": self.name,
            "title": self.title,
            "xlabel": self.xlabel,
            "verdict": self.verdict,
            "settings": dict(self.settings),
            "points": [point.to_dict() for point in self.points],
            "provenance": dict(self.provenance),
        }

    def __repr__(self) -> str:
        return f"SweepReport({self.name!r}, {len(self.points)} points)"


def _least(shares: tuple[Share, ...] | None) -> float | None:
    """The least of several runs."""
    return min((s.value for s in shares or () if s.value is not None), default=None)


def _percent(point: Point) -> str:
    return words.percent(point.rung.mean("accuracy"))
