"""Plots: what is drawn where, with which labels, and that nothing warns. Looks are seen by eye."""

from __future__ import annotations

import dataclasses

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.figure import Figure

import eventsim as es
from eventsim import plot
from eventsim.errors import FileError, InvalidType, InvalidValue
from eventsim.plot import style
from eventsim.recording import Results

matplotlib.use("Agg")

SIZES = {"image": (1, 28, 28), "hidden": 256, "out": 10}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def run(counts, t_stop=0.016, t_reached=None, sizes=SIZES):
    """A result with so many random spikes in each layer."""
    rng = np.random.default_rng(7)
    net = es.Network([es.Input(name, n) for name, n in sizes.items()])
    t_reached = t_stop if t_reached is None else t_reached
    spikes = {
        p.name: es.SpikeTrain.sorted(rng.random(m) * t_reached, rng.integers(0, p.n, m))
        for p, m in zip(net, counts, strict=True)
    }
    totals = {p.name: spikes[p.name].counts(p.n) for p in net}
    return es.Result(net, spikes, totals, 0.0, t_stop, t_reached)


def drawn(figure, tmp_path, name="figure.png"):
    """Write the figure, which draws it: warnings of the layout are errors here."""
    return plot.save(figure, tmp_path / name)


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


def test_plots_draw_into_the_axes_given(tmp_path):
    figure = Figure(figsize=(4, 3))
    ax = figure.subplots()
    assert plot.raster(run([50, 50, 5]), ax=ax) is ax
    drawn(figure, tmp_path)
    left, right = Figure().subfigures(1, 2)
    ax = left.subplots()
    assert plot.rates(run([50, 50, 5]), ax=ax) is ax
    assert drawn(ax, tmp_path, "sub.png").exists()
    assert drawn(right, tmp_path, "right.png").exists()


def test_plots_leave_the_settings_of_matplotlib_alone(tmp_path):
    before = matplotlib.rcParams.copy()
    drawn(plot.raster(run([50, 50, 5])), tmp_path, "figure.svg")
    assert matplotlib.rcParams == before


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


@pytest.fixture(scope="module")
def trace_run():
    """Three neurons with deltas: one spikes at 2 ms, one is inhibited, one is left alone."""
    net = es.Network(
        [es.Input("in", 2), es.Population("out", 3, tau_mem=4e-3, t_ref=1e-3, v_leak=0.1)],
        [es.Dense("in", "out", [[0.7, -0.5, 0.0], [0.0, 0.0, 0.0]])],
    )
    train = es.SpikeTrain([1e-3, 2e-3, 6e-3], [0, 0, 0])
    return es.simulate(net, {"in": train}, t_stop=8e-3, record_v={"out": [2, 0, 1]})


def artist(ax, label):
    handles, labels = ax.get_legend_handles_labels()
    return handles[labels.index(label)]


def test_membrane_draws_the_exact_curve(trace_run, tmp_path):
    ax = plot.membrane(trace_run, "out", 0)
    t, v = artist(ax, "exact").get_data()
    exact = trace_run.v["out"]
    assert t[0] == 0.0
    assert t[-1] == pytest.approx(8.0)
    assert (np.diff(t) >= 0).all()
    # Between events the curve is the closed form; at them both limits are there.
    events = np.isin(t, exact.knots(1) * 1e3)
    np.testing.assert_allclose(v[~events], exact.at(t[~events] / 1e3)[:, 1], atol=1e-12)
    at_1ms = v[t == 1.0]
    np.testing.assert_allclose(at_1ms, [0.1, 0.8], atol=1e-12)
    # The jump that fires goes through the threshold, down to the reset.
    at_2ms = v[t == 2.0]
    np.testing.assert_allclose(at_2ms, [0.1 + 0.7 * np.exp(-0.25), 1.0, 0.0], atol=1e-12)
    drawn(ax, tmp_path)


def test_membrane_draws_threshold_spikes_and_refractory_spans(trace_run):
    ax = plot.membrane(trace_run, "out", 0)
    threshold = artist(ax, "threshold")
    assert threshold.get_linestyle() == "--"
    assert list(threshold.get_ydata()) == [1.0, 1.0]
    (stroke,) = artist(ax, "spike").get_segments()
    assert stroke[:, 0] == pytest.approx([2.0, 2.0])
    assert (stroke[:, 1] > 1.0).all()
    (span,) = artist(ax, "refractory").get_paths()
    assert sorted(set(span.vertices[:, 0])) == pytest.approx([2.0, 3.0])
    assert ax.get_ylim()[1] > stroke[:, 1].max()
    assert ax.get_xlim() == (0.0, 8.0)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (ms)", "v of out 0")


