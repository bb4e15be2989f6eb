"""Metrics of classes, counts and intervals against closed forms and obvious formulas."""

from __future__ import annotations

import ast
import inspect
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import eventsim as es
from eventsim import decode, fidelity
from eventsim.errors import InvalidType, InvalidValue
from eventsim.fidelity import metrics

ROOT = Path(__file__).resolve().parent.parent
MODULES = [
    "activity", "correlation", "decisions", "distances", "distributions", "intervals", "matching",
    "profiles", "shares", "trains",
]  # fmt: skip

lengths = st.lists(st.one_of(st.floats(0, 10), st.sampled_from([0.0, 1.0, 2.0])), max_size=20)
table = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 4), min_size=n, max_size=n), min_size=1, max_size=9)
)


def public(module: str) -> set[str]:
    """Functions and classes that a module offers to users."""
    tree = ast.parse((ROOT / f"eventsim/fidelity/{module}.py").read_text(encoding="utf-8"))
    helpers = {
        "two_samples", "both_trains", "by_neuron", "match_grouped", "spike_times", "within",
        "Grouped",
    }  # fmt: skip
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    } - helpers


class TestThePlaceOfMetrics:
    def test_every_public_name_is_found_in_metrics(self):
        names = set().union(*map(public, MODULES)) | {"LEVEL", "METRICS", "Metric"}
        assert names == set(metrics.__all__)
        assert all(hasattr(metrics, name) for name in names)
        assert fidelity.metrics is metrics

    def test_the_table_holds_every_metric(self):
        helpers = {"share", "mean_share", "match_spikes", "per_neuron", "per_class"}
        functions = {name for name in metrics.__all__ if inspect.isfunction(getattr(metrics, name))}
        assert set(metrics.METRICS) == functions - helpers
        assert {m.takes for m in metrics.METRICS.values()} == {
            "classes", "counts", "intervals", "trains",
        }  # fmt: skip

    @pytest.mark.parametrize("name", metrics.METRICS)
    def test_docstrings_are_complete(self, name):
        text = inspect.getdoc(metrics.METRICS[name].function)
        for section in ("Parameters", "Returns", "Raises", "Examples"):
            assert f"{section}\n---" in text or (section == "Raises" and "share" in name), section
        source = metrics.METRICS[name].source
        if (year := re.search(r"\d{4}", source)) and not source.startswith("interval"):
            assert year[0] in text

    def test_the_page_has_a_row_for_each_with_unit_and_source(self):
        page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
        rows = dict(
            re.findall(
                r"^\| \{py:func\}`~eventsim\.fidelity\.metrics\.(\w+)` \|(.*)\|$", page, re.M
            )
        )
        assert list(rows) == list(metrics.METRICS)
        for name, row in rows.items():
            assert [cell.strip() for cell in row.split(" | ")][1:] == [
                metrics.METRICS[name].unit,
                metrics.METRICS[name].source,
            ]


