"""Rates, counts against counts, and accuracies."""

from __future__ import annotations

import numpy as np
import pytest

from eventsim import plot
from eventsim.errors import InvalidValue
from tests.plot.figures import SIZES, drawn, run


def test_rates_are_spikes_per_neuron_and_second(tmp_path):
    result = run([784, 0, 20])
    ax = plot.rates(result, bins=4)
    steps = {patch.get_label(): patch.get_data() for patch in ax.patches}
    assert set(steps) == set(SIZES)
    values, edges, _ = steps["image"]
    np.testing.assert_allclose(edges, [0, 4, 8, 12, 16])
    assert values.sum() * 0.004 == pytest.approx(1.0)
    assert ax.get_ylabel() == "rate of a neuron (1/s)"
    drawn(ax, tmp_path)
    stopped = plot.rates(run([5, 5, 5], t_reached=0.004), bins=2)
    assert stopped.get_xlim() == (0.0, 4.0)
    with pytest.raises(InvalidValue, match="bins: expected an int >= 1, got 0"):
        plot.rates(result, bins=0)


def test_counts_scatter_counts_pairs(tmp_path):
    coarse = np.array([[0, 0, 1], [4, 2, 2]])
    continuous = np.array([[0, 0, 2], [4, 3, 2]])
    ax = plot.counts_scatter(coarse, continuous, labels=("coarse", "pulses"))
    (mesh,) = ax.collections
    cells = mesh.get_array().filled(0)
    assert cells.shape == (5, 5)
    assert cells[0, 0] == 2  # continuous upward, coarse to the right
    assert cells[2, 1] == cells[4, 4] == cells[3, 2] == cells[2, 2] == 1
    assert mesh.get_rasterized()
    assert ax.get_xlabel() == "spikes, coarse"
    assert ax.get_ylabel() == "spikes, pulses"
    r = np.corrcoef(coarse.ravel(), continuous.ravel())[0, 1]
    assert ax.get_title() == f"6 pairs, r = {r:.2f}, mean difference +0.33"
    drawn(ax, tmp_path)


@pytest.mark.parametrize(
    ("coarse", "continuous"),
    [
        (np.zeros(5), np.zeros(5)),
        (np.full(3, 2), np.array([1, 2, 3])),
        (np.array([0.25, 3.7]), np.array([0.5, 3.9])),
        (np.arange(1000), np.arange(1000) + 7),
    ],
)
def test_counts_scatter_loses_no_pair(coarse, continuous, tmp_path):
    ax = plot.counts_scatter(coarse, continuous)
    assert ax.collections[0].get_array().sum() == len(coarse)
    assert max(ax.collections[0].get_array().shape) <= 61
    drawn(ax, tmp_path)


@pytest.mark.parametrize(
    ("coarse", "continuous", "message"),
    [
        ([1, 2], [1], r"continuous: expected shape \(2,\) as coarse"),
        ([], [], "coarse: expected at least one count"),
        ([-1], [1], r"coarse\[0\]: expected a number >= 0"),
        ([1], [np.inf], r"continuous\[0\]: expected a finite number"),
    ],
)
def test_counts_scatter_refuses_bad_counts(coarse, continuous, message):
    with pytest.raises(InvalidValue, match=message):
        plot.counts_scatter(coarse, continuous)


def test_accuracy_bars(tmp_path):
    names = ["coarse", "continuous, pulses", "continuous, deltas"]
    ax = plot.accuracy_bars(
        names,
        [0.81, 1.0, 0.44],
        [0.77, 0.99, 0.4],
        [0.84, 1.0, 0.48],
        0.81,
        reference_label="coarse",
    )
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([81.0, 100.0, 44.0])
    assert [t.get_text() for t in ax.get_yticklabels()] == names
    assert ax.yaxis_inverted()
    assert [t.get_text() for t in ax.texts] == ["81.0", "100.0", "44.0"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["coarse: 81.0"]
    assert ax.get_xlabel() == "accuracy (%)"
    drawn(ax, tmp_path)


def test_accuracy_curve(tmp_path):
    ax = plot.accuracy_curve(
        [0.0, 0.5, 1.0],
        [0.44, 0.7, 0.8],
        [0.4, 0.66, 0.76],
        [0.48, 0.74, 0.83],
        0.81,
        xlabel="pulse width (refractory periods)",
    )
    assert list(ax.get_lines()[0].get_ydata()) == pytest.approx([44.0, 70.0, 80.0])
    assert ax.get_xlabel() == "pulse width (refractory periods)"
    assert ax.get_ylim() == (0.0, 100.0)
    drawn(ax, tmp_path)
    with pytest.raises(InvalidValue, match="x: expected ascending numbers"):
        plot.accuracy_curve([1, 1], [0.5] * 2, [0.4] * 2, [0.6] * 2, xlabel="width")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [], [], []), "names: expected at least one"),
        ((["a"], [0.5, 0.6], [0.4], [0.6]), r"values: expected 1 numbers, got shape \(2,\)"),
        ((["a"], [50.0], [40.0], [60.0]), r"values\[0\]: expected 0 <= low <= value <= high <= 1"),
        ((["a"], [0.5], [0.6], [0.7]), "low 0.6, value 0.5, high 0.7"),
        ((["a"], [np.nan], [0.6], [0.7]), r"values\[0\]: expected a finite number"),
        ((["a"], [0.5], [0.4], [0.7], 80.0), "reference: expected a share from 0 to 1, got 80"),
    ],
)
def test_accuracy_bars_refuses_bad_shares(arguments, message):
    with pytest.raises(InvalidValue, match=message):
        plot.accuracy_bars(*arguments)