def test_membrane_of_a_quiet_neuron_has_no_marks(trace_run, tmp_path):
    ax = plot.membrane(trace_run, "out", 2)
    assert ax.get_legend_handles_labels()[1] == ["exact", "threshold"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["exact", "threshold"]
    drawn(ax, tmp_path)


def test_membrane_rows_share_time_and_one_key(trace_run, tmp_path):
    axes = plot.membrane(trace_run, "out", [1, 0, 2])
    assert axes.shape == (3,)
    assert [ax.get_ylabel() for ax in axes] == ["v of out 1", "v of out 0", "v of out 2"]
    assert [ax.get_xlabel() for ax in axes] == ["", "", "time (ms)"]
    assert [ax.get_legend() is not None for ax in axes] == [True, False, False]
    key = [t.get_text() for t in axes[0].get_legend().get_texts()]
    assert key == ["exact", "threshold", "spike", "refractory"]
    drawn(axes, tmp_path)


def test_membrane_one_neuron_in_a_sequence_gives_an_array(trace_run):
    assert plot.membrane(trace_run, "out", [0]).shape == (1,)


def test_membrane_puts_the_discrete_steps_over_the_curve(trace_run, tmp_path):
    v = np.tile(np.linspace(0.2, 1.6, 8)[:, None], (1, 3))
    spikes = (v > 0.9).astype(np.uint8)
    discrete = {"dt": 1e-3, "v": v, "spikes": spikes}
    ax = plot.membrane(trace_run, "out", 0, discrete=discrete)
    values, edges, baseline = artist(ax, "discrete").get_data()
    np.testing.assert_allclose(values, v[:, 0] + 0.1)  # relative to rest
    np.testing.assert_allclose(edges, np.arange(9.0))
    assert baseline is None
    boxes = artist(ax, "discrete spike").get_paths()
    assert len(boxes) == spikes[:, 0].sum()
    assert boxes[0].vertices[:, 1].min() > 1.7
    drawn(ax, tmp_path)
    one = plot.membrane(trace_run, "out", 0, discrete={"dt": 1e-3, "v": v[:, 0]})
    np.testing.assert_allclose(artist(one, "discrete").get_data()[0], values)


def test_membrane_of_a_part_of_the_run(trace_run):
    ax = plot.membrane(trace_run, "out", 0, t_range=(2.5e-3, 4e-3), t_unit="s")
    assert ax.get_xlim() == (2.5e-3, 4e-3)
    assert ax.get_xlabel() == "time (s)"
    assert "spike" not in ax.get_legend_handles_labels()[1]
    (span,) = artist(ax, "refractory").get_paths()
    assert sorted(set(span.vertices[:, 0])) == pytest.approx([2.5e-3, 3e-3])


def test_membrane_of_a_stopped_run(trace_run, tmp_path):
    stopped = dataclasses.replace(trace_run, t_reached=5e-3, complete=False)
    ax = plot.membrane(stopped, "out", 0)
    assert artist(ax, "exact").get_xdata().max() == pytest.approx(5.0)
    assert [t.get_text() for t in ax.texts] == ["not simulated"]
    drawn(ax, tmp_path)
    with pytest.raises(InvalidValue, match="t_range: expected a part of the run, 0 to 0.005 s"):
        plot.membrane(stopped, "out", 0, t_range=(6e-3, 7e-3))


def test_membrane_without_a_threshold_has_no_line(tmp_path):
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 1, tau_mem=4e-3, v_threshold=np.inf)],
        [es.Dense("in", "out", [[2.0]], spread=1e-3)],
    )
    train = es.SpikeTrain([1e-3], [0])
    result = es.simulate(net, {"in": train}, t_stop=8e-3, record_v={"out": [0]}, record="counts")
    ax = plot.membrane(result, "out", 0)
    assert ax.get_legend_handles_labels()[1] == ["exact"]
    assert np.isfinite(ax.get_ylim()).all()
    drawn(ax, tmp_path)


