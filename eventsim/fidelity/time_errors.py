"""How far the spike times of a model are from those of another: sums over samples.

All of them are integers, so parts add up to the same whole however the samples were cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.errors import InvalidType
from eventsim.fidelity.matching import match_spikes
from eventsim.recording import SpikeTrain

__all__ = ["EDGES", "PER_DECADE", "TimeErrors"]

Index = NDArray[np.int64]

#: Bins of the absolute error for each factor of ten.
PER_DECADE = 20

#: Upper edges of these bins in seconds, from 1e-12 to 1: a bin holds its upper edge.
EDGES = checks.read_only(10.0 ** (np.arange(-12 * PER_DECADE, 1) / PER_DECADE))

#: Bins of the signed error, unless other ones are asked for.
SIGNED_BINS = 40


@dataclass(frozen=True, eq=False, repr=False)
class TimeErrors:
    """Spikes of two models matched one to one, neuron by neuron, and the errors of their times.

    Made with :meth:`of` from the spikes of one sample; sums with ``+``.

    Attributes
    ----------
    window : float
        Largest time difference of a match in seconds.
    edges : array of float64
        Edges of the bins of the signed error in seconds.
    n_reference, n_other, n_matched : int
        Spikes of the reference, of the other model, and pairs of them.
    magnitude : array of int64 [len(EDGES) + 2]
        Number of matches by absolute error: exactly 0; above 0 and up to ``EDGES[0]`` (1e-12 s);
        above ``EDGES[i - 1]`` and up to ``EDGES[i]``; above ``EDGES[-1]`` (1 s). There are 20 bins
        for each factor of ten.
    signed : array of int64 [len(edges) + 1]
        Number of matches by the time of the other model less that of the reference: below
        ``edges[0]``; from ``edges[i - 1]`` to below ``edges[i]``; ``edges[-1]`` and above.

    Examples
    --------
    >>> exact = SpikeTrain([0.0101, 0.0204, 0.0300], [0, 0, 1])
    >>> on_a_grid = SpikeTrain([0.011, 0.021], [0, 0])
    >>> errors = TimeErrors.of(exact, on_a_grid, n=2, window=1e-3)
    >>> errors
    TimeErrors(2 of 3 spikes matched within 0.001 s; median error 0.000630957 s)
    >>> whole = errors + errors
    >>> whole.n_matched, round(whole.matched_share, 3), whole.f1
    (4, 0.667, 0.8)
    """

    window: float
    edges: NDArray[np.float64]
    n_reference: int
    n_other: int
    n_matched: int
    magnitude: Index
    signed: Index

    @classmethod
    def of(
        cls,
        reference: SpikeTrain,
        other: SpikeTrain,
        n: int,
        window: float,
        edges: ArrayLike | None = None,
    ) -> TimeErrors:
        """Compare the spikes of one population in two models.

        Matches are those of :func:`~eventsim.fidelity.metrics.match_spikes`.

        Parameters
        ----------
        reference, other : SpikeTrain
            The same population in two models, for one sample.
        n : int
            Neurons of the population.
        window : float
            Largest time difference of a match in seconds, >= 0.
        edges : array of float, optional
            Edges of the bins of the signed error in seconds, ascending. Default: 40 equal bins
            from ``-window`` to ``window``.

        Returns
        -------
        TimeErrors

        Raises
        ------
        InvalidValue, InvalidType
            A sender that is no neuron, a negative window, edges that do not ascend.
        """
        where = "TimeErrors"
        n = checks.whole(where, "n", n, 0)
        for field, train in (("reference", reference), ("other", other)):
            if not isinstance(train, SpikeTrain):
                raise InvalidType(
                    f"{where}: {field}: expected a SpikeTrain, got {type(train).__name__}"
                )
            if len(train) and train.senders.max() >= n:
                raise checks.fail(where, field, f"senders below n = {n}", int(train.senders.max()))
        matches = match_spikes(reference, other, window=window)
        bounds = _edges(float(window), edges)
        size = np.abs(matches.errors)
        bins = np.where(size == 0.0, 0, 1 + np.searchsorted(EDGES, size, side="left"))
        signed = np.searchsorted(bounds, matches.errors, side="right")
        return cls(
            float(window),
            bounds,
            matches.total_first,
            matches.total_second,
            int(size.size),
            checks.read_only(np.bincount(bins, minlength=EDGES.size + 2)),
            checks.read_only(np.bincount(signed, minlength=bounds.size + 1)),
        )

    def __add__(self, more: TimeErrors) -> TimeErrors:
        """The sums over the samples of both."""
        if not isinstance(more, TimeErrors):
            return NotImplemented
        for field in ("window", "edges"):
            mine, theirs = getattr(self, field), getattr(more, field)
            if not np.array_equal(mine, theirs):
                raise checks.fail("TimeErrors", field, f"the same in both parts: {mine}", theirs)
        return TimeErrors(
            self.window,
            self.edges,
            self.n_reference + more.n_reference,
            self.n_other + more.n_other,
            self.n_matched + more.n_matched,
            checks.read_only(self.magnitude + more.magnitude),
            checks.read_only(self.signed + more.signed),
        )

    @property
    def matched_share(self) -> float | None:
        """Share of the reference's spikes that have a match; None where it has no spikes."""
        return self.n_matched / self.n_reference if self.n_reference else None

    @property
    def f1(self) -> float:
        """As :func:`~eventsim.fidelity.metrics.coincidence_f1`: 1 for two silent models."""
        total = self.n_reference + self.n_other
        return 2 * self.n_matched / total if total else 1.0

    def quantile(self, share: float) -> float | None:
        """An absolute error that this share of the matches keeps within, in seconds.

        The smallest upper edge of a bin that does. So it is not below the smallest error that
        holds for this share of the matches, and at most 12.2 % (:math:`10^{1/20}`) above it; an
        error below 1e-12 s counts as 1e-12 s, one of exactly 0 as 0, and one above 1 s as
        infinite.

        Parameters
        ----------
        share : float
            From 0 to 1: 0.5 for the median, 0.95 for what 95 % of the matches keep within.

        Returns
        -------
        float or None
            None without a match.
        """
        part = checks.scalar("TimeErrors", "share", share)
        if not 0 <= part <= 1:
            raise checks.fail("TimeErrors", "share", "a number from 0 to 1", part)
        if self.n_matched == 0:
            return None
        within = np.cumsum(self.magnitude)
        # Of ten matches, 0.3 are three: 0.3 * 10 may be above it by a rounding error.
        wanted = max(1, int(np.ceil(part * self.n_matched * (1 - 1e-12))))
        return float([0.0, *EDGES, np.inf][int(np.argmax(within >= wanted))])

    @property
    def median(self) -> float | None:
        """``quantile(0.5)``."""
        return self.quantile(0.5)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as for JSON."""
        return {
            "window": self.window,
            "edges": self.edges.tolist(),
            "n_reference": self.n_reference,
            "n_other": self.n_other,
            "n_matched": self.n_matched,
            "magnitude": self.magnitude.tolist(),
            "signed": self.signed.tolist(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TimeErrors:
        """What :meth:`to_dict` gave.

        Raises
        ------
        InvalidValue, InvalidType
            Sums that are missing, or do not fit each other.
        """
        where = "TimeErrors"
        names = set(cls.__dataclass_fields__)
        if set(checks.mapping(where, "values", values)) != names:
            raise checks.fail(where, "values", f"the entries {sorted(names)}", sorted(values))
        window = checks.scalar(where, "window", values["window"])
        bounds = _edges(window, values["edges"])
        reference, other, matched = (
            checks.whole(where, name, values[name], 0)
            for name in ("n_reference", "n_other", "n_matched")
        )
        histograms = []
        for name, size in (("magnitude", EDGES.size + 2), ("signed", bounds.size + 1)):
            counts = checks.index_array(where, name, values[name])
            if counts.size != size or counts.sum() != matched:
                expected = f"{size} bins that hold the {matched} matches"
                raise checks.fail(where, name, expected, f"{counts.size} with {counts.sum()}")
            histograms.append(counts)
        return cls(window, bounds, reference, other, matched, *histograms)

    def __repr__(self) -> str:
        typical = "" if self.median is None else f"; median error {self.median:g} s"
        return (
            f"TimeErrors({self.n_matched} of {self.n_reference} spikes matched within "
            f"{self.window:g} s{typical})"
        )


def _edges(window: float, edges: ArrayLike | None) -> NDArray[np.float64]:
    if edges is None:
        return checks.read_only(np.unique(np.linspace(-window, window, SIGNED_BINS + 1)))
    array = checks.real_array("TimeErrors", "edges", edges).astype(np.float64)
    checks.finite("TimeErrors", "edges", array)
    if array.ndim != 1 or (np.diff(array) <= 0).any():
        raise checks.fail("TimeErrors", "edges", "ascending numbers in one axis", array)
    return checks.read_only(array)
