"""The raster: what is drawn where, with which labels, and that nothing warns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import eventsim as es
from eventsim import plot
from eventsim.errors import InvalidType, InvalidValue
from eventsim.recording import Results
from tests.plot.figures import SIZES, drawn, run


def marks(ax):
    """Spikes drawn in each layer, and the format of its line."""
    found = {}
    for line in ax.get_lines():
        if line.get_label() in SIZES:
            y = line.get_ydata()
            count = len(y) if line.get_marker() == "," else np.isnan(y).sum()
            found[line.get_label()] = (int(count), line.get_marker(), line.get_rasterized())
    return found


def test_raster_draws_few_spikes_as_ticks(tmp_path):
    ax = plot.raster(run([500, 300, 20]))
    assert marks(ax) == {
        "image": (500, "None", True),
        "hidden": (300, "None", True),
        "out": (20, "None", True),
    }
    assert ax.get_xlabel() == "time (ms)"
    low, high = ax.get_xlim()
    assert -0.1 < low <= 0.0
    assert 16.0 <= high < 16.1
    assert [t.get_text() for t in ax.get_yticklabels()] == ["image", "hidden", "out"]
    assert list(ax.get_yticks()) == sorted(ax.get_yticks())
    drawn(ax, tmp_path)


def test_raster_puts_each_spike_at_its_time_and_neuron():
    result = run([0, 0, 0])
    train = es.SpikeTrain([1e-3, 2e-3, 2e-3], [9, 0, 3])
    result = dataclasses.replace(result, spikes={**result.spikes, "out": train})
    ax = plot.raster(result, populations=["out"])
    (line,) = (line for line in ax.get_lines() if line.get_label() == "out")
    x, y = (np.asarray(d).reshape(-1, 3) for d in line.get_data())
    np.testing.assert_allclose(x[:, 0], [1.0, 2.0, 2.0])
    np.testing.assert_allclose(y[:, :2].mean(axis=1), [0.95, 0.05, 0.35])
    assert (y[:, 0] < y[:, 1]).all()
    assert np.isnan(y[:, 2]).all()


def test_raster_draws_more_spikes_as_pixels_and_small_layers_as_ticks(tmp_path):
    ax = plot.raster(run([40_000, 20_000, 100]))
    assert marks(ax) == {
        "image": (40_000, ",", True),
        "hidden": (20_000, ",", True),
        "out": (100, "None", True),
    }
    drawn(ax, tmp_path)


@pytest.mark.parametrize(
    ("count", "kind"),
    [(50_000, "None"), (50_001, ","), (200_000, ","), (200_001, "image")],
)
def test_raster_changes_kind_at_the_documented_numbers(count, kind):
    ax = plot.raster(run([count, 0, 0]))
    if kind == "image":
        assert len(ax.get_images()) == 3
    else:
        assert not ax.get_images()
        assert marks(ax)["image"][1] == kind


def test_raster_density_holds_every_spike_as_a_rate(tmp_path):
    result = run([900, 400, 30])
    ax = plot.raster(result, max_ticks=10, max_pixels=100)
    assert [image.get_label() for image in ax.get_images()] == list(SIZES)
    assert not marks(ax)
    for image in ax.get_images():
        name = image.get_label()
        rates = image.get_array()
        n = result.network[name].n
        rows, columns = rates.shape
        neurons = np.bincount(np.arange(n) * rows // n)
        spikes = (rates * neurons[:, None]).sum() * 0.016 / columns
        assert spikes == pytest.approx(len(result.spikes[name]))
        assert image.get_extent()[:2] == pytest.approx([0.0, 16.0])
    assert len({id(image.norm) for image in ax.get_images()}) == 1
    assert ax.figure.axes[-1].get_ylabel() == "rate of a neuron (1/s)"
    drawn(ax, tmp_path)


def test_raster_gives_small_layers_a_readable_share():
    ax = plot.raster(run([5, 5, 5]))
    rules = [
        line.get_ydata()[0]
        for line in ax.get_lines()
        if len(line.get_ydata()) == 2 and line.get_ydata()[0] == line.get_ydata()[1]
    ]
    heights = np.diff([0.0, *sorted(rules), 1.0])
    assert len(heights) == 3
    assert heights[2] > 0.1
    assert heights[0] > heights[1] > heights[2]


def test_raster_writes_neuron_indices_on_the_right():
    ax = plot.raster(run([5, 5, 5]))
    (right,) = ax.child_axes
    texts = [t.get_text() for t in right.get_yticklabels()]
    assert texts.count("0") == 3
    assert {"783", "255", "9"} <= set(texts)
    assert (np.diff(right.get_yticks()) > 0).all()
    below = ax.get_xticklabels()[0].get_fontproperties()
    assert all(t.get_fontproperties() == below for t in right.get_yticklabels())


def test_raster_layers_have_their_own_colours():
    ax = plot.raster(run([5, 5, 5]))
    lines = {line.get_label(): line.get_color() for line in ax.get_lines()}
    assert len({lines[name] for name in SIZES}) == 3
    assert {name: lines[name] for name in SIZES} == plot.layer_colors(SIZES)
    ax = plot.raster(run([5, 5, 5]), populations=["out"], colors={"out": "crimson"})
    assert ax.get_lines()[0].get_color() == "crimson"


def test_raster_keeps_the_colour_of_a_layer_shown_alone():
    ax = plot.raster(run([5, 5, 5]), populations="out")
    assert ax.get_lines()[0].get_color() == plot.layer_colors(SIZES)["out"]


@pytest.mark.parametrize("sizes", [{"neuron": 1}, {"pair": 2}, {f"l{k}": 3 for k in range(12)}])
@pytest.mark.parametrize("density", [False, True])
def test_raster_of_unusual_networks(sizes, density, tmp_path):
    result = run([50] * len(sizes), sizes=sizes)
    options = {"max_ticks": 0, "max_pixels": 0} if density else {}
    drawn(plot.raster(result, **options), tmp_path)


def test_raster_without_spikes_says_so(tmp_path):
    ax = plot.raster(run([0, 0, 0]), max_ticks=0, max_pixels=0)
    assert [t.get_text() for t in ax.texts] == ["no spikes"]
    drawn(ax, tmp_path)


def test_raster_marks_what_was_not_simulated(tmp_path):
    ax = plot.raster(run([50, 5, 5], t_reached=0.011))
    assert "not simulated" in [t.get_text() for t in ax.texts]
    drawn(ax, tmp_path)
    ax = plot.raster(run([50, 5, 5], t_reached=0.011), t_range=(0.0, 0.01))
    assert not ax.texts


def test_raster_of_a_part_of_the_run():
    result = run([500, 300, 20])
    ax = plot.raster(result, t_range=(0.004, 0.008), t_unit="us", dt=1e-3)
    assert marks(ax)["image"][0] == len(result.spikes["image"].between(0.004, 0.008))
    assert ax.get_xlabel() == "time (µs)"
    assert ax.get_xlim() == pytest.approx((3980.0, 8020.0))
    steps = [x[0] for line in ax.get_lines() if len(x := line.get_xdata()) == 2 and x[0] == x[1]]
    assert steps == pytest.approx([4000.0, 5000.0, 6000.0, 7000.0, 8000.0])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"t_unit": "min"}, InvalidValue, r"raster: t_unit: expected one of \['s', 'ms', 'us'\]"),
        ({"populations": ["output"]}, InvalidValue, "populations: expected some of .*'output'"),
        ({"populations": []}, InvalidValue, "populations: expected at least one"),
        ({"populations": ["out", "out"]}, InvalidValue, "none twice"),
        ({"t_range": (2.0, 1.0)}, InvalidValue, "t_range: expected start < stop, got 2, 1"),
        ({"t_range": (0.0, np.nan)}, InvalidValue, r"t_range\[1\]: expected a finite number"),
        ({"t_range": 3.0}, InvalidValue, "two times in seconds"),
        ({"dt": 0.0}, InvalidValue, "dt: expected a number > 0"),
        ({"ax": "here"}, InvalidType, "ax: expected Matplotlib Axes, got str"),
    ],
)
def test_raster_refuses_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        plot.raster(run([5, 5, 5]), **options)


def test_plots_refuse_what_is_not_one_run():
    result = run([5, 5, 5])
    with pytest.raises(InvalidType, match=r"got a batch of 2; choose a sample, as in results\[0\]"):
        plot.raster(Results([result, result]))
    with pytest.raises(InvalidType, match="expected a Result, got NoneType"):
        plot.rates(None)
    with pytest.raises(InvalidValue, match="simulate with record='spikes'"):
        plot.raster(dataclasses.replace(result, spikes={}))