class TestClasses:
    @given(table)
    def test_margins(self, rows):
        counts = np.array(rows)
        samples, n = counts.shape
        if n == 1:
            with pytest.raises(InvalidValue, match="two output neurons"):
                metrics.margins(counts)
            return
        ordered = np.sort(counts, axis=1)
        found = metrics.margins(counts)
        assert found.dtype == np.int64
        assert found.tolist() == (ordered[:, -1] - ordered[:, -2]).tolist()
        assert ((found == 0) == decode.ties(counts)).all()
        labels = np.arange(samples) % n
        naive = [row[k] - max(row[:k] + row[k + 1 :]) for row, k in zip(rows, labels, strict=True)]
        assert metrics.margins(counts, labels).tolist() == naive
        wrong = decode.classes(counts) != labels
        assert (metrics.margins(counts, labels)[wrong] <= 0).all()
        assert (metrics.margins(counts, labels)[~wrong] >= 0).all()
        both = metrics.margins(counts, labels, np.zeros(samples, dtype=int))
        assert both.tolist() == [row[k] - row[0] for row, k in zip(rows, labels, strict=True)]

    def test_margins_of_scores_and_of_nothing(self):
        assert metrics.margins([[0.5, 0.125]]).tolist() == [0.375]
        assert metrics.margins(np.zeros((0, 3), dtype=int)).tolist() == []

    def test_the_tie_rule_is_the_lowest_index(self):
        counts = [[2, 2, 0], [0, 1, 1], [0, 0, 0]]
        classes = decode.classes(counts)
        assert classes.tolist() == [0, 1, 0]
        assert metrics.tie_share(counts).value == 1.0
        assert metrics.accuracy([1, 1, 1], classes).value == pytest.approx(1 / 3)
        assert metrics.expected_accuracy([1, 1, 1], counts) == pytest.approx(
            (1 / 2 + 1 / 2 + 1 / 3) / 3
        )

    def test_neurons_that_do_not_exist_are_refused(self):
        with pytest.raises(InvalidValue, match=r"expected_accuracy: labels\[1\].*below 2"):
            metrics.expected_accuracy([0, 2], [[1, 2], [3, 4]])
        with pytest.raises(InvalidValue, match=r"margins: chosen\[0\].*-1"):
            metrics.margins([[1, 2]], [-1])
        with pytest.raises(InvalidValue, match="margins: other: expected 1"):
            metrics.margins([[1, 2]], [0], [1, 1])
        for call in metrics.margins, lambda counts: metrics.expected_accuracy([0], counts):
            with pytest.raises(InvalidValue, match=r"counts: expected shape \[sample, n\]"):
                call([1, 2])
        with pytest.raises(InvalidType, match="margins: chosen"):
            metrics.margins([[1, 2]], [0.5])

    @pytest.mark.parametrize(("lost", "gained"), [(0, 0), (3, 3), (0, 9), (480, 520), (4800, 5300)])
    def test_mcnemar_with_few_and_many_samples(self, lost, gained):
        first = np.repeat([True, False], [lost, gained])
        found = metrics.mcnemar(first, ~first)
        oracle = stats.binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
        assert found.p_value == pytest.approx(oracle, rel=1e-9)


class TestCounts:
    @given(table)
    def test_fanofactor(self, rows):
        counts = np.array(rows)
        naive = [
            np.mean((c - np.mean(c)) ** 2) / np.mean(c) for c in counts.T.astype(float) if c.any()
        ]
        found = metrics.fanofactor(counts)
        assert found == (pytest.approx(np.mean(naive)) if naive else None)

    def test_fanofactor_of_a_poisson_process_is_one(self, rng):
        counts = rng.poisson(5.0, size=(2000, 50))
        assert metrics.fanofactor(counts) == pytest.approx(1.0, abs=0.02)
        assert metrics.fanofactor(np.full((10, 4), 3)) == 0.0

    def test_cosine_similarity_of_known_angles(self):
        assert metrics.cosine_similarity([1, 0], [0, 1]) == 0.0
        assert metrics.cosine_similarity([1, 1], [1, 0]) == pytest.approx(math.sqrt(0.5))
        assert metrics.cosine_similarity([[1, 2], [3, 0]], [[20, 10]]) == pytest.approx(1.0)
        assert metrics.cosine_similarity([1e-200, 0], [1e200, 0]) == 1.0

    @given(table, st.integers(1, 9))
    def test_cosine_similarity_does_not_see_scale(self, rows, scale):
        counts = np.array(rows)
        found = metrics.cosine_similarity(counts, scale * counts)
        assert found is None if not counts.any() else found == pytest.approx(1.0)

    def test_count_metrics_are_those_of_the_sums(self, rng):
        a, b = rng.integers(5, size=(2, 8, 9))
        sums = metrics.CountSums.of(a, b)
        assert metrics.count_bias(a, b) == sums.bias
        assert metrics.count_mae(a, b) == sums.mae
        assert metrics.count_correlation(a, b) == pytest.approx(
            stats.pearsonr(a.ravel(), b.ravel())[0]
        )

    def test_nothing_gives_none(self):
        assert metrics.fanofactor([]) is metrics.fanofactor(np.zeros((3, 4), dtype=int)) is None
        assert metrics.cosine_similarity([], []) is None
        assert metrics.cosine_similarity(np.zeros((0, 3)), np.ones((2, 3))) is None
        assert metrics.cosine_similarity([0, 0], [1, 0]) is None
        assert metrics.count_bias([], []) is metrics.count_mae([], []) is None
        assert metrics.count_correlation([1, 1], [0, 2]) is None

    def test_bad_counts_are_named(self):
        with pytest.raises(InvalidType, match="fanofactor: counts: expected integers"):
            metrics.fanofactor([0.5])
        with pytest.raises(InvalidValue, match=r"fanofactor: counts\[1\]"):
            metrics.fanofactor([1, -1])
        with pytest.raises(InvalidValue, match="one number"):
            metrics.fanofactor(3)
        with pytest.raises(InvalidValue, match="cosine_similarity: second: expected 2"):
            metrics.cosine_similarity([1, 2], [1, 2, 3])
        with pytest.raises(InvalidValue, match=r"first\[0, 1\].*finite"):
            metrics.cosine_similarity([[1, math.nan]], [1, 2])