@pytest.mark.parametrize(
    ("population", "neurons", "options", "error", "message"),
    [
        ("in", 0, {}, InvalidValue, "population: expected one with recorded potentials"),
        ("out", 7, {}, InvalidValue, r"neurons: expected recorded ones \(2, 0, 1\), got 7"),
        ("out", [], {}, InvalidValue, "neurons: expected at least one"),
        ("out", [0.5], {}, InvalidType, "neurons: expected integers"),
        ("out", [0, 1], {"ax": [None]}, InvalidType, "expected Matplotlib Axes"),
        ("out", 0, {"discrete": 3}, InvalidType, "discrete: expected a mapping"),
        ("out", 0, {"discrete": {"dt": 1e-3}}, InvalidValue, "'dt' and any of 'v', 'spikes'"),
        ("out", 0, {"discrete": {"dt": 1e-3, "u": [1]}}, InvalidValue, "any of 'v', 'spikes'"),
        ("out", 0, {"discrete": {"dt": 0, "v": [1.0]}}, InvalidValue, "expected a number > 0"),
        ("out", 0, {"discrete": {"dt": 1, "v": []}}, InvalidValue, "at least one step"),
        (
            "out",
            [0, 1],
            {"discrete": {"dt": 1e-3, "v": np.zeros((4, 2))}},
            InvalidValue,
            r"discrete\['v'\]: expected axes \[step, 3\], got shape \(4, 2\)",
        ),
    ],
)
def test_membrane_refuses_bad_arguments(trace_run, population, neurons, options, error, message):
    with pytest.raises(error, match=message):
        plot.membrane(trace_run, population, neurons, **options)


def test_membrane_needs_one_axes_for_each_neuron(trace_run):
    with pytest.raises(InvalidValue, match="ax: expected 2 Axes, one for each neuron, got 3"):
        plot.membrane(trace_run, "out", [0, 1], ax=Figure().subplots(3))
    axes = Figure().subplots(2)
    assert list(plot.membrane(trace_run, "out", [0, 1], ax=axes)) == list(axes)


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


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_save_writes_whole_reproducible_files(suffix, tmp_path):
    result = run([300, 50, 5])
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    assert plot.save(plot.raster(result), first) == first
    plot.save(plot.raster(result), second)
    assert first.read_bytes() == second.read_bytes()
    magic = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix.lower()]
    assert first.read_bytes().startswith(magic)
    assert sorted(p.name for p in tmp_path.iterdir()) == [first.name, second.name]


def test_save_rasterizes_spikes_inside_svg(tmp_path):
    few = drawn(plot.raster(run([300, 50, 5])), tmp_path, "few.svg").read_text()
    many = drawn(plot.raster(run([30_000, 50, 5])), tmp_path, "many.svg").read_text()
    assert "<image" in few
    assert many.count("<path") < few.count("<path") + 50


def test_save_replaces_a_file_only_when_told(tmp_path):
    ax = plot.accuracy_bars(["a"], [0.5], [0.4], [0.6])
    path = tmp_path / "figure.png"
    path.write_text("mine")
    with pytest.raises(FileError, match="overwrite=True"):
        plot.save(ax, path)
    assert path.read_text() == "mine"
    plot.save(ax, path, overwrite=True)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_save_refuses_other_things(tmp_path):
    ax = plot.accuracy_bars(["a"], [0.5], [0.4], [0.6])
    with pytest.raises(InvalidValue, match=r"path: expected a name that ends in one of .*'\.png'"):
        plot.save(ax, tmp_path / "figure.jpg")
    with pytest.raises(FileError, match="folder: expected an existing one"):
        plot.save(ax, tmp_path / "none" / "figure.png")
    with pytest.raises(InvalidType, match="figure: expected Axes or a Figure, got str"):
        plot.save("figure", tmp_path / "figure.png")
    with pytest.raises(InvalidValue, match="at least one Axes"):
        plot.save(np.array([]), tmp_path / "figure.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("color", style.PALETTE)
def test_density_maps_darken_alike(color):
    """One grey colour bar explains the images of all layers."""
    levels = np.linspace(0.0, 1.0, 21)

    def lightness(c):
        rgb = style.lightness_map(c)(levels)[:, :3]
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        y = linear @ [0.2126, 0.7152, 0.0722]
        return np.where(y > 0.008856, 116.0 * np.cbrt(y) - 16.0, 903.3 * y)

    assert (np.diff(lightness(color)) < 0).all()
    assert np.abs(lightness(color) - lightness("black")).max() < 12.0


def test_layer_colours_repeat_only_after_all_are_used():
    names = [f"layer{k}" for k in range(10)]
    colors = list(plot.layer_colors(names).values())
    assert len(set(colors[:8])) == 8
    assert colors[8:] == colors[:2]
    for color in colors:
        value = rgb_to_hsv(style.text_color(color))[2]
        assert 0.0 <= value <= max(rgb_to_hsv(to_rgb(color))[2], 0.4)
