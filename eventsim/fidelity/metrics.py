"""All metrics in one place: from records to numbers, and what two models have in common.

Pure functions of spike trains, counts and classes. None of them returns NaN: where data are
missing, or a quotient has no value, the result is None, and the function says when. (The one
exception is :func:`per_neuron`, whose array has NaN there.) Times are in seconds. Intervals of
confidence cover 95 % unless told otherwise.

:data:`METRICS` names each metric with its unit and source. A new metric is a function in the
module of its idea, and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from eventsim.fidelity.activity import (
    CountSums,
    cosine_similarity,
    count_bias,
    count_correlation,
    count_mae,
    fanofactor,
    rate,
    saturated_share,
    silent_share,
)
from eventsim.fidelity.correlation import (
    CrossCorrelogram,
    correlation_coefficient,
    cross_correlation_histogram,
    latency,
)
from eventsim.fidelity.decisions import (
    ClassRow,
    accuracy,
    agreement,
    expected_accuracy,
    margins,
    per_class,
    tie_share,
)
from eventsim.fidelity.distances import van_rossum_distance, victor_purpura_distance
from eventsim.fidelity.distributions import (
    KolmogorovSmirnov,
    first_spike_times,
    kolmogorov_smirnov,
    wasserstein_distance,
)
from eventsim.fidelity.intervals import Moments, cv, cv2, isi, isi_distribution, lv
from eventsim.fidelity.matching import Matches, coincidence_f1, match_spikes, time_error
from eventsim.fidelity.profiles import isi_distance, spike_distance
from eventsim.fidelity.shares import (
    LEVEL,
    Difference,
    McNemar,
    Share,
    mcnemar,
    mean_share,
    paired_difference,
    share,
)
from eventsim.fidelity.trains import per_neuron

__all__ = [
    "LEVEL",
    "METRICS",
    "ClassRow",
    "CountSums",
    "CrossCorrelogram",
    "Difference",
    "KolmogorovSmirnov",
    "Matches",
    "McNemar",
    "Metric",
    "Moments",
    "Share",
    "accuracy",
    "agreement",
    "coincidence_f1",
    "correlation_coefficient",
    "cosine_similarity",
    "count_bias",
    "count_correlation",
    "count_mae",
    "cross_correlation_histogram",
    "cv",
    "cv2",
    "expected_accuracy",
    "fanofactor",
    "first_spike_times",
    "isi",
    "isi_distance",
    "isi_distribution",
    "kolmogorov_smirnov",
    "latency",
    "lv",
    "margins",
    "match_spikes",
    "mcnemar",
    "mean_share",
    "paired_difference",
    "per_class",
    "per_neuron",
    "rate",
    "saturated_share",
    "share",
    "silent_share",
    "spike_distance",
    "tie_share",
    "time_error",
    "van_rossum_distance",
    "victor_purpura_distance",
    "wasserstein_distance",
]


@dataclass(frozen=True)
class Metric:
    """What there is to know of a metric before it is called.

    Attributes
    ----------
    function : callable
        The metric.
    takes : str
        Its first arguments: ``"classes"``, ``"counts"``, ``"intervals"`` or ``"trains"``.
    unit : str
        Unit of the result; ``"1"`` for a pure number.
    identical : float or None
        The result for two records that are the same; None for a metric of one record.
    source : str
        Where it is defined.
    """

    function: Callable[..., Any]
    takes: str
    unit: str
    identical: float | None
    source: str

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.function.__name__


_TABLE = (
    Metric(accuracy, "classes", "1", None, "interval: Wilson 1927"),
    Metric(agreement, "classes", "1", 1.0, "interval: Wilson 1927"),
    Metric(expected_accuracy, "counts", "1", None, "definition"),
    Metric(tie_share, "counts", "1", None, "definition"),
    Metric(margins, "counts", "spikes", None, "definition"),
    Metric(mcnemar, "classes", "1", 1.0, "McNemar 1947"),
    Metric(paired_difference, "classes", "1", 0.0, "Agresti and Min 2005"),
    Metric(rate, "counts", "1/s", None, "definition"),
    Metric(silent_share, "counts", "1", None, "definition"),
    Metric(saturated_share, "counts", "1", None, "definition"),
    Metric(fanofactor, "counts", "spikes", None, "Fano 1947"),
    Metric(count_bias, "counts", "spikes", 0.0, "definition"),
    Metric(count_mae, "counts", "spikes", 0.0, "definition"),
    Metric(count_correlation, "counts", "1", 1.0, "definition"),
    Metric(cosine_similarity, "counts", "1", 1.0, "Salton and McGill 1983"),
    Metric(isi, "trains", "s", None, "definition"),
    Metric(isi_distribution, "intervals", "1/s", None, "definition"),
    Metric(cv, "intervals", "1", None, "Cox and Lewis 1966"),
    Metric(cv2, "intervals", "1", None, "Holt et al. 1996"),
    Metric(lv, "intervals", "1", None, "Shinomoto et al. 2003"),
    Metric(kolmogorov_smirnov, "intervals", "1", 0.0, "Smirnov 1948"),
    Metric(wasserstein_distance, "intervals", "s", 0.0, "Vaserstein 1969"),
    Metric(first_spike_times, "trains", "s", None, "definition"),
    Metric(correlation_coefficient, "trains", "1", 1.0, "Perkel et al. 1967"),
    Metric(cross_correlation_histogram, "trains", "pairs", None, "Perkel et al. 1967"),
    Metric(latency, "trains", "s", 0.0, "Perkel et al. 1967"),
    Metric(coincidence_f1, "trains", "1", 1.0, "van Rijsbergen 1979"),
    Metric(time_error, "trains", "s", 0.0, "definition"),
    Metric(victor_purpura_distance, "trains", "spikes", 0.0, "Victor and Purpura 1996"),
    Metric(van_rossum_distance, "trains", "1", 0.0, "van Rossum 2001"),
    Metric(isi_distance, "trains", "1", 0.0, "Kreuz et al. 2007"),
    Metric(spike_distance, "trains", "1", 0.0, "Kreuz et al. 2013"),
)

#: Each metric by its name.
#:
#: :meta hide-value:
METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _TABLE})