class TestIntervals:
    @given(lengths)
    def test_cv2_and_lv_are_their_formulas(self, values):
        pairs = list(zip(values[:-1], values[1:], strict=True))
        if not pairs:
            assert metrics.cv2(values) is metrics.lv(values) is None
            return
        contrast = [abs(b - a) / (b + a) if a + b else 0.0 for a, b in pairs]
        assert metrics.cv2(values) == pytest.approx(2 * sum(contrast) / len(pairs))
        assert metrics.lv(values) == pytest.approx(3 * sum(c * c for c in contrast) / len(pairs))
        assert 0 <= metrics.cv2(values) <= 2 and 0 <= metrics.lv(values) <= 3

    def test_a_poisson_process_has_ones_and_a_regular_one_zeros(self, rng):
        for metric in (metrics.cv, metrics.cv2, metrics.lv):
            assert metric(rng.exponential(0.01, 40_000)) == pytest.approx(1.0, abs=0.03)
            assert metric([0.5] * 10) == 0.0
            assert metric([1, 2]) is not None

    def test_gamma_intervals_have_their_textbook_values(self, rng):
        """For gamma intervals of shape k: CV = k ** -0.5, LV = 3 / (2 k + 1)."""
        intervals = rng.gamma(4.0, 0.01, 40_000)
        assert metrics.cv(intervals) == pytest.approx(0.5, abs=0.01)
        assert metrics.lv(intervals) == pytest.approx(1 / 3, abs=0.01)

    def test_pairs_of_a_train_do_not_cross_neurons(self, rng):
        times, senders = np.sort(rng.uniform(size=80)), rng.integers(9, size=80)
        train = es.SpikeTrain(times, senders)
        per_neuron = [np.diff(times[senders == k]) for k in range(9)]
        for metric in (metrics.cv2, metrics.lv):
            parts = [(metric(p), max(p.size - 1, 0)) for p in per_neuron]
            mean = sum(v * n for v, n in parts if v is not None) / sum(n for _, n in parts)
            assert metric(train) == pytest.approx(mean)
        assert metrics.cv(train) == metrics.cv(metrics.isi(train))
        assert metrics.isi(times).tolist() == np.diff(times).tolist()
        empty = es.SpikeTrain([], [])
        assert metrics.cv(empty) is metrics.cv2(empty) is metrics.lv(empty) is None

    @given(lengths)
    def test_isi_distribution_is_a_density(self, values):
        edges = [0.0, 0.5, 2.0, 10.0]
        found = metrics.isi_distribution(values, edges)
        if values:
            oracle = np.histogram(values, edges, density=True)[0]
            assert found == pytest.approx(oracle)
            assert found @ np.diff(edges) == pytest.approx(1.0)
        else:
            assert not found.any()
        inside = sum(0.5 <= v <= 2 for v in values)
        partial = metrics.isi_distribution(values, [0.5, 2.0])
        assert partial[0] * 1.5 == pytest.approx(inside / max(len(values), 1))

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: metrics.cv([1.0, -1.0]), r"cv: intervals\[1\].*>= 0"),
            (lambda: metrics.cv2([math.inf]), r"cv2: intervals\[0\].*finite"),
            (lambda: metrics.isi([0.2, 0.1]), r"isi: train\[1\].*sorted"),
            (lambda: metrics.isi([[0.1]]), "isi: train: .*one-dimensional"),
            (lambda: metrics.isi_distribution([1], [0.0]), "edges: expected two"),
            (lambda: metrics.isi_distribution([1], [0.0, 1.0, 1.0]), r"edges\[2\]"),
            (lambda: metrics.isi_distribution([1], [0.0, math.nan]), r"edges\[1\]"),
        ],
    )
    def test_bad_intervals_are_named(self, call, words):
        with pytest.raises(InvalidValue, match=words):
            call()


