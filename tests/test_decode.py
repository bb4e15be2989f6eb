"""Counts, classes, ties and the confusion matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from eventsim import decode
from eventsim.errors import InvalidType, InvalidValue

counts = hnp.arrays(
    np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.integers(0, 3)
)
labelled = st.integers(1, 30).flatmap(
    lambda n: st.tuples(*[hnp.arrays(np.int64, n, elements=st.integers(0, 4))] * 2)
)


@given(counts)
def test_ties_go_to_the_lowest_index(array):
    for row, winner, tie, quiet in zip(
        array.tolist(), decode.classes(array), decode.ties(array), decode.silent(array),
        strict=True,
    ):  # fmt: skip
        best = [j for j, value in enumerate(row) if value == max(row)]
        assert winner == best[0]
        assert tie == (len(best) > 1)
        assert quiet == (sum(row) == 0)


@given(labelled)
def test_confusion_and_accuracy_agree_with_sklearn(pair):
    labels, predicted = pair
    expected = metrics.confusion_matrix(labels, predicted, labels=range(5))
    matrix = decode.confusion_matrix(labels, predicted, 5)
    np.testing.assert_array_equal(matrix, expected)
    assert decode.accuracy(labels, predicted) == metrics.accuracy_score(labels, predicted)
    smallest = decode.confusion_matrix(labels, predicted)
    size = 1 + max(labels.max(), predicted.max())
    np.testing.assert_array_equal(smallest, expected[:size, :size])


def test_count_does_not_overflow_small_integers():
    assert decode.count(np.ones((1, 300, 1), dtype=np.uint8))[0, 0] == 300


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: decode.count(np.ones((2, 3))), InvalidType, "integers"),
        (lambda: decode.count(np.ones((2, 3), dtype=int)), InvalidValue, "shape"),
        (lambda: decode.count(-np.ones((2, 3, 4), dtype=int)), InvalidValue, "spikes"),
        (lambda: decode.classes([1, 2]), InvalidValue, "shape"),
        (lambda: decode.classes(np.zeros((2, 0))), InvalidValue, "shape"),
        (lambda: decode.ties([[1.0, np.nan]]), InvalidValue, "finite"),
        (lambda: decode.silent([["a"]]), InvalidType, "numbers"),
        (lambda: decode.accuracy([], []), InvalidValue, "at least one"),
        (lambda: decode.accuracy([1], [1, 2]), InvalidValue, "predicted"),
        (lambda: decode.accuracy([0.5], [1]), InvalidType, "labels"),
        (lambda: decode.confusion_matrix([0, 3], [0, 1], 3), InvalidValue, "n_classes"),
        (lambda: decode.confusion_matrix([0], [0], "3"), InvalidType, "n_classes"),
        (lambda: decode.confusion_matrix([-1], [0]), InvalidValue, "labels"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