values = st.lists(
    st.one_of(st.integers(0, 6).map(float), st.floats(0, 10)), min_size=1, max_size=15
)


class TestDistributions:
    @given(values, values)
    def test_both_are_areas_and_heights_between_the_shares(self, x, y):
        points = np.unique(x + y)
        f, g = (np.mean(np.array(s)[:, None] <= points, axis=0) for s in (x, y))
        found = metrics.kolmogorov_smirnov(x, y)
        assert found.statistic == pytest.approx(np.abs(f - g).max())
        assert 0 <= found.p_value <= 1
        area = np.abs(f - g)[:-1] @ np.diff(points)
        assert metrics.wasserstein_distance(x, y) == pytest.approx(area, abs=1e-12)

    @given(values, values, values)
    def test_both_are_metrics(self, x, y, z):
        for distance in (
            metrics.wasserstein_distance,
            lambda a, b: metrics.kolmogorov_smirnov(a, b).statistic,
        ):
            assert distance(x, x) == 0.0
            assert distance(x, y) == pytest.approx(distance(y, x), abs=1e-12)
            assert distance(x, z) <= distance(x, y) + distance(y, z) + 1e-9

    def test_wasserstein_of_a_shift_is_the_shift(self, rng):
        x = rng.uniform(size=50)
        assert metrics.wasserstein_distance(x, x + 0.25) == pytest.approx(0.25)

    def test_many_values_take_the_asymptotic_p_value_without_a_warning(self, rng):
        x, y = rng.uniform(size=1001), rng.uniform(size=997)
        found = metrics.kolmogorov_smirnov(x, y)
        assert found.p_value == pytest.approx(stats.ks_2samp(x, y, method="exact").pvalue, rel=0.1)

    def test_first_spikes(self, rng):
        times, senders = np.sort(rng.uniform(size=40)), rng.integers(20, size=40)
        expected = [times[senders == k].min() for k in range(20) if (senders == k).any()]
        assert metrics.first_spike_times(es.SpikeTrain(times, senders)).tolist() == expected
        assert metrics.first_spike_times(es.SpikeTrain([], [])).size == 0
        with pytest.raises(InvalidType, match="SpikeTrain"):
            metrics.first_spike_times([0.1])

    def test_nothing_gives_none(self):
        for x, y in ([], []), ([], [1.0]), ([1.0], []):
            assert metrics.kolmogorov_smirnov(x, y) == metrics.KolmogorovSmirnov(None, None)
            assert metrics.wasserstein_distance(x, y) is None
        with pytest.raises(InvalidValue, match=r"second\[1\].*finite"):
            metrics.wasserstein_distance([1.0], [1.0, math.nan])
